/* worker - see worker.h. */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "acceptor.h"
#include "access_log.h"
#include "check.h"
#include "clock.h"
#include "conn.h"
#include "fork_guard.h"
#include "gil_meter.h"
#include "log.h"
#include "macros.h"
#include "python.h"
#include "settings.h"
#include "status.h"
#include "wsgi.h"

/* How soon lines are offered again to a reader of the access log that was slow.
 */
#define LOG_RETRY_MS 100

#define TICK_MS 1000

/* After INT or QUIT: for atexit and the like. */
#define QUICK_EXIT_SECONDS 1

enum worker_state {
	WORKER_STARTING, /* importing the application */
	WORKER_READY,    /* imported, told the master */
	WORKER_ACTIVE,   /* accepting */
	WORKER_DRAINING, /* finishing what it has */
	WORKER_NSTATES
};

#define TO(s) (1u << WORKER_##s)

static const struct {
	const char *name;
	unsigned to;
	enum scoreboard_state shown;
} states[] = {
    [WORKER_STARTING] = {"starting", TO(READY), SCOREBOARD_STARTING},
    [WORKER_READY] = {"ready", TO(ACTIVE) | TO(DRAINING), SCOREBOARD_READY},
    [WORKER_ACTIVE] = {"active", TO(DRAINING), SCOREBOARD_ACTIVE},
    [WORKER_DRAINING] = {"draining", 0, SCOREBOARD_DRAINING},
};
_Static_assert(nitems(states) == WORKER_NSTATES, "a state has no row");

struct worker {
	const struct config *cfg;
	enum worker_state state;
	bool stop;  /* leave the loop */
	bool quick; /* without waiting for requests */
	int control_fd;
	uint64_t drained_by_ms; /* DRAINING: the end of graceful_timeout */

	struct request_context context;
	struct event_base *base;
	struct pool *pool;
	struct access_log *access_log; /* NULL: off */
	struct conn_list *conns;
	struct acceptor *acceptor;
	struct status status;

	struct event control, wake, log_retry, drain_timer, pool_tick, tick;
	struct event term, interrupt, quit;
};

static void on_control(evutil_socket_t, short, void *);
static void on_term(evutil_socket_t, short, void *);
static void on_quick(evutil_socket_t, short, void *);
static void on_wake(evutil_socket_t, short, void *);
static void on_log_retry(evutil_socket_t, short, void *);
static void on_drain_timeout(evutil_socket_t, short, void *);
static void on_pool_tick(evutil_socket_t, short, void *);
static void on_tick(evutil_socket_t, short, void *);

static void
enter(struct worker *w, enum worker_state to)
{
	ASSERT(states[w->state].to & (1u << to));
	log_debug("%s to %s", states[w->state].name, states[to].name);
	w->state = to;
	status_enter(&w->status, states[to].shown);
}

static void
add_event(struct event *event, const struct timeval *tv)
{
	if (event_add(event, tv) == -1)
		fatalx("event_add");
}

static struct timeval
timeval_of(uint64_t ms)
{
	return ((struct timeval){.tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000 * 1000)});
}

/* ---- start ---- */

static void
do_nothing(int signo UNUSED)
{
}

/*
 * Empty handlers rather than SIG_IGN: a subprocess of the application would
 * inherit that, and an exec turns a handler into the default.
 */
