/*
 * runtime_dir - the directory in which a running server can be found.
 *
 * It is /run/cgthread/NAME for root, else $XDG_RUNTIME_DIR/cgthread/NAME, or
 * what the option runtime_dir says.  NAME is proc_name, else the name of the
 * ini file without its suffix, else "default".
 *
 *	lock        locked while the server runs; stays, for who removes a lock
 *	            lets two have it
 *	scoreboard  removed at the end
 *
 * A server that finds the directory taken, or none to be had, runs without: its
 * scoreboard then has no name.  Only a directory that was asked for by the
 * option and cannot be had is an error.
 */
#ifndef CGTHREAD_RUNTIME_DIR_H
#define CGTHREAD_RUNTIME_DIR_H

#include <limits.h>
#include <stdbool.h>

#include "config.h"

#define RUNTIME_DIR_NAME_SIZE 65 /* with the NUL */

struct runtime_dir {
	char path[PATH_MAX]; /* "": none */
	int fd;              /* of the directory, or -1 */
	int lock_fd;
	bool has_scoreboard;
};

/* The NAME of a server; what is no good in a file name becomes '_'. */
void runtime_dir_name(const struct config *, char name[RUNTIME_DIR_NAME_SIZE]);

/* 0, perhaps without a directory, or -1; either with the reason logged. */
int runtime_dir_open(struct runtime_dir *, const struct config *);
void runtime_dir_none(struct runtime_dir *);

/* Removes what it has made, but for the lock and the directory. */
void runtime_dir_close(struct runtime_dir *);

/* A new scoreboard, for reading and writing; -1 with the reason logged. */
int runtime_dir_scoreboard(struct runtime_dir *, unsigned nlines);

#endif
