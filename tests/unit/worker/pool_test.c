/* pool: every job runs once, inside the gate, and the end is bounded. */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "macros.h"
#include "pool.h"

#define MANY   100000
#define MINUTE 60000 /* ms */

/* The gate: a lock, and who is inside. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t at_gate; /* posted by each thread that comes to it */
static atomic_int inside, attached, detached;
static unsigned refuse_thread; /* attach fails for this one */

static int
gate_attach(void *arg, unsigned thread)
{
	cr_assert_eq(arg, &gate_lock);
	if (thread == refuse_thread)
		return (-1);
	atomic_fetch_add(&attached, 1);
	return (0);
}

static void
gate_enter(void *arg)
{
	sem_post(&at_gate);
	pthread_mutex_lock(arg);
	atomic_fetch_add(&inside, 1);
}

static void
gate_leave(void *arg)
{
	atomic_fetch_sub(&inside, 1);
	pthread_mutex_unlock(arg);
}

static void
gate_detach(void *arg)
{
	cr_assert_eq(arg, &gate_lock);
	atomic_fetch_add(&detached, 1);
}

static const struct pool_gate gate = {
    .attach = gate_attach,
    .enter = gate_enter,
    .leave = gate_leave,
    .detach = gate_detach,
    .arg = &gate_lock,
};

struct job {
	struct pool_job job; /* first */
	unsigned number;
};

static struct job jobs[MANY];
static unsigned order[MANY]; /* (gate) their numbers as they ran */
static atomic_uint nrun;
static unsigned outside; /* (gate) jobs that ran with the gate not held once */
static sem_t done;       /* posted after each */

static void
set_up(void)
{
	unsigned i;

	for (i = 0; i < MANY; i++)
		jobs[i].number = i;
	sem_init(&done, 0, 0);
	sem_init(&at_gate, 0, 0);
}

TestSuite(pool, .init = set_up, .timeout = 60);

static void
run(struct pool_job *job, void *arg, unsigned thread)
{
	(void)arg;
	(void)thread;
	if (atomic_load(&inside) != 1)
		outside++;
	order[atomic_fetch_add(&nrun, 1)] = ((struct job *)job)->number;
	sem_post(&done);
}

static struct pool *open_now; /* whose loop the test is */
static pthread_t test_thread;

static struct pool *
open_pool(unsigned threads, unsigned max_queue, pool_run_fn *run_fn)
{
	struct pool_settings settings = {
	    .threads = threads,
	    .max_queue = max_queue,
	    .gate = &gate,
	    .run = run_fn,
	    .arg = order,
	};
	struct pool *pool = pool_open(&settings);

	cr_assert_not_null(pool, "%s", strerror(errno));
	open_now = pool;
	test_thread = pthread_self();
	return (pool);
}

static void
submit(struct pool *pool, unsigned first, unsigned n)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		cr_assert_eq(pool_submit(pool, &jobs[i].job), 0);
}

/* Waits as the loop does: ticking. */
static void
await(sem_t *sem, unsigned n)
{
	struct timespec until;

	while (n > 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (sem_timedwait(sem, &until) == 0)
			n--;
		else if (open_now != NULL &&
			 pthread_equal(test_thread, pthread_self()))
			pool_tick(open_now);
	}
}

/* The loop's part when n jobs are over. */
static void
collect(struct pool *pool, unsigned n)
{
	await(&done, n);
	for (; n > 0; n--)
		pool_collected(pool);
}

static void
close_pool(struct pool *pool)
{
	open_now = NULL;
	cr_assert_eq(pool_close(&pool, MINUTE), 0);
	cr_expect_null(pool);
	cr_expect_eq(atomic_load(&attached), atomic_load(&detached));
}

