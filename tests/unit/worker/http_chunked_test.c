/*
 * http_head: the chunked coding of RFC 9112 7.1, in any split of the bytes.
 */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "http_head.h"
#include "macros.h"

#define ROOM (1 << 12)
#define X10  "xxxxxxxxxx"
#define Z40  "0000000000000000000000000000000000000000"
#define X40  X10 X10 X10 X10
#define Z15  "000000000000000"
#define X147 \
	X40 X40 X40 X10 X10 "xxxxxxx" /* limits.head - ";" - the last CR LF */

static const struct http_limits limits = {
    .line = 200,
    .fields = 10,
    .field_size = 200,
    .head = 150,
    .body = 50,
};

static struct http_parser parser;
static struct http_head head;
static char *end_of_room; /* what lies behind cannot be read */

static char body[ROOM];
static size_t body_len;

static void
set_up(void)
{
	static const char nothing[ROOM];

	end_of_room = guarded_copy(nothing, ROOM) + ROOM;
}

TestSuite(http_chunked, .init = set_up, .timeout = 60);

/* After the head of a chunked request. */
static void
begin(void)
{
	static const char in[] = "POST / HTTP/1.1\r\nHost: a\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n";
	size_t used;

	http_parser_init(&parser, &head, &limits);
	cr_assert_eq(http_parser_head(&parser, in, sizeof(in) - 1, &used),
	    HTTP_COMPLETE);
	cr_assert_eq(head.framing, HTTP_BODY_CHUNKED);
	body_len = 0;
}

static int
take(void *arg, const char *data, size_t len)
{
	cr_assert_eq(arg, body);
	cr_assert_leq(body_len + len, sizeof(body));
	memcpy(body + body_len, data, len);
	body_len += len;
	return (0);
}

static enum http_result
feed(const char *in, size_t len, size_t *used)
{
	char *at = end_of_room - len;
	enum http_result result;

	memcpy(at, in, len);
	result = http_parser_chunked(&parser, at, len, used, take, body);
	if (result == HTTP_INCOMPLETE)
		cr_assert_eq(*used, len);
	return (result);
}

/*
 * Feeds in pieces, with a cut behind byte i where bit i of cuts is set.  *used
 * counts over all of them.
 */
static enum http_result
decode(const char *in, size_t len, unsigned long cuts, size_t *used)
{
	enum http_result result = HTTP_INCOMPLETE;
	size_t from, to, n = 0;

	begin();
	*used = 0;
	for (from = 0; from < len && result == HTTP_INCOMPLETE; from = to) {
		for (to = from + 1; to < len; to++)
			if (to <= 64 && (cuts >> (to - 1)) & 1)
				break;
		result = feed(in + from, to - from, &n);
		*used += n;
	}
	return (result);
}

#define TAKEN 0
#define ROW(why, in, body, status)                       \
	{                                                \
		why, in, sizeof(in) - 1, body, status, 0 \
	}
#define EITHER(why, in, status, or)                     \
	{                                               \
		why, in, sizeof(in) - 1, "", status, or \
	}
#define LAST "0\r\n\r\n"

