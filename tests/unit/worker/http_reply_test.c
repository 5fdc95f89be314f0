/* http_reply: nothing invalid goes in, and nothing that is the server's to say.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "http_reply.h"
#include "macros.h"

static struct http_reply reply;
static const char *why;

static void
set_up(void)
{
	http_reply_init(&reply);
}

static void
tear_down(void)
{
	http_reply_fini(&reply);
}

TestSuite(http_reply, .init = set_up, .fini = tear_down, .timeout = 30);

static int
set_status(const char *status)
{
	size_t len = strlen(status);

	why = NULL;
	errno = 0;
	return (http_reply_status(&reply, guarded(status, len), len, &why));
}

static int
add_bytes(
    const char *name, size_t name_len, const char *value, size_t value_len)
{
	why = NULL;
	errno = 0;
	return (http_reply_field(&reply, guarded(name, name_len), name_len,
	    guarded(value, value_len), value_len, &why));
}

static int
add_field(const char *name, const char *value)
{
	return (add_bytes(name, strlen(name), value, strlen(value)));
}

static void
expect_text(const char *want, const char *of)
{
	cr_expect(reply.len == strlen(want) &&
		      memcmp(reply.text, want, reply.len) == 0,
	    "%s: got \"%.*s\"", of, (int)reply.len, reply.text);
}

/* ---- status ---- */

/* clang-format off */
static const struct { const char *why, *status; int want; } statuses[] = {
	{ "plain",			"200 OK",		200 },
	{ "empty phrase",		"200 ",			200 },
	{ "phrase with spaces",		"404 Not  Found ",	404 },
	{ "obs-text",			"500 \xe4\xff",		500 },
	{ "own number",			"299 x",		299 },
	{ "no class of RFC 9110",	"600 x",		600 },
	{ "the last",			"999 x",		999 },
	{ "no space",			"200",			-1 },
	{ "nothing",			"",			-1 },
	{ "no number",			"abc",			-1 },
	{ "no number, long",		"abc def",		-1 },
	{ "phrase without space",	"200OK",		-1 },
	{ "tab for space",		"200\tOK",		-1 },
	{ "two digits",			"20 OK",		-1 },
	{ "four digits",		"2000 OK",		-1 },
	{ "leading space",		" 200 OK",		-1 },
	{ "sign",			"+20 OK",		-1 },
	{ "digit of another script",	"\xb2" "00 OK",		-1 },
	{ "not final",			"100 Continue",		-1 },
	{ "not final, 101",		"101 Switching Protocols", -1 },
	{ "below",			"099 x",		-1 },
	{ "splits the reply: CR LF",	"200 OK\r\nX: y",	-1 },
	{ "splits the reply: LF",	"200 OK\nX: y",		-1 },
	{ "splits the reply: CR",	"200 OK\rX: y",		-1 },
	{ "tab in the phrase",		"200 O\tK",		-1 },
	{ "DEL",			"200 OK\x7f",		-1 },
	{ "escape",			"200 \x1b[2J",		-1 },
};
/* clang-format on */

Test(http_reply, takes_only_a_status_that_pep3333_allows)
{
	int got;
	size_t i;

	for (i = 0; i < nitems(statuses); i++) {
		http_reply_reset(&reply);
		got = set_status(statuses[i].status);
		cr_expect_eq(got, statuses[i].want == -1 ? -1 : 0, "%s",
		    statuses[i].why);
		cr_expect_eq(got == -1, why != NULL, "%s", statuses[i].why);
		cr_expect_eq(
		    errno, got == -1 ? EINVAL : 0, "%s", statuses[i].why);
		cr_expect_eq(reply.status, got == -1 ? 0 : statuses[i].want,
		    "%s", statuses[i].why);
	}
}

Test(http_reply, refuses_a_nul_in_status_name_and_value)
{
	cr_expect_eq(http_reply_status(&reply, "200 O\0K", 7, &why), -1);
	cr_assert_eq(set_status("200 OK"), 0);
	cr_expect_eq(add_bytes("X\0Y", 3, "a", 1), -1);
	cr_expect_eq(add_bytes("X", 1, "a\0b", 3), -1);
	cr_expect_eq(add_bytes("X", 1, "\0", 1), -1);
	expect_text("HTTP/1.1 200 OK\r\n", "nothing was added");
}

