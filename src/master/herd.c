/* herd - see herd.h. */
#include "herd.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "backoff.h"
#include "check.h"
#include "child.h"
#include "scoreboard.h"

/* A worker that has served for so long did not die of how it was started. */
#define PROVEN_AFTER_MS 10000

/* How long a quick stop waits before it kills. */
#define QUICK_STOP_MS 2000

/* And a graceful one, once graceful_timeout has let workers cut what they have: they
 * write the lines of the access log, and the application has a second more for its
 * atexit. */
#define LEAVE_MS 2000

struct slot {
	struct herd *herd;
	unsigned number;     /* from 1 */
	struct child *child; /* NULL: none now */
	bool was_ready;      /* it has had a worker that was */
	struct backoff backoff;
	struct event *start_timer;
};

enum phase { PHASE_FIRST_START, PHASE_RUNNING, PHASE_STOPPING, PHASE_GONE };

struct herd {
	struct event_base *base; /* not owned */
	struct child_settings child_settings;
	struct outputs *outputs;
	herd_news_fn *news;
	void *arg;
	enum phase phase;
	enum herd_stop stop;
	struct event *kill_timer;
	size_t nslots;
	struct slot slots[];
};

static void herd_on_ready(struct child *, void *);
static void herd_on_kill_time(evutil_socket_t, short, void *);
static void slot_on_start_time(evutil_socket_t, short, void *);

