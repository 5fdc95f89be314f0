/* log_format - see log_format.h. */
#include "log_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "macros.h"

static const struct {
	const char *name, *text;
} named[] = {
    {"common", "%h %l %u %t \"%r\" %s %b"},
    {"combined", "%h %l %u %t \"%r\" %s %b \"%f\" \"%a\""},
};

static const struct {
	char letter;
	enum log_atom atom;
	const char *field; /* of the request; NULL: none */
} letters[] = {
    {'h', LOG_ADDRESS, NULL},
    {'l', LOG_NOTHING, NULL},
    {'u', LOG_USER, NULL},
    {'t', LOG_DATE, NULL},
    {'r', LOG_REQUEST_LINE, NULL},
    {'m', LOG_METHOD, NULL},
    {'U', LOG_PATH, NULL},
    {'q', LOG_QUERY, NULL},
    {'H', LOG_PROTOCOL, NULL},
    {'s', LOG_STATUS, NULL},
    {'B', LOG_BYTES, NULL},
    {'b', LOG_BYTES_OR_NOTHING, NULL},
    {'f', LOG_REQUEST_FIELD, "referer"},
    {'a', LOG_REQUEST_FIELD, "user-agent"},
    {'T', LOG_SECONDS, NULL},
    {'M', LOG_MILLISECONDS, NULL},
    {'D', LOG_MICROSECONDS, NULL},
    {'L', LOG_DECIMAL_SECONDS, NULL},
    {'p', LOG_PID_BRACKETS, NULL},
    {'X', LOG_CONNECTION, NULL},
};

struct log_name {
	const char *name;
	enum log_atom atom;
	const char *field;
};

/* %{x}g: what this server alone knows. */
static const struct log_name own[] = {
    {"queue", LOG_QUEUE_WAIT, NULL},
    {"worker", LOG_WORKER, NULL},
    {"thread", LOG_THREAD, NULL},
    {"id", LOG_ID, NULL},
    {"reason", LOG_REASON, NULL},
    {"pid", LOG_PID, NULL},
};

/*
 * %{x}e: the environ is the application's, who may have changed it, and it is
 * gone when the line is written; what follows from the request alone is known.
 */
static const struct log_name environ_names[] = {
    {"REQUEST_METHOD", LOG_METHOD, NULL},
    {"RAW_URI", LOG_TARGET, NULL},
    {"QUERY_STRING", LOG_QUERY, NULL},
    {"SERVER_PROTOCOL", LOG_PROTOCOL, NULL},
    {"REMOTE_ADDR", LOG_ADDRESS, NULL},
    {"REMOTE_PORT", LOG_PORT, NULL},
    {"CONTENT_TYPE", LOG_REQUEST_FIELD, "content-type"},
    {"CONTENT_LENGTH", LOG_REQUEST_FIELD, "content-length"},
};

static const char environ_why[] = "the loop does not know the environ: "
				  "REMOTE_ADDR, QUERY_STRING, HTTP_* and such "
				  "can be had";

/* One text on its way into a program. */
struct compiling {
	struct log_format *to;
	char *at; /* in to->text */
	char *why;
};

static int refuse(struct compiling *, const char *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* What is wrong at that place; -1. */
static int
refuse(struct compiling *cc, const char *at, const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(cc->why, LOG_FORMAT_WHY_SIZE,
	    "at character %zu: ", (size_t)(at - cc->to->text) + 1);
	va_start(ap, fmt);
	vsnprintf(cc->why + n, LOG_FORMAT_WHY_SIZE - (size_t)n, fmt, ap);
	va_end(ap);
	return (-1);
}

static void
emit(
    struct compiling *cc, enum log_atom atom, const char *text, size_t text_len)
{
	struct log_op *op = &cc->to->ops[cc->to->nops++];

	op->atom = atom;
	op->text = text;
	op->len = text_len;
	if (atom >= LOG_SECONDS && atom <= LOG_DECIMAL_SECONDS)
		cc->to->is_timed = true;
	if (atom == LOG_QUEUE_WAIT)
		cc->to->is_timed = true;
}

static void
emit_field(struct compiling *cc, enum log_atom atom, const char *name)
{
	emit(cc, atom, name, strlen(name));
}

static int
emit_named(struct compiling *cc, const struct log_name *names, size_t count,
    const char *name)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		emit(cc, names[i].atom, names[i].field,
		    names[i].field != NULL ? strlen(names[i].field) : 0);
		return (0);
	}
	return (-1);
}

