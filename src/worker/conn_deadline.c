/* conn_deadline - how long a connection may take: see conn_private.h. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "check.h"
#include "clock.h"
#include "conn_answer.h"
#include "conn_proxy.h"
#include "log.h"
#include "macros.h"

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

/* What a client has to move in the time that a queue gives it. */
static uint64_t
enough(const struct conn_list *list, const struct deadline_queue *queue)
{
	uint64_t bytes = list->settings.min_rate * queue->after_ms / 1000;

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
	    moved < c->moved + enough(c->list, queue))
		return;
	c->moved = moved;
	conn_set_deadline(c, queue);
}

/*
 * Bytes of the reply that the peer's kernel has.  What lies in our own socket's
 * buffer, which may be some megabytes, has not left; and when it is full, it takes
 * more only after a good part has.
 */
static uint64_t
taken_by_peer(const struct conn *c)
{
	uint64_t sent = c->req->reply.outbox.sent;
	int unsent = 0;

	if (ioctl(c->fd, SIOCOUTQ, &unsent) == -1 || unsent < 0)
		return (sent);
	return (sent > (uint64_t)unsent ? sent - (uint64_t)unsent : 0);
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
	uint64_t taken = taken_by_peer(c);

	if (taken < c->moved + enough(list, &list->send))
		return (conn_cut(c, "send_timeout"));
	conn_progress(c, &list->send, taken);
	return (CONN_WAIT);
}

/* The one that has gone without progress for longest, until what waits in memory
 * is within its limit. */
void
conn_list_relieve(struct conn_list *list)
{
	struct deadline *deadline;
	enum conn_step step;
	struct conn *c;

	while (budget_is_over(&list->settings.context->memory) &&
	       (deadline = TAILQ_FIRST(&list->send.list)) != NULL) {
		c = CONTAINER_OF(deadline, struct conn, deadline);
		conn_check(c);
		log_warnx("max_buffered reached: the slowest reader is cut");
		list->settings.context->memory.is_short = false;
		step = conn_cut(c, "max_buffered");
		if (step == CONN_CLOSE)
			conn_close(c);
	}
	list->settings.context->memory.is_short = false;
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
	default:
		return (CONN_CLOSE); /* IDLE, LINGERING */
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
