/*
 * conn - a whole connection: the seed of a split, with the bit 0x40 for one that
 * comes from a proxy, then what a client sends.
 *
 * The bytes go through a socket into the real connection code, with an application
 * in the place of the pool (stub_app.h), once whole and once in pieces, with an
 * application, a loop and a reader that take their time.  The answers must be the
 * same, be well-formed, and one for each request; nothing may follow one that says
 * that the connection closes.  A third client goes away in the middle.
 *
 * With the bit 0x80 in the seed a byte follows that sets the scene, see enum
 * scene_bit; timeouts are some seconds then, and what the client sends is a script.
 * In it 0x1f is not sent but gives, when all is still, a cue by the byte behind it:
 *
 *	1 to 9	so many seconds pass
 *	a A	the threads are all busy from here on; no longer
 *	h H	the application hangs in the request that it has; no longer
 *	r R	the client does not read; does again
 *	b	it reads a bit, even so
 *	d	the worker drains
 *	i	an idle connection has to make room
 *	t	the worker looks for requests that wait and whose client has left
 *	n	all up to the next cue is sent now, and that cue is not waited with
 *
 * As time stands still but for these, whatever a deadline does is the same in any
 * split.  Only where a reply is cut, or memory is short, how far it came is not.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <event2/event.h>

#include "access_log.h"
#include "check.h"
#include "config.h"
#include "conn_private.h"
#include "conn_run.h"
#include "fork_guard.h"
#include "fuzz.h"
#include "log.h"
#include "macros.h"
#include "reference.h"
#include "stub_app.h"
#include "stub_pool.h"

#define FOREVER_MS (3600 * 1000)
#define CUE        0x1f

/* Some of what the kernel has in one piece; until that is read, it tells a sender of
 * nothing. */
#define BIT 100000

/* A connection that does not end by then never will. */
#define TURNS_MAX 20000

/* So many turns in which nothing moves, and nothing will. */
#define STILL_TURNS 3

/* Of a client that neither sends nor leaves; no chain of timeouts is longer. */
#define STAYS_MAX_S 12

/* More descriptors than are ever open: one has leaked. */
#define FD_MAX 64

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

static const struct proxy_rules no_proxy;
static struct proxy_rules proxied, below_prefix, two_hops, below_two_hops;

static struct event_base *base;
static struct pool *pool;
static struct stub_app app = {.fd = -1};
static bool app_hangs;
static int log_fd;                               /* the access log's */
static struct config *text_format, *json_format; /* its formats */
static struct run *running;
static unsigned scene;
static uint64_t now_s = 1000000;

/* In the place of the C library's, for us and for libevent. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
		return ((int)syscall(SYS_clock_gettime, id, ts));
	ts->tv_sec = (time_t)now_s;
	ts->tv_nsec = 0;
	return (0);
}

/* ---- the server ---- */

/* What of the path is SCRIPT_NAME is that, and is followed by "/" or nothing. */
static void
check_path(const struct request *req)
{
	const struct http_text *path = &req->head.path;
	const struct forwarded *told = &req->forwarded;
	const char *prefix = context.proxy.prefix;
	size_t len = strlen(prefix), plain_len;
	char *plain = malloc(path->len + 1);
	bool is_below;

	ASSERT(plain != NULL && req->path_skip <= path->len);
	if (told->is_set && told->has_prefix) {
		prefix = req->text + told->prefix.offset;
		len = told->is_script_name ? told->prefix.len : 0;
	}
	plain_len =
	    reference_unescape(plain, req->text + path->offset, path->len);
	is_below = len > 0 && plain_len >= len &&
		   memcmp(plain, prefix, len) == 0 &&
		   (plain_len == len || plain[len] == '/');
	ASSERT((req->path_skip > 0) == is_below);
	plain_len =
	    reference_unescape(plain, req->text + path->offset + req->path_skip,
		path->len - req->path_skip);
	ASSERT(!is_below || plain_len == 0 || plain[0] == '/');
	free(plain);
}

