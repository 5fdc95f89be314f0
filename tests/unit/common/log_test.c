/* log - one line, one write; nothing forged, nothing that blocks. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "file_limit.h"
#include "log.h"
#include "macros.h"
#include "matches.h"

static int reader, writer; /* of the pipe that is the log */
static char got[1 << 17];

static void
setup(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	reader = fds[0];
	writer = fds[1];
	log_init("test", writer);
}

/* All that is in the pipe now, in got. */
static const char *
take(void)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(reader, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	cr_assert(n == 0 || errno == EAGAIN);
	got[len] = '\0';
	return (got);
}

/* What stands behind "process[pid] thread: " in the first line. */
static const char *
take_text(void)
{
	const char *text = strstr(take(), "]: ");

	cr_assert_not_null(text, "%s", got);
	return (text + 3);
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return (n);
}

Test(log, writes_time_level_process_and_text, .init = setup)
{
	int year, month, day, hour, minute, second, ms, zone, end = 0;
	char level[16], process[16];
	long pid;

	log_warnx("%s %d", "text", 5);
	cr_expect_eq(sscanf(take(),
			 "%4d-%2d-%2d %2d:%2d:%2d.%3d %5d [%15[a-z]] "
			 "%15[a-z][%ld]: text 5%n",
			 &year, &month, &day, &hour, &minute, &second, &ms,
			 &zone, level, process, &pid, &end),
	    11, "%s", got);
	cr_expect_str_eq(level, "warning");
	cr_expect_str_eq(process, "test");
	cr_expect_eq(pid, getpid());
	cr_expect_str_eq(got + end, "\n");
}

static void *
log_from_thread(void *arg)
{
	log_set_thread("thread 3");
	log_info("from it");
	return (arg);
}

Test(log, names_the_thread_that_has_a_name, .init = setup)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, log_from_thread, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_not_null(strstr(take(), "] thread 3: from it\n"), "%s", got);
	log_info("from here");
	cr_expect_not_null(strstr(take(), "]: from here\n"), "%s", got);
}

Test(log, escapes_what_could_forge_a_line_or_drive_a_terminal, .init = setup)
{
	/* clang-format off */
	static const struct { const char *why, *in, *want; } cases[] = {
		{ "plain",	"a b~",		"a b~\n" },
		{ "newline",	"a\nb",		"a\\x0ab\n" },
		{ "CR",		"a\rb",		"a\\x0db\n" },
		{ "escape",	"\033[2J",	"\\x1b[2J\n" },
		{ "delete",	"\x7f",		"\\x7f\n" },
		{ "tab stays",	"a\tb",		"a\tb\n" },
		{ "UTF-8 stays", "\xc3\xa4",	"\xc3\xa4\n" },
		{ "empty",	"",		"\n" },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		log_info("%s", cases[i].in);
		cr_expect_str_eq(
		    take_text(), cases[i].want, "%s: %s", cases[i].why, got);
	}
}

Test(log, appends_the_reason_and_keeps_errno, .init = setup)
{
	errno = ENOENT;
	log_error("open %s", "x");
	cr_expect_eq(errno, ENOENT);
	cr_expect_str_eq(take_text(), "open x: No such file or directory\n");
	errno = EPERM;
	log_errorx("without");
	cr_expect_eq(errno, EPERM);
	cr_expect_str_eq(take_text(), "without\n");
	errno = 99999;
	log_warn("odd");
	cr_expect_str_eq(take_text(), "odd: unknown error\n");
}

Test(log, writes_from_its_level_upwards, .init = setup)
{
	int level, at;

	for (level = 0; level < LOG_LEVEL_COUNT; level++) {
		log_set_level((enum log_level)level);
		for (at = 0; at < LOG_LEVEL_COUNT; at++) {
			log_at((enum log_level)at, "x");
			log_text((enum log_level)at, NULL, "y", 1);
			cr_expect_eq(*take() != '\0', at >= level,
			    "%s at level %s",
			    log_level_name((enum log_level)at),
			    log_level_name((enum log_level)level));
			cr_expect_eq(
			    log_is_on((enum log_level)at), at >= level);
		}
	}
}

Test(log, knows_its_levels_by_name)
{
	int level;

	for (level = 0; level < LOG_LEVEL_COUNT; level++)
		cr_expect_eq(
		    log_level_parse(log_level_name((enum log_level)level)),
		    level);
	cr_expect_eq(log_level_parse("Info"), -1);
	cr_expect_eq(log_level_parse(""), -1);
}

Test(log, writes_text_line_by_line_with_its_prefix, .init = setup)
{
	static const char text[] = "one\ntwo\n\n\tfour\0x\nno end";

	log_text(LOG_LEVEL_ERROR, "child 5: ", text, sizeof(text) - 1);
	take();
	cr_expect_eq(count(got, "\n"), 5, "%s", got);
	cr_expect_eq(count(got, "[error] test["), 5, "%s", got);
	cr_expect_not_null(strstr(got, "]: child 5: one\n"));
	cr_expect_not_null(strstr(got, "]: child 5: two\n"));
	cr_expect_not_null(strstr(got, "]: child 5: \n"));
	cr_expect_not_null(strstr(got, "]: child 5: \tfour\\x00x\n"));
	cr_expect_not_null(strstr(got, "]: child 5: no end\n"));
	log_text(LOG_LEVEL_ERROR, NULL, text, 0);
	cr_expect_str_empty(take());
}

