/* pool - see pool.h. */
#include "pool_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "log.h"

static int start_thread(struct pool *, const pthread_attr_t *);
static int start_threads(struct pool *);
static void stop(struct pool *);
static void destroy(struct pool *);
static void *thread_main(void *);

static struct pool *
pool_new(const struct pool_settings *settings)
{
	struct pool *p;
	pthread_condattr_t attr;

	p = calloc(1, sizeof(*p) + settings->threads * sizeof(p->threads[0]));
	if (p == NULL)
		return (NULL);
	p->settings = *settings;
	p->loop = pthread_self();
	p->sample.step = 1;
	TAILQ_INIT(&p->batch);
	TAILQ_INIT(&p->todo);
	SLIST_INIT(&p->idle);
	PTHREAD_OK(pthread_mutex_init(&p->lock, NULL));
	PTHREAD_OK(pthread_condattr_init(&attr));
	PTHREAD_OK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	PTHREAD_OK(pthread_cond_init(&p->changed, &attr));
	PTHREAD_OK(pthread_condattr_destroy(&attr));
	return (p);
}

struct pool *
pool_open(const struct pool_settings *settings)
{
	struct pool *p = pool_new(settings);
	int error;

	if (p == NULL)
		return (NULL);
	error = start_threads(p);

	/* What has been started must be known to be good, or gone. */
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	while (p->nattached + p->nfailed < p->nthreads)
		PTHREAD_OK(pthread_cond_wait(&p->changed, &p->lock));
	if (error == 0 && p->nfailed > 0)
		error = ECANCELED;
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	if (error == 0)
		return (p);

	stop(p);
	destroy(p);
	errno = error;
	return (NULL);
}

/* 0, or an error number; p->nthreads of them run, either way. */
static int
start_threads(struct pool *p)
{
	pthread_attr_t attr;
	size_t stack_size = p->settings.stack_size;
	int error = 0;

	PTHREAD_OK(pthread_attr_init(&attr));
	if (stack_size != 0)
		error = pthread_attr_setstacksize(&attr, stack_size);
	while (error == 0 && p->nthreads < p->settings.threads)
		error = start_thread(p, &attr);
	PTHREAD_OK(pthread_attr_destroy(&attr));
	return (error);
}

static int
start_thread(struct pool *p, const pthread_attr_t *attr)
{
	struct pool_thread *t = &p->threads[p->nthreads];
	int error;

	t->pool = p;
	t->number = p->nthreads + 1;
	error = sem_init(&t->wake, 0, 0);
	ASSERT(error == 0);
	error = pthread_create(&t->id, attr, thread_main, t);
	if (error == 0)
		p->nthreads++;
	else
		sem_destroy(&t->wake);
	return (error);
}

int
pool_submit(struct pool *p, struct pool_job *job)
{
	DIAG(pthread_equal(p->loop, pthread_self()));
	if (p->out >= p->settings.threads + p->settings.max_queue) {
		errno = EAGAIN;
		return (-1);
	}
	p->out++;
	pool_submit_aside(p, job);
	return (0);
}

void
pool_submit_aside(struct pool *p, struct pool_job *job)
{
	DIAG(pthread_equal(p->loop, pthread_self()));
	atomic_fetch_add(&p->queued, 1);
	job->is_waiting = true;
	TAILQ_INSERT_TAIL(&p->batch, job, link);
	p->nbatch++;
}

/* Whichever list it stands in: the batch goes to todo, and is flushed later. */
bool
pool_cancel(struct pool *p, struct pool_job *job)
{
	bool waits;

	DIAG(pthread_equal(p->loop, pthread_self()));
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	TAILQ_CONCAT(&p->todo, &p->batch, link);
	waits = job->is_waiting;
	if (waits) {
		TAILQ_REMOVE(&p->todo, job, link);
		job->is_waiting = false;
	}
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	if (!waits)
		return (false);
	atomic_fetch_sub(&p->queued, 1);
	pool_collected(p);
	return (true);
}

void
pool_collected(struct pool *p)
{
	DIAG(pthread_equal(p->loop, pthread_self()));
	ASSERT(p->out > 0);
	p->out--;
}

unsigned
pool_threads(const struct pool *p)
{
	return (p->nthreads);
}

bool
pool_is_saturated(const struct pool *p)
{
	return (pool_running(p) >= p->nthreads);
}

unsigned
pool_backlog(const struct pool *p)
{
	unsigned queued = pool_queued(p);

	return (queued > p->nbatch ? queued - p->nbatch : 0);
}

unsigned
pool_queued(const struct pool *p)
{
	return (atomic_load_explicit(&p->queued, memory_order_relaxed));
}

unsigned
pool_running(const struct pool *p)
{
	return (atomic_load_explicit(&p->running, memory_order_relaxed));
}

/* ---- a thread ---- */

/* The lock is held, but not while asleep. */
static void
sleep_idle(struct pool_thread *t)
{
	struct pool *p = t->pool;

	SLIST_INSERT_HEAD(&p->idle, t, link);
	p->nidle++;
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	while (sem_wait(&t->wake) == -1)
		ASSERT(errno == EINTR);
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
}

