/* conn_deadline - how long a connection may take: see conn_private.h. */
#include <inttypes.h>

#include "check.h"
#include "clock.h"
#include "conn_answer.h"
#include "conn_input.h"
#include "conn_proxy.h"
#include "log.h"
#include "macros.h"

/* More than a socket's buffer can hold. */
#define TAKEN_BIAS ((uint64_t)1 << 32)

/* Readers that are looked at, at most, before one of them is cut, and others that
 * stand between them. */
#define LOOK_AT_MAX 64
#define PASS_MAX    4096

/* Requests that are looked at in a second, at most, once no thread has been free for
 * so long. */
#define WAITING_MAX 1024
#define WAITED_MS   1000

/* Who has waited for less than this is not called slow yet. */
#define JUDGE_AFTER_MS 1000

static void on_timer(evutil_socket_t, short, void *);

void
conn_init_deadlines(struct conn_list *list)
{
	const struct conn_settings *settings = &list->settings;

	deadline_queue_init(&list->header, settings->header_timeout_ms);
	deadline_queue_init(&list->body, settings->body_timeout_ms);
	deadline_queue_init(&list->queue, settings->queue_timeout_ms);
	deadline_queue_init(&list->keepalive, settings->keepalive_ms);
	deadline_queue_init(&list->send, settings->send_timeout_ms);
	deadline_queue_init(&list->linger, settings->linger_timeout_ms);
	list->timer_at_ms = DEADLINE_NEVER;
	evtimer_assign(&list->timer, settings->base, on_timer, list);
}

static void
arm_timer(struct conn_list *list, uint64_t at_ms)
{
	uint64_t in_ms = at_ms > list->now_ms ? at_ms - list->now_ms : 0;
	struct timeval tv = {.tv_sec = (time_t)(in_ms / 1000),
	    .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};

	list->timer_at_ms = at_ms;
	if (evtimer_add(&list->timer, &tv) == -1)
		log_errorx("cannot set a timer");
}

void
conn_set_deadline(struct conn *c, struct deadline_queue *queue)
{
	struct conn_list *list = c->list;

	deadline_set(&c->deadline, queue, list->now_ms);
	if (c->deadline.queue != NULL && c->deadline.at_ms < list->timer_at_ms)
		arm_timer(list, c->deadline.at_ms);
}

/* ---- progress ---- */

/* What a client has to move in so long. */
static uint64_t
enough(const struct conn_list *list, uint64_t ms)
{
	uint64_t bytes = list->settings.min_rate * ms / 1000;

	return (bytes > 0 ? bytes : 1);
}

/*
 * The first call for a body, or for a reply that blocks, sets the deadline; the
 * others move it only once enough has come about since.
 */
void
conn_progress(struct conn *c, struct deadline_queue *queue, uint64_t moved)
{
	if (c->deadline.queue == queue &&
	    moved < c->moved + enough(c->list, queue->after_ms))
		return;
	c->moved = moved;
	conn_set_deadline(c, queue);
}

/*
 * Bytes of the reply that the peer's kernel has, and TAKEN_BIAS: of replies before it
 * in the same buffer the peer may have to take some first.  What lies in our own socket's
 * buffer, which may be some megabytes, has not left; and when it is full, it takes
 * more only after a good part has.
 */
static uint64_t
taken_by_peer(const struct conn *c)
{
	return (c->req->reply.outbox.sent + TAKEN_BIAS - conn_unconfirmed(c));
}

void
conn_sending(struct conn *c)
{
	struct conn_list *list = c->list;

	if (c->deadline.queue != &list->send)
		conn_progress(c, &list->send, taken_by_peer(c));
}

static enum conn_step
on_send_deadline(struct conn *c)
{
	struct conn_list *list = c->list;
	const struct outbox *outbox = &c->req->reply.outbox;
	uint64_t taken = taken_by_peer(c);
	uint64_t least = enough(list, list->send.after_ms);
	uint64_t half = list->settings.context->high_watermark / 2;

	/* What a thread waits for, reply_wait(), is more: min_rate is for what a
	 * connection alone costs. */
	if (half > least && atomic_load(&outbox->waiting))
		least = half;
	if (taken < c->moved + least)
		return (conn_cut(c, "send_timeout"));
	conn_progress(c, &list->send, taken);
	return (CONN_WAIT);
}

static struct conn *
conn_of(struct deadline *deadline)
{
	struct conn *c = CONTAINER_OF(deadline, struct conn, deadline);

	conn_check(c);
	return (c);
}

/* A connection that lingers waits here too, but for the kernel. */
static bool
has_unsent(const struct conn *c)
{
	return (c->req != NULL && c->req->unsent > 0);
}

/*
 * One that has waited for a while and has not kept to min_rate on average.  Those at
 * the front that have go to the end, as they would when their time is up; NULL if
 * all that were looked at have.  Replies that are files are left alone, here and
 * below: they hold no memory.
 */
static struct conn *
slow_reader(struct conn_list *list)
{
	struct deadline_queue *queue = &list->send;
	struct deadline *deadline, *next = TAILQ_FIRST(&queue->list);
	uint64_t waited_ms, taken;
	int seen = 0, passed;
	struct conn *c;

	for (passed = 0; passed < PASS_MAX && seen < LOOK_AT_MAX; passed++) {
		if ((deadline = next) == NULL)
			break;
		next = TAILQ_NEXT(deadline, link);
		waited_ms = list->now_ms + queue->after_ms - deadline->at_ms;
		if (waited_ms < JUDGE_AFTER_MS)
			break;
		c = conn_of(deadline);
		if (!has_unsent(c))
			continue;
		seen++;
		taken = taken_by_peer(c);
		if (taken < c->moved + enough(list, waited_ms))
			return (c);
		c->moved = taken;
		conn_set_deadline(c, queue);
	}
	return (NULL);
}