/* clang-format off */
static const struct {
	const char *why, *in;
	size_t len;
	const char *body;
	int status, or; /* TAKEN, or the refusal; another that is as good */
} rows[] = {
	ROW("nothing", LAST, "", TAKEN),
	ROW("one chunk", "5\r\nhello\r\n" LAST, "hello", TAKEN),
	ROW("two chunks", "5\r\nhello\r\n1\r\n!\r\n" LAST, "hello!", TAKEN),
	ROW("hex, both cases", "a\r\n" X10 "\r\nA\r\n" X10 "\r\n" LAST, X10 X10,
	    TAKEN),
	ROW("zeros before", "0005\r\nhello\r\n000\r\n\r\n", "hello", TAKEN),
	ROW("lines as data", "4\r\n\r\n\r\n\r\n" LAST, "\r\n\r\n", TAKEN),
	ROW("a chunk as data", "5\r\n0\r\n\r\n\r\n" LAST, "0\r\n\r\n", TAKEN),
	ROW("extensions", "5;x=1;y;z=0;5\r\nhello\r\n" LAST, "hello", TAKEN),
	ROW("quoted extension", "5;x=\"a;\\\"\xe4 \\\\\";y\r\nhello\r\n" LAST,
	    "hello", TAKEN),
	ROW("nothing in quotes", "5;x=\"\"\r\nhello\r\n" LAST, "hello", TAKEN),
	ROW("white space in it", "5 ; x = \t1\t; y ;z=\"\" ;w\r\nhello\r\n"
	    LAST, "hello", TAKEN),
	ROW("extension", "5;x=1\r\nhello\r\n0;y\r\n\r\n", "hello", TAKEN),
	ROW("trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "hello", TAKEN),
	ROW("two trailers", "0\r\nX: 1\r\nY: 2\r\n\r\n", "", TAKEN),
	ROW("the most", "32\r\n" X40 X10 "\r\n" LAST, X40 X10, TAKEN),

	ROW("one more than the most", "33\r\n" X40 X10 "x\r\n" LAST, "", 413),
	ROW("too much, in pieces", "20\r\n" X10 X10 X10 "xx\r\n20\r\n"
	    X10 X10 X10 "xx\r\n" LAST, "", 413),
	ROW("0x5", "0x5\r\nhello\r\n" LAST, "", 400),
	ROW("plus", "+5\r\nhello\r\n" LAST, "", 400),
	ROW("minus", "-5\r\nhello\r\n" LAST, "", 400),
	ROW("underscore", "0_5\r\nhello\r\n" LAST, "", 400),
	ROW("space after", "5 \r\nhello\r\n" LAST, "", 400),
	ROW("space before", " 5\r\nhello\r\n" LAST, "", 400),
	ROW("no hex", "g\r\n" LAST, "", 400),
	ROW("no size", "\r\nhello\r\n" LAST, "", 400),
	ROW("empty line for a size", "5\r\nhello\r\n\r\n" LAST, "", 400),
	ROW("no size but an extension", ";x\r\nhello\r\n" LAST, "", 400),
	EITHER("2^64 + 5", "10000000000000005\r\nhello\r\n" LAST, 400, 413),
	EITHER("2^64 - 1", "ffffffffffffffff\r\n" X40 X10 "x", 400, 413),
	ROW("LF after the size", "5\nhello\r\n" LAST, "", 400),
	ROW("CR after the size", "5\rhello\r\n" LAST, "", 400),
	ROW("LF after the data", "5\r\nhello\n" LAST, "", 400),
	ROW("no line after the data", "5\r\nhello5\r\n", "", 400),
	ROW("size too small", "4\r\nhello\r\n" LAST, "", 400),
	ROW("LF in an extension", "5;x\nhello\r\n" LAST, "", 400),
	ROW("CR in an extension", "5;x\rhello\r\n" LAST, "", 400),
	ROW("NUL in an extension", "5;x\0y\r\nhello\r\n" LAST, "", 400),
	ROW("extension without a value", "5;invalid=\r\nhello\r\n" LAST, "",
	    400),
	ROW("more than one white space", "5  \t;x  =  1\r\nhello\r\n" LAST,
	    "hello", TAKEN),
	ROW("extension without a name", "5;\r\nhello\r\n" LAST, "", 400),
	ROW("value without a name", "5;=1\r\nhello\r\n" LAST, "", 400),
	ROW("two without a name", "5;;x\r\nhello\r\n" LAST, "", 400),
	ROW("no token", "5;x@y\r\nhello\r\n" LAST, "", 400),
	ROW("no token as a value", "5;x=@\r\nhello\r\n" LAST, "", 400),
	ROW("two values", "5;x=1=2\r\nhello\r\n" LAST, "", 400),
	ROW("two names", "5;x y\r\nhello\r\n" LAST, "", 400),
	ROW("white space at the end", "5;x \r\nhello\r\n" LAST, "", 400),
	ROW("and behind a value", "5;x=1 \r\nhello\r\n" LAST, "", 400),
	ROW("and behind quotes", "5;x=\"1\" \r\nhello\r\n" LAST, "", 400),
	ROW("text behind quotes", "5;x=\"1\"2\r\nhello\r\n" LAST, "", 400),
	ROW("quotes in a value", "5;x=1\"2\"\r\nhello\r\n" LAST, "", 400),
	ROW("open quotes", "5;x=\"1\r\nhello\r\n" LAST, "", 400),
	ROW("quotes over two lines", "5;x=\"1\r\n\"\r\nhello\r\n" LAST, "",
	    400),
	ROW("escaped CR", "5;x=\"\\\r\n\"\r\nhello\r\n" LAST, "", 400),
	ROW("NUL in quotes", "5;x=\"\0\"\r\nhello\r\n" LAST, "", 400),
	ROW("no size but white space", " ;x\r\nhello\r\n" LAST, "", 400),
	ROW("LF for the last line", "0\r\n\n", "", 400),
	ROW("LF after the last size", "0\n\r\n", "", 400),
	ROW("trailer: length", "0\r\nContent-Length: 9\r\n\r\n", "", 400),
	ROW("trailer: coding", "0\r\ntransfer-encoding: chunked\r\n\r\n", "",
	    400),
	ROW("trailer: Host", "0\r\nHOST: b\r\n\r\n", "", 400),
	ROW("trailer: Authorization", "0\r\nAuthorization: x\r\n\r\n", "", 400),
	ROW("trailer: garbage", "0\r\n@@garbage\r\n\r\n", "", 400),
	ROW("trailer: space before colon", "0\r\nX : 1\r\n\r\n", "", 400),
	ROW("trailer: folded", "0\r\nX: 1\r\n 2\r\n\r\n", "", 400),
	ROW("trailer: LF", "0\r\nX: 1\n\r\n", "", 400),
	ROW("trailer: LF for the last line", "0\r\nX: 1\r\n\n", "", 400),
	ROW("trailer: no colon, and then too long",
	    "0\r\nX\x01" X40 X40 X40 X40 "\r\n\r\n", "", 400),
	ROW("trailer: too long, and then no colon",
	    "0\r\n" X40 X40 X40 X40 "\x01\r\n\r\n", "", 431),
	ROW("trailer: no name", "0\r\n: 1\r\n\r\n", "", 400),
	ROW("trailer: no colon", "0\r\nX\r\n\r\n", "", 400),
	ROW("trailer: NUL", "0\r\nX: \0\r\n\r\n", "", 400),
	ROW("trailers for ever", "0\r\na: " X40 "\r\nb: " X40 "\r\nc: " X40
	    "\r\nd: " X40 "\r\n\r\n", "", 431),
	ROW("extensions for ever", "1;" X40 X40 "\r\nx\r\n1;" X40 X40
	    "\r\nx\r\n1;" X40 X40 "\r\nx\r\n" LAST, "", 431),
	ROW("16 digits cost nothing beside extensions", Z15 "1;" X147
	    "\r\nx\r\n" LAST, "x", TAKEN),
	ROW("17 digits do", Z15 "01;" X147 "\r\nx\r\n" LAST, "", 431),
	ROW("one byte more of an extension", Z15 "1;" X147 "x\r\nx\r\n" LAST, "",
	    431),
	ROW("zeros for ever", Z40 Z40 Z40 Z40 Z40 "1\r\nx\r\n" LAST, "", 431),
};
/* clang-format on */

/* The row's outcome, fed with these cuts. */
static void
expect_row(size_t i, unsigned long cuts)
{
	size_t used;
	enum http_result result = decode(rows[i].in, rows[i].len, cuts, &used);

	if (rows[i].status != TAKEN) {
		cr_expect_eq(
		    result, HTTP_BAD, "%s, cut %lx", rows[i].why, cuts);
		cr_expect(
		    parser.error.status == rows[i].status ||
			(rows[i].or != 0 && parser.error.status == rows[i].or),
		    "%s, cut %lx: %d", rows[i].why, cuts, parser.error.status);
		return;
	}
	cr_expect_eq(result, HTTP_COMPLETE, "%s, cut %lx: %d %s", rows[i].why,
	    cuts, parser.error.status, parser.error.reason);
	cr_expect_eq(used, rows[i].len, "%s, cut %lx", rows[i].why, cuts);
	cr_expect(body_len == strlen(rows[i].body) &&
		      memcmp(body, rows[i].body, body_len) == 0,
	    "%s, cut %lx: \"%.*s\"", rows[i].why, cuts, (int)body_len, body);
}

Test(http_chunked, takes_what_rfc9112_allows_and_nothing_else)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		expect_row(i, 0);
}

