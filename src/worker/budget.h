/*
 * budget - memory that all connections of a worker share for what clients send
 * and do not take.
 *
 * Each of them is bounded by a limit of its own; their number is not small, so
 * that the product is.  What comes in may have three quarters of it: so the last
 * quarter is always there for replies that are not sent yet, and whoever sends too
 * much costs no reader his connection.  The loop thread only.
 */
#ifndef CGTHREAD_BUDGET_H
#define CGTHREAD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

struct budget {
	size_t limit; /* (const) bytes */
	size_t used;
	size_t unsent; /* of used: replies */
	bool is_short; /* unsent replies were in a request's way since the loop
			  last looked */
};

/* What requests may have. */
static inline size_t
budget_input_max(const struct budget *b)
{
	return (b->limit - b->limit / 4);
}

/* For what has no other place.  False: there is not so much left, and nothing was
 * taken. */
static inline bool
budget_take(struct budget *b, size_t len)
{
	size_t max = budget_input_max(b), input = b->used - b->unsent;

	if (input > max || len > max - input)
		return (false);
	if (b->used > b->limit || len > b->limit - b->used) {
		b->is_short = true;
		return (false);
	}
	b->used += len;
	return (true);
}

/* The same for what has another place to go: it does not go to the limit. */
static inline bool
budget_take_spare(struct budget *b, size_t len)
{
	size_t max = budget_input_max(b);

	if (b->used > max || len > max - b->used)
		return (false);
	b->used += len;
	return (true);
}

/* What is there already, whether it fits or not. */
static inline void
budget_count(struct budget *b, size_t len)
{
	b->used += len;
}

static inline void
budget_give(struct budget *b, size_t len)
{
	ASSERT(len <= b->used - b->unsent);
	b->used -= len;
}

/* Of one reply so many bytes wait now, and so many did before. */
static inline void
budget_count_unsent(struct budget *b, size_t before, size_t now)
{
	ASSERT(before <= b->unsent);
	b->unsent += now - before;
	b->used += now - before;
}

/* Replies have more than they may. */
static inline bool
budget_is_over(const struct budget *b)
{
	return ((b->used > b->limit || b->is_short) &&
		b->unsent > b->limit - budget_input_max(b));
}

#endif