/*
 * Waits for work; false: there is none left and the pool is closing.  A thread
 * that was woken for a job which another took goes back to sleep here rather
 * than dispute the gate for nothing; so does one that comes out of the gate while
 * another is on its way in.
 */
static bool
wait_for_work(struct pool_thread *t)
{
	struct pool *p = t->pool;
	bool woken = false, work;

	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	while (!p->stopping &&
	       (TAILQ_EMPTY(&p->todo) || (!woken && p->nentering > 0))) {
		sleep_idle(t);
		p->nentering--;
		woken = true;
	}
	work = !TAILQ_EMPTY(&p->todo);
	if (work)
		p->nentering++;
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	return (work);
}

/*
 * Inside the gate: the next job, or NULL if none waits, or if another thread is on
 * its way in: one of the two is enough, and that one has been woken already.
 */
static struct pool_job *
take(struct pool *p, bool first)
{
	struct pool_job *job = NULL;

	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	if (first)
		p->nentering--;
	if (first || p->nentering == 0)
		job = TAILQ_FIRST(&p->todo);
	if (job != NULL) {
		TAILQ_REMOVE(&p->todo, job, link);
		job->is_waiting = false;
		p->ntaken++;
	}
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	return (job);
}

static void
run_all(struct pool_thread *t)
{
	struct pool *p = t->pool;
	struct pool_job *job;
	pool_run_fn *run;
	bool first = true;

	for (; (job = take(p, first)) != NULL; first = false) {
		atomic_fetch_add_explicit(&p->running, 1, memory_order_relaxed);
		atomic_fetch_sub(&p->queued, 1);
		run = job->run != NULL ? job->run : p->settings.run;
		run(job, p->settings.arg, t->number);
		atomic_fetch_sub_explicit(&p->running, 1, memory_order_relaxed);
	}
}

/* Subprocesses of the application inherit the mask, so nothing may be blocked.
 */
static void
dress(const struct pool_thread *t)
{
	char name[32];
	sigset_t none;

	snprintf(name, sizeof(name), "thread %u", t->number);
	log_set_thread(name);
	snprintf(name, sizeof(name), "pool-%u", t->number);
	/* Only for ps(1): a name that is refused does no harm. */
	(void)pthread_setname_np(pthread_self(), name);
	sigemptyset(&none);
	PTHREAD_OK(pthread_sigmask(SIG_SETMASK, &none, NULL));
}

static void
count(struct pool *p, unsigned *counter)
{
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	(*counter)++;
	PTHREAD_OK(pthread_cond_signal(&p->changed));
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
}

static void
serve(struct pool_thread *t)
{
	struct pool *p = t->pool;
	const struct pool_gate *gate = p->settings.gate;

	if (gate->attach(gate->arg, t->number) == -1) {
		count(p, &p->nfailed);
		return;
	}
	count(p, &p->nattached);
	while (wait_for_work(t)) {
		gate->enter(gate->arg);
		run_all(t);
		gate->leave(gate->arg);
	}
	gate->detach(gate->arg);
}

static void *
thread_main(void *arg)
{
	struct pool_thread *t = arg;
	struct pool *p = t->pool;

	dress(t);
	serve(t);

	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	p->nended++;
	PTHREAD_OK(pthread_cond_signal(&p->changed));
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	return (NULL);
}

/* ---- the end ---- */

static void
stop(struct pool *p)
{
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	p->stopping = true;
	while (!SLIST_EMPTY(&p->idle))
		pool_wake_one(p);
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
}

/* Joins all threads, however long it takes, and frees the pool. */
static void
destroy(struct pool *p)
{
	unsigned i;

	for (i = 0; i < p->nthreads; i++) {
		PTHREAD_OK(pthread_join(p->threads[i].id, NULL));
		sem_destroy(&p->threads[i].wake);
	}
	PTHREAD_OK(pthread_cond_destroy(&p->changed));
	PTHREAD_OK(pthread_mutex_destroy(&p->lock));
	free(p);
}

static struct timespec
time_after(unsigned wait_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += wait_ms / 1000;
	ts.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return (ts);
}

/*
 * Threads are waited for by their number that ended, not by joining each: one
 * bound holds for all, and on the monotonic clock.
 */
unsigned
pool_close(struct pool **poolp, unsigned wait_ms)
{
	struct pool *p = *poolp;
	struct timespec until = time_after(wait_ms);
	unsigned stuck;
	int error = 0;

	*poolp = NULL;
	if (p == NULL)
		return (0);
	pool_flush(p);
	stop(p);
	PTHREAD_OK(pthread_mutex_lock(&p->lock));
	while (p->nended < p->nthreads && error != ETIMEDOUT) {
		error = pthread_cond_timedwait(&p->changed, &p->lock, &until);
		ASSERT(error == 0 || error == ETIMEDOUT);
	}
	stuck = p->nthreads - p->nended;
	PTHREAD_OK(pthread_mutex_unlock(&p->lock));
	if (stuck == 0)
		destroy(p);
	return (stuck);
}
