/*
 * http_head - see http_head.h.
 *
 * Two readers look at each head and must agree.  The line scanner here finds
 * the lines, splits the request line and enforces the limits before anything is
 * believed; llhttp then reads the fields and, later, the chunks.  llhttp never
 * sees the request line: it is started behind one of ours, so that any method
 * and any byte above 0x7f in a target reaches the application.  Where the two
 * differ about the end of the head, the message is refused: such differences
 * are what request smuggling is made of.
 */
#include "http_private.h"

#include <string.h>

#include "check.h"
#include "http_char.h"

static int on_field_name(llhttp_t *, const char *, size_t);
static int on_field_value(llhttp_t *, const char *, size_t);
static int on_field_complete(llhttp_t *);
static int on_head_complete(llhttp_t *);
static int on_message_complete(llhttp_t *);

static const llhttp_settings_t callbacks = {
    .on_header_field = on_field_name,
    .on_header_value = on_field_value,
    .on_header_value_complete = on_field_complete,
    .on_headers_complete = on_head_complete,
    .on_body = http_on_body,
    .on_chunk_header = http_on_chunk_header,
    .on_message_complete = on_message_complete,
};

enum http_result
http_bad(struct http_parser *p, int status, const char *reason)
{
	if (p->error.status == 0)
		p->error = (struct http_error){status, reason};
	return (HTTP_BAD);
}

/* llhttp as it is behind a request line of ours; set before main(). */
static llhttp_t behind_line;

__attribute__((constructor)) static void
read_line_once(void)
{
	static const char line[] = "GET / HTTP/1.1\r\n";
	llhttp_errno_t error;

	llhttp_init(&behind_line, HTTP_REQUEST, &callbacks);
	error = llhttp_execute(&behind_line, line, sizeof(line) - 1);
	ASSERT(error == HPE_OK);
}

void
http_parser_init(struct http_parser *p, struct http_head *head,
    const struct http_limits *limits)
{
	memset(p, 0, sizeof(*p));
	memset(head, 0, offsetof(struct http_head, fields));
	p->head = head;
	p->limits = limits;
	p->llhttp = behind_line;
	p->llhttp.data = p;
}

/* ---- lines ---- */

/*
 * Behind the first CR of a line that another byte than LF follows, SIZE_MAX if there
 * is none.  llhttp without its strict mode takes such a CR for the line's end, and
 * others for white space.
 */
static size_t
bare_cr_end(const struct http_parser *p, size_t start, size_t end)
{
	const char *cr;

	/* What was scanned before ends in a CR at most. */
	if (p->scanned > start + 1)
		start = p->scanned - 1;
	cr = end > start ? memchr(p->base + start, '\r', end - start) : NULL;
	if (cr == NULL || (size_t)(cr + 1 - p->base) == end)
		return (SIZE_MAX);
	return ((size_t)(cr + 1 - p->base));
}

/*
 * A line without its LF, or what there is of it: what can be said before it is
 * whole.  On HTTP_BAD *at is the first byte that is one too many.
 */
static enum http_result
check_line(struct http_parser *p, size_t start, size_t end, size_t *at)
{
	const struct http_limits *limits = p->limits;
	bool is_first = p->nlines == 0;
	/* A CR in hand may still turn out to belong to the line's end. */
	size_t stop =
	    start + (is_first ? limits->line : limits->field_size) + 1;
	size_t cr_end = bare_cr_end(p, start, end);

	/* Now: whatever is wrong with the line, a refusal of HEAD has no body
	 * either (RFC 9110 9.3.2). */
	if (is_first)
		p->head->is_head =
		    http_line_is_head(p->base + start, end - start);
	*at = start;
	if (!is_first && end > start &&
	    (p->base[start] == ' ' || p->base[start] == '\t'))
		return (http_bad(p, 400, "folded field (RFC 9112 5.2)"));
	*at = limits->head < stop ? limits->head : stop;
	if (cr_end <= *at) {
		*at = cr_end;
		return (http_bad(p, 400, "bare CR (RFC 9112 2.2)"));
	}
	if (end <= *at)
		return (HTTP_COMPLETE);
	if (limits->head < stop)
		return (http_bad(p, 431, "head over max_head_size"));
	return (is_first
		    ? http_bad(p, 414, "request line over limit_request_line")
		    : http_bad(p, 431, "field over limit_request_field_size"));
}

