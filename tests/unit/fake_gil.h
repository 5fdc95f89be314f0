/*
 * fake_gil - a lock made like CPython's, which knows the truth about itself.
 *
 * A flag and a mutex; a condition that each drop signals, and for which the others
 * wait with a timeout; another that each take signals, for which waits who has
 * been asked to let others have a turn.  All of it goes through the gil_meter's
 * functions, so that the meter may be held against the truth.
 */
#ifndef CGTHREAD_FAKE_GIL_H
#define CGTHREAD_FAKE_GIL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "check.h"
#include "meter_cond.h"

struct fake_gil {
	pthread_mutex_t mutex;
	pthread_cond_t dropped;
	atomic_bool held;     /* written under mutex */
	atomic_uint waiters;  /* the same */
	bool held_by_own;     /* (mutex) by a marked thread */
	unsigned own_waiters; /* (mutex) marked ones, of the waiters */
	atomic_bool asked;    /* a waiter would like the holder to drop it */

	pthread_mutex_t switch_mutex; /* after mutex */
	pthread_cond_t taken;
	pthread_t last; /* (switch_mutex) holder */

	/* At each drop with nobody waiting, under mutex; or NULL. */
	void (*on_free)(void *arg);
	void *arg;
};

#define FAKE_GIL_INITIALIZER                               \
	{                                                  \
		.mutex = PTHREAD_MUTEX_INITIALIZER,        \
		.dropped = PTHREAD_COND_INITIALIZER,       \
		.switch_mutex = PTHREAD_MUTEX_INITIALIZER, \
		.taken = PTHREAD_COND_INITIALIZER          \
	}

/* As gil_meter_mark_thread(): the thread is one of the meter's user's own. */
static _Thread_local bool fake_gil_is_marked;

#define FAKE_GIL_FOR_EVER 3600000 /* ms: nobody is asked to let go */

static inline struct timespec
fake_gil_deadline(unsigned wait_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += wait_ms / 1000;
	ts.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return (ts);
}

/* The mutex is held. */
static inline void
fake_gil_wait(struct fake_gil *gil, unsigned wait_ms)
{
	struct timespec until = fake_gil_deadline(wait_ms);
	const unsigned own = fake_gil_is_marked ? 1 : 0;
	int error;

	atomic_fetch_add(&gil->waiters, 1);
	gil->own_waiters += own;
	METER_COND_RELEASED(&gil->mutex);
	error = meter_cond_timedwait(&gil->dropped, &gil->mutex, &until);
	METER_COND_ACQUIRED(&gil->mutex);
	ASSERT(error == 0 || error == ETIMEDOUT);
	gil->own_waiters -= own;
	atomic_fetch_sub(&gil->waiters, 1);
	if (error == ETIMEDOUT && atomic_load(&gil->held))
		atomic_store(&gil->asked, true);
}

static inline void
fake_gil_take(struct fake_gil *gil, unsigned wait_ms)
{
	PTHREAD_OK(pthread_mutex_lock(&gil->mutex));
	while (atomic_load(&gil->held))
		fake_gil_wait(gil, wait_ms);
	PTHREAD_OK(pthread_mutex_lock(&gil->switch_mutex));
	atomic_store(&gil->held, true);
	gil->held_by_own = fake_gil_is_marked;
	gil->last = pthread_self();
	PTHREAD_OK(meter_cond_signal(&gil->taken));
	PTHREAD_OK(pthread_mutex_unlock(&gil->switch_mutex));
	atomic_store(&gil->asked, false);
	PTHREAD_OK(pthread_mutex_unlock(&gil->mutex));
}

/* True if nobody waited for it. */
static inline bool
fake_gil_drop(struct fake_gil *gil)
{
	bool alone;

	PTHREAD_OK(pthread_mutex_lock(&gil->mutex));
	ASSERT(atomic_load(&gil->held));
	atomic_store(&gil->held, false);
	alone = atomic_load(&gil->waiters) == 0;
	if (alone && gil->on_free != NULL)
		gil->on_free(gil->arg);
	PTHREAD_OK(meter_cond_signal(&gil->dropped));
	PTHREAD_OK(pthread_mutex_unlock(&gil->mutex));
	if (!atomic_load(&gil->asked))
		return (alone);
	PTHREAD_OK(pthread_mutex_lock(&gil->switch_mutex));
	while (atomic_load(&gil->asked) &&
	       pthread_equal(gil->last, pthread_self()))
		PTHREAD_OK(pthread_cond_wait(&gil->taken, &gil->switch_mutex));
	PTHREAD_OK(pthread_mutex_unlock(&gil->switch_mutex));
	return (alone);
}

#endif
