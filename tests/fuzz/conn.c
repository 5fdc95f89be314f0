/*
 * conn - a whole connection: the seed of a split, with the bit 0x40 for one that
 * comes from a proxy, then what a client sends.
 *
 * The bytes go through a socket into the real connection code, with an application
 * in the place of the pool (stub_app.h), once whole and once in pieces, with an
 * application, a loop and a reader that take their time.  The answers must be the
 * same, be well-formed, and one for each request; nothing may follow one that says
 * that the connection closes.  A third client goes away in the middle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "access_log.h"
#include "check.h"
#include "config.h"
#include "conn.h"
#include "fork_guard.h"
#include "fuzz.h"
#include "log.h"
#include "macros.h"
#include "reference.h"
#include "stub_app.h"
#include "stub_pool.h"

#define FOREVER_MS   (3600 * 1000)
#define REQUESTS_MAX 1024
#define ROOM         (1 << 20)

/* A connection that does not end by then never will. */
#define TURNS_MAX 20000

/* More descriptors than are ever open: one has leaked. */
#define FD_MAX 64

/* What is to be known of a request to read its reply. */
struct asked {
	bool is_head, may_fail;
};

struct run {
	struct split split;
	bool hurried; /* everything at once, and a loop that never sleeps */
	bool leaves;  /* goes away in the middle */
	int fd;       /* the client's end */
	bool closed;  /* the server's */
	bool sent_all;
	unsigned nasked;
	struct asked asked[REQUESTS_MAX];
	size_t len; /* of what the server has sent */
	char text[ROOM];
};

static struct request_context context = {
    .limits = {.line = 200,
	.fields = 16,
	.field_size = 200,
	.head = 600,
	.body = 3000},
    .body_buffer = 100,
    .high_watermark = 10000,
    .server_header = "",
    .slot = 1,
    .multithread = true,
    .keep_alive = true,
    .memory = {.limit = 1 << 30},
};

static struct proxy_rules no_proxy, proxied;

static struct event_base *base;
static struct pool *pool;
static struct stub_app app = {.fd = -1};
static int log_fd;                     /* the access log's */
static struct config *combined, *json; /* its formats */
static struct run *running;

/* ---- the server ---- */

static bool
admit(struct pool_job *job)
{
	const struct request *req = request_of_job(job);
	struct asked *asked = &running->asked[running->nasked++];

	ASSERT(running->nasked < REQUESTS_MAX);
	asked->is_head = req->head.is_head;
	asked->may_fail = stub_app_may_fail(req);
	return (!stub_app_is_refused(req));
}

static void
on_idle(void *arg UNUSED)
{
}

static void
on_close(void *arg)
{
	struct run *run = arg;

	ASSERT(!run->closed);
	run->closed = true;
}

/* Whoever connects is a proxy that is believed in all it says. */
static void
set_up_proxy(struct proxy_rules *rules)
{
	static const char *const settings[][2] = {
	    {"forwarded_allow_ips", "*"},
	    {"forwarded_headers", "forwarded"},
	    {"forwarded_headers", "x-forwarded-for"},
	    {"forwarded_headers", "x-forwarded-host"},
	    {"forwarded_headers", "x-forwarded-prefix"},
	    {"remote_addr_from", "forwarded"},
	    {"header_map", "refuse"},
	    {"proxy_protocol", "auto"},
	    {"proxy_allow_ips", "*"},
	};
	static struct config *cfg; /* for as long as the rules */
	size_t i;

	cfg = config_new();
	for (i = 0; i < nitems(settings); i++)
		ASSERT(config_set(
			   cfg, settings[i][0], settings[i][1], stderr) == 0);
	proxy_rules_init(rules, cfg);
}

static void
set_up(void)
{
	if (base != NULL)
		return;
	log_set_level(LOG_LEVEL_CRITICAL); /* an assertion's */
	context.spool_dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	set_up_proxy(&proxied);
	combined = config_new();
	json = config_new();
	ASSERT(config_set(json, "access_log_format", "json", stderr) == 0);
	base = event_base_new();
	log_fd = memfd_create("access", MFD_CLOEXEC);
	pool = stub_pool_open(admit);
	ASSERT(base != NULL && log_fd != -1);
	ASSERT(completion_list_open(&context.completions) == 0);
}