/* HTTP_COMPLETE: the head ends with this line. */
static enum http_result
take_line(struct http_parser *p, size_t start, size_t end)
{
	if (p->nlines == 0 && end == start) {
		if (++p->blank > HTTP_BLANK_LINES_MAX)
			return (http_bad(p, 400,
			    "empty lines before the request (RFC 9112 2.2)"));
		return (HTTP_INCOMPLETE);
	}
	if (p->nlines == 0) {
		if (http_request_line(p, start, end) == HTTP_BAD)
			return (HTTP_BAD);
		p->fed = end + 2;
	} else if (end == start)
		return (HTTP_COMPLETE);
	else if (p->nlines > p->limits->fields)
		return (
		    http_bad(p, 431, "more than limit_request_fields fields"));
	p->nlines++;
	return (HTTP_INCOMPLETE);
}

/* The line in hand, which has its LF at that place. */
static enum http_result
end_line(struct http_parser *p, size_t newline)
{
	enum http_result result;

	if (newline == p->line_start || p->base[newline - 1] != '\r')
		return (http_bad(p, 400, "bare LF (RFC 9112 2.2)"));
	result = take_line(p, p->line_start, newline - 1);
	if (result != HTTP_BAD && newline >= p->limits->head)
		return (http_bad(p, 431, "head over max_head_size"));
	return (result);
}

/*
 * Goes over the new lines.  *end is the length of the head on HTTP_COMPLETE, and
 * on HTTP_BAD where the byte is with which it is known.
 */
static enum http_result
scan_lines(struct http_parser *p, size_t len, size_t *end)
{
	const char *base = p->base, *newline;
	enum http_result result;

	while ((newline = memchr(base + p->scanned, '\n', len - p->scanned)) !=
	       NULL) {
		if (check_line(p, p->line_start, (size_t)(newline - base),
			end) == HTTP_BAD)
			return (HTTP_BAD);
		*end = (size_t)(newline - base);
		result = end_line(p, *end);
		if (result == HTTP_BAD)
			return (HTTP_BAD);
		p->line_start = p->scanned = *end + 1;
		if (result == HTTP_COMPLETE) {
			*end = p->scanned;
			return (HTTP_COMPLETE);
		}
	}
	if (check_line(p, p->line_start, len, end) == HTTP_BAD)
		return (HTTP_BAD);
	p->scanned = *end = len;
	return (HTTP_INCOMPLETE);
}

/* It looks at fields behind the body as at those before it. */
static const char *
trailer_reason(llhttp_errno_t error)
{
	switch (error) {
	case HPE_INVALID_HEADER_TOKEN:
		return ("malformed trailer (RFC 9112 7.1.2)");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_INVALID_TRANSFER_ENCODING:
		return ("forbidden trailer (RFC 9110 6.5.1)");
	default:
		return (NULL);
	}
}

static const char *
llhttp_reason(const struct http_parser *p, llhttp_errno_t error)
{
	const char *why = p->in_body ? trailer_reason(error) : NULL;

	if (why != NULL)
		return (why);
	switch (error) {
	case HPE_INVALID_HEADER_TOKEN:
		return ("malformed field (RFC 9112 5)");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return (p->has_coding
			    ? "Content-Length and Transfer-Encoding "
			      "(RFC 9112 6.1)"
			    : "more than one Content-Length (RFC 9112 6.3)");
	case HPE_INVALID_CONTENT_LENGTH:
		return ("invalid Content-Length (RFC 9112 6.3)");
	case HPE_INVALID_TRANSFER_ENCODING:
		return ("invalid Transfer-Encoding (RFC 9112 6.1)");
	case HPE_INVALID_CHUNK_SIZE:
		return ("invalid chunk size (RFC 9112 7.1)");
	case HPE_LF_EXPECTED:
	case HPE_CR_EXPECTED:
	case HPE_STRICT:
		return ("line does not end in CR LF (RFC 9112 2.2)");
	default:
		return ("malformed message (RFC 9112)");
	}
}

enum http_result
http_feed(struct http_parser *p, const char *data, size_t len)
{
	llhttp_errno_t error = llhttp_execute(&p->llhttp, data, len);

	if (error == HPE_OK || (error == HPE_PAUSED && p->complete))
		return (HTTP_COMPLETE);
	return (http_bad(p, 400, llhttp_reason(p, error)));
}

