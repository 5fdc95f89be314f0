/*
 * herd - all workers: one in each slot, and another one when it dies.
 *
 * The first start is special: until every slot has had a worker that was ready,
 * one that dies before means an application that cannot be served, and the herd
 * gives up (HERD_FAILED).  Later a slot is filled again whatever its worker
 * died of; at once, but with growing pauses where they keep dying.
 *
 * Runs in the master's loop.
 */
#ifndef CGTHREAD_HERD_H
#define CGTHREAD_HERD_H

#include "output.h"
#include "spawn.h"

struct event_base;
struct herd;

enum herd_news {
	HERD_UP,     /* every worker of the first start is or was ready; once */
	HERD_FAILED, /* one could not start: stop the herd; once at most */
	HERD_GONE    /* it was stopped, and no process is left */
};

typedef void herd_news_fn(enum herd_news, void *arg);

enum herd_stop {
	HERD_STOP_GRACEFUL, /* running requests finish, in graceful_timeout */
	HERD_STOP_QUICK     /* they do not */
};

/*
 * The settings are copied; what they point to outlives the herd, but for the
 * listeners: they may go before herd_stop().
 */
struct herd *herd_new(struct event_base *, const struct spawn_settings *,
    herd_news_fn *, void *arg);

/* Only of one that has not started, or is gone. */
void herd_free(struct herd **);

/* Starts them all, as soon as the loop runs.  0, or -1 with the reason logged.
 */
int herd_start(struct herd *);

/* A SIGCHLD has come. */
void herd_reap(struct herd *);

/* May be called again for a quicker end. */
void herd_stop(struct herd *, enum herd_stop);

#endif
