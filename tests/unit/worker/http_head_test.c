/*
 * http_head: what RFC 9110 and 9112 allow is taken and nothing else, however
 * the bytes arrive.
 */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "http_head.h"
#include "macros.h"

#define ROOM (1 << 16)

/* Small, so that each can be reached by a row of a table. */
static const struct http_limits limits = {
    .line = 60,
    .fields = 6,
    .field_size = 80,
    .head = 300,
    .body = 1000,
};

static struct http_parser parser;
static struct http_head head;
static char *end_of_room; /* what lies behind cannot be read */

static void
set_up(void)
{
	static const char nothing[ROOM];

	end_of_room = guarded_copy(nothing, ROOM) + ROOM;
}

TestSuite(http_head, .init = set_up, .timeout = 60);

/* The first len bytes of in, at the end of memory, another place each time. */
static enum http_result
feed(const char *in, size_t len, size_t *used)
{
	char *at = end_of_room - len;

	memset(end_of_room - ROOM, '#', ROOM - len);
	memcpy(at, in, len);
	*used = 0;
	return (http_parser_head(&parser, at, len, used));
}

static enum http_result
parse(const char *in, size_t len, size_t *used)
{
	http_parser_init(&parser, &head, &limits);
	return (feed(in, len, used));
}

/* What a parser has found out. */
struct outcome {
	enum http_result result;
	int status;
	size_t used;
	struct http_head head;
};

static void
outcome_get(struct outcome *o, enum http_result result, size_t used)
{
	memset(o, 0, sizeof(*o));
	o->result = result;
	o->status = parser.error.status;
	if (result == HTTP_COMPLETE) {
		o->used = used;
		memcpy(&o->head, &head,
		    offsetof(struct http_head, fields) +
			head.nfields * sizeof(head.fields[0]));
	}
}

static bool
outcome_is(const struct outcome *a, const struct outcome *b)
{
	return (memcmp(a, b, sizeof(*a)) == 0);
}

#define GET    "GET / HTTP/1.1\r\n"
#define HOST   "Host: a\r\n"
#define END    "\r\n"
#define POST   "POST / HTTP/1.1\r\n" HOST
#define OLD    "GET / HTTP/1.0\r\n"
#define X10    "xxxxxxxxxx"
#define X40    X10 X10 X10 X10
#define FIELD5 "a:1\r\nb:2\r\nc:3\r\nd:4\r\ne:5\r\n"

#define TAKEN 0
#define ROW(why, in, status)                       \
	{                                          \
		why, in, sizeof(in) - 1, status, 0 \
	}
#define EITHER(why, in, status, or)                 \
	{                                           \
		why, in, sizeof(in) - 1, status, or \
	}

