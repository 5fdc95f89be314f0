/*
 * acceptor - the worker's side of the listening sockets.
 *
 * The sockets are the master's and shared with the other workers: who accepts
 * first has the connection, unless it is clearly busier than another one.  Then
 * the connection goes into the queue that all workers share (handover.h) and is
 * taken by one that is not; once, and it stays there.
 *
 * At max_connections an idle one is closed for each new one; while none is idle
 * accepting pauses.  So it does for a moment when descriptors or memory have run
 * out, since a readable listener that is not read would keep the loop spinning.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_ACCEPTOR_H
#define CGTHREAD_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "conn.h"

struct acceptor;
struct event_base;
struct scoreboard;

struct acceptor_settings {
	struct event_base *base;
	const int *listen_fds; /* taken; guarded by fork_guard */
	size_t nlisten;
	size_t max_connections;
	int handover_send_fd, handover_receive_fd; /* -1: none */
	const struct scoreboard *scoreboard;
	unsigned slot;    /* of it, our own */
	unsigned threads; /* of each worker */
};

/* Listens to nothing yet.  NULL with the reason logged. */
struct acceptor *acceptor_open(const struct acceptor_settings *);
void acceptor_close(struct acceptor **);

/* From here on connections go to conns. */
void acceptor_start(struct acceptor *, struct conn_list *conns);

/* A connection has gone (struct conn_settings' on_close): there is room again.
 */
void acceptor_on_close(void *acceptor);
/* One has become idle (its on_idle), and could make room. */
void acceptor_on_idle(void *acceptor);

/* Takes what the kernel has queued already, then closes the listeners.  The
 * scoreboard says DRAINING by then. */
void acceptor_drain(struct acceptor *);

/* Draining, with no connection left: may the worker leave?  No: there is one
 * now, or the loop is to ask again after its next event. */
bool acceptor_is_done(struct acceptor *);

#endif
