/* http_host: what RFC 9110 7.2 and RFC 3986 3.2.2 have as a host and a port. */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <string.h>

#include "guarded.h"
#include "http_host.h"
#include "macros.h"

TestSuite(http_host, .timeout = 30);

#define ROW(text, is_valid)                      \
	{                                        \
		text, sizeof(text) - 1, is_valid \
	}

/* clang-format off */
static const struct {
	const char *text;
	size_t len;
	bool is_valid;
} rows[] = {
	ROW("a", true),
	ROW("example.org", true),
	ROW("example.org:8000", true),
	ROW("EXAMPLE.org.", true),
	ROW("a_b", true),
	ROW("192.0.2.1:80", true),
	ROW("a:", true),		/* RFC 3986 3.2.3 */
	ROW("a:123456", true),
	ROW("a%2Db%c3%A4", true),
	ROW("a!$&'()*+,;=~", true),
	ROW("[::]", true),
	ROW("[::1]:8000", true),
	ROW("[fe80::1]:", true),
	ROW("[::ffff:192.0.2.1]", true),
	ROW("[1234:5678:9abc:def0:1234:5678:9abc:def0]", true),

	ROW("", false),
	ROW(":80", false),
	ROW("a b", false),
	ROW("a:b", false),
	ROW("a:1:2", false),
	ROW("a:-1", false),
	ROW("a: 1", false),
	ROW("::1", false),
	ROW("a/", false),
	ROW("a?", false),
	ROW("a#", false),
	ROW("a\\b", false),
	ROW("u@a", false),
	ROW("a%", false),
	ROW("a%4", false),
	ROW("a%4g", false),
	ROW("a%:80", false),
	ROW("a[", false),
	ROW("a]", false),
	ROW("a[1]", false),
	ROW("[", false),
	ROW("[]", false),
	ROW("[::1", false),
	ROW("[::1]a", false),
	ROW("[::1]80", false),
	ROW("[::1]:a", false),
	ROW("[::1]]", false),
	ROW("[[::1]]", false),
	ROW("[::g]", false),
	ROW("[::1\0]", false),
	ROW("[fe80::1%25eth0]", false),
	ROW("[fe80::1%eth0]", false),
	ROW("[v1.a]", false),		/* there is none yet */
	ROW("[192.0.2.1]", false),
	ROW("[1234:5678:9abc:def0:1234:5678:9abc:def0:1234:5678:9abc:def0]",
	    false),
	ROW("a\0b", false),
	ROW("a\x7f", false),
	ROW("\xc3\xa4", false),
};
/* clang-format on */

Test(http_host, takes_what_the_grammar_has_and_nothing_else)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		cr_expect_eq(
		    http_host_is_valid(
			guarded(rows[i].text, rows[i].len), rows[i].len),
		    rows[i].is_valid, "\"%s\"", rows[i].text);
}
