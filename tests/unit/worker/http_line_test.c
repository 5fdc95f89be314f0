/* http_line: lines that are sent again are those that were found good. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "http_line.h"
#include "http_reply.h"
#include "macros.h"

TestSuite(http_line, .timeout = 30);

/* A reply with this status and this field, as text; false if it is refused. */
static bool
make(const char *status, const char *name, const char *value, char text[512])
{
	struct http_reply reply;
	const char *why;
	bool good;

	http_reply_init(&reply);
	good = http_reply_status(&reply, status, strlen(status), &why) == 0 &&
	       http_reply_field(
		   &reply, name, strlen(name), value, strlen(value), &why) == 0;
	snprintf(text, 512, "%.*s", good ? (int)reply.len : 0,
	    good ? reply.text : "");
	http_reply_fini(&reply);
	return (good);
}

static const struct http_line *
find(const char *name, const char *value)
{
	return (http_line_find(name, strlen(name), value, strlen(value)));
}

Test(http_line, tells_lines_of_one_length_apart)
{
	static const char *const values[] = {"text/html; charset=utf-8",
	    "text/htmm; charset=utf-8", "text/html; charset=utf-9",
	    "test/html; charset=utf-8"};
	char want[512], text[512];
	size_t i;

	for (i = 0; i < 4 * nitems(values); i++) {
		const char *value = values[i * 3 % nitems(values)];

		snprintf(want, sizeof(want),
		    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n", value);
		cr_assert(make("200 OK", "Content-Type", value, text));
		cr_expect_str_eq(text, want);
	}
}

Test(http_line, keeps_the_spelling_of_each)
{
	char text[512];

	cr_assert(make("200 OK", "Vary", "Accept", text));
	cr_assert(make("200 OK", "vary", "Accept", text));
	cr_expect_str_eq(text, "HTTP/1.1 200 OK\r\nvary: Accept\r\n");
	cr_assert(make("200 ok", "Vary", "accept", text));
	cr_expect_str_eq(text, "HTTP/1.1 200 ok\r\nVary: accept\r\n");
}

/* clang-format off */
static const struct {
	const char *name, *value;
	bool is_kept;
	const char *why;
} kept[] = {
	{ "Content-Type",	"text/html",	true,	"common" },
	{ "cache-control",	"no-store",	true,	"in any case" },
	{ "Set-Cookie",		"session=1",	false,	"a secret" },
	{ "Location",		"/?token=1",	false,	"may be a secret" },
	{ "X-Own",		"value",	false,	"may be a secret" },
	{ "Date",		"today",	false,	"the head must know" },
	{ "Server",		"mine",		false,	"the head must know" },
	{ "Content-Length",	"12",		false,	"the head must know" },
	{ "Vary",		"",		false,	"nothing to compare" },
	{ "Allow",
	  "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE, CONNECT, LINK, "
	  "UNLINK, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK",
						false,	"too long" },
};
/* clang-format on */

Test(http_line, keeps_what_is_common_and_no_secret)
{
	char text[512];
	size_t i;

	for (i = 0; i < nitems(kept); i++) {
		cr_assert(make("200 OK", kept[i].name, kept[i].value, text));
		cr_expect_eq(find(kept[i].name, kept[i].value) != NULL,
		    kept[i].is_kept, "%s: %s", kept[i].name, kept[i].why);
	}
}

/* "Vary: a" with ": b" behind it is the same line, but not the same name. */
Test(http_line, a_name_ends_where_it_ended)
{
	char text[512];

	cr_assert(make("200 OK", "Vary", "a: b", text));
	cr_expect(find("Vary", "a: b") != NULL);
	cr_expect_not(make("200 OK", "Vary: a", "b", text));
}

Test(http_line, a_bad_status_is_refused_after_a_good_one)
{
	char text[512];

	cr_assert(make("200 OK", "Vary", "a", text));
	cr_expect_not(make("200\r\nX", "Vary", "a", text));
	cr_expect_not(make("20x OK", "Vary", "a", text));
	cr_expect_not(make("200 O\n", "Vary", "a", text));
	cr_expect(make("200 OK", "Vary", "a", text));
}

static void *
look(void *found)
{
	*(bool *)found = find("Vary", "a") != NULL;
	return (NULL);
}

Test(http_line, belongs_to_one_thread)
{
	pthread_t thread;
	char text[512];
	bool found = true;

	cr_assert(make("200 OK", "Vary", "a", text));
	cr_assert_eq(pthread_create(&thread, NULL, look, &found), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_not(found);
}
