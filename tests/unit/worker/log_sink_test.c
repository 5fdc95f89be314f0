/* log_sink: what is lost is told when it begins, while it lasts and when it is over,
 * and no line is glued to half of another. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "file_limit.h"
#include "log.h"
#include "log_sink.h"
#include "matches.h"

#define LINE_MAX_BYTES 100

static int told; /* the reading end of what is the error log */
static struct log_sink *sink;
static char text[1 << 20];

/* Seconds by which the time is later than it is; the program's own come by here. */
static time_t later;

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ts);

	if (result == 0 && clock == CLOCK_MONOTONIC)
		ts->tv_sec += later;
	return (result);
}

static void
set_up(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	told = fds[0];
	log_init("test", fds[1]);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

TestSuite(log_sink, .init = set_up, .timeout = 20);

/* What was told since it was asked for the last time, from the message on. */
static const char *
take_told(void)
{
	static char got[65536];
	ssize_t n = read(told, got, sizeof(got) - 1);
	char *from;

	got[n > 0 ? n : 0] = '\0';
	from = strstr(got, "]: ");
	return (from != NULL ? from + 3 : got);
}

static void
open_on(int fd)
{
	sink = log_sink_open(fd, 0, LINE_MAX_BYTES, NULL);
	cr_assert_not_null(sink);
}

/* False if it is lost at once. */
static bool
put(struct log_sink *to, const char *line)
{
	char *room = log_sink_room(to);

	if (room == NULL)
		return (false);
	log_sink_commit(to, (size_t)sprintf(room, "%s\n", line));
	return (true);
}

/* A pipe whose reader has stopped, until a line is lost. */
static int
stall(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	open_on(fds[1]);
	while (put(sink, "a line that nobody reads"))
		;
	return (fds[0]);
}

static void
read_all(int fd)
{
	while (read(fd, text, sizeof(text)) > 0)
		;
}

/* ---- when it is told ---- */

Test(log_sink, loss_is_told_while_the_reader_is_still_stalled)
{
	int i;

	stall();
	cr_expect_not(log_sink_flush(sink));
	cr_expect_str_eq(
	    take_told(), "access log: 1 lines lost, its reader was too slow\n");
	for (i = 0; i < 50; i++)
		cr_expect_not(put(sink, "one more"));
	cr_expect_not(log_sink_flush(sink));
	cr_expect_str_empty(take_told(), "not for each of them");
	later += 11;
	cr_expect_not(log_sink_flush(sink));
	cr_expect_str_eq(take_told(),
	    "access log: 50 lines lost, its reader was too slow\n");
	log_sink_close(&sink);
}

Test(log_sink, rest_is_told_when_it_is_over)
{
	int reader = stall();

	cr_expect_not(log_sink_flush(sink));
	take_told();
	cr_expect_not(put(sink, "one"));
	cr_expect_not(put(sink, "two"));
	cr_expect_not(log_sink_flush(sink));
	cr_expect_str_empty(take_told());
	read_all(reader);
	cr_expect(log_sink_flush(sink));
	cr_expect_str_eq(
	    take_told(), "access log: 2 lines lost, its reader was too slow\n");
	log_sink_close(&sink);
}

/* A reader that stops again and again fills nobody's error log. */
Test(log_sink, many_ends_are_told_together)
{
	int reader = stall(), i;

	for (i = 0; i < 20; i++) {
		while (put(sink, "a line that nobody reads"))
			;
		log_sink_flush(sink);
		read_all(reader);
		cr_expect(log_sink_flush(sink));
	}
	cr_expect(matches(take_told(), "^[^\n]*\n[^\n]*\n$"), "two lines");
	later += 11;
	cr_expect(log_sink_flush(sink), "nothing new is written");
	cr_expect(matches(take_told(), "^access log: 1[0-9] lines lost,"));
	cr_expect(log_sink_flush(sink));
	cr_expect_str_empty(take_told());
	log_sink_close(&sink);
}

Test(log_sink, reasons_are_counted_apart)
{
	int reader = stall(), i;

	cr_expect_not(log_sink_flush(sink));
	take_told();
	for (i = 0; i < 349; i++)
		cr_expect_not(put(sink, "too slow"));
	close(reader);
	put(sink, "to nobody");
	log_sink_close(&sink);
	cr_expect(matches(take_told(),
	    "^access log: 349 lines lost, its reader was too slow\n"
	    "[^\n]*access log: [0-9]+ lines lost: Broken pipe\n$"));
}

Test(log_sink, what_is_left_at_the_end_was_not_read_in_time)
{
	int fds[2], i;

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], text, 4096) != -1)
		;
	open_on(fds[1]);
	for (i = 0; i < 3; i++)
		cr_expect(put(sink, "x"));
	log_sink_close(&sink);
	cr_expect_str_eq(
	    take_told(), "access log: 3 lines lost, its reader was too slow\n");
}

