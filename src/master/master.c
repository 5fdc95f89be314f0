/* master - see master.h. */
#include "master.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "fd.h"
#include "herd.h"
#include "listener.h"
#include "log.h"
#include "program.h"
#include "runtime_dir.h"
#include "scoreboard.h"
#include "surroundings.h"
#include "syslog_target.h"
#include "title.h"

#define SIGNALS_MAX 16

struct master {
	const struct config *cfg;
	struct config settings; /* --check: cfg points here; owns nothing */
	bool is_check;
	bool is_ready; /* the first start is over */
	bool is_stopping;
	enum master_exit status;
	uint64_t started_ms;
	char program[PATH_MAX];
	int errorlog_fd;
	int accesslog_fd; /* -1: off */
	struct event_base *base;
	struct event *signals[SIGNALS_MAX];
	struct runtime_dir runtime_dir;
	int scoreboard_fd;
	struct scoreboard *scoreboard;
	int handover[2]; /* send, receive; with all it holds, while we live */
	struct listeners *listeners; /* NULL: none, or closed again */
	struct herd *herd;
};

typedef void signal_fn(evutil_socket_t number, short what, void *arg);
static signal_fn on_child, on_graceful, on_quick, on_unsupported;

/* clang-format off */
static const struct {
	int number;
	signal_fn *on_signal;
} signal_table[] = {
	{ SIGCHLD, on_child },
	{ SIGTERM, on_graceful },
	{ SIGINT, on_quick },
	{ SIGQUIT, on_quick },
	/* What they would do by default is the end of the server, or a stop. */
	{ SIGHUP, on_unsupported },
	{ SIGUSR1, on_unsupported },
	{ SIGUSR2, on_unsupported },
	{ SIGTTIN, on_unsupported },
	{ SIGTTOU, on_unsupported },
};
/* clang-format on */
_Static_assert(nitems(signal_table) <= SIGNALS_MAX, "too many signals");

/* ---- opening ---- */

/* A daemon that is not there may come: whoever writes looks for it again. */
static int
open_syslog(const struct config *cfg, const char *name, const char *setting)
{
	struct syslog_target target;
	bool is_connected = false;
	const char *why;
	int fd;

	if (syslog_target_init(&target, setting, cfg->syslog_facility,
		cfg->syslog_prefix, &why) == -1) {
		log_errorx("%s = %s: %s", name, setting, why);
		return (-1);
	}
	fd = syslog_target_open(&target, &is_connected);
	if (fd != -1 && setting == cfg->errorlog)
		log_set_syslog(fd, &target);
	if (fd != -1 && !is_connected)
		log_warn("%s = %s: nobody is there yet", name, setting);
	return (fd);
}

static int
open_log(const struct config *cfg, const char *name, const char *path,
    int standard_fd)
{
	int fd;

	if (syslog_target_is(path))
		fd = open_syslog(cfg, name, path);
	else
		fd = log_fd_open(path, standard_fd);
	if (fd == -1)
		log_error("%s = %s cannot be opened", name, path);
	return (fd);
}

static int
open_logs(struct master *m)
{
	const struct config *cfg = m->cfg;

	m->errorlog_fd =
	    open_log(cfg, "errorlog", cfg->errorlog, STDERR_FILENO);
	if (m->errorlog_fd == -1)
		return (-1);
	log_init("master", m->errorlog_fd);
	log_set_level((enum log_level)cfg->loglevel);
	if (strcmp(cfg->accesslog, "off") == 0)
		return (0);
	m->accesslog_fd =
	    open_log(cfg, "accesslog", cfg->accesslog, STDOUT_FILENO);
	return (m->accesslog_fd == -1 ? -1 : 0);
}

/* libevent has something to say. */
static void
on_event_log(int severity, const char *text)
{
	log_at(severity >= EVENT_LOG_ERR    ? LOG_LEVEL_ERROR
	       : severity == EVENT_LOG_WARN ? LOG_LEVEL_WARNING
					    : LOG_LEVEL_DEBUG,
	    "libevent: %s", text);
}

