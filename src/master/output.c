/* output - see output.h. */
#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "check.h"
#include "fd.h"

#define OUTPUT_MAGIC 0x6f757470u

/* One pipe. */
struct output {
	unsigned magic;
	LIST_ENTRY(output) link;
	struct outputs *all;
	int fd;
	struct event *readable;
	pid_t pid;
	enum log_level level;
	char prefix[64];
	char line[OUTPUT_LINE_MAX]; /* the part of a line that is here */
	size_t used;
};

struct outputs {
	struct event_base *base; /* not owned */
	LIST_HEAD(, output) list;
};

static void output_on_readable(evutil_socket_t, short, void *);

struct outputs *
outputs_new(struct event_base *base)
{
	struct outputs *all = calloc(1, sizeof(*all));

	if (all == NULL)
		fatal("outputs");
	all->base = base;
	LIST_INIT(&all->list);
	return (all);
}

static void
output_free(struct output *out)
{
	ASSERT(out->magic == OUTPUT_MAGIC);
	LIST_REMOVE(out, link);
	if (out->readable != NULL)
		event_free(out->readable);
	fd_close(&out->fd);
	explicit_bzero(&out->magic, sizeof(out->magic));
	free(out);
}

int
outputs_add(struct outputs *all, int fd, pid_t pid, const char *name,
    enum log_level level)
{
	struct output *out = calloc(1, sizeof(*out));

	if (out == NULL) {
		log_error("%s cannot be read", name);
		fd_close(&fd);
		return (-1);
	}
	out->magic = OUTPUT_MAGIC;
	out->all = all;
	out->fd = fd;
	out->pid = pid;
	out->level = level;
	snprintf(out->prefix, sizeof(out->prefix), "%s: ", name);
	LIST_INSERT_HEAD(&all->list, out, link);

	out->readable = event_new(
	    all->base, fd, EV_READ | EV_PERSIST, output_on_readable, out);
	if (fd_set_nonblock(fd) == -1 || out->readable == NULL ||
	    event_add(out->readable, NULL) == -1) {
		log_error("%s cannot be read", name);
		output_free(out);
		return (-1);
	}
	return (0);
}

/* Logs all that is held, whether the line is complete or not. */
static void
output_flush(struct output *out)
{
	log_text(out->level, out->prefix, out->line, out->used);
	out->used = 0;
}

/* Logs the complete lines and keeps the rest; a full buffer is a line. */
static void
output_log_lines(struct output *out)
{
	const char *newline = memrchr(out->line, '\n', out->used);
	size_t done;

	if (newline == NULL) {
		if (out->used == sizeof(out->line))
			output_flush(out);
		return;
	}
	done = (size_t)(newline - out->line) + 1;
	log_text(out->level, out->prefix, out->line, done);
	out->used -= done;
	memmove(out->line, out->line + done, out->used);
}

/* One read.  Bytes got; 0 at the end of the pipe; -1: none now. */
static ssize_t
output_read(struct output *out)
{
	ssize_t n;

	ASSERT(out->used < sizeof(out->line));
	do {
		n = read(out->fd, out->line + out->used,
		    sizeof(out->line) - out->used);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return (errno == EAGAIN ? -1 : 0);
	out->used += (size_t)n;
	output_log_lines(out);
	return (n);
}

static void
output_end(struct output *out)
{
	output_flush(out);
	output_free(out);
}

/* libevent: one read a turn, so that a chatty child does not hold the loop. */
static void
output_on_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct output *out = arg;

	ASSERT(out->magic == OUTPUT_MAGIC);
	if (output_read(out) == 0)
		output_end(out);
}

/*
 * Reads what lies in the pipe at this moment and no more: whoever holds its
 * other end may write faster than we read.  The last line is logged as it is.
 */
static void
output_drain(struct output *out)
{
	int left = 0;
	ssize_t n;

	if (ioctl(out->fd, FIONREAD, &left) == -1)
		left = 0;
	while (left > 0) {
		if ((n = output_read(out)) <= 0)
			break;
		left -= (int)n;
	}
	output_flush(out);
}

void
outputs_drain(struct outputs *all, pid_t pid)
{
	struct output *out;

	LIST_FOREACH(out, &all->list, link)
	if (out->pid == pid)
		output_drain(out);
}

void
outputs_free(struct outputs **allp)
{
	struct outputs *all = *allp;
	struct output *out;

	*allp = NULL;
	if (all == NULL)
		return;
	while ((out = LIST_FIRST(&all->list)) != NULL) {
		output_drain(out);
		output_free(out);
	}
	free(all);
}
