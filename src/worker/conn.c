/* conn - see conn.h; this file has the life, the events and the timers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "conn_private.h"
#include "fork_guard.h"
#include "log.h"
#include "macros.h"

#define CONN_MAGIC 0x636f6e6eu

/* Steps of one connection before the loop turns to the next. */
#define STEPS_PER_TURN 64

#define TO(s) (1u << CONN_##s)

static const struct {
	const char *name;
	unsigned to;
	enum conn_step (*step)(
	    struct conn *); /* NULL: nothing to do but wait */
} states[] = {
    /* clang-format off */
	[CONN_IDLE] = { "idle", TO(HEAD) | TO(CLOSED), conn_step_idle },
	[CONN_HEAD] = { "head",
	    TO(IDLE) | TO(BODY) | TO(RUNNING) | TO(REPLYING) | TO(CLOSED),
	    conn_step_head },
	[CONN_BODY] = { "body",
	    TO(RUNNING) | TO(REPLYING) | TO(CLOSED), conn_step_body },
	[CONN_RUNNING] = { "running",
	    TO(REPLYING) | TO(ORPHANED), conn_step_running },
	[CONN_REPLYING] = { "replying",
	    TO(IDLE) | TO(HEAD) | TO(LINGERING) | TO(CLOSED),
	    conn_step_replying },
	[CONN_ORPHANED] = { "orphaned", TO(CLOSED), NULL },
	[CONN_LINGERING] = { "lingering", TO(CLOSED), conn_step_lingering },
	[CONN_CLOSED] = { "closed", 0, NULL },
    /* clang-format on */
};
_Static_assert(nitems(states) == CONN_NSTATES, "a state has no row");

static void conn_close(struct conn *);
static void bury(struct conn_list *);
static void collect(struct conn_list *);
static void on_event(evutil_socket_t, short, void *);
static void on_timer(evutil_socket_t, short, void *);

/* ---- the list ---- */

struct conn_list *
conn_list_open(const struct conn_settings *settings)
{
	struct conn_list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return (NULL);
	list->settings = *settings;
	TAILQ_INIT(&list->conns);
	TAILQ_INIT(&list->work);
	TAILQ_INIT(&list->dead);
	deadline_queue_init(&list->header, settings->header_timeout_ms);
	deadline_queue_init(&list->body, settings->body_timeout_ms);
	deadline_queue_init(&list->keepalive, settings->keepalive_ms);
	deadline_queue_init(&list->send, settings->send_timeout_ms);
	deadline_queue_init(&list->linger, settings->linger_timeout_ms);
	list->timer_at_ms = DEADLINE_NEVER;
	list->now_ms = clock_ms();
	evtimer_assign(&list->timer, settings->base, on_timer, list);
	return (list);
}

void
conn_list_close(struct conn_list **listp)
{
	struct conn_list *list = *listp;
	struct conn *c, *next;

	*listp = NULL;
	if (list == NULL)
		return;
	/* What a thread still has cannot be freed under it. */
	for (c = TAILQ_FIRST(&list->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state != CONN_RUNNING && c->state != CONN_ORPHANED)
			conn_close(c);
	}
	bury(list);
	while (list->nspare > 0)
		request_free(&list->spare[--list->nspare]);
	event_del(&list->timer);
	if (TAILQ_EMPTY(&list->conns))
		free(list);
}

size_t
conn_list_count(const struct conn_list *list)
{
	return (list->count);
}

uint64_t
conn_list_requests(const struct conn_list *list)
{
	return (list->nrequests);
}

bool
conn_list_has_work(const struct conn_list *list)
{
	return (!TAILQ_EMPTY(&list->work));
}

/* ---- one connection's life ---- */

void
conn_open(struct conn_list *list, int fd, const struct peer *peer,
    const struct local *local)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		log_warn("new connection");
		fork_guard_close(&fd);
		return;
	}
	c->magic = CONN_MAGIC;
	c->state = CONN_IDLE;
	c->fd = fd;
	c->writable = true;
	c->list = list;
	c->local = local;
	c->peer = *peer;
	deadline_init(&c->deadline);
	event_assign(&c->event, list->settings.base, fd,
	    EV_READ | EV_WRITE | EV_CLOSED | EV_PERSIST | EV_ET, on_event, c);
	TAILQ_INSERT_TAIL(&list->conns, c, link);
	list->count++;
	list->now_ms = clock_ms();
	if (event_add(&c->event, NULL) == -1) {
		log_warnx("cannot watch a new connection");
		conn_close(c);
		return;
	}
	conn_set_deadline(c, &list->header);
}

/* c is dead afterwards: its memory stays until the end of the callback, for whoever
 * still has it in hand. */
