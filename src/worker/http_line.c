/* http_line - see http_line.h. */
#include "http_line.h"

#include <string.h>

#include "http_char.h"
#include "macros.h"

#define LINES 32

static const char version[] = "HTTP/1.1 ";
#define VERSION_LEN (sizeof(version) - 1)

/* clang-format off */
static const struct {
	const char *name; /* lower case */
	size_t len;       /* in order of it */
	enum http_line_kind kind;
} known[] = {
#define ROW(name, kind) { name, sizeof(name) - 1, HTTP_LINE_##kind }
	ROW("te",				HOP_BY_HOP),
	ROW("date",				DATE),
	ROW("vary",				COMMON),
	ROW("allow",				COMMON),
	ROW("pragma",				COMMON),
	ROW("server",				SERVER),
	ROW("expires",				COMMON),
	ROW("trailer",				HOP_BY_HOP),
	ROW("upgrade",				HOP_BY_HOP),
	ROW("connection",			CONNECTION),
	ROW("keep-alive",			HOP_BY_HOP),
	ROW("content-type",			COMMON),
	ROW("accept-ranges",			COMMON),
	ROW("cache-control",			COMMON),
	ROW("content-length",			LENGTH),
	ROW("referrer-policy",			COMMON),
	ROW("x-frame-options",			COMMON),
	ROW("content-encoding",			COMMON),
	ROW("content-language",			COMMON),
	ROW("proxy-connection",			HOP_BY_HOP),
	ROW("x-xss-protection",			COMMON),
	ROW("transfer-encoding",		HOP_BY_HOP),
	ROW("permissions-policy",		COMMON),
	ROW("x-content-type-options",		COMMON),
	ROW("content-security-policy",		COMMON),
	ROW("strict-transport-security",	COMMON),
	ROW("cross-origin-opener-policy",	COMMON),
	ROW("access-control-allow-origin",	COMMON),
	ROW("access-control-allow-headers",	COMMON),
	ROW("access-control-allow-methods",	COMMON),
	ROW("cross-origin-resource-policy",	COMMON),
#undef ROW
};
/* clang-format on */

static _Thread_local struct http_line lines[LINES];
static _Thread_local struct http_line status_line;

enum http_line_kind
http_line_kind(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < nitems(known) && known[i].len <= len; i++)
		if (known[i].len == len &&
		    http_chars_equal(name, len, known[i].name))
			return (known[i].kind);
	return (HTTP_LINE_PLAIN);
}

/* Lengths tell most lines of one reply apart, the last byte some more. */
static struct http_line *
place_of(size_t name_len, const char *value, size_t value_len)
{
	unsigned char last = (unsigned char)value[value_len - 1];

	return (&lines[(name_len * 5 + value_len + last) % LINES]);
}

const struct http_line *
http_line_find(
    const char *name, size_t name_len, const char *value, size_t value_len)
{
	const struct http_line *line;

	if (value_len == 0)
		return (NULL);
	line = place_of(name_len, value, value_len);
	if (line->len != name_len + value_len + 4 ||
	    line->name_len != name_len ||
	    memcmp(line->text, name, name_len) != 0 ||
	    memcmp(line->text + name_len + 2, value, value_len) != 0)
		return (NULL);
	return (line);
}

static void
keep(struct http_line *place, size_t name_len, const char *line, size_t len)
{
	place->name_len = (uint8_t)name_len;
	place->len = (uint8_t)len;
	memcpy(place->text, line, len);
}

void
http_line_keep(size_t name_len, const char *line, size_t len)
{
	const char *value = line + name_len + 2;
	size_t value_len = len - name_len - 4;

	if (value_len > 0 && len <= sizeof(lines[0].text))
		keep(place_of(name_len, value, value_len), name_len, line, len);
}

const struct http_line *
http_line_find_status(const char *status, size_t len)
{
	if (status_line.len != VERSION_LEN + len + 2 ||
	    memcmp(status_line.text + VERSION_LEN, status, len) != 0)
		return (NULL);
	return (&status_line);
}

void
http_line_keep_status(const char *line, size_t len)
{
	if (len <= sizeof(status_line.text))
		keep(&status_line, 0, line, len);
}
