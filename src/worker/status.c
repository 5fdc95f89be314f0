/* status - see status.h. */
#include "status.h"

#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "conn.h"
#include "fd.h"
#include "log.h"
#include "macros.h"
#include "pool.h"

#define HEARTBEAT_MS 1000

/* Requests that wait count as queued once so much time has not seen fewer: what
 * comes and goes with the turns says nothing to who balances. */
#define BACKLOG_MS 10

void
status_open(struct status *s, const struct heritage *heritage)
{
	int fd = heritage->scoreboard_fd;
	const char *why;

	s->scoreboard = scoreboard_open(fd, true, &why);
	if (s->scoreboard == NULL)
		fatalx("the master's scoreboard is %s", why);
	if (heritage->slot > scoreboard_nlines(s->scoreboard))
		fatalx("the master's scoreboard has no line for us");
	fd_close(&fd);
	s->line = scoreboard_line(s->scoreboard, heritage->slot);
	scoreboard_line_take(s->line, (uint64_t)getpid());
	s->requests_before = scoreboard_get(&s->line->requests);
}

static void
show_alive(struct status *s)
{
	scoreboard_set(&s->line->heartbeat_ms, clock_ms());
}

/* libevent: a second has passed. */
static void
on_tick(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	show_alive(arg);
}

void
status_start(struct status *s, struct event_base *base)
{
	static const struct timeval tv = {.tv_sec = HEARTBEAT_MS / 1000};

	event_assign(&s->tick, base, -1, EV_PERSIST, on_tick, s);
	if (event_add(&s->tick, &tv) == -1)
		fatalx("event_add");
	show_alive(s);
}

void
status_enter(struct status *s, enum scoreboard_state state)
{
	atomic_store(&s->line->state, state);
}

static void
show_backlog(struct status *s, uint64_t backlog)
{
	uint64_t now_ms = clock_ms();

	if (backlog < s->backlog_low)
		s->backlog_low = backlog;
	if (backlog > 0 && now_ms < s->looked_ms + BACKLOG_MS)
		return;
	scoreboard_set(&s->line->queued, s->backlog_low);
	s->backlog_low = backlog;
	s->looked_ms = now_ms;
}

void
status_publish(
    struct status *s, const struct conn_list *conns, const struct pool *pool)
{
	struct scoreboard_line *line = s->line;

	scoreboard_set(&line->connections, conn_list_count(conns));
	show_backlog(s, pool_backlog(pool));
	scoreboard_set(&line->running, pool_running(pool));
	scoreboard_set(
	    &line->requests, s->requests_before + conn_list_requests(conns));
}
