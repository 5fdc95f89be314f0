/* reply: one side writes, the other sends; who answers is settled once. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "macros.h"
#include "reply.h"

#define HIGH_WATERMARK 4096

static struct completion_list completions;
static struct reply reply;
static int sockets[2]; /* ours, the client's */

static const struct http_reply_context http11 = {
    .keep_alive = true, .server = ""};
static const struct http_reply_context http10 = {
    .is_http10 = true, .server = ""};

static void
set_up(void)
{
	cr_assert_eq(completion_list_open(&completions), 0);
	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	reply_init(&reply, &completions, HIGH_WATERMARK);
	reply.fd = sockets[0];
}

static void
tear_down(void)
{
	reply_fini(&reply);
	close(sockets[0]);
	close(sockets[1]);
	completion_list_close(&completions);
}

TestSuite(reply, .init = set_up, .fini = tear_down, .timeout = 60);

static void
begin(const struct http_reply_context *context, int64_t known_length)
{
	const char *why;

	cr_assert(reply_start(&reply));
	cr_assert_eq(http_reply_status(&reply.head, "200 OK", 6, &why), 0);
	cr_assert_eq(reply_begin(&reply, context, known_length), 0);
}

/* The loop's part of a turn: true once the thread is through. */
static bool
collect(void)
{
	struct completion *item = completion_take(&completions);

	cr_assert_eq(item, &reply.completion);
	cr_assert_null(item->next, "a reply stands in the list once");
	return ((reply_collect(&reply) & REPLY_DONE) != 0);
}

/* What the client has got behind the head. */
static const char *
body(void)
{
	static char text[65536];
	ssize_t n = read(sockets[1], text, sizeof(text) - 1);
	char *end;

	text[n > 0 ? n : 0] = '\0';
	end = strstr(text, "\r\n\r\n");
	return (end != NULL ? end + 4 : "(no head)");
}

