/*
 * reply - http_reply: what an application may say, as lines.
 *
 * The first byte has the request's bits and the body's length; the first line is
 * the status, each other one "name:value", with any bytes but LF, and 0xff for a
 * LF.  Whatever is taken, the head is one head: nothing in it ends early, and its
 * framing is the one that was announced.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "http_reply.h"
#include "reference.h"

#define HEAD_FIELDS_MAX 64

struct text {
	const char *data;
	size_t len;
};

/* The next line of *rest; false at its end. */
static bool
next_line(struct text *rest, struct text *line)
{
	const char *end;

	if (rest->len == 0)
		return (false);
	end = memchr(rest->data, '\n', rest->len);
	line->data = rest->data;
	line->len = end == NULL ? rest->len : (size_t)(end - rest->data);
	rest->data += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	return (true);
}

/* How many fields were taken; a text that is refused changes nothing. */
static size_t
add_fields(struct http_reply *r, struct text rest)
{
	const char *why = NULL, *colon;
	struct text line;
	size_t taken = 0, before, name_len;
	int result;

	while (taken < HEAD_FIELDS_MAX - 8 && next_line(&rest, &line)) {
		colon = memchr(line.data, ':', line.len);
		if (colon == NULL)
			continue;
		before = r->len;
		name_len = (size_t)(colon - line.data);
		result = http_reply_field(r, line.data, name_len, colon + 1,
		    line.len - name_len - 1, &why);
		ASSERT(result != -1 || why != NULL);
		ASSERT(result == 0 || r->len == before);
		taken += r->len != before;
	}
	return (taken);
}

static void
check_framing(const struct http_reply *r, const struct http_reply_context *c,
    const struct reference_reply *seen)
{
	ASSERT(seen->status == r->status && seen->head_len == r->len);
	ASSERT(seen->closes == !r->keep_alive);
	ASSERT(seen->is_chunked == (r->framing == HTTP_REPLY_CHUNKED));
	ASSERT(r->framing != HTTP_REPLY_CHUNKED || !c->is_http10);
	ASSERT(r->framing != HTTP_REPLY_LENGTH || seen->has_length);
	ASSERT(r->framing != HTTP_REPLY_CLOSE ||
	       (!seen->has_length && !r->keep_alive));
	ASSERT(!r->keep_alive || c->keep_alive);
	if (c->is_head || r->status == 204 || r->status == 304)
		ASSERT(r->framing == HTTP_REPLY_NO_BODY);
}

static void
finish(struct http_reply *r, uint8_t seed, size_t taken)
{
	struct http_reply_context context = {.is_head = seed & 1,
	    .is_http10 = (seed & 2) != 0,
	    .keep_alive = (seed & 4) != 0,
	    .server = (seed & 8) != 0 ? "cgthread" : ""};
	int64_t known = (seed & 16) != 0 ? seed >> 5 : -1;
	struct reference_field fields[HEAD_FIELDS_MAX];
	struct reference_reply seen;
	const char *end;
	size_t n;
	int result = http_reply_finish(r, &context, known);

	ASSERT(result == 0);
	end = memmem(r->text, r->len, "\r\n\r\n", 4);
	ASSERT(end == r->text + r->len - 4);
	end = memmem(r->text, r->len, "\r\n", 2);
	ASSERT(reference_fields(r->text, r->len, (size_t)(end - r->text) + 2,
		   fields, HEAD_FIELDS_MAX, &n) == r->len);
	/* Date, Server, Connection, and the framing. */
	ASSERT(n >= taken && n <= taken + 4);
	ASSERT(reference_reply(r->text, r->len, context.is_head, &seen));
	check_framing(r, &context, &seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_reply r;
	struct text rest, line;
	const char *why = NULL;
	char *text;
	size_t i;

	if (len < 2)
		return (0);
	text = fuzz_copy((const char *)data + 1, --len);
	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] == 0xff)
			text[i] = '\n';
	rest = (struct text){text, len};
	next_line(&rest, &line);
	http_reply_init(&r);
	if (http_reply_status(&r, line.data, line.len, &why) == 0)
		finish(&r, *data, add_fields(&r, rest));
	else
		ASSERT(why != NULL && r.len == 0);
	http_reply_fini(&r);
	free(text);
	return (0);
}
