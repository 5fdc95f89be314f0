/*
 * access_log - a line for each request that was begun.
 *
 * What it says is made here of the request (access_line.h), and leaves through
 * a sink (log_sink.h).  The loop thread only.
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

/* fd stays the caller's; what it is the settings say.  worker is the number of
 * ours.  NULL: ENOMEM. */
struct access_log *access_log_open(
    int fd, const struct config *, unsigned worker);
void access_log_close(struct access_log **); /* writes what it can */

/* Requests should take the times of what happens to them. */
bool access_log_is_timed(const struct access_log *);

/*
 * The request is over.  is_running: it is not, a thread has it, but we leave; then
 * nothing is read that the thread may be writing.
 */
void access_log_add(
    struct access_log *, const struct request *, bool is_running);

/* Writes; false if something is left, because the reader is slow. */
bool access_log_flush(struct access_log *);

#endif
