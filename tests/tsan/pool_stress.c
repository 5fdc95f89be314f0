/*
 * pool_stress - one loop thread, some pool threads, and many round trips from
 * the loop through the pool and the completion list back, for ThreadSanitizer.
 *
 * A plain program, because the unit tests' framework does not start under the
 * sanitizer.  "pool_stress [THREADS [TRIPS]]"; exits with 0 if every job came
 * back the right number of times, and dies by SIGALRM if one got lost.
 *
 * The gate does not tell when it is free and the loop ticks, so a thread that is
 * not woken in time is woken later: wakeup_stress is there for that.
 */
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "completion.h"
#include "macros.h"
#include "pool.h"

#define IN_FLIGHT 64
#define MAX_QUEUE 48 /* less than could be in flight: some are refused */
#define GIVE_UP_S 300

struct job {
	struct completion completion; /* first: as in the list */
	struct pool_job pool_job;
	unsigned trips; /* whoever holds the job writes it, without a lock */
};

static struct completion_list completions;
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long nrun; /* (gate) */

static int
gate_attach(void *arg UNUSED, unsigned thread UNUSED)
{
	return (0);
}

static void
gate_enter(void *arg)
{
	PTHREAD_OK(pthread_mutex_lock(arg));
}

static void
gate_leave(void *arg)
{
	PTHREAD_OK(pthread_mutex_unlock(arg));
}

static void
gate_detach(void *arg UNUSED)
{
}

static const struct pool_gate gate = {
    .attach = gate_attach,
    .enter = gate_enter,
    .leave = gate_leave,
    .detach = gate_detach,
    .arg = &gate_lock,
};

/* Every fifth trip leaves the gate for a while, as waiting applications do. */
static void
run(struct pool_job *pool_job, void *arg UNUSED, unsigned thread UNUSED)
{
	struct job *job =
	    (struct job *)((char *)pool_job - offsetof(struct job, pool_job));

	nrun++;
	job->trips++;
	if (job->trips % 5 == 0) {
		gate_leave(&gate_lock);
		gate_enter(&gate_lock);
	}
	completion_push(&completions, &job->completion);
}

static void
sleep_until_woken(struct pool *pool)
{
	struct pollfd wake = {.fd = completions.wake_fd, .events = POLLIN};
	uint64_t n;

	if (!completion_sleep(&completions))
		return;
	if (poll(&wake, 1, pool_wants_tick(pool) ? POOL_TICK_MS : -1) == -1)
		abort();
	if (wake.revents != 0 && read(wake.fd, &n, sizeof(n)) != sizeof(n))
		abort();
	completion_awake(&completions);
	pool_tick(pool);
}

/* The loop: hands out what is idle, sleeps, collects, until all trips are made.
 */
static unsigned long
run_loop(struct pool *pool, struct job *jobs, unsigned long trips)
{
	struct job *idle[IN_FLIGHT];
	struct completion *c;
	unsigned long sent = 0, back = 0, refused = 0;
	unsigned nidle;

	for (nidle = 0; nidle < IN_FLIGHT; nidle++)
		idle[nidle] = &jobs[nidle];
	while (back < trips) {
		for (; nidle > 0 && sent < trips; sent++, nidle--)
			if (pool_submit(pool, &idle[nidle - 1]->pool_job) ==
			    -1) {
				refused++;
				break;
			}
		pool_flush(pool);
		sleep_until_woken(pool);
		for (c = completion_take(&completions); c != NULL;
		     c = c->next, back++) {
			idle[nidle++] = (struct job *)c;
			pool_collected(pool);
		}
	}
	return (refused);
}

int
main(int argc, char *argv[])
{
	static struct job jobs[IN_FLIGHT];
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	unsigned long trips = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
	struct pool_settings settings = {
	    .threads = threads,
	    .max_queue = MAX_QUEUE,
	    .gate = &gate,
	    .run = run,
	};
	unsigned long total = 0, refused;
	struct pool *pool;
	unsigned i;

	alarm(GIVE_UP_S);
	if (completion_list_open(&completions) == -1 ||
	    (pool = pool_open(&settings)) == NULL) {
		perror("pool_stress");
		return (1);
	}
	refused = run_loop(pool, jobs, trips);
	if (pool_close(&pool, GIVE_UP_S * 1000) != 0)
		return (1);
	completion_list_close(&completions);
	for (i = 0; i < IN_FLIGHT; i++)
		total += jobs[i].trips;
	printf(
	    "%lu trips on %u threads, %lu refused\n", total, threads, refused);
	return (total == trips && nrun == trips ? 0 : 1);
}
