/* py_origin - see py_origin.h. */
#include "py_origin.h"

#include <string.h>

#include "forwarded_syntax.h"
#include "http_char.h"
#include "macros.h"
#include "py_text.h"

enum key {
	KEY_HTTP_HOST,
	KEY_SCRIPT_NAME,
	KEY_SERVER_NAME,
	KEY_SERVER_PORT,
	KEY_URL_SCHEME,
	KEY_COUNT
};

static const char *const key_names[] = {
    [KEY_HTTP_HOST] = "HTTP_HOST",
    [KEY_SCRIPT_NAME] = "SCRIPT_NAME",
    [KEY_SERVER_NAME] = "SERVER_NAME",
    [KEY_SERVER_PORT] = "SERVER_PORT",
    [KEY_URL_SCHEME] = "wsgi.url_scheme",
};
_Static_assert(nitems(key_names) == KEY_COUNT, "a key has no name");

/* (const) once started. */
static PyObject *keys[KEY_COUNT];
static PyObject *http, *https;

int
py_origin_start(void)
{
	size_t i;

	for (i = 0; i < nitems(keys); i++)
		if ((keys[i] = PyUnicode_InternFromString(key_names[i])) ==
		    NULL)
			return (-1);
	http = PyUnicode_InternFromString("http");
	https = PyUnicode_InternFromString("https");
	return (http != NULL && https != NULL ? 0 : -1);
}

/* ---- what the request says ---- */

/*
 * The host of a target like "http://host/path" is the one that counts, whatever
 * Host says: RFC 9112 3.2.2.
 */
static const char *
target_host(const struct request *req, size_t *len)
{
	const char *target = req->text + req->head.target.offset;
	const char *end = req->text + req->head.path.offset, *host;

	if (end == target)
		return (NULL);
	host = memmem(target, (size_t)(end - target), "://", 3);
	if (host == NULL)
		return (NULL);
	host += 3;
	*len = (size_t)(end - host);
	if (host >= end || !http_chars_are(host, *len, HTTP_CHAR_HOST))
		return (NULL);
	return (host);
}

/* "name", "name:port" or "[::1]:port".  Applications make a number of the port:
 * what is no port, though Host may have it, is none. */
static void
split_host(struct py_origin_host *host, const char *text, size_t len)
{
	const char *colon = memrchr(text, ':', len);
	const char *end = text + len;

	host->name = text;
	host->name_len = len;
	if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
		return;
	host->name_len = (size_t)(colon - text);
	if (forwarded_port_parse(
		colon + 1, (size_t)(end - colon) - 1, &host->port) == -1)
		host->port = 0;
}

void
py_origin_host(struct py_origin_host *host, const struct request *req)
{
	const char *own = req->context->proxy.server_name;
	const struct http_field *field;
	const char *text;
	size_t len;

	memset(host, 0, sizeof(*host));
	text = target_host(req, &len);
	if (text == NULL) {
		field = http_head_find(&req->head, req->text, "host");
		if (field != NULL && field->value.len > 0) {
			text = req->text + field->value.offset;
			len = field->value.len;
		}
	}
	host->is_given = text != NULL;
	if (host->is_given) {
		split_host(host, text, len);
	} else {
		host->name = own != NULL ? own : "localhost";
		host->name_len = strlen(host->name);
	}
}

/* ---- what stands over it ---- */

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

static int
put_text(PyObject *environ, enum key key, const char *text, size_t len)
{
	return (put(environ, key, py_text_new(text, len)));
}

static int
put_target_host(PyObject *environ, const struct request *req)
{
	size_t len;
	const char *host = target_host(req, &len);

	if (host == NULL)
		return (0);
	return (put_text(environ, KEY_HTTP_HOST, host, len));
}

/* "name", or "name:port" where the scheme has another port. */
static int
put_host(PyObject *environ, const struct py_origin_host *host, unsigned port)
{
	PyObject *name, *both;

	if (port == 0)
		return (put_text(
		    environ, KEY_HTTP_HOST, host->name, host->name_len));
	name = py_text_new(host->name, host->name_len);
	if (name == NULL)
		return (-1);
	both = PyUnicode_FromFormat("%U:%u", name, port);
	Py_DECREF(name);
	return (put(environ, KEY_HTTP_HOST, both));
}

/*
 * The URL that the proxy was asked for: a port that it tells, else that of the
 * host that counts, else its scheme's.
 */
static int
put_url(PyObject *environ, const struct request *req, bool is_https)
{
	const struct forwarded *forwarded = &req->forwarded;
	uint16_t usual = is_https ? 443 : 80, port = forwarded->port;
	struct py_origin_host host;

	py_origin_host(&host, req);
	if (forwarded->host.len > 0) {
		host.name = req->text + forwarded->host.offset;
		host.name_len = forwarded->host.len;
		if (put_text(environ, KEY_SERVER_NAME, host.name,
			host.name_len) == -1)
			return (-1);
	} else if (port == 0)
		port = host.port;
	if (put(environ, KEY_SERVER_PORT,
		py_text_port(port != 0 ? port : usual)) == -1)
		return (-1);
	if (forwarded->host.len > 0 || (forwarded->port != 0 && host.is_given))
		return (put_host(environ, &host, port != usual ? port : 0));
	return (put_target_host(environ, req));
}

int
py_origin_put(PyObject *environ, const struct request *req)
{
	const struct forwarded *forwarded = &req->forwarded;
	bool is_https = req->context->proxy.is_https;

	if (!forwarded->is_set)
		return (put_target_host(environ, req));
	if (forwarded->has_prefix && put_text(environ, KEY_SCRIPT_NAME,
					 req->text + forwarded->prefix.offset,
					 forwarded->prefix.len) == -1)
		return (-1);
	if (forwarded->scheme != FORWARDED_NO_SCHEME) {
		is_https = forwarded->scheme == FORWARDED_HTTPS;
		if (PyDict_SetItem(environ, keys[KEY_URL_SCHEME],
			is_https ? https : http) == -1)
			return (-1);
	}
	if (forwarded->host.len == 0 && forwarded->port == 0 &&
	    forwarded->scheme == FORWARDED_NO_SCHEME)
		return (put_target_host(environ, req));
	return (put_url(environ, req, is_https));
}
