/* memory: when what has been freed goes back to the system. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "memory.h"

#define MIB ((size_t)1 << 20)

#ifdef __SANITIZE_ADDRESS__
#define KEEPS_FREED true /* to find who still uses it */
#else
#define KEEPS_FREED false
#endif

TestSuite(memory, .timeout = 60);

/* clang-format off */
static const struct {
	const char *why;
	size_t mib, connections;
	bool want;
} rows[] = {
	{ "the first look is the measure", 100, 0, false },
	{ "a little more", 103, 9, false },
	{ "a lot more", 104, 9, true },
	{ "less is the new measure", 50, 9, false },
	{ "more than that", 52, 9, true },
	{ "many connections", 50, 100, false },
	{ "half of them are gone", 50, 50, false },
	{ "more are gone", 50, 49, true },
};
/* clang-format on */

Test(memory, has_fallen_if_there_was_clearly_more)
{
	struct memory m;
	size_t i;

	memory_open(&m);
	for (i = 0; i < nitems(rows); i++)
		cr_expect_eq(memory_has_fallen(
				 &m, rows[i].mib * MIB, rows[i].connections),
		    rows[i].want, "%s", rows[i].why);
	memory_close(&m);
}

/* What free() would keep: the last block holds all before it. */
Test(memory, peak_is_trimmed_when_idle_and_only_then)
{
	static char *blocks[4000];
	struct memory m;
	size_t i, peak;

	memory_open(&m);
	memory_tick(&m, true, 0);
	for (i = 0; i < nitems(blocks); i++) {
		blocks[i] = malloc(16 << 10);
		cr_assert_not_null(blocks[i]);
		memset(blocks[i], 1, 16 << 10);
	}
	peak = m.floor + nitems(blocks) * (16 << 10);
	for (i = 0; i + 1 < nitems(blocks); i++)
		free(blocks[i]);
	memory_tick(&m, false, 0);
	cr_expect_not(atomic_load(&m.trimming), "something runs");
	memory_tick(&m, true, 0);
	memory_close(&m); /* when it is through */
	cr_expect(KEEPS_FREED || m.floor < peak / 2);
	free(blocks[i]);
}
