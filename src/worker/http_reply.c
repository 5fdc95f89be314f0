/* http_reply - see http_reply.h. */
#include "http_reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "http_char.h"
#include "http_date.h"
#include "http_line.h"
#include "macros.h"

#define SIZE_FIRST 512   /* enough for most heads */
#define SIZE_KEPT  16384 /* a longer one is not kept for the next reply */

#define DECIMAL_SIZE 20 /* digits of the largest 64-bit number */

/* clang-format off */
static const struct { int status; const char *phrase; } phrases[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};
/* clang-format on */

static int refuse(const char **why, const char *reason);
static int out_of_memory(const char **why);
static int add(struct http_reply *, const void *data, size_t len);
static int add_string(struct http_reply *, const char *);
static int add_field(struct http_reply *, const char *name, size_t name_len,
    const char *value, size_t value_len);
static size_t format_decimal(char buf[DECIMAL_SIZE], uint64_t);
static char *make_room(struct http_reply *, size_t len);

void
http_reply_init(struct http_reply *r)
{
	*r = (struct http_reply){.length = -1};
}

void
http_reply_fini(struct http_reply *r)
{
	free(r->text);
	http_reply_init(r);
}

void
http_reply_reset(struct http_reply *r)
{
	char *text = r->text;
	size_t size = r->size;

	if (size > SIZE_KEPT) {
		free(text);
		text = NULL;
		size = 0;
	}
	http_reply_init(r);
	r->text = text;
	r->size = size;
}

/* ---- what the application gives ---- */

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

/* NULL where the status is a good one, else why it is not. */
static const char *
status_fault(const char *status, size_t len)
{
	size_t i;

	if (len < 4 || !is_digit(status[0]) || !is_digit(status[1]) ||
	    !is_digit(status[2]) || status[3] != ' ')
		return ("the status is not three digits, a space and a phrase");
	if (status[0] == '1')
		return ("the status is not a final one");
	if (status[0] == '0')
		return ("the status is not between 200 and 999");
	for (i = 4; i < len; i++)
		if (!http_char_is(status[i], HTTP_CHAR_VALUE) ||
		    status[i] == '\t')
			return ("the status has a control character");
	return (NULL);
}

static int
add_status(struct http_reply *r, const char *status, size_t len)
{
	const struct http_line *line = http_line_find_status(status, len);

	if (line != NULL)
		return (add(r, line->text, line->len));
	if (add_string(r, "HTTP/1.1 ") == -1 || add(r, status, len) == -1 ||
	    add_string(r, "\r\n") == -1)
		return (-1);
	http_line_keep_status(r->text, r->len);
	return (0);
}

int
http_reply_status(
    struct http_reply *r, const char *status, size_t len, const char **why)
{
	const char *fault = NULL;

	if (http_line_find_status(status, len) == NULL)
		fault = status_fault(status, len);
	if (fault != NULL)
		return (refuse(why, fault));
	http_reply_reset(r);
	if (add_status(r, status, len) == -1)
		return (out_of_memory(why));
	r->status = (status[0] - '0') * 100 + (status[1] - '0') * 10 +
		    (status[2] - '0');
	return (0);
}

/*
 * White space around a value is no part of it (RFC 9110 5.5): every recipient
 * drops it, so to refuse it would fail applications to no one's gain.
 */
static void
trim(const char **text, size_t *len)
{
	const char *p = *text, *end = p + *len;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*text = p;
	*len = (size_t)(end - p);
}

/* Content-Length is kept as a number and written by http_reply_finish(). */
static int
set_length(
    struct http_reply *r, const char *value, size_t len, const char **why)
{
	int64_t length = 0;
	size_t i;

	if (r->length != -1)
		return (refuse(why, "Content-Length is given twice"));
	if (len == 0)
		return (refuse(why, "Content-Length is empty"));
	for (i = 0; i < len; i++) {
		if (!is_digit(value[i]))
			return (refuse(why, "Content-Length is not a number"));
		if (length > (INT64_MAX - (value[i] - '0')) / 10)
			return (refuse(why, "Content-Length is too large"));
		length = length * 10 + (value[i] - '0');
	}
	r->length = length;
	return (0);
}

/* Of the list only "close" is for the application to say. */
static int
set_connection(struct http_reply *r, const char *value, size_t len)
{
	const char *option;
	size_t at = 0, option_len;
	int dropped = 1;

	while (http_list_next(value, len, &at, &option, &option_len))
		if (http_chars_equal(option, option_len, "close")) {
			r->wants_close = true;
			dropped = 0;
		}
	return (dropped);
}

