/* child - see child.h. */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "check.h"
#include "clock.h"
#include "fd.h"
#include "heritage.h"
#include "obituary.h"

#define CHILD_MAGIC 0x6368696cu

struct child {
	unsigned magic;
	enum child_state state;
	unsigned slot;
	pid_t pid;
	char name[32];
	uint64_t started_ms;
	uint64_t active_ms; /* when it was told to accept; 0: never */
	bool was_ready;
	int control_fd;
	struct event *control;
	struct event *boot_timer;
	const struct child_settings *settings;
};

static void child_on_control(evutil_socket_t, short, void *);
static void child_on_boot_timeout(evutil_socket_t, short, void *);

/* The only assignment to ch->state, but for the first. */
static void
child_enter(struct child *ch, enum child_state to)
{
	enum child_state from = ch->state;

	ch->state = child_state_move(from, to);
	log_debug("%s: %s to %s", ch->name, child_state_name(from),
	    child_state_name(to));
}

static struct child *
child_from(void *arg)
{
	struct child *ch = arg;

	ASSERT(ch->magic == CHILD_MAGIC);
	return (ch);
}

/* From here on the pipes are the outputs'. */
static void
child_watch_outputs(const struct child *ch, const struct spawned *new)
{
	struct outputs *all = ch->settings->outputs;
	char name[48];

	snprintf(name, sizeof(name), "%s stdout", ch->name);
	outputs_add(all, new->stdout_fd, ch->pid, name, LOG_LEVEL_INFO);
	snprintf(name, sizeof(name), "%s stderr", ch->name);
	outputs_add(all, new->stderr_fd, ch->pid, name, LOG_LEVEL_WARNING);
}

/* Without its events a child cannot be supervised: 0, or -1. */
static int
child_watch(struct child *ch)
{
	struct event_base *base = ch->settings->base;
	int64_t ms = ch->settings->spawn.cfg->boot_timeout_ms;
	const struct timeval limit = {
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	ch->control = event_new(
	    base, ch->control_fd, EV_READ | EV_PERSIST, child_on_control, ch);
	ch->boot_timer = evtimer_new(base, child_on_boot_timeout, ch);
	if (ch->control == NULL || ch->boot_timer == NULL)
		return (-1);
	if (event_add(ch->control, NULL) == -1)
		return (-1);
	if (ms != 0 && evtimer_add(ch->boot_timer, &limit) == -1)
		return (-1);
	return (0);
}

struct child *
child_new(const struct child_settings *settings, unsigned slot)
{
	struct child *ch = calloc(1, sizeof(*ch));
	struct spawned new;

	if (ch == NULL) {
		log_error("cannot start worker %u", slot);
		return (NULL);
	}
	if (spawn_worker(&settings->spawn, slot, &new) == -1) {
		free(ch);
		return (NULL);
	}
	ch->magic = CHILD_MAGIC;
	ch->state = CHILD_STARTING;
	ch->slot = slot;
	ch->pid = new.pid;
	ch->started_ms = clock_ms();
	ch->control_fd = new.control_fd;
	ch->settings = settings;
	snprintf(
	    ch->name, sizeof(ch->name), "worker %u[%ld]", slot, (long)new.pid);

	child_watch_outputs(ch, &new);
	if (child_watch(ch) == -1) {
		/* It is there and will be reaped as any other. */
		log_error("%s cannot be watched", ch->name);
		child_kill(ch);
	}
	log_debug("%s started", ch->name);
	return (ch);
}

static void
child_close(struct child *ch)
{
	if (ch->control != NULL)
		event_free(ch->control);
	if (ch->boot_timer != NULL)
		event_free(ch->boot_timer);
	ch->control = ch->boot_timer = NULL;
	fd_close(&ch->control_fd);
}

void
child_free(struct child **chp)
{
	struct child *ch = *chp;

	*chp = NULL;
	if (ch == NULL)
		return;
	ASSERT(ch->magic == CHILD_MAGIC);
	ASSERT(ch->state == CHILD_GONE);
	explicit_bzero(&ch->magic, sizeof(ch->magic));
	free(ch);
}

/*
 * One message, or the end of the channel.  The worker is not trusted: whatever
 * else it says is logged and no more.  Returns what recv(2) did.
 */
static ssize_t
child_hear(struct child *ch)
{
	static const char ready[] = HERITAGE_READY;
	char text[64];
	ssize_t n;

	n = recv(ch->control_fd, text, sizeof(text), MSG_DONTWAIT);
	if (n <= 0)
		return (n);
	if (n != sizeof(ready) - 1 || memcmp(text, ready, sizeof(ready) - 1) ||
	    ch->was_ready) {
		log_warnx("%s says \"%.*s\" while %s: not understood", ch->name,
		    (int)n, text, child_state_name(ch->state));
		return (n);
	}
	ch->was_ready = true;
	if (ch->state == CHILD_STARTING) /* not told to leave meanwhile */
		child_enter(ch, CHILD_READY);
	return (n);
}

/* libevent: a message, or the end of the channel. */
static void
child_on_control(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct child *ch = child_from(arg);
	ssize_t n = child_hear(ch);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		if (ch->state == CHILD_READY) {
			evtimer_del(ch->boot_timer);
			ch->settings->on_ready(ch, ch->settings->arg);
		}
		return;
	}
	/* It is about to die, or it has closed what it should not: then it
	 * can say nothing any more, but serves on. */
	log_debug("%s has closed its control channel", ch->name);
	event_del(ch->control);
}

