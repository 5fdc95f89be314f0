/* log_sink - see log_sink.h. */
#include "log_sink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "fd.h"
#include "log.h"
#include "torn.h"

/* While lines are lost, that is told once in so long. */
#define TELL_FAILURE_MS 10000

/* So many reasons are counted apart, the last of them together with what is over. */
#define REASONS 4

/* So often a syslog daemon that has gone is looked for. */
#define RECONNECT_MS 1000

struct loss {
	int why; /* errno; EAGAIN: the reader is too slow */
	unsigned long lines;
};

struct log_sink {
	int fd;
	bool is_socket;
	bool is_stream; /* shared with other workers: whole lines per write */
	const struct syslog_target *syslog; /* NULL: none */
	uint64_t reconnect_ms;              /* not before then */
	char *buffer;                       /* lines that wait */
	size_t len, size, line_max;
	bool is_within; /* a line, of which a part is written */
	struct torn torn;
	unsigned long lost; /* lines, not told yet: the sum of */
	struct loss losses[REASONS];
	uint64_t told_ms;     /* when that was told; 0: never */
	uint64_t told_end_ms; /* when the rest was, as it was over */
};

struct log_sink *
log_sink_open(
    int fd, size_t size, size_t line_max, const struct syslog_target *target)
{
	struct log_sink *sink = calloc(1, sizeof(*sink));
	struct stat st;

	if (sink == NULL)
		return (NULL);
	sink->fd = fd;
	sink->syslog = target;
	sink->line_max = line_max;
	sink->size = size > 2 * line_max ? size : 2 * line_max;
	sink->buffer = malloc(sink->size);
	sink->is_socket = fd_is_socket(fd);
	sink->is_stream =
	    sink->is_socket || (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode));
	if (sink->buffer == NULL) {
		free(sink);
		return (NULL);
	}
	return (sink);
}

/* ---- what is lost ---- */

static void
lose(struct log_sink *sink, unsigned long lines, int why)
{
	struct loss *loss = sink->losses;

	while (loss < &sink->losses[REASONS - 1] && loss->lines > 0 &&
	       loss->why != why)
		loss++;
	loss->why = why;
	loss->lines += lines;
	sink->lost += lines;
}

static void
tell_lost(struct log_sink *sink)
{
	struct loss *loss;

	for (loss = sink->losses; loss < &sink->losses[REASONS]; loss++) {
		if (loss->lines == 0)
			continue;
		errno = loss->why;
		if (loss->why == EAGAIN)
			log_warnx("access log: %lu lines lost, its reader was "
				  "too slow",
			    loss->lines);
		else
			log_warn("access log: %lu lines lost", loss->lines);
		loss->lines = 0;
	}
	sink->lost = 0;
}

/* Unless it was done lately. */
static void
tell_sometimes(struct log_sink *sink, uint64_t *told_ms)
{
	uint64_t now_ms = clock_ms();

	if (*told_ms != 0 && now_ms - *told_ms < TELL_FAILURE_MS)
		return;
	*told_ms = now_ms;
	tell_lost(sink);
}

static unsigned long
count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned long n = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		n++;
		text++;
	}
	return (n);
}

/* Of those in the buffer; its first may be written but for its end. */
static unsigned long
lines_behind(const struct log_sink *sink, size_t done)
{
	if (done < sink->len && sink->buffer[done] == '\n')
		done++;
	return (count_lines(sink->buffer + done, sink->len - done));
}

/* ---- lines ---- */

char *
log_sink_room(struct log_sink *sink)
{
	if (sink->size - sink->len < sink->line_max)
		log_sink_flush(sink);
	if (sink->size - sink->len < sink->line_max) {
		lose(sink, 1, EAGAIN);
		return (NULL);
	}
	if (sink->len == 0 && torn_take(&sink->torn, sink->fd))
		sink->buffer[sink->len++] = '\n';
	return (sink->buffer + sink->len);
}

void
log_sink_commit(struct log_sink *sink, size_t len)
{
	DIAG(len <= sink->line_max && len > 0);
	sink->len += len;
}