static int
add_checked(struct http_reply *r, const char *name, size_t name_len,
    const char *value, size_t value_len, bool common)
{
	size_t before = r->len;

	if (add_field(r, name, name_len, value, value_len) == -1)
		return (-1);
	if (common)
		http_line_keep(name_len, r->text + before, r->len - before);
	return (0);
}

static int
put_field(struct http_reply *r, const char *name, size_t name_len,
    const char *value, size_t value_len, const char **why)
{
	enum http_line_kind kind = http_line_kind(name, name_len);

	switch (kind) {
	case HTTP_LINE_LENGTH:
		return (set_length(r, value, value_len, why));
	case HTTP_LINE_CONNECTION:
		return (set_connection(r, value, value_len));
	case HTTP_LINE_HOP_BY_HOP:
		return (1);
	case HTTP_LINE_DATE:
		r->has_date = true;
		break;
	case HTTP_LINE_SERVER:
		r->has_server = true;
		break;
	case HTTP_LINE_COMMON:
	case HTTP_LINE_PLAIN:
		break;
	}
	if (add_checked(r, name, name_len, value, value_len,
		kind == HTTP_LINE_COMMON) == -1)
		return (out_of_memory(why));
	return (0);
}

int
http_reply_field(struct http_reply *r, const char *name, size_t name_len,
    const char *value, size_t value_len, const char **why)
{
	const struct http_line *line;

	/* The one that nearly all have, as they write it. */
	if (name_len == 14 && memcmp(name, "Content-Length", 14) == 0) {
		trim(&value, &value_len);
		return (set_length(r, value, value_len, why));
	}
	line = http_line_find(name, name_len, value, value_len);
	if (line != NULL)
		return (add(r, line->text, line->len) == 0
			    ? 0
			    : out_of_memory(why));
	if (name_len == 0 || !http_chars_are(name, name_len, HTTP_CHAR_TOKEN))
		return (refuse(why, "the name of a field is not a token"));
	if (!http_chars_are(value, value_len, HTTP_CHAR_VALUE))
		return (refuse(
		    why, "the value of a field has a control character"));
	trim(&value, &value_len);
	return (put_field(r, name, name_len, value, value_len, why));
}

static int
refuse(const char **why, const char *reason)
{
	*why = reason;
	errno = EINVAL;
	return (-1);
}

static int
out_of_memory(const char **why)
{
	*why = "out of memory";
	errno = ENOMEM;
	return (-1);
}

/* ---- what the server adds ---- */

/*
 * RFC 9112 6.3.  Where no body may follow, Content-Length says what GET would
 * have brought (RFC 9110 8.6), and that only the application knows: to HEAD and
 * for 304 many return an empty body, so 0 is not believed.  205 has no content
 * either, but says so as any other status does: RFC 9110 15.3.6.
 */
static void
choose_framing(struct http_reply *r, const struct http_reply_context *context,
    int64_t known_length)
{
	if (r->status == 204) {
		r->framing = HTTP_REPLY_NO_BODY;
		r->length = -1;
	} else if (r->status == 205) {
		r->framing = HTTP_REPLY_NO_BODY;
		r->length = 0;
	} else if (r->status == 304) {
		r->framing = HTTP_REPLY_NO_BODY;
	} else if (context->is_head) {
		r->framing = HTTP_REPLY_NO_BODY;
		if (r->length == -1 && known_length > 0)
			r->length = known_length;
	} else if (r->length != -1 || known_length != -1) {
		r->framing = HTTP_REPLY_LENGTH;
		if (r->length == -1)
			r->length = known_length;
	} else
		r->framing =
		    context->is_http10 ? HTTP_REPLY_CLOSE : HTTP_REPLY_CHUNKED;
}

/* The most that the server adds, but for the name of the server. */
#define ADDED_MAX                                                         \
	(sizeof("Date: \r\n") + HTTP_DATE_SIZE + sizeof("Server: \r\n") + \
	    sizeof("Transfer-Encoding: chunked\r\n") + DECIMAL_SIZE +     \
	    sizeof("Connection: keep-alive\r\n") + sizeof("\r\n"))

/* Where there is room for it. */
#define put_constant(p, text) mempcpy(p, text, sizeof(text) - 1)

static char *
put_date(char *p, const struct http_reply *r, time_t now)
{
	if (r->has_date)
		return (p);
	p = put_constant(p, "Date: ");
	p = mempcpy(p, http_date_of_thread(now), HTTP_DATE_SIZE - 1);
	return (put_constant(p, "\r\n"));
}

