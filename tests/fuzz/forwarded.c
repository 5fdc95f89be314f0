/*
 * forwarded - forwarded_resolve(): a byte of rules, then the fields of a head.
 *
 * What is taken lies within the head and is of the right form; and a client that
 * adds to the left of X-Forwarded-For, behind which a known proxy stands, changes
 * nothing.
 */
#include "forwarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "http_head.h"
#include "http_host.h"

static const struct http_limits limits = {
    .line = 100, .fields = 30, .field_size = 1000, .head = 4000, .body = 10};

static char secure_name[] = "x-forwarded-ssl", secure_value[] = "on";
static const struct forwarded_secure secure[] = {{secure_name, secure_value}};

struct outcome {
	char *text; /* the head */
	size_t len;
	struct http_head head;
	const char *why;
	struct forwarded forwarded;
};

static char *
compose(const char *added, const char *fields, size_t len, size_t *text_len)
{
	char *text;
	int n = asprintf(&text, "GET / HTTP/1.1\r\nHost: a\r\n%s%.*s\r\n\r\n",
	    added, (int)len, fields);

	ASSERT(n > 0);
	*text_len = (size_t)n;
	return (text);
}

/* False: it is no head. */
static bool
resolve(struct outcome *o, const struct forwarded_rules *rules,
    const char *added, const char *fields, size_t len)
{
	static struct http_parser parser;
	enum http_result result;
	size_t used;
	char *text = compose(added, fields, len, &o->len);

	o->text = fuzz_copy(text, o->len);
	free(text);
	http_parser_init(&parser, &o->head, &limits);
	result = http_parser_head(&parser, o->text, o->len, &used);
	if (result != HTTP_COMPLETE)
		return (false);
	memset(&o->forwarded, 0, sizeof(o->forwarded));
	o->why = forwarded_resolve(rules, o->text, &o->head, &o->forwarded);
	return (true);
}

static void
check_text(const struct outcome *o, const struct http_text *part)
{
	ASSERT(part->len <= o->len && part->offset <= o->len - part->len);
}

static void
check_taken(const struct outcome *o)
{
	const struct forwarded *f = &o->forwarded;
	const char *prefix = o->text + f->prefix.offset;

	check_text(o, &f->host);
	check_text(o, &f->prefix);
	ASSERT(f->host.len == 0 ||
	       http_host_is_valid(o->text + f->host.offset, f->host.len));
	ASSERT(f->prefix.len == 0 ||
	       (f->has_prefix && prefix[0] == '/' && f->prefix.len > 1 &&
		   prefix[f->prefix.len - 1] != '/'));
	ASSERT(f->scheme <= FORWARDED_HTTPS);
	ASSERT(!f->has_client || f->client.family == AF_INET ||
	       f->client.family == AF_INET6 || f->client.family == AF_UNIX);
}

static void
compare(const struct outcome *a, const struct outcome *b)
{
	ASSERT(b->why == a->why);
	ASSERT(a->forwarded.has_client == b->forwarded.has_client);
	ASSERT(memcmp(&a->forwarded.client, &b->forwarded.client,
		   sizeof(a->forwarded.client)) == 0);
	ASSERT(a->forwarded.scheme == b->forwarded.scheme);
	ASSERT(a->forwarded.port == b->forwarded.port);
	ASSERT(a->forwarded.host.len == b->forwarded.host.len);
	ASSERT(memcmp(a->text + a->forwarded.host.offset,
		   b->text + b->forwarded.host.offset,
		   a->forwarded.host.len) == 0);
}

/* Only X-Forwarded-For counts, and the known proxy's word is there. */
static bool
may_add(const struct forwarded_rules *rules, const struct outcome *o)
{
	return (o->why == NULL && o->forwarded.has_client && rules->hops == 1 &&
		rules->fields == 1u << FORWARDED_FOR &&
		o->head.nfields < limits.fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome plain, added;
	struct forwarded_rules rules = {.secure = secure};

	if (len < 2 || memchr(data + 1, '\0', len - 1) != NULL)
		return (0);
	rules.fields = *data & ((1u << FORWARDED_FIELDS) - 1);
	rules.hops = 1 + ((*data >> FORWARDED_FIELDS) & 1);
	rules.script_name = *data >> 7;
	rules.nsecure = *data >> 7;
	if (resolve(&plain, &rules, "", (const char *)data + 1, len - 1)) {
		if (plain.why == NULL)
			check_taken(&plain);
		if (may_add(&rules, &plain)) {
			ASSERT(resolve(&added, &rules,
			    "X-Forwarded-For: 9.9.9.9\r\n",
			    (const char *)data + 1, len - 1));
			compare(&plain, &added);
			free(added.text);
		}
	}
	free(plain.text);
	return (0);
}
