/* request: the line that logs show of it. */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <string.h>

#include "macros.h"
#include "request.h"

TestSuite(request, .timeout = 20);

static struct request_context context = {.memory = {.limit = SIZE_MAX}};

static struct request *
request_from(const char *text, size_t len)
{
	struct request *req = request_new(&context);

	cr_assert_not_null(req);
	if (len > 0)
		cr_assert_eq(request_append(req, text, len), 0);
	return (req);
}

#define ROW(text, line)                      \
	{                                    \
		text, sizeof(text) - 1, line \
	}

/* clang-format off */
static const struct { const char *text; size_t len; const char *line; } rows[] = {
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1"),
	ROW("GET / HT", "GET / HT"),
	ROW("GET / HTTP/1.1\r", "GET / HTTP/1.1"),
	ROW("GET / HTTP/1.1\n", "GET / HTTP/1.1"),
	ROW("\r\nGET / HTTP/1.1\r\n", "GET / HTTP/1.1"),
	ROW("\r\n\r\nGET / HTTP/1.1\r\n", "GET / HTTP/1.1"),
	/* no request yet */
	ROW("", ""), ROW("\r", ""), ROW("\r\n", ""), ROW("\r\n\r", ""),
	ROW("\r\n\r\n", ""),
	/* what is refused is not the line behind */
	ROW("\r\n\r\n\r\nGET /follower HTTP/1.1\r\n", ""),
	ROW("\r\r\nGET /follower HTTP/1.1\r\n", ""),
	ROW("\rGET /follower HTTP/1.1\r\n", ""),
	ROW("\nGET /follower HTTP/1.1\r\n", ""),
	ROW("\r\n\nGET /follower HTTP/1.1\r\n", ""),
	/* a string ends with NUL, the line does not */
	ROW("\0GET / HTTP/1.1\r\n", "\\x00GET / HTTP/1.1"),
	ROW("GET /\0\0\x01\xff HTTP/1.1\r\n", "GET /\\x00\\x00\x01\xff HTTP/1.1"),
};
/* clang-format on */

Test(request, line_is_its_own_and_as_far_as_it_came)
{
	char line[REQUEST_LINE_SIZE];
	struct request *req;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		req = request_from(rows[i].text, rows[i].len);
		request_line(req, line, sizeof(line));
		cr_expect_str_eq(
		    line, rows[i].line, "%s: %s", rows[i].text, line);
		/* Has one begun?  Deadlines and the access log ask so. */
		cr_expect_eq(request_line_text(req).len > 0,
		    rows[i].line[0] != '\0', "%s", rows[i].text);
		request_free(&req);
	}
}

Test(request, line_is_cut_to_fit_and_not_within_an_escape)
{
	static const char *const cut[] = {
	    "", "a", "ab", "ab", "ab", "ab", "ab\\x00", "ab\\x00c", "ab\\x00c"};
	struct request *req = request_from("ab\0c\r\n", 6);
	char line[16];
	size_t size;

	for (size = 1; size <= nitems(cut); size++) {
		memset(line, '#', sizeof(line));
		request_line(req, line, size);
		cr_expect_str_eq(line, cut[size - 1], "%zu: %s", size, line);
		cr_expect_eq(line[size], '#');
	}
	request_free(&req);
}
