/*
 * pool - threads that run jobs from one bounded queue.
 *
 * The pool knows no HTTP and no Python.  It is given a gate: a lock that a job
 * runs inside of (the interpreter's lock in production, nothing in unit tests).
 * A thread enters the gate first and pops then, and keeps the gate from job to
 * job until the queue is empty: a job is thus never in the hands of a thread that
 * still waits for the interpreter.
 *
 *	loop --pool_submit--> batch --pool_flush--> todo --thread--> run()
 *
 * Threads: pool_submit, pool_cancel, pool_collected, pool_flush and pool_tick
 * belong to the loop; run() is called in a pool thread, inside the gate, and tells the loop by
 * its own means when the job is over.
 *
 * Lock order: gate, then the pool's lock.  The loop takes the pool's lock and
 * never the gate; nobody waits for the gate while holding the pool's lock.
 *
 * todo is bounded, so that a slow application is felt by clients as a 503 now
 * rather than a timeout later.
 */
#ifndef CGTHREAD_POOL_H
#define CGTHREAD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct pool;

struct pool_job;
typedef void pool_run_fn(struct pool_job *, void *arg, unsigned thread);

/* Embedded in what is to be run; owned by the pool from submit until run(). */
struct pool_job {
	TAILQ_ENTRY(pool_job) link;
	pool_run_fn *run; /* NULL: the pool's */
	bool is_waiting;  /* the pool's: it stands in a list */
};

/* What a thread goes through before it runs jobs; each function is given arg. */
struct pool_gate {
	/* In a new thread, before its first enter; -1: it cannot be used (the
	 * reason logged). */
	int (*attach)(void *arg, unsigned thread);
	void (*enter)(void *arg);
	void (*leave)(void *arg);
	void (*detach)(void *arg);
	/* Nobody is inside and nobody waits to be; or a thread is inside that is
	 * none of the pool's, and none of the pool's waits.  NULL where that
	 * cannot be told: then the pool goes by its threads' processor time. */
	bool (*is_free)(void *arg);
	void *arg;
};

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

/* The same for a job that nobody waits for: it is not counted, never refused and
 * not collected. */
void pool_submit_aside(struct pool *, struct pool_job *);

/*
 * A job has come back to the loop.  The loop counts, not the pool: a thread
 * that has told the end of a job is about to take the next, however long it is
 * kept from that, and must not look busy to a client that is quick to ask
 * again.
 */
void pool_collected(struct pool *);

/* Takes a job back that no thread has taken; false: one has, or it is over. */
bool pool_cancel(struct pool *, struct pool_job *);

/* Hands the batch over and wakes a thread for it; at the end of a loop turn. */
void pool_flush(struct pool *);

/*
 * The gate has become free, told by whoever knows (gate->is_free is not NULL): if
 * jobs wait and a thread is idle, it is woken.  Any thread, also inside of the
 * gate's own lock.
 */
void pool_gate_freed(void *pool);

/* Jobs wait: call pool_tick() in POOL_TICK_MS. */
bool pool_wants_tick(const struct pool *);
#define POOL_TICK_MS 1
void pool_tick(struct pool *);

unsigned pool_threads(const struct pool *);

/* Every thread runs a job: another has to wait. */
bool pool_is_saturated(const struct pool *);

/* The loop: jobs that the threads have not come to since an earlier turn.  Those
 * of this one are no sign of a busy pool. */
unsigned pool_backlog(const struct pool *);

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
