/*
 * spawn - fork and exec of a worker program.
 *
 * What the new process has: the heritage, /dev/null for standard input, a pipe
 * to us for standard output and another for standard error, our environment
 * with that of [env], every signal at its default and none blocked.
 */
#ifndef CGTHREAD_SPAWN_H
#define CGTHREAD_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#include "config.h"

struct scoreboard;

/* What all workers share; nothing of it is owned. */
struct spawn_settings {
	const struct config *cfg;
	const char *program;
	int errorlog_fd;
	int accesslog_fd; /* -1: no access log */
	int scoreboard_fd;
	struct scoreboard *scoreboard; /* the same, for the master */
	int handover[2];               /* send, receive; -1: none */
	const int *listen_fds;
	size_t nlisten;
};

/* Our ends. */
struct spawned {
	pid_t pid;
	int control_fd; /* non-blocking */
	int stdout_fd;
	int stderr_fd;
};

/*
 * Starts a worker.  0, or -1 with the reason logged.  A program that cannot be
 * executed is logged by the new process, which then exits with 127.
 */
int spawn_worker(
    const struct spawn_settings *, unsigned slot, struct spawned *);

#endif