/* "HTTP_X_ID" is the field "x-id"; the name is rewritten where it stands. */
static int
emit_environ(struct compiling *cc, char *name)
{
	char *c;

	if (strncmp(name, "HTTP_", 5) == 0 && name[5] != '\0') {
		for (c = name += 5; *c != '\0'; c++) {
			if (*c == '_')
				*c = '-';
			else if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		}
		emit_field(cc, LOG_REQUEST_FIELD, name);
		return (0);
	}
	if (emit_named(cc, environ_names, nitems(environ_names), name) == 0)
		return (0);
	return (refuse(cc, name, "%s", environ_why));
}

static int
check_field_name(struct compiling *cc, char *name)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				    "!#$%&'*+-.^_`|~";
	char *c;

	for (c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (*name != '\0' && name[strspn(name, token)] == '\0')
		return (0);
	return (refuse(cc, name, "\"%s\" is no name of a header", name));
}

/* {name}kind; at stands on the brace. */
static int
compile_braces(struct compiling *cc)
{
	char *open = cc->at, *name = cc->at + 1, *end = strchr(name, '}');

	if (end == NULL)
		return (refuse(cc, open, "{ without }"));
	*end = '\0';
	cc->at = end + 1;
	switch (*cc->at == '\0' ? '\0' : *cc->at++) {
	case 'i':
	case 'o':
		if (check_field_name(cc, name) == -1)
			return (-1);
		emit_field(cc,
		    cc->at[-1] == 'i' ? LOG_REQUEST_FIELD : LOG_RESPONSE_FIELD,
		    name);
		return (0);
	case 'e':
		return (emit_environ(cc, name));
	case 'g':
		if (emit_named(cc, own, nitems(own), name) == 0)
			return (0);
		return (refuse(cc, name,
		    "%%{%s}g is none of queue worker thread id reason pid",
		    name));
	default:
		return (refuse(cc, end + 1,
		    "one of i, o, e and g is wanted behind %%{%s}", name));
	}
}

/* What stands behind "%" or "%("; at stands on it. */
static int
compile_atom(struct compiling *cc)
{
	size_t i;

	if (*cc->at == '{')
		return (compile_braces(cc));
	for (i = 0; i < nitems(letters); i++) {
		if (letters[i].letter != *cc->at)
			continue;
		if (letters[i].field != NULL)
			emit_field(cc, letters[i].atom, letters[i].field);
		else
			emit(cc, letters[i].atom, NULL, 0);
		cc->at++;
		return (0);
	}
	if (*cc->at == '\0')
		return (refuse(cc, cc->at - 1, "%% at the end"));
	return (refuse(cc, cc->at, "there is no %%%c", *cc->at));
}

/* at stands behind the "%". */
static int
compile_percent(struct compiling *cc)
{
	if (*cc->at == '%') {
		emit(cc, LOG_TEXT, cc->at++, 1);
		return (0);
	}
	if (*cc->at == '>') /* as Apache has it in %>s */
		cc->at++;
	if (*cc->at != '(')
		return (compile_atom(cc));
	cc->at++;
	if (compile_atom(cc) == -1)
		return (-1);
	if (cc->at[0] != ')' || cc->at[1] != 's')
		return (refuse(cc, cc->at, "\")s\" is wanted"));
	cc->at += 2;
	return (0);
}

int
log_format_compile(
    struct log_format *to, const char *text, char why[LOG_FORMAT_WHY_SIZE])
{
	struct compiling cc = {.to = to, .at = to->text, .why = why};
	size_t i, len, natoms = 0;

	memset(to, 0, sizeof(*to));
	to->is_json = strcmp(text, "json") == 0;
	to->is_timed = to->is_json;
	for (i = 0; i < nitems(named); i++)
		if (strcmp(text, named[i].name) == 0)
			text = named[i].text;
	if (strlcpy(to->text, text, sizeof(to->text)) >= sizeof(to->text)) {
		strlcpy(why, "too long", LOG_FORMAT_WHY_SIZE);
		return (-1);
	}
	while (!to->is_json && *cc.at != '\0') {
		len = strcspn(cc.at, "%");
		if (len > 0)
			emit(&cc, LOG_TEXT, cc.at, len);
		cc.at += len;
		if (len > 0)
			continue;
		cc.at++;
		if (compile_percent(&cc) == -1)
			return (-1);
		natoms++;
	}
	if (natoms > 0 || to->is_json)
		return (0);
	strlcpy(why,
	    "none of common combined json, nor a format: no atom such as %h",
	    LOG_FORMAT_WHY_SIZE);
	return (-1);
}
