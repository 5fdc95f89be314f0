/* access_log: the lines, their escapes, and a reader that does not read. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "access_log.h"
#include "fd.h"
#include "log.h"
#include "macros.h"
#include "matches.h"

TestSuite(access_log, .timeout = 20);

static struct request_context context = {.limits = {.line = 8190,
					     .fields = 100,
					     .field_size = 65536,
					     .head = 1 << 20,
					     .body = 1 << 20},
    .memory = {.limit = SIZE_MAX}};

/* A request as the loop has it when it is over. */
static struct request *
request_from(const char *head, int status, uint64_t body_len)
{
	struct request *req = request_new(&context);
	size_t used = 0;

	cr_assert_not_null(req);
	cr_assert_eq(request_append(req, head, strlen(head)), 0);
	if (http_parser_head(&req->parser, req->text, req->text_len, &used) ==
	    HTTP_COMPLETE)
		req->head_len = used;
	req->peer.family = AF_INET;
	inet_pton(AF_INET, "192.0.2.7", req->peer.address);
	req->reply.begun = status != 0;
	req->reply.head.status = status;
	req->reply.head_len = 100;
	req->reply.body_len = body_len;
	req->reply.outbox.sent = 100 + body_len;
	return (req);
}

static struct access_log *
open_log(int fd, const char *format)
{
	struct config *cfg = config_new();
	struct access_log *log;

	free(cfg->access_log_format);
	cfg->access_log_format = strdup(format);
	cfg->log_buffer = 0; /* then there is room for two lines */
	log = access_log_open(fd, cfg, 3);
	config_free(&cfg);
	cr_assert_not_null(log);
	return (log);
}

static void
log_one(int fd, const char *format, struct request *req)
{
	struct access_log *log = open_log(fd, format);

	access_log_add(log, req, false);
	cr_expect(access_log_flush(log));
	access_log_close(&log);
	request_free(&req);
}

static const char *
line_of(const char *format, struct request *req)
{
	static char text[65536];
	int fds[2];
	ssize_t n;

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	log_one(fds[1], format, req);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
	return (text);
}

#define DATE                                                             \
	"\\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} " \
	"[+-][0-9]{4}\\]"

/* clang-format off */
static const struct {
	const char *why, *head;
	int status;
	uint64_t body_len;
	const char *format;
	const char *pattern;
} cases[] = {
	{ "common", "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", 200, 13,
	  "common",
	  "^192\\.0\\.2\\.7 - - " DATE " \"GET /a\\?b HTTP/1\\.1\" 200 13\n$" },
	{ "combined",
	  "GET / HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\n"
	  "User-Agent: curl/7\r\n\r\n", 404, 0, "combined",
	  "\" 404 0 \"http://r/\" \"curl/7\"\n$" },
	{ "absent fields", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 1,
	  "combined", " 200 1 \"-\" \"-\"\n$" },
	{ "quotes, backslashes and bytes over 0x7f are escaped",
	  "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: a\"b\\c\xff\r\n\r\n", 200, 1,
	  "combined", "\"a\\\\x22b\\\\x5cc\\\\xff\"\n$" },
	{ "a head that never became whole", "GET / HT", 400, 0,
	  "combined", "\"GET / HT\" 400 0 \"-\" \"-\"\n$" },
	{ "control bytes in garbage", "\x16\x03\x01 bad\x1b[31m\r\n\r\n", 400, 0,
	  "common", "\"\\\\x16\\\\x03\\\\x01 bad\\\\x1b\\[31m\" 400" },
	{ "empty lines before the request line",
	  "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 0, "common",
	  "\"GET / HTTP/1\\.1\" 200" },
	{ "a client that left unanswered", "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	  0, 0, "common", "\" 499 -\n$" },
	{ "the parts of the request line", "GET /a%20b?c=d HTTP/1.1\r\nHost: h\r\n\r\n",
	  200, 0, "%m %U %q %H %{RAW_URI}e %{QUERY_STRING}e",
	  "^GET /a%20b c=d HTTP/1\\.1 /a%20b\\?c=d c=d\n$" },
	{ "they are not known of what is no request", "rubbish\r\n\r\n", 400, 0,
	  "%m %U %q %H %r", "^- - - - rubbish\n$" },
	{ "fields by name, whatever the case", "GET / HTTP/1.1\r\nHost: h\r\n"
	  "X-Id: 7\r\n\r\n", 200, 0, "%{x-ID}i %{HTTP_X_ID}e %({x-id}i)s %{no}i",
	  "^7 7 7 -\n$" },
	{ "gunicorn's and Apache's spelling",
	  "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 13,
	  "%(h)s|%(s)s|%>s|%(B)s|%%|%l",
	  "^192\\.0\\.2\\.7[|]200[|]200[|]13[|]%[|]-\n$" },
	{ "the user that Basic names, never the password",
	  "GET / HTTP/1.1\r\nHost: h\r\n"
	  "Authorization: Basic YWRhOnNlY3JldA==\r\n\r\n", 200, 0, "common",
	  "^192\\.0\\.2\\.7 - ada " DATE },
	{ "a user's name is one word of the line", /* "a b\"\n:x" */
	  "GET / HTTP/1.1\r\nHost: h\r\n"
	  "Authorization: basic YSBiIgo6eA==\r\n\r\n", 200, 0, "%u",
	  "^a\\\\x20b\\\\x22\\\\x0a\n$" },
	{ "the server's own", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 0,
	  "%{worker}g %{thread}g %{queue}g %{reason}g %p %{pid}g %{id}g",
	  "^3 - - - <[0-9]+> [0-9]+ [0-9a-f]+-3-0\n$" },
	{ "bytes and connection of a client that left",
	  "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, 0, "%s %b %B %X %{reason}g",
	  "^499 - 0 X client left\n$" },
};
/* clang-format on */

