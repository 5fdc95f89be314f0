/*
 * pool_private - what the parts of the pool share: pool.c has the threads,
 * pool_wakeup.c decides when one is woken.
 */
#ifndef CGTHREAD_POOL_PRIVATE_H
#define CGTHREAD_POOL_PRIVATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "pool.h"

TAILQ_HEAD(pool_jobs, pool_job);

struct pool_thread {
	struct pool *pool;
	unsigned number; /* (const) from 1 */
	pthread_t id;
	/* A condition would cost a futex call more: who comes back from one has
	 * to take the lock as if others waited for it. */
	sem_t wake;
	SLIST_ENTRY(pool_thread) link; /* (lock) while idle */
};

struct pool {
	struct pool_settings settings; /* (const) */
	pthread_t loop;                /* (const) who may submit */

	struct pool_jobs batch; /* (loop) this turn's */
	unsigned nbatch;        /* (loop) */
	unsigned out;           /* (loop) submitted and not collected */

	pthread_mutex_t lock;
	struct pool_jobs todo;          /* (lock) */
	SLIST_HEAD(, pool_thread) idle; /* (lock) */
	unsigned nidle;                 /* (lock) */
	unsigned nentering;   /* (lock) woken, not yet inside of the gate */
	unsigned long ntaken; /* (lock) jobs, since the start */
	bool stopping;        /* (lock) */
	unsigned nattached, nfailed, nended; /* (lock) threads */
	pthread_cond_t changed; /* one of these; on the monotonic clock */

	/* (loop) the ticks' memory */
	struct pool_sample {
		unsigned long ntaken;
		uint64_t at_ns, cpu_ns; /* of the last tick */
		uint64_t moved_ns;      /* when ntaken last changed */
		unsigned step;          /* how many to wake next */
	} sample;

	atomic_uint queued; /* in batch and todo; only the loop adds */
	atomic_uint running;

	unsigned nthreads; /* started */
	struct pool_thread threads[];
};

/* The lock is held, and a thread is idle. */
void pool_wake_one(struct pool *);

#endif
