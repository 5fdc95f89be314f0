/*
 * deadline - who has waited too long, at constant cost for each.
 *
 * All members of a queue wait for the same time, so the queue is in order when
 * each is put at its end: setting, moving and cancelling are O(1), and only the
 * head need be looked at.  The loop has one queue for each timeout and one
 * timer for all of them.
 *
 * The loop thread only.  The clock is the caller's: milliseconds of clock_ms().
 */
#ifndef CGTHREAD_DEADLINE_H
#define CGTHREAD_DEADLINE_H

#include <stdint.h>
#include <sys/queue.h>

struct deadline {
	TAILQ_ENTRY(deadline) link;
	struct deadline_queue *queue; /* NULL: none is set */
	uint64_t at_ms;
};

TAILQ_HEAD(deadline_list, deadline);

struct deadline_queue {
	struct deadline_list list; /* soonest first */
	uint64_t after_ms;         /* how long each may wait; 0 = for ever */
};

#define DEADLINE_NEVER UINT64_MAX

void deadline_queue_init(struct deadline_queue *, uint64_t after_ms);

void deadline_init(struct deadline *);
/* Puts d into q, out of the queue it was in. */
void deadline_set(
    struct deadline *d, struct deadline_queue *q, uint64_t now_ms);
void deadline_cancel(struct deadline *);

/* The first one that is due, taken out of the queue; NULL if none is. */
struct deadline *deadline_take_due(struct deadline_queue *, uint64_t now_ms);

/* When the first of the queue is due, or DEADLINE_NEVER. */
uint64_t deadline_next(const struct deadline_queue *);

#endif
