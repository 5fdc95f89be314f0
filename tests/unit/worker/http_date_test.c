/* http_date: RFC 9110 5.6.7, for every day that can be written. */
#include <criterion/criterion.h>

#include <string.h>
#include <time.h>

#include "http_date.h"
#include "macros.h"

#define DAY  86400
#define LAST 253402300799 /* 9999-12-31 23:59:59 */

/* clang-format off */
static const struct { const char *why; time_t in; const char *want; } cases[] = {
	{ "the epoch",		0,	"Thu, 01 Jan 1970 00:00:00 GMT" },
	{ "the RFC's example",	784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
	{ "a leap day",		951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
	{ "2100 has none",	4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
	{ "beyond 32 bits",	2147483648, "Tue, 19 Jan 2038 03:14:08 GMT" },
	{ "the last",		LAST,	"Fri, 31 Dec 9999 23:59:59 GMT" },
	{ "too late",		LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT" },
	{ "before all",		-1,	"Thu, 01 Jan 1970 00:00:00 GMT" },
};
/* clang-format on */

Test(http_date, writes_the_form_of_rfc9110)
{
	char buf[HTTP_DATE_SIZE];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		memset(buf, 'x', sizeof(buf));
		http_date(cases[i].in, buf);
		cr_expect_str_eq(buf, cases[i].want, "%s", cases[i].why);
		cr_expect_eq(strlen(buf), HTTP_DATE_SIZE - 1);
	}
}

/* The C library as the oracle: each day of 600 years, at another hour. */
Test(http_date, agrees_with_the_c_library, .timeout = 60)
{
	char buf[HTTP_DATE_SIZE], want[HTTP_DATE_SIZE];
	struct tm tm;
	time_t t;

	for (t = 0; t < (time_t)600 * 366 * DAY; t += DAY + 3607) {
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date(t, buf);
		cr_assert_str_eq(buf, want);
	}
}

Test(http_date, of_a_thread_follows_the_time)
{
	const time_t times[] = {0, 0, 1, 1, 0, 951782399, 951782400, -1, 0};
	char want[HTTP_DATE_SIZE];
	size_t i;

	for (i = 0; i < nitems(times); i++) {
		http_date(times[i], want);
		cr_expect_str_eq(http_date_of_thread(times[i]), want);
	}
}
