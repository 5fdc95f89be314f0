/* balance - when a connection is better off with another worker. */
#include <criterion/criterion.h>

#include <sys/mman.h>

#include "balance.h"
#include "clock.h"
#include "macros.h"
#include "scoreboard.h"

/* clang-format off */
static const struct {
	const char *why;
	struct load load, than;
	bool want;
} loads[] = {
	{ "both idle",			{ 0, 0 }, { 0, 0 }, false },
	{ "a first connection",		{ 0, 1 }, { 0, 0 }, false },
	{ "too small a difference",	{ 0, 2 }, { 0, 0 }, false },
	{ "clearly more connections",	{ 0, 3 }, { 0, 0 }, true },
	{ "fewer connections",		{ 0, 0 }, { 0, 9 }, false },
	{ "a 16th of many",		{ 0, 108 }, { 0, 100 }, false },
	{ "more than a 16th of many",	{ 0, 109 }, { 0, 100 }, true },
	{ "one that waits",		{ 1, 1 }, { 0, 1 }, true },
	{ "it weighs more than some connections", { 2, 1 }, { 0, 6 }, true },
	{ "but not more than many",	{ 2, 1 }, { 0, 7 }, false },
	{ "also the other way round",	{ 0, 12 }, { 2, 1 }, true },
	{ "many waiting in both",	{ 100, 9 }, { 95, 1 }, true },
	{ "nearly as many",		{ 100, 9 }, { 97, 1 }, false },
};
/* clang-format on */

Test(balance, calls_only_a_clear_difference_busier)
{
	size_t i;

	for (i = 0; i < nitems(loads); i++)
		cr_expect_eq(load_is_busier(&loads[i].load, &loads[i].than),
		    loads[i].want, "%s", loads[i].why);
}

/* Else all of them could leave a connection to the others. */
Test(balance, one_of_all_is_busier_than_no_other)
{
	struct load some[6 * 6];
	size_t i, j, least = 0;

	for (i = 0; i < nitems(some); i++)
		some[i] = (struct load){
		    .waiting = 15 - i % 6 * 3, .connections = 25 - i / 6 * 5};
	for (i = 1; i < nitems(some); i++)
		if (load_is_busier(&some[least], &some[i]))
			least = i;
	for (j = 0; j < nitems(some); j++)
		cr_expect_not(load_is_busier(&some[least], &some[j]));
	cr_expect_not(
	    load_is_busier(&(struct load){9, 5}, &(struct load){0, 44}));
}

static struct scoreboard *
make_board(unsigned n)
{
	int fd = memfd_create("scoreboard", MFD_CLOEXEC);
	const char *why;
	struct scoreboard *board;

	cr_assert_eq(scoreboard_write(fd, n), 0);
	board = scoreboard_open(fd, true, &why);
	cr_assert_not_null(board);
	return (board);
}

static struct scoreboard_line *
activate(struct scoreboard *board, unsigned slot, uint64_t connections)
{
	struct scoreboard_line *line = scoreboard_line(board, slot);

	scoreboard_set(&line->state, SCOREBOARD_ACTIVE);
	scoreboard_set(&line->heartbeat_ms, clock_ms());
	scoreboard_set(&line->connections, connections);
	return (line);
}

Test(balance, looks_at_others_only_while_they_serve_and_are_alive)
{
	struct scoreboard *board = make_board(2);
	struct scoreboard_line *other = activate(board, 2, 0);
	struct balance b;

	activate(board, 1, 10);
	balance_init(&b, board, 1, 4);
	cr_expect(balance_is_busier(&b, 10, BALANCE_SENDING));
	cr_expect(balance_has_others(&b));

	scoreboard_set(
	    &other->heartbeat_ms, clock_ms() - SCOREBOARD_STALE_MS - 100);
	cr_expect_not(balance_is_busier(&b, 10, BALANCE_SENDING), "stale");
	cr_expect_not(balance_has_others(&b));

	activate(board, 2, 0);
	scoreboard_set(&other->state, SCOREBOARD_DRAINING);
	cr_expect_not(balance_is_busier(&b, 10, BALANCE_SENDING), "drains");
	cr_expect_not(balance_has_others(&b));
}

Test(balance, counts_requests_only_beyond_the_threads)
{
	struct scoreboard *board = make_board(2);
	struct scoreboard_line *own = activate(board, 1, 1);
	struct balance b;

	activate(board, 2, 1);
	balance_init(&b, board, 1, 16);
	scoreboard_set(&own->running, 16);
	cr_expect_not(balance_is_busier(&b, 1, BALANCE_SENDING));
	scoreboard_set(&own->queued, 1);
	cr_expect(balance_is_busier(&b, 1, BALANCE_SENDING));
}

Test(balance, counts_what_is_under_way_as_the_others)
{
	struct scoreboard *board = make_board(3);
	struct scoreboard_line *own = activate(board, 1, 5);
	struct balance b;

	activate(board, 2, 0);
	activate(board, 3, 0);
	balance_init(&b, board, 1, 4);
	scoreboard_set(&own->handed_out, 10);
	cr_expect_not(balance_is_busier(&b, 5, BALANCE_SENDING));
	cr_expect(balance_is_busier(&b, 5, BALANCE_TAKING));
	scoreboard_set(&scoreboard_line(board, 2)->handed_in, 10);
	cr_expect(balance_is_busier(&b, 5, BALANCE_SENDING));
}

Test(balance, finds_the_idle_one_among_many)
{
	struct scoreboard *board = make_board(100);
	struct balance b;
	unsigned slot, i;
	bool found = false;

	for (slot = 1; slot <= 100; slot++)
		activate(board, slot, slot == 60 ? 0 : 10);
	balance_init(&b, board, 1, 4);
	for (i = 0; i < 8 && !found; i++)
		found = balance_is_busier(&b, 10, BALANCE_SENDING);
	cr_expect(found);
}

Test(balance, has_nobody_to_compare_with_when_alone)
{
	struct scoreboard *board = make_board(1);
	struct balance b;

	activate(board, 1, 50);
	balance_init(&b, board, 1, 4);
	cr_expect_not(balance_is_busier(&b, 50, BALANCE_SENDING));
	cr_expect_not(balance_has_others(&b));
}

/* clang-format off */
static const struct {
	const char *why;
	uint64_t after_ms, closed, requests, open;
	bool want;
} churns[] = {
	{ "one request each",		60, 100, 100, 20, true },
	{ "many requests each",		60, 100, 1000, 20, false },
	{ "more are open than went",	60, 10, 10, 20, false },
	{ "nothing happens",		60, 0, 0, 0, false },
	{ "too long ago to tell",	200, 100, 100, 20, false },
	{ "too soon to tell",		10, 100, 100, 20, false },
};
/* clang-format on */

Test(balance, knows_connections_that_live_for_one_request)
{
	struct churn churn;
	size_t i;

	for (i = 0; i < nitems(churns); i++) {
		churn = (struct churn){.looked_ms = 1000, .is_fast = true};
		churn_look(&churn, 1000 + churns[i].after_ms, churns[i].closed,
		    churns[i].requests, churns[i].open);
		cr_expect_eq(
		    churn.is_high, churns[i].want, "%s", churns[i].why);
		churn = (struct churn){.looked_ms = 1000};
		churn_look(&churn, 1000 + churns[i].after_ms, churns[i].closed,
		    churns[i].requests, churns[i].open);
		cr_expect_not(churn.is_high, "%s, once", churns[i].why);
	}
}
