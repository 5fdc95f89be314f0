/* py_environ - see py_environ.h. */
#include "py_environ.h"

#include <string.h>

#include "http_char.h"
#include "macros.h"
#include "py_errors.h"
#include "py_field.h"
#include "py_file_wrapper.h"
#include "py_input.h"

enum key {
	KEY_REQUEST_METHOD,
	KEY_PATH_INFO,
	KEY_QUERY_STRING,
	KEY_RAW_URI,
	KEY_REQUEST_URI,
	KEY_SERVER_PROTOCOL,
	KEY_SERVER_NAME,
	KEY_SERVER_PORT,
	KEY_REMOTE_ADDR,
	KEY_REMOTE_PORT,
	KEY_HTTP_HOST,
	KEY_INPUT,
	KEY_DISCONNECTED,
	KEY_THREAD,
	KEY_COUNT
};

static const char *const key_names[] = {
    [KEY_REQUEST_METHOD] = "REQUEST_METHOD",
    [KEY_PATH_INFO] = "PATH_INFO",
    [KEY_QUERY_STRING] = "QUERY_STRING",
    [KEY_RAW_URI] = "RAW_URI",
    [KEY_REQUEST_URI] = "REQUEST_URI",
    [KEY_SERVER_PROTOCOL] = "SERVER_PROTOCOL",
    [KEY_SERVER_NAME] = "SERVER_NAME",
    [KEY_SERVER_PORT] = "SERVER_PORT",
    [KEY_REMOTE_ADDR] = "REMOTE_ADDR",
    [KEY_REMOTE_PORT] = "REMOTE_PORT",
    [KEY_HTTP_HOST] = "HTTP_HOST",
    [KEY_INPUT] = "wsgi.input",
    [KEY_DISCONNECTED] = "cgthread.client_disconnected",
    [KEY_THREAD] = "cgthread.thread",
};
_Static_assert(nitems(key_names) == KEY_COUNT, "a key has no name");

static const char *const method_names[] = {
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};

/* All (const) once started. */
static PyObject *keys[KEY_COUNT];
static PyObject *methods[nitems(method_names)];
static PyObject *http_1_0, *http_1_1;
static PyObject *base; /* the dict that each request's is a copy of */

/* ---- what is the same for all requests ---- */

static int
make_strings(void)
{
	size_t i;

	for (i = 0; i < nitems(keys); i++)
		if ((keys[i] = PyUnicode_InternFromString(key_names[i])) ==
		    NULL)
			return (-1);
	for (i = 0; i < nitems(methods); i++)
		if ((methods[i] = PyUnicode_InternFromString(
			 method_names[i])) == NULL)
			return (-1);
	http_1_0 = PyUnicode_InternFromString("HTTP/1.0");
	http_1_1 = PyUnicode_InternFromString("HTTP/1.1");
	return (http_1_0 != NULL && http_1_1 != NULL ? 0 : -1);
}

/* Takes value, which may be NULL with an exception. */
static int
put_named(const char *name, PyObject *value)
{
	PyObject *key = PyUnicode_InternFromString(name);
	int result = -1;

	if (key != NULL && value != NULL)
		result = PyDict_SetItem(base, key, value);
	Py_XDECREF(key);
	Py_XDECREF(value);
	return (result);
}

static int
put_names(const struct request_context *context)
{
	PyObject *wrapper = py_file_wrapper_type();

	if (wrapper == NULL)
		return (-1);
	if (put_named("SCRIPT_NAME", PyUnicode_FromString("")) == -1 ||
	    put_named("SERVER_SOFTWARE",
		PyUnicode_FromString("cgthread/" CGTHREAD_VERSION)) == -1 ||
	    put_named("wsgi.version", Py_BuildValue("(ii)", 1, 0)) == -1 ||
	    put_named("wsgi.url_scheme", PyUnicode_InternFromString("http")) ==
		-1 ||
	    put_named("wsgi.errors", py_errors_new()) == -1 ||
	    put_named("wsgi.multithread",
		PyBool_FromLong(context->multithread)) == -1 ||
	    put_named("wsgi.multiprocess",
		PyBool_FromLong(context->multiprocess)) == -1 ||
	    put_named("wsgi.run_once", PyBool_FromLong(0)) == -1 ||
	    put_named("wsgi.input_terminated", PyBool_FromLong(1)) == -1 ||
	    put_named("wsgi.file_wrapper", Py_NewRef(wrapper)) == -1 ||
	    put_named("wsgi.input", Py_NewRef(py_input_empty())) == -1)
		return (-1);
	return (put_named("cgthread.worker", PyLong_FromLong(context->slot)));
}