static void
conn_close(struct conn *c)
{
	struct conn_list *list = c->list;

	ASSERT(c->state != CONN_RUNNING);
	conn_enter(c, CONN_CLOSED);
	if (c->in_work)
		TAILQ_REMOVE(&list->work, c, work);
	deadline_cancel(&c->deadline);
	event_del(&c->event);
	fork_guard_close(&c->fd);
	if (c->req != NULL)
		conn_end_request(c);
	TAILQ_REMOVE(&list->conns, c, link);
	list->count--;
	TAILQ_INSERT_TAIL(&list->dead, c, link);
	list->settings.on_close(list->settings.arg);
}

void
conn_enter(struct conn *c, enum conn_state to)
{
	ASSERT(states[c->state].to & (1u << to));
	c->state = to;
}

void
conn_yield(struct conn *c)
{
	if (c->in_work)
		return;
	c->in_work = true;
	TAILQ_INSERT_TAIL(&c->list->work, c, work);
}

/* Goes on until there is nothing to do but wait; c may be dead afterwards. */
static void
conn_run(struct conn *c)
{
	enum conn_step step = CONN_MORE;
	unsigned i;

	for (i = 0; step == CONN_MORE && i < STEPS_PER_TURN; i++)
		step = states[c->state].step != NULL ? states[c->state].step(c)
						     : CONN_WAIT;
	if (step == CONN_CLOSE)
		conn_close(c);
	else if (step == CONN_MORE)
		conn_yield(c);
}

/* The dead have no events and stand in no list but this. */
static void
bury(struct conn_list *list)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&list->dead)) != NULL) {
		TAILQ_REMOVE(&list->dead, c, link);
		explicit_bzero(&c->magic, sizeof(c->magic));
		free(c);
	}
}

/* libevent: the descriptor has become readable, writable, or ended. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	ASSERT(c->magic == CONN_MAGIC && c->fd == fd);
	completion_awake(&c->list->settings.context->completions);
	c->list->now_ms = clock_ms();
	if (what & EV_WRITE)
		c->writable = true;
	if (what & (EV_READ | EV_CLOSED))
		c->readable = true;
	if (what & EV_CLOSED)
		c->peer_closed = true;
	/* A thread may have sent the reply that this is the answer to. */
	collect(c->list);
	if (c->state == CONN_RUNNING && c->readable)
		conn_peer_check(c);
	if (c->state != CONN_CLOSED)
		conn_run(c);
}

/* ---- deadlines ---- */

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

static enum conn_step
on_deadline(struct conn *c, const struct deadline_queue *queue)
{
	switch (c->state) {
	case CONN_HEAD:
		/* Empty lines before a request are not one yet. */
		if (request_line_text(c->req).len == 0)
			return (CONN_CLOSE);
		return (conn_refuse(c, 408, "header_timeout", NULL));
	case CONN_BODY:
		return (conn_refuse(c, 408, "body_timeout", NULL));
	case CONN_RUNNING:
	case CONN_REPLYING:
		ASSERT(queue == &c->list->send);
		return (conn_cut(c, "send_timeout"));
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
		ASSERT(c->magic == CONN_MAGIC);
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
	    &list->keepalive, &list->send, &list->linger};
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

/* ---- a turn of the loop ---- */

/* A thread has written to a reply, or is through with the request. */
static void
on_completion(struct completion *completion)
{
	struct request *req = request_of_completion(completion);
	struct conn *c = req->conn;
	unsigned word = reply_collect(&req->reply);

	ASSERT(c->magic == CONN_MAGIC && c->req == req);
	if (word & REPLY_DONE) {
		pool_collected(c->list->settings.pool);
		if (c->state == CONN_ORPHANED) {
			conn_close(c);
			return;
		}
		conn_enter(c, CONN_REPLYING);
	}
	conn_run(c);
}

static void
collect(struct conn_list *list)
{
	struct completion *completion, *next;

	completion = completion_take(&list->settings.context->completions);
	for (; completion != NULL; completion = next) {
		next = completion->next;
		on_completion(completion);
	}
}

void
conn_list_turn(struct conn_list *list)
{
	struct conn *c, *last;
	bool is_last;

	list->now_ms = clock_ms();
	bury(list);
	collect(list);
	/* One turn each: who yields again comes behind the last of now. */
	last = TAILQ_LAST(&list->work, conn_queue);
	for (is_last = last == NULL; !is_last;) {
		c = TAILQ_FIRST(&list->work);
		is_last = c == last;
		TAILQ_REMOVE(&list->work, c, work);
		c->in_work = false;
		conn_run(c);
	}
}

void
conn_list_drain(struct conn_list *list)
{
	struct conn *c, *next;

	list->now_ms = clock_ms();
	for (c = TAILQ_FIRST(&list->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state != CONN_IDLE)
			continue;
		conn_run(c);
	}
}
