/* py_field - see py_field.h. */
#include "py_field.h"

#include <stdbool.h>
#include <string.h>

#include "http_char.h"
#include "macros.h"
#include "py_text.h"

#define KNOWN_LENGTH_MAX 31
#define NAMES            256 /* that are remembered */
#define NAME_MAX_KEPT    47  /* bytes of one */

/* What is particular about a field. */
enum field_rule {
	FIELD_PLAIN,
	FIELD_SECRET, /* or seldom the same twice: its values are not kept */
	FIELD_COOKIE, /* the same; several are joined by "; ": RFC 9113 8.2.3 */
	FIELD_DROPPED
};

/*
 * Transfer-Encoding has been undone.  Proxy would become HTTP_PROXY, which many
 * HTTP clients take for the address of their proxy.  Only the values of fields
 * that stand here as plain are kept: what is not known may be a secret.
 */
/* clang-format off */
static struct known_field {
	const char *name; /* lower case */
	const char *key;
	enum field_rule rule;
	PyObject *key_object;     /* (const) once started */
	struct known_field *next; /* of the same length */
	struct py_text_cache values; /* (GIL) */
} known_fields[] = {
#define ROW(name, key, rule) { name, key, rule, NULL, NULL, {{{NULL, NULL, 0}}} }
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
	ROW("authorization",		"HTTP_AUTHORIZATION",	FIELD_SECRET),
	ROW("proxy-authorization",	"HTTP_PROXY_AUTHORIZATION", FIELD_SECRET),
	ROW("cache-control",		"HTTP_CACHE_CONTROL",	FIELD_PLAIN),
	ROW("pragma",			"HTTP_PRAGMA",		FIELD_PLAIN),
	ROW("referer",			"HTTP_REFERER",		FIELD_SECRET),
	ROW("origin",			"HTTP_ORIGIN",		FIELD_PLAIN),
	ROW("range",			"HTTP_RANGE",		FIELD_SECRET),
	ROW("expect",			"HTTP_EXPECT",		FIELD_PLAIN),
	ROW("if-none-match",		"HTTP_IF_NONE_MATCH",	FIELD_SECRET),
	ROW("if-modified-since",	"HTTP_IF_MODIFIED_SINCE", FIELD_SECRET),
	ROW("upgrade-insecure-requests",
	    "HTTP_UPGRADE_INSECURE_REQUESTS",			FIELD_PLAIN),
	ROW("forwarded",		"HTTP_FORWARDED",	FIELD_PLAIN),
	ROW("x-forwarded-for",		"HTTP_X_FORWARDED_FOR",	FIELD_PLAIN),
	ROW("x-forwarded-host",		"HTTP_X_FORWARDED_HOST", FIELD_PLAIN),
	ROW("x-forwarded-proto",	"HTTP_X_FORWARDED_PROTO", FIELD_PLAIN),
	ROW("x-real-ip",		"HTTP_X_REAL_IP",	FIELD_PLAIN),
	ROW("x-request-id",		"HTTP_X_REQUEST_ID",	FIELD_SECRET),
	ROW("x-requested-with",		"HTTP_X_REQUESTED_WITH", FIELD_PLAIN),
	ROW("x-csrftoken",		"HTTP_X_CSRFTOKEN",	FIELD_SECRET),
	ROW("sec-fetch-dest",		"HTTP_SEC_FETCH_DEST",	FIELD_PLAIN),
	ROW("sec-fetch-mode",		"HTTP_SEC_FETCH_MODE",	FIELD_PLAIN),
	ROW("sec-fetch-site",		"HTTP_SEC_FETCH_SITE",	FIELD_PLAIN),
	ROW("sec-fetch-user",		"HTTP_SEC_FETCH_USER",	FIELD_PLAIN),
	ROW("sec-ch-ua",		"HTTP_SEC_CH_UA",	FIELD_PLAIN),
	ROW("sec-ch-ua-mobile",		"HTTP_SEC_CH_UA_MOBILE", FIELD_PLAIN),
	ROW("sec-ch-ua-platform",	"HTTP_SEC_CH_UA_PLATFORM", FIELD_PLAIN),
	ROW("dnt",			"HTTP_DNT",		FIELD_PLAIN),
	ROW("priority",			"HTTP_PRIORITY",	FIELD_PLAIN),
#undef ROW
};
/* clang-format on */

static struct known_field *by_length[KNOWN_LENGTH_MAX + 1]; /* (const) */
static PyObject *key_content_length;                        /* (const) */
static const struct proxy_rules *proxy_rules;               /* (const) */