/* libevent: it has not said READY in time. */
static void
child_on_boot_timeout(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct child *ch = child_from(arg);

	if (ch->state != CHILD_STARTING)
		return; /* told to leave: another timer runs */
	log_errorx("%s was not ready within boot_timeout (%.1f s): killed",
	    ch->name, (double)child_age_ms(ch) / 1e3);
	child_kill(ch);
}

void
child_activate(struct child *ch)
{
	static const char active[] = HERITAGE_ACTIVE;

	if (send(ch->control_fd, active, sizeof(active) - 1,
		MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
		log_warn("%s cannot be told to accept connections", ch->name);
		child_kill(ch); /* it would hold its slot and never serve */
		return;
	}
	child_enter(ch, CHILD_ACTIVE);
	ch->active_ms = clock_ms();
}

/*
 * One that is starting has nothing to drop, and perhaps no handler yet: then
 * QUIT would leave a core file.
 */
static int
drain_signal(const struct child *ch, bool quick)
{
	return (quick && ch->active_ms != 0 ? SIGQUIT : SIGTERM);
}

void
child_drain(struct child *ch, bool quick)
{
	int sig = drain_signal(ch, quick);

	ASSERT(ch->state != CHILD_GONE);
	if (ch->state != CHILD_DRAINING)
		child_enter(ch, CHILD_DRAINING);
	if (kill(ch->pid, sig) == -1)
		log_warn("%s: signal %d", ch->name, sig);
}

void
child_kill(struct child *ch)
{
	ASSERT(ch->state != CHILD_GONE);
	if (kill(ch->pid, SIGKILL) == -1)
		log_warn("%s: signal %d", ch->name, SIGKILL);
}

/*
 * A worker that serves leaves with 0 when somebody has told it to by a signal.
 * One that we have told may also die of what was sent to it; INT comes from the
 * terminal to all of us.
 */
static bool
is_expected(enum child_state state, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return (state == CHILD_ACTIVE || state == CHILD_DRAINING);
	return (
	    state == CHILD_DRAINING && (sig == SIGTERM || sig == SIGINT ||
					   sig == SIGQUIT || sig == SIGKILL));
}

void
child_died(struct child *ch, int status)
{
	char text[OBITUARY_SIZE];

	/* It may have been ready for a moment that we have not seen. */
	while (ch->state == CHILD_STARTING && child_hear(ch) > 0)
		;
	outputs_drain(ch->settings->outputs, ch->pid);
	log_at(
	    is_expected(ch->state, status) ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
	    "%s %s after %.1f s, while %s", ch->name,
	    obituary_format(status, text), (double)child_age_ms(ch) / 1e3,
	    child_state_name(ch->state));
	child_enter(ch, CHILD_GONE);
	child_close(ch);
}

pid_t
child_pid(const struct child *ch)
{
	return (ch->pid);
}

unsigned
child_slot(const struct child *ch)
{
	return (ch->slot);
}

enum child_state
child_state(const struct child *ch)
{
	return (ch->state);
}

const char *
child_name(const struct child *ch)
{
	return (ch->name);
}

bool
child_was_ready(const struct child *ch)
{
	return (ch->was_ready);
}

uint64_t
child_age_ms(const struct child *ch)
{
	return (clock_ms() - ch->started_ms);
}

uint64_t
child_active_ms(const struct child *ch)
{
	return (ch->active_ms == 0 ? 0 : clock_ms() - ch->active_ms);
}