int
py_environ_start(const struct request_context *context)
{
	base = PyDict_New();
	if (base == NULL || make_strings() == -1)
		return (-1);
	return (put_names(context));
}

/* ---- what is particular to one ---- */

/* Takes value, which may be NULL with an exception. */
static int
put(PyObject *environ, enum key key, PyObject *value)
{
	int result;

	if (value == NULL)
		return (-1);
	result = PyDict_SetItem(environ, keys[key], value);
	Py_DECREF(value);
	return (result);
}

static PyObject *
latin1(const char *text, size_t len)
{
	return (PyUnicode_DecodeLatin1(text, (Py_ssize_t)len, NULL));
}

static PyObject *
method_object(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < nitems(method_names); i++)
		if (strlen(method_names[i]) == len &&
		    memcmp(method_names[i], text, len) == 0)
			return (Py_NewRef(methods[i]));
	return (latin1(text, len));
}

static PyObject *
protocol_object(const struct http_head *head)
{
	if (head->major == 1 && head->minor == 1)
		return (Py_NewRef(http_1_1));
	if (head->major == 1 && head->minor == 0)
		return (Py_NewRef(http_1_0));
	return (PyUnicode_FromFormat("HTTP/%d.%d", head->major, head->minor));
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

/* Undoes %XX; what is no escape stays as it is.  Returns the length. */
static size_t
unescape(char *to, const char *path, size_t len)
{
	const char *end = path + len;
	char *start = to;
	int high, low;

	while (path < end) {
		if (*path == '%' && end - path > 2) {
			high = hex_value(path[1]);
			low = hex_value(path[2]);
			if (high != -1 && low != -1) {
				*to++ = (char)(high << 4 | low);
				path += 3;
				continue;
			}
		}
		*to++ = *path++;
	}
	return ((size_t)(to - start));
}

static PyObject *
path_object(const char *path, size_t len)
{
	PyObject *object;
	char *plain;

	if (memchr(path, '%', len) == NULL)
		return (latin1(path, len));
	plain = PyMem_Malloc(len);
	if (plain == NULL)
		return (PyErr_NoMemory());
	object = latin1(plain, unescape(plain, path, len));
	PyMem_Free(plain);
	return (object);
}

/* A target of "http://host" has no path, which is "/": RFC 9110 4.2.3. */
static int
put_path(PyObject *environ, const char *text, const struct http_head *head)
{
	if (head->path.len == 0)
		return (put(environ, KEY_PATH_INFO, latin1("/", 1)));
	return (put(environ, KEY_PATH_INFO,
	    path_object(text + head->path.offset, head->path.len)));
}

static int
put_request_line(PyObject *environ, const struct request *req)
{
	const struct http_head *head = &req->head;
	const char *text = req->text;
	PyObject *target;

	if (put(environ, KEY_REQUEST_METHOD,
		method_object(text + head->method.offset, head->method.len)) ==
		-1 ||
	    put(environ, KEY_SERVER_PROTOCOL, protocol_object(head)) == -1 ||
	    put_path(environ, text, head) == -1 ||
	    put(environ, KEY_QUERY_STRING,
		latin1(text + head->query.offset, head->query.len)) == -1)
		return (-1);
	target = latin1(text + head->target.offset, head->target.len);
	if (target == NULL)
		return (-1);
	if (put(environ, KEY_RAW_URI, Py_NewRef(target)) == -1) {
		Py_DECREF(target);
		return (-1);
	}
	return (put(environ, KEY_REQUEST_URI, target));
}

static int
put_peer(PyObject *environ, const struct peer *peer)
{
	char address[INET6_ADDRSTRLEN];

	if (put(environ, KEY_REMOTE_ADDR,
		PyUnicode_FromString(peer_format(peer, address))) == -1)
		return (-1);
	if (peer->family == AF_UNIX)
		return (0);
	return (put(
	    environ, KEY_REMOTE_PORT, PyUnicode_FromFormat("%d", peer->port)));
}

/* "name", "name:port" or "[::1]:port": *port is behind the colon, or NULL. */
static size_t
split_host(const char *host, size_t len, const char **port)
{
	const char *colon = memrchr(host, ':', len);

	*port = NULL;
	if (colon == NULL || memchr(colon, ']', len - (size_t)(colon - host)))
		return (len);
	*port = colon + 1;
	return ((size_t)(colon - host));
}

/* A unix socket has no name: the client's word for it has to do. */
static int
put_server_by_host(PyObject *environ, const struct request *req)
{
	const struct http_field *field =
	    http_head_find(&req->head, req->text, "host");
	const char *host = "localhost", *port = NULL;
	size_t len = strlen(host), name_len = len;

	if (field != NULL && field->value.len > 0) {
		host = req->text + field->value.offset;
		len = field->value.len;
		name_len = split_host(host, len, &port);
	}
	if (put(environ, KEY_SERVER_NAME, latin1(host, name_len)) == -1)
		return (-1);
	if (port == NULL || port == host + len)
		return (put(environ, KEY_SERVER_PORT, latin1("80", 2)));
	return (put(environ, KEY_SERVER_PORT,
	    latin1(port, len - (size_t)(port - host))));
}

static int
put_server(PyObject *environ, const struct request *req)
{
	const struct local *local = req->local;

	if (local->is_unix)
		return (put_server_by_host(environ, req));
	if (put(environ, KEY_SERVER_NAME, PyUnicode_FromString(local->host)) ==
	    -1)
		return (-1);
	return (
	    put(environ, KEY_SERVER_PORT, PyUnicode_FromString(local->port)));
}

/*
 * The host of a target like "http://host/path" is the one that counts, whatever
 * Host says: RFC 9112 3.2.2.
 */
static int
put_target_host(PyObject *environ, const struct request *req)
{
	const char *target = req->text + req->head.target.offset;
	const char *end = req->text + req->head.path.offset, *host;

	host = memmem(target, (size_t)(end - target), "://", 3);
	if (host == NULL)
		return (0);
	host += 3;
	if (host >= end ||
	    !http_chars_are(host, (size_t)(end - host), HTTP_CHAR_HOST))
		return (0);
	return (
	    put(environ, KEY_HTTP_HOST, latin1(host, (size_t)(end - host))));
}

static int
put_objects(
    PyObject *environ, unsigned thread, PyObject *input, PyObject *disconnected)
{
	if (input != NULL &&
	    PyDict_SetItem(environ, keys[KEY_INPUT], input) == -1)
		return (-1);
	if (PyDict_SetItem(environ, keys[KEY_DISCONNECTED], disconnected) == -1)
		return (-1);
	return (put(environ, KEY_THREAD, PyLong_FromUnsignedLong(thread)));
}

PyObject *
py_environ_new(const struct request *req, unsigned thread, PyObject *input,
    PyObject *disconnected)
{
	PyObject *environ = PyDict_Copy(base);

	if (environ == NULL)
		return (NULL);
	if (put_request_line(environ, req) == -1 ||
	    put_peer(environ, &req->peer) == -1 ||
	    put_server(environ, req) == -1 ||
	    py_field_add_all(environ, req) == -1 ||
	    (req->head.path.offset > req->head.target.offset &&
		put_target_host(environ, req) == -1) ||
	    put_objects(environ, thread, input, disconnected) == -1)
		Py_CLEAR(environ);
	return (environ);
}
