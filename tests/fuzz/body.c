/*
 * body - http_parser_chunked(): the seed of a split, then the bytes of a body.
 *
 * The same comes out in any split; what is taken, a second reader takes too, with
 * the same content and the same end.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "http_head.h"
#include "reference.h"

#define ROOM 4096

static const struct http_limits limits = {
    .line = 100,
    .fields = 10,
    .field_size = 100,
    .head = 200,
    .body = 1000,
};

struct outcome {
	enum http_result result;
	int status;
	size_t used, body_len;
	char body[ROOM];
	struct http_head head;
	struct http_parser parser;
};

static int
take(void *arg, const char *data, size_t len)
{
	struct outcome *o = arg;

	ASSERT(len <= limits.body - o->body_len);
	memcpy(o->body + o->body_len, data, len);
	o->body_len += len;
	return (0);
}

static void
begin(struct outcome *o)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	enum http_result result;
	size_t used;

	http_parser_init(&o->parser, &o->head, &limits);
	result = http_parser_head(&o->parser, head, sizeof(head) - 1, &used);
	ASSERT(result == HTTP_COMPLETE && used == sizeof(head) - 1);
	o->used = o->body_len = 0;
}

static void
feed(struct outcome *o, const char *text, size_t len)
{
	char *copy = fuzz_copy(text, len);
	size_t used = 0;

	o->result = http_parser_chunked(&o->parser, copy, len, &used, take, o);
	o->status = o->parser.error.status;
	free(copy);
	ASSERT((o->result == HTTP_BAD) == (o->status != 0));
	ASSERT(used <= len && (o->result != HTTP_INCOMPLETE || used == len));
	o->used += used;
}

static void
decode_split(struct outcome *o, const char *text, size_t len, struct split *s)
{
	size_t at = 0, piece;

	begin(o);
	do {
		piece = at < len ? split_next(s, text + at, len - at) : 0;
		feed(o, text + at, piece);
		at += piece;
	} while (o->result == HTTP_INCOMPLETE && at < len);
}

/* A body that is refused may have been taken in part, as far as the pieces said. */
static void
compare(const struct outcome *a, const struct outcome *b)
{
	ASSERT(a->result == b->result);
	ASSERT(a->status == b->status);
	if (a->result == HTTP_BAD)
		return;
	ASSERT(a->used == b->used);
	ASSERT(a->body_len == b->body_len);
	ASSERT(memcmp(a->body, b->body, a->body_len) == 0);
}

static void
check_complete(const struct outcome *o, const char *text, size_t len)
{
	char *body = fuzz_copy(text, len);
	size_t body_len;

	ASSERT(reference_chunked(text, len, body, &body_len) == o->used);
	ASSERT(o->body_len == body_len);
	ASSERT(memcmp(o->body, body, body_len) == 0);
	free(body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome whole, other;
	const char *text;
	struct split split;

	if (len < 2)
		return (0);
	split_init(&split, *data++);
	text = (const char *)data;
	begin(&whole);
	feed(&whole, text, --len);
	decode_split(&other, text, len, &split);
	compare(&whole, &other);
	if (whole.result == HTTP_COMPLETE)
		check_complete(&whole, text, len);
	return (0);
}
