/*
 * throttle - how many lines clients may cause in the log, so that whoever sends
 * nonsense can neither fill the disk nor hide what else is said.
 *
 * Whoever is allowed writes a line; those that are not are counted, and told of
 * together.  Zeroed but for limit and span_ms it is ready.  The loop thread only.
 */
#ifndef CGTHREAD_THROTTLE_H
#define CGTHREAD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
	unsigned limit;     /* (const) lines in each span; 0: any number */
	uint64_t span_ms;   /* (const) */
	uint64_t begin_ms;  /* of this span */
	unsigned told;      /* lines in it */
	uint64_t held_back; /* in it */
	uint64_t due;       /* held back in spans that are over */
};

/* The next one begins once this one is over. */
static inline void
throttle_turn(struct throttle *t, uint64_t now_ms)
{
	if (t->told > 0 && now_ms - t->begin_ms < t->span_ms)
		return;
	t->begin_ms = now_ms;
	t->told = 0;
	t->due += t->held_back;
	t->held_back = 0;
}

/* May a line be written?  now_ms: of clock_ms(). */
static inline bool
throttle_allows(struct throttle *t, uint64_t now_ms)
{
	throttle_turn(t, now_ms);
	if (t->limit == 0 || t->told < t->limit) {
		t->told++;
		return (true);
	}
	t->held_back++;
	return (false);
}

/* How many were not allowed in spans that are over, and not taken yet. */
static inline uint64_t
throttle_take(struct throttle *t, uint64_t now_ms)
{
	uint64_t due;

	throttle_turn(t, now_ms);
	due = t->due;
	t->due = 0;
	return (due);
}

#endif
