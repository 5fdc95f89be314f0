/*
 * master - the process that binds the sockets and looks after the workers.
 *
 * It has one thread, one libevent loop and no Python.
 *
 *	TERM       running requests finish, then exit 0
 *	INT, QUIT  they do not; also after TERM
 *
 * Either function logs what goes wrong and returns the exit status.
 */
#ifndef CGTHREAD_MASTER_H
#define CGTHREAD_MASTER_H

#include "config.h"

enum master_exit {
	MASTER_EXIT_OK = 0,
	MASTER_EXIT_RESOURCES =
	    1,               /* a log, an address, a program: not to be had */
	MASTER_EXIT_BOOT = 3 /* a worker of the first start did not start */
};

/* Serves until a signal ends it. */
int master_run(const struct config *);

/*
 * --check: whether one worker can import the application.  Binds nothing, and
 * logs to standard error whatever the settings say.
 */
int master_check(const struct config *);

#endif
