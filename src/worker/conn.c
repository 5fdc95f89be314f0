/* conn - see conn.h; this file has the life, the events and the timers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "conn_answer.h"
#include "conn_input.h"
#include "conn_private.h"
#include "conn_proxy.h"
#include "fork_guard.h"
#include "log.h"
#include "macros.h"

#define CONN_MAGIC 0x636f6e6eu

/* Steps of one connection before the loop turns to the next. */
#define STEPS_PER_TURN 64

/* log_refused is for a second. */
#define REFUSALS_SPAN_MS 1000

/* How often fields that do not count are worth a line. */
#define UNTRUSTED_SPAN_MS 10000

/* The same of readers that are cut for max_buffered. */
#define RELIEVED_SPAN_MS 1000

/* Idle connections that are looked at, at most, before one of them is closed. */
#define LOOK_AT_MAX 64

#define TO(s) (1u << CONN_##s)

static const struct {
	const char *name;
	unsigned to;
	enum conn_step (*step)(
	    struct conn *); /* NULL: nothing to do but wait */
} states[] = {
    /* clang-format off */
	[CONN_IDLE] = { "idle",
	    TO(PROXY) | TO(HEAD) | TO(LINGERING) | TO(CLOSED), conn_step_idle },
	[CONN_PROXY] = { "proxy",
	    TO(IDLE) | TO(HEAD) | TO(CLOSED), conn_step_proxy },
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

static void bury(struct conn_list *);
static void on_event(evutil_socket_t, short, void *);

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
	list->now_ms = clock_ms();
	list->refusals.limit = settings->log_refused;
	list->refusals.span_ms = REFUSALS_SPAN_MS;
	list->untrusted.limit = 1;
	list->untrusted.span_ms = UNTRUSTED_SPAN_MS;
	list->relieved.limit = 1;
	list->relieved.span_ms = RELIEVED_SPAN_MS;
	conn_init_deadlines(list);
	memory_open(&list->memory);
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
	memory_close(&list->memory);
	if (TAILQ_EMPTY(&list->conns))
		free(list);
}

bool
conn_list_has_idle(const struct conn_list *list)
{
	return (!TAILQ_EMPTY(&list->keepalive.list));
}

bool
conn_list_close_idle(struct conn_list *list, const char *why)
{
	struct deadline *deadline = TAILQ_FIRST(&list->keepalive.list), *next;
	struct conn *c, *first = NULL;
	int i;

	for (i = 0; deadline != NULL && i < LOOK_AT_MAX; i++, deadline = next) {
		next = TAILQ_NEXT(deadline, link);
		c = CONTAINER_OF(deadline, struct conn, deadline);
		conn_check(c);
		if (conn_has_input(c)) {
			deadline_cancel(deadline);
			conn_yield(c); /* its turn will take the request up */
		} else if (conn_unconfirmed(c) == 0) {
			conn_close(c);
			return (true);
		} else if (first == NULL)
			first = c;
	}
	if (first == NULL || conn_leave(first, why) != CONN_CLOSE)
		return (false);
	conn_close(first);
	return (true);
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

/* Listeners live as long as the worker. */
static unsigned
index_of(struct conn_list *list, const struct local *local)
{
	unsigned i;

	for (i = 0; i < list->nlocals; i++)
		if (list->locals[i] == local)
			return (i);
	ASSERT(list->nlocals < nitems(list->locals));
	list->locals[list->nlocals++] = local;
	return (i);
}

const struct local *
conn_local(const struct conn *c)
{
	return (c->list->locals[c->local]);
}

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
	c->local = index_of(list, local) & 0xff;
	conn_set_peer(c, peer);
	c->wants_proxy = list->settings.context->proxy.protocol != PROXY_OFF;
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

void
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
conn_check(const struct conn *c)
{
	ASSERT(c->magic == CONN_MAGIC);
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

void
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
	conn_list_collect(c->list);
	if (c->state == CONN_RUNNING && c->readable)
		conn_peer_check(c);
	if (c->state != CONN_CLOSED)
		conn_run(c);
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

void
conn_list_collect(struct conn_list *list)
{
	struct completion *completion, *next;

	completion = completion_take(&list->settings.context->completions);
	if (completion != NULL)
		list->now_ms = clock_ms();
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
	conn_list_collect(list);
	saturation_look(&list->saturation, list->settings.pool, list->now_ms);
	conn_list_relieve(list);
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

/* Requests that a burst left and nobody has used since the last tick go; then what
 * free() has kept of all that went. */
void
conn_list_tick(struct conn_list *list)
{
	for (; list->nspare_low > 0; list->nspare_low--)
		request_free(&list->spare[--list->nspare]);
	list->nspare_low = list->nspare;
	/* Spare requests hold memory as connections do, and for longer. */
	memory_tick(&list->memory, pool_running(list->settings.pool) == 0,
	    list->count + list->nspare);
	list->now_ms = clock_ms();
	conn_tell_others(list);
	conn_list_drop_gone(list);
}

void
conn_list_drain(struct conn_list *list)
{
	struct conn *c, *next;

	list->now_ms = clock_ms();
	for (c = TAILQ_FIRST(&list->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		/* Where the head has said that the connection stays. */
		if (c->state == CONN_RUNNING)
			reply_want_wake(&c->req->reply);
		if (c->state == CONN_IDLE)
			conn_run(c);
	}
}

void
conn_list_abandon(struct conn_list *list, const char *why)
{
	struct conn *c;

	conn_list_turn(list); /* replies that threads have sent are over */
	conn_tell_others(list);
	TAILQ_FOREACH (c, &list->conns, link)
		if (c->req != NULL)
			conn_abandon(c, why);
}
