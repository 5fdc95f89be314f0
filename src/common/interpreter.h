/*
 * interpreter - which Python the application is for.
 *
 * The master asks for the version, which is in the worker program's name; the
 * worker for the executable, from which Python derives sys.prefix and sys.path.
 * What the answer rests on crosses with the settings and the environment.
 */
#ifndef CGTHREAD_INTERPRETER_H
#define CGTHREAD_INTERPRETER_H

#include <limits.h>
#include <stdbool.h>

#include "config.h"

#define INTERPRETER_VERSION_SIZE 8 /* "3.11" */

struct interpreter {
	/* Who says so, for messages: "python = /srv/venv"; "" = nobody. */
	char said_by[PATH_MAX + 32];
	char version[INTERPRETER_VERSION_SIZE]; /* "" = the default */
	/* "" = the one that the worker was built for; else absolute. */
	char executable[PATH_MAX];
};

/*
 * By cfg->python; if that is empty by VIRTUAL_ENV, in [env] or else in our
 * environment.  0, or -1 with the reason logged.
 */
int interpreter_find(const struct config *, struct interpreter *);

/* Whether text is 3.N and nothing else. */
bool interpreter_is_version(const char *text);

#endif
