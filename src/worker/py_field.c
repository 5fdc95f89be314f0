/* py_field - see py_field.h. */
#include "py_field.h"

#include <string.h>

#include "http_char.h"
#include "macros.h"

#define KNOWN_LENGTH_MAX 31

/* What is particular about a field. */
enum field_rule {
	FIELD_PLAIN,
	FIELD_COOKIE, /* several are joined by "; ": RFC 9113 8.2.3 */
	FIELD_DROPPED
};

/*
 * Transfer-Encoding has been undone.  Proxy would become HTTP_PROXY, which many
 * HTTP clients take for the address of their proxy.
 */
/* clang-format off */
static struct known_field {
	const char *name; /* lower case */
	const char *key;
	enum field_rule rule;
	PyObject *key_object;     /* (const) once started */
	struct known_field *next; /* of the same length */
} known_fields[] = {
#define ROW(name, key, rule) { name, key, rule, NULL, NULL }
	ROW("host",			"HTTP_HOST",		FIELD_PLAIN),
	ROW("cookie",			"HTTP_COOKIE",		FIELD_COOKIE),
	ROW("accept",			"HTTP_ACCEPT",		FIELD_PLAIN),
	ROW("user-agent",		"HTTP_USER_AGENT",	FIELD_PLAIN),
	ROW("connection",		"HTTP_CONNECTION",	FIELD_PLAIN),
	ROW("content-type",		"CONTENT_TYPE",		FIELD_PLAIN),
	ROW("content-length",		"CONTENT_LENGTH",	FIELD_PLAIN),
	ROW("transfer-encoding",	"",			FIELD_DROPPED),
	ROW("proxy",			"",			FIELD_DROPPED),
	ROW("accept-encoding",		"HTTP_ACCEPT_ENCODING",	FIELD_PLAIN),
	ROW("accept-language",		"HTTP_ACCEPT_LANGUAGE",	FIELD_PLAIN),
	ROW("authorization",		"HTTP_AUTHORIZATION",	FIELD_PLAIN),
	ROW("cache-control",		"HTTP_CACHE_CONTROL",	FIELD_PLAIN),
	ROW("pragma",			"HTTP_PRAGMA",		FIELD_PLAIN),
	ROW("referer",			"HTTP_REFERER",		FIELD_PLAIN),
	ROW("origin",			"HTTP_ORIGIN",		FIELD_PLAIN),
	ROW("range",			"HTTP_RANGE",		FIELD_PLAIN),
	ROW("expect",			"HTTP_EXPECT",		FIELD_PLAIN),
	ROW("if-none-match",		"HTTP_IF_NONE_MATCH",	FIELD_PLAIN),
	ROW("if-modified-since",	"HTTP_IF_MODIFIED_SINCE", FIELD_PLAIN),
	ROW("upgrade-insecure-requests",
	    "HTTP_UPGRADE_INSECURE_REQUESTS",			FIELD_PLAIN),
	ROW("forwarded",		"HTTP_FORWARDED",	FIELD_PLAIN),
	ROW("x-forwarded-for",		"HTTP_X_FORWARDED_FOR",	FIELD_PLAIN),
	ROW("x-forwarded-host",		"HTTP_X_FORWARDED_HOST", FIELD_PLAIN),
	ROW("x-forwarded-proto",	"HTTP_X_FORWARDED_PROTO", FIELD_PLAIN),
	ROW("x-real-ip",		"HTTP_X_REAL_IP",	FIELD_PLAIN),
	ROW("x-request-id",		"HTTP_X_REQUEST_ID",	FIELD_PLAIN),
	ROW("x-requested-with",		"HTTP_X_REQUESTED_WITH", FIELD_PLAIN),
	ROW("x-csrftoken",		"HTTP_X_CSRFTOKEN",	FIELD_PLAIN),
	ROW("sec-fetch-dest",		"HTTP_SEC_FETCH_DEST",	FIELD_PLAIN),
	ROW("sec-fetch-mode",		"HTTP_SEC_FETCH_MODE",	FIELD_PLAIN),
	ROW("sec-fetch-site",		"HTTP_SEC_FETCH_SITE",	FIELD_PLAIN),
	ROW("sec-fetch-user",		"HTTP_SEC_FETCH_USER",	FIELD_PLAIN),
#undef ROW
};
/* clang-format on */

