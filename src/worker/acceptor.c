/* acceptor - see acceptor.h; acceptor_queue.c has the hand-over. */
#include "acceptor_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "check.h"
#include "clock.h"
#include "fork_guard.h"
#include "log.h"
#include "macros.h"
#include "scoreboard.h"

/* How long to leave the listeners alone when there is no descriptor left. */
#define PAUSE_MS 100

/* Connections that a worker takes from a queue before it leaves, at most. */
#define DRAIN_MAX 65536

/* How often the same trouble is worth a line. */
#define TELL_MS 10000

static void on_readable(evutil_socket_t, short, void *);
static void on_pause_over(evutil_socket_t, short, void *);

static int
init_listener(struct listener *l, struct acceptor *a, unsigned index, int fd,
    struct event_base *base)
{
	l->fd = fd;
	l->index = index;
	l->acceptor = a;
	event_assign(&l->event, base, fd, EV_READ | EV_PERSIST, on_readable, l);
	return (local_from_fd(&l->local, fd));
}

struct acceptor *
acceptor_open(const struct acceptor_settings *settings)
{
	size_t n = settings->nlisten, i;
	struct acceptor *a =
	    calloc(1, sizeof(*a) + n * sizeof(a->listeners[0]));

	if (a == NULL) {
		log_error("listeners");
		return (NULL);
	}
	a->max_connections = settings->max_connections;
	a->pausing = a->full = a->closing =
	    (struct throttle){.limit = 1, .span_ms = TELL_MS};
	evtimer_assign(&a->pause, settings->base, on_pause_over, a);
	if (acceptor_open_queue(a, settings) == -1) {
		log_error("handover");
		acceptor_close(&a);
		return (NULL);
	}
	for (i = 0; i < n; i++) {
		if (init_listener(&a->listeners[i], a, (unsigned)i,
			settings->listen_fds[i], settings->base) == -1) {
			log_error("listener %d", settings->listen_fds[i]);
			acceptor_close(&a);
			return (NULL);
		}
		a->nlisteners = i + 1;
	}
	return (a);
}

void
acceptor_close(struct acceptor **ap)
{
	struct acceptor *a = *ap;
	size_t i;

	*ap = NULL;
	if (a == NULL)
		return;
	event_del(&a->pause);
	event_del(&a->look_again);
	if (acceptor_has_queue(a))
		event_del(&a->queue);
	handover_close(&a->handover);
	for (i = 0; i < a->nlisteners; i++) {
		event_del(&a->listeners[i].event);
		fork_guard_close(&a->listeners[i].fd);
	}
	free(a);
}

/* ---- listening and not ---- */

static void
listen_on(struct acceptor *a)
{
	size_t i;

	for (i = 0; i < a->nlisteners; i++)
		if (event_add(&a->listeners[i].event, NULL) == -1)
			log_errorx("cannot watch a listener");
	if (acceptor_has_queue(a) && event_add(&a->queue, NULL) == -1)
		log_errorx("cannot watch the other workers' connections");
}

static void
listen_off(struct acceptor *a)
{
	size_t i;

	for (i = 0; i < a->nlisteners; i++)
		event_del(&a->listeners[i].event);
	if (acceptor_has_queue(a))
		event_del(&a->queue);
}

void
acceptor_start(struct acceptor *a, struct conn_list *conns)
{
	a->conns = conns;
	listen_on(a);
}

void
acceptor_pause(struct acceptor *a)
{
	struct timeval tv = {.tv_usec = PAUSE_MS * 1000};

	if (throttle_allows(&a->pausing, clock_ms()))
		log_warn("accept: pausing");
	a->is_paused = true;
	listen_off(a);
	if (evtimer_add(&a->pause, &tv) == -1)
		log_errorx("cannot set a timer");
}

static void
on_pause_over(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct acceptor *a = arg;

	a->is_paused = false;
	if (!a->is_full)
		listen_on(a);
}

static void
tell_full(struct acceptor *a, struct throttle *t, const char *what)
{
	if (throttle_allows(t, clock_ms()))
		log_warnx("max_connections reached: %zu open, %s",
		    a->max_connections, what);
}

/* At max_connections an idle connection makes room, if there is one.  Else nothing
 * is accepted until one is, or has gone.  One more there may be: the idle one may
 * turn out to have to wait for its client. */
bool
acceptor_has_room(struct acceptor *a)
{
	size_t count;

	if (conn_list_count(a->conns) < a->max_connections)
		return (true);
	conn_list_collect(a->conns);
	count = conn_list_count(a->conns);
	if (count < a->max_connections ||
	    (count == a->max_connections && conn_list_has_idle(a->conns)))
		return (true);
	tell_full(a, &a->full, "the next ones wait");
	a->is_full = true;
	listen_off(a);
	return (false);
}

