#include "backoff.h"

#include <criterion/criterion.h>

#include "macros.h"

/* clang-format off */
static const struct {
	const char *why;
	int64_t max_ms;
	int64_t want[8];
} cases[] = {
	{ "doubles up to the bound", 1000,
	  { 0, 100, 200, 400, 800, 1000, 1000, 1000 } },
	{ "meets a bound that is a double exactly", 400,
	  { 0, 100, 200, 400, 400, 400, 400, 400 } },
	{ "a bound below the first step is the first step", 30,
	  { 0, 30, 30, 30, 30, 30, 30, 30 } },
	{ "a bound of 1 ms is kept", 1, { 0, 1, 1, 1, 1, 1, 1, 1 } },
	{ "no bound but the type's overflows nothing", INT64_MAX,
	  { 0, 100, 200, 400, 800, 1600, 3200, 6400 } },
};
/* clang-format on */

Test(backoff, replaces_the_first_at_once_and_waits_longer_each_time)
{
	struct backoff b;
	size_t i, j;

	for (i = 0; i < nitems(cases); i++) {
		backoff_init(&b, cases[i].max_ms);
		for (j = 0; j < nitems(cases[i].want); j++)
			cr_expect_eq(backoff_next(&b), cases[i].want[j],
			    "%s, step %zu", cases[i].why, j);
	}
}

Test(backoff, never_leaves_the_bound)
{
	struct backoff b;
	int64_t ms, last = 0;
	int i;

	backoff_init(&b, INT64_MAX);
	for (i = 0; i < 100; i++) {
		ms = backoff_next(&b);
		cr_assert_geq(ms, last, "step %d", i);
		last = ms;
	}
	cr_expect_eq(last, INT64_MAX);
}

Test(backoff, starts_anew_after_reset)
{
	struct backoff b;

	backoff_init(&b, 1000);
	backoff_next(&b);
	backoff_next(&b);
	backoff_reset(&b);
	cr_expect_eq(backoff_next(&b), 0);
	cr_expect_eq(backoff_next(&b), BACKOFF_FIRST_MS);
}
