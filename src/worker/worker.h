/*
 * worker - one process that serves: the loop thread and what it wires together.
 *
 * Its life: the interpreter starts and imports the application; READY is told
 * to the master; on the master's ACTIVE it accepts; TERM, or the master's end,
 * makes it drain: what the kernel has queued is accepted, requests at hand are
 * answered, idle connections are closed, and it exits with 0.  INT and QUIT end
 * it without waiting for requests.
 */
#ifndef CGTHREAD_WORKER_H
#define CGTHREAD_WORKER_H

#include "config.h"
#include "heritage.h"

/* How a worker ends, for its master. */
enum worker_exit {
	WORKER_EXIT_OK = 0,
	WORKER_EXIT_FAILED = 1, /* the reason is in the log */
	WORKER_EXIT_NO_APP = 3  /* the application could not be imported */
};

/* Serves until told to leave; then leaves by _exit(2), unless it never began.
 */
enum worker_exit worker_run(const struct config *, const struct heritage *);

#endif