static void
resume(struct acceptor *a)
{
	if (!a->is_full)
		return;
	a->is_full = false;
	if (!a->is_paused && !a->is_draining)
		listen_on(a);
}

void
acceptor_on_close(void *acceptor)
{
	struct acceptor *a = acceptor;

	a->balance.closed++;
	resume(a);
}

void
acceptor_on_idle(void *acceptor)
{
	resume(acceptor);
}

/* ---- accepting ---- */

/* accept(2) says which errors are of the connection and which of ours. */
static enum accept_result
accept_failed(int error)
{
	switch (error) {
	case EAGAIN:
		return (ACCEPT_NONE);
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return (ACCEPT_NO_ROOM);
	case ECONNABORTED: /* it broke before we had it */
	case EINTR:
	case EPERM: /* a firewall */
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return (ACCEPT_ONE);
	default:
		return (ACCEPT_BROKEN);
	}
}

void
acceptor_keep(struct acceptor *a, int fd, const struct peer *peer,
    const struct local *local)
{
	conn_open(a->conns, fd, peer, local);
	if (conn_list_count(a->conns) > a->max_connections && !a->is_draining) {
		tell_full(a, &a->closing, "idle ones are closed");
		conn_list_close_idle(a->conns, "max_connections");
	}
	/* At once: others may be about to look. */
	scoreboard_set(&a->line->connections, conn_list_count(a->conns));
}

static enum accept_result
accept_one(struct listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct peer peer;
	int fd;

	fd = fork_guard_accept(
	    l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		if (len == 0)
			ss.ss_family = AF_UNIX;
		peer_from_sockaddr(&peer, (struct sockaddr *)&ss);
		scoreboard_add(&l->acceptor->line->accepted, 1);
		if (!acceptor_give_away(l, &fd, &peer))
			acceptor_keep(l->acceptor, fd, &peer, &l->local);
		return (ACCEPT_ONE);
	}
	return (accept_failed(errno));
}

/* There is no descriptor, or no memory, and errno says so, also afterwards: an idle
 * connection makes room. */
bool
acceptor_make_room(struct acceptor *a)
{
	int error = errno;
	bool is_closed;

	conn_list_collect(a->conns);
	is_closed = conn_list_close_idle(a->conns, "no descriptor");
	errno = error;
	if (is_closed && throttle_allows(&a->closing, clock_ms()))
		log_warn("accept: idle connections are closed");
	errno = error;
	return (is_closed);
}

/* If one that has made room does not help, the shortage is not ours. */
static enum accept_result
accept_or_make_room(struct listener *l)
{
	enum accept_result result = accept_one(l);

	if (result == ACCEPT_NO_ROOM && acceptor_make_room(l->acceptor))
		result = accept_one(l);
	return (result);
}

/* libevent: connections wait on this listener, unless another was faster. */
static void
on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct listener *l = arg;
	struct acceptor *a = l->acceptor;
	enum accept_result result = ACCEPT_ONE;
	unsigned i;

	for (i = 0; i < ACCEPTS_PER_TURN && result == ACCEPT_ONE; i++) {
		/* Only the event tells that one waits: it will again. */
		if (i > 0 && conn_list_count(a->conns) >= a->max_connections)
			return;
		if (!acceptor_has_room(a))
			return;
		result = accept_or_make_room(l);
	}
	if (result == ACCEPT_NO_ROOM)
		acceptor_pause(a);
	if (result == ACCEPT_BROKEN) {
		log_error("listener %d accepts no more", l->fd);
		event_del(&l->event);
	}
}

/* What the kernel has queued; who comes while we take it may be in or out. */
static void
accept_queued(struct listener *l)
{
	enum accept_result result = ACCEPT_ONE;
	unsigned i;

	for (i = 0; i < DRAIN_MAX && result == ACCEPT_ONE; i++)
		result = accept_or_make_room(l);
	if (result == ACCEPT_NO_ROOM)
		log_warn("accept: connections that wait are lost");
}

/* ---- the end ---- */

void
acceptor_drain(struct acceptor *a)
{
	size_t i;

	a->is_draining = true;
	a->is_full = a->is_paused = false;
	event_del(&a->pause);
	event_del(&a->look_again);
	listen_off(a);
	for (i = 0; i < a->nlisteners; i++) {
		if (a->conns != NULL && a->listeners[i].fd != -1)
			accept_queued(&a->listeners[i]);
		fork_guard_close(&a->listeners[i].fd);
	}
	if (a->conns != NULL && acceptor_has_queue(a))
		acceptor_take_rest(a);
}
