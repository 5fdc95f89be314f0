/*
 * http_chunked - a chunked body and its trailers: see http_private.h.
 *
 * llhttp reads it, in pieces that we cut at the ends of its lines: what it lets
 * pass in them (a bare LF, a folded trailer) is refused here.  It never sees the
 * extensions of a chunk, which it reads otherwise than RFC 9112 has them.
 */
#include "http_private.h"

#include <string.h>

#include "check.h"
#include "http_char.h"

/* A chunk's size in hexadecimal, CR and LF: what each chunk needs. */
#define SIZE_LINE_MAX 18

/*
 * The framing beyond that, extensions, trailers and idle zeros, is bounded for the
 * whole body like a head: how many of the next len bytes may still come.
 */
static size_t
count_framing(struct http_parser *p, size_t len)
{
	size_t free = 0, extra, left = p->limits->head - p->extra;

	if (!p->in_trailers && p->line_len < SIZE_LINE_MAX)
		free = SIZE_LINE_MAX - p->line_len;
	extra = len > free ? len - free : 0;
	if (extra > left) {
		len -= extra - left;
		extra = left;
	}
	p->line_len += len;
	p->extra += extra;
	return (len);
}

/* ---- trailers ---- */

static const char malformed[] = "malformed trailer (RFC 9112 7.1.2)";

int
http_on_trailer_name(struct http_parser *p, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && p->trailer_len < sizeof(p->trailer); i++)
		p->trailer[p->trailer_len++] = text[i];
	/* A second lock: an llhttp that was not compiled to be strict takes a
	 * space within a name. */
	if (http_chars_are(text, len, HTTP_CHAR_TOKEN))
		return (0);
	http_bad(p, 400, malformed);
	return (-1);
}

int
http_on_trailer_value(struct http_parser *p, const char *text, size_t len)
{
	/* A second lock, as in http_take_field(). */
	if (http_chars_are(text, len, HTTP_CHAR_VALUE))
		return (0);
	http_bad(p, 400, malformed);
	return (-1);
}

int
http_on_trailer_complete(struct http_parser *p)
{
	size_t len = p->trailer_len;

	p->trailer_len = 0;
	if (len == 0) /* as in no_name() of http_head.c */
		http_bad(p, 400, malformed);
	else if (http_is_forbidden_trailer(p->trailer, len))
		http_bad(p, 400, "forbidden trailer (RFC 9110 6.5.1)");
	return (p->error.status != 0 ? -1 : 0);
}

/* ---- chunks: llhttp's callbacks ---- */

/* The line with a chunk's size is over, and its data begin. */
int
http_on_chunk_header(llhttp_t *llhttp)
{
	struct http_parser *p = llhttp->data;

	p->chunk_left = llhttp->content_length;
	p->in_trailers = p->chunk_left == 0;
	if (p->chunk_left <= p->limits->body - p->body_len)
		return (0);
	http_bad(p, 413, "body over max_body_size");
	return (-1);
}

int
http_on_body(llhttp_t *llhttp, const char *data, size_t len)
{
	struct http_parser *p = llhttp->data;

	p->body_len += len;
	return (p->on_body(p->on_body_arg, data, len));
}

/* ---- lines ---- */

/*
 * NULL, or what a line is that begins with this byte.  An llhttp that was not
 * compiled to be strict skips any two bytes behind a chunk's data.
 */
static const char *
bad_start(const struct http_parser *p, char c)
{
	if (p->at_data_end && c != '\r' && c != '\n')
		return ("chunk is longer than its size (RFC 9112 7.1)");
	if (c != ' ' && c != '\t')
		return (NULL);
	return (p->in_trailers ? "folded trailer (RFC 9112 5.2)"
			       : "invalid chunk size (RFC 9112 7.1)");
}

/*
 * So many of a line's new bytes are lines as RFC 9112 has them; *why: what the next
 * one is, if there is one more.  len is not 0; LF is the last or not among them.
 */
