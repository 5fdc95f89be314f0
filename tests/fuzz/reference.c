/* reference - see reference.h. */
#include "reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define FIELDS_MAX 64

bool
reference_is_token(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", text[i]) != NULL)
			return (false);
	return (len > 0);
}

bool
reference_equals(const char *text, size_t len, const char *word)
{
	size_t i;

	for (i = 0; i < len && word[i] != '\0'; i++)
		if (tolower((unsigned char)text[i]) != word[i])
			return (false);
	return (i == len && word[i] == '\0');
}

static bool
is_field_text(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') ||
		    text[i] == 0x7f)
			return (false);
	return (true);
}

/* Length of the line at text without its CR LF; both have to be there. */
static size_t
line_length(const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n", 2);

	return (end == NULL ? REFERENCE_NONE : (size_t)(end - text));
}

static bool
split_field(const char *text, size_t at, size_t len, struct reference_field *f)
{
	const char *colon = memchr(text + at, ':', len);
	size_t start, end = at + len;

	if (colon == NULL)
		return (false);
	start = (size_t)(colon - text) + 1;
	while (start < end && (text[start] == ' ' || text[start] == '\t'))
		start++;
	while (end > start && (text[end - 1] == ' ' || text[end - 1] == '\t'))
		end--;
	f->name = at;
	f->name_len = (size_t)(colon - text) - at;
	f->value = start;
	f->value_len = end - start;
	return (reference_is_token(text + at, f->name_len) &&
		is_field_text(text + start, f->value_len));
}

size_t
reference_fields(const char *text, size_t len, size_t at,
    struct reference_field *fields, size_t max, size_t *n)
{
	struct reference_field field;
	size_t line;

	*n = 0;
	while ((line = line_length(text + at, len - at)) != REFERENCE_NONE) {
		if (line == 0)
			return (at + 2);
		if (!split_field(text, at, line, &field))
			return (REFERENCE_NONE);
		if (*n < max)
			fields[*n] = field;
		++*n;
		at += line + 2;
	}
	return (REFERENCE_NONE);
}

/* ---- chunks ---- */

static size_t
skip_space(const char *text, size_t len, size_t at)
{
	while (at < len && (text[at] == ' ' || text[at] == '\t'))
		at++;
	return (at);
}

static size_t
skip_token(const char *text, size_t len, size_t at)
{
	size_t end = at;

	while (end < len && reference_is_token(text + end, 1))
		end++;
	return (end == at ? REFERENCE_NONE : end);
}

static size_t
skip_quoted(const char *text, size_t len, size_t at)
{
	for (at++; at < len; at++) {
		if (text[at] == '"')
			return (at + 1);
		if (text[at] == '\\' && ++at == len)
			break;
		if (!is_field_text(text + at, 1))
			break;
	}
	return (REFERENCE_NONE);
}

/* RFC 9112 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted ) ] ) */
static bool
are_extensions(const char *text, size_t len, size_t at)
{
	while (at < len) {
		at = skip_space(text, len, at);
		if (at == len || text[at] != ';')
			return (false);
		at = skip_token(text, len, skip_space(text, len, at + 1));
		if (at == REFERENCE_NONE)
			return (false);
		if (skip_space(text, len, at) == len ||
		    text[skip_space(text, len, at)] != '=')
			continue;
		at = skip_space(text, len, skip_space(text, len, at) + 1);
		at = at < len && text[at] == '"' ? skip_quoted(text, len, at)
						 : skip_token(text, len, at);
		if (at == REFERENCE_NONE)
			return (false);
	}
	return (true);
}

/* The line with a chunk's size; its length, without the CR LF. */
static size_t
chunk_size(const char *text, size_t len, size_t *size)
{
	size_t line = line_length(text, len), i;

	if (line == REFERENCE_NONE || line == 0 ||
	    !isxdigit((unsigned char)text[0]))
		return (REFERENCE_NONE);
	*size = 0;
	for (i = 0; i < line && isxdigit((unsigned char)text[i]); i++) {
		if (*size >> 60 != 0)
			return (REFERENCE_NONE);
		*size =
		    *size * 16 + (size_t)(isdigit((unsigned char)text[i])
					      ? text[i] - '0'
					      : tolower(text[i]) - 'a' + 10);
	}
	return (are_extensions(text, line, i) ? line : REFERENCE_NONE);
}

