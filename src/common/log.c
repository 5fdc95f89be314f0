/* log - see log.h. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "fd.h"
#include "syslog_target.h"
#include "torn.h"

/* Longest line; what is longer is cut. */
#define LINE_MAX_BYTES 4096

static struct {
	int fd;
	bool is_socket;
	int syslog_fd; /* -1: none; the same as fd: lines are framed for it */
	struct syslog_target syslog;
	_Atomic int level;
	char process[48];
	struct torn torn;
	atomic_ulong lost; /* lines that could not be written */
	atomic_int why;    /* errno of the last of them */
} state = {.fd = STDERR_FILENO,
    .syslog_fd = -1,
    .level = LOG_LEVEL_INFO,
    .process = "cgthread"};

static _Thread_local char thread_name[24];

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_CRITICAL] = "critical",
};
_Static_assert(nitems(level_names) == LOG_LEVEL_COUNT, "a level has no name");

static size_t line_begin(char *line, enum log_level level);
static size_t line_add(char *line, size_t at, const char *text, size_t len);
static void line_write(char *line, size_t len);
static void log_va(enum log_level, int error, const char *fmt, va_list)
    __attribute__((format(printf, 3, 0)));

void
log_init(const char *process, int fd)
{
	strlcpy(state.process, process, sizeof(state.process));
	state.fd = fd;
	state.is_socket = fd_is_socket(fd);
	state.torn = (struct torn){0};
}

void
log_set_syslog(int fd, const struct syslog_target *target)
{
	state.syslog = *target;
	state.syslog_fd = fd;
}

static bool
is_syslog(void)
{
	return (state.fd == state.syslog_fd);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&state.level, (int)level, memory_order_relaxed);
}

void
log_set_thread(const char *name)
{
	strlcpy(thread_name, name, sizeof(thread_name));
}

bool
log_is_on(enum log_level level)
{
	return ((int)level >=
		atomic_load_explicit(&state.level, memory_order_relaxed));
}

int
log_level_parse(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(level_names); i++)
		if (strcmp(name, level_names[i]) == 0)
			return ((int)i);
	return (-1);
}

const char *
log_level_name(enum log_level level)
{
	return (level_names[level]);
}

int
log_fd_open(const char *path, int standard_fd)
{
	char name[32];
	struct stat st;
	int fd;

	if (strcmp(path, "-") != 0)
		return (open(path,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
		    0640));

	/* A second opening of the same pipe or terminal has flags of its own;
	 * a socket cannot be opened again: each write to it says so. */
	if (fstat(standard_fd, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || isatty(standard_fd))) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", standard_fd);
		fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
		if (fd != -1)
			return (fd);
	}
	return (fcntl(standard_fd, F_DUPFD_CLOEXEC, 3));
}

void
log_text(enum log_level level, const char *prefix, const char *text, size_t len)
{
	char line[LINE_MAX_BYTES];
	const char *end = text + len, *stop;
	int saved_errno = errno;
	size_t at;

	if (!log_is_on(level))
		return;
	while (text < end) {
		stop = memchr(text, '\n', (size_t)(end - text));
		if (stop == NULL)
			stop = end;
		at = line_begin(line, level);
		if (prefix != NULL)
			at = line_add(line, at, prefix, strlen(prefix));
		at = line_add(line, at, text, (size_t)(stop - text));
		line_write(line, at);
		text = stop + 1;
	}
	errno = saved_errno;
}

/* The header has the time, and the number of the process. */
static size_t
line_begin_syslog(char *line, enum log_level level)
{
	static const enum syslog_severity severities[] = {
	    [LOG_LEVEL_DEBUG] = SYSLOG_DEBUG,
	    [LOG_LEVEL_INFO] = SYSLOG_INFO,
	    [LOG_LEVEL_WARNING] = SYSLOG_WARNING,
	    [LOG_LEVEL_ERROR] = SYSLOG_ERROR,
	    [LOG_LEVEL_CRITICAL] = SYSLOG_CRITICAL,
	};
	size_t at;
	int n;

	at = syslog_target_header(
	    &state.syslog, severities[level], time(NULL), line);
	n = snprintf(line + at, LINE_MAX_BYTES - at,
	    "[%s] %s%s%s: ", level_names[level], state.process,
	    thread_name[0] != '\0' ? " " : "", thread_name);
	return (at + (size_t)n);
}

