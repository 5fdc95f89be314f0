/* pool_wakeup: with a gate that tells when it is free no tick is needed.  Nobody
 * ticks here: a job for which no thread is woken at once is never run. */
#include <criterion/criterion.h>

#include <sched.h>
#include <semaphore.h>

#include "fake_gate.h"

#define PATIENCE_MS 10000

struct job {
	struct pool_job job; /* first */
	sem_t *inside;       /* posted once it runs */
	sem_t *hold;         /* then waited for, inside of the gate */
	sem_t *wait;         /* then waited for, outside */
	sem_t *done;
	unsigned thread; /* that ran it */
};

static struct fake_gil gil = FAKE_GIL_INITIALIZER;
static struct pool_gate gate;
static struct pool *pool;
static sem_t first_inside, first_hold, first_done, second_done;

/* The first waits for the second, which needs another thread for that. */
static struct job second = {.done = &second_done};
static struct job first = {
    .inside = &first_inside,
    .hold = &first_hold,
    .wait = &second_done,
    .done = &first_done,
};

static void
wait_for(sem_t *sem)
{
	while (sem_wait(sem) == -1)
		;
}

static bool
comes(sem_t *sem)
{
	struct timespec until = fake_gil_deadline(PATIENCE_MS);
	int error;

	do
		error = sem_timedwait(sem, &until);
	while (error == -1 && errno == EINTR);
	return (error == 0);
}

static void
run(struct pool_job *pool_job, void *arg UNUSED, unsigned thread)
{
	struct job *job = (struct job *)pool_job;

	job->thread = thread;
	if (job->inside != NULL)
		sem_post(job->inside);
	if (job->hold != NULL)
		wait_for(job->hold);
	if (job->wait != NULL) {
		fake_gate_leave(&gil);
		wait_for(job->wait);
		fake_gate_enter(&gil);
	}
	sem_post(job->done);
}

static void
set_up(void)
{
	struct pool_settings settings = {
	    .threads = 2, .max_queue = 1, .run = run};

	sem_init(&first_inside, 0, 0);
	sem_init(&first_hold, 0, 0);
	sem_init(&first_done, 0, 0);
	sem_init(&second_done, 0, 0);
	pool = fake_gate_open_pool(&gate, &gil, &settings);
	cr_assert_not_null(pool);
}

static void
tear_down(void)
{
	cr_expect_eq(pool_close(&pool, PATIENCE_MS), 0);
}

TestSuite(pool_wakeup, .init = set_up, .fini = tear_down, .timeout = 60);

static void
submit(struct job *job)
{
	cr_assert_eq(pool_submit(pool, &job->job), 0);
	pool_flush(pool);
}

/* Until the first is inside of the gate, and stays there. */
static void
start_first(void)
{
	submit(&first);
	cr_assert(comes(&first_inside));
}

/* Until the first waits outside, with the gate free. */
static void
let_first_wait(void)
{
	start_first();
	sem_post(&first_hold);
	while (!fake_gate_is_free(&gil))
		sched_yield();
}

Test(pool_wakeup, job_for_a_pool_that_sleeps_is_run)
{
	submit(&second);
	cr_assert(comes(&second_done));
}

Test(pool_wakeup, job_that_comes_while_the_gate_is_free_is_run)
{
	let_first_wait();
	submit(&second);
	cr_assert(comes(&first_done));
	cr_expect_neq(first.thread, second.thread);
}

Test(pool_wakeup, job_that_comes_before_the_gate_is_free_is_run_then)
{
	start_first();
	submit(&second);
	sem_post(&first_hold);
	cr_assert(comes(&first_done));
}

Test(pool_wakeup, job_that_comes_while_a_stranger_has_the_gate_is_run_then)
{
	let_first_wait();
	fake_gil_take(&gil, FAKE_GIL_FOR_EVER);
	submit(&second);
	fake_gil_drop(&gil);
	cr_assert(comes(&first_done));
}

static void *
take_and_drop(void *arg UNUSED)
{
	fake_gil_take(&gil, FAKE_GIL_FOR_EVER);
	fake_gil_drop(&gil);
	return (NULL);
}

Test(pool_wakeup, job_is_run_after_the_last_of_those_who_want_the_gate)
{
	pthread_t stranger;

	let_first_wait();
	fake_gil_take(&gil, FAKE_GIL_FOR_EVER);
	cr_assert_eq(pthread_create(&stranger, NULL, take_and_drop, NULL), 0);
	while (atomic_load(&gil.waiters) == 0)
		sched_yield();
	submit(&second);
	fake_gil_drop(&gil); /* to the stranger: not free */
	cr_assert(comes(&first_done));
	pthread_join(stranger, NULL);
}

Test(pool_wakeup, thread_that_computes_takes_the_next_job_itself)
{
	first.wait = NULL;
	start_first();
	submit(&second);
	sem_post(&first_hold);
	cr_assert(comes(&second_done));
	cr_expect_eq(first.thread, second.thread, "no other was woken for it");
}
