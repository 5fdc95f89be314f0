/*
 * heritage - all that crosses from the master to a worker.
 *
 * A worker is forked and exec'd, so it starts with a fresh address space.  What
 * it gets is this: descriptors, whose numbers stand under fixed names in its
 * environment, and one memfd with the effective settings as ini text, read by
 * the same table that wrote it ([env] is not in it: it is the environment).
 * Every other descriptor of the master is close-on-exec.
 *
 *	CGTHREAD_MASTER_VERSION
 *	                     a worker of another one refuses
 *	CGTHREAD_SLOT        number of the worker, from 1
 *	CGTHREAD_CONFIG_FD   memfd, canonical ini text
 *	CGTHREAD_CONTROL_FD  SOCK_SEQPACKET: "READY" up, "ACTIVE" down;
 *	                     EOF = the master is gone
 *	CGTHREAD_LISTEN_FDS  listening sockets: "5,6"; empty with --check
 *	CGTHREAD_ERRORLOG_FD, CGTHREAD_ACCESSLOG_FD (-1 = off)
 *	CGTHREAD_SCOREBOARD_FD
 *	CGTHREAD_HANDOVER_SEND_FD, CGTHREAD_HANDOVER_RECEIVE_FD
 *	                     the two ends of the workers' own queue of
 *	                     connections, the same for all (-1 with --check)
 *	CGTHREAD_MASTER_PID  whom to expect as parent
 *
 * Standard output and error are pipes to the master, which logs what comes.
 */
#ifndef CGTHREAD_HERITAGE_H
#define CGTHREAD_HERITAGE_H

#include <stddef.h>
#include <sys/types.h>

#include "config.h"

#define HERITAGE_LISTENERS_MAX 64

#define HERITAGE_READY  "READY"  /* worker: the application is imported */
#define HERITAGE_ACTIVE "ACTIVE" /* master: accept connections */

struct heritage {
	unsigned slot;
	pid_t master;
	int config_fd;
	int control_fd;
	int errorlog_fd;
	int accesslog_fd; /* -1: no access log */
	int scoreboard_fd;
	int handover_send_fd, handover_receive_fd; /* -1: none, with --check */
	int listen_fds[HERITAGE_LISTENERS_MAX];
	size_t nlisten;
};

/* A memfd with cfg as text, close-on-exec, or -1 with errno. */
int heritage_config_fd(const struct config *);

/*
 * In the child, between fork and exec: clears close-on-exec on the heritage's
 * descriptors and puts the names into the environment.  0, or -1 with errno.
 */
int heritage_export(const struct heritage *);

/*
 * In the worker, first thing: reads the names, removes them from the
 * environment (the application's own children are no workers) and sets
 * close-on-exec again. 0, or -1 with the reason logged.
 */
int heritage_import(struct heritage *);

#endif