Test(pool, runs_all_in_order_on_one_thread)
{
	struct pool *pool = open_pool(1, MANY, run);
	unsigned i;

	for (i = 0; i < 1000; i += 100) {
		submit(pool, i, 100);
		pool_flush(pool);
	}
	await(&done, 1000);
	for (i = 0; i < 1000; i++)
		cr_assert_eq(order[i], i);
	close_pool(pool);
}

Test(pool, runs_nothing_before_the_flush)
{
	struct pool *pool = open_pool(2, 10, run);

	pool_flush(pool);
	submit(pool, 0, 1);
	cr_expect_eq(pool_queued(pool), 1);
	cr_expect_neq(sem_trywait(&at_gate), 0);
	pool_flush(pool);
	await(&done, 1);
	close_pool(pool);
	cr_expect_eq(atomic_load(&nrun), 1);
}

Test(pool, pops_nothing_outside_of_the_gate)
{
	struct pool *pool = open_pool(4, 10, run);

	pthread_mutex_lock(&gate_lock);
	submit(pool, 0, 10);
	pool_flush(pool);
	await(&at_gate, 4); /* all of them wait for us */
	cr_expect_eq(pool_queued(pool), 10);
	cr_expect_eq(pool_running(pool), 0);
	pthread_mutex_unlock(&gate_lock);
	await(&done, 10);
	close_pool(pool);
	cr_expect_eq(outside, 0);
}

Test(pool, refuses_what_is_over_the_bound_and_leaves_it_to_the_caller)
{
	struct pool *pool = open_pool(1, 2, run);

	pthread_mutex_lock(&gate_lock);
	submit(pool, 0, 2);
	pool_flush(pool);
	await(&at_gate, 1);
	submit(pool, 2, 1); /* batch and queue count together */
	errno = 0;
	cr_expect_eq(pool_submit(pool, &jobs[3].job), -1);
	cr_expect_eq(errno, EAGAIN);
	cr_expect_eq(pool_queued(pool), 3);
	pthread_mutex_unlock(&gate_lock);

	await(&done, 2);
	cr_expect_eq(pool_submit(pool, &jobs[3].job), -1,
	    "the loop has not collected them");
	pool_collected(pool);
	submit(pool, 3, 1); /* again, now that there is room */
	pool_flush(pool);
	await(&done, 2);
	close_pool(pool);
	cr_expect_eq(atomic_load(&nrun), 4);
	cr_expect_eq(order[3], 3);
}

/* Waits for all others outside of the gate, as an application does for I/O. */
static pthread_barrier_t together;

static void
run_together(struct pool_job *job, void *arg, unsigned thread)
{
	gate_leave(&gate_lock);
	pthread_barrier_wait(&together);
	gate_enter(&gate_lock);
	run(job, arg, thread);
}

Test(pool, overlaps_the_waiting_of_its_threads)
{
	struct pool *pool = open_pool(8, MANY, run_together);

	pthread_barrier_init(&together, NULL, 8);
	submit(pool, 0, 80); /* the barrier opens for eight at a time only */
	pool_flush(pool);
	await(&done, 80);
	close_pool(pool);
	cr_expect_eq(atomic_load(&nrun), 80);
}

Test(pool, wakes_a_second_thread_while_the_first_waits)
{
	struct pool *pool = open_pool(2, MANY, run_together);

	pthread_barrier_init(&together, NULL, 2);
	submit(pool, 0, 1);
	pool_flush(pool);
	await(&at_gate, 1);
	submit(pool, 1, 1);
	pool_flush(pool);
	await(&done, 2);
	close_pool(pool);
}

static unsigned seen_running, seen_queued;
static struct pool *seen_pool;

static void
run_and_look(struct pool_job *job, void *arg, unsigned thread)
{
	seen_running = pool_running(seen_pool);
	seen_queued = pool_queued(seen_pool);
	run(job, arg, thread);
}

