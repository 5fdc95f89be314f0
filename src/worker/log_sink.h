/*
 * log_sink - lines on their way out of the worker.
 *
 * They are gathered during a turn of the loop and written at its end, with one
 * write(2) where the reader keeps up; to syslog one datagram goes for each.
 * Where the reader does not (a pipe or a socket that is full) up to the size of
 * the buffer waits; past that, lines are dropped and counted: a stalled reader never
 * stalls the server.  So are those that cannot be written, as on a full disk; nothing
 * is glued to one of which a part was.  What is lost is told at once, then now and
 * again while it lasts, and at its end, for each reason.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_LOG_SINK_H
#define CGTHREAD_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "syslog_target.h"

struct log_sink;

/*
 * fd stays the caller's, and so does the target, NULL where fd is no syslog's.
 * There is room for two lines of line_max at least.  NULL: ENOMEM.
 */
struct log_sink *log_sink_open(
    int fd, size_t size, size_t line_max, const struct syslog_target *);
/* Writes what it can, tells what it cannot. */
void log_sink_close(struct log_sink **);

/* Room for a line of line_max bytes; NULL: there is none, and it is counted. */
char *log_sink_room(struct log_sink *);
void log_sink_commit(struct log_sink *, size_t len); /* with its newline */

/* Writes; false if something is left, because the reader is slow. */
bool log_sink_flush(struct log_sink *);

#endif