static struct known_field *by_length[KNOWN_LENGTH_MAX + 1]; /* (const) */
static PyObject *key_content_length;                        /* (const) */

int
py_field_start(void)
{
	struct known_field *known;
	size_t i, len;

	for (i = 0; i < nitems(known_fields); i++) {
		known = &known_fields[i];
		len = strlen(known->name);
		known->key_object = PyUnicode_InternFromString(known->key);
		if (known->key_object == NULL)
			return (-1);
		known->next = by_length[len];
		by_length[len] = known;
	}
	key_content_length = PyUnicode_InternFromString("CONTENT_LENGTH");
	return (key_content_length != NULL ? 0 : -1);
}

static const struct known_field *
find_known(const char *name, size_t len)
{
	const struct known_field *known = NULL;

	if (len <= KNOWN_LENGTH_MAX)
		known = by_length[len];
	while (known != NULL && !http_chars_equal(name, len, known->name))
		known = known->next;
	return (known);
}

/* "X-Thing" as "HTTP_X_THING".  A field's name is ASCII: a token. */
static PyObject *
make_key(const char *name, size_t len)
{
	PyObject *key = PyUnicode_New((Py_ssize_t)len + 5, 127);
	char *to;
	size_t i;

	if (key == NULL)
		return (NULL);
	to = mempcpy(PyUnicode_1BYTE_DATA(key), "HTTP_", 5);
	for (i = 0; i < len; i++)
		if (name[i] == '-')
			to[i] = '_';
		else if (name[i] >= 'a' && name[i] <= 'z')
			to[i] = (char)(name[i] - 'a' + 'A');
		else
			to[i] = name[i];
	return (key);
}

/* There was one of that name: both values become one. */
static int
join(PyObject *environ, PyObject *key, PyObject *before, PyObject *value,
    enum field_rule rule)
{
	const char *separator = rule == FIELD_COOKIE ? "; " : ",";
	PyObject *both;
	int result;

	both = PyUnicode_FromFormat("%U%s%U", before, separator, value);
	if (both == NULL)
		return (-1);
	result = PyDict_SetItem(environ, key, both);
	Py_DECREF(both);
	return (result);
}

static int
add(PyObject *environ, PyObject *key, const char *text, size_t len,
    enum field_rule rule)
{
	Py_ssize_t size = PyDict_GET_SIZE(environ);
	PyObject *value, *there;
	int result = 0;

	value = PyUnicode_DecodeLatin1(text, (Py_ssize_t)len, NULL);
	if (value == NULL)
		return (-1);
	there = PyDict_SetDefault(environ, key, value);
	if (there == NULL)
		result = -1;
	else if (PyDict_GET_SIZE(environ) == size)
		result = join(environ, key, there, value, rule);
	Py_DECREF(value);
	return (result);
}

static int
add_field(PyObject *environ, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	const struct known_field *known = find_known(name, name_len);
	PyObject *key;
	int result;

	if (known != NULL)
		return (known->rule == FIELD_DROPPED
			    ? 0
			    : add(environ, known->key_object, value, value_len,
				  known->rule));
	/* "X_A" would pass for "X-A", which a proxy in front may vouch for. */
	if (memchr(name, '_', name_len) != NULL)
		return (0);
	key = make_key(name, name_len);
	if (key == NULL)
		return (-1);
	result = add(environ, key, value, value_len, FIELD_PLAIN);
	Py_DECREF(key);
	return (result);
}

/* A chunked body has been decoded, so that its length is known after all. */
static int
add_decoded_length(PyObject *environ, const struct request *req)
{
	PyObject *length = PyUnicode_FromFormat("%zu", req->body_len);
	int result;

	if (length == NULL)
		return (-1);
	result = PyDict_SetItem(environ, key_content_length, length);
	Py_DECREF(length);
	return (result);
}

int
py_field_add_all(PyObject *environ, const struct request *req)
{
	const struct http_field *field = req->head.fields;
	const struct http_field *end = field + req->head.nfields;

	for (; field < end; field++)
		if (add_field(environ, req->text + field->name.offset,
			field->name.len, req->text + field->value.offset,
			field->value.len) == -1)
			return (-1);
	if (req->head.framing == HTTP_BODY_CHUNKED)
		return (add_decoded_length(environ, req));
	return (0);
}