static void
ignore_signals(void)
{
	/* SIGXFSZ: then a spool file over the limit is EFBIG. */
	static const int signals[] = {
	    SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
	struct sigaction sa = {
	    .sa_handler = do_nothing, .sa_flags = SA_RESTART};
	size_t i;

	for (i = 0; i < nitems(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

/* The master may have died before we asked to be told. */
static void
follow_master(const struct heritage *heritage)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		log_warn("prctl");
	if (getppid() != heritage->master)
		fatalx("the master has gone");
}

static void
on_libevent_log(int severity, const char *text)
{
	log_at(severity >= EVENT_LOG_WARN ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
	    "libevent: %s", text);
}

static void
init_events(struct worker *w)
{
	event_set_log_callback(on_libevent_log);
	w->base = event_base_new();
	if (w->base == NULL)
		fatalx("event_base_new");
	event_assign(&w->control, w->base, w->control_fd, EV_READ | EV_PERSIST,
	    on_control, w);
	/* Edge-triggered, so that it need not be read. */
	event_assign(&w->wake, w->base, w->context.completions.wake_fd,
	    EV_READ | EV_PERSIST | EV_ET, on_wake, w);
	evsignal_assign(&w->term, w->base, SIGTERM, on_term, w);
	evsignal_assign(&w->interrupt, w->base, SIGINT, on_quick, w);
	evsignal_assign(&w->quit, w->base, SIGQUIT, on_quick, w);
	evtimer_assign(&w->log_retry, w->base, on_log_retry, w);
	evtimer_assign(&w->drain_timer, w->base, on_drain_timeout, w);
	evtimer_assign(&w->pool_tick, w->base, on_pool_tick, w);
	event_assign(&w->tick, w->base, -1, EV_PERSIST, on_tick, w);
}

static void
run_job(struct pool_job *job, void *arg UNUSED, unsigned thread)
{
	struct request *req = request_of_job(job);

	req->thread = thread;
	req->taken_ns = request_stamp(req);
	wsgi_run(req, thread);
}

static void
open_pool(struct worker *w)
{
	struct pool_settings settings = settings_pool(w->cfg);

	settings.gate = python_gate();
	settings.run = run_job;
	settings.arg = w;
	w->pool = pool_open(&settings);
	if (w->pool == NULL)
		fatal("cannot start %u threads", settings.threads);
	if (settings.gate->is_free != NULL)
		gil_meter_on_free(pool_gate_freed, w->pool);
}

static void
open_connections(struct worker *w, const struct heritage *heritage)
{
	const struct config *cfg = w->cfg;
	struct conn_settings settings = settings_conn(cfg);
	struct acceptor_settings accepting = settings_acceptor(cfg, heritage);

	accepting.base = settings.base = w->base;
	accepting.scoreboard = w->status.scoreboard;
	w->acceptor = acceptor_open(&accepting);
	if (w->acceptor == NULL)
		exit(WORKER_EXIT_FAILED);
	if (heritage->accesslog_fd != -1)
		w->access_log = access_log_open(
		    heritage->accesslog_fd, cfg, heritage->slot);
	w->context.is_timed =
	    w->access_log != NULL && access_log_is_timed(w->access_log);
	settings.access_log = w->access_log;
	settings.pool = w->pool;
	settings.context = &w->context;
	settings.on_close = acceptor_on_close;
	settings.on_idle = acceptor_on_idle;
	settings.arg = w->acceptor;
	w->conns = conn_list_open(&settings);
	if (w->conns == NULL ||
	    (heritage->accesslog_fd != -1 && w->access_log == NULL))
		fatal("out of memory");
}

static void
tell_ready(struct worker *w)
{
	static const char ready[] = HERITAGE_READY;

	enter(w, WORKER_READY);
	if (send(w->control_fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL) == -1)
		fatal("the master has gone");
}

/* ---- events ---- */

/* libevent: the master says something, or has gone. */
static void
on_control(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct worker *w = arg;
	char text[64];
	ssize_t n;

	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		event_del(&w->control);
		log_warnx("the master has gone: leaving");
		on_term(-1, 0, w);
	} else if (w->state == WORKER_READY &&
		   (size_t)n == strlen(HERITAGE_ACTIVE) &&
		   memcmp(text, HERITAGE_ACTIVE, (size_t)n) == 0) {
		enter(w, WORKER_ACTIVE);
		acceptor_start(w->acceptor, w->conns);
	}
}

/* libevent: leave, and lose nothing. */
static void
on_term(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;
	uint64_t grace_ms = (uint64_t)w->cfg->graceful_timeout_ms;
	struct timeval tv = timeval_of(grace_ms);

	if (w->state == WORKER_DRAINING)
		return;
	enter(w, WORKER_DRAINING);
	w->drained_by_ms = clock_ms() + grace_ms;
	add_event(&w->drain_timer, &tv);
	acceptor_drain(w->acceptor);
	atomic_store(&w->context.draining, true);
	conn_list_drain(w->conns);
}

static void
on_drain_timeout(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;
	size_t nconns = conn_list_count(w->conns);
	unsigned running = pool_running(w->pool);

	log_warnx("graceful_timeout: leaving with %zu connection%s open, "
		  "%u request%s running, %u waiting",
	    nconns, nconns == 1 ? "" : "s", running, running == 1 ? "" : "s",
	    pool_queued(w->pool));
	w->stop = true;
}

static void
on_quick(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;

	w->stop = w->quick = true;
}

/* libevent: a thread has completed something; the turn will take it. */
static void
on_wake(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;

	completion_awake(&w->context.completions);
}

/* libevent: nothing but another turn is needed. */
static void
on_log_retry(evutil_socket_t fd UNUSED, short what UNUSED, void *arg UNUSED)
{
}

/* libevent: jobs have waited for a moment. */
static void
on_pool_tick(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;

	pool_tick(w->pool);
}

/*
 * libevent: once a second.  The turn that follows takes the replies that threads
 * have sent themselves and of which nobody has waited to hear.
 */
static void
on_tick(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct worker *w = arg;

	conn_list_tick(w->conns);
}

/* ---- the loop ---- */

/* The turn's requests go to the threads. */
static void
flush_pool(struct worker *w)
{
	struct timeval tv = timeval_of(POOL_TICK_MS);

	pool_flush(w->pool);
	if (pool_wants_tick(w->pool) && !evtimer_pending(&w->pool_tick, NULL))
		add_event(&w->pool_tick, &tv);
}

static void
flush_access_log(struct worker *w)
{
	struct timeval tv = timeval_of(LOG_RETRY_MS);

	if (w->access_log != NULL && !access_log_flush(w->access_log) &&
	    !evtimer_pending(&w->log_retry, NULL))
		add_event(&w->log_retry, &tv);
}

static void
loop(struct worker *w)
{
	struct completion_list *completions = &w->context.completions;
	int flags;

	while (!w->stop) {
		conn_list_turn(w->conns);
		status_publish(&w->status, w->conns, w->pool);
		flush_pool(w);
		flush_access_log(w);
		if (w->state == WORKER_DRAINING &&
		    conn_list_count(w->conns) == 0 &&
		    acceptor_is_done(w->acceptor))
			break;
		flags = EVLOOP_ONCE;
		if (conn_list_has_work(w->conns) ||
		    !completion_sleep(completions))
			flags |= EVLOOP_NONBLOCK;
		if (event_base_loop(w->base, flags) == -1)
			fatalx("event loop");
		completion_awake(completions);
	}
}

/* ---- exit ---- */

static void
on_exit_timeout(int signo UNUSED)
{
	_exit(WORKER_EXIT_OK);
}

/*
 * What the application registered for the end runs under a deadline: a thread
 * of its own may hold the interpreter for ever.
 */
static _Noreturn void
leave(struct worker *w)
{
	struct sigaction sa = {.sa_handler = on_exit_timeout};
	uint64_t now_ms = clock_ms();
	unsigned seconds = QUICK_EXIT_SECONDS;

	conn_list_abandon(w->conns, w->quick ? "stopped" : "graceful_timeout");
	access_log_close(&w->access_log);
	if (!w->quick && w->drained_by_ms > now_ms)
		seconds += (unsigned)((w->drained_by_ms - now_ms) / 1000);
	sigaction(SIGALRM, &sa, NULL);
	alarm(seconds);
	python_finish();
	_exit(WORKER_EXIT_OK);
}

enum worker_exit
worker_run(const struct config *cfg, const struct heritage *heritage)
{
	static struct worker worker;
	struct timeval tick = timeval_of(TICK_MS);
	struct worker *w = &worker;

	w->cfg = cfg;
	w->control_fd = heritage->control_fd;
	ignore_signals();
	follow_master(heritage);
	fork_guard_start();
	status_open(&w->status, heritage);
	settings_context(&w->context, cfg, heritage);
	if (completion_list_open(&w->context.completions) == -1)
		fatal("eventfd");
	init_events(w);
	/* Standard ones and the error log are good for the application's
	 * children, too. */
	fork_guard_add_open(heritage->errorlog_fd);

	/* TERM still has its default here: a worker that is importing has
	 * nothing to finish. */
	if (python_start(cfg, &w->context) == -1)
		return (WORKER_EXIT_FAILED);
	if (python_load(cfg) == -1)
		return (WORKER_EXIT_NO_APP);
	python_release();

	open_pool(w); /* after the release: its threads enter the gate */
	open_connections(w, heritage);
	add_event(&w->tick, &tick);
	add_event(&w->control, NULL);
	add_event(&w->wake, NULL);
	status_start(&w->status, w->base);
	add_event(&w->term, NULL);
	add_event(&w->interrupt, NULL);
	add_event(&w->quit, NULL);
	tell_ready(w);
	loop(w);
	leave(w);
}
