/*
 * child - one worker process, from its fork to its obituary.
 *
 * A child owns the master's end of the control channel and the timer that
 * bounds its start.  Its pipes belong to the outputs: they may outlive it.
 *
 * Runs in the master's loop.
 */
#ifndef CGTHREAD_CHILD_H
#define CGTHREAD_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "child_state.h"
#include "output.h"
#include "spawn.h"

struct child;
struct event_base;

/* The worker has said READY; called once at most. */
typedef void child_ready_fn(struct child *, void *arg);

/* What all children have in common; nothing of it is owned. */
struct child_settings {
	struct event_base *base;
	struct outputs *outputs;
	struct spawn_settings spawn;
	child_ready_fn *on_ready;
	void *arg;
};

/* A worker is started in that slot.  NULL, with the reason logged. */
struct child *child_new(const struct child_settings *, unsigned slot);

/* Only of one that is gone. */
void child_free(struct child **);

/* READY: tells it to accept connections. */
void child_activate(struct child *);

/*
 * Tells it to leave: to finish what it has begun, or (quick) to drop it.  May
 * be called again to change one's mind.
 */
void child_drain(struct child *, bool quick);

/* It had its time. */
void child_kill(struct child *);

/* It has been reaped with that status: logs what it left and its obituary. */
void child_died(struct child *, int status);

pid_t child_pid(const struct child *);
unsigned child_slot(const struct child *);
enum child_state child_state(const struct child *);
const char *child_name(const struct child *); /* "worker 1[4412]" */
bool child_was_ready(const struct child *);   /* once; also of a dead one */
uint64_t child_age_ms(const struct child *);
/* Milliseconds since it became active; 0 if it never was. */
uint64_t child_active_ms(const struct child *);

#endif