Test(http_chunked, any_cut_in_two_or_three_gives_the_same)
{
	size_t i, a, b;

	for (i = 0; i < nitems(rows); i++)
		for (a = 0; a < rows[i].len && a < 64; a++)
			for (b = a; b < rows[i].len && b < 64; b++)
				expect_row(i, 1ul << a | 1ul << b);
}

Test(http_chunked, byte_by_byte_gives_the_same)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		expect_row(i, ~0ul);
}

/* Of a short message, every one of the splits there are. */
Test(http_chunked, every_split_gives_the_same)
{
	unsigned long cuts;
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		if (rows[i].len <= 12)
			for (cuts = 0; cuts < 1ul << (rows[i].len - 1); cuts++)
				expect_row(i, cuts);
}

Test(http_chunked, every_proper_prefix_is_incomplete)
{
	size_t i, len, used;

	for (i = 0; i < nitems(rows); i++)
		for (len = 0; rows[i].status == TAKEN && len < rows[i].len;
		     len++)
			cr_expect_eq(decode(rows[i].in, len, 0, &used),
			    HTTP_INCOMPLETE, "%s, %zu", rows[i].why, len);
}

Test(http_chunked, ends_where_the_next_request_begins)
{
	char both[ROOM];
	size_t i, used;
	int len;

	for (i = 0; i < nitems(rows); i++) {
		if (rows[i].status != TAKEN)
			continue;
		len = snprintf(
		    both, sizeof(both), "%sGET /smug HTTP/1.1\r\n", rows[i].in);
		cr_expect_eq(
		    decode(both, (size_t)len, 0, &used), HTTP_COMPLETE);
		cr_expect_eq(used, rows[i].len, "%s", rows[i].why);
	}
}

