/* http_extension - see http_extension.h. */
#include "http_extension.h"

#include "http_char.h"

#define AT(where) HTTP_EXTENSION_##where

/* Behind something that is whole. */
static enum http_extension
next_extension(char c)
{
	switch (c) {
	case '\r':
		return (AT(OVER));
	case ';':
		return (AT(NAME_DUE));
	case ' ':
	case '\t':
		return (AT(GAP));
	default:
		return (AT(BAD));
	}
}

/* Behind white space: that is no place to end. */
static enum http_extension
after_gap(enum http_extension gap, char c)
{
	if (c == ' ' || c == '\t')
		return (gap);
	if (c == '=' && gap == AT(NAME_GAP))
		return (AT(VALUE_DUE));
	return (c == ';' ? AT(NAME_DUE) : AT(BAD));
}

/* Where a token has to begin. */
static enum http_extension
first_of(enum http_extension due, enum http_extension token, char c)
{
	if (c == ' ' || c == '\t')
		return (due);
	return (http_char_is(c, HTTP_CHAR_TOKEN) ? token : AT(BAD));
}

static enum http_extension
in_name(char c)
{
	if (http_char_is(c, HTTP_CHAR_TOKEN))
		return (AT(NAME));
	if (c == '=')
		return (AT(VALUE_DUE));
	return (c == ' ' || c == '\t' ? AT(NAME_GAP) : next_extension(c));
}

/* RFC 9110 5.6.4. */
static enum http_extension
in_quotes(enum http_extension at, char c)
{
	if (!http_char_is(c, HTTP_CHAR_VALUE))
		return (AT(BAD));
	if (at == AT(ESCAPED))
		return (AT(QUOTED));
	if (c == '\\')
		return (AT(ESCAPED));
	return (c == '"' ? AT(CLOSED) : AT(QUOTED));
}

enum http_extension
http_extension_next(enum http_extension at, char c)
{
	switch (at) {
	case AT(NONE):
	case AT(CLOSED):
		return (next_extension(c));
	case AT(GAP):
	case AT(NAME_GAP):
		return (after_gap(at, c));
	case AT(NAME_DUE):
		return (first_of(at, AT(NAME), c));
	case AT(NAME):
		return (in_name(c));
	case AT(VALUE_DUE):
		return (c == '"' ? AT(QUOTED) : first_of(at, AT(VALUE), c));
	case AT(VALUE):
		return (
		    http_char_is(c, HTTP_CHAR_TOKEN) ? at : next_extension(c));
	case AT(QUOTED):
	case AT(ESCAPED):
		return (in_quotes(at, c));
	case AT(OVER):
	case AT(BAD):
		break;
	}
	return (AT(BAD));
}