Test(reply, known_length_comes_exact)
{
	size_t taken;

	begin(&http11, 5);
	cr_expect_eq(reply_body(&reply, "he", 2, &taken), 0);
	cr_expect_eq(reply_body(&reply, "llo", 3, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "hello");
	cr_expect_not(reply.failed);
	cr_expect(reply.head.keep_alive);
	cr_expect_eq(reply.outbox.sent, reply.head_len + 5);
	cr_expect_eq(atomic_load(&reply.outbox.pending), 0);
}

Test(reply, unknown_length_comes_in_chunks)
{
	size_t taken;

	begin(&http11, -1);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	cr_expect_eq(reply_body(&reply, "", 0, &taken), 0, "no empty chunk");
	cr_expect_eq(reply_body(&reply, "0123456789abcdef", 16, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(
	    body(), "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
}

Test(reply, http10_gets_no_chunks)
{
	size_t taken;

	begin(&http10, -1);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "hello");
	cr_expect_not(reply.head.keep_alive);
}

Test(reply, body_past_content_length_is_dropped)
{
	size_t taken;

	begin(&http11, 4);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	cr_expect_eq(taken, 4);
	cr_expect_eq(reply_body(&reply, "more", 4, &taken), 0);
	cr_expect_eq(taken, 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
	reply_send(&reply);
	cr_expect_str_eq(body(), "hell");
	cr_expect_not(reply.failed);
	cr_expect_not(reply.head.keep_alive);
}

Test(reply, body_short_of_content_length_has_failed)
{
	size_t taken;

	begin(&http11, 6);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(reply.failed);
	collect();
}

Test(reply, failed_chunked_reply_has_no_last_chunk)
{
	size_t taken;

	begin(&http11, -1);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	reply_finish(&reply, false);
	reply_end(&reply);
	collect();
	reply_send(&reply);
	cr_expect_str_eq(body(), "5\r\nhello\r\n");
	cr_expect(reply.failed);
}

Test(reply, head_request_gets_no_body)
{
	struct http_reply_context context = http11;
	size_t taken;

	context.is_head = true;
	begin(&context, 5);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	cr_expect_eq(taken, 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
	reply_send(&reply);
	cr_expect_str_eq(body(), "");
	cr_expect_not(reply.failed);
}

static int
temp_file(const char *text)
{
	char path[] = "/tmp/reply_test.XXXXXX";
	int fd = mkstemp(path);

	cr_assert_neq(fd, -1);
	unlink(path);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return (fd);
}

Test(reply, file_is_sent_from_its_offset_and_closed)
{
	int fd = temp_file("0123456789");

	begin(&http11, 4);
	cr_expect_eq(reply_file(&reply, fd, 3, 4), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "3456");
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
}

Test(reply, file_of_unknown_length_is_one_chunk)
{
	int fd = temp_file("0123456789");

	begin(&http11, -1);
	cr_expect_eq(reply_file(&reply, fd, 0, 10), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "a\r\n0123456789\r\n0\r\n\r\n");
}

Test(reply, file_that_became_shorter_fails)
{
	int fd = temp_file("0123456789");

	begin(&http11, 20);
	cr_expect_eq(reply_file(&reply, fd, 0, 20), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
	cr_expect_eq(reply_send(&reply), OUTBOX_FAILED);
	cr_expect_eq(errno, EIO);
}

Test(reply, file_is_closed_where_nothing_is_sent)
{
	int fd = temp_file("0123456789");

	begin(&http11, 0);
	cr_expect_eq(reply_file(&reply, fd, 0, 10), 0);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
}

Test(reply, flush_and_end_stand_in_the_list_once)
{
	size_t taken;

	begin(&http11, -1);
	reply_flush(&reply);
	reply_flush(&reply);
	cr_expect_eq(reply_body(&reply, "x", 1, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect(), "DONE is told with what was flushed before");
	cr_expect_null(completion_take(&completions));
}

Test(reply, collected_reply_can_be_flushed_again)
{
	size_t taken;

	begin(&http11, -1);
	reply_flush(&reply);
	cr_expect_not(collect());
	cr_expect_eq(reply_body(&reply, "x", 1, &taken), 0);
	reply_flush(&reply);
	cr_expect_not(collect());
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
}

/* ---- a thread that sends itself ---- */

static bool
loop_is_asleep(void)
{
	return (completion_is_asleep(&completions));
}

Test(reply, sleeping_loop_is_spared)
{
	size_t taken;

	cr_assert(completion_sleep(&completions));
	begin(&http11, 5);
	cr_expect_eq(reply_body(&reply, "hello", 5, &taken), 0);
	reply_flush(&reply);
	cr_expect_str_eq(body(), "hello");
	cr_expect(reply_is_known(&reply));
	reply_flush(&reply);
	cr_expect_null(completion_take(&completions));
	reply_finish(&reply, true);
	reply_flush(&reply);
	reply_end(&reply);
	cr_expect(loop_is_asleep());
	cr_expect(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_eq(reply.outbox.sent, reply.head_len + 5);
	cr_expect_str_eq(body(), "(no head)", "nothing twice");
}

Test(reply, pieces_are_gathered_by_the_loop)
{
	size_t taken;

	cr_assert(completion_sleep(&completions));
	begin(&http11, -1);
	cr_expect_eq(reply_body(&reply, "x", 1, &taken), 0);
	reply_flush(&reply);
	cr_expect_not(loop_is_asleep());
	cr_expect_eq(reply_body(&reply, "yy", 2, &taken), 0);
	reply_flush(&reply);
	cr_expect_not(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "1\r\nx\r\n2\r\nyy\r\n");
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
}

Test(reply, what_the_loop_was_given_is_not_overtaken)
{
	size_t taken;

	begin(&http10, -1);
	cr_expect_eq(reply_body(&reply, "one ", 4, &taken), 0);
	reply_flush(&reply);
	cr_assert_not(completion_sleep(&completions), "it was awake");
	cr_expect_not(collect());
	cr_assert(completion_sleep(&completions));
	cr_expect_eq(reply_body(&reply, "two", 3, &taken), 0);
	reply_finish(&reply, true);
	reply_flush(&reply);
	cr_expect_not(loop_is_asleep());
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_str_eq(body(), "one two");
}

Test(reply, rest_that_the_socket_does_not_take_is_the_loops)
{
	static char big[60000];
	ssize_t n, total = 0;
	char text[4096];
	int size = 4096;
	size_t taken;

	memset(big, 'x', sizeof(big));
	setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	cr_assert(completion_sleep(&completions));
	begin(&http11, sizeof(big));
	cr_expect_eq(reply_body(&reply, big, sizeof(big), &taken), 0);
	reply_flush(&reply);
	cr_expect_not(loop_is_asleep());
	reply_finish(&reply, true);
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_eq(reply.outbox.sent + atomic_load(&reply.outbox.pending),
	    reply.head_len + sizeof(big));
	do {
		cr_assert_neq(reply_send(&reply), OUTBOX_FAILED);
		while ((n = read(sockets[1], text, sizeof(text))) > 0)
			total += n;
	} while (!STAILQ_EMPTY(&reply.outbox.sending));
	cr_expect_eq(total, (ssize_t)(reply.head_len + sizeof(big)));
	cr_expect_eq(atomic_load(&reply.outbox.pending), 0);
}

static void
send_all_to_a_sleeping_loop(void)
{
	cr_assert(completion_sleep(&completions));
	begin(&http11, 0);
	reply_flush(&reply);
	cr_assert(loop_is_asleep());
	reply_finish(&reply, true);
	reply_end(&reply);
}

Test(reply, end_is_told_at_once_where_something_waits_for_it)
{
	reply_want_wake(&reply);
	send_all_to_a_sleeping_loop();
	cr_expect_not(loop_is_asleep());
	collect();
}

Test(reply, end_is_told_at_once_where_the_client_has_left)
{
	reply_set_gone(&reply, false);
	send_all_to_a_sleeping_loop();
	cr_expect_not(loop_is_asleep());
	collect();
}

Test(reply, client_that_left_before_the_start_is_not_served)
{
	reply_set_gone(&reply, true);
	cr_expect_not(reply_start(&reply));
	reply_finish(&reply, false);
	reply_end(&reply);
	cr_expect(collect());
	cr_expect_not(reply.begun);
}

Test(reply, client_that_left_after_the_start_is_answered_all_the_same)
{
	const char *why;
	size_t taken;

	cr_assert(reply_start(&reply));
	reply_set_gone(&reply, true); /* too late: a thread has it */
	cr_expect(reply_is_gone(&reply));
	cr_assert_eq(http_reply_status(&reply.head, "200 OK", 6, &why), 0);
	cr_assert_eq(reply_begin(&reply, &http11, 2), 0);
	cr_expect_eq(reply_body(&reply, "ok", 2, &taken), 0);
	reply_finish(&reply, true);
	reply_end(&reply);
	collect();
}

Test(reply, client_that_left_while_a_thread_is_free_is_served)
{
	reply_set_gone(&reply, false);
	cr_expect(reply_start(&reply));
	cr_expect(reply_is_gone(&reply));
	reply_end(&reply);
	collect();
}

Test(reply, nothing_is_added_behind_the_end)
{
	size_t taken;

	begin(&http11, -1);
	reply_finish(&reply, true);
	cr_expect_eq(reply_body(&reply, "x", 1, &taken), -1);
	cr_expect_eq(errno, ECANCELED);
	reply_end(&reply);
	collect();
	reply_send(&reply);
	cr_expect_str_eq(body(), "0\r\n\r\n");
}

Test(reply, aborted_reply_takes_nothing_more)
{
	size_t taken;

	begin(&http11, -1);
	reply_abort(&reply);
	cr_expect_eq(reply_body(&reply, "x", 1, &taken), -1);
	cr_expect_eq(errno, ECANCELED);
	cr_expect_eq(reply_wait(&reply), -1);
	cr_expect_eq(errno, ECANCELED);
	reply_finish(&reply, false);
	reply_end(&reply);
	while (completion_take(&completions) == NULL)
		;
	reply_collect(&reply);
	cr_expect(STAILQ_EMPTY(&reply.outbox.sending));
}

Test(reply, loop_that_answers_first_wins)
{
	const char *why;

	cr_assert(reply_start(&reply));
	atomic_fetch_or(&reply.word, REPLY_CLAIMED_BY_LOOP);
	cr_assert_eq(http_reply_status(&reply.head, "200 OK", 6, &why), 0);
	cr_expect_eq(reply_begin(&reply, &http11, 0), -1);
	cr_expect_eq(errno, ECANCELED);
	cr_expect_not(reply.begun);
}

Test(reply, own_answer_counts_its_body)
{
	cr_assert_eq(http_reply_error(&reply.head, &http11, 404, NULL), 0);
	reply_put_head(&reply);
	cr_expect_eq(reply_send(&reply), OUTBOX_SENT);
	cr_expect_eq(reply.body_len, strlen(body()));
	cr_expect_gt(reply.body_len, 0);
	cr_expect_eq(reply.outbox.sent, reply.head_len + reply.body_len);
}

#define STREAM_PIECE  1000
#define STREAM_PIECES 5000

/* An application faster than its client: never more than the watermark and one
 * piece waits, and every byte arrives. */
static void *
stream(void *arg UNUSED)
{
	char piece[STREAM_PIECE];
	size_t taken;
	int i;

	for (i = 0; i < STREAM_PIECES; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		if (reply_body(&reply, piece, sizeof(piece), &taken) == -1)
			abort();
		if (atomic_load(&reply.outbox.pending) >
		    HIGH_WATERMARK + STREAM_PIECE + 64)
			abort();
		if (reply_is_full(&reply) && reply_wait(&reply) == -1)
			abort();
	}
	reply_finish(&reply, true);
	reply_end(&reply);
	return (NULL);
}

/* Reads what is there; the pieces come in order and whole. */
static size_t
drain_stream(size_t at)
{
	static char text[8192];
	ssize_t n, i;

	while ((n = read(sockets[1], text, sizeof(text))) > 0)
		for (i = 0; i < n; i++, at++)
			cr_assert_eq(text[i],
			    'a' + (int)(at / STREAM_PIECE % 26), "byte %zu",
			    at);
	return (at);
}

Test(reply, slow_reader_pauses_the_thread_and_loses_no_byte)
{
	enum outbox_progress progress = OUTBOX_SENT;
	bool done = false, head = false;
	pthread_t thread;
	size_t at = 0;

	begin(&http10, -1);
	cr_assert_eq(pthread_create(&thread, NULL, stream, NULL), 0);
	while (!done || progress != OUTBOX_SENT) {
		struct completion *item = completion_take(&completions);

		if (item != NULL)
			done |= (reply_collect(&reply) & REPLY_DONE) != 0;
		progress = reply_send(&reply);
		cr_assert_neq(progress, OUTBOX_FAILED);
		if (!head && reply.outbox.sent >= reply.head_len) {
			char skip[1024];

			cr_assert_eq(read(sockets[1], skip, reply.head_len),
			    (ssize_t)reply.head_len);
			head = true;
		}
		if (head)
			at = drain_stream(at);
	}
	pthread_join(thread, NULL);
	cr_expect_eq(drain_stream(at), (size_t)STREAM_PIECE * STREAM_PIECES);
	cr_expect_eq(atomic_load(&reply.outbox.pending), 0);
}

static void *
wait_for_room(void *arg UNUSED)
{
	return (reply_wait(&reply) == -1 && errno == ECANCELED ? &reply : NULL);
}

Test(reply, abort_wakes_a_thread_that_waits_for_room)
{
	static char big[3 * HIGH_WATERMARK];
	pthread_t thread;
	size_t taken;
	void *result;

	begin(&http11, -1);
	cr_expect_eq(reply_body(&reply, big, sizeof(big), &taken), 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_room, NULL), 0);
	while (!atomic_load(&reply.outbox.waiting))
		sched_yield();
	reply_abort(&reply);
	pthread_join(thread, &result);
	cr_expect_eq(result, &reply);
}

/* The thread stands between its DONE and its push, which will be a quiet one. */
Test(reply, loop_that_wants_to_hear_of_an_end_too_late_is_woken_by_the_push)
{
	atomic_fetch_or(&reply.word, REPLY_DONE | REPLY_QUEUED);
	reply_want_wake(&reply);
	reply_set_gone(&reply, false);
	cr_assert(completion_sleep(&completions));
	completion_push_quiet(&completions, &reply.completion);
	cr_expect_not(completion_is_asleep(&completions), "no wake-up");
	cr_assert_eq(completion_take(&completions), &reply.completion);
	cr_expect(reply_collect(&reply) & REPLY_DONE);

	cr_assert(completion_sleep(&completions));
	completion_push_quiet(&completions, &reply.completion);
	cr_expect(completion_is_asleep(&completions), "others' are quiet");
}
