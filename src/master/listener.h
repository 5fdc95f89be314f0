/*
 * listener - the listening sockets: bound by the master, accepted from by the
 * workers, which inherit them.
 */
#ifndef CGTHREAD_LISTENER_H
#define CGTHREAD_LISTENER_H

#include <stddef.h>

#include "config.h"

struct listeners;

/*
 * Opens a socket for every address of cfg->bind; a name or "*" may stand for
 * several.  NULL, with a line logged that names the address and the reason, if
 * one of them cannot be had: then none is open.
 */
struct listeners *listeners_open(const struct config *);

/* Closes them and removes the unix sockets' files; in the master only. */
void listeners_close(struct listeners **);

/* A line for each: "listening on http://127.0.0.1:8000". */
void listeners_log(const struct listeners *);

size_t listeners_count(const struct listeners *);
const int *listeners_fds(const struct listeners *); /* so many */
/* "http://[::1]:8000", "unix:/run/app.sock" */
const char *listeners_name(const struct listeners *, size_t i);

#endif