Test(http_reply, second_status_replaces_all_that_was_said)
{
	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_field("Content-Length", "100"), 0);
	cr_assert_eq(add_field("X-Old", "1"), 0);
	cr_assert_eq(add_field("Date", "then"), 0);
	cr_assert_eq(add_field("Server", "mine"), 0);
	cr_assert_eq(add_field("Connection", "close"), 0);
	cr_assert_eq(set_status("500 Oops"), 0);
	expect_text("HTTP/1.1 500 Oops\r\n", "replaced");
	cr_expect_eq(reply.length, -1);
	cr_expect_not(reply.has_date);
	cr_expect_not(reply.has_server);
	cr_expect_not(reply.wants_close);
}

Test(http_reply, refused_status_leaves_the_first_in_place)
{
	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_field("X", "1"), 0);
	cr_assert_eq(set_status("abc"), -1);
	expect_text("HTTP/1.1 200 OK\r\nX: 1\r\n", "as it was");
	cr_expect_eq(reply.status, 200);
}

/* ---- fields ---- */

/* clang-format off */
static const struct {
	const char *why, *name, *value;
	int want;
	const char *text;
} fields[] = {
	{ "plain",		"X-A", "b",		0, "X-A: b\r\n" },
	{ "case is kept",	"x-FoO", "BaR",		0, "x-FoO: BaR\r\n" },
	{ "empty value",	"X", "",		0, "X: \r\n" },
	{ "all of a token",	"!#$%&'*+-.^_`|~09azAZ", "1",
	  0, "!#$%&'*+-.^_`|~09azAZ: 1\r\n" },
	{ "tab and obs-text",	"X", "a\tb \xe9\x80\xff", 0,
	  "X: a\tb \xe9\x80\xff\r\n" },
	{ "space around",	"X", " \t a b \t",	0, "X: a b\r\n" },
	{ "only space",		"X", " \t ",		0, "X: \r\n" },
	{ "Date is kept",	"Date", "now",		0, "Date: now\r\n" },
	{ "Server is kept",	"SERVER", "me",		0, "SERVER: me\r\n" },
	{ "Set-Cookie",		"Set-Cookie", "a=b; Path=/", 0,
	  "Set-Cookie: a=b; Path=/\r\n" },
	{ "end to end",		"Proxy-Authenticate", "Basic", 0,
	  "Proxy-Authenticate: Basic\r\n" },
	{ "prefix of a known",	"Connectio", "close",	0,
	  "Connectio: close\r\n" },
	{ "longer than a known", "TEx", "1",		0, "TEx: 1\r\n" },

	{ "empty name",		"", "x",		-1, "" },
	{ "space in name",	"X Y", "a",		-1, "" },
	{ "space after name",	"X ", "a",		-1, "" },
	{ "colon in name",	"X:", "a",		-1, "" },
	{ "CR LF in name",	"X\r\nY", "a",		-1, "" },
	{ "8 bits in name",	"X\xe9", "a",		-1, "" },
	{ "CR LF in value",	"X", "a\r\nY: b",	-1, "" },
	{ "LF in value",	"X", "a\nb",		-1, "" },
	{ "CR in value",	"X", "a\rb",		-1, "" },
	{ "LF at the end",	"X", "a\n",		-1, "" },
	{ "CR LF at the start",	"X", "\r\n a",		-1, "" },
	{ "DEL in value",	"X", "a\x7f",		-1, "" },
	{ "escape in value",	"X", "\x1b[2J",		-1, "" },
	{ "LF in a dropped one", "Keep-Alive", "a\nb",	-1, "" },

	{ "hop by hop",		"Connection", "keep-alive", 1, "" },
	{ "hop by hop",		"Connection", "X-Foo",	1, "" },
	{ "hop by hop",		"Connection", "",	1, "" },
	{ "hop by hop",		"Connection", "closed",	1, "" },
	{ "hop by hop",		"Keep-Alive", "timeout=5", 1, "" },
	{ "hop by hop",		"Proxy-Connection", "close", 1, "" },
	{ "hop by hop",		"TE", "trailers",	1, "" },
	{ "hop by hop",		"Trailer", "X",		1, "" },
	{ "hop by hop",		"Transfer-Encoding", "chunked", 1, "" },
	{ "hop by hop, any case", "tRaNsFeR-eNcOdInG", "gzip", 1, "" },
	{ "hop by hop",		"Upgrade", "websocket",	1, "" },
	{ "close is obeyed",	"Connection", "close",	0, "" },
	{ "close, any case",	"CONNECTION", "Close",	0, "" },
	{ "close in a list",	"Connection", "foo , close,", 0, "" },

	{ "length",		"Content-Length", "17",	0, "" },
	{ "length, spaced",	"content-length", " 17 ", 0, "" },
	{ "length, zeros",	"Content-Length", "0017", 0, "" },
	{ "length, most", "Content-Length", "9223372036854775807", 0, "" },
	{ "length + 1",	"Content-Length", "9223372036854775808", -1, "" },
	{ "2^64 + 5",	"Content-Length", "18446744073709551621", -1, "" },
	{ "no number",		"Content-Length", "abc", -1, "" },
	{ "number and junk",	"Content-Length", "17x", -1, "" },
	{ "empty",		"Content-Length", "",	-1, "" },
	{ "space",		"Content-Length", " ",	-1, "" },
	{ "negative",		"Content-Length", "-1",	-1, "" },
	{ "signed",		"Content-Length", "+1",	-1, "" },
	{ "list",		"Content-Length", "5, 5", -1, "" },
	{ "hex",		"Content-Length", "0x5", -1, "" },
	{ "other digits",	"Content-Length", "\xb2", -1, "" },
};
/* clang-format on */