static struct conn_list *
open_list(struct run *run, struct access_log *access_log)
{
	struct conn_settings settings = {.base = base,
	    .pool = pool,
	    .context = &context,
	    .access_log = access_log,
	    .header_timeout_ms = FOREVER_MS,
	    .body_timeout_ms = FOREVER_MS,
	    .keepalive_ms = FOREVER_MS,
	    .queue_timeout_ms = FOREVER_MS,
	    .health_path = "",
	    .on_idle = on_idle,
	    .send_timeout_ms = FOREVER_MS,
	    .linger_timeout_ms = FOREVER_MS,
	    .on_close = on_close,
	    .arg = run};
	struct conn_list *list = conn_list_open(&settings);

	ASSERT(list != NULL);
	return (list);
}

static void
connect_client(struct run *run, struct conn_list *list)
{
	static const struct peer peer = {.family = AF_INET, .port = 1};
	static const struct local local = {.host = "a", .port = "1"};
	int fds[2], size = 1;

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		   0, fds) == 0);
	ASSERT(fds[0] < FD_MAX && fds[1] < FD_MAX);
	/* Then it blocks soon. */
	if (!run->hurried && split_below(&run->split, 2) == 0)
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	run->fd = fds[0];
	fork_guard_add(fds[1]);
	conn_open(list, fds[1], &peer, &local);
}

/* The application goes one step further, or takes the next request. */
static void
run_app(void)
{
	struct pool_job *job;

	if (app.req != NULL)
		stub_app_step(&app);
	else if ((job = stub_pool_take()) != NULL)
		stub_app_begin(&app, request_of_job(job));
	stub_pool_run_aside();
}

/* As in worker.c; in half of the turns the application runs while it sleeps. */
static void
turn(struct run *run, struct conn_list *list)
{
	bool early = run->hurried || split_below(&run->split, 2) == 0;

	conn_list_turn(list);
	if (early)
		run_app();
	if (!conn_list_has_work(list) &&
	    completion_sleep(&context.completions) && !early)
		run_app();
	ASSERT(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK) != -1);
	completion_awake(&context.completions);
}

/* ---- the client ---- */

