/*
 * head - http_parser_head(): the seed of a split, then bytes.
 *
 * The same comes out in any split, with the text in another place at each call; a
 * head is not complete before its end; a second reader finds the same fields, and
 * the same bytes in the path once it is unescaped.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "http_escape.h"
#include "http_head.h"
#include "reference.h"

/* A few prefixes are also parsed from their start. */
#define PREFIXES 4

/* Small, so that inputs reach them; the line's below the head's. */
static const struct http_limits limits = {
    .line = 100,
    .fields = 12,
    .field_size = 120,
    .head = 400,
    .body = 100000,
};

struct outcome {
	enum http_result result;
	int status;
	size_t used;
	struct http_head head;
	struct http_parser parser;
};

static void
feed(struct outcome *o, const char *text, size_t len)
{
	char *copy = fuzz_copy(text, len);

	o->result = http_parser_head(&o->parser, copy, len, &o->used);
	o->status = o->parser.error.status;
	free(copy);
	ASSERT((o->result == HTTP_BAD) == (o->status != 0));
}

static void
parse_whole(struct outcome *o, const char *text, size_t len)
{
	http_parser_init(&o->parser, &o->head, &limits);
	feed(o, text, len);
}

static void
parse_split(struct outcome *o, const char *text, size_t len, struct split *s)
{
	size_t have = 0;

	http_parser_init(&o->parser, &o->head, &limits);
	do {
		if (have < len)
			have += split_next(s, text + have, len - have);
		feed(o, text, have);
	} while (o->result == HTTP_INCOMPLETE && have < len);
}

static void
compare(const struct outcome *a, const struct outcome *b)
{
	ASSERT(a->result == b->result);
	ASSERT(a->status == b->status);
	if (a->result != HTTP_COMPLETE)
		return;
	ASSERT(a->used == b->used);
	ASSERT(a->head.nfields == b->head.nfields);
	ASSERT(memcmp(&a->head, &b->head, offsetof(struct http_head, fields)) ==
	       0);
	ASSERT(memcmp(a->head.fields, b->head.fields,
		   a->head.nfields * sizeof(a->head.fields[0])) == 0);
}

/* ---- what a complete head has to be ---- */

static void
check_within(const struct http_text *part, const struct http_text *whole)
{
	ASSERT(part->offset >= whole->offset);
	ASSERT(part->offset + part->len <= whole->offset + whole->len);
}

/* Behind at most two empty lines: method, target, version; where it ends. */
static size_t
check_request_line(const struct outcome *o, const char *text)
{
	const struct http_head *head = &o->head;
	struct http_text all = {0, (uint32_t)o->used};
	const char *target = text + head->target.offset;
	size_t i, at = head->method.offset;

	ASSERT(at == 0 || at == 2 || at == 4);
	ASSERT(memcmp(text, "\r\n\r\n", at) == 0);
	check_within(&head->method, &all);
	check_within(&head->target, &all);
	check_within(&head->path, &head->target);
	check_within(&head->query, &head->target);
	ASSERT(reference_is_token(text + at, head->method.len));
	at += head->method.len;
	ASSERT(text[at] == ' ' && head->target.offset == at + 1);
	ASSERT(head->target.len > 0);
	for (i = 0; i < head->target.len; i++)
		ASSERT((unsigned char)target[i] > ' ' && target[i] != 0x7f);
	at += 1 + head->target.len;
	ASSERT(o->used - at >= 13 && memcmp(text + at, " HTTP/1.", 8) == 0);
	ASSERT(text[at + 8] == '0' + head->minor && head->major == 1);
	ASSERT(memcmp(text + at + 9, "\r\n", 2) == 0);
	return (at + 11);
}

static unsigned
count(const struct reference_field *fields, size_t n, const char *text,
    const char *name)
{
	unsigned found = 0;
	size_t i;

	for (i = 0; i < n; i++)
		found += reference_equals(
		    text + fields[i].name, fields[i].name_len, name);
	return (found);
}

/* RFC 9112 3.2, 6.3: what would make two readers see two messages. */
static void
check_framing(const struct http_head *head, const char *text,
    const struct reference_field *fields, size_t n)
{
	unsigned hosts = count(fields, n, text, "host");
	unsigned lengths = count(fields, n, text, "content-length");
	unsigned codings = count(fields, n, text, "transfer-encoding");
	const struct http_field *length =
	    http_head_find(head, text, "content-length");

	ASSERT(hosts <= 1 && (hosts == 1 || head->minor == 0));
	ASSERT(lengths + codings <= 1);
	ASSERT((head->framing == HTTP_BODY_CHUNKED) == (codings == 1));
	ASSERT((length != NULL) == (lengths == 1));
	if (head->framing == HTTP_BODY_LENGTH) {
		ASSERT(lengths == 1 && head->content_length > 0);
		ASSERT(head->content_length <= limits.body);
		ASSERT(head->content_length ==
		       strtoull(text + length->value.offset, NULL, 10));
	}
}

/* As for the environ: into no more room than the path has. */
static void
check_path(const char *text, const struct http_text *part)
{
	char *path = fuzz_copy(text + part->offset, part->len);
	char *plain = fuzz_copy(path, part->len);
	char *other = fuzz_copy(path, part->len);
	size_t len = http_unescape(plain, path, part->len);

	ASSERT(len <= part->len);
	ASSERT(len == reference_unescape(other, path, part->len));
	ASSERT(memcmp(plain, other, len) == 0);
	free(path);
	free(plain);
	free(other);
}

static void
check_head(const struct outcome *o, const char *text, size_t len)
{
	const struct http_head *head = &o->head;
	struct reference_field fields[HTTP_FIELDS_MAX];
	size_t n, i, at;

	ASSERT(o->used <= len && o->used <= limits.head);
	at = check_request_line(o, text);
	ASSERT(reference_fields(
		   text, o->used, at, fields, HTTP_FIELDS_MAX, &n) == o->used);
	ASSERT(n == head->nfields && n <= limits.fields);
	for (i = 0; i < n; i++) {
		ASSERT(head->fields[i].name.offset == fields[i].name);
		ASSERT(head->fields[i].name.len == fields[i].name_len);
		ASSERT(head->fields[i].value.len == fields[i].value_len);
		ASSERT(fields[i].value_len == 0 ||
		       head->fields[i].value.offset == fields[i].value);
	}
	check_framing(head, text, fields, n);
	check_path(text, &head->path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome whole, other;
	const char *text;
	struct split split;
	unsigned i;

	if (len < 2)
		return (0);
	split_init(&split, *data++);
	text = (const char *)data;
	parse_whole(&whole, text, --len);
	parse_split(&other, text, len, &split);
	compare(&whole, &other);
	if (whole.result == HTTP_COMPLETE)
		check_head(&whole, text, len);
	else
		return (0);
	for (i = 0; i < PREFIXES; i++) {
		parse_whole(&other, text,
		    i == 0 ? whole.used - 1
			   : split_below(&split, (unsigned)whole.used));
		ASSERT(other.result == HTTP_INCOMPLETE);
	}
	return (0);
}