/*
 * What is known of a field's name, found by its bytes as they were sent.  The
 * keys of unknown names are not interned: some versions of Python never let go
 * of an interned str, and clients may send any number of names.
 */
struct field_name {
	PyObject *key;                /* NULL: the field is dropped */
	struct py_text_cache *values; /* NULL: not kept */
	enum field_rule rule;
	unsigned what; /* proxy_rules_field() */
	uint8_t len;   /* 0: empty */
	char text[NAME_MAX_KEPT];
};

/* (GIL) Nothing that is done with an entry in hand lets go of the GIL. */
static struct field_name names[NAMES];

int
py_field_start(const struct proxy_rules *rules)
{
	struct known_field *known;
	size_t i, len;

	proxy_rules = rules;
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

static struct known_field *
find_known(const char *name, size_t len)
{
	struct known_field *known = NULL;

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

/* ---- from a name to its key ---- */

/* made->key is the caller's then.  -1 with an exception. */
static int
name_make(struct field_name *made, const char *name, size_t len)
{
	struct known_field *known = find_known(name, len);

	made->values = NULL;
	made->rule = known != NULL ? known->rule : FIELD_SECRET;
	made->key = NULL;
	made->what = proxy_rules_field(proxy_rules, name, len);
	/* "X_A" would pass for "X-A", which a proxy in front may vouch for. */
	if (made->what & PROXY_FIELD_DROPPED)
		made->rule = FIELD_DROPPED;
	if (made->rule == FIELD_DROPPED)
		return (0);
	if (made->rule == FIELD_PLAIN)
		made->values = &known->values;
	made->key =
	    known != NULL ? Py_NewRef(known->key_object) : make_key(name, len);
	return (made->key != NULL ? 0 : -1);
}

/* The ends of names differ most. */
static size_t
name_hash(const char *name, size_t len)
{
	uint32_t hash = (uint32_t)len;

	hash = hash * 31 + (unsigned char)name[0];
	hash = hash * 31 + (unsigned char)name[len / 2];
	hash = hash * 31 + (unsigned char)name[len * 3 / 4];
	hash = hash * 31 + (unsigned char)name[len - 1];
	return ((hash * 2654435769u) >> 24);
}
_Static_assert(NAMES == 256, "name_hash() gives eight bits");

static bool
name_is(const struct field_name *known, const char *name, size_t len)
{
	return (known->len == len && memcmp(known->text, name, len) == 0);
}

/*
 * Each name has two places.  A new one takes the first, and what was there
 * moves to the second.  NULL with an exception; where the name is too long to
 * be kept, it is unkept that is returned, and the caller lets go of its key.
 */
static const struct field_name *
name_find(const char *name, size_t len, struct field_name *unkept)
{
	size_t at = name_hash(name, len);
	struct field_name *first = &names[at], *second = &names[at ^ 1];

	if (name_is(first, name, len))
		return (first);
	if (name_is(second, name, len))
		return (second);
	if (name_make(unkept, name, len) == -1)
		return (NULL);
	if (len > NAME_MAX_KEPT)
		return (unkept);
	Py_XDECREF(second->key);
	*second = *first;
	*first = *unkept;
	first->len = (uint8_t)len;
	memcpy(first->text, name, len);
	return (first);
}

/* ---- from fields to variables ---- */

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
add(PyObject *environ, const struct field_name *name, const char *text,
    size_t len)
{
	Py_ssize_t size = PyDict_GET_SIZE(environ);
	PyObject *value, *there;
	int result = 0;

	value = py_text_get(name->values, text, len);
	if (value == NULL)
		return (-1);
	there = PyDict_SetDefault(environ, name->key, value);
	if (there == NULL)
		result = -1;
	else if (PyDict_GET_SIZE(environ) == size)
		result = join(environ, name->key, there, value, name->rule);
	Py_DECREF(value);
	return (result);
}

static int
add_field(PyObject *environ, const struct request *req,
    const struct http_field *field)
{
	const char *text = req->text;
	struct field_name unkept;
	const struct field_name *name =
	    name_find(text + field->name.offset, field->name.len, &unkept);
	int result = 0;

	if (name == NULL)
		return (-1);
	if (name->rule != FIELD_DROPPED && !(name->what & req->hidden))
		result = add(environ, name, text + field->value.offset,
		    field->value.len);
	if (name == &unkept)
		Py_XDECREF(unkept.key);
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
		if (add_field(environ, req, field) == -1)
			return (-1);
	if (req->head.framing == HTTP_BODY_CHUNKED)
		return (add_decoded_length(environ, req));
	return (0);
}
