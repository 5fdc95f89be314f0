/*
 * acceptor - the worker's side of the listening sockets.
 *
 * The sockets are the master's and shared with the other workers: who accepts
 * first has the connection.  Accepting pauses while max_connections are open,
 * and for a moment when descriptors or memory have run out, since a readable
 * listener that is not read would keep the loop spinning.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_ACCEPTOR_H
#define CGTHREAD_ACCEPTOR_H

#include <stddef.h>

#include "conn.h"

struct acceptor;
struct event_base;

/* Listens to nothing yet.  NULL with the reason logged. */
struct acceptor *acceptor_open(struct event_base *, const int *listen_fds,
    size_t nlisten, size_t max_connections);
void acceptor_close(struct acceptor **);

/* From here on connections go to conns. */
void acceptor_start(struct acceptor *, struct conn_list *conns);

/* A connection has gone (struct conn_settings' on_close): there is room again.
 */
void acceptor_on_close(void *acceptor);

/* Takes what the kernel has queued already, then closes the listeners. */
void acceptor_drain(struct acceptor *);

#endif
