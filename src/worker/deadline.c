/* deadline - see deadline.h. */
#include "deadline.h"

#include <stddef.h>

#include "check.h"

void
deadline_queue_init(struct deadline_queue *q, uint64_t after_ms)
{
	TAILQ_INIT(&q->list);
	q->after_ms = after_ms;
}

void
deadline_init(struct deadline *d)
{
	d->queue = NULL;
	d->at_ms = DEADLINE_NEVER;
}

void
deadline_set(struct deadline *d, struct deadline_queue *q, uint64_t now_ms)
{
	struct deadline *last;

	deadline_cancel(d);
	if (q->after_ms == 0)
		return;
	d->queue = q;
	d->at_ms = now_ms + q->after_ms;

	/* A clock that runs backwards is all that could break the order. */
	last = TAILQ_LAST(&q->list, deadline_list);
	DIAG(last == NULL || last->at_ms <= d->at_ms);
	(void)last;
	TAILQ_INSERT_TAIL(&q->list, d, link);
}

void
deadline_cancel(struct deadline *d)
{
	if (d->queue == NULL)
		return;
	TAILQ_REMOVE(&d->queue->list, d, link);
	deadline_init(d);
}

struct deadline *
deadline_take_due(struct deadline_queue *q, uint64_t now_ms)
{
	struct deadline *d = TAILQ_FIRST(&q->list);

	if (d == NULL || d->at_ms > now_ms)
		return (NULL);
	deadline_cancel(d);
	return (d);
}

uint64_t
deadline_next(const struct deadline_queue *q)
{
	const struct deadline *d = TAILQ_FIRST(&q->list);

	return (d != NULL ? d->at_ms : DEADLINE_NEVER);
}