/* What an application must not take for the server's word has a bit. */
static void
check_fields(const struct request *req)
{
	static const char start[] = "x-forwarded-";
	const size_t start_len = sizeof(start) - 1;
	const struct http_field *field = req->head.fields;
	unsigned bits;
	uint32_t i;

	for (i = 0; i < req->head.nfields; i++, field++) {
		const char *name = req->text + field->name.offset;

		bits = proxy_rules_field(&context.proxy, name, field->name.len);
		ASSERT(memchr(name, '_', field->name.len) == NULL ||
		       (bits & (PROXY_FIELD_FORWARDER | PROXY_FIELD_DROPPED)));
		ASSERT(field->name.len <= start_len ||
		       !reference_equals(name, start_len, start) || bits != 0);
	}
}

static bool
admit(struct pool_job *job)
{
	const struct request *req = request_of_job(job);
	struct asked *asked = &running->asked[running->nasked++];

	ASSERT(running->nasked < REQUESTS_MAX);
	check_path(req);
	check_fields(req);
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
static const char *const of_proxied[][2] = {
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

static const char *const of_prefix[][2] = {
    {"forwarded_allow_ips", "*"},
    {"forwarder_headers", "SCRIPT_NAME"},
    {"forwarder_headers", "REMOTE_USER"},
    {"url_prefix", "/p"},
};

static const char *const of_hops[][2] = {
    {"forwarded_allow_ips", "*"},
    {"forwarded_hops", "2"},
    {"forwarded_headers", "x-forwarded-for"},
    {"forwarded_headers", "x-forwarded-proto"},
    {"forwarded_headers", "x-forwarded-host"},
    {"forwarded_headers", "x-forwarded-port"},
    {"forwarded_headers", "x-forwarded-prefix"},
    {"secure_scheme_headers", "X-FORWARDED-SSL=on"},
    {"remote_addr_from", "forwarded"},
};

static void
set_all(struct config *cfg, const char *const settings[][2], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		ASSERT(config_set(
			   cfg, settings[i][0], settings[i][1], stderr) == 0);
}

/* Their settings stay for as long as the rules. */
static void
set_up_proxies(void)
{
	static struct config *cfg[4];

	cfg[0] = config_new();
	set_all(cfg[0], of_proxied, nitems(of_proxied));
	proxy_rules_init(&proxied, cfg[0]);
	cfg[1] = config_new();
	set_all(cfg[1], of_prefix, nitems(of_prefix));
	proxy_rules_init(&below_prefix, cfg[1]);
	cfg[2] = config_new();
	set_all(cfg[2], of_hops, nitems(of_hops));
	proxy_rules_init(&two_hops, cfg[2]);
	cfg[3] = config_new();
	set_all(cfg[3], of_prefix, nitems(of_prefix));
	set_all(cfg[3], of_hops, nitems(of_hops));
	proxy_rules_init(&below_two_hops, cfg[3]);
}

static void
set_up(void)
{
	if (base != NULL)
		return;
	log_set_level(LOG_LEVEL_CRITICAL); /* an assertion's */
	context.spool_dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	set_up_proxies();
	text_format = config_new();
	ASSERT(config_set(
		   text_format, "access_log_format", TEXT_FORMAT, stderr) == 0);
	json_format = config_new();
	ASSERT(
	    config_set(json_format, "access_log_format", "json", stderr) == 0);
	base = event_base_new();
	log_fd = memfd_create("access", MFD_CLOEXEC);
	pool = stub_pool_open(admit);
	ASSERT(base != NULL && log_fd != -1);
	ASSERT(completion_list_open(&context.completions) == 0);
}

/* What the seed and the byte behind it say. */
static void
set_scene(uint8_t seed)
{
	context.proxy = (seed & 0x40) != 0 ? proxied : no_proxy;
	if (scene & SCENE_PREFIX)
		context.proxy = below_prefix;
	if (scene & SCENE_HOPS)
		context.proxy =
		    (scene & SCENE_PREFIX) != 0 ? below_two_hops : two_hops;
	context.limits.head = 600;
	context.limits.field_size = 200;
	context.body_buffer = 100;
	context.memory.limit = 1 << 30;
	if (!(scene & SCENE_SCARCE))
		return;
	/* One head of some length, or body in memory, is too much. */
	context.limits.head = 4000;
	context.limits.field_size = 3000;
	context.body_buffer = 2000;
	context.memory.limit = 4000;
}

static struct conn_list *
open_list(struct run *run, struct access_log *access_log)
{
	bool is_short = (scene & SCENE_SCRIPT) != 0;
	struct conn_settings settings = {.base = base,
	    .pool = pool,
	    .context = &context,
	    .access_log = access_log,
	    .header_timeout_ms = is_short ? HEADER_S * 1000 : FOREVER_MS,
	    .body_timeout_ms = is_short ? BODY_S * 1000 : FOREVER_MS,
	    .keepalive_ms = is_short ? KEEPALIVE_S * 1000 : FOREVER_MS,
	    .queue_timeout_ms = is_short ? QUEUE_S * 1000 : FOREVER_MS,
	    .min_rate = (scene & SCENE_RATE) != 0 ? 10 : 0,
	    .health_path = (scene & SCENE_HEALTH) != 0 ? "/h" : "",
	    .on_idle = on_idle,
	    .send_timeout_ms = is_short ? SEND_S * 1000 : FOREVER_MS,
	    .linger_timeout_ms = is_short ? LINGER_S * 1000 : FOREVER_MS,
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

	if (stub_pool_is_busy())
		return;
	if (app.req != NULL && app_hangs)
		return;
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
	bool is_whole = run->hurried || run->in_haste;
	size_t piece = is_whole ? len : split_next(&run->split, text, len);
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
	if (n > 0) {
		run->len += (size_t)n;
		run->read_s = now_s;
	} else
		ASSERT(n == 0 || errno == EAGAIN || errno == ECONNRESET);
}

/* ---- the script ---- */

/* Everybody waits, and not for ever, but for an application. */
static void
check_conns(const struct conn_list *list)
{
	const struct conn *c;

	TAILQ_FOREACH (c, &list->conns, link) {
		/* Or it would have been cut. */
		ASSERT(c->req == NULL || c->req->unsent == 0 ||
		       !budget_is_over(&context.memory));
		if (c->state == CONN_RUNNING || c->state == CONN_ORPHANED)
			continue;
		ASSERT(c->deadline.queue != NULL);
		ASSERT(c->state != CONN_IDLE || !context.draining);
		ASSERT(!c->owes_continue || !c->writable);
	}
}

/* What has to be so when all is still. */
static void
check_still(const struct conn_list *list)
{
	const struct deadline_queue *queues[] = {&list->header, &list->body,
	    &list->queue, &list->keepalive, &list->send, &list->linger};
	uint64_t next;
	size_t i;

	for (i = 0; i < nitems(queues); i++) {
		next = deadline_next(queues[i]);
		ASSERT(next > now_s * 1000 && list->timer_at_ms <= next);
	}
	check_conns(list);
}

static void
let_pass(struct run *run, const struct conn_list *list, unsigned seconds)
{
	if (!run->in_haste)
		check_still(list);
	now_s += seconds;
	if (run->most_s < seconds)
		run->most_s = seconds;
	/* Of what is not read, too little may leave in time. */
	run->may_cut |= run->rests;
}

/* All that has been held up goes on, but for a client that does not read. */
static void
release_app(void)
{
	stub_pool_set_busy(false);
	app_hangs = false;
}

static void
read_a_bit(struct run *run)
{
	size_t room = sizeof(run->text) - run->len;
	ssize_t n = recv(run->fd, run->text + run->len, room < BIT ? room : BIT,
	    MSG_DONTWAIT);

	if (n <= 0)
		return;
	run->len += (size_t)n;
	run->read_s = now_s;
}

static void
close_idle(struct conn_list *list)
{
	conn_list_close_idle(list, "max_connections");
}

/* Who has sent something is not closed for being idle, unless it is answered; one
 * that begins with a bad PROXY header is not. */
static void
make_room(struct run *run, struct conn_list *list,
    void (*close_some)(struct conn_list *))
{
	int unread = 0, came = 0;

	/* Some splits have room for more of what is not read. */
	run->strays |= run->rests;
	ASSERT(ioctl(run->fd, SIOCOUTQ, &unread) == 0);
	close_some(list);
	if (!run->closed || unread == 0 || context.proxy.protocol != PROXY_OFF)
		return;
	ASSERT(ioctl(run->fd, FIONREAD, &came) == 0 && came > 0);
}

static void
give_cue(struct run *run, struct conn_list *list, char cue)
{
	if (cue >= '1' && cue <= '9')
		let_pass(run, list, (unsigned)(cue - '0'));
	else if (cue == 'a' || cue == 'A')
		stub_pool_set_busy(cue == 'a');
	else if (cue == 'h' || cue == 'H')
		app_hangs = cue == 'h';
	else if (cue == 'r' || cue == 'R')
		run->rests = cue == 'r';
	else if (cue == 'b')
		read_a_bit(run);
	else if (cue == 'd') {
		atomic_store(&context.draining, true);
		make_room(run, list, conn_list_drain);
	} else if (cue == 'i')
		make_room(run, list, close_idle);
	else if (cue == 't')
		conn_list_drop_gone(list);
	run->in_haste = cue == 'n';
}

/* Nothing more is sent: the client closes its half, or stays until the server has
 * had enough of it. */
static void
end_script(struct run *run, const struct conn_list *list)
{
	release_app();
	run->in_haste = false;
	if (!(scene & SCENE_STAYS)) {
		run->rests = false;
		if (!run->sent_all)
			shutdown(run->fd, SHUT_WR);
	} else if (run->still >= STILL_TURNS) {
		ASSERT(run->stayed_s++ < STAYS_MAX_S);
		let_pass(run, list, 1);
		run->still = 0;
	}
	run->sent_all = true;
}

/*
 * The client cannot send on before the server has read on, which it does when all
 * that has been held up goes on; or never, where it has lingered for long.
 */
static void
have_it_read(struct run *run, const struct conn_list *list)
{
	if (run->strays && !run->rests) {
		ASSERT(run->stayed_s++ < STAYS_MAX_S);
		let_pass(run, list, 1);
	}
	release_app();
	run->rests = run->in_haste = false;
	run->strays = true;
	run->still = 0;
}

static size_t
next_cue(const char *text, size_t len, size_t at)
{
	const char *cue = NULL;

	if (scene & SCENE_SCRIPT)
		cue = memchr(text + at, CUE, len - at);
	return (cue != NULL ? (size_t)(cue - text) : len);
}

/* The client's next act; how far in the text it has come. */
static size_t
act(struct run *run, struct conn_list *list, const char *text, size_t len,
    size_t at)
{
	size_t sent, end = next_cue(text, len, at);
	bool is_still = run->still >= STILL_TURNS;

	if (at < end) {
		sent = send_piece(run, text + at, end - at);
		if (sent == 0 && is_still)
			have_it_read(run, list);
		if (sent > 0)
			run->sent_s = now_s;
		if ((at += sent) < end || !run->in_haste)
			return (at);
	}
	if (at == len)
		end_script(run, list);
	else if (is_still || run->in_haste) {
		if (at + 1 < len)
			give_cue(run, list, text[at + 1]);
		return (at + 2 < len ? at + 2 : len);
	}
	return (at);
}

static void
leave(struct run *run)
{
	close(run->fd);
	run->fd = -1;
	run->leaves = false;
}

/* How long nothing has been read when the server had enough of it. */
static void
note_end(struct run *run, const struct conn_list *list)
{
	const struct conn *c = TAILQ_FIRST(&list->conns);

	if (run->has_ended || (c != NULL && c->state != CONN_ORPHANED))
		return;
	run->has_ended = true;
	run->unread_s = now_s - run->read_s;
}

/* A turn of each; run->still counts those in which nobody did anything. */
static void
take_turns(struct run *run, struct conn_list *list)
{
	const struct request *req = app.req;
	unsigned step = app.step, nasked = run->nasked;
	size_t len = run->len;

	turn(run, list);
	note_end(run, list);
	if (run->fd != -1 && !run->rests)
		receive(run);
	if (run->len != len) {
		run->silent_s = now_s - run->sent_s;
		run->came_late = run->has_ended;
	}
	run->still++;
	if (conn_list_has_work(list) || app.req != req || app.step != step ||
	    run->nasked != nasked || run->len != len)
		run->still = 0;
}

static void
converse(struct run *run, struct conn_list *list, const char *text, size_t len)
{
	size_t at = 0, before;
	unsigned i;

	for (i = 0; !run->closed; i++) {
		ASSERT(i < TURNS_MAX + 2 * len);
		before = at;
		if (run->fd != -1)
			at = act(run, list, text, len, at);
		if (at != before)
			run->still = 0;
		if (run->leaves && split_below(&run->split, 8) == 0)
			leave(run);
		take_turns(run, list);
		if (run->fd == -1)
			release_app();
	}
	while (run->fd != -1 && (len = run->len, receive(run), run->len > len))
		;
}

/* ---- the target ---- */

static void
play(struct run *run, const char *text, size_t len)
{
	struct access_log *access_log = access_log_open(
	    log_fd, run->in_json ? json_format : text_format, 1);
	struct conn_list *list = open_list(run, access_log);

	ASSERT(access_log != NULL && app.req == NULL);
	context.is_timed = access_log_is_timed(access_log);
	atomic_store(&context.draining, false);
	context.memory.is_short = false;
	running = run;
	run->began_s = run->sent_s = run->read_s = now_s;
	run->may_cut = (scene & SCENE_SCARCE) != 0;
	connect_client(run, list);
	converse(run, list, text, len);
	if (run->fd != -1)
		close(run->fd);
	release_app();
	ASSERT(conn_list_count(list) == 0 && app.req == NULL);
	ASSERT(pool_running(pool) == 0 && pool_queued(pool) == 0);
	conn_list_close(&list);
	stub_pool_run_aside();
	ASSERT(context.memory.used == 0);
	access_log_close(&access_log);
	run->end_s = now_s;
}

static void
play_and_check(struct run *run, const char *text, size_t len)
{
	play(run, text, len);
	conn_run_check_replies(run);
	conn_run_check_log(run, log_fd);
}

static void
begin(struct run *run, uint8_t seed)
{
	memset(run, 0, offsetof(struct run, text));
	run->scene = scene;
	split_init(&run->split, seed);
}

/* May an answer depend on what came in one piece, or on how much was read? */
static bool
may_differ(const struct run *whole, const struct run *other)
{
	return (whole->may_cut || other->may_cut || whole->strays ||
		other->strays || (scene & SCENE_RATE) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run whole, other;
	const char *text = (const char *)data + 1;
	uint8_t seed;

	if (len < 3)
		return (0);
	seed = *data;
	scene = 0;
	len--;
	if (seed & 0x80) {
		scene = (uint8_t)*text++ | SCENE_SCRIPT;
		len--;
	}
	set_up();
	set_scene(seed);
	begin(&whole, 1);
	whole.hurried = whole.in_json = true;
	play_and_check(&whole, text, len);
	begin(&other, seed);
	other.in_json = true;
	play_and_check(&other, text, len);
	if (!may_differ(&whole, &other)) {
		ASSERT(whole.nasked == other.nasked);
		ASSERT(whole.len == other.len);
		ASSERT(memcmp(whole.text, other.text, whole.len) == 0);
	}

	begin(&other, seed);
	other.leaves = true;
	play(&other, text, len);
	conn_run_check_log(&other, log_fd);
	return (0);
}
