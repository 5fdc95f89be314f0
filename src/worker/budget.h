/*
 * budget - memory that all connections of a worker share for what clients send
 * and do not take.
 *
 * Each of them is bounded by a limit of its own; their number is not small, so
 * that the product is.  The loop thread only.
 */
#ifndef CGTHREAD_BUDGET_H
#define CGTHREAD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

struct budget {
	size_t limit; /* (const) bytes */
	size_t used;
	bool is_short; /* somebody was refused since the loop last looked */
};

/* False: there is not so much left, and nothing was taken. */
static inline bool
budget_take(struct budget *b, size_t len)
{
	if (len > b->limit || b->used > b->limit - len) {
		b->is_short = true;
		return (false);
	}
	b->used += len;
	return (true);
}

/* The same for what has another place to go: a quarter is left to the others. */
static inline bool
budget_take_spare(struct budget *b, size_t len)
{
	size_t limit = b->limit - b->limit / 4;

	if (len > limit || b->used > limit - len)
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
	ASSERT(len <= b->used);
	b->used -= len;
}

static inline bool
budget_is_over(const struct budget *b)
{
	return (b->used > b->limit || b->is_short);
}

#endif