/* Whoever reads the log looks it up there. */
Test(http_chunked, reason_names_the_section_that_was_broken)
{
	/* clang-format off */
	static const struct {
		const char *in, *section;
	} mistakes[] = {
		{ " 5\r\nhello\r\n", "size (RFC 9112 7.1)" },
		{ "\t5\r\nhello\r\n", "size (RFC 9112 7.1)" },
		{ "1\r\nx\r\n 5\r\nhello\r\n", "size (RFC 9112 7.1)" },
		{ " ;x\r\n", "size (RFC 9112 7.1)" },
		{ "\r\n", "size (RFC 9112 7.1)" },
		{ "5\r\nhello \r\n", "longer than its size (RFC 9112 7.1)" },
		{ "5\r\nhello\t\r\n", "longer than its size (RFC 9112 7.1)" },
		{ "5\r\nhello5\r\n", "longer than its size (RFC 9112 7.1)" },
		{ "5\r\nhello\n", "bare LF (RFC 9112 2.2)" },
		{ "5\r\nhello\r5", "bare CR (RFC 9112 2.2)" },
		{ "0\r\n X: 1\r\n", "folded trailer (RFC 9112 5.2)" },
		{ "0\r\nX: 1\r\n 2\r\n", "folded trailer (RFC 9112 5.2)" },
		{ "0\r\nX: 1\r\n\t2\r\n", "folded trailer (RFC 9112 5.2)" },
		{ "0\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "forbidden trailer (RFC 9110 6.5.1)" },
		{ "0\r\nTransfer-Encoding: x\r\n\r\n",
		  "forbidden trailer (RFC 9110 6.5.1)" },
		{ "0\r\nContent-Length: x\r\n\r\n",
		  "forbidden trailer (RFC 9110 6.5.1)" },
		{ "0\r\nHost: a\r\n\r\n",
		  "forbidden trailer (RFC 9110 6.5.1)" },
		{ "0\r\nX : 1\r\n\r\n", "malformed trailer (RFC 9112 7.1.2)" },
		{ "0\r\n: 1\r\n\r\n", "malformed trailer (RFC 9112 7.1.2)" },
		{ "0\r\nX: \x7f\r\n\r\n",
		  "malformed trailer (RFC 9112 7.1.2)" },
	};
	/* clang-format on */
	static const unsigned long cuts[] = {0, ~0ul};
	size_t i, j, used;

	for (i = 0; i < nitems(mistakes); i++)
		for (j = 0; j < nitems(cuts); j++) {
			cr_expect_eq(
			    decode(mistakes[i].in, strlen(mistakes[i].in),
				cuts[j], &used),
			    HTTP_BAD, "%s", mistakes[i].in);
			cr_expect(parser.error.status == 400 &&
				      strstr(parser.error.reason,
					  mistakes[i].section) != NULL,
			    "%s: %s", mistakes[i].in, parser.error.reason);
		}
}

static int
refuse(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return (-1);
}

Test(http_chunked, stops_when_the_receiver_does)
{
	static const char in[] = "5\r\nhello\r\n" LAST;
	size_t used;

	begin();
	cr_expect_eq(http_parser_chunked(
			 &parser, in, sizeof(in) - 1, &used, refuse, NULL),
	    HTTP_BAD);
}

/* Upgrade must not make the decoder stop before the body. */
Test(http_chunked, decodes_behind_an_upgrade)
{
	static const char in[] = "POST / HTTP/1.1\r\nHost: a\r\n"
				 "Connection: Upgrade\r\nUpgrade: h2c\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n";
	size_t used;

	http_parser_init(&parser, &head, &limits);
	cr_assert_eq(http_parser_head(&parser, in, sizeof(in) - 1, &used),
	    HTTP_COMPLETE);
	body_len = 0;
	cr_expect_eq(feed("5\r\nhello\r\n" LAST, 15, &used), HTTP_COMPLETE);
	cr_expect_eq(used, 15);
	cr_expect_eq(body_len, 5);
}
