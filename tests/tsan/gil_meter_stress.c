/*
 * gil_meter_stress - threads that take and drop a lock made like CPython's, and
 * the meter's word against what the lock knows itself, for ThreadSanitizer.
 *
 * Every second thread is marked.  Under the lock's mutex the meter may be wrong
 * about nothing: whether anybody waits, whether the lock is free for the marked
 * ones, and which drops were told of.  Outside of it anybody may ask, as the loop
 * does.
 *
 * "gil_meter_stress [THREADS [TURNS]]"; exits with 0 if all agreed, aborts where
 * it did not, and dies by SIGALRM if a signal was not passed on: in every second
 * turn nobody's patience heals that.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_gil.h"
#include "gil_meter.h"

#define THREADS_MAX 64
#define IMPATIENT   1 /* ms, the interpreter's switch interval */
#define HOLD_MAX    500
#define GIVE_UP_S   120

static struct fake_gil gil = FAKE_GIL_INITIALIZER;
static unsigned long turns;                    /* (const) of each thread */
static unsigned long nturns, ncrowded, nasked; /* (gil) */
static atomic_uint nworking;

static _Thread_local unsigned told; /* by the calling thread's drop */

static void
on_free(void *arg)
{
	ASSERT(arg == &gil);
	told++;
}

static void
look(void)
{
	bool has_waiters, is_free;

	PTHREAD_OK(pthread_mutex_lock(&gil.mutex));
	has_waiters = atomic_load(&gil.waiters) > 0;
	if (atomic_load(&gil.held))
		is_free = !gil.held_by_own && gil.own_waiters == 0;
	else
		is_free = !has_waiters;
	ASSERT(gil_meter_has_waiters() == has_waiters);
	ASSERT(gil_meter_is_free() == is_free);
	PTHREAD_OK(pthread_mutex_unlock(&gil.mutex));
}

/* For so long that a waiter may lose patience and ask for the lock. */
static void
hold(void)
{
	unsigned i;

	for (i = 0; i < HOLD_MAX && !atomic_load(&gil.asked); i++)
		sched_yield();
	if (atomic_load(&gil.asked))
		nasked++;
}

static void
drop(void)
{
	bool alone;

	told = 0;
	alone = fake_gil_drop(&gil);
	ASSERT(told == (alone ? 1 : 0));
}

/* As newer interpreters do, for a thread that ends and does not hold the lock. */
static void
signal_a_drop_that_is_none(void)
{
	told = 0;
	PTHREAD_OK(pthread_mutex_lock(&gil.mutex));
	PTHREAD_OK(meter_cond_signal(&gil.dropped));
	PTHREAD_OK(pthread_mutex_unlock(&gil.mutex));
	ASSERT(told == 0);
}

static void
take_a_turn(unsigned long i)
{
	fake_gil_take(&gil, i % 2 == 0 ? IMPATIENT : FAKE_GIL_FOR_EVER);
	nturns++;
	if (atomic_load(&gil.waiters) > 0)
		ncrowded++;
	if (i % 3 == 0)
		look();
	if (i % 128 == 0)
		hold();
	drop();
	if (i % 5 == 0)
		look();
	if (i % 7 == 0)
		signal_a_drop_that_is_none();
}

static void *
work(void *arg)
{
	unsigned long i;

	if (arg != NULL) {
		fake_gil_is_marked = true;
		gil_meter_mark_thread();
	}
	for (i = 0; i < turns; i++)
		take_a_turn(i);
	atomic_fetch_sub(&nworking, 1);
	return (NULL);
}

/* Like the loop, which never takes the lock; how often it was free. */
static unsigned long
watch(void)
{
	unsigned long nfree = 0;

	while (atomic_load(&nworking) > 0) {
		if (gil_meter_is_free())
			nfree++;
		look();
		sched_yield();
	}
	return (nfree);
}

/* ---- calibration, by the only thread there is ---- */

static void
first_drop(void)
{
	fake_gil_drop(&gil);
}

static void
first_take(void)
{
	fake_gil_take(&gil, FAKE_GIL_FOR_EVER);
}

static void
start_meter(void)
{
	bool is_on;

	first_take();
	is_on = gil_meter_calibrate(first_drop, first_take);
	ASSERT(is_on);
	gil_meter_on_free(on_free, &gil);
	look();
	drop();
	look();
}

int
main(int argc, char *argv[])
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4, i;
	unsigned long total = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
	pthread_t ids[THREADS_MAX];
	unsigned long nfree;

	if (threads < 1 || threads > THREADS_MAX)
		return (1);
	alarm(GIVE_UP_S);
	turns = total / threads;
	start_meter();
	atomic_store(&nworking, threads);
	for (i = 0; i < threads; i++)
		PTHREAD_OK(pthread_create(
		    &ids[i], NULL, work, i % 2 == 0 ? &gil : NULL));
	nfree = watch();
	for (i = 0; i < threads; i++)
		PTHREAD_OK(pthread_join(ids[i], NULL));
	look();
	printf("%lu turns on %u threads, %lu with others waiting, %lu asked "
	       "for; seen free %lu times\n",
	    nturns, threads, ncrowded, nasked, nfree);
	return (nturns == turns * threads && (threads == 1 || ncrowded > 0)
		    ? 0
		    : 1);
}
