/* distance - near words are near, whatever way the slip went. */
#include <criterion/criterion.h>

#include <string.h>

#include "distance.h"
#include "guarded.h"
#include "macros.h"

/* clang-format off */
static const struct {
	const char *why, *a, *b;
	unsigned want;
} cases[] = {
	{ "the same",		"workers", "workers",	0 },
	{ "both empty",		"", "",			0 },
	{ "one empty",		"", "abc",		3 },
	{ "dropped",		"wrkers", "workers",	1 },
	{ "added",		"workerss", "workers",	1 },
	{ "changed",		"workerz", "workers",	1 },
	{ "swapped",		"wrokers", "workers",	1 },
	{ "swapped at the start", "owrkers", "workers",	1 },
	{ "swapped at the end",	"workesr", "workers",	1 },
	{ "swapped, alone",	"ab", "ba",		1 },
	{ "not a swap: a letter between", "abc", "cba",	2 },
	{ "two slips",		"wrokerz", "workers",	2 },
	{ "nothing in common",	"abc", "xyz",		3 },
	{ "case",		"Workers", "workers",	1 },
};
/* clang-format on */

Test(distance, counts_slips_the_same_both_ways)
{
	const char *a, *b;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		a = guarded_text(cases[i].a);
		b = guarded_text(cases[i].b);
		cr_expect_eq(distance_between(a, b), cases[i].want, "%s: %u",
		    cases[i].why, distance_between(a, b));
		cr_expect_eq(distance_between(b, a), cases[i].want, "%s: %u",
		    cases[i].why, distance_between(b, a));
	}
}

Test(distance, takes_a_word_beyond_its_table_for_far)
{
	char longest[DISTANCE_WORD_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[DISTANCE_WORD_MAX + 1] = '\0';
	cr_expect_eq(distance_between(longest, "a"), DISTANCE_FAR);
	cr_expect_eq(distance_between("a", longest), DISTANCE_FAR);
	longest[DISTANCE_WORD_MAX] = '\0';
	cr_expect_eq(distance_between(longest, "a"), DISTANCE_WORD_MAX - 1);
	cr_expect_eq(distance_between(longest, longest), 0);
}

Test(distance, is_near_within_a_third_and_one_letter_always)
{
	cr_expect(distance_is_near(1, "env"));
	cr_expect(!distance_is_near(2, "env"));
	cr_expect(distance_is_near(1, "a"));
	cr_expect(distance_is_near(3, "keepalive"));
	cr_expect(!distance_is_near(4, "keepalive"));
}