/* Sends the next piece; how much the server took. */
static size_t
send_piece(struct run *run, const char *text, size_t len)
{
	size_t piece = run->hurried ? len : split_next(&run->split, text, len);
	ssize_t n;

	n = send(run->fd, text, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		return ((size_t)n);
	ASSERT(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
	return (errno == EAGAIN ? 0 : len);
}

static void
receive(struct run *run)
{
	size_t room = sizeof(run->text) - run->len;
	ssize_t n;

	ASSERT(room > 0);
	if (!run->hurried && !run->closed)
		room = 1 + split_below(&run->split, 4000);
	if (room > sizeof(run->text) - run->len)
		room = sizeof(run->text) - run->len;
	n = recv(run->fd, run->text + run->len, room, MSG_DONTWAIT);
	if (n > 0)
		run->len += (size_t)n;
	else
		ASSERT(n == 0 || errno == EAGAIN || errno == ECONNRESET);
}

static void
converse(struct run *run, struct conn_list *list, const char *text, size_t len)
{
	size_t at = 0;
	unsigned i;

	for (i = 0; !run->closed; i++) {
		ASSERT(i < TURNS_MAX + 2 * len);
		if (at < len)
			at += send_piece(run, text + at, len - at);
		if (at == len && !run->sent_all) {
			run->sent_all = true;
			shutdown(run->fd, SHUT_WR);
		}
		if (run->leaves && split_below(&run->split, 8) == 0)
			close(run->fd), run->fd = -1, run->leaves = false;
		turn(run, list);
		if (run->fd == -1)
			at = len;
		else
			receive(run);
	}
	while (run->fd != -1 && (len = run->len, receive(run), run->len > len))
		;
}

/* ---- what came of it ---- */

/* One line for each request, printable. */
static void
check_access_log(const struct run *run, unsigned requests)
{
	static char text[ROOM];
	ssize_t len = pread(log_fd, text, sizeof(text), 0), i;
	unsigned lines = 0;

	ASSERT(len >= 0 && len < (ssize_t)sizeof(text));
	for (i = 0; i < len; i++) {
		lines += text[i] == '\n';
		ASSERT(text[i] == '\n' ||
		       ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
	}
	ASSERT(lines >= run->nasked && lines <= run->nasked + 1);
	ASSERT(lines >= requests);
	ASSERT(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
}

static void
play(struct run *run, const char *text, size_t len)
{
	struct access_log *access_log =
	    access_log_open(log_fd, run->hurried ? combined : json, 1);
	struct conn_list *list = open_list(run, access_log);

	ASSERT(access_log != NULL && app.req == NULL);
	context.is_timed = access_log_is_timed(access_log);
	running = run;
	connect_client(run, list);
	converse(run, list, text, len);
	if (run->fd != -1)
		close(run->fd);
	ASSERT(conn_list_count(list) == 0 && app.req == NULL);
	ASSERT(pool_running(pool) == 0 && pool_queued(pool) == 0);
	conn_list_close(&list);
	stub_pool_run_aside();
	ASSERT(context.memory.used == 0);
	access_log_close(&access_log);
}

static bool
is_continue(const char *text, size_t len)
{
	static const char word[] = "HTTP/1.1 100 Continue\r\n\r\n";

	return (len >= sizeof(word) - 1 &&
		memcmp(text, word, sizeof(word) - 1) == 0);
}

/* The clock does not count. */
static void
mask_date(char *head, size_t len)
{
	char *date = memmem(head, len, "\r\nDate: ", 8);

	ASSERT(date != NULL && date + 37 <= head + len);
	memset(date + 8, '?', 29);
}

/*
 * Reads the replies, and leaves in the text what has to be the same each time: not
 * 100 Continue, which depends on what had come with the head.  How many there are.
 */
static unsigned
check_replies(struct run *run)
{
	struct reference_reply r = {0};
	size_t at = 0, to = 0;
	unsigned n = 0;
	bool is_own, is_head;

	while (at < run->len) {
		if (is_continue(run->text + at, run->len - at)) {
			at += 25;
			continue;
		}
		ASSERT(!r.closes);
		is_own = n == run->nasked;
		ASSERT(n <= run->nasked);
		is_head = !is_own && run->asked[n].is_head;
		ASSERT(reference_reply(
		    run->text + at, run->len - at, is_head, &r));
		ASSERT(r.is_whole || (is_own && r.body_len == 0) ||
		       run->asked[n].may_fail);
		ASSERT(!is_own || (r.closes && r.status >= 400));
		ASSERT(r.is_whole || at + r.len == run->len);
		mask_date(run->text + at, r.head_len);
		memmove(run->text + to, run->text + at, r.len);
		at += r.len;
		to += r.len;
		n++;
	}
	run->len = to;
	/* What was asked is answered. */
	ASSERT(n >= run->nasked);
	return (n);
}

static void
play_and_check(struct run *run, const char *text, size_t len)
{
	play(run, text, len);
	check_access_log(run, check_replies(run));
}

static void
begin(struct run *run, uint8_t seed)
{
	memset(run, 0, offsetof(struct run, text));
	split_init(&run->split, seed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run whole, other;
	const char *text = (const char *)data + 1;

	if (len < 2)
		return (0);
	set_up();
	context.proxy = (*data & 0x40) != 0 ? proxied : no_proxy;
	begin(&whole, 1);
	whole.hurried = true;
	play_and_check(&whole, text, --len);
	begin(&other, *data);
	play_and_check(&other, text, len);
	ASSERT(whole.nasked == other.nasked);
	ASSERT(whole.len == other.len);
	ASSERT(memcmp(whole.text, other.text, whole.len) == 0);

	begin(&other, *data);
	other.leaves = true;
	play(&other, text, len);
	check_access_log(&other, 0);
	return (0);
}