/* ---- a file, a pipe, a stream ---- */

/* How much to write at once: to a pipe no more than the kernel keeps whole. */
static size_t
piece(const struct log_sink *sink, const char *from, size_t len)
{
	const char *newline;

	if (!sink->is_stream || len <= PIPE_BUF)
		return (len);
	newline = memrchr(from, '\n', PIPE_BUF);
	if (newline == NULL)
		newline = memchr(from, '\n', len);
	return ((size_t)(newline - from) + 1);
}

/* How much of the buffer is done with. */
static size_t
write_lines(struct log_sink *sink)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < sink->len) {
		n = fd_write_now(sink->fd, sink->is_socket, sink->buffer + done,
		    piece(sink, sink->buffer + done, sink->len - done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			break;
		done += (size_t)n;
	}
	if (done > 0)
		sink->is_within = sink->buffer[done - 1] != '\n';
	if (n == -1 && errno != EAGAIN) { /* nobody will ever read these */
		lose(sink, lines_behind(sink, done), errno);
		torn_note(&sink->torn, sink->fd, sink->is_within);
		sink->is_within = false;
		done = sink->len;
	}
	return (done);
}

/* ---- syslog ---- */

/* The daemon's end is another one since it was started again. */
static bool
reconnect(struct log_sink *sink)
{
	uint64_t now_ms = clock_ms();

	if (now_ms < sink->reconnect_ms)
		return (false);
	sink->reconnect_ms = now_ms + RECONNECT_MS;
	return (syslog_target_connect(sink->syslog, sink->fd) == 0);
}

/* 0, or an error number; EAGAIN: later. */
static int
send_line(struct log_sink *sink, char *header, size_t header_len, char *line,
    size_t len)
{
	struct iovec parts[] = {{.iov_base = header, .iov_len = header_len},
	    {.iov_base = line, .iov_len = len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	bool again = true;

	while (sendmsg(sink->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
		if (errno == EINTR)
			continue;
		if (errno == ENOBUFS)
			return (EAGAIN);
		if (errno == EAGAIN || errno == EMSGSIZE || !again ||
		    !reconnect(sink))
			return (errno);
		again = false;
	}
	return (0);
}

static size_t
send_lines(struct log_sink *sink)
{
	char header[SYSLOG_HEADER_SIZE], *from, *newline;
	size_t header_len, done = 0;
	int error;

	header_len =
	    syslog_target_header(sink->syslog, SYSLOG_INFO, time(NULL), header);
	while (done < sink->len) {
		from = sink->buffer + done;
		newline = memchr(from, '\n', sink->len - done);
		error = send_line(
		    sink, header, header_len, from, (size_t)(newline - from));
		if (error == EAGAIN)
			break;
		if (error != 0)
			lose(sink, 1, error);
		done += (size_t)(newline - from) + 1;
	}
	return (done);
}

/* ---- either ---- */

static size_t
write_out(struct log_sink *sink)
{
	size_t done = 0;

	if (sink->len > 0)
		done =
		    sink->syslog != NULL ? send_lines(sink) : write_lines(sink);
	memmove(sink->buffer, sink->buffer + done, sink->len - done);
	sink->len -= done;
	return (done);
}

/* What ends in a moment would be told by half, so its end is told too, though not
 * for each of many that come one after the other. */
bool
log_sink_flush(struct log_sink *sink)
{
	unsigned long lost = sink->lost;
	size_t done = write_out(sink);

	if (sink->lost > 0)
		tell_sometimes(sink, &sink->told_ms);
	if (sink->lost > 0 && sink->lost == lost && done > 0 && sink->len == 0)
		tell_sometimes(sink, &sink->told_end_ms);
	return (sink->len == 0);
}

void
log_sink_close(struct log_sink **sinkp)
{
	struct log_sink *sink = *sinkp;

	*sinkp = NULL;
	if (sink == NULL)
		return;
	write_out(sink);
	if (sink->len > 0)
		lose(sink, lines_behind(sink, 0), EAGAIN);
	tell_lost(sink);
	free(sink->buffer);
	free(sink);
}
