/* access_log - see access_log.h. */
#include "access_log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "fd.h"
#include "log.h"
#include "macros.h"

/* Bytes of one quoted item before it is cut, and of a line at most: three
 * items, each byte of which may take four. */
#define ITEM_MAX       2048
#define LINE_MAX_BYTES (3 * 4 * ITEM_MAX + 256)

/* A log that cannot be written is told of once in so long. */
#define TELL_FAILURE_MS 10000

struct access_log {
	int fd;
	enum access_log_format format;
	bool is_socket;
	bool is_stream; /* shared with other workers: whole lines per write */
	char *buffer;   /* lines that wait */
	size_t len, size;
	unsigned long lost; /* lines, not told yet */
	int why;            /* errno: EAGAIN, or what the last one failed of */
	uint64_t told_ms;   /* when such a failure was told; 0: never */
	time_t second;      /* for which date was made */
	char date[80];      /* "22/Nov/2026:14:03:07 +0000" */
};

struct access_log *
access_log_open(int fd, enum access_log_format format, size_t buffer_size)
{
	struct access_log *log = calloc(1, sizeof(*log));
	struct stat st;

	if (log == NULL)
		return (NULL);
	log->fd = fd;
	log->format = format;
	log->size =
	    buffer_size > 2 * LINE_MAX_BYTES ? buffer_size : 2 * LINE_MAX_BYTES;
	log->buffer = malloc(log->size);
	log->is_socket = fd_is_socket(fd);
	log->is_stream =
	    log->is_socket || (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode));
	if (log->buffer == NULL) {
		free(log);
		return (NULL);
	}
	return (log);
}

void
access_log_close(struct access_log **logp)
{
	struct access_log *log = *logp;

	*logp = NULL;
	if (log == NULL)
		return;
	log->told_ms = 0;
	access_log_flush(log);
	free(log->buffer);
	free(log);
}

/* ---- one line ---- */

struct line {
	char *at, *end;
};

static void
add(struct line *line, const char *text, size_t len)
{
	ASSERT((size_t)(line->end - line->at) >= len);
	memcpy(line->at, text, len);
	line->at += len;
}

static void
add_string(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

/* In quotes; what could end them, forge a line or drive a terminal as \xHH. */
static void
add_quoted(struct line *line, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	add(line, "\"", 1);
	for (i = 0; i < len && i < ITEM_MAX; i++) {
		unsigned char c = (unsigned char)text[i];
		char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			add(line, &text[i], 1);
		else
			add(line, escaped, sizeof(escaped));
	}
	add(line, "\"", 1);
}

static void
add_field(struct line *line, const struct request *req, const char *name)
{
	const struct http_field *field = NULL;

	if (req->head_len > 0)
		field = http_head_find(&req->head, req->text, name);
	add(line, " ", 1);
	if (field == NULL)
		add_quoted(line, "-", 1);
	else
		add_quoted(
		    line, req->text + field->value.offset, field->value.len);
}

/* Local time; no strftime, whose month would follow the locale. */
static const char *
date_of(struct access_log *log, time_t now)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;
	long offset;

	if (now == log->second)
		return (log->date);
	log->second = now;
	localtime_r(&now, &tm);
	offset = tm.tm_gmtoff / 60;
	snprintf(log->date, sizeof(log->date),
	    "%02d/%s/%04d:%02d:%02d:%02d %c%02ld%02ld", tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, offset < 0 ? '-' : '+', labs(offset) / 60,
	    labs(offset) % 60);
	return (log->date);
}

/* What of the body has left: a reply that was cut shows it. */
static uint64_t
body_sent(const struct reply *reply)
{
	uint64_t head = reply->head_len;

	if (reply->outbox.sent <= head)
		return (0);
	return (reply->outbox.sent - head < reply->body_len
		    ? reply->outbox.sent - head
		    : reply->body_len);
}

static void
add_line(struct access_log *log, struct line *line, const struct request *req)
{
	char text[96], address[INET6_ADDRSTRLEN];
	const struct reply *reply = &req->reply;
	struct http_text request;

	peer_format(&req->peer, address);
	add_string(line, address[0] != '\0' ? address : "-");
	add_string(line, " - - [");
	add_string(line, date_of(log, time(NULL)));
	add_string(line, "] ");
	request = request_line_text(req);
	add_quoted(line, req->text + request.offset, request.len);
	snprintf(text, sizeof(text), " %d %llu",
	    reply->begun ? reply->head.status : ACCESS_LOG_CLIENT_LEFT,
	    (unsigned long long)body_sent(reply));
	add_string(line, text);
	if (log->format == ACCESS_LOG_COMBINED) {
		add_field(line, req, "referer");
		add_field(line, req, "user-agent");
	}
	add(line, "\n", 1);
}

static void
lose(struct access_log *log, unsigned long lines, int why)
{
	log->lost += lines;
	log->why = why;
}

void
access_log_add(struct access_log *log, const struct request *req)
{
	struct line line;

	if (log->size - log->len < LINE_MAX_BYTES)
		access_log_flush(log);
	if (log->size - log->len < LINE_MAX_BYTES) {
		lose(log, 1, EAGAIN);
		return;
	}
	line.at = log->buffer + log->len;
	line.end = log->buffer + log->size;
	add_line(log, &line, req);
	log->len = (size_t)(line.at - log->buffer);
}

/* ---- writing ---- */

/* How much to write at once: to a pipe no more than the kernel keeps whole. */
static size_t
piece(const struct access_log *log, const char *from, size_t len)
{
	const char *newline;

	if (!log->is_stream || len <= PIPE_BUF)
		return (len);
	newline = memrchr(from, '\n', PIPE_BUF);
	if (newline == NULL)
		newline = memchr(from, '\n', len);
	return ((size_t)(newline - from) + 1);
}

static bool
is_told_lately(const struct access_log *log)
{
	return (
	    log->told_ms != 0 && clock_ms() - log->told_ms < TELL_FAILURE_MS);
}

static void
tell_lost(struct access_log *log)
{
	if (log->lost == 0)
		return;
	if (log->why == EAGAIN) {
		log_warnx("access log: %lu lines lost, its reader was too slow",
		    log->lost);
	} else if (!is_told_lately(log)) {
		errno = log->why;
		log_warn("access log: %lu lines lost", log->lost);
		log->told_ms = clock_ms();
	} else {
		return; /* later, with those that follow */
	}
	log->lost = 0;
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

bool
access_log_flush(struct access_log *log)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < log->len) {
		n = fd_write_now(log->fd, log->is_socket, log->buffer + done,
		    piece(log, log->buffer + done, log->len - done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			break;
		done += (size_t)n;
	}
	if (n == -1 && errno != EAGAIN) { /* nobody will ever read these */
		lose(log, count_lines(log->buffer + done, log->len - done),
		    errno);
		done = log->len;
	}
	memmove(log->buffer, log->buffer + done, log->len - done);
	log->len -= done;
	if (log->len == 0)
		tell_lost(log);
	return (log->len == 0);
}