static int
open_loop(struct master *m)
{
	size_t i;

	event_set_log_callback(on_event_log);
	if ((m->base = event_base_new()) == NULL) {
		log_critical("no event loop");
		return (-1);
	}
	for (i = 0; i < nitems(signal_table); i++) {
		m->signals[i] = evsignal_new(m->base, signal_table[i].number,
		    signal_table[i].on_signal, m);
		if (m->signals[i] == NULL ||
		    evsignal_add(m->signals[i], NULL) == -1) {
			log_critical("signal %d cannot be watched",
			    signal_table[i].number);
			return (-1);
		}
	}
	(void)signal(SIGPIPE, SIG_IGN); /* a log's reader may leave ... */
	(void)signal(SIGXFSZ, SIG_IGN); /* ... and its file may be full */
	return (0);
}

/* Binds, if there is anything to bind. */
static int
open_listeners(struct master *m)
{
	if (m->is_check)
		return (0);
	if ((m->listeners = listeners_open(m->cfg)) == NULL)
		return (-1);
	listeners_log(m->listeners);
	return (0);
}

/* A server that only checks is none that could be found. */
static int
open_scoreboard(struct master *m)
{
	const char *why;

	if (!m->is_check && runtime_dir_open(&m->runtime_dir, m->cfg) == -1)
		return (-1);
	m->scoreboard_fd =
	    runtime_dir_scoreboard(&m->runtime_dir, (unsigned)m->cfg->workers);
	if (m->scoreboard_fd == -1)
		return (-1);
	m->scoreboard = scoreboard_open(m->scoreboard_fd, true, &why);
	if (m->scoreboard != NULL)
		return (0);
	log_errorx("scoreboard: %s", why);
	return (-1);
}

static int
open_handover(struct master *m)
{
	int type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;

	if (m->is_check || socketpair(AF_UNIX, type, 0, m->handover) == 0)
		return (0);
	log_error("no socket for the workers' connections");
	return (-1);
}

static void on_news(enum herd_news, void *);

static int
open_herd(struct master *m)
{
	struct spawn_settings spawn = {.cfg = m->cfg,
	    .program = m->program,
	    .errorlog_fd = m->errorlog_fd,
	    .accesslog_fd = m->accesslog_fd,
	    .scoreboard_fd = m->scoreboard_fd,
	    .scoreboard = m->scoreboard,
	    .handover = {m->handover[0], m->handover[1]}};

	if (m->listeners != NULL) {
		spawn.listen_fds = listeners_fds(m->listeners);
		spawn.nlisten = listeners_count(m->listeners);
	}
	m->herd = herd_new(m->base, &spawn, on_news, m);
	return (herd_start(m->herd));
}

static int
master_open(struct master *m)
{
	if (open_logs(m) == -1 || surroundings_check(m->cfg) == -1 ||
	    program_find_worker(m->cfg, m->program) == -1 ||
	    open_loop(m) == -1 || open_listeners(m) == -1 ||
	    open_scoreboard(m) == -1 || open_handover(m) == -1)
		return (-1);
	surroundings_raise_fd_limit(m->cfg->max_connections);
	title_set("master", m->cfg->proc_name);
	return (open_herd(m));
}

static void
master_close(struct master *m)
{
	size_t i;

	herd_free(&m->herd);
	listeners_close(&m->listeners);
	scoreboard_close(&m->scoreboard);
	fd_close(&m->scoreboard_fd);
	fd_close(&m->handover[0]);
	fd_close(&m->handover[1]);
	runtime_dir_close(&m->runtime_dir);
	for (i = 0; i < nitems(signal_table); i++)
		if (m->signals[i] != NULL)
			event_free(m->signals[i]);
	if (m->base != NULL)
		event_base_free(m->base);
	log_init("master", STDERR_FILENO);
	fd_close(&m->errorlog_fd);
	fd_close(&m->accesslog_fd);
}

/* ---- running ---- */

