/*
 * wakeup_stress - a pool that has nothing but its wake-ups: no tick heals one that
 * is lost.  For ThreadSanitizer.
 *
 * In each trip some jobs, up to one for every thread but one, wait outside of the
 * gate until the trip's last job has run; so each of them has to get a thread
 * while the others sleep, from pool_flush() or pool_gate_freed(), whichever is
 * later.  Beside them somebody who is not of the pool takes the gate and drops it,
 * a few times in every other trip: never so long that it would wake all by itself.
 *
 * "wakeup_stress [THREADS [TRIPS]]"; exits with 0 if all jobs ran, and dies by
 * SIGALRM where a wake-up was lost.
 */
#include <poll.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "completion.h"
#include "fake_gate.h"

#define THREADS_MAX 64
#define VISITS      4 /* of the outsider, in a trip */
#define GIVE_UP_S   120

struct job {
	struct completion completion; /* first: as in the list */
	struct pool_job pool_job;
	unsigned posts; /* 0: waits for a post */
};

static struct completion_list completions;
static struct fake_gil gil = FAKE_GIL_INITIALIZER;
static unsigned long nrun; /* (gil) */
static sem_t posted;       /* what the jobs wait for */
static sem_t visit, visited;
static atomic_bool over;

static void
wait_for(sem_t *sem)
{
	while (sem_wait(sem) == -1)
		;
}

static void
run(struct pool_job *pool_job, void *arg UNUSED, unsigned thread UNUSED)
{
	struct job *job = CONTAINER_OF(pool_job, struct job, pool_job);
	unsigned i;

	nrun++;
	if (job->posts == 0) {
		fake_gate_leave(&gil);
		wait_for(&posted);
		fake_gate_enter(&gil);
	}
	for (i = 0; i < job->posts; i++)
		sem_post(&posted);
	completion_push(&completions, &job->completion);
}

/* Not of the pool: a thread of the application's, say. */
static void *
outsider(void *arg UNUSED)
{
	int i;

	for (;;) {
		wait_for(&visit);
		if (atomic_load(&over))
			return (NULL);
		for (i = 0; i < VISITS; i++) {
			fake_gil_take(&gil, FAKE_GIL_FOR_EVER);
			fake_gil_drop(&gil);
		}
		sem_post(&visited);
	}
}

static void
sleep_until_woken(void)
{
	struct pollfd wake = {.fd = completions.wake_fd, .events = POLLIN};
	uint64_t n;

	if (!completion_sleep(&completions))
		return;
	if (poll(&wake, 1, -1) == -1 ||
	    read(wake.fd, &n, sizeof(n)) != sizeof(n))
		abort();
	completion_awake(&completions);
}

static void
collect(struct pool *pool, unsigned n)
{
	struct completion *c, *next;

	while (n > 0) {
		sleep_until_woken();
		for (c = completion_take(&completions); c != NULL; c = next) {
			next = c->next;
			pool_collected(pool);
			n--;
		}
	}
}

/* So that what follows comes at any moment of what the threads do. */
static void
pass_some_time(unsigned long number)
{
	volatile unsigned long left = number * 7919 % 100003;

	while (left > 0)
		left--;
}

static void
submit(struct pool *pool, struct job *job, unsigned posts)
{
	job->posts = posts;
	if (pool_submit(pool, &job->pool_job) == -1)
		abort();
}

static void
make_trip(struct pool *pool, unsigned long number, unsigned nwaiting)
{
	static struct job jobs[THREADS_MAX];
	bool has_visit = number % 2 == 0;
	unsigned i;

	if (has_visit)
		sem_post(&visit);
	for (i = 0; i < nwaiting; i++) {
		submit(pool, &jobs[i], 0);
		if ((number + i) % 3 == 0)
			pool_flush(pool);
	}
	if (number % 5 < 3)
		pool_flush(pool);
	if (number % 5 < 2)
		pass_some_time(number);
	submit(pool, &jobs[nwaiting], nwaiting);
	if (nwaiting == 0) /* alone it waits, too, but for us */
		sem_post(&posted);
	pool_flush(pool);
	collect(pool, nwaiting + 1);
	if (has_visit)
		wait_for(&visited);
}

static unsigned long
make_trips(struct pool *pool, unsigned threads, unsigned long trips)
{
	unsigned long i, jobs = 0;
	unsigned nwaiting;

	for (i = 0; i < trips; i++) {
		nwaiting = (unsigned)(i / 7 % threads);
		make_trip(pool, i, nwaiting);
		jobs += nwaiting + 1;
	}
	return (jobs);
}

int
main(int argc, char *argv[])
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	unsigned long trips = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	struct pool_settings settings = {
	    .threads = threads, .max_queue = 1, .run = run};
	struct pool_gate gate;
	struct pool *pool;
	unsigned long jobs;
	pthread_t other;

	if (threads < 1 || threads > THREADS_MAX)
		return (1);
	alarm(GIVE_UP_S);
	sem_init(&posted, 0, 0);
	sem_init(&visit, 0, 0);
	sem_init(&visited, 0, 0);
	if (completion_list_open(&completions) == -1 ||
	    (pool = fake_gate_open_pool(&gate, &gil, &settings)) == NULL) {
		perror("wakeup_stress");
		return (1);
	}
	PTHREAD_OK(pthread_create(&other, NULL, outsider, NULL));
	jobs = make_trips(pool, threads, trips);
	atomic_store(&over, true);
	sem_post(&visit);
	PTHREAD_OK(pthread_join(other, NULL));
	if (pool_close(&pool, GIVE_UP_S * 1000) != 0)
		return (1);
	completion_list_close(&completions);
	printf("%lu jobs on %u threads\n", nrun, threads);
	return (nrun == jobs ? 0 : 1);
}