Test(http_reply, takes_only_fields_that_rfc9110_allows)
{
	static const char status[] = "HTTP/1.1 200 OK\r\n";
	char want[256];
	size_t i;
	int got;

	for (i = 0; i < nitems(fields); i++) {
		cr_assert_eq(set_status("200 OK"), 0);
		got = add_field(fields[i].name, fields[i].value);
		cr_expect_eq(got, fields[i].want, "%s: %s", fields[i].why,
		    fields[i].value);
		cr_expect_eq(got == -1, why != NULL, "%s", fields[i].why);
		cr_expect_eq(errno, got == -1 ? EINVAL : 0);
		snprintf(want, sizeof(want), "%s%s", status, fields[i].text);
		expect_text(want, fields[i].why);
	}
}

Test(http_reply, refuses_a_second_content_length)
{
	cr_assert_eq(set_status("200 OK"), 0);
	cr_expect_eq(add_field("Content-Length", "0"), 0);
	cr_expect_eq(add_field("Content-Length", "0"), -1);
	cr_expect_not_null(why);
}

Test(http_reply, obeys_close_and_nothing_else_of_connection)
{
	cr_assert_eq(set_status("200 OK"), 0);
	cr_expect_eq(add_field("Connection", "keep-alive"), 1);
	cr_expect_not(reply.wants_close);
	cr_expect_eq(add_field("Connection", "x,\tCLOSE"), 0);
	cr_expect(reply.wants_close);
}

/* ---- memory ---- */

Test(http_reply, grows_to_hold_a_long_head)
{
	struct http_reply_context context = {.server = ""};
	char value[1000];
	unsigned i;

	memset(value, 'v', sizeof(value));
	cr_assert_eq(set_status("200 OK"), 0);
	for (i = 0; i < 1000; i++)
		cr_assert_eq(http_reply_field(
				 &reply, "X", 1, value, sizeof(value), &why),
		    0);
	cr_assert_eq(http_reply_finish(&reply, &context, 0), 0);
	cr_expect_gt(reply.len, 1000 * sizeof(value));
	cr_expect_leq(reply.len, reply.size);
	cr_expect_eq(memcmp(reply.text + reply.len - 4, "\r\n\r\n", 4), 0);
}

/* One byte too few shows under the address sanitizer. */
Test(http_reply, grows_at_any_length)
{
	static char value[2000];
	size_t len;

	memset(value, 'v', sizeof(value));
	for (len = 0; len < sizeof(value); len++) {
		http_reply_fini(&reply);
		cr_assert_eq(set_status("200 OK"), 0);
		cr_assert_eq(
		    http_reply_field(&reply, "X", 1, value, len, &why), 0);
		cr_assert_leq(reply.len, reply.size);
	}
}

Test(http_reply, keeps_its_memory_but_not_much_of_it)
{
	static char value[20000];
	char *text;

	cr_assert_eq(set_status("200 OK"), 0);
	text = reply.text;
	http_reply_reset(&reply);
	cr_expect_eq(reply.text, text);
	cr_expect_eq(reply.len, 0);
	cr_expect_eq(reply.status, 0);
	cr_expect_eq(reply.length, -1);

	memset(value, 'v', sizeof(value));
	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_bytes("X", 1, value, sizeof(value)), 0);
	cr_expect_gt(reply.size, sizeof(value));
	http_reply_reset(&reply);
	cr_expect_leq(reply.size, 16384);
	cr_assert_eq(set_status("200 OK"), 0);
	expect_text("HTTP/1.1 200 OK\r\n", "again");
}
