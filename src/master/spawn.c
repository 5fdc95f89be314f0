/* spawn - see spawn.h. */
#include "spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsd/string.h>

#include "check.h"
#include "fd.h"
#include "heritage.h"
#include "log.h"

#define EXIT_CANNOT_EXEC 127 /* as a shell says it */

/* All descriptors that a spawn needs, both ends, -1 = not open. */
struct ends {
	int control[2]; /* [0] is ours */
	int out[2];     /* pipes: [0] is ours, too */
	int err[2];
	int null;
	int config;
};

static int
ends_open(struct ends *e, const struct config *cfg)
{
	*e = (struct ends){
	    {-1, -1}, {-1, -1}, {-1, -1}, .null = -1, .config = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->control) ==
	    -1)
		return (-1);
	if (fd_set_nonblock(e->control[0]) == -1)
		return (-1);
	if (pipe2(e->out, O_CLOEXEC) == -1 || pipe2(e->err, O_CLOEXEC) == -1)
		return (-1);
	if ((e->null = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		return (-1);
	/* A memfd for each worker: they would share one's file offset. */
	if ((e->config = heritage_config_fd(cfg)) == -1)
		return (-1);
	return (0);
}

static void
ends_close_theirs(struct ends *e)
{
	fd_close(&e->control[1]);
	fd_close(&e->out[1]);
	fd_close(&e->err[1]);
	fd_close(&e->null);
	fd_close(&e->config);
}

static void
ends_close_all(struct ends *e)
{
	ends_close_theirs(e);
	fd_close(&e->control[0]);
	fd_close(&e->out[0]);
	fd_close(&e->err[0]);
}

/* The master's handlers and what it ignores are none of the application's. */
static void
reset_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* KILL, STOP: refused, as is */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
redirect_standard(const struct ends *e)
{
	if (dup2(e->null, STDIN_FILENO) == -1 ||
	    dup2(e->out[1], STDOUT_FILENO) == -1 ||
	    dup2(e->err[1], STDERR_FILENO) == -1)
		return (-1);
	return (0);
}

static int
export_environment(const struct config *cfg)
{
	static const char *const ours[] = {
	    "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"};
	size_t i;

	/* What a service manager says is to the master. */
	for (i = 0; i < nitems(ours); i++)
		unsetenv(ours[i]);
	for (i = 0; i < cfg->env.count; i++)
		if (putenv(cfg->env.items[i]) != 0)
			return (-1);
	return (0);
}

/* The new process, which ends here. */
static _Noreturn void
become_worker(const struct spawn_settings *s, const struct ends *e,
    const struct heritage *h)
{
	char process[32], program[PATH_MAX];
	char *argv[] = {program, NULL};

	snprintf(process, sizeof(process), "worker %u", h->slot);
	log_init(process, s->errorlog_fd);
	reset_signals();
	strlcpy(program, s->program, sizeof(program));
	if (redirect_standard(e) == -1 || export_environment(s->cfg) == -1 ||
	    heritage_export(h) == -1)
		log_error("cannot pass on what a worker needs");
	else {
		execv(s->program, argv);
		log_error("cannot execute %s", s->program);
	}
	_exit(EXIT_CANNOT_EXEC); /* not exit(): stdio is the master's */
}

static void
heritage_fill(struct heritage *h, const struct spawn_settings *s, unsigned slot,
    const struct ends *e)
{
	ASSERT(s->nlisten <= HERITAGE_LISTENERS_MAX);
	memset(h, 0, sizeof(*h));
	h->slot = slot;
	h->master = getpid();
	h->config_fd = e->config;
	h->control_fd = e->control[1];
	h->errorlog_fd = s->errorlog_fd;
	h->accesslog_fd = s->accesslog_fd;
	h->scoreboard_fd = s->scoreboard_fd;
	h->handover_send_fd = s->handover[0];
	h->handover_receive_fd = s->handover[1];
	if (s->nlisten > 0)
		memcpy(h->listen_fds, s->listen_fds,
		    s->nlisten * sizeof(s->listen_fds[0]));
	h->nlisten = s->nlisten;
}

/*
 * Until exec the new process is still a copy of the master with its handlers:
 * all signals wait meanwhile.
 */
static pid_t
fork_blocked(void)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if ((pid = fork()) != 0)
		sigprocmask(SIG_SETMASK, &old, NULL);
	return (pid);
}

int
spawn_worker(const struct spawn_settings *s, unsigned slot, struct spawned *new)
{
	struct ends e;
	struct heritage h;

	if (ends_open(&e, s->cfg) == -1)
		goto fail;
	heritage_fill(&h, s, slot, &e);
	if ((new->pid = fork_blocked()) == -1)
		goto fail;
	if (new->pid == 0)
		become_worker(s, &e, &h);
	ends_close_theirs(&e);
	new->control_fd = e.control[0];
	new->stdout_fd = e.out[0];
	new->stderr_fd = e.err[0];
	return (0);

fail:
	log_error("cannot start worker %u", slot);
	ends_close_all(&e);
	return (-1);
}
