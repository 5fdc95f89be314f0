/* acceptor_queue - see acceptor.h: connections from worker to worker. */
#include <errno.h>

#include <event2/event.h>

#include "acceptor_private.h"
#include "clock.h"
#include "fork_guard.h"
#include "log.h"
#include "macros.h"
#include "scoreboard.h"

/*
 * A worker that is busier than others leaves the queue to them, but looks again
 * as often as this, and takes one at a time of what has waited for longer than
 * that: those who are less busy do not seem to be awake.  They may only be
 * waiting for a processor, hence the patience.
 */
#define LOOK_AGAIN_MS 1
#define PATIENCE_MS   50

static void on_queue(evutil_socket_t, short, void *);

int
acceptor_open_queue(
    struct acceptor *a, const struct acceptor_settings *settings)
{
	a->line = scoreboard_line(settings->scoreboard, settings->slot);
	balance_init(&a->balance, settings->scoreboard, settings->slot,
	    settings->threads);
	evtimer_assign(&a->look_again, settings->base, on_queue, a);
	/* By edges: who leaves a connection to others must not spin. */
	event_assign(&a->queue, settings->base, settings->handover_receive_fd,
	    EV_READ | EV_PERSIST | EV_ET, on_queue, a);
	return (handover_open(&a->handover, settings->handover_send_fd,
	    settings->handover_receive_fd));
}

bool
acceptor_has_queue(const struct acceptor *a)
{
	return (a->handover.receive_fd != -1);
}

/* ---- giving away ---- */

static bool
is_busier(struct acceptor *a, enum balance_when when)
{
	return (balance_is_busier(
	    &a->balance, conn_list_count(a->conns) + 1, when));
}

bool
acceptor_give_away(struct listener *l, int *fd, const struct peer *peer)
{
	struct acceptor *a = l->acceptor;
	struct handover_ticket ticket = {
	    .listener = l->index, .hops = 1, .peer = *peer};

	if (a->is_draining || !acceptor_has_queue(a) ||
	    !is_busier(a, BALANCE_SENDING))
		return (false);
	if (handover_send(&a->handover, *fd, &ticket) == -1)
		return (false); /* full: served here */
	scoreboard_add(&a->line->handed_out, 1);
	fork_guard_close(fd);
	return (true);
}

/* ---- taking what others gave away ---- */

static void
take_one(struct acceptor *a, int fd, const struct handover_ticket *ticket)
{
	if (ticket->listener >= a->nlisteners) {
		log_warnx("a connection from another worker: no listener %u",
		    ticket->listener);
		fork_guard_close(&fd);
		return;
	}
	acceptor_keep(
	    a, fd, &ticket->peer, &a->listeners[ticket->listener].local);
}

static enum accept_result
receive_one(struct acceptor *a)
{
	struct handover_ticket ticket;
	int fd;

	switch (handover_receive(&a->handover, &fd, &ticket)) {
	case HANDOVER_ONE:
		scoreboard_add(&a->line->handed_in, 1);
		take_one(a, fd, &ticket);
		return (ACCEPT_ONE);
	case HANDOVER_REFUSED:
		scoreboard_add(&a->line->handed_in, 1);
		return (ACCEPT_ONE);
	case HANDOVER_NO_ROOM:
		return (ACCEPT_NO_ROOM);
	case HANDOVER_NONE:
		break;
	}
	return (ACCEPT_NONE);
}

static void
look_again(struct acceptor *a)
{
	struct timeval tv = {.tv_usec = LOOK_AGAIN_MS * 1000};

	if (!evtimer_pending(&a->look_again, NULL) &&
	    evtimer_add(&a->look_again, &tv) == -1)
		log_errorx("cannot set a timer");
}

static void
take_from_queue(struct acceptor *a)
{
	enum accept_result result = ACCEPT_ONE;
	bool is_others = false;
	int64_t age_ms;
	unsigned i;

	for (i = 0; i < ACCEPTS_PER_TURN && result == ACCEPT_ONE; i++) {
		if (a->is_paused || is_others)
			break;
		if ((age_ms = handover_age_ms(&a->handover)) == -1)
			return;
		is_others = is_busier(a, BALANCE_TAKING);
		if (is_others && age_ms < PATIENCE_MS)
			break;
		if (!acceptor_has_room(a))
			break;
		result = receive_one(a);
		if (result == ACCEPT_NO_ROOM && acceptor_make_room(a))
			result = receive_one(a);
	}
	if (result == ACCEPT_NO_ROOM)
		acceptor_pause(a);
	else if (!a->is_full && !a->is_paused)
		look_again(a); /* there may be more, and no edge tells */
}

/*
 * Draining: what lies in the queue is for those who serve on.  Where there are
 * none, or none that are awake, it is ours like what the kernel had queued.
 * Two that drain at once may both believe that: each has said so in the
 * scoreboard before it looks, so that not both can believe in the other.  True
 * if something has to be left there.
 */
bool
acceptor_take_rest(struct acceptor *a)
{
	int64_t age_ms;

	atomic_thread_fence(memory_order_seq_cst);
	while ((age_ms = handover_age_ms(&a->handover)) != -1)
		if ((age_ms < PATIENCE_MS && balance_has_others(&a->balance)) ||
		    receive_one(a) != ACCEPT_ONE) {
			look_again(a);
			return (true);
		}
	return (false);
}

/* libevent: somebody has given a connection away, or it is time to look. */
static void
on_queue(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct acceptor *a = arg;

	if (!a->is_draining) {
		take_from_queue(a);
	} else {
		acceptor_take_rest(a);
		conn_list_drain(a->conns);
	}
}

bool
acceptor_is_done(struct acceptor *a)
{
	uint64_t now_ms = clock_ms();
	bool is_left;

	if (a->conns == NULL || !acceptor_has_queue(a))
		return (true);
	if (a->done_ms == 0)
		a->done_ms = now_ms;
	is_left = acceptor_take_rest(a);
	conn_list_drain(a->conns);
	if (conn_list_count(a->conns) > 0)
		return (false);
	/* Others are awake: what is left is always young. */
	return (!is_left || now_ms >= a->done_ms + 2 * PATIENCE_MS);
}
