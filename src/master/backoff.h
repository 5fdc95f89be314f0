/*
 * backoff - how long to wait before a worker that died is replaced.
 *
 * The first death costs nothing, each further one twice as long as the one
 * before, up to a longest pause.  Pure.
 */
#ifndef CGTHREAD_BACKOFF_H
#define CGTHREAD_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100 /* after the second death in a row */

struct backoff {
	int64_t max_ms;
	int64_t next_ms;
};

void backoff_init(struct backoff *, int64_t max_ms);
void backoff_reset(struct backoff *); /* it has proved itself */

/* Milliseconds to wait now; grows with every call. */
int64_t backoff_next(struct backoff *);

#endif