size_t
reference_chunked(const char *text, size_t len, char *body, size_t *body_len)
{
	size_t at = 0, line, size, n;

	*body_len = 0;
	for (;;) {
		line = chunk_size(text + at, len - at, &size);
		if (line == REFERENCE_NONE)
			return (REFERENCE_NONE);
		at += line + 2;
		if (size == 0)
			return (reference_fields(text, len, at, NULL, 0, &n));
		if (len - at < 2 || len - at - 2 < size ||
		    memcmp(text + at + size, "\r\n", 2) != 0)
			return (REFERENCE_NONE);
		memcpy(body + *body_len, text + at, size);
		*body_len += size;
		at += size + 2;
	}
}

/* ---- replies ---- */

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	if (at == NULL)
		return (-1);
	return ((int)(at - digits) - (at - digits > 15 ? 6 : 0));
}

size_t
reference_unescape(char *to, const char *text, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (text[i] == '%' && i + 2 < len &&
		    hex_digit(text[i + 1]) != -1 &&
		    hex_digit(text[i + 2]) != -1) {
			to[n++] = (char)(hex_digit(text[i + 1]) * 16 +
					 hex_digit(text[i + 2]));
			i += 2;
		} else
			to[n++] = text[i];
	return (n);
}

static bool
is_status_line(const char *text, size_t len)
{
	return (len >= 13 && memcmp(text, "HTTP/1.1 ", 9) == 0 &&
		isdigit((unsigned char)text[9]) &&
		isdigit((unsigned char)text[10]) &&
		isdigit((unsigned char)text[11]) && text[12] == ' ' &&
		is_field_text(text, len));
}

/* Notes what the field says of the reply's framing; false: it may not be there. */
static bool
note_field(const char *text, const struct reference_field *f, size_t *length,
    struct reference_reply *r)
{
	const char *name = text + f->name, *value = text + f->value;
	size_t i;

	if (reference_equals(name, f->name_len, "content-length")) {
		if (r->has_length || f->value_len == 0 || f->value_len > 19)
			return (false);
		r->has_length = true;
		for (*length = i = 0; i < f->value_len; i++) {
			if (!isdigit((unsigned char)value[i]))
				return (false);
			*length = *length * 10 + (size_t)(value[i] - '0');
		}
	} else if (reference_equals(name, f->name_len, "transfer-encoding")) {
		if (r->is_chunked ||
		    !reference_equals(value, f->value_len, "chunked"))
			return (false);
		r->is_chunked = true;
	} else if (reference_equals(name, f->name_len, "connection"))
		r->closes |= reference_equals(value, f->value_len, "close");
	return (true);
}

static void
find_end(const char *text, size_t len, size_t length, struct reference_reply *r)
{
	size_t left = len - r->head_len, end;
	char *body;

	if (r->is_chunked) {
		body = malloc(left + 1);
		ASSERT(body != NULL);
		end = reference_chunked(
		    text + r->head_len, left, body, &r->body_len);
		free(body);
		r->is_whole = end != REFERENCE_NONE;
		r->len = r->is_whole ? r->head_len + end : len;
	} else {
		if (!r->has_length)
			length = left;
		r->is_whole = left >= length;
		r->body_len = r->is_whole ? length : left;
		r->len = r->head_len + r->body_len;
	}
}

bool
reference_reply(
    const char *text, size_t len, bool to_head, struct reference_reply *r)
{
	struct reference_field fields[FIELDS_MAX];
	size_t line = line_length(text, len), length = 0, n, i;

	memset(r, 0, sizeof(*r));
	if (line == REFERENCE_NONE || !is_status_line(text, line))
		return (false);
	r->status = atoi(text + 9);
	r->head_len =
	    reference_fields(text, len, line + 2, fields, FIELDS_MAX, &n);
	if (r->head_len == REFERENCE_NONE || n > FIELDS_MAX)
		return (false);
	for (i = 0; i < n; i++)
		if (!note_field(text, &fields[i], &length, r))
			return (false);
	if (r->is_chunked && r->has_length)
		return (false);
	if (to_head || r->status < 200 || r->status == 204 ||
	    r->status == 304) {
		r->is_whole = true;
		r->len = r->head_len;
		/* RFC 9110 8.6, RFC 9112 6.1 */
		return (!r->is_chunked && (r->status != 204 || !r->has_length));
	}
	find_end(text, len, length, r);
	return (true);
}
