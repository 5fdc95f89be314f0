/* child_state - see child_state.h. */
#include "child_state.h"

#include "check.h"
#include "macros.h"

#define TO(s) (1u << CHILD_##s)

/* clang-format off */
static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[CHILD_STARTING] = { "starting", TO(READY) | TO(DRAINING) | TO(GONE) },
	[CHILD_READY] = { "ready", TO(ACTIVE) | TO(DRAINING) | TO(GONE) },
	[CHILD_ACTIVE] = { "active", TO(DRAINING) | TO(GONE) },
	[CHILD_DRAINING] = { "draining", TO(GONE) },
	[CHILD_GONE] = { "gone", 0 },
};
/* clang-format on */
_Static_assert(nitems(states) == CHILD_NSTATES, "a state has no row");

enum child_state
child_state_move(enum child_state from, enum child_state to)
{
	ASSERT(from < CHILD_NSTATES && to < CHILD_NSTATES);
	ASSERT(states[from].to & (1u << to));
	return (to);
}

const char *
child_state_name(enum child_state state)
{
	ASSERT(state < CHILD_NSTATES);
	return (states[state].name);
}