/* clang-format off */
static const struct row {
	const char *why, *in;
	size_t len;
	int status, or; /* TAKEN, or the refusal; another that is as good */
} rows[] = {
	ROW("plain", GET HOST END, TAKEN),
	ROW("no fields in HTTP/1.0", OLD END, TAKEN),
	ROW("empty Host", GET "Host:\r\n" END, TAKEN),
	ROW("Host with port", GET "Host: [::1]:80\r\n" END, TAKEN),
	ROW("unknown method", "FROB /x HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("method in lower case", "get / HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("query", "GET /a?b=c&d HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("absolute", "GET http://a/b?c HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("raw 8-bit path", "GET /\xe4\xff HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("double slash", "GET //a HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("empty value", GET HOST "X:\r\n" END, TAKEN),
	ROW("no space before the value", GET HOST "X:y\r\n" END, TAKEN),
	ROW("tab and obs-text", GET HOST "X: a\tb\xe4\r\n" END, TAKEN),
	ROW("one empty line before", "\r\n" GET HOST END, TAKEN),
	ROW("HTTP/1.2 is read as 1.1", "GET / HTTP/1.2\r\n" HOST END, TAKEN),
	ROW("length", POST "Content-Length: 5\r\n" END, TAKEN),
	ROW("chunked", POST "Transfer-Encoding: chunked\r\n" END, TAKEN),
	ROW("Chunked", POST "transfer-encoding: CHUNKED\r\n" END, TAKEN),
	ROW("underscore is no hyphen", POST "Content_Length: 5\r\n" END, TAKEN),
	ROW("h2c is not taken up", POST "Upgrade: h2c\r\n"
	    "Connection: Upgrade, HTTP2-Settings\r\nContent-Length: 5\r\n" END,
	    TAKEN),
	ROW("websocket", GET HOST "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n" END, TAKEN),

	/* the request line: RFC 9112 3 */
	ROW("HTTP/0.9", "GET /\r\n", 400),
	ROW("no method", " / HTTP/1.1\r\n" HOST END, 400),
	ROW("no target", "GET  HTTP/1.1\r\n" HOST END, 400),
	ROW("two spaces", "GET  / HTTP/1.1\r\n" HOST END, 400),
	ROW("space in the target", "GET /a b HTTP/1.1\r\n" HOST END, 400),
	ROW("tab for space", "GET\t/ HTTP/1.1\r\n" HOST END, 400),
	ROW("trailing space", "GET / HTTP/1.1 \r\n" HOST END, 400),
	ROW("method is no token", "G@T / HTTP/1.1\r\n" HOST END, 400),
	ROW("8 bits in the method", "G\xe4T / HTTP/1.1\r\n" HOST END, 400),
	ROW("no version", "GET / \r\n" HOST END, 400),
	ROW("http/1.1", "GET / http/1.1\r\n" HOST END, 400),
	ROW("HTTP/1", "GET / HTTP/1\r\n" HOST END, 400),
	ROW("HTTP/1.10", "GET / HTTP/1.10\r\n" HOST END, 400),
	ROW("HTTP/+1.1", "GET / HTTP/+1.1\r\n" HOST END, 400),
	ROW("HTTP/2.0", "GET / HTTP/2.0\r\n" HOST END, 505),
	ROW("HTTP/0.9, explicit", "GET / HTTP/0.9\r\n" HOST END, 505),
	ROW("HTTP/8.4", "GET / HTTP/8.4\r\n" HOST END, 505),
	ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n" END, 505),
	ROW("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
	ROW("NUL in path", "GET /a\0b HTTP/1.1\r\n" HOST END, 400),
	ROW("DEL in path", "GET /a\x7f HTTP/1.1\r\n" HOST END, 400),
	ROW("fragment", "GET /a#frag HTTP/1.1\r\n" HOST END, 400),
	ROW("GET *", "GET * HTTP/1.1\r\n" HOST END, 400),
	ROW("OPTIONS **", "OPTIONS ** HTTP/1.1\r\n" HOST END, 400),
	ROW("relative", "GET a/b HTTP/1.1\r\n" HOST END, 400),
	ROW("no authority", "GET http:// HTTP/1.1\r\n" HOST END, 400),
	EITHER("CONNECT", "CONNECT a:443 HTTP/1.1\r\n" HOST END, 405, 501),
	ROW("empty lines for ever", "\r\n\r\n\r\n" GET HOST END, 400),

	/* lines: RFC 9112 2.2 */
	ROW("LF alone, everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400),
	ROW("LF alone, request line", "GET / HTTP/1.1\n" HOST END, 400),
	ROW("LF alone, field", GET "Host: a\n" END, 400),
	ROW("LF alone, last line", GET HOST "\n", 400),
	ROW("LF alone, first", "\n" GET HOST END, 400),
	ROW("LF in a value", GET HOST "X: a\nb\r\n" END, 400),
	ROW("CR in a value", GET HOST "X: a\rb\r\n" END, 400),
	ROW("CR CR LF", GET HOST "X: a\r\r\n" END, 400),
	ROW("CR in the request line", "GET /\r HTTP/1.1\r\n" HOST END, 400),
	ROW("CR in a name", GET HOST "X\rY: a\r\n" END, 400),
	ROW("CR alone at the end", GET HOST "\rX", 400),
	ROW("folded", GET HOST "X: a\r\n b\r\n" END, 400),
	ROW("folded by tab", GET HOST "X: a\r\n\tb\r\n" END, 400),
	ROW("folded first field", GET " " HOST END, 400),
	ROW("folded empty line", GET HOST "X: a\r\n \r\n" END, 400),

	/* fields: RFC 9112 5 */
	ROW("space before colon", GET "Host : a\r\n" END, 400),
	ROW("tab before colon", GET HOST "X\t: a\r\n" END, 400),
	ROW("no colon", GET HOST "X\r\n" END, 400),
	ROW("no name", GET HOST ": a\r\n" END, 400),
	ROW("space in a name", GET HOST "X Y: a\r\n" END, 400),
	ROW("8 bits in a name", GET HOST "X\xe4: a\r\n" END, 400),
	ROW("slash in a name", GET HOST "X/Y: a\r\n" END, 400),
	ROW("NUL in a value", GET HOST "X: a\0b\r\n" END, 400),
	ROW("NUL in a name", GET HOST "X\0Y: b\r\n" END, 400),
	ROW("DEL in a value", GET HOST "X: a\x7f\r\n" END, 400),
	ROW("escape in a value", GET HOST "X: \x1b[2J\r\n" END, 400),
	ROW("VT before a value", GET HOST "X:\x0b" "a\r\n" END, 400),
	ROW("no Host", GET END, 400),
	ROW("no Host, HTTP/1.2", "GET / HTTP/1.2\r\n" END, 400),
	ROW("port is no number", GET "Host: a:b\r\n" END, 400),
	ROW("no end of IPv6", GET "Host: [::1\r\n" END, 400),
	ROW("user in Host", GET "Host: u@a\r\n" END, 400),
	ROW("port without a host", GET "Host: :80\r\n" END, 400),
	ROW("bad host in the target", "GET http://a:b/ HTTP/1.1\r\n" HOST END,
	    400),
	ROW("user in the target", "GET http://u@a/ HTTP/1.1\r\n" HOST END, 400),
	ROW("two Hosts", GET HOST HOST END, 400),
	ROW("two Hosts, HTTP/1.0", OLD HOST "host: b\r\n" END, 400),
	ROW("space in Host", GET "Host: a b\r\n" END, 400),
	ROW("list in Host", GET "Host: a/b\r\n" END, 400),
	ROW("userinfo in Host", GET "Host: u@a\r\n" END, 400),
	ROW("two types", POST "Content-Type: a/b\r\nContent-Type: a/b\r\n" END,
	    400),

	/* framing: RFC 9112 6 */
	ROW("A0 chunked", POST "Transfer-Encoding: \xa0" "chunked\r\n" END, 400),
	ROW("85 chunked", POST "Transfer-Encoding: \x85" "chunked\r\n" END, 400),
	ROW("VT chunked", POST "Transfer-Encoding: \x0b" "chunked\r\n" END, 400),
	ROW("unknown coding and length", POST
	    "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n" END, 501),
	ROW("chunked, gzip", POST "Transfer-Encoding: chunked, gzip\r\n" END,
	    400),
	ROW("twice", POST "Transfer-Encoding: chunked, chunked\r\n" END, 400),
	ROW("in two lines", POST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n" END, 400),
	EITHER("identity", POST
	    "Transfer-Encoding: identity\r\nContent-Length: 5\r\n" END, 400, 501),
	ROW("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n" END,
	    501),
	ROW("gzip", POST "Transfer-Encoding: gzip\r\n" END, 400),
	ROW("no coding", POST "Transfer-Encoding:\r\nContent-Length: 5\r\n" END,
	    400),
	ROW("chunked and a comma", POST "Transfer-Encoding: chunked,\r\n" END,
	    400),
	ROW("chunked with a parameter", POST
	    "Transfer-Encoding: chunked;x=1\r\n" END, 400),
	ROW("length, then chunked", POST
	    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END, 400),
	ROW("chunked, then length", POST
	    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END, 400),
	ROW("chunked, HTTP/1.0", "POST / HTTP/1.0\r\n"
	    "Transfer-Encoding: chunked\r\n" END, 400),
	ROW("two lengths", POST
	    "Content-Length: 5\r\nContent-Length: 5\r\n" END, 400),
	ROW("length: list", POST "Content-Length: 5, 5\r\n" END, 400),
	ROW("length: plus", POST "Content-Length: +5\r\n" END, 400),
	ROW("length: minus", POST "Content-Length: -5\r\n" END, 400),
	ROW("length: hex", POST "Content-Length: 0x5\r\n" END, 400),
	ROW("length: empty", POST "Content-Length:\r\n" END, 400),
	ROW("length: spaces", POST "Content-Length: 5 5\r\n" END, 400),
	ROW("length: superscript", POST "Content-Length: \xb2\r\n" END, 400),
	EITHER("length: 2^64 + 5", POST
	    "Content-Length: 18446744073709551621\r\n" END, 400, 413),
	ROW("length: 20 digits", POST
	    "Content-Length: 00000000000000000005\r\n" END, 400),
	ROW("length: over the limit", POST "Content-Length: 1001\r\n" END, 413),
	ROW("length: the limit", POST "Content-Length: 1000\r\n" END, TAKEN),

	/* Expect: RFC 9110 10.1.1 */
	ROW("unknown", POST "Expect: foo\r\n" END, 417),
	ROW("unknown in a list", POST "Expect: 100-continue, foo\r\n" END, 417),
	ROW("unknown before it", POST "Expect: foo, 100-continue\r\n" END, 417),
	ROW("unknown in a second", POST "Expect: 100-continue\r\n"
	    "Expect: foo\r\n" END, 417),
	ROW("with a value", POST "Expect: 100-continue=1\r\n" END, 417),
	ROW("with a parameter", POST "Expect: 100-continue;q=1\r\n" END, 417),
	ROW("a comma in quotes", POST "Expect: a=\",100-continue,\"\r\n" END,
	    417),
	ROW("no comma between", POST "Expect: 100-continue 100-continue\r\n"
	    END, 417),
	ROW("a list", POST "Expect: ,100-continue ,\t, 100-Continue,\r\n" END,
	    TAKEN),
	ROW("two fields", POST "Expect: 100-continue\r\n"
	    "Expect: 100-continue\r\n" END, TAKEN),
	ROW("empty", POST "Expect:\r\n" END, TAKEN),
	ROW("100-continue", POST "Expect: 100-Continue\r\n" END, TAKEN),
	ROW("100-continue, HTTP/1.0", OLD "Expect: 100-continue\r\n" END, TAKEN),

	/* two readers, and of two mistakes the first one counts */
	ROW("coding, then a long field", POST "Transfer-Encoding: a\r\n"
	    "X: " X40 X40 "\r\n" END, 501),
	ROW("long field, then coding", POST "X: " X40 X40 "\r\n"
	    "Transfer-Encoding: a\r\n" END, 431),
	ROW("expectation, then too many", POST "Expect: a\r\n" FIELD5 END, 417),
	ROW("length, then a bare LF", POST "Content-Length: 1001\r\n"
	    "a:b\r\nX\n" END, 413),
	ROW("bare LF, then length", POST "X: a\n"
	    "Content-Length: 1001\r\n" END, 400),
	ROW("no name, in a long field", POST "@" X40 X40 "\r\n" END, 400),
	ROW("no name, behind a long one", POST X40 X40 X10 "@\r\n" END, 431),

	/* each limit, reached and passed by one */
	ROW("line", "GET /" X40 "xxxxxx HTTP/1.1\r\n" HOST END, TAKEN),
	ROW("line + 1", "GET /" X40 "xxxxxxx HTTP/1.1\r\n" HOST END, 414),
	ROW("line without end", "GET /" X40 X40, 414),
	ROW("field", GET HOST "X: " X40 X10 X10 X10 "xxxxxxx\r\n" END, TAKEN),
	ROW("field + 1", GET HOST "X: " X40 X10 X10 X10 "xxxxxxxx\r\n" END, 431),
	ROW("field without end", GET HOST "X: " X40 X40, 431),
	ROW("fields", GET HOST FIELD5 END, TAKEN),
	ROW("fields + 1", GET HOST FIELD5 "f:6\r\n" END, 431),
	ROW("head", GET HOST "a: " X40 X10 X10 "\r\nb: " X40 X10 X10
	    "\r\nc: " X40 X10 X10 "\r\nd: " X40 X10 X10 X10 "xxx\r\n" END,
	    TAKEN),
	ROW("head + 1", GET HOST "a: " X40 X10 X10 "\r\nb: " X40 X10 X10
	    "\r\nc: " X40 X10 X10 "\r\nd: " X40 X10 X10 X10 "xxxx\r\n" END,
	    431),
	ROW("head without end", GET HOST "a: " X40 X10 X10 "\r\nb: " X40 X10 X10
	    "\r\nc: " X40 X10 X10 "\r\nd: " X40 X10 X10 "\r\ne: xxxxxxxxxxxxx",
	    431),
};
/* clang-format on */

Test(http_head, takes_what_the_rfcs_allow_and_nothing_else)
{
	enum http_result result;
	size_t i, used;

	for (i = 0; i < nitems(rows); i++) {
		result = parse(rows[i].in, rows[i].len, &used);
		if (rows[i].status == TAKEN) {
			cr_expect_eq(result, HTTP_COMPLETE, "%s: %d, %s",
			    rows[i].why, parser.error.status,
			    parser.error.reason);
			cr_expect_eq(used, rows[i].len, "%s", rows[i].why);
			continue;
		}
		cr_expect_eq(result, HTTP_BAD, "%s", rows[i].why);
		cr_expect(
		    parser.error.status == rows[i].status ||
			(rows[i].or != 0 && parser.error.status == rows[i].or),
		    "%s: %d", rows[i].why, parser.error.status);
		cr_expect_not_null(parser.error.reason, "%s", rows[i].why);
	}
}

Test(http_head, every_proper_prefix_is_incomplete)
{
	size_t i, len, used;

	for (i = 0; i < nitems(rows); i++) {
		if (rows[i].status != TAKEN)
			continue;
		for (len = 0; len < rows[i].len; len++)
			cr_expect_eq(parse(rows[i].in, len, &used),
			    HTTP_INCOMPLETE, "%s, %zu", rows[i].why, len);
	}
}

Test(http_head, ends_where_the_next_request_begins)
{
	static const char follower[] = "GET /smug HTTP/1.1\r\nHost: b\r\n\r\n";
	struct outcome alone, followed;
	char both[1024];
	size_t i, used;
	enum http_result result;

	for (i = 0; i < nitems(rows); i++) {
		result = parse(rows[i].in, rows[i].len, &used);
		outcome_get(&alone, result, used);
		if (result == HTTP_INCOMPLETE)
			continue;
		memcpy(both, rows[i].in, rows[i].len);
		memcpy(both + rows[i].len, follower, sizeof(follower) - 1);
		result = parse(both, rows[i].len + sizeof(follower) - 1, &used);
		outcome_get(&followed, result, used);
		cr_expect(outcome_is(&alone, &followed), "%s", rows[i].why);
	}
}

Test(http_head, any_cut_in_two_gives_the_same)
{
	struct outcome whole, cut;
	size_t i, at, used;
	enum http_result result;

	for (i = 0; i < nitems(rows); i++) {
		result = parse(rows[i].in, rows[i].len, &used);
		outcome_get(&whole, result, used);
		for (at = 0; at < rows[i].len; at++) {
			result = parse(rows[i].in, at, &used);
			if (result == HTTP_INCOMPLETE)
				result = feed(rows[i].in, rows[i].len, &used);
			outcome_get(&cut, result, used);
			cr_expect(outcome_is(&whole, &cut), "%s, cut at %zu",
			    rows[i].why, at);
		}
	}
}

Test(http_head, byte_by_byte_gives_the_same)
{
	struct outcome whole, pieces;
	size_t i, len, used;
	enum http_result result;

	for (i = 0; i < nitems(rows); i++) {
		result = parse(rows[i].in, rows[i].len, &used);
		outcome_get(&whole, result, used);
		result = parse(rows[i].in, 0, &used);
		for (len = 1; len <= rows[i].len && result == HTTP_INCOMPLETE;
		     len++)
			result = feed(rows[i].in, len, &used);
		outcome_get(&pieces, result, used);
		cr_expect(outcome_is(&whole, &pieces), "%s", rows[i].why);
	}
}

/* RFC 9110 9.3.2: whatever is wrong with the line. */
Test(http_head, refused_head_is_known_as_head)
{
	/* clang-format off */
	static const struct {
		const char *in;
		bool is_head;
	} lines[] = {
		{ "HEAD / HTTP/2.0\r\n", true },
		{ "HEAD / HTTP/0.9\r\n", true },
		{ "HEAD /\r\n", true },
		{ "HEAD a HTTP/1.1\r\n", true },
		{ "HEAD  / HTTP/1.1\r\n", true },
		{ "HEAD / HTTP/1.1\n", true },
		{ "HEAD /\r / HTTP/1.1\r\n", true },
		{ "HEAD * HTTP/1.1\r\n", true },
		{ "\r\nHEAD /#a HTTP/1.1\r\n", true },
		{ "HEAD /" X40 X40, true },
		{ "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n", true },
		{ "HEAD / HTTP/1.1\r\nHost: a\n", true },
		{ "HEADS / HTTP/2.0\r\n", false },
		{ "HEAD\t/ HTTP/1.1\r\n", false },
		{ "head / HTTP/2.0\r\n", false },
		{ "GET / HTTP/2.0\r\nHEAD ", false },
		{ "HEAD\n", false },
	};
	/* clang-format on */
	enum http_result result;
	size_t i, at, len, used;

	for (i = 0; i < nitems(lines); i++) {
		len = strlen(lines[i].in);
		for (at = 0; at < len; at++) {
			result = parse(lines[i].in, at, &used);
			if (result == HTTP_INCOMPLETE)
				result = feed(lines[i].in, len, &used);
			cr_expect_eq(result, HTTP_BAD, "%s", lines[i].in);
			cr_expect_eq(head.is_head, lines[i].is_head,
			    "%s, cut at %zu", lines[i].in, at);
		}
	}
}

/* The table of fields is full then, and nothing is written behind it. */
Test(http_head, as_many_fields_as_the_table_has)
{
	static const struct http_limits most = {.line = 60,
	    .fields = HTTP_FIELDS_MAX,
	    .field_size = 80,
	    .head = ROOM,
	    .body = 0};
	static char in[ROOM];
	size_t len, used;
	int more, i;

	for (more = 0; more < 2; more++) {
		len = (size_t)sprintf(in, GET HOST);
		for (i = 1; i < HTTP_FIELDS_MAX + more; i++)
			len += (size_t)sprintf(in + len, "a:1\r\n");
		len += (size_t)sprintf(in + len, END);
		http_parser_init(&parser, &head, &most);
		cr_expect_eq(
		    feed(in, len, &used), more ? HTTP_BAD : HTTP_COMPLETE);
		cr_expect_eq(head.nfields, HTTP_FIELDS_MAX);
		cr_expect_eq(parser.error.status, more ? 431 : 0);
	}
}

/* 19 digits are more than 2^63 has, and less than would overflow. */
Test(http_head, longest_content_length)
{
	/* clang-format off */
	static const struct {
		uint64_t limit;
		const char *length;
		uint64_t want; /* 0: refused, 413 */
	} rows19[] = {
		{ INT64_MAX, "9223372036854775807", INT64_MAX },
		{ INT64_MAX, "9223372036854775808", 0 },
		{ 1000000000000000000, "1000000000000000000",
		  1000000000000000000 },
		{ 1000000000000000000, "1000000000000000001", 0 },
		{ UINT64_MAX, "9999999999999999999", 9999999999999999999u },
	};
	/* clang-format on */
	struct http_limits wide = limits;
	char in[256];
	size_t i, used;
	int len;

	for (i = 0; i < nitems(rows19); i++) {
		wide.body = rows19[i].limit;
		len = snprintf(in, sizeof(in),
		    POST "Content-Length: %s\r\n" END, rows19[i].length);
		http_parser_init(&parser, &head, &wide);
		cr_expect_eq(feed(in, (size_t)len, &used),
		    rows19[i].want != 0 ? HTTP_COMPLETE : HTTP_BAD, "%s",
		    rows19[i].length);
		cr_expect_eq(parser.error.status, rows19[i].want != 0 ? 0 : 413,
		    "%s", rows19[i].length);
		cr_expect_eq(head.content_length, rows19[i].want, "%s",
		    rows19[i].length);
	}
}

/* No byte anywhere may do worse than be refused. */
Test(http_head, any_byte_anywhere_is_taken_or_refused)
{
	static const char in[] = POST "Content-Length: 5\r\nX: y\r\n" END;
	char mutant[sizeof(in)];
	enum http_result result;
	size_t at, used;
	int c;

	for (at = 0; at < sizeof(in) - 1; at++)
		for (c = 0; c < 256; c++) {
			memcpy(mutant, in, sizeof(in));
			mutant[at] = (char)c;
			result = parse(mutant, sizeof(in) - 1, &used);
			cr_assert(result == HTTP_BAD
				      ? parser.error.status >= 400 &&
					    parser.error.reason != NULL
				      : result == HTTP_INCOMPLETE ||
					    used <= sizeof(in) - 1);
		}
}
