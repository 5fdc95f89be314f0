/* py_environ - see py_environ.h. */
#include "py_environ.h"

#include <string.h>

#include "http_escape.h"
#include "macros.h"
#include "py_errors.h"
#include "py_field.h"
#include "py_file_wrapper.h"
#include "py_input.h"
#include "py_origin.h"
#include "py_text.h"

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
	KEY_TEXTS, /* those before it are text */
	KEY_HTTP_HOST = KEY_TEXTS,
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

/* (const) once started. */
static PyObject *keys[KEY_COUNT];
static PyObject *common; /* the dict with what is the same for all requests */

/* Of methods, paths, hosts.  Not of queries, which are seldom the same. */
static struct py_text_cache caches[KEY_TEXTS]; /* (GIL) */

/*
 * One thread's last request, but for its fields: each environ begins as a copy
 * of dict, after what differs has been replaced in it.  Mostly that is little:
 * the client and the server's ends stay the same, so do method and path.
 */
static _Thread_local struct {
	PyObject *dict; /* NULL: not made yet */
	struct py_text texts[KEY_TEXTS];
	PyObject *disconnected;
	unsigned thread;
	const struct local *local;
	struct peer peer;
} last;

/* What belongs into one environ alone, not into the next; owned. */
struct extras {
	PyObject *texts[KEY_TEXTS];
	bool any;
};

/* ---- what is the same for all requests ---- */

static int
make_strings(void)
{
	size_t i;

	for (i = 0; i < nitems(keys); i++)
		if ((keys[i] = PyUnicode_InternFromString(key_names[i])) ==
		    NULL)
			return (-1);
	return (0);
}

