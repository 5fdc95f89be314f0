/* http_field - what fields mean for the message: see http_private.h. */
#include "http_private.h"

#include "http_char.h"
#include "http_host.h"
#include "macros.h"

static enum http_result
take_host(struct http_parser *p, const char *value, size_t len)
{
	if (p->has_host)
		return (http_bad(p, 400, "more than one Host (RFC 9112 3.2)"));
	p->has_host = true;
	/* Empty where the target has no host: RFC 9112 3.2. */
	if (len > 0 && !http_host_is_valid(value, len))
		return (http_bad(p, 400, "invalid Host (RFC 9112 3.2)"));
	return (HTTP_COMPLETE);
}

static enum http_result
take_content_length(struct http_parser *p, const char *value, size_t len)
{
	uint64_t length = 0;
	size_t i;

	if (p->has_length)
		return (http_bad(
		    p, 400, "more than one Content-Length (RFC 9112 6.3)"));
	p->has_length = true;
	if (len == 0 || len > 19)
		return (
		    http_bad(p, 400, "invalid Content-Length (RFC 9112 6.3)"));
	for (i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return (http_bad(
			    p, 400, "invalid Content-Length (RFC 9112 6.3)"));
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	if (length > p->limits->body)
		return (http_bad(p, 413, "body over max_body_size"));
	p->head->framing = HTTP_BODY_LENGTH;
	p->head->content_length = length;
	return (HTTP_COMPLETE);
}

/* The codings we know and do not undo. */
static bool
is_compression(const char *name, size_t len)
{
	static const char *const names[] = {
	    "gzip", "x-gzip", "deflate", "compress", "x-compress"};
	size_t i;

	for (i = 0; i < nitems(names); i++)
		if (http_chars_equal(name, len, names[i]))
			return (true);
	return (false);
}

/* RFC 9112 6.1: "chunked" and nothing else; what else tells which answer. */
static enum http_result
take_transfer_encoding(struct http_parser *p, const char *value, size_t len)
{
	const char *coding;
	size_t at = 0, coding_len;
	bool chunked = false, other = false, known = false;

	if (p->has_coding)
		return (http_bad(
		    p, 400, "more than one Transfer-Encoding (RFC 9112 6.1)"));
	p->has_coding = true;
	while (http_list_next(value, len, &at, &coding, &coding_len)) {
		if (coding_len == 0 || chunked ||
		    !http_chars_are(coding, coding_len, HTTP_CHAR_TOKEN))
			return (http_bad(p, 400,
			    "invalid Transfer-Encoding (RFC 9112 6.1)"));
		if (http_chars_equal(coding, coding_len, "chunked"))
			chunked = true;
		else {
			other = true;
			known = is_compression(coding, coding_len);
		}
	}
	if (other && !chunked && known)
		return (http_bad(p, 400,
		    "Transfer-Encoding does not end in chunked (RFC 9112 "
		    "6.3)"));
	if (other)
		return (http_bad(
		    p, 501, "unknown Transfer-Encoding (RFC 9112 6.1)"));
	p->head->framing = HTTP_BODY_CHUNKED;
	return (HTTP_COMPLETE);
}

static enum http_result
take_connection(struct http_parser *p, const char *value, size_t len)
{
	const char *option;
	size_t at = 0, option_len;

	while (http_list_next(value, len, &at, &option, &option_len)) {
		if (http_chars_equal(option, option_len, "close"))
			p->wants_close = true;
		else if (http_chars_equal(option, option_len, "keep-alive"))
			p->wants_keep_alive = true;
	}
	return (HTTP_COMPLETE);
}

/* A list, of which empty elements are none (RFC 9110 5.6.1.2); a second field goes
 * on with it. */
static enum http_result
take_expect(struct http_parser *p, const char *value, size_t len)
{
	const char *member;
	size_t at = 0, member_len;

	if (p->head->minor == 0)
		return (HTTP_COMPLETE); /* RFC 9110 10.1.1: to be ignored */
	while (http_list_next(value, len, &at, &member, &member_len)) {
		if (member_len == 0)
			continue;
		if (!http_chars_equal(member, member_len, "100-continue"))
			return (http_bad(
			    p, 417, "unknown expectation (RFC 9110 10.1.1)"));
		p->head->expect_continue = true;
	}
	return (HTTP_COMPLETE);
}

static enum http_result
take_content_type(
    struct http_parser *p, const char *value UNUSED, size_t len UNUSED)
{
	if (p->has_type)
		return (http_bad(
		    p, 400, "more than one Content-Type (RFC 9110 5.3)"));
	p->has_type = true;
	return (HTTP_COMPLETE);
}

/* The fields that say how the message is to be read. */
static const struct {
	const char *name;
	size_t len;
	enum http_result (*take)(struct http_parser *, const char *, size_t);
} known_fields[] = {
    {"host", 4, take_host},
    {"expect", 6, take_expect},
    {"connection", 10, take_connection},
    {"content-type", 12, take_content_type},
    {"content-length", 14, take_content_length},
    {"transfer-encoding", 17, take_transfer_encoding},
};

/* RFC 9110 6.5.1: what decides about framing, routing or trust cannot come
 * after the body. */
bool
http_is_forbidden_trailer(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < nitems(known_fields); i++)
		if (known_fields[i].len == len &&
		    http_chars_equal(name, len, known_fields[i].name))
			return (true);
	return (http_chars_equal(name, len, "trailer") ||
		http_chars_equal(name, len, "authorization"));
}

enum http_result
http_take_field(struct http_parser *p, const struct http_field *field)
{
	const char *name = p->base + field->name.offset;
	const char *value = p->base + field->value.offset;
	size_t i;

	/* Both are a second lock: an llhttp that was not compiled to be strict
	 * takes a space within a name. */
	if (!http_chars_are(name, field->name.len, HTTP_CHAR_TOKEN) ||
	    field->name.len == 0)
		return (
		    http_bad(p, 400, "malformed field name (RFC 9112 5.1)"));
	if (!http_chars_are(value, field->value.len, HTTP_CHAR_VALUE))
		return (http_bad(
		    p, 400, "control character in a field (RFC 9110 5.5)"));
	for (i = 0; i < nitems(known_fields); i++)
		if (known_fields[i].len == field->name.len &&
		    http_chars_equal(
			name, field->name.len, known_fields[i].name))
			return (
			    known_fields[i].take(p, value, field->value.len));
	return (HTTP_COMPLETE);
}

enum http_result
http_check_fields(struct http_parser *p)
{
	struct http_head *head = p->head;

	if (!p->has_host && head->minor >= 1)
		return (http_bad(p, 400, "no Host (RFC 9112 3.2)"));
	if (p->has_coding && p->has_length)
		return (http_bad(p, 400,
		    "Content-Length and Transfer-Encoding (RFC 9112 6.1)"));
	if (p->has_coding && head->minor == 0)
		return (http_bad(
		    p, 400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)"));
	if (head->framing == HTTP_BODY_LENGTH && head->content_length == 0)
		head->framing = HTTP_BODY_NONE;
	/* RFC 9112 9.3: "close" is the stronger word. */
	head->keep_alive =
	    !p->wants_close && (head->minor >= 1 || p->wants_keep_alive);
	p->in_body = true;
	return (HTTP_COMPLETE);
}