Test(pool, counts_what_waits_and_what_runs)
{
	seen_pool = open_pool(1, 10, run_and_look);
	submit(seen_pool, 0, 1);
	pool_flush(seen_pool);
	await(&done, 1);
	cr_expect_eq(seen_running, 1);
	cr_expect_eq(seen_queued, 0);
	close_pool(seen_pool);
}

Test(pool, close_lets_the_queue_be_finished)
{
	struct pool *pool = open_pool(3, MANY, run);

	submit(pool, 0, 500);
	pool_flush(pool);
	submit(pool, 500, 500); /* not even flushed */
	close_pool(pool);
	cr_expect_eq(atomic_load(&nrun), 1000);
	cr_expect_eq(outside, 0);
}

Test(pool, close_of_none_is_nothing)
{
	struct pool *pool = NULL;

	cr_expect_eq(pool_close(&pool, MINUTE), 0);
}

static sem_t stuck, stuck_end;

static void
run_stuck(struct pool_job *job, void *arg, unsigned thread)
{
	gate_leave(&gate_lock);
	if (((struct job *)job)->number == 0) {
		sem_post(&stuck);
		await(&stuck_end, 1);
	}
	gate_enter(&gate_lock);
	run(job, arg, thread);
}

Test(pool, close_counts_a_thread_that_does_not_come_back)
{
	static struct pool *left; /* to its thread */
	struct pool *pool = left = open_pool(3, 10, run_stuck);

	sem_init(&stuck, 0, 0);
	sem_init(&stuck_end, 0, 0);
	submit(pool, 0, 1);
	pool_flush(pool);
	await(&stuck, 1);
	submit(pool, 1, 4);
	cr_expect_eq(pool_close(&pool, 200), 1);
	cr_expect_null(pool);
	cr_expect_eq(atomic_load(&nrun), 4, "the others finished the queue");
	cr_expect_eq(atomic_load(&detached), 2);
	cr_expect_not_null(left);
	sem_post(&stuck_end);
	await(&done, 5);
}

static sigset_t seen_mask;
static char seen_name[16];
static size_t seen_stack;
static unsigned seen_thread;

static void
run_and_tell(struct pool_job *job, void *arg, unsigned thread)
{
	pthread_attr_t attr;

	pthread_sigmask(SIG_BLOCK, NULL, &seen_mask);
	pthread_getname_np(pthread_self(), seen_name, sizeof(seen_name));
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &seen_stack);
	pthread_attr_destroy(&attr);
	seen_thread = thread;
	run(job, arg, thread);
}

Test(pool, thread_has_a_name_a_stack_and_no_signal_blocked)
{
	struct pool_settings settings = {
	    .threads = 1,
	    .max_queue = 1,
	    .stack_size = 3 << 20,
	    .gate = &gate,
	    .run = run_and_tell,
	};
	struct pool *pool;
	sigset_t all;
	int sig;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pool = pool_open(&settings);
	cr_assert_not_null(pool);
	submit(pool, 0, 1);
	pool_flush(pool);
	await(&done, 1);
	close_pool(pool);

	for (sig = 1; sig < 32; sig++)
		cr_expect_eq(sigismember(&seen_mask, sig), 0, "%d", sig);
	cr_expect_str_eq(seen_name, "pool-1");
	cr_expect_eq(seen_thread, 1);
	cr_expect_geq(seen_stack, (size_t)3 << 20);
	cr_expect_lt(seen_stack, (size_t)4 << 20);
}

Test(pool, open_refuses_a_stack_too_small)
{
	struct pool_settings settings = {
	    .threads = 1,
	    .max_queue = 1,
	    .stack_size = 100,
	    .gate = &gate,
	    .run = run,
	};

	errno = 0;
	cr_expect_null(pool_open(&settings));
	cr_expect_eq(errno, EINVAL);
}

