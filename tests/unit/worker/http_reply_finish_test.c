/* http_reply_finish and http_reply_error: the reply is framed by RFC 9112 6.3,
 * whatever the application said. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "http_reply.h"
#include "macros.h"

static struct http_reply reply;

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

TestSuite(http_reply_finish, .init = set_up, .fini = tear_down, .timeout = 30);

static int
set_status(const char *status)
{
	const char *why;

	return (http_reply_status(&reply, status, strlen(status), &why));
}

static int
add_field(const char *name, const char *value)
{
	const char *why;

	return (http_reply_field(
	    &reply, name, strlen(name), value, strlen(value), &why));
}

static void
expect_text(const char *want, const char *of)
{
	cr_expect(reply.len == strlen(want) &&
		      memcmp(reply.text, want, reply.len) == 0,
	    "%s: got \"%.*s\"", of, (int)reply.len, reply.text);
}

#define NONE  (-1)
#define DATE  "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
#define CLOSE "Connection: close\r\n"
#define KEEP  "Connection: keep-alive\r\n"
#define CODED "Transfer-Encoding: chunked\r\n"

/* What kind of request, and what the server would do. */
enum { GET = 0, HEAD = 1, OLD = 2, LAST = 4 };

/* clang-format off */
static const struct {
	const char *why;
	int status, request;
	const char *length; /* the application's, or NULL */
	int64_t known;
	enum http_reply_framing framing;
	bool keep_alive;
	const char *tail;
} framings[] = {
	{ "body known before the head", 200, GET, NULL, 2,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 2\r\n" },
	{ "no body", 200, GET, NULL, 0,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 0\r\n" },
	{ "body unknown", 200, GET, NULL, NONE,
	  HTTP_REPLY_CHUNKED, true, CODED },
	{ "the application's word", 200, GET, "7", NONE,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 7\r\n" },
	{ "the application's word against ours", 200, GET, "7", 2,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 7\r\n" },
	{ "zero is a word too", 200, GET, "0", 2,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 0\r\n" },
	{ "length in one form", 200, GET, "007", NONE,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 7\r\n" },
	{ "the longest", 200, GET, "9223372036854775807", NONE,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 9223372036854775807\r\n" },
	{ "an error is framed alike", 500, GET, NULL, NONE,
	  HTTP_REPLY_CHUNKED, true, CODED },

	{ "last one: length", 200, LAST, NULL, 2,
	  HTTP_REPLY_LENGTH, false, "Content-Length: 2\r\n" CLOSE },
	{ "last one: unknown", 200, LAST, NULL, NONE,
	  HTTP_REPLY_CHUNKED, false, CODED CLOSE },

	{ "HEAD keeps the length", 200, HEAD, "9", NONE,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 9\r\n" },
	{ "HEAD, length known", 200, HEAD, NULL, 9,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 9\r\n" },
	{ "HEAD, an empty body proves nothing", 200, HEAD, NULL, 0,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "HEAD, unknown", 200, HEAD, NULL, NONE,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "HEAD of HTTP/1.0, unknown", 200, HEAD | OLD, NULL, NONE,
	  HTTP_REPLY_NO_BODY, true, KEEP },

	{ "204 has no length", 204, GET, "9", NONE,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "204 has no length, known", 204, GET, NULL, 0,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "204 to HEAD", 204, HEAD, "9", 9,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "304 keeps the length", 304, GET, "9", 0,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 9\r\n" },
	{ "304 gets no length", 304, GET, NULL, 0,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "304 to HEAD gets none", 304, HEAD, NULL, 9,
	  HTTP_REPLY_NO_BODY, true, "" },
	{ "RFC 9110 15.3.6: 205 is empty", 205, GET, NULL, NONE,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 0\r\n" },
	{ "205 has no other length", 205, GET, "9", 9,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 0\r\n" },
	{ "205 to HEAD", 205, HEAD, "9", 9,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 0\r\n" },
	{ "HTTP/1.0, 205", 205, OLD, NULL, NONE,
	  HTTP_REPLY_NO_BODY, true, "Content-Length: 0\r\n" KEEP },

	{ "HTTP/1.0, length known", 200, OLD, NULL, 2,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 2\r\n" KEEP },
	{ "HTTP/1.0, the application's length", 200, OLD, "2", NONE,
	  HTTP_REPLY_LENGTH, true, "Content-Length: 2\r\n" KEEP },
	{ "HTTP/1.0, unknown", 200, OLD, NULL, NONE,
	  HTTP_REPLY_CLOSE, false, CLOSE },
	{ "HTTP/1.0, last one", 200, OLD | LAST, NULL, 2,
	  HTTP_REPLY_LENGTH, false, "Content-Length: 2\r\n" CLOSE },
	{ "HTTP/1.0, 304", 304, OLD, NULL, NONE,
	  HTTP_REPLY_NO_BODY, true, KEEP },
};
/* clang-format on */

static struct http_reply_context
context_of(int request)
{
	return ((struct http_reply_context){.is_head = request & HEAD,
	    .is_http10 = request & OLD,
	    .keep_alive = !(request & LAST),
	    .server = ""});
}

Test(http_reply_finish, frames_the_body_by_rfc9112)
{
	struct http_reply_context context;
	char text[256];
	size_t i;

	for (i = 0; i < nitems(framings); i++) {
		context = context_of(framings[i].request);
		snprintf(text, sizeof(text), "%d x", framings[i].status);
		cr_assert_eq(set_status(text), 0);
		if (framings[i].length != NULL)
			cr_assert_eq(
			    add_field("Content-Length", framings[i].length), 0);
		cr_assert_eq(
		    http_reply_finish(&reply, &context, framings[i].known), 0);
		cr_expect_eq(
		    reply.framing, framings[i].framing, "%s", framings[i].why);
		cr_expect_eq(reply.keep_alive, framings[i].keep_alive, "%s",
		    framings[i].why);
		snprintf(text, sizeof(text), "HTTP/1.1 %d x\r\n" DATE "%s\r\n",
		    framings[i].status, framings[i].tail);
		expect_text(text, framings[i].why);
	}
}

Test(http_reply_finish, closes_when_the_application_says_so)
{
	struct http_reply_context context = context_of(GET);

	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_field("Connection", "close"), 0);
	cr_assert_eq(http_reply_finish(&reply, &context, 1), 0);
	cr_expect_not(reply.keep_alive);
	expect_text("HTTP/1.1 200 OK\r\n" DATE "Content-Length: 1\r\n" CLOSE
		    "\r\n",
	    "close");
}

Test(http_reply_finish, tells_the_length_that_it_framed_by)
{
	struct http_reply_context context = context_of(GET);

	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(http_reply_finish(&reply, &context, 12), 0);
	cr_expect_eq(reply.length, 12);
	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(http_reply_finish(&reply, &context, -1), 0);
	cr_expect_eq(reply.length, -1);
}

Test(http_reply_finish, adds_server_and_date_once)
{
	struct http_reply_context context = context_of(GET);

	context.server = "cgthread";
	context.now = 784111777;
	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(http_reply_finish(&reply, &context, 0), 0);
	expect_text(
	    "HTTP/1.1 200 OK\r\n"
	    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: cgthread\r\n"
	    "Content-Length: 0\r\n\r\n",
	    "the server's");

	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_field("server", "mine"), 0);
	cr_assert_eq(add_field("date", "my own"), 0);
	cr_assert_eq(http_reply_finish(&reply, &context, 0), 0);
	expect_text("HTTP/1.1 200 OK\r\nserver: mine\r\ndate: my own\r\n"
		    "Content-Length: 0\r\n\r\n",
	    "the application's");
}

/* ---- the server's own replies ---- */

Test(http_reply_finish, error_is_a_whole_reply)
{
	struct http_reply_context context = context_of(LAST);

	cr_assert_eq(http_reply_error(&reply, &context, 400, NULL), 0);
	expect_text(
	    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" DATE
	    "Content-Length: 16\r\n" CLOSE "\r\n400 Bad Request\n",
	    "400");
	cr_expect_eq(reply.status, 400);
	cr_expect_not(reply.keep_alive);
}

Test(http_reply_finish, error_to_head_has_the_length_and_no_body)
{
	struct http_reply_context context = context_of(HEAD);

	cr_assert_eq(
	    http_reply_error(&reply, &context, 503, "Retry-After: 1\r\n"), 0);
	expect_text("HTTP/1.1 503 Service Unavailable\r\n"
		    "Content-Type: text/plain\r\nRetry-After: 1\r\n" DATE
		    "Content-Length: 24\r\n\r\n",
	    "503");
	cr_expect(reply.keep_alive);
}

Test(http_reply_finish, error_replaces_what_was_begun)
{
	struct http_reply_context context = context_of(LAST);

	cr_assert_eq(set_status("200 OK"), 0);
	cr_assert_eq(add_field("Content-Length", "5"), 0);
	cr_assert_eq(http_reply_error(&reply, &context, 500, NULL), 0);
	cr_expect_null(memmem(reply.text, reply.len, "200", 3));
	cr_expect_eq(reply.length, strlen("500 Internal Server Error\n"));
}

Test(http_reply_finish, every_status_has_a_phrase)
{
	static const int ours[] = {
	    400, 408, 413, 414, 417, 431, 500, 501, 503, 504, 505};
	struct http_reply_context context = context_of(LAST);
	size_t i;
	int status;

	cr_expect_str_eq(http_reply_phrase(400), "Bad Request");
	for (i = 0; i < nitems(ours); i++)
		cr_expect_str_neq(http_reply_phrase(ours[i]),
		    http_reply_phrase(599), "%d", ours[i]);
	for (status = -1; status < 1000; status++)
		cr_expect_not_null(http_reply_phrase(status));
	for (status = 200; status < 600; status++)
		cr_expect_eq(http_reply_error(&reply, &context, status, NULL),
		    0, "%d", status);
}