Test(access_log, line_tells_the_request)
{
	const char *text;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		text = line_of(
		    cases[i].format, request_from(cases[i].head,
					 cases[i].status, cases[i].body_len));
		cr_expect(matches(text, cases[i].pattern), "%s: %s",
		    cases[i].why, text);
	}
}

Test(access_log, bytes_are_those_that_left)
{
	struct request *req =
	    request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5000);

	req->reply.outbox.sent = 100 + 42; /* then it was cut */
	cr_expect(matches(line_of("common", req), " 200 42\n$"));
	req = request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5000);
	req->reply.outbox.sent = 50; /* within the head */
	cr_expect(matches(line_of("common", req), " 200 0\n$"));
}

Test(access_log, long_items_are_cut)
{
	static char head[9000] = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: ";
	size_t len = strlen(head);

	memset(head + len, 'u', 5000);
	strcpy(head + len + 5000, "\r\n\r\n");
	cr_expect(matches(
	    line_of("combined", request_from(head, 200, 0)), "\"u{200}"));
	cr_expect_lt(strlen(line_of("combined", request_from(head, 200, 0))),
	    2048 + 200);
}

Test(access_log, many_lines_go_out_together_and_whole)
{
	char path[] = "/tmp/access_log_test.XXXXXX";
	int fd = mkstemp(path), i;
	struct access_log *log;
	struct request *req;
	struct stat st;

	unlink(path);
	log = open_log(fd, "common");
	req = request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5);
	for (i = 0; i < 100; i++)
		access_log_add(log, req, false);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_size, 0, "nothing before the end of the turn");
	cr_expect(access_log_flush(log));
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_size % 100, 0);
	cr_expect_gt(st.st_size, 0);
	access_log_close(&log);
	request_free(&req);
}

/* Lines wait, then are dropped and counted, and what comes out in the end is
 * whole lines. */
static void
stall(const int fds[2])
{
	struct access_log *log;
	struct request *req;
	char text[65536];
	int told[2], i;
	ssize_t n, total = 0;

	alarm(10); /* ends the test if it does block */
	cr_assert_eq(pipe(told), 0);
	log_init("test", told[1]);
	log = open_log(fds[1], "common");
	req = request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5);
	for (i = 0; i < 10000; i++) {
		access_log_add(log, req, false);
		if (i % 100 == 0)
			access_log_flush(log);
	}
	cr_expect_not(access_log_flush(log));
	for (;;) {
		while ((n = read(fds[0], text, sizeof(text))) > 0) {
			total += n;
			if ((size_t)n < sizeof(text))
				cr_expect_eq(text[n - 1], '\n');
		}
		if (access_log_flush(log) && total > 0)
			break;
	}
	while ((n = read(fds[0], text, sizeof(text))) > 0)
		total += n;
	cr_expect_gt(total, 65536);
	n = read(told[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	cr_expect(matches(text, "access log: [0-9]+ lines lost"), "%s", text);
	access_log_close(&log);
	request_free(&req);
}

Test(access_log, stalled_reader_costs_lines_but_never_blocks)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	stall(fds);
}