/* The one that has taken least of its reply; of several the one that has waited
 * longest.  How much it has taken since it waits says little: that may be a
 * millisecond. */
static struct conn *
least_reader(struct conn_list *list)
{
	struct conn *c, *found = NULL;
	uint64_t taken, least = UINT64_MAX;
	struct deadline *deadline;
	int seen = 0, passed = 0;

	TAILQ_FOREACH (deadline, &list->send.list, link) {
		c = conn_of(deadline);
		if (++passed > PASS_MAX || seen == LOOK_AT_MAX)
			break;
		if (!has_unsent(c))
			continue;
		seen++;
		taken = taken_by_peer(c);
		if (taken < least) {
			least = taken;
			found = c;
		}
	}
	return (found);
}

static void
tell_relieved(struct conn_list *list)
{
	uint64_t others = throttle_take(&list->relieved, list->now_ms);

	if (throttle_allows(&list->relieved, list->now_ms))
		log_warnx("max_buffered reached: the slowest reader is cut; "
			  "%" PRIu64 " more since last told",
		    others);
}

void
conn_list_relieve(struct conn_list *list)
{
	struct budget *memory = &list->settings.context->memory;
	struct conn *c;

	while (budget_is_over(memory)) {
		if ((c = slow_reader(list)) == NULL &&
		    (c = least_reader(list)) == NULL)
			break;
		tell_relieved(list);
		memory->is_short = false;
		if (conn_cut(c, "max_buffered") == CONN_CLOSE)
			conn_close(c);
	}
	memory->is_short = false;
}

/*
 * The peer may still be taking the last reply: then it has send_timeout for as long
 * as it goes on.  In a worker that drains graceful_timeout ends that.
 */
static enum conn_step
on_linger_deadline(struct conn *c, const struct deadline_queue *queue)
{
	struct conn_list *list = c->list;
	uint64_t unconfirmed = conn_unconfirmed(c);

	if (unconfirmed == 0)
		return (CONN_CLOSE);
	if (queue == &list->send &&
	    unconfirmed + enough(list, queue->after_ms) > c->moved)
		return (conn_reset(c, "send_timeout"));
	c->moved = unconfirmed;
	conn_set_deadline(c, &list->send);
	return (CONN_WAIT);
}

/* ---- waiting for a thread ---- */

/*
 * A reset that came together with a request has had no edge of its own, see
 * read_some(), and at once it was not worth a look.  It is once all threads have
 * been busy for a second.
 */
void
conn_list_drop_gone(struct conn_list *list)
{
	struct conn *c, *next = TAILQ_FIRST(&list->conns);
	int looks = 0;

	if (saturation_age_ms(&list->saturation, list->now_ms) < WAITED_MS)
		return;
	while ((c = next) != NULL && looks < WAITING_MAX) {
		next = TAILQ_NEXT(c, link);
		if (c->state != CONN_RUNNING || !c->read_short)
			continue;
		looks++;
		conn_peer_check(c);
		conn_run(c);
	}
}

/* ---- what is due ---- */

static enum conn_step
on_deadline(struct conn *c, const struct deadline_queue *queue)
{
	switch (c->state) {
	case CONN_PROXY:
		return (conn_refuse_proxy(c, "header_timeout"));
	case CONN_HEAD:
		/* Empty lines before a request are not one yet. */
		if (request_line_text(c->req).len == 0)
			return (CONN_CLOSE);
		return (conn_refuse(c, 408, "header_timeout", NULL));
	case CONN_BODY:
		return (conn_refuse(c, 408, "body_timeout", NULL));
	case CONN_RUNNING:
		if (queue == &c->list->queue)
			return (conn_queue_timeout(c));
		/* FALLTHROUGH */
	case CONN_REPLYING:
		ASSERT(queue == &c->list->send);
		return (on_send_deadline(c));
	case CONN_LINGERING:
		return (on_linger_deadline(c, queue));
	default:
		return (conn_leave(c, "keepalive")); /* IDLE */
	}
}

static void
expire(struct conn_list *list, struct deadline_queue *queue)
{
	struct deadline *deadline;
	enum conn_step step;
	struct conn *c;

	while ((deadline = deadline_take_due(queue, list->now_ms)) != NULL) {
		c = CONTAINER_OF(deadline, struct conn, deadline);
		conn_check(c);
		step = on_deadline(c, queue);
		if (step == CONN_CLOSE)
			conn_close(c);
		else if (step == CONN_MORE)
			conn_run(c);
	}
}

/* libevent: somebody may have waited too long. */
static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct conn_list *list = arg;
	struct deadline_queue *queues[] = {&list->header, &list->body,
	    &list->queue, &list->keepalive, &list->send, &list->linger};
	uint64_t next = DEADLINE_NEVER, at;
	size_t i;

	completion_awake(&list->settings.context->completions);
	list->now_ms = clock_ms();
	conn_list_collect(list);
	list->timer_at_ms = 0; /* whatever is set meanwhile is seen below */
	for (i = 0; i < nitems(queues); i++)
		expire(list, queues[i]);
	for (i = 0; i < nitems(queues); i++)
		if ((at = deadline_next(queues[i])) < next)
			next = at;
	list->timer_at_ms = DEADLINE_NEVER;
	if (next != DEADLINE_NEVER)
		arm_timer(list, next);
}
