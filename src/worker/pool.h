/*
 * pool - threads that run jobs from one bounded queue.
 *
 * The pool knows no HTTP and no Python.  It is given a gate: a lock that a job
 * runs inside of (the interpreter's lock in production, nothing in unit tests).
 * A thread enters the gate first and pops then, and keeps the gate from job to
 *job until the queue is empty: a job is thus never in the hands of a thread
 *that still waits for the interpreter.
 *
 *	loop --pool_submit--> batch --pool_flush--> todo --thread--> run()
 *
 * Threads: pool_submit, pool_collected and pool_flush belong to the loop; run()
 *is called in a pool thread, inside the gate, and tells the loop by its own
 *means when the job is over.
 *
 * Lock order: gate, then the pool's lock.  The loop takes the pool's lock and
 *never the gate; nobody waits for the gate while holding the pool's lock.
 *
 * todo is bounded, so that a slow application is felt by clients as a 503 now
 * rather than a timeout later.
 */
#ifndef CGTHREAD_POOL_H
#define CGTHREAD_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct pool;

/* Embedded in what is to be run; owned by the pool from submit until run(). */
struct pool_job {
	STAILQ_ENTRY(pool_job) link;
};

/* Each function is given arg.  attach: in a new thread, before its first enter;
 * -1 = the thread cannot be used (the reason logged). */
struct pool_gate {
	int (*attach)(void *arg, unsigned thread);
	void (*enter)(void *arg);
	void (*leave)(void *arg);
	void (*detach)(void *arg);
	void *arg;
};

typedef void pool_run_fn(struct pool_job *, void *arg, unsigned thread);

struct pool_settings {
	unsigned threads;   /* numbered from 1 */
	unsigned max_queue; /* jobs waiting, beside one for each thread */
	size_t stack_size;  /* bytes of each thread's stack; 0 = the system's */
	const struct pool_gate *gate; /* outlives the pool */
	pool_run_fn *run;
	void *arg; /* for run */
};

/* Starts the threads; NULL with errno when one cannot be had, ECANCELED when
 * one cannot be attached. */
struct pool *pool_open(const struct pool_settings *);

/*
 * Takes the job into this turn's batch; it is not run before pool_flush().  0,
 * or -1 with errno EAGAIN when threads + max_queue jobs are out already: the
 * job is still the caller's.
 */
int pool_submit(struct pool *, struct pool_job *);

/*
 * A job has come back to the loop.  The loop counts, not the pool: a thread
 * that has told the end of a job is about to take the next, however long it is
 * kept from that, and must not look busy to a client that is quick to ask
 * again.
 */
void pool_collected(struct pool *);

/* Hands the batch over and wakes threads for it; at the end of a loop turn. */
void pool_flush(struct pool *);

/* Jobs waiting and jobs running, now; any thread. */
unsigned pool_queued(const struct pool *);
unsigned pool_running(const struct pool *);

/*
 * Lets the threads finish what is queued and ends them; waits at most wait_ms
 * for all of them.  Returns how many did not come back; then the pool's memory
 * is left to them.  *poolp is NULL afterwards.
 */
unsigned pool_close(struct pool **poolp, unsigned wait_ms);

#endif
