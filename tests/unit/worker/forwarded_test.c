/* forwarded: what known proxies say counts, and nothing that contradicts it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "forwarded.h"
#include "guarded.h"
#include "macros.h"

TestSuite(forwarded, .timeout = 20);

static const struct http_limits limits = {.line = 8190,
    .fields = HTTP_FIELDS_MAX,
    .field_size = 65536,
    .head = 1 << 20,
    .body = 1 << 20};

static const struct forwarded_secure secure[] = {
    {(char *)(uintptr_t) "x-ssl", (char *)(uintptr_t) "on"},
    {(char *)(uintptr_t) "front-end-https", (char *)(uintptr_t) "yes"},
};

#define ALL ((1u << FORWARDED_FIELDS) - 1)

/* Fields are "name: value", lines of them with "|" between. */
#define HOPS(n, in, want)                    \
	{                                    \
		in, n, ALL, true, want, NULL \
	}
#define TAKEN(in, want) HOPS(1, in, want)
#define REFUSED(in, why)                    \
	{                                   \
		in, 1, ALL, true, NULL, why \
	}
#define NAMED(fields, in, want)                  \
	{                                        \
		in, 1, fields, false, want, NULL \
	}

#define CLIENT "disagree about the client"
#define SCHEME "disagree about the scheme"
#define HOST   "disagree about the host"
#define PORT   "disagree about the port"
#define PREFIX "disagree about the path's prefix"

