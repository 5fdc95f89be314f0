/*
 * pool_wakeup - when a thread is woken: see pool.h.
 *
 * Idle threads lie on a stack: the one that ran last, whose memory is still in
 * the cache, is woken first.
 *
 * As few threads as possible run.  Each that is awake takes job after job, and two
 * that compute only take the gate from each other; so a second is woken only
 * when the gate is free although the first is awake: when it waits for something
 * else.  Who knows of that is told at once (gate->is_free, pool_gate_freed);
 * otherwise a tick looks whether the threads use the processor.
 *
 * No job is forgotten.  After each hand-over one of these is true: a thread is on
 * its way into the gate (nentering) and will look into todo inside; a thread of
 * ours is inside, or waits to be inside again, and will look when its job is done,
 * or will leave the gate before; or the gate is free.  Then pool_flush() or
 * pool_gate_freed(), whichever is later, sees both the job and that.
 *
 * Threads that the application has started go through the gate too.  They never
 * look into todo, and one that computes lets go only when it is asked to, by who
 * waits: so the gate is free as well while such a thread is inside and none of
 * ours waits.  That the gate has come to be so is not told, but pool_flush() sees
 * it, and the tick what happens later.
 */
#include <time.h>

#include "check.h"
#include "clock.h"
#include "pool_private.h"

/* A queue out of which nothing was taken for so long gets a further thread, even
 * if the gate is never free: the interpreter then shares itself out. */
#define STALLED_MS 20

/* The lock is held, and a thread is idle: it has to be posted to. */
static struct pool_thread *
call_idle(struct pool *p)
{
	struct pool_thread *t = SLIST_FIRST(&p->idle);

	SLIST_REMOVE_HEAD(&p->idle, link);
	p->nidle--;
	p->nentering++;
	return (t);
}

/* Fails only past SEM_VALUE_MAX: an idle thread is posted to once. */
static void
wake(struct pool_thread *t)
{
	int error = sem_post(&t->wake);

	ASSERT(error == 0);
}

void
pool_wake_one(struct pool *p)
{
	wake(call_idle(p));
}

/* A thread that woke before the lock is free would only sleep again, for that. */
static void
unlock_and_wake(struct pool *p, bool wanted)
{
	struct pool_thread *t = wanted ? call_idle(p) : NULL;

	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	if (t != NULL)
		wake(t);
}

static bool
can_wake(const struct pool *p)
{
	return (!TAILQ_EMPTY(&p->todo) && !SLIST_EMPTY(&p->idle));
}

static bool
gate_is_free(const struct pool *p)
{
	const struct pool_gate *gate = p->settings.gate;

	return (gate->is_free != NULL && gate->is_free(gate->arg));
}

void
pool_flush(struct pool *p)
{
	DIAG(pthread_equal(p->loop, pthread_self()));
	if (p->nbatch == 0)
		return;
	p->nbatch = 0;
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	TAILQ_CONCAT(&p->todo, &p->batch, link);
	unlock_and_wake(p, can_wake(p) && p->nentering == 0 &&
			       (p->nidle == p->nthreads || gate_is_free(p)));
}

void
pool_gate_freed(void *pool)
{
	struct pool *p = pool;

	if (atomic_load(&p->queued) == 0)
		return;
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	unlock_and_wake(p, can_wake(p) && p->nentering == 0);
}

/* ---- the tick: what the gate does not tell ---- */

/* Processor time of all threads. */
static uint64_t
cpu_time_ns(const struct pool *p)
{
	struct timespec ts;
	uint64_t sum = 0;
	clockid_t id;
	unsigned i;

	for (i = 0; i < p->nthreads; i++)
		if (pthread_getcpuclockid(p->threads[i].id, &id) == 0 &&
		    clock_gettime(id, &ts) == 0)
			sum += (uint64_t)ts.tv_sec * 1000000000u +
			       (uint64_t)ts.tv_nsec;
	return (sum);
}

/*
 * Those awake use less than half a processor: they wait for something, and each
 * tick that this goes on wakes twice as many more.
 */
static unsigned
wake_for_waiting(struct pool *p, uint64_t now_ns)
{
	struct pool_sample *sample = &p->sample;
	uint64_t cpu_ns, used, passed = now_ns - sample->at_ns;
	unsigned n;

	if (p->settings.gate->is_free != NULL)
		return (0); /* pool_gate_freed() has told of each */
	cpu_ns = cpu_time_ns(p);
	used = cpu_ns - sample->cpu_ns;
	sample->cpu_ns = cpu_ns;
	if (used >= passed / 2 || passed > 10 * POOL_TICK_MS * 1000000u) {
		sample->step = 1;
		return (0);
	}
	n = sample->step;
	if (n < p->nthreads)
		sample->step *= 2;
	return (n);
}

/* Where one of ours has left the gate to a thread of the application's. */
static unsigned
wake_for_free_gate(const struct pool *p)
{
	return (p->nentering == 0 && gate_is_free(p) ? 1 : 0);
}

static unsigned
wake_for_fairness(struct pool *p, uint64_t now_ns)
{
	struct pool_sample *sample = &p->sample;

	if (sample->ntaken != p->ntaken) {
		sample->ntaken = p->ntaken;
		sample->moved_ns = now_ns;
	}
	if (now_ns - sample->moved_ns < STALLED_MS * 1000000u)
		return (0);
	sample->moved_ns = now_ns;
	return (1);
}

bool
pool_wants_tick(const struct pool *p)
{
	return (pool_queued(p) > 0);
}

void
pool_tick(struct pool *p)
{
	uint64_t now_ns = clock_ns();
	unsigned n;

	DIAG(pthread_equal(p->loop, pthread_self()));
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	n = wake_for_fairness(p, now_ns);
	if (n == 0)
		n = wake_for_free_gate(p);
	n += wake_for_waiting(p, now_ns);
	p->sample.at_ns = now_ns;
	for (; n > 0 && can_wake(p); n--)
		pool_wake_one(p);
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
}
