/* http_head: what is found out about a good head, for those who go on with it.
 */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "http_head.h"
#include "macros.h"

static const struct http_limits limits = {
    .line = 4096,
    .fields = 100,
    .field_size = 8192,
    .head = 65536,
    .body = 1 << 20,
};

static struct http_parser parser;
static struct http_head head;

TestSuite(http_head_facts, .timeout = 30);

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END  "\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define OLD  "GET / HTTP/1.0\r\n"

static void
parse_good(const char *in)
{
	size_t used;

	http_parser_init(&parser, &head, &limits);
	cr_assert_eq(http_parser_head(
			 &parser, guarded(in, strlen(in)), strlen(in), &used),
	    HTTP_COMPLETE, "%s: %s", in, parser.error.reason);
}

static bool
text_is(const char *in, struct http_text text, const char *want)
{
	return (text.len == strlen(want) &&
		memcmp(in + text.offset, want, text.len) == 0);
}

/* clang-format off */
static const struct {
	const char *why, *line, *method, *target, *path, *query;
	unsigned minor;
} lines[] = {
	{ "path",	"GET /a HTTP/1.1", "GET", "/a", "/a", "", 1 },
	{ "query",	"GET /a?b?c HTTP/1.0", "GET", "/a?b?c", "/a", "b?c", 0 },
	{ "empty query", "GET /? HTTP/1.1", "GET", "/?", "/", "", 1 },
	{ "escapes stay", "PUT /%2f%00 HTTP/1.1", "PUT", "/%2f%00", "/%2f%00",
	  "", 1 },
	{ "slashes stay", "GET //a//b HTTP/1.1", "GET", "//a//b", "//a//b", "",
	  1 },
	{ "asterisk",	"OPTIONS * HTTP/1.1", "OPTIONS", "*", "*", "", 1 },
	{ "absolute",	"GET http://h:1/a?b HTTP/1.1", "GET", "http://h:1/a?b",
	  "/a", "b", 1 },
	{ "absolute, case", "GET HTTPS://h/a HTTP/1.1", "GET", "HTTPS://h/a",
	  "/a", "", 1 },
	{ "absolute, bare", "GET http://h HTTP/1.1", "GET", "http://h", "", "",
	  1 },
	{ "absolute, query", "GET http://h?q HTTP/1.1", "GET", "http://h?q", "",
	  "q", 1 },
};
/* clang-format on */

Test(http_head_facts, splits_the_request_line)
{
	char in[256];
	size_t i;

	for (i = 0; i < nitems(lines); i++) {
		snprintf(in, sizeof(in), "%s\r\n" HOST END, lines[i].line);
		parse_good(in);
		cr_expect(text_is(in, head.method, lines[i].method), "%s",
		    lines[i].why);
		cr_expect(text_is(in, head.target, lines[i].target), "%s",
		    lines[i].why);
		cr_expect(
		    text_is(in, head.path, lines[i].path), "%s", lines[i].why);
		cr_expect(text_is(in, head.query, lines[i].query), "%s",
		    lines[i].why);
		cr_expect_eq(head.major, 1);
		cr_expect_eq(head.minor, lines[i].minor, "%s", lines[i].why);
	}
}

Test(http_head_facts, finds_fields_and_trims_their_values)
{
	static const char in[] = "\r\n" GET "hOsT:\t h:80 \t\r\nX-A:1\r\n"
				 "x-empty:  \r\nX-a: a b\t\r\n" END;
	const struct http_field *field;

	parse_good(in);
	cr_assert_eq(head.nfields, 4);
	cr_expect(text_is(in, head.fields[0].name, "hOsT"));
	cr_expect(text_is(in, head.fields[0].value, "h:80"));
	cr_expect(text_is(in, head.fields[1].value, "1"));
	cr_expect(text_is(in, head.fields[2].name, "x-empty"));
	cr_expect_eq(head.fields[2].value.len, 0);
	cr_expect(text_is(in, head.fields[3].value, "a b"));

	field = http_head_find(&head, in, "x-a");
	cr_expect_eq(field, &head.fields[1], "the first of two");
	cr_expect_eq(http_head_find(&head, in, "host"), &head.fields[0]);
	cr_expect_null(http_head_find(&head, in, "x-"));
	cr_expect_null(http_head_find(&head, in, "x-empty-not"));
}