/* llhttp's turn, up to there. */
static enum http_result
feed_fields(struct http_parser *p, size_t end)
{
	size_t from = p->fed;

	if (from == 0 || end <= from)
		return (HTTP_COMPLETE);
	p->fed = end;
	return (http_feed(p, p->base + from, end - from));
}

/*
 * Of two mistakes the first one counts, whichever reader finds it: the answer
 * must not depend on how many bytes came at once.
 */
enum http_result
http_parser_head(
    struct http_parser *p, const char *buf, size_t len, size_t *used)
{
	enum http_result result;
	struct http_error error;
	size_t end;

	ASSERT(!p->in_body && p->error.status == 0);
	p->base = buf;
	result = scan_lines(p, len, &end);
	error = p->error;
	p->error.status = 0;
	if (feed_fields(p, end) == HTTP_BAD)
		return (HTTP_BAD);
	p->error = error;
	if (result == HTTP_BAD)
		return (HTTP_BAD);
	/* A second lock: no head is known that gets here, since what could be
	 * read as another end, a bare CR or LF, has been refused. */
	if (p->in_body != (result == HTTP_COMPLETE))
		return (http_bad(p, 400, "unclear end of the head"));
	*used = end;
	return (result);
}

const struct http_field *
http_head_find(const struct http_head *head, const char *base, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < head->nfields; i++)
		if (head->fields[i].name.len == len &&
		    http_chars_equal(
			base + head->fields[i].name.offset, len, name))
			return (&head->fields[i]);
	return (NULL);
}

/* ---- llhttp's callbacks ---- */

/* llhttp lets a field without a name begin with its colon. */
static int
no_name(struct http_parser *p)
{
	http_bad(p, 400, "malformed field name (RFC 9112 5.1)");
	return (-1);
}

static int
on_field_name(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parser *p = llhttp->data;
	struct http_field *field = &p->head->fields[p->head->nfields];

	if (p->in_body)
		return (http_on_trailer_name(p, at, len));
	/* take_line() counts lines that are whole; of the one that is too many
	 * llhttp sees all but its end. */
	if (p->head->nfields == HTTP_FIELDS_MAX) {
		http_bad(p, 431, "more than limit_request_fields fields");
		return (-1);
	}
	if (!p->in_field) {
		p->in_field = true;
		memset(field, 0, sizeof(*field));
		field->name.offset = (uint32_t)(at - p->base);
	}
	field->name.len += (uint32_t)len;
	return (0);
}

static int
on_field_value(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_parser *p = llhttp->data;
	struct http_field *field = &p->head->fields[p->head->nfields];

	if (p->in_body)
		return (http_on_trailer_value(p, at, len));
	if (!p->in_field)
		return (no_name(p));
	if (field->value.offset == 0)
		field->value.offset = (uint32_t)(at - p->base);
	/* Not a sum: what lies between two pieces counts too, and is refused.
	 */
	field->value.len =
	    (uint32_t)((size_t)(at - p->base) + len - field->value.offset);
	return (0);
}

static int
on_field_complete(llhttp_t *llhttp)
{
	struct http_parser *p = llhttp->data;
	struct http_field *field = &p->head->fields[p->head->nfields];
	const char *value;

	if (p->in_body)
		return (http_on_trailer_complete(p));
	if (!p->in_field)
		return (no_name(p));
	p->in_field = false;
	value = p->base + field->value.offset;
	while (field->value.len > 0 && (value[field->value.len - 1] == ' ' ||
					   value[field->value.len - 1] == '\t'))
		field->value.len--;
	if (http_take_field(p, field) == HTTP_BAD)
		return (-1);
	p->head->nfields++;
	return (0);
}

static int
on_head_complete(llhttp_t *llhttp)
{
	struct http_parser *p = llhttp->data;

	/* RFC 9110 7.8: a server may ignore Upgrade; llhttp would stop there.
	 */
	llhttp->upgrade = 0;
	return (http_check_fields(p) == HTTP_BAD ? -1 : 0);
}

static int
on_message_complete(llhttp_t *llhttp)
{
	struct http_parser *p = llhttp->data;

	p->complete = true;
	return (HPE_PAUSED);
}
