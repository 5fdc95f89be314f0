/*
 * acceptor_private - what the parts of acceptor share: acceptor.c listens and
 * accepts, acceptor_queue.c hands over to other workers and takes from them.
 */
#ifndef CGTHREAD_ACCEPTOR_PRIVATE_H
#define CGTHREAD_ACCEPTOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "acceptor.h"
#include "balance.h"
#include "handover.h"
#include "peer.h"
#include "throttle.h"

/* Connections taken from one listener, or the queue, before others have their
 * turn. */
#define ACCEPTS_PER_TURN 64

struct listener {
	int fd;
	struct local local;
	struct event event;
	unsigned index;
	struct acceptor *acceptor;
};

struct acceptor {
	struct conn_list *conns; /* NULL: not started */
	struct event pause;
	bool is_paused;
	bool is_full; /* at max_connections */
	bool is_draining;
	size_t max_connections;
	struct throttle pausing, full, closing; /* what the log is told */
	uint64_t done_ms; /* draining: when it first had no connection; or 0 */
	struct scoreboard_line *line;
	struct balance balance;
	struct handover handover;
	struct event queue, look_again; /* queue: of a handover that is open */
	size_t nlisteners;
	struct listener listeners[];
};

enum accept_result { ACCEPT_ONE, ACCEPT_NONE, ACCEPT_NO_ROOM, ACCEPT_BROKEN };

/* Serves fd, which is taken. */
void acceptor_keep(
    struct acceptor *, int fd, const struct peer *, const struct local *);

/* Leaves listeners and queue alone for a while; errno says why. */
void acceptor_pause(struct acceptor *);
bool acceptor_has_room(struct acceptor *);
/* False: no idle connection could be closed. */
bool acceptor_make_room(struct acceptor *);

/* acceptor_queue.c: */

/* 0, or -1 with errno. */
int acceptor_open_queue(struct acceptor *, const struct acceptor_settings *);
bool acceptor_has_queue(const struct acceptor *);

/* To others, if we are clearly busier; *fd is gone then. */
bool acceptor_give_away(struct listener *, int *fd, const struct peer *);

/* Draining: true if something had to be left to others. */
bool acceptor_take_rest(struct acceptor *);

#endif
