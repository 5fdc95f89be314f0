#include "child_state.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "log.h"
#include "macros.h"

/* clang-format off */
static const struct {
	const char *why;
	enum child_state from, to;
} legal[] = {
	{ "the application is imported", CHILD_STARTING, CHILD_READY },
	{ "told to leave while it imports", CHILD_STARTING, CHILD_DRAINING },
	{ "dies while it imports", CHILD_STARTING, CHILD_GONE },
	{ "told to accept", CHILD_READY, CHILD_ACTIVE },
	{ "told to leave before it accepts", CHILD_READY, CHILD_DRAINING },
	{ "dies before it accepts", CHILD_READY, CHILD_GONE },
	{ "told to leave", CHILD_ACTIVE, CHILD_DRAINING },
	{ "dies while it serves", CHILD_ACTIVE, CHILD_GONE },
	{ "has left", CHILD_DRAINING, CHILD_GONE },
};
/* clang-format on */

static bool
is_legal(enum child_state from, enum child_state to)
{
	size_t i;

	for (i = 0; i < nitems(legal); i++)
		if (legal[i].from == from && legal[i].to == to)
			return (true);
	return (false);
}

Test(child_state, makes_every_legal_move)
{
	size_t i;

	for (i = 0; i < nitems(legal); i++)
		cr_expect_eq(child_state_move(legal[i].from, legal[i].to),
		    legal[i].to, "%s", legal[i].why);
}

static void
on_abort(int sig)
{
	(void)sig;
	_exit(3);
}

/* Whether the move aborts: tried in a child of this test. */
static bool
move_aborts(enum child_state from, enum child_state to)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, on_abort);
		log_init("test", -1); /* it is expected */
		child_state_move(from, to);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

Test(child_state, refuses_every_other_move)
{
	int from, to;

	for (from = 0; from < CHILD_NSTATES; from++)
		for (to = 0; to < CHILD_NSTATES; to++)
			cr_expect_eq(move_aborts((enum child_state)from,
					 (enum child_state)to),
			    !is_legal(
				(enum child_state)from, (enum child_state)to),
			    "%s to %s",
			    child_state_name((enum child_state)from),
			    child_state_name((enum child_state)to));
}

Test(child_state, refuses_to_come_back_from_the_dead, .signal = SIGABRT)
{
	child_state_move(CHILD_GONE, CHILD_STARTING);
}

Test(child_state, refuses_to_serve_without_being_ready, .signal = SIGABRT)
{
	child_state_move(CHILD_STARTING, CHILD_ACTIVE);
}

Test(child_state, has_a_name_for_each)
{
	cr_expect_str_eq(child_state_name(CHILD_STARTING), "starting");
	cr_expect_str_eq(child_state_name(CHILD_GONE), "gone");
}
