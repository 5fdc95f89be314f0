/* throttle: so many in each span, and the others are counted. */
#include <criterion/criterion.h>

#include "throttle.h"

TestSuite(throttle, .timeout = 20);

Test(throttle, allows_so_many_in_each_span)
{
	struct throttle t = {.limit = 2, .span_ms = 1000};

	cr_expect(throttle_allows(&t, 5000));
	cr_expect(throttle_allows(&t, 5999));
	cr_expect_not(throttle_allows(&t, 5999));
	cr_expect(throttle_allows(&t, 6000));
	cr_expect(throttle_allows(&t, 6001));
	cr_expect_not(throttle_allows(&t, 6999));
	cr_expect(throttle_allows(&t, 9000));
}

Test(throttle, tells_once_how_many_it_has_held_back)
{
	struct throttle t = {.limit = 1, .span_ms = 1000};
	int i;

	cr_expect_eq(throttle_take(&t, 5000), 0);
	for (i = 0; i < 8; i++)
		throttle_allows(&t, 5000);
	cr_expect_eq(throttle_take(&t, 5999), 0, "the span is not over");
	cr_expect_eq(throttle_take(&t, 6000), 7);
	cr_expect_eq(throttle_take(&t, 7000), 0);
}

Test(throttle, tells_also_while_it_goes_on)
{
	struct throttle t = {.limit = 1, .span_ms = 1000};
	uint64_t now_ms, told = 0, allowed = 0;

	for (now_ms = 5000; now_ms < 15000; now_ms++) {
		allowed += throttle_allows(&t, now_ms);
		if (now_ms % 1000 == 500)
			told += throttle_take(&t, now_ms);
	}
	cr_expect_eq(allowed, 10);
	cr_expect_geq(told, 8 * 999);
	told += throttle_take(&t, 16000);
	cr_expect_eq(told + allowed, 10000);
}

Test(throttle, without_a_limit_all_are_allowed)
{
	struct throttle t = {.span_ms = 1000};
	int i;

	for (i = 0; i < 100; i++)
		cr_expect(throttle_allows(&t, 5000));
	cr_expect_eq(throttle_take(&t, 9000), 0);
}
