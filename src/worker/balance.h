/*
 * balance - is this worker busier than another, by what the scoreboard says?
 *
 * Requests that wait for a thread weigh more than connections, which may all be
 * idle.  A difference has to be a clear one, since moving a connection costs
 * more than a request, and since every count is a moment old.  A worker that
 * does not take connections, or whose heartbeat is stale, is not looked at.
 *
 * Connections that live for one request are not counted: who has many of them
 * now has few in a moment, and to move them would cost a part of what serving
 * them does.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_BALANCE_H
#define CGTHREAD_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

struct scoreboard;
struct scoreboard_line;

struct load {
	uint64_t waiting;     /* requests that no thread has time for */
	uint64_t connections; /* open */
};

/* Do connections come and go?  By totals, looked at every now and then. */
struct churn {
	uint64_t looked_ms;
	uint64_t closed, requests; /* then */
	bool is_fast;              /* at that look */
	bool
	    is_high; /* and at the one before: one may be of a pool that renews its
		       * kept connections */
};

struct balance {
	const struct scoreboard *board;
	struct scoreboard_line *own;
	unsigned slot;
	unsigned threads; /* of each worker */
	struct churn churn;
	uint64_t closed; /* connections, ever; acceptor counts */
	unsigned next;   /* where to begin looking; of many workers some do */
};

void balance_init(struct balance *, const struct scoreboard *, unsigned slot,
    unsigned threads);

/* Clearly: pure. */
bool load_is_busier(const struct load *, const struct load *than);

/* Connections closed and requests answered, ever; connections open now. */
void churn_look(struct churn *, uint64_t now_ms, uint64_t closed,
    uint64_t requests, uint64_t connections);

enum balance_when {
	BALANCE_SENDING, /* what is under way counts as the others' */
	BALANCE_TAKING   /* it is what this is about */
};

/* Is there one that is clearly less busy than we, who have so many? */
bool balance_is_busier(
    struct balance *, uint64_t connections, enum balance_when);

/* Is there another one at all that takes connections? */
bool balance_has_others(const struct balance *);

#endif
