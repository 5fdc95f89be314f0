/* program - where the worker program for the application's Python is. */
#ifndef CGTHREAD_PROGRAM_H
#define CGTHREAD_PROGRAM_H

#include <limits.h>

#include "config.h"

/*
 * The worker program for the Python that cfg asks for, else for the one that we
 * were built with: beside our own executable (a build that is not installed),
 * else in the libexec that goes with its directory, else in the libexecdir that
 * was given when it was built.  The environment variable
 * CGTHREAD_WORKER_PROGRAM names another one, so that the supervisor can be
 * tested with a script; it does not count where we have privileges that our
 * caller has not (set-user-ID). 0, or -1 with the reason logged, and with the
 * workers that there are.
 */
int program_find_worker(const struct config *, char path[PATH_MAX]);

#endif
