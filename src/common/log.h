/*
 * log - the error log: one line, one write(2), from any thread.
 *
 * A line is "time [level] process[pid] thread: text", in local time.  The state
 * is the one global of the program: set it up before threads start.
 * errno is what it was before the call.  A control character in the text is
 * written as \xHH, so that nothing a client sends can forge a line or drive a
 * terminal.
 *
 * The descriptor may be non-blocking (log_fd_open), and no socket is waited
 * for: a line that would block, or that a full disk has no room for, is dropped
 * and counted, and the count is reported with the next line that goes through.
 * A stalled reader of the log thus never stalls the server.  Where a part of a line
 * was written before the disk was full, the next one begins with a newline.
 */
#ifndef CGTHREAD_LOG_H
#define CGTHREAD_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "macros.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_CRITICAL,
	LOG_LEVEL_COUNT
};

/* process as it stands in each line, "worker 1"; writes to fd, not owned. */
void log_init(const char *process, int fd);
/* From now on fd, also in a later log_init(), is one of syslog's.  Copied. */
struct syslog_target;
void log_set_syslog(int fd, const struct syslog_target *);
void log_set_level(enum log_level);
void log_set_thread(const char *name); /* of the calling thread; copied */
bool log_is_on(enum log_level);

/* "debug" .. "critical"; -1 if it is none of them. */
int log_level_parse(const char *name);
const char *log_level_name(enum log_level);

/*
 * A descriptor for a log: "-" gives a copy of standard_fd; else the path is
 * opened for appending, made if missing.  Pipes and terminals come back
 * non-blocking, by an open file description of their own, so that whoever
 * shares the terminal notices nothing.  -1 with errno set.
 */
int log_fd_open(const char *path, int standard_fd);

/*
 * Writes len bytes of text, line by line, each with the prefix (NULL: none)
 * before it: for tracebacks and for what the children print.
 */
void log_text(enum log_level, const char *prefix, const char *text, size_t len);

void log_at(enum log_level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_critical(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_errorx(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2); /* ": strerror" */
void log_warnx(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2); /* ": strerror" */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Start-up only: log as critical, with errno (fatal) or without, exit(1). */
_Noreturn void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2);
_Noreturn void fatalx(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
