/*
 * conn_private - what the parts of conn share: conn.c has the life, the events
 * and the timers, conn_input.c what is read, conn_output.c what is sent,
 * conn_answer.c what is answered without a thread, conn_proxy.c who is at the other
 * end.
 */
#ifndef CGTHREAD_CONN_PRIVATE_H
#define CGTHREAD_CONN_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "access_log.h"
#include "conn.h"
#include "conn_deadline.h"
#include "deadline.h"
#include "heritage.h"
#include "memory.h"
#include "saturation.h"
#include "throttle.h"

enum conn_state {
	CONN_IDLE,    /* no request; waits for a first byte */
	CONN_PROXY,   /* reading what a proxy says of the connection */
	CONN_HEAD,    /* reading the request line and fields */
	CONN_BODY,    /* reading the body */
	CONN_RUNNING, /* a thread has the request, or will; its reply streams */
	CONN_REPLYING,  /* the thread is through; the rest is being sent */
	CONN_ORPHANED,  /* cut while RUNNING: waits for the thread */
	CONN_LINGERING, /* told the peer to stop, reads until it does */
	CONN_CLOSED,
	CONN_NSTATES
};

/* What the machine is to do after a step. */
enum conn_step {
	CONN_MORE, /* the next step, now */
	CONN_WAIT, /* for an event, a completion or a deadline */
	CONN_CLOSE
};

/*
 * Small, since there may be ten thousand idle ones: what only a request needs is in
 * struct request.
 */
struct conn {
	unsigned magic;
	int fd;
	enum conn_state state : 8;
	unsigned local : 8;     /* of list->locals */
	bool readable : 1;      /* as the last edge said */
	bool writable : 1;      /* the same */
	bool read_short : 1;    /* the last read got less than it could */
	bool peer_closed : 1;   /* FIN seen: reading will end in 0 */
	bool in_work : 1;       /* stands in the list's work */
	bool wants_proxy : 1;   /* may begin, or must, with a PROXY header */
	bool is_trusted : 1;    /* peer's forwarded fields count */
	bool linger : 1;        /* close only once the peer has stopped */
	bool owes_continue : 1; /* the client waits for "100 Continue" */
	struct peer peer;
	struct conn_list *list;
	struct request *req; /* NULL while IDLE, LINGERING, CLOSED */
	struct deadline deadline;
	/* When the deadline was last set for progress: bytes; LINGERING: those that
	 * the peer had not confirmed. */
	uint64_t moved;
	TAILQ_ENTRY(conn) link; /* in list->conns */
	TAILQ_ENTRY(conn) work; /* in list->work, if in_work */
	struct event event;
};
_Static_assert(sizeof(struct conn) + sizeof(size_t) <= 256,
    "an idle connection takes more from malloc(3)");

TAILQ_HEAD(conn_queue, conn);

#define CONN_SCRATCH_SIZE 65536
#define CONN_SPARE_MAX    128 /* requests kept for reuse, by a burst */

struct conn_list {
	struct conn_settings settings;
	const struct local *locals[HERITAGE_LISTENERS_MAX]; /* seen so far */
	unsigned nlocals;
	struct conn_queue conns;
	struct conn_queue work; /* had to yield, or have bytes in hand */
	size_t count;
	uint64_t nrequests; /* ended, ever */
	uint64_t now_ms;    /* of this callback */
	struct saturation saturation;
	struct throttle refusals;  /* what the log is told of requests */
	struct throttle untrusted; /* and of fields that do not count */
	struct throttle relieved;  /* and of readers that were cut */
	struct event timer;
	uint64_t timer_at_ms; /* DEADLINE_NEVER: not armed */
	struct deadline_queue header, body, queue, keepalive, send, linger;
	struct conn_queue dead; /* closed, freed before the next wait */
	struct request *spare[CONN_SPARE_MAX]; /* requests for reuse */
	unsigned nspare, nspare_low;           /* low: since the last tick */
	struct memory memory;
	char scratch[CONN_SCRATCH_SIZE]; /* one read's bytes, within a step */
};

/* The only assignment to c->state: an illegal move is our bug, so it aborts. */
void conn_enter(struct conn *, enum conn_state);

void conn_check(const struct conn *); /* that it is one */
/* Our end of it. */
const struct local *conn_local(const struct conn *);
/* Goes on until there is nothing to do but wait; it may be dead afterwards. */
void conn_run(struct conn *);
/* It is dead afterwards: its memory stays until the end of the callback, for whoever
 * still has it in hand. */
void conn_close(struct conn *);

/* So many bytes of its reply wait in memory. */
void conn_count_unsent(struct conn *, size_t len);
/* The machine goes on in the next turn. */
void conn_yield(struct conn *);

/* Steps of the machine; conn_input.h and conn_proxy.h have the others. */
enum conn_step conn_step_running(struct conn *);
enum conn_step conn_step_replying(struct conn *);

/* The reply cannot be sent any further: cuts it, logs why at debug level. */
enum conn_step conn_cut(struct conn *, const char *why);

/* It is IDLE and takes no further request, for why: to be closed, or LINGERING first,
 * where the peer has not taken all of the last reply. */
enum conn_step conn_leave(struct conn *, const char *why);
/* To be closed by a reset, for why: a line at level debug. */
enum conn_step conn_reset(struct conn *, const char *why);
/* Bytes that were sent and that the peer's system has not confirmed. */
uint64_t conn_unconfirmed(const struct conn *);

/* The request is over: into the access log, and recycled. */
void conn_end_request(struct conn *);
/* The worker leaves, and the request is not over: into the access log. */
void conn_abandon(struct conn *, const char *why);
/* What of the reply is over and not the loop's to free. */
void conn_release_sent(struct conn *);
/* c->req is given back for the next one; NULL afterwards. */
void conn_recycle_request(struct conn *);

#endif
