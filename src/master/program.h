/* program - where the worker program is. */
#ifndef CGTHREAD_PROGRAM_H
#define CGTHREAD_PROGRAM_H

#include <limits.h>

/*
 * The worker program beside our own executable (a build that is not installed),
 * else in the libexec that goes with its directory, else in the libexecdir that
 * was given when it was built.  The environment variable
 * CGTHREAD_WORKER_PROGRAM names another one, so that the supervisor can be
 * tested with a script; it does not count where we have privileges that our
 * caller has not (set-user-ID). 0, or -1 with the reason logged.
 */
int program_find_worker(char path[PATH_MAX]);

#endif