/* clang-format off */
static const struct row {
	const char *in;
	unsigned hops, fields;
	bool script_name;
	const char *want, *why; /* "client scheme host port prefix" */
} rows[] = {
	TAKEN("", "- - - 0 -"),
	TAKEN("X-Other: a", "- - - 0 -"),
	TAKEN("X-Forwarded-For: 192.0.2.1", "192.0.2.1:0 - - 0 -"),
	TAKEN("x-forwarded-for: 192.0.2.1:99", "192.0.2.1:99 - - 0 -"),
	TAKEN("X-Forwarded-For: unknown", "?:0 - - 0 -"),
	TAKEN("X-Forwarded-Proto: HTTPS", "- https - 0 -"),
	TAKEN("X-Forwarded-Proto: http", "- http - 0 -"),
	TAKEN("X-Forwarded-Host: a.b", "- - a.b 0 -"),
	TAKEN("X-Forwarded-Host: [::1]:80", "- - [::1] 80 -"),
	TAKEN("X-Forwarded-Port: 81", "- - - 81 -"),
	TAKEN("X-Forwarded-Host: a:81|X-Forwarded-Port: 81", "- - a 81 -"),
	TAKEN("X-Forwarded-Prefix: /a/b/", "- - - 0 /a/b"),
	TAKEN("X-Forwarded-Prefix: /", "- - - 0 "),
	TAKEN("SCRIPT_NAME: /a", "- - - 0 /a"),
	TAKEN("Forwarded: for=192.0.2.1;proto=https;host=\"a:81\"",
	    "192.0.2.1:0 https a 81 -"),
	TAKEN("X-Ssl: on", "- https - 0 -"), TAKEN("X-Ssl: ON", "- https - 0 -"),
	TAKEN("X-Ssl: off", "- http - 0 -"), TAKEN("X-Ssl:", "- http - 0 -"),

	/* empty is as if it were not there */
	TAKEN("X-Forwarded-For:", "- - - 0 -"),
	TAKEN("X-Forwarded-Proto: ,", "- - - 0 -"),
	TAKEN("Forwarded:", "- - - 0 -"),
	TAKEN("Forwarded: for=192.0.2.1|Forwarded: ,", "192.0.2.1:0 - - 0 -"),

	/* only what is named counts */
	NAMED(0, "X-Forwarded-For: x|X-Forwarded-Proto: x|SCRIPT_NAME: x|"
	    "X-Forwarded-Host: /|X-Forwarded-Port: x|Forwarded: =",
	    "- - - 0 -"),
	NAMED(1u << FORWARDED_FOR, "X-Forwarded-For: 192.0.2.1|"
	    "X-Forwarded-Proto: https|Forwarded: for=192.0.2.2",
	    "192.0.2.1:0 - - 0 -"),
	NAMED(1u << FORWARDED_STANDARD, "X-Forwarded-For: 192.0.2.1|"
	    "X-Forwarded-Proto: https|Forwarded: for=192.0.2.2",
	    "192.0.2.2:0 - - 0 -"),

	/* hops, from the right */
	HOPS(1, "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "2.2.2.2:0 - - 0 -"),
	HOPS(2, "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "1.1.1.1:0 - - 0 -"),
	HOPS(3, "X-Forwarded-For: 1.1.1.1, 2.2.2.2", "1.1.1.1:0 - - 0 -"),
	HOPS(2, "X-Forwarded-For: 0.0.0.0|X-Forwarded-For: 1.1.1.1|"
	    "X-Forwarded-For: 2.2.2.2", "1.1.1.1:0 - - 0 -"),
	HOPS(2, "X-Forwarded-For: x,,1.1.1.1, |A: b|X-Forwarded-For: 2.2.2.2",
	    "1.1.1.1:0 - - 0 -"),
	HOPS(2, "X-Forwarded-Proto: https, http", "- https - 0 -"),
	HOPS(2, "X-Forwarded-Host: a, b", "- - a 0 -"),
	HOPS(2, "X-Forwarded-Port: 1, 2", "- - - 1 -"),
	HOPS(2, "X-Forwarded-Prefix: /a, /b", "- - - 0 /a"),
	HOPS(2, "X-Forwarded-Proto: https, https, http", "- https - 0 -"),
	HOPS(1, "Forwarded: for=1.1.1.1;host=a, for=2.2.2.2",
	    "2.2.2.2:0 - - 0 -"),
	HOPS(2, "Forwarded: for=0.0.0.0;host=x;proto=ftp|"
	    "Forwarded: for=1.1.1.1;proto=https, for=2.2.2.2;host=b",
	    "1.1.1.1:0 https b 0 -"),
	HOPS(9, "Forwarded: for=1.1.1.1, for=2.2.2.2;proto=http",
	    "1.1.1.1:0 http - 0 -"),

	/* the same twice is no contradiction */
	TAKEN("X-Forwarded-For: 192.0.2.1|Forwarded: for=192.0.2.1",
	    "192.0.2.1:0 - - 0 -"),
	TAKEN("X-Forwarded-For: ::1|Forwarded: for=\"[::1]:80\"",
	    "::1:80 - - 0 -"),
	TAKEN("X-Forwarded-Proto: https|X-Forwarded-Proto: https|X-Ssl: on|"
	    "Forwarded: proto=https|Front-End-Https: yes", "- https - 0 -"),
	TAKEN("X-Forwarded-Host: a|Forwarded: host=\"a:80\"", "- - a 80 -"),
	TAKEN("X-Forwarded-Prefix: /a|SCRIPT_NAME: /a/", "- - - 0 /a"),
	TAKEN("X-Forwarded-For: ::ffff:192.0.2.1|Forwarded: for=192.0.2.1",
	    "192.0.2.1:0 - - 0 -"),
	TAKEN("X-Forwarded-Proto: https, HTTPS", "- https - 0 -"),
	TAKEN("X-Forwarded-Host: A.b, a.B", "- - a.B 0 -"),
	TAKEN("X-Forwarded-Host: A|Forwarded: host=\"a:80\"", "- - a 80 -"),
	TAKEN("X-Forwarded-Host: a:|X-Forwarded-Port: 81", "- - a 81 -"),

	REFUSED("X-Forwarded-For: 1.1.1.1|Forwarded: for=1.1.1.2", CLIENT),
	REFUSED("X-Forwarded-For: 1.1.1.1|Forwarded: for=unknown", CLIENT),
	REFUSED("X-Forwarded-For: ::|Forwarded: for=0.0.0.0", CLIENT),
	REFUSED("X-Forwarded-Proto: https|Forwarded: proto=http", SCHEME),
	REFUSED("X-Forwarded-Proto: https, http", SCHEME),
	REFUSED("X-Forwarded-Proto: http|X-Forwarded-Proto: https", SCHEME),
	REFUSED("X-Ssl: on|X-Ssl: off", SCHEME),
	REFUSED("X-Ssl: on|Front-End-Https: no", SCHEME),
	REFUSED("X-Ssl: on|X-Forwarded-Proto: http", SCHEME),
	REFUSED("X-Forwarded-Host: a|Forwarded: host=b", HOST),
	REFUSED("X-Forwarded-Host: a, b", HOST),
	REFUSED("X-Forwarded-Host: a:1|X-Forwarded-Port: 2", PORT),
	REFUSED("X-Forwarded-Port: 1|Forwarded: host=\"a:2\"", PORT),
	REFUSED("X-Forwarded-Port: 1, 2", PORT),
	REFUSED("X-Forwarded-Prefix: /a, /b", PREFIX),
	REFUSED("X-Forwarded-Prefix: /a, /A", PREFIX),
	REFUSED("X-Forwarded-Prefix: /a|SCRIPT_NAME: /b", PREFIX),
	REFUSED("SCRIPT_NAME: /a|script_name: /a", "more than one SCRIPT_NAME"),
	REFUSED("X-Forwarded-For: 1.1.1.1, x", "malformed X-Forwarded-For"),
	REFUSED("X-Forwarded-Proto: wss", "neither http nor https"),
	REFUSED("Forwarded: proto=\"\"", "neither http nor https"),
	REFUSED("X-Forwarded-Host: a/b", "malformed forwarded host"),
	REFUSED("Forwarded: host=\"a b\"", "malformed forwarded host"),
	REFUSED("X-Forwarded-Port: 0", "malformed X-Forwarded-Port"),
	REFUSED("X-Forwarded-Host: a:0", "malformed forwarded host"),
	REFUSED("X-Forwarded-Port: 65536", "malformed X-Forwarded-Port"),
	REFUSED("X-Forwarded-Port: +1", "malformed X-Forwarded-Port"),
	REFUSED("X-Forwarded-Prefix: a", "malformed prefix"),
	REFUSED("X-Forwarded-Prefix: //a", "malformed prefix"),
	REFUSED("X-Forwarded-Prefix: /a/../b", "malformed prefix"),
	REFUSED("X-Forwarded-Prefix: /a%20", "malformed prefix"),
	REFUSED("SCRIPT_NAME: /\xe4", "malformed prefix"),
	REFUSED("Forwarded: for=a b", "malformed Forwarded"),
	REFUSED("Forwarded: for=1.1.1.1|Forwarded: for=\"", "malformed Forw"),
	REFUSED("Forwarded: for=\"|Forwarded: for=1.1.1.1", "malformed Forw"),
	REFUSED("Forwarded: for=x", "malformed node in Forwarded"),
};
/* clang-format on */

/* A head of these fields, whose last byte is followed by nothing readable. */
static const char *
head_of(const char *fields, struct http_head *head)
{
	struct http_parser parser;
	char text[1024];
	const char *at;
	size_t len, used;

	len = (size_t)snprintf(
	    text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (at = fields; *at != '\0'; at += *at == '|') {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%.*s\r\n", (int)strcspn(at, "|"), at);
		at += strcspn(at, "|");
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
	at = guarded(text, len);
	http_parser_init(&parser, head, &limits);
	cr_assert_eq(http_parser_head(&parser, at, len, &used), HTTP_COMPLETE,
	    "%s", fields);
	return (at);
}

static void
format(const struct forwarded *f, const char *base, char *buf, size_t size)
{
	static const char *const schemes[] = {"-", "http", "https"};
	char client[64] = "-", address[INET6_ADDRSTRLEN];

	peer_format(&f->client, address);
	if (f->has_client)
		snprintf(client, sizeof(client), "%s:%u",
		    f->client.family == AF_UNIX ? "?" : address,
		    f->client.port);
	snprintf(buf, size, "%s %s %.*s %u %.*s", client, schemes[f->scheme],
	    f->host.len > 0 ? (int)f->host.len : 1,
	    f->host.len > 0 ? base + f->host.offset : "-", f->port,
	    f->has_prefix ? (int)f->prefix.len : 1,
	    f->has_prefix ? base + f->prefix.offset : "-");
}

static void
expect_row(const struct row *row)
{
	struct forwarded_rules rules = {.fields = row->fields,
	    .hops = row->hops,
	    .script_name = row->script_name,
	    .secure = secure,
	    .nsecure = nitems(secure)};
	static struct http_head head;
	struct forwarded f;
	const char *base = head_of(row->in, &head), *why;
	char got[256];

	why = forwarded_resolve(&rules, base, &head, &f);
	if (row->why != NULL) {
		cr_assert_not_null(why, "%s", row->in);
		cr_expect_not_null(
		    strstr(why, row->why), "%s: %s", row->in, why);
		return;
	}
	cr_assert_null(why, "%s: %s", row->in, why);
	format(&f, base, got, sizeof(got));
	cr_expect_str_eq(got, row->want, "%s: %s", row->in, got);
	cr_expect_eq(f.is_set, strcmp(got, "- - - 0 -") != 0, "%s", row->in);
}

Test(forwarded, is_what_known_proxies_say_without_contradiction)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		expect_row(&rows[i]);
}