static char *
put_server(char *p, const struct http_reply *r, const char *server, size_t len)
{
	if (r->has_server || len == 0)
		return (p);
	p = put_constant(p, "Server: ");
	p = mempcpy(p, server, len);
	return (put_constant(p, "\r\n"));
}

static char *
put_framing(char *p, const struct http_reply *r)
{
	if (r->framing == HTTP_REPLY_CHUNKED)
		return (put_constant(p, "Transfer-Encoding: chunked\r\n"));
	if (r->length == -1)
		return (p);
	p = put_constant(p, "Content-Length: ");
	p += format_decimal(p, (uint64_t)r->length);
	return (put_constant(p, "\r\n"));
}

/* The status line says 1.1, for which staying is the rule: RFC 9112 9.3. */
static char *
put_connection(char *p, const struct http_reply *r, bool is_http10)
{
	if (!r->keep_alive)
		return (put_constant(p, "Connection: close\r\n"));
	if (is_http10)
		return (put_constant(p, "Connection: keep-alive\r\n"));
	return (p);
}

int
http_reply_finish(struct http_reply *r,
    const struct http_reply_context *context, int64_t known_length)
{
	size_t server_len = strlen(context->server);
	char *p;

	ASSERT(r->status != 0);
	choose_framing(r, context, known_length);
	r->keep_alive = context->keep_alive && !r->wants_close &&
			r->framing != HTTP_REPLY_CLOSE;
	p = make_room(r, ADDED_MAX + server_len);
	if (p == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	p = put_date(p, r, context->now);
	p = put_server(p, r, context->server, server_len);
	p = put_framing(p, r);
	p = put_connection(p, r, context->is_http10);
	p = put_constant(p, "\r\n");
	r->len = (size_t)(p - r->text);
	return (0);
}

int
http_reply_error(struct http_reply *r, const struct http_reply_context *context,
    int status, const char *extra)
{
	char line[64]; /* "400 Bad Request\n", also the body */
	const char *why;
	size_t len;

	len = (size_t)snprintf(
	    line, sizeof(line), "%d %s\n", status, http_reply_phrase(status));
	ASSERT(len < sizeof(line));
	if (http_reply_status(r, line, len - 1, &why) == -1)
		return (-1);
	if (add_string(r, "Content-Type: text/plain\r\n") == -1 ||
	    (extra != NULL && add_string(r, extra) == -1) ||
	    http_reply_finish(r, context, (int64_t)len) == -1 ||
	    (r->framing == HTTP_REPLY_LENGTH && add(r, line, len) == -1)) {
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

const char *
http_reply_phrase(int status)
{
	size_t i;

	for (i = 0; i < nitems(phrases); i++)
		if (phrases[i].status == status)
			return (phrases[i].phrase);
	return ("Unknown");
}

/* ---- text ---- */

static size_t
format_decimal(char buf[DECIMAL_SIZE], uint64_t value)
{
	char digits[DECIMAL_SIZE];
	size_t at = DECIMAL_SIZE;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	memcpy(buf, digits + at, DECIMAL_SIZE - at);
	return (DECIMAL_SIZE - at);
}

/* Returns where len more bytes may be written, or NULL. */
static char *
make_room(struct http_reply *r, size_t len)
{
	size_t size = r->size != 0 ? r->size : SIZE_FIRST;
	char *text;

	if (r->text != NULL && len <= r->size - r->len)
		return (r->text + r->len);
	if (len > SIZE_MAX / 2 - r->len)
		return (NULL);
	while (size < r->len + len)
		size *= 2;
	text = realloc(r->text, size);
	if (text == NULL)
		return (NULL);
	r->text = text;
	r->size = size;
	return (text + r->len);
}

static int
add(struct http_reply *r, const void *data, size_t len)
{
	char *p = make_room(r, len);

	if (p == NULL)
		return (-1);
	memcpy(p, data, len);
	r->len += len;
	return (0);
}

static int
add_string(struct http_reply *r, const char *s)
{
	return (add(r, s, strlen(s)));
}

/* "name: value\r\n" */
static int
add_field(struct http_reply *r, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	char *p;

	if (value_len > SIZE_MAX / 4 || name_len > SIZE_MAX / 4)
		return (-1);
	p = make_room(r, name_len + value_len + 4);
	if (p == NULL)
		return (-1);
	p = mempcpy(p, name, name_len);
	p = mempcpy(p, ": ", 2);
	p = mempcpy(p, value, value_len);
	memcpy(p, "\r\n", 2);
	r->len += name_len + value_len + 4;
	return (0);
}
