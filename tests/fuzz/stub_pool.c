/* stub_pool - see stub_pool.h. */
#include "stub_pool.h"

#include <errno.h>
#include <stddef.h>

#include "check.h"
#include "macros.h"

TAILQ_HEAD(jobs, pool_job);

struct pool {
	bool (*admit)(struct pool_job *);
	struct jobs todo, aside;
	unsigned queued, out;
	bool is_busy;
};

static struct pool the_pool;

struct pool *
stub_pool_open(bool (*admit)(struct pool_job *))
{
	the_pool = (struct pool){.admit = admit};
	TAILQ_INIT(&the_pool.todo);
	TAILQ_INIT(&the_pool.aside);
	return (&the_pool);
}

static struct pool_job *
take(struct jobs *jobs)
{
	struct pool_job *job = TAILQ_FIRST(jobs);

	if (job != NULL) {
		TAILQ_REMOVE(jobs, job, link);
		job->is_waiting = false;
	}
	return (job);
}

struct pool_job *
stub_pool_take(void)
{
	struct pool_job *job = take(&the_pool.todo);

	if (job != NULL)
		the_pool.queued--;
	return (job);
}

void
stub_pool_set_busy(bool is_busy)
{
	the_pool.is_busy = is_busy;
}

bool
stub_pool_is_busy(void)
{
	return (the_pool.is_busy);
}

void
stub_pool_run_aside(void)
{
	struct pool_job *job;

	while ((job = take(&the_pool.aside)) != NULL)
		job->run(job, NULL, 1);
}

/* ---- pool.h ---- */

int
pool_submit(struct pool *p, struct pool_job *job)
{
	if (!p->admit(job)) {
		errno = EAGAIN;
		return (-1);
	}
	TAILQ_INSERT_TAIL(&p->todo, job, link);
	job->is_waiting = true;
	p->queued++;
	p->out++;
	return (0);
}

void
pool_submit_aside(struct pool *p, struct pool_job *job)
{
	TAILQ_INSERT_TAIL(&p->aside, job, link);
}

bool
pool_cancel(struct pool *p, struct pool_job *job)
{
	if (!job->is_waiting)
		return (false);
	TAILQ_REMOVE(&p->todo, job, link);
	job->is_waiting = false;
	p->queued--;
	p->out--;
	return (true);
}

void
pool_collected(struct pool *p)
{
	ASSERT(p->out > 0);
	p->out--;
}

bool
pool_is_saturated(const struct pool *p)
{
	return (p->is_busy);
}

unsigned
pool_backlog(const struct pool *p)
{
	return (p->queued);
}

/* Of those that are there for us.  With one for a single connection, a request whose
 * client has left is run all the same, in any split. */
unsigned
pool_threads(const struct pool *p)
{
	return (p->is_busy ? 0 : 1);
}

unsigned
pool_queued(const struct pool *p)
{
	return (p->queued);
}

unsigned
pool_running(const struct pool *p)
{
	return (p->out - p->queued);
}
