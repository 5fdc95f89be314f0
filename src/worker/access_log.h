/*
 * access_log - a line for each request that was begun.
 *
 * Lines are gathered during a turn of the loop and written at its end, with one
 * write(2) where the reader keeps up.  Where it does not (a pipe or socket that
 * is full) up to log_buffer bytes wait; past that, lines are dropped, counted,
 * and reported once: a stalled reader never stalls the server.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_ACCESS_LOG_H
#define CGTHREAD_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "request.h"

/* The status of a request whose client left before an answer was begun. */
#define ACCESS_LOG_CLIENT_LEFT 499

struct access_log;

/* fd stays the caller's.  NULL: ENOMEM. */
struct access_log *access_log_open(
    int fd, enum access_log_format, size_t buffer_size);
void access_log_close(struct access_log **); /* writes what it can */

void access_log_add(struct access_log *, const struct request *);

/* Writes; false if something is left, because the reader is slow. */
bool access_log_flush(struct access_log *);

#endif