Test(pool, open_fails_when_a_thread_cannot_be_attached)
{
	struct pool_settings settings = {
	    .threads = 5,
	    .max_queue = 1,
	    .gate = &gate,
	    .run = run,
	};

	refuse_thread = 3;
	errno = 0;
	cr_expect_null(pool_open(&settings));
	cr_expect_eq(errno, ECANCELED);
	cr_expect_eq(atomic_load(&attached), 4);
	cr_expect_eq(atomic_load(&detached), 4);
}

/* The limit counts a user's threads, and binds no one who is root. */
static void
limit_threads(rlim_t n)
{
	struct rlimit limit;

	if (geteuid() == 0)
		cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
	limit.rlim_cur = n;
	cr_assert_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

Test(pool, open_ends_the_threads_it_started_when_one_cannot_be_had)
{
	struct pool_settings settings = {
	    .threads = 50,
	    .max_queue = 1,
	    .gate = &gate,
	    .run = run,
	};

	limit_threads(4);
	errno = 0;
	cr_expect_null(pool_open(&settings));
	cr_expect_eq(errno, EAGAIN);
	cr_expect_lt(atomic_load(&attached), 50);
	cr_expect_eq(atomic_load(&attached), atomic_load(&detached));

	/* For the leak checker, which looks on from a process of its own. */
	limit_threads(1000);
	prctl(PR_SET_DUMPABLE, 1);
}

/* Gives the gate away in the middle of every third job. */
static void
run_unevenly(struct pool_job *job, void *arg, unsigned thread)
{
	if (((struct job *)job)->number % 3 == 0) {
		gate_leave(&gate_lock);
		gate_enter(&gate_lock);
	}
	run(job, arg, thread);
}

Test(pool, runs_each_of_many_jobs_once)
{
	static bool seen[MANY];
	struct pool *pool = open_pool(8, 500, run_unevenly);
	unsigned i = 0;

	while (i < MANY) {
		if (pool_submit(pool, &jobs[i].job) == 0)
			i++;
		else {
			cr_assert_eq(errno, EAGAIN);
			pool_flush(pool);
			collect(pool, 1);
		}
		if (i % 17 == 0)
			pool_flush(pool);
	}
	close_pool(pool);
	cr_assert_eq(atomic_load(&nrun), MANY);
	for (i = 0; i < MANY; i++) {
		cr_assert_not(seen[order[i]], "job %u ran twice", order[i]);
		seen[order[i]] = true;
	}
	cr_expect_eq(outside, 0);
}

Test(pool, takes_back_what_no_thread_has_taken)
{
	struct pool *pool = open_pool(1, 9, run);

	pthread_mutex_lock(&gate_lock);
	submit(pool, 0, 4);
	cr_expect(pool_cancel(pool, &jobs[2].job), "still in the batch");
	cr_expect_not(pool_cancel(pool, &jobs[2].job), "no more");
	pool_flush(pool);
	cr_expect(pool_cancel(pool, &jobs[0].job), "handed over already");
	cr_expect_eq(pool_queued(pool), 2);
	pthread_mutex_unlock(&gate_lock);
	await(&done, 2);
	cr_expect_not(pool_cancel(pool, &jobs[1].job), "it has run");
	cr_expect_eq(order[0], 1);
	cr_expect_eq(order[1], 3);
	cr_expect_eq(pool_close(&pool, MINUTE), 0);
	cr_expect_eq(atomic_load(&nrun), 2);
}

Test(pool, what_was_taken_back_makes_room_in_the_queue)
{
	struct pool *pool = open_pool(1, 1, run);

	pthread_mutex_lock(&gate_lock);
	submit(pool, 0, 2);
	cr_expect_eq(pool_submit(pool, &jobs[2].job), -1);
	cr_expect(pool_cancel(pool, &jobs[0].job));
	cr_expect_eq(pool_backlog(pool), 0);
	submit(pool, 2, 1);
	pthread_mutex_unlock(&gate_lock);
	pool_flush(pool);
	await(&done, 2);
	cr_expect_eq(pool_close(&pool, MINUTE), 0);
}