/* "time [level] process[pid] thread: " */
static size_t
line_begin(char *line, enum log_level level)
{
	struct timespec now;
	struct tm tm;
	long offset;
	int n;

	if (is_syslog())
		return (line_begin_syslog(line, level));
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	offset = tm.tm_gmtoff / 60;
	n = snprintf(line, LINE_MAX_BYTES,
	    "%04d-%02d-%02d %02d:%02d:%02d.%03ld %c%02ld%02ld [%s] "
	    "%s[%ld]%s%s: ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, now.tv_nsec / 1000000, offset < 0 ? '-' : '+',
	    labs(offset) / 60, labs(offset) % 60, level_names[level],
	    state.process, (long)getpid(), thread_name[0] != '\0' ? " " : "",
	    thread_name);
	return ((size_t)n);
}

/* Copies text, control bytes as \xHH, always leaving room for the newline. */
static size_t
line_add(char *line, size_t at, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len && at + 5 < LINE_MAX_BYTES; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c >= 0x20 && c != 0x7f) || c == '\t') {
			line[at++] = (char)c;
			continue;
		}
		line[at++] = '\\';
		line[at++] = 'x';
		line[at++] = hex[c >> 4];
		line[at++] = hex[c & 15];
	}
	return (at);
}

/* A daemon that was started again has another socket by the same name. */
static int
send_line(const char *text, size_t len)
{
	len--; /* the datagram is the line */
	if (fd_write_now(state.fd, state.is_socket, text, len) != -1)
		return (0);
	if (errno == EAGAIN || errno == EMSGSIZE ||
	    syslog_target_connect(&state.syslog, state.fd) == -1)
		return (-1);
	return (
	    fd_write_now(state.fd, state.is_socket, text, len) != -1 ? 0 : -1);
}

/* 0, or -1 with errno where not all of it could be written. */
static int
write_now(const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (is_syslog())
		return (send_line(text, len));
	if (torn_take(&state.torn, state.fd) &&
	    fd_write_now(state.fd, state.is_socket, "\n", 1) == -1) {
		torn_note(&state.torn, state.fd, true);
		return (-1);
	}
	while (done < len) {
		n = fd_write_now(
		    state.fd, state.is_socket, text + done, len - done);
		if (n == -1) {
			torn_note(&state.torn, state.fd, done > 0);
			return (-1);
		}
		done += (size_t)n;
	}
	return (0);
}

static void
lose(unsigned long lines, int why)
{
	atomic_store_explicit(&state.why, why, memory_order_relaxed);
	atomic_fetch_add_explicit(&state.lost, lines, memory_order_relaxed);
}

/* One write; if it fails, as on a full pipe or disk, the line is lost, or a part of
 * it, but not its number. */
static void
line_write(char *line, size_t len)
{
	char note[SYSLOG_HEADER_SIZE + 96];
	unsigned long lost;
	size_t at = 0;
	int n, why;

	line[len++] = '\n';
	if (write_now(line, len) == -1) {
		lose(1, errno);
		return;
	}
	if (atomic_load_explicit(&state.lost, memory_order_relaxed) == 0)
		return;
	lost = atomic_exchange_explicit(&state.lost, 0, memory_order_relaxed);
	if (lost == 0)
		return; /* another thread tells */
	why = atomic_load_explicit(&state.why, memory_order_relaxed);
	if (is_syslog())
		at = syslog_target_header(
		    &state.syslog, SYSLOG_WARNING, time(NULL), note);
	n = snprintf(note + at, sizeof(note) - at, "(%lu log lines lost: %s)\n",
	    lost,
	    why == EAGAIN ? "the reader of the error log was too slow"
			  : strerrordesc_np(why));
	if (write_now(note, at + (size_t)n) == -1)
		lose(lost, errno);
}

static void
log_va(enum log_level level, int error, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES], text[LINE_MAX_BYTES];
	const char *why;
	size_t at;
	int n, saved_errno = errno;

	if (!log_is_on(level))
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	at = line_begin(line, level);
	at = line_add(line, at, text, (size_t)n);
	if (error != 0) {
		why = strerrordesc_np(error);
		at = line_add(line, at, ": ", 2);
		at = line_add(line, at, why != NULL ? why : "unknown error",
		    strlen(why != NULL ? why : "unknown error"));
	}
	line_write(line, at);
	errno = saved_errno;
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(level, 0, fmt, ap);
	va_end(ap);
}

/* clang-format off */
#define LOG_FUNCTION(name, level, error)				\
void									\
name(const char *fmt, ...)						\
{									\
	va_list ap;							\
									\
	va_start(ap, fmt);						\
	log_va(level, error, fmt, ap);					\
	va_end(ap);							\
}
LOG_FUNCTION(log_critical, LOG_LEVEL_CRITICAL, 0)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, errno)
LOG_FUNCTION(log_errorx, LOG_LEVEL_ERROR, 0)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING, errno)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARNING, 0)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, 0)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, 0)
/* clang-format on */

_Noreturn void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_CRITICAL, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

_Noreturn void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_va(LOG_LEVEL_CRITICAL, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
