/* gil_meter - see gil_meter.h. */
#include "gil_meter.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "check.h"

/* Trials of the calibration: all must agree. */
#define TRIALS 3

typedef int signal_fn(pthread_cond_t *);
typedef int timedwait_fn(
    pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

enum holder {
	HOLDER_NONE,
	HOLDER_OWN, /* a marked thread */
	HOLDER_OTHER
};

static struct {
	/* (const) what the C library has, once looked up */
	_Atomic(signal_fn *) signal;
	_Atomic(timedwait_fn *) timedwait;

	/* The addresses; NULL while off.  Written by who holds the lock: threads
	 * that the import has started can neither take nor drop it then. */
	_Atomic(pthread_cond_t *) dropped;
	_Atomic(pthread_cond_t *) taken;

	_Atomic(enum holder) holder;
	atomic_uint waiters;
	atomic_uint own_waiters; /* of these, marked threads */
	_Atomic(gil_meter_fn *) on_free;
	void *arg; /* written before on_free */
} meter;

/* Newer interpreters signal a drop once more when they end a thread that does not
 * hold the lock. */
static _Thread_local bool holding;

static _Thread_local bool is_marked;

/* Calibration: what the calling thread signals, while this is set. */
static _Thread_local struct probe {
	pthread_cond_t *seen;
	unsigned count;
} * probe;

/* ---- the functions that libpython binds to ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* The sanitizers wrap these functions themselves and have to be first. */
#define EXPORT                 __attribute__((visibility("hidden")))
#define pthread_cond_signal    meter_cond_signal
#define pthread_cond_timedwait meter_cond_timedwait
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT int pthread_cond_signal(pthread_cond_t *);
EXPORT int pthread_cond_timedwait(
    pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

/* The C library keeps an older set under the same names; where it has no such
 * version (another architecture), the default is the right one. */
static void *
find(const char *name)
{
	void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");

	return (found != NULL ? found : dlsym(RTLD_NEXT, name));
}

__attribute__((constructor)) static void
find_all(void)
{
	signal_fn *signal = (signal_fn *)find("pthread_cond_signal");
	timedwait_fn *timedwait =
	    (timedwait_fn *)find("pthread_cond_timedwait");

	ASSERT(signal != NULL && timedwait != NULL);
	atomic_store_explicit(&meter.signal, signal, memory_order_relaxed);
	atomic_store_explicit(
	    &meter.timedwait, timedwait, memory_order_relaxed);
}

/* The constructors of libraries run before ours, and may come here: whoever looks
 * first finds them, and all find the same. */
static signal_fn *
real_signal(void)
{
	if (atomic_load_explicit(&meter.signal, memory_order_relaxed) == NULL)
		find_all();
	return (atomic_load_explicit(&meter.signal, memory_order_relaxed));
}

static timedwait_fn *
real_timedwait(void)
{
	if (atomic_load_explicit(&meter.timedwait, memory_order_relaxed) ==
	    NULL)
		find_all();
	return (atomic_load_explicit(&meter.timedwait, memory_order_relaxed));
}

/* The lock's holder lets go, inside of the lock's mutex. */
static void
on_drop(void)
{
	gil_meter_fn *on_free;

	if (!holding)
		return;
	holding = false;
	atomic_store(&meter.holder, HOLDER_NONE);
	if (atomic_load(&meter.waiters) > 0)
		return; /* one of them has it in a moment */
	on_free = atomic_load(&meter.on_free);
	if (on_free != NULL)
		on_free(meter.arg);
}

static void
on_take(void)
{
	holding = true;
	atomic_store(&meter.holder, is_marked ? HOLDER_OWN : HOLDER_OTHER);
}

int
pthread_cond_signal(pthread_cond_t *cond)
{
	if (probe != NULL) {
		probe->seen = cond;
		probe->count++;
	} else if (cond ==
		   atomic_load_explicit(&meter.taken, memory_order_relaxed))
		on_take();
	else if (cond ==
		 atomic_load_explicit(&meter.dropped, memory_order_relaxed))
		on_drop();
	return (real_signal()(cond));
}

/* Threads wait for the lock with a timeout: the switch interval. */
int
pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	const unsigned own = is_marked ? 1 : 0;
	int error;

	if (cond != atomic_load_explicit(&meter.dropped, memory_order_relaxed))
		return (real_timedwait()(cond, mutex, until));
	atomic_fetch_add(&meter.waiters, 1);
	atomic_fetch_add(&meter.own_waiters, own);
	error = real_timedwait()(cond, mutex, until);
	atomic_fetch_sub(&meter.own_waiters, own);
	atomic_fetch_sub(&meter.waiters, 1);
	return (error);
}

/* ---- calibration ---- */

/* What one call signals: exactly one address, or NULL. */
static pthread_cond_t *
signalled_by(void (*call)(void))
{
	struct probe mine = {NULL, 0};

	probe = &mine;
	call();
	probe = NULL;
	return (mine.count == 1 ? mine.seen : NULL);
}

bool
gil_meter_calibrate(void (*drop)(void), void (*take)(void))
{
	pthread_cond_t *dropped = NULL, *taken = NULL, *d, *t;
	unsigned i;

	atomic_store(&meter.dropped, NULL);
	atomic_store(&meter.taken, NULL);
	atomic_store(&meter.waiters, 0);
	atomic_store(&meter.own_waiters, 0);
	for (i = 0; i < TRIALS; i++) {
		d = signalled_by(drop);
		t = signalled_by(take);
		if (d == NULL || t == NULL || d == t ||
		    (i > 0 && (d != dropped || t != taken)))
			return (false);
		dropped = d;
		taken = t;
	}
	on_take(); /* the caller has */
	atomic_store(&meter.taken, taken);
	atomic_store(&meter.dropped, dropped);
	return (true);
}

bool
gil_meter_is_on(void)
{
	return (
	    atomic_load_explicit(&meter.dropped, memory_order_relaxed) != NULL);
}

void
gil_meter_mark_thread(void)
{
	is_marked = true;
}

bool
gil_meter_is_free(void)
{
	if (!gil_meter_is_on())
		return (false);
	switch (atomic_load(&meter.holder)) {
	case HOLDER_NONE:
		return (atomic_load(&meter.waiters) == 0);
	case HOLDER_OTHER:
		return (atomic_load(&meter.own_waiters) == 0);
	default:
		return (false);
	}
}

/* Whoever listens is not there in a forked process, and its locks may be held by
 * threads that are not either. */
static void
forget_listener(void)
{
	atomic_store(&meter.on_free, NULL);
}

static void
follow_forks(void)
{
	PTHREAD_OK(pthread_atfork(NULL, NULL, forget_listener));
}

bool
gil_meter_has_waiters(void)
{
	return (atomic_load(&meter.waiters) > 0);
}

void
gil_meter_on_free(gil_meter_fn *fn, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	PTHREAD_OK(pthread_once(&once, follow_forks));
	meter.arg = arg;
	atomic_store(&meter.on_free, fn);
}