static size_t
sound_len(
    const struct http_parser *p, const char *line, size_t len, const char **why)
{
	bool at_start = p->last == '\0' || p->last == '\n';
	char before = len > 1 ? line[len - 2] : p->last;
	const char *cr;

	*why = at_start ? bad_start(p, line[0]) : NULL;
	if (*why != NULL)
		return (0);
	*why = "bare CR (RFC 9112 2.2)";
	if (p->last == '\r' && line[0] != '\n')
		return (0);
	cr = memchr(line, '\r', len - 1);
	if (cr != NULL && cr[1] != '\n')
		return ((size_t)(cr - line) + 1);
	*why = "bare LF (RFC 9112 2.2)";
	return (line[len - 1] == '\n' && before != '\r' ? len - 1 : len);
}

/*
 * A piece of the line with a chunk's size, which ends with its LF or before:
 * its digits and its end for llhttp, what is between for http_extension.
 */
static enum http_result
feed_size(struct http_parser *p, const char *line, size_t len)
{
	size_t digits = 0, at, end = len;

	while (p->extension == HTTP_EXTENSION_NONE && digits < len &&
	       line[digits] != ';' && line[digits] != ' ' &&
	       line[digits] != '\t' && line[digits] != '\r')
		digits++;
	if (p->extension == HTTP_EXTENSION_OVER)
		end = 0;
	for (at = digits; at < end; at++) {
		p->extension = http_extension_next(p->extension, line[at]);
		if (p->extension == HTTP_EXTENSION_BAD)
			return (http_bad(p, 400,
			    "malformed chunk extension (RFC 9112 7.1.1)"));
		if (p->extension == HTTP_EXTENSION_OVER)
			end = at;
	}
	if (end == digits)
		return (http_feed(p, line, len));
	if (digits > 0 && http_feed(p, line, digits) == HTTP_BAD)
		return (HTTP_BAD);
	return (
	    end < len ? http_feed(p, line + end, len - end) : HTTP_COMPLETE);
}

/* The next line, or what there is of it. */
static enum http_result
feed_line(struct http_parser *p, const char *data, size_t len, size_t *piece)
{
	const char *newline = memchr(data, '\n', len), *why;
	bool is_size = !p->at_data_end && !p->in_trailers;
	size_t room, sound;

	*piece = newline != NULL ? (size_t)(newline - data) + 1 : len;
	room = count_framing(p, *piece);
	sound = sound_len(p, data, *piece, &why);
	p->last = data[*piece - 1];
	/* Of mistakes the first one counts: http_parser_head(). */
	if ((is_size ? feed_size : http_feed)(
		p, data, sound < room ? sound : room) == HTTP_BAD)
		return (HTTP_BAD);
	if (room < *piece && room <= sound)
		return (http_bad(p, 431,
		    "chunk extensions and trailers over max_head_size"));
	if (sound < *piece)
		return (http_bad(p, 400, why));
	if (newline != NULL) {
		p->line_len = 0;
		p->at_data_end = false;
		p->extension = HTTP_EXTENSION_NONE;
	}
	return (HTTP_COMPLETE);
}

static enum http_result
feed_data(struct http_parser *p, const char *data, size_t len, size_t *piece)
{
	*piece = len < p->chunk_left ? len : (size_t)p->chunk_left;
	p->chunk_left -= *piece;
	p->at_data_end = true;
	return (http_feed(p, data, *piece));
}

enum http_result
http_parser_chunked(struct http_parser *p, const char *data, size_t len,
    size_t *used, http_body_fn *on_body, void *arg)
{
	size_t at = 0, piece;

	ASSERT(p->in_body && !p->complete && p->error.status == 0);
	p->base = data;
	p->on_body = on_body;
	p->on_body_arg = arg;
	for (; at < len && !p->complete; at += piece)
		if ((p->chunk_left > 0 ? feed_data : feed_line)(
			p, data + at, len - at, &piece) == HTTP_BAD)
			return (HTTP_BAD);
	*used = at;
	return (p->complete ? HTTP_COMPLETE : HTTP_INCOMPLETE);
}