static struct timeval
timeval_of_ms(int64_t ms)
{
	return (struct timeval){
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void
slot_init(struct slot *slot, struct herd *h, size_t i, int64_t backoff_ms)
{
	slot->herd = h;
	slot->number = (unsigned)i + 1;
	backoff_init(&slot->backoff, backoff_ms);
	slot->start_timer = evtimer_new(h->base, slot_on_start_time, slot);
	if (slot->start_timer == NULL)
		fatalx("no timer for worker %u", slot->number);
}

struct herd *
herd_new(struct event_base *base, const struct spawn_settings *spawn,
    herd_news_fn *news, void *arg)
{
	const struct config *cfg = spawn->cfg;
	size_t i, n = (size_t)cfg->workers;
	struct herd *h = calloc(1, sizeof(*h) + n * sizeof(h->slots[0]));

	if (h == NULL)
		fatal("herd");
	h->base = base;
	h->outputs = outputs_new(base);
	h->child_settings = (struct child_settings){.base = base,
	    .outputs = h->outputs,
	    .spawn = *spawn,
	    .on_ready = herd_on_ready,
	    .arg = h};
	h->news = news;
	h->arg = arg;
	h->kill_timer = evtimer_new(base, herd_on_kill_time, h);
	if (h->kill_timer == NULL)
		fatalx("no timer for the herd");
	h->nslots = n;
	for (i = 0; i < n; i++)
		slot_init(&h->slots[i], h, i, cfg->respawn_backoff_ms);
	return (h);
}

void
herd_free(struct herd **hp)
{
	struct herd *h = *hp;
	size_t i;

	*hp = NULL;
	if (h == NULL)
		return;
	for (i = 0; i < h->nslots; i++) {
		ASSERT(h->slots[i].child == NULL);
		event_free(h->slots[i].start_timer);
	}
	event_free(h->kill_timer);
	outputs_free(&h->outputs);
	free(h);
}

/* ---- a slot and who is in it ---- */

static int
slot_start_in(struct slot *slot, int64_t ms)
{
	const struct timeval delay = timeval_of_ms(ms);

	if (evtimer_add(slot->start_timer, &delay) == 0)
		return (0);
	log_errorx("worker %u: no timer for its start", slot->number);
	return (-1);
}

/* The worker has died, or there was none to be had. */
static void
slot_vacated(struct slot *slot)
{
	struct herd *h = slot->herd;
	int64_t ms;

	if (h->phase >= PHASE_STOPPING)
		return;
	if (h->phase == PHASE_FIRST_START && !slot->was_ready) {
		log_critical(
		    "worker %u could not start: giving up", slot->number);
		h->news(HERD_FAILED, h->arg);
		return;
	}
	ms = backoff_next(&slot->backoff);
	if (ms != 0)
		log_warnx("worker %u keeps dying: the next one starts in %lld "
			  "ms",
		    slot->number, (long long)ms);
	slot_start_in(slot, ms);
}

/* libevent: the slot is empty and its pause over. */
static void
slot_on_start_time(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct slot *slot = arg;
	struct herd *h = slot->herd;

	ASSERT(slot->child == NULL);
	ASSERT(h->phase < PHASE_STOPPING);
	slot->child = child_new(&h->child_settings, slot->number);
	if (slot->child == NULL)
		slot_vacated(slot);
}

static void
slot_died(struct slot *slot, int status)
{
	struct child *ch = slot->child;

	child_died(ch, status);
	scoreboard_line_vacate(scoreboard_line(
	    slot->herd->child_settings.spawn.scoreboard, slot->number));
	if (child_was_ready(ch))
		slot->was_ready = true;
	if (child_active_ms(ch) >= PROVEN_AFTER_MS)
		backoff_reset(&slot->backoff);
	child_free(&slot->child);
	slot_vacated(slot);
}

/* ---- all of them ---- */

int
herd_start(struct herd *h)
{
	size_t i;

	for (i = 0; i < h->nslots; i++)
		if (slot_start_in(&h->slots[i], 0) == -1)
			return (-1);
	return (0);
}

/* Is the first start over? */
static void
herd_check_up(struct herd *h)
{
	size_t i;

	if (h->phase != PHASE_FIRST_START)
		return;
	for (i = 0; i < h->nslots; i++)
		if (!h->slots[i].was_ready)
			return;
	h->phase = PHASE_RUNNING;
	h->news(HERD_UP, h->arg);
}

static void
herd_on_ready(struct child *ch, void *arg)
{
	struct herd *h = arg;
	struct slot *slot = &h->slots[child_slot(ch) - 1];

	ASSERT(slot->child == ch);
	log_at(h->phase == PHASE_RUNNING ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
	    "%s is ready after %.2f s", child_name(ch),
	    (double)child_age_ms(ch) / 1e3);
	slot->was_ready = true;
	child_activate(ch);
	herd_check_up(h);
}

static struct slot *
herd_find(struct herd *h, pid_t pid)
{
	size_t i;

	for (i = 0; i < h->nslots; i++)
		if (h->slots[i].child != NULL &&
		    child_pid(h->slots[i].child) == pid)
			return (&h->slots[i]);
	return (NULL);
}

static size_t
herd_count(const struct herd *h)
{
	size_t i, n = 0;

	for (i = 0; i < h->nslots; i++)
		n += h->slots[i].child != NULL;
	return (n);
}

/* The stop is over when the last one has been reaped. */
static void
herd_check_gone(struct herd *h)
{
	if (h->phase != PHASE_STOPPING || herd_count(h) != 0)
		return;
	h->phase = PHASE_GONE;
	evtimer_del(h->kill_timer);
	h->news(HERD_GONE, h->arg);
}

/*
 * SIGCHLD does not queue: one may stand for many deaths.  Children that we were
 * started with, by a shell that then became us, are reaped and none of ours.
 */
void
herd_reap(struct herd *h)
{
	struct slot *slot;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if ((slot = herd_find(h, pid)) == NULL)
			log_debug("process %ld is no worker of ours: reaped",
			    (long)pid);
		else
			slot_died(slot, status);
	}
	herd_check_up(h);
	herd_check_gone(h);
}

/* ---- the end ---- */

static void
herd_drain(struct herd *h, bool quick)
{
	struct slot *slot;
	size_t i;

	for (i = 0; i < h->nslots; i++) {
		slot = &h->slots[i];
		evtimer_del(slot->start_timer);
		if (slot->child != NULL)
			child_drain(slot->child, quick);
	}
}

void
herd_stop(struct herd *h, enum herd_stop stop)
{
	const struct config *cfg = h->child_settings.spawn.cfg;
	bool quick = stop == HERD_STOP_QUICK;
	struct timeval limit = timeval_of_ms(
	    quick ? QUICK_STOP_MS : cfg->graceful_timeout_ms + LEAVE_MS);

	if (h->phase == PHASE_GONE ||
	    (h->phase == PHASE_STOPPING && h->stop >= stop))
		return; /* as quick already */
	h->phase = PHASE_STOPPING;
	h->stop = stop;
	herd_drain(h, quick);
	if (evtimer_add(h->kill_timer, &limit) == -1) {
		log_errorx("no timer for the end of the workers");
		herd_on_kill_time(-1, EV_TIMEOUT, h);
	}
	herd_check_gone(h);
}

/* libevent: some of those told to leave are still there. */
static void
herd_on_kill_time(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct herd *h = arg;
	struct child *ch;
	size_t i;

	for (i = 0; i < h->nslots; i++) {
		if ((ch = h->slots[i].child) == NULL)
			continue;
		log_warnx("%s has not left %s: killed", child_name(ch),
		    h->stop == HERD_STOP_QUICK ? "at once"
					       : "within graceful_timeout");
		child_kill(ch);
	}
}
