#include "output.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <event2/event.h>

#include "log_capture.h"
#include "macros.h"

#define PID 4412

static struct event_base *base;
static struct outputs *all;
static int log_fd, theirs;

static void
set_up(void)
{
	int ends[2];

	log_fd = log_capture();
	base = event_base_new();
	all = outputs_new(base);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	theirs = ends[1];
	cr_assert_eq(outputs_add(all, ends[0], PID, "worker 1[4412] stderr",
			 LOG_LEVEL_WARNING),
	    0);
}

static void
tear_down(void)
{
	outputs_free(&all);
	event_base_free(base);
}

static void
print(const char *text)
{
	cr_assert_eq(write(theirs, text, strlen(text)), (ssize_t)strlen(text));
}

/* Everything that is there to be read, and nothing more. */
static void
turn(void)
{
	int i;

	for (i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

TestSuite(output, .init = set_up, .fini = tear_down);

Test(output, logs_whole_lines_with_name_and_level)
{
	print("one\ntwo\n");
	turn();
	cr_expect(strstr(log_captured(log_fd), "[warning] test[") != NULL);
	cr_expect_eq(
	    log_captured_count(log_fd, ": worker 1[4412] stderr: one\n"), 1);
	cr_expect_eq(
	    log_captured_count(log_fd, ": worker 1[4412] stderr: two\n"), 1);
}

Test(output, waits_for_the_end_of_a_line)
{
	print("half");
	turn();
	cr_expect_str_empty(log_captured(log_fd));
	print(" and half\nmore");
	turn();
	cr_expect_eq(log_captured_count(log_fd, "stderr: half and half\n"), 1);
	cr_expect_eq(log_captured_count(log_fd, "more"), 0);
}

Test(output, logs_the_unfinished_line_at_the_end)
{
	print("last words");
	close(theirs);
	turn();
	cr_expect_eq(log_captured_count(log_fd, "stderr: last words\n"), 1);
}

Test(output, logs_what_a_dead_process_left_while_another_holds_the_pipe)
{
	print("whole\nlast words");
	outputs_drain(all, PID);
	cr_expect_eq(log_captured_count(log_fd, "stderr: whole\n"), 1);
	cr_expect_eq(log_captured_count(log_fd, "stderr: last words\n"), 1);
	print("grandchild\n");
	turn();
	cr_expect_eq(log_captured_count(log_fd, "stderr: grandchild\n"), 1);
}

Test(output, leaves_the_pipes_of_others_alone)
{
	print("not mine");
	outputs_drain(all, PID + 1);
	cr_expect_str_empty(log_captured(log_fd));
}

Test(output, logs_the_rest_when_it_is_freed)
{
	print("rest");
	outputs_free(&all);
	cr_expect_eq(log_captured_count(log_fd, "stderr: rest\n"), 1);
	signal(SIGPIPE, SIG_IGN);
	cr_expect_eq(write(theirs, "x", 1), -1, "the pipe is closed");
}

Test(output, splits_a_line_without_end)
{
	char text[2 * OUTPUT_LINE_MAX + 1];
	const char *log, *p;
	size_t letters = 0;

	memset(text, 'X', sizeof(text));
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	print(text);
	turn();
	log = log_captured(log_fd);
	for (p = strchr(log, 'X'); p != NULL && *p != '\0'; p++)
		letters += *p == 'X';
	cr_expect_eq(letters, sizeof(text) - 2, "no byte is lost");
	cr_expect_eq(log_captured_count(log_fd, "stderr: XXX"), 2);
	cr_expect_eq(log_captured_count(log_fd, "\n"), 2);
}
