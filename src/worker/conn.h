/*
 * conn - one client connection, from accept(2) to close(2).
 *
 * A conn belongs to the loop thread: only functions called from the loop may
 * touch one.  It owns its descriptor, its events and timers and, unless a pool
 * thread has it, its request.  While a thread has the request, the conn waits
 * for the reply to come through the completion list, and sends what has come.
 *
 * Its event is added once, edge-triggered, for reading, writing and the peer's
 * end, so a request costs no epoll_ctl(2); what the edges said is remembered in
 * readable and writable.
 */
#ifndef CGTHREAD_CONN_H
#define CGTHREAD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "pool.h"
#include "request.h"

struct access_log;
struct conn;
struct conn_list;
struct event_base;

struct conn_settings {
	struct event_base *base;
	struct pool *pool;
	struct request_context *context;
	struct access_log *access_log; /* NULL: none */
	uint64_t header_timeout_ms, body_timeout_ms, keepalive_ms;
	uint64_t queue_timeout_ms, send_timeout_ms, linger_timeout_ms;
	uint64_t min_rate;           /* bytes a second of a body or a reply */
	unsigned log_refused;        /* lines a second; 0: all */
	const char *health_path;     /* answered by the loop; "" none */
	void (*on_close)(void *arg); /* a connection has gone */
	void (*on_idle)(void *arg);  /* one may be closed to make room */
	void *arg;
};

/* All connections of a worker.  NULL: ENOMEM. */
struct conn_list *conn_list_open(const struct conn_settings *);
void conn_list_close(struct conn_list **); /* with all its connections */

size_t conn_list_count(const struct conn_list *);
uint64_t conn_list_requests(const struct conn_list *); /* ended, ever */

/* Takes what the threads have completed: any callback that is to decide by the
 * connections' states does so first. */
void conn_list_collect(struct conn_list *);

/* Is one idle, between two requests?  Closes the one that has been so for longest,
 * has not just got a request and has taken all of its last reply; false: there is
 * none, but one of those that have not is on its way to be closed.  why is for the
 * log. */
bool conn_list_has_idle(const struct conn_list *);
bool conn_list_close_idle(struct conn_list *, const char *why);

/* Takes fd, non-blocking and registered with fork_guard, also on failure. */
void conn_open(
    struct conn_list *, int fd, const struct peer *, const struct local *);

/*
 * One turn of the loop, before it waits: takes what the threads completed and
 * lets connections go on that had to yield.
 */
void conn_list_turn(struct conn_list *);
/* Some connection still has to go on: do not wait for events. */
bool conn_list_has_work(const struct conn_list *);

/* About once a second: memory that a burst has left behind, what the log has not been
 * told of, and clients that have left while they waited. */
void conn_list_tick(struct conn_list *);

/*
 * No further requests: idle connections are closed at once, unless a request is
 * already there to be read; the others after the one in hand.
 */
void conn_list_drain(struct conn_list *);

/*
 * The last call, where the process ends with requests in hand: cuts what is
 * being answered and writes the lines of all of them.  A thread may still have
 * some, so nothing is freed.
 */
void conn_list_abandon(struct conn_list *, const char *why);

#endif