/* clang-format off */
static const struct {
	const char *why, *in;
	enum http_framing framing;
	uint64_t length;
	bool keep_alive, expect_continue, is_head;
} facts[] = {
	{ "plain", GET HOST END, HTTP_BODY_NONE, 0, true, false, false },
	{ "HEAD", "HEAD / HTTP/1.1\r\n" HOST END, HTTP_BODY_NONE, 0, true,
	  false, true },
	{ "methods have case", "head / HTTP/1.1\r\n" HOST END, HTTP_BODY_NONE,
	  0, true, false, false },
	{ "length", POST "Content-Length: 17\r\n" END, HTTP_BODY_LENGTH, 17,
	  true, false, false },
	{ "length of zero", POST "Content-Length: 0\r\n" END, HTTP_BODY_NONE, 0,
	  true, false, false },
	{ "length of GET", GET HOST "Content-Length: 1\r\n" END,
	  HTTP_BODY_LENGTH, 1, true, false, false },
	{ "chunked", POST "Transfer-Encoding: chunked\r\n" END,
	  HTTP_BODY_CHUNKED, 0, true, false, false },
	{ "Upgrade keeps the body", POST
	  "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n" END,
	  HTTP_BODY_LENGTH, 3, true, false, false },
	{ "Upgrade keeps the chunks", POST "Connection: Upgrade\r\n"
	  "Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n" END,
	  HTTP_BODY_CHUNKED, 0, true, false, false },
	{ "another name", POST "Content_Length: 5\r\n" END, HTTP_BODY_NONE, 0,
	  true, false, false },
	{ "close", GET HOST "Connection: close\r\n" END, HTTP_BODY_NONE, 0,
	  false, false, false },
	{ "close in a list", GET HOST "Connection: foo , CLOSE\r\n" END,
	  HTTP_BODY_NONE, 0, false, false, false },
	{ "close in the second", GET HOST
	  "Connection: keep-alive\r\nConnection: close\r\n" END, HTTP_BODY_NONE,
	  0, false, false, false },
	{ "not close", GET HOST "Connection: closed\r\n" END, HTTP_BODY_NONE, 0,
	  true, false, false },
	{ "HTTP/1.0", OLD END, HTTP_BODY_NONE, 0, false, false, false },
	{ "HTTP/1.0 stays", OLD "Connection: Keep-Alive\r\n" END,
	  HTTP_BODY_NONE, 0, true, false, false },
	{ "HTTP/1.0, both", OLD "Connection: keep-alive, close\r\n" END,
	  HTTP_BODY_NONE, 0, false, false, false },
	{ "continue", POST "Expect: 100-continue\r\nContent-Length: 1\r\n" END,
	  HTTP_BODY_LENGTH, 1, true, true, false },
	{ "continue, in a list", POST
	  "Expect: , 100-Continue ,\r\nContent-Length: 1\r\n" END,
	  HTTP_BODY_LENGTH, 1, true, true, false },
	{ "continue, and an empty field", POST "Expect: 100-continue\r\n"
	  "Expect: ,\r\nContent-Length: 1\r\n" END,
	  HTTP_BODY_LENGTH, 1, true, true, false },
	{ "nothing expected", POST "Expect: ,\r\nContent-Length: 1\r\n" END,
	  HTTP_BODY_LENGTH, 1, true, false, false },
	{ "continue, HTTP/1.0", OLD "Expect: 100-continue\r\n" END,
	  HTTP_BODY_NONE, 0, false, false, false },
};
/* clang-format on */

Test(http_head_facts, knows_how_the_message_goes_on)
{
	size_t i;

	for (i = 0; i < nitems(facts); i++) {
		parse_good(facts[i].in);
		cr_expect_eq(
		    head.framing, facts[i].framing, "%s", facts[i].why);
		cr_expect_eq(
		    head.content_length, facts[i].length, "%s", facts[i].why);
		cr_expect_eq(
		    head.keep_alive, facts[i].keep_alive, "%s", facts[i].why);
		cr_expect_eq(head.expect_continue, facts[i].expect_continue,
		    "%s", facts[i].why);
		cr_expect_eq(
		    head.is_head, facts[i].is_head, "%s", facts[i].why);
	}
}