/* What a service has for standard output: blocking, since it is shared. */
Test(access_log, stalled_reader_of_a_socket_never_blocks_either)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cr_assert_eq(fd_set_nonblock(fds[0]), 0);
	stall(fds);
}

Test(access_log, reader_that_has_gone_is_no_trouble)
{
	struct access_log *log;
	struct request *req;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe2(fds, O_NONBLOCK), 0);
	close(fds[0]);
	log = open_log(fds[1], "common");
	req = request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5);
	access_log_add(log, req, false);
	cr_expect(access_log_flush(log));
	access_log_close(&log);
	request_free(&req);
}

/* What a test made the log say, so far. */
static const char *
told_of(int fd)
{
	static char text[65536];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return (text);
}

Test(access_log, full_disk_is_told_at_once_and_then_now_and_again)
{
	static const char none[] = "No space left on device\n$";
	int fd = open("/dev/full", O_WRONLY), told[2], i;
	struct access_log *log;
	struct request *req;
	const char *text;

	cr_assert_neq(fd, -1);
	cr_assert_eq(pipe2(told, O_NONBLOCK), 0);
	log_init("test", told[1]);
	log = open_log(fd, "common");
	req = request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5);

	access_log_add(log, req, false);
	access_log_add(log, req, false);
	cr_expect(access_log_flush(log), "nothing is kept for ever");
	text = told_of(told[0]);
	cr_expect(matches(text, "access log: 2 lines lost: "), "%s", text);
	cr_expect(matches(text, none), "%s", text);
	for (i = 0; i < 3; i++) {
		access_log_add(log, req, false);
		cr_expect(access_log_flush(log));
	}
	cr_expect_str_empty(told_of(told[0]), "not for each of them");
	access_log_close(&log);
	text = told_of(told[0]);
	cr_expect(matches(text, "access log: 3 lines lost: "), "%s", text);
	request_free(&req);
}

/* ---- times ---- */

Test(access_log, times_are_those_of_the_request)
{
	struct request *req =
	    request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 0);

	req->thread = 2;
	req->begun_ns = 5000000000;
	req->queued_ns = 5000100000;
	req->taken_ns = 5000350999;
	req->reply.sent_ns = 6234567890;
	cr_expect_str_eq(line_of("%T %M %D %L %{queue}g %{thread}g", req),
	    "1 1234 1234567 1.234567 250 2\n");
}

/* ---- fields of the response ---- */

Test(access_log, response_fields_are_those_that_were_sent)
{
	static char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			     "X-Empty:\r\nX-Last: a\"b\r\n\r\n";
	struct request *req =
	    request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 0);

	req->reply.head.text = strdup(head);
	req->reply.head.len = req->reply.head_len = strlen(head);
	cr_expect_str_eq(
	    line_of("%{content-TYPE}o|%{x-empty}o|%{x-last}o|%{x}o", req),
	    "text/plain||a\\x22b|-\n");
}

/* ---- how it ended ---- */

Test(access_log, cut_reply_has_its_status_and_the_reason)
{
	struct request *req =
	    request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5000);

	req->reply.outbox.sent = 100 + 42;
	request_cut(req, "send_timeout");
	request_cut(req, "another");
	cr_expect_str_eq(
	    line_of("%s %B %X %{reason}g", req), "200 42 X send_timeout\n");
}

/* A thread is writing the reply: only what has been collected may be read. */
Test(access_log, running_request_is_told_by_what_the_loop_knows)
{
	struct request *req =
	    request_from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, 5000);
	struct access_log *log;
	char text[256];
	int fds[2];
	ssize_t n;

	cr_assert_eq(pipe(fds), 0);
	log = open_log(fds[1], "%s %X %{reason}g");
	request_cut(req, "stopped");
	req->status_unsent = 503;
	access_log_add(log, req, true);
	req->reply.is_collected = true;
	access_log_add(log, req, true);
	access_log_close(&log);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	cr_expect_str_eq(text, "503 X stopped\n200 X stopped\n");
	request_free(&req);
}

/* However many items, the line ends in its room. */
Test(access_log, line_of_many_long_items_is_cut)
{
	static char head[9000] = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: ";
	size_t len = strlen(head);
	const char *text;

	memset(head + len, '"', 3000);
	strcpy(head + len + 3000, "\r\n\r\n");
	text = line_of("%a%a%a%a%a%a%a%a%a%a%a", request_from(head, 200, 0));
	cr_expect_eq(strlen(text), 65535, "%zu", strlen(text));
}
