/* pool_wakeup: what a tick sees that no gate has told. */
#include <criterion/criterion.h>

#include <semaphore.h>
#include <stdatomic.h>

#include "macros.h"
#include "pool.h"

static atomic_bool is_free;
static sem_t inside; /* posted by each job as it begins */
static sem_t go_on;  /* awaited by each */

TestSuite(pool_tick, .timeout = 60);

static int
gate_attach(void *arg UNUSED, unsigned thread UNUSED)
{
	return (0);
}

static void
gate_pass(void *arg UNUSED)
{
}

static bool
gate_is_free(void *arg UNUSED)
{
	return (atomic_load(&is_free));
}

static const struct pool_gate gate = {
    .attach = gate_attach,
    .enter = gate_pass,
    .leave = gate_pass,
    .detach = gate_pass,
    .is_free = gate_is_free,
};

static const struct pool_gate silent_gate = {
    .attach = gate_attach,
    .enter = gate_pass,
    .leave = gate_pass,
    .detach = gate_pass,
};

static void
await(sem_t *semaphore)
{
	while (sem_wait(semaphore) == -1)
		;
}

static void
run(struct pool_job *job UNUSED, void *arg UNUSED, unsigned thread UNUSED)
{
	sem_post(&inside);
	await(&go_on);
}

static struct pool *
open_pool(const struct pool_gate *of)
{
	const struct pool_settings settings = {
	    .threads = 2, .max_queue = 9, .gate = of, .run = run};
	struct pool *pool = pool_open(&settings);

	cr_assert_not_null(pool);
	cr_assert_eq(sem_init(&inside, 0, 0), 0);
	cr_assert_eq(sem_init(&go_on, 0, 0), 0);
	return (pool);
}

static void
submit(struct pool *pool, struct pool_job *job)
{
	cr_assert_eq(pool_submit(pool, job), 0);
	pool_flush(pool);
}

static void
close_pool(struct pool *pool, unsigned njobs)
{
	while (njobs-- > 0)
		sem_post(&go_on);
	cr_expect_eq(pool_close(&pool, 10000), 0);
}

/* A thread of ours has gone to sleep in its job, and the gate is another's who
 * computes: nobody tells. */
Test(pool_tick, first_tick_sees_a_gate_that_became_free_untold)
{
	struct pool *pool = open_pool(&gate);
	struct pool_job jobs[2] = {{.run = NULL}, {.run = NULL}};

	submit(pool, &jobs[0]);
	await(&inside);
	submit(pool, &jobs[1]);
	pool_tick(pool);
	cr_expect_eq(pool_queued(pool), 1, "the gate is not free");
	cr_expect_neq(sem_trywait(&inside), 0);
	atomic_store(&is_free, true);
	pool_tick(pool);
	await(&inside);
	close_pool(pool, 2);
}

Test(pool_tick, gate_that_is_free_is_used_at_once)
{
	struct pool *pool = open_pool(&gate);
	struct pool_job jobs[2] = {{.run = NULL}, {.run = NULL}};

	atomic_store(&is_free, true);
	submit(pool, &jobs[0]);
	await(&inside);
	submit(pool, &jobs[1]);
	await(&inside);
	close_pool(pool, 2);
}

/* Where the gate does not tell, ticks that find threads asleep wake twice as many
 * each time; of that there must be no end. */
Test(pool_tick, ticks_never_cease_to_wake)
{
	struct pool *pool = open_pool(&silent_gate);
	struct pool_job jobs[2] = {{.run = NULL}, {.run = NULL}};
	int i;

	submit(pool, &jobs[0]);
	await(&inside);
	for (i = 0; i < 40; i++)
		pool_tick(pool);
	submit(pool, &jobs[1]);
	for (i = 0; i < 3; i++)
		pool_tick(pool);
	await(&inside);
	close_pool(pool, 2);
}
