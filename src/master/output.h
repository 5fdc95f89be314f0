/*
 * output - what the children print on standard output and error, line by line
 * into the error log: "worker 1[4412] stderr: text".
 *
 * A pipe is read until its end, which may come long after the worker's: a
 * process that the application started may hold it, and would be killed by
 * SIGPIPE if we hung up.  Nobody waits for that, though: when a worker has
 * died, what it left in its pipes is logged at once.
 *
 * Runs in the master's loop.
 */
#ifndef CGTHREAD_OUTPUT_H
#define CGTHREAD_OUTPUT_H

#include <sys/types.h>

#include "log.h"

#define OUTPUT_LINE_MAX 2048 /* a longer line is logged in pieces */

struct event_base;
struct outputs;

struct outputs *outputs_new(struct event_base *);

/* Logs what is there in all pipes, then closes them. */
void outputs_free(struct outputs **);

/*
 * Reads fd from now on; takes it, also on failure.  The text is logged as from
 * name ("worker 1[4412] stderr").  0, or -1 with the reason logged.
 */
int outputs_add(
    struct outputs *, int fd, pid_t, const char *name, enum log_level);

/* The process is dead: logs all that it has left, the unfinished line too. */
void outputs_drain(struct outputs *, pid_t);

#endif
