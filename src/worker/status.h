/*
 * status - this worker's line in the scoreboard: written here, and by acceptor
 * what it counts.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_STATUS_H
#define CGTHREAD_STATUS_H

#include <stdint.h>

#include <event2/event_struct.h>

#include "heritage.h"
#include "scoreboard.h"

struct conn_list;
struct pool;

struct status {
	struct scoreboard *scoreboard;
	struct scoreboard_line *line;
	uint64_t requests_before; /* of our predecessors in the slot */
	uint64_t backlog_low;     /* least since looked_ms */
	uint64_t looked_ms;       /* when that was shown */
	struct event tick;
};

/* Takes the scoreboard's descriptor; exits on failure. */
void status_open(struct status *, const struct heritage *);

/* Shows from here on that the worker is alive. */
void status_start(struct status *, struct event_base *);

/* To be seen by others before the worker acts as what it now is. */
void status_enter(struct status *, enum scoreboard_state);

/* What has changed; once in a turn of the loop. */
void status_publish(
    struct status *, const struct conn_list *, const struct pool *);

#endif
