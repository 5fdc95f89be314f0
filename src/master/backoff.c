/* backoff - see backoff.h. */
#include "backoff.h"

static int64_t
at_most(int64_t ms, int64_t max_ms)
{
	return (ms < max_ms ? ms : max_ms);
}

void
backoff_init(struct backoff *b, int64_t max_ms)
{
	b->max_ms = max_ms;
	backoff_reset(b);
}

void
backoff_reset(struct backoff *b)
{
	b->next_ms = 0;
}

int64_t
backoff_next(struct backoff *b)
{
	int64_t now_ms = b->next_ms;

	/* Half of the bound is looked at, not the double of the value: the
	 * bound is an operator's and may be the largest number there is. */
	if (now_ms == 0)
		b->next_ms = at_most(BACKOFF_FIRST_MS, b->max_ms);
	else if (now_ms > b->max_ms / 2)
		b->next_ms = b->max_ms;
	else
		b->next_ms = now_ms * 2;
	return (now_ms);
}