/* Takes value, which may be NULL with an exception. */
static int
put_named(const char *name, PyObject *value)
{
	PyObject *key = PyUnicode_InternFromString(name);
	int result = -1;

	if (key != NULL && value != NULL)
		result = PyDict_SetItem(common, key, value);
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
	if (put_named("SCRIPT_NAME",
		PyUnicode_FromString(context->proxy.prefix)) == -1 ||
	    put_named("SERVER_SOFTWARE",
		PyUnicode_FromString("cgthread/" CGTHREAD_VERSION)) == -1 ||
	    put_named("wsgi.version", Py_BuildValue("(ii)", 1, 0)) == -1 ||
	    put_named("wsgi.url_scheme",
		PyUnicode_InternFromString(
		    context->proxy.is_https ? "https" : "http")) == -1 ||
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
	common = PyDict_New();
	if (common == NULL || make_strings() == -1 || py_origin_start() == -1)
		return (-1);
	return (put_names(context));
}

/* ---- what may be as it was in the thread's last request ---- */

/* Takes str, which may be NULL with an exception. */
static int
put_str(struct extras *extras, enum key key, PyObject *str)
{
	int result;

	if (str == NULL)
		return (-1);
	if (PyUnicode_GET_LENGTH(str) > PY_TEXT_MAX) {
		Py_XSETREF(extras->texts[key], str);
		extras->any = true;
		return (0);
	}
	result = PyDict_SetItem(last.dict, keys[key], str);
	/* The dict holds it from here on. */
	if (result == 0)
		py_text_show(&last.texts[key], str);
	Py_DECREF(str);
	return (result);
}

static int
put_text(struct extras *extras, enum key key, const char *text, size_t len)
{
	struct py_text_cache *cache = &caches[key];

	if (py_text_is(&last.texts[key], text, len))
		return (0);
	if (key == KEY_QUERY_STRING)
		cache = NULL;
	return (put_str(extras, key, py_text_get(cache, text, len)));
}

static int
put_string(struct extras *extras, enum key key, const char *text)
{
	return (put_text(extras, key, text, strlen(text)));
}

static int
put_protocol(struct extras *extras, const struct http_head *head)
{
	char protocol[] = "HTTP/1.1";

	protocol[5] = (char)('0' + head->major % 10);
	protocol[7] = (char)('0' + head->minor % 10);
	return (put_text(
	    extras, KEY_SERVER_PROTOCOL, protocol, sizeof(protocol) - 1));
}

/* A target of "http://host" has no path, which is "/": RFC 9110 4.2.3.  Of what
 * SCRIPT_NAME has, there may be nothing left. */
static int
put_path(struct extras *extras, const struct request *req)
{
	const struct http_text *text = &req->head.path;
	const char *path = req->text + text->offset + req->path_skip;
	size_t len = text->len - req->path_skip;
	PyObject *str;
	char *plain;

	if (text->len == 0)
		return (put_text(extras, KEY_PATH_INFO, "/", 1));
	if (memchr(path, '%', len) == NULL)
		return (put_text(extras, KEY_PATH_INFO, path, len));
	plain = PyMem_Malloc(len);
	if (plain == NULL) {
		PyErr_NoMemory();
		return (-1);
	}
	str = py_text_new(plain, http_unescape(plain, path, len));
	PyMem_Free(plain);
	return (put_str(extras, KEY_PATH_INFO, str));
}

/* It stands there twice. */
static int
put_target(
    struct extras *extras, const char *target, size_t len, bool has_query)
{
	PyObject *str;

	if (py_text_is(&last.texts[KEY_RAW_URI], target, len) &&
	    py_text_is(&last.texts[KEY_REQUEST_URI], target, len))
		return (0);
	str =
	    py_text_get(has_query ? NULL : &caches[KEY_PATH_INFO], target, len);
	if (str == NULL)
		return (-1);
	if (put_str(extras, KEY_RAW_URI, Py_NewRef(str)) == -1) {
		Py_DECREF(str);
		return (-1);
	}
	return (put_str(extras, KEY_REQUEST_URI, str));
}

static int
put_request_line(struct extras *extras, const struct request *req)
{
	const struct http_head *head = &req->head;
	const char *text = req->text;

	if (put_text(extras, KEY_REQUEST_METHOD, text + head->method.offset,
		head->method.len) == -1 ||
	    put_protocol(extras, head) == -1 || put_path(extras, req) == -1 ||
	    put_text(extras, KEY_QUERY_STRING, text + head->query.offset,
		head->query.len) == -1)
		return (-1);
	return (put_target(extras, text + head->target.offset, head->target.len,
	    head->query.len > 0));
}

static int
remove_port(void)
{
	if (last.texts[KEY_REMOTE_PORT].data == NULL)
		return (0);
	last.texts[KEY_REMOTE_PORT].data = NULL;
	return (PyDict_DelItem(last.dict, keys[KEY_REMOTE_PORT]));
}

static int
put_peer(struct extras *extras, const struct peer *peer)
{
	char address[INET6_ADDRSTRLEN];

	if (last.peer.family != peer->family ||
	    memcmp(last.peer.address, peer->address, sizeof(peer->address)) !=
		0) {
		if (put_string(extras, KEY_REMOTE_ADDR,
			peer_format(peer, address)) == -1)
			return (-1);
		last.peer = *peer;
		last.peer.port = 0;
	}
	if (peer->port == 0) /* of a unix socket, or not told by a proxy */
		return (remove_port());
	if (last.peer.port == peer->port &&
	    last.texts[KEY_REMOTE_PORT].data != NULL)
		return (0);
	if (put_str(extras, KEY_REMOTE_PORT, py_text_port(peer->port)) == -1)
		return (-1);
	last.peer.port = peer->port;
	return (0);
}

/* A unix socket has no name: the client's word for it has to do. */
static int
put_server_by_host(struct extras *extras, const struct request *req)
{
	uint16_t usual = req->context->proxy.is_https ? 443 : 80;
	struct py_origin_host host;

	py_origin_host(&host, req);
	if (put_text(extras, KEY_SERVER_NAME, host.name, host.name_len) == -1)
		return (-1);
	return (put_str(extras, KEY_SERVER_PORT,
	    py_text_port(host.port != 0 ? host.port : usual)));
}

static int
put_server(struct extras *extras, const struct request *req)
{
	const struct local *local = req->local;

	if (local == last.local)
		return (0);
	last.local = NULL;
	if (local->is_unix)
		return (put_server_by_host(extras, req));
	if (put_string(extras, KEY_SERVER_NAME, local->host) == -1 ||
	    put_string(extras, KEY_SERVER_PORT, local->port) == -1)
		return (-1);
	last.local = local;
	return (0);
}

static int
put_thread(unsigned thread)
{
	PyObject *number;
	int result;

	if (thread == last.thread)
		return (0);
	number = PyLong_FromUnsignedLong(thread);
	if (number == NULL)
		return (-1);
	result = PyDict_SetItem(last.dict, keys[KEY_THREAD], number);
	Py_DECREF(number);
	if (result == 0)
		last.thread = thread;
	return (result);
}

static int
put_disconnected(PyObject *disconnected)
{
	if (disconnected == last.disconnected)
		return (0);
	if (PyDict_SetItem(last.dict, keys[KEY_DISCONNECTED], disconnected) ==
	    -1)
		return (-1);
	last.disconnected = disconnected;
	return (0);
}

/* Makes of the last request's dict this one's. */
static int
update_last(struct extras *extras, const struct request *req, unsigned thread,
    PyObject *disconnected)
{
	if (last.dict == NULL)
		last.dict = PyDict_Copy(common);
	if (last.dict == NULL || put_request_line(extras, req) == -1 ||
	    put_peer(extras, &req->peer) == -1 ||
	    put_server(extras, req) == -1 || put_thread(thread) == -1)
		return (-1);
	return (put_disconnected(disconnected));
}

/* ---- what is this request's alone ---- */

static int
put_extras(PyObject *environ, struct extras *extras)
{
	int result = 0;
	size_t i;

	for (i = 0; extras->any && i < nitems(extras->texts); i++)
		if (extras->texts[i] != NULL && result == 0)
			result =
			    PyDict_SetItem(environ, keys[i], extras->texts[i]);
	return (result);
}

static void
free_extras(struct extras *extras)
{
	size_t i;

	for (i = 0; extras->any && i < nitems(extras->texts); i++)
		Py_CLEAR(extras->texts[i]);
}

static int
fill(PyObject *environ, struct extras *extras, const struct request *req,
    PyObject *input)
{
	if (extras->any && put_extras(environ, extras) == -1)
		return (-1);
	if (input != NULL &&
	    PyDict_SetItem(environ, keys[KEY_INPUT], input) == -1)
		return (-1);
	if (py_field_add_all(environ, req) == -1)
		return (-1);
	return (py_origin_put(environ, req));
}

PyObject *
py_environ_new(const struct request *req, unsigned thread, PyObject *input,
    PyObject *disconnected)
{
	struct extras extras = {.any = false};
	PyObject *environ = NULL;

	if (update_last(&extras, req, thread, disconnected) == 0)
		environ = PyDict_Copy(last.dict);
	if (environ != NULL && fill(environ, &extras, req, input) == -1)
		Py_CLEAR(environ);
	free_extras(&extras);
	return (environ);
}

bool
py_environ_keeps(const PyObject *disconnected)
{
	return (disconnected == last.disconnected);
}

void
py_environ_end_thread(void)
{
	Py_CLEAR(last.dict);
	memset(&last, 0, sizeof(last));
}