/* ---- a line that is cut ---- */

static char path[32];

static int
make_file(void)
{
	int fd;

	strcpy(path, "/tmp/log_sink_test.XXXXXX");
	cr_assert_neq(mkstemp(path), -1);
	fd = open(path, O_WRONLY | O_APPEND);
	cr_assert_neq(fd, -1);
	return (fd);
}

static const char *
content(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return (text);
}

Test(log_sink, nothing_is_glued_to_a_line_that_a_full_disk_has_cut)
{
	open_on(make_file());
	file_limit(14);
	put(sink, "the first");
	put(sink, "the second");
	put(sink, "the third");
	cr_expect(log_sink_flush(sink), "nothing is kept for ever");
	cr_expect_str_eq(content(), "the first\nthe ");
	put(sink, "the fourth");
	cr_expect(log_sink_flush(sink));
	file_limit(RLIM_INFINITY);
	put(sink, "the fifth");
	put(sink, "the sixth");
	log_sink_close(&sink);
	cr_expect_str_eq(content(), "the first\nthe \nthe fifth\nthe sixth\n");
	cr_expect(matches(take_told(),
	    "^access log: 2 lines lost: File too large\n"
	    "[^\n]*access log: 1 lines lost: File too large\n$"));
	unlink(path);
}

/* Its end came later, so it is whole. */
Test(log_sink, line_that_lacks_but_its_end_is_not_lost)
{
	open_on(make_file());
	file_limit(9);
	put(sink, "the first");
	cr_expect(log_sink_flush(sink));
	file_limit(RLIM_INFINITY);
	put(sink, "the second");
	log_sink_close(&sink);
	cr_expect_str_eq(content(), "the first\nthe second\n");
	cr_expect_str_empty(take_told());
	unlink(path);
}

/* Workers append to one file, and one of them has cut its line. */
Test(log_sink, nothing_of_another_worker_is_glued_to_it)
{
	struct log_sink *other;

	open_on(make_file());
	other = log_sink_open(
	    open(path, O_WRONLY | O_APPEND), 0, LINE_MAX_BYTES, NULL);
	file_limit(4);
	put(sink, "the first");
	put(other, "the second");
	cr_expect(log_sink_flush(sink));
	cr_expect(log_sink_flush(other));
	file_limit(RLIM_INFINITY);
	put(other, "the third");
	cr_expect(log_sink_flush(other));
	put(sink, "the fourth");
	cr_expect(log_sink_flush(sink));
	cr_expect_str_eq(content(), "the \nthe third\nthe fourth\n");
	log_sink_close(&sink);
	log_sink_close(&other);
	unlink(path);
}

/* A socket that is full within a line: that goes on where it was. */
Test(log_sink, line_that_a_slow_reader_takes_in_pieces_is_not_cut)
{
	static char want[1 << 20], got[1 << 20];
	size_t size = 0, len = 0;
	int fds[2], i, small = 1;
	ssize_t n;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	open_on(fds[1]);
	for (i = 0; i < 2000; i++) {
		if (put(sink, "a line, and another"))
			len += (size_t)sprintf(
			    want + len, "a line, and another\n");
		else {
			n = recv(fds[0], got + size, 777, MSG_DONTWAIT);
			size += n > 0 ? (size_t)n : 0;
		}
	}
	while (!log_sink_flush(sink) || size < len) {
		n = recv(fds[0], got + size, 777, MSG_DONTWAIT);
		size += n > 0 ? (size_t)n : 0;
	}
	cr_expect_eq(size, len);
	cr_expect_str_eq(got, want);
	log_sink_close(&sink);
}