/*
 * The listeners go first: a client that comes now is refused, not queued behind
 * workers that are leaving.  They still hold them, take what is queued and
 * close them then.
 */
static void
master_stop(struct master *m, enum herd_stop how)
{
	m->is_stopping = true;
	listeners_close(&m->listeners);
	herd_stop(m->herd, how);
}

static void
master_is_up(struct master *m)
{
	const struct config *cfg = m->cfg;
	double seconds = (double)(clock_ms() - m->started_ms) / 1e3;

	m->is_ready = true;
	if (m->is_check) {
		master_stop(m, HERD_STOP_GRACEFUL);
		return;
	}
	log_info("cgthread " CGTHREAD_VERSION ": %lld worker%s x %lld thread%s "
		 "ready in %.2f s",
	    (long long)cfg->workers, cfg->workers == 1 ? "" : "s",
	    (long long)cfg->threads, cfg->threads == 1 ? "" : "s", seconds);
}

static void
on_news(enum herd_news news, void *arg)
{
	struct master *m = arg;

	switch (news) {
	case HERD_UP:
		master_is_up(m);
		break;
	case HERD_FAILED:
		m->status = MASTER_EXIT_BOOT;
		master_stop(m, HERD_STOP_QUICK);
		break;
	case HERD_GONE:
		event_base_loopbreak(m->base);
		break;
	}
}

/* libevent calls these in the loop, so they may do what any callback may. */
static void
on_child(UNUSED evutil_socket_t number, UNUSED short what, void *arg)
{
	struct master *m = arg;

	herd_reap(m->herd);
}

static void
on_graceful(evutil_socket_t number, UNUSED short what, void *arg)
{
	struct master *m = arg;

	if (m->is_stopping)
		return;
	log_info("SIG%s: stopping, running requests finish",
	    sigabbrev_np((int)number));
	master_stop(m, HERD_STOP_GRACEFUL);
}

static void
on_quick(evutil_socket_t number, UNUSED short what, void *arg)
{
	struct master *m = arg;

	log_info("SIG%s: stopping at once", sigabbrev_np((int)number));
	master_stop(m, HERD_STOP_QUICK);
}

static void
on_unsupported(evutil_socket_t number, UNUSED short what, UNUSED void *arg)
{
	log_warnx(
	    "SIG%s: not supported by this version", sigabbrev_np((int)number));
}

static void
master_serve(struct master *m)
{
	int result = event_base_dispatch(m->base);

	if (result == 0)
		return;
	/* Only with a broken kernel: the workers leave as we do. */
	log_critical("the event loop has failed");
	_exit(MASTER_EXIT_RESOURCES);
}

static int
master_go(struct master *m)
{
	m->started_ms = clock_ms();
	m->status = MASTER_EXIT_RESOURCES;
	m->errorlog_fd = m->accesslog_fd = m->scoreboard_fd = -1;
	m->handover[0] = m->handover[1] = -1;
	runtime_dir_none(&m->runtime_dir);
	if (master_open(m) == 0) {
		m->status = MASTER_EXIT_OK;
		master_serve(m);
	}
	master_close(m);
	return (m->status);
}

int
master_run(const struct config *cfg)
{
	struct master m = {.cfg = cfg};

	return (master_go(&m));
}

int
master_check(const struct config *cfg)
{
	char standard_error[] = "-", off[] = "off";
	struct master m = {.settings = *cfg, .is_check = true};

	m.cfg = &m.settings;
	m.settings.workers = 1;
	m.settings.errorlog = standard_error;
	m.settings.accesslog = off;
	if (m.settings.loglevel < LOG_LEVEL_WARNING)
		m.settings.loglevel =
		    LOG_LEVEL_WARNING; /* only what is wrong */
	if (master_go(&m) != MASTER_EXIT_OK)
		return (m.status);
	if (!m.is_ready) {
		log_errorx("stopped before the application was imported");
		return (MASTER_EXIT_BOOT);
	}
	puts("configuration ok");
	return (MASTER_EXIT_OK);
}