/* One write of at most PIPE_BUF: lines of many processes do not mix. */
Test(log, ends_a_long_line_whole, .init = setup)
{
	static char text[10000];

	memset(text, '\n', sizeof(text) - 1); /* each to be escaped */
	log_info("%s", text);
	take();
	cr_expect_leq(strlen(got), 4096);
	cr_expect_geq(strlen(got), 4000);
	cr_expect_eq(count(got, "\n"), 1);
	cr_expect_eq(got[strlen(got) - 1], '\n');
	memset(text, 'a', sizeof(text) - 1);
	log_info("%s", text);
	take();
	cr_expect_leq(strlen(got), 4096);
	cr_expect_eq(count(got, "\n"), 1);
	log_info("next");
	cr_expect_str_eq(take_text(), "next\n");
}

/* A reader that takes nothing: no byte more goes in. */
static void
fill(void)
{
	static const char zeros[65536];

	while (write(writer, zeros, sizeof(zeros)) != -1)
		;
	while (write(writer, zeros, 1) != -1)
		;
	cr_assert_eq(errno, EAGAIN);
}

Test(log, drops_and_counts_what_a_stalled_reader_does_not_take, .init = setup)
{
	fill();
	log_info("dropped 1");
	log_text(LOG_LEVEL_INFO, NULL, "dropped 2\ndropped 3\n", 20);
	while (read(reader, got, sizeof(got)) > 0)
		;
	log_info("through");
	take();
	cr_expect_null(strstr(got, "dropped"), "%s", got);
	cr_expect_not_null(strstr(got, "]: through\n"), "%s", got);
	cr_expect_not_null(strstr(got, "(3 log lines lost"), "%s", got);
	cr_expect_eq(count(got, "\n"), 2);

	log_info("again");
	cr_expect_null(strstr(take(), "lost"), "told twice");
}

/* The note may find the pipe full again: its number must not be lost too. */
Test(log, adds_up_what_is_dropped_until_it_can_be_told, .init = setup)
{
	int round;

	for (round = 0; round < 2; round++) {
		fill();
		log_info("dropped");
		log_info("dropped");
	}
	while (read(reader, got, sizeof(got)) > 0)
		;
	log_info("through");
	cr_expect_not_null(strstr(take(), "(4 log lines lost"), "%s", got);
}

/* Standard error of a service is often a socket, which is blocking and shared. */
Test(log, never_waits_for_the_reader_of_a_socket, .timeout = 10)
{
	int fds[2], flags, i;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	reader = fds[0];
	cr_assert_eq(fd_set_nonblock(reader), 0);
	log_init("test", fds[1]);
	for (i = 0; i < 10000; i++)
		log_info("line %d", i);
	flags = fcntl(fds[1], F_GETFL);
	cr_expect(!(flags & O_NONBLOCK), "its other users see no O_NONBLOCK");
	while (read(reader, got, sizeof(got)) > 0)
		;
	log_info("through");
	cr_expect_not_null(strstr(take(), "]: through\n"), "%s", got);
	cr_expect_not_null(strstr(got, " log lines lost"), "%s", got);
	close(reader);
	log_info("to nobody, and no SIGPIPE");
}

Test(log, counts_what_a_file_has_no_room_for, .init = setup)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_neq(full, -1);
	log_init("test", full);
	log_info("dropped");
	log_info("dropped");
	log_init("test", writer);
	log_info("through");
	cr_expect_not_null(
	    strstr(take(), "(2 log lines lost: No space left on device)\n"),
	    "%s", got);
}

Test(log, glues_nothing_to_a_line_that_a_full_disk_has_cut)
{
	static const char want[] =
	    "^[^\n]*: whole\n2[^\n]{10}\n2[^\n]*: through\n"
	    "[(]2 log lines lost: File too large[)]\n2[^\n]*: again\n$";
	char path[] = "/tmp/log_test.XXXXXX";
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	writer = mkstemp(path);
	cr_assert_neq(writer, -1);
	unlink(path);
	log_init("test", writer);
	log_info("whole");
	cr_assert_eq(fstat(writer, &st), 0);
	file_limit((rlim_t)st.st_size + 11);
	log_info("cut");
	log_info("dropped");
	file_limit(RLIM_INFINITY);
	log_info("through");
	log_info("again");
	got[pread(writer, got, sizeof(got) - 1, 0)] = '\0';
	cr_expect(matches(got, want), "%s", got);
}

Test(log, keeps_errno_when_it_drops_a_line, .init = setup)
{
	fill();
	errno = ENOENT;
	log_info("x");
	cr_expect_eq(errno, ENOENT);
	log_text(LOG_LEVEL_INFO, NULL, "x", 1);
	cr_expect_eq(errno, ENOENT);
}

/* The terminal's or pipe's other users see no O_NONBLOCK. */
Test(log, opens_a_pipe_by_an_open_file_of_its_own)
{
	int fds[2], fd;

	cr_assert_eq(pipe(fds), 0);
	fd = log_fd_open("-", fds[1]);
	cr_assert_neq(fd, -1);
	cr_expect_neq(fd, fds[1]);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_expect_eq(read(fds[0], got, sizeof(got)), 1);
}

Test(log, makes_a_file_and_appends_to_it)
{
	char path[64];
	struct stat st;
	int fd, round;

	snprintf(
	    path, sizeof(path), "/tmp/cgthread-log-test.%ld", (long)getpid());
	unlink(path);
	for (round = 1; round <= 2; round++) {
		fd = log_fd_open(path, STDERR_FILENO);
		cr_assert_neq(fd, -1);
		cr_assert_eq(write(fd, "abc", 3), 3);
		cr_assert_eq(fstat(fd, &st), 0);
		cr_expect_eq(st.st_size, 3 * round);
		close(fd);
	}
	unlink(path);
	errno = 0;
	cr_expect_eq(log_fd_open("/nowhere/log", STDERR_FILENO), -1);
	cr_expect_eq(errno, ENOENT);
}

Test(log, leaves_with_exit_code_1_when_fatal, .init = setup, .exit_code = 1)
{
	fatalx("the end");
}
