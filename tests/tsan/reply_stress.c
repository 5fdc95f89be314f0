/*
 * reply_stress - replies on their way from threads to a loop that sends them, and
 * meddles with them, for ThreadSanitizer.
 *
 * Each thread makes the replies of one connection (reply_app.h); it sends small
 * ones itself while the loop sleeps.  The loop is also the client (reply_client.h),
 * whose socket buffer is small.  Now and then it says that the client has gone,
 * aborts the reply, or closes the client's end, at any moment of the reply's life.
 *
 * A reply that nobody has aborted must arrive whole, byte by byte; of another,
 * what arrives must be its beginning.  Each comes back exactly once, and the loop
 * that asked to be woken for it does not sleep on.  "reply_stress [THREADS
 * [REPLIES]]"; exits with 0 if all that holds, aborts where it does not, and dies
 * by SIGALRM if a thread or the loop waits for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "reply_app.h"

#define CONNS_MAX      64
#define HIGH_WATERMARK 16384
#define SOCKET_BUFFER  4096
#define READ_MAX       8192 /* of the client, at once */
#define SMALL_MAX      800
#define MIDDLING_MAX   40000
#define SPELL          500 /* replies */
#define CALM_ACTIVE    2
#define TICK_MS        1000
#define GIVE_UP_S      240

/* What the loop does to a reply while a thread makes it. */
enum meddling { NOTHING, WANT_WAKE, SET_GONE, DROP, ABORT, CLOSE, NMEDDLINGS };

struct conn {
	struct reply_app app;
	pthread_t thread;
	sem_t go;     /* a reply is wanted, or the end */
	bool is_over; /* before go: it is the end */

	/* the loop's */
	struct reply_client client;
	enum meddling meddling;
	unsigned patience; /* turns until then */
	bool active;       /* from its start until all of it has left */
	bool running;      /* a thread has it */
	bool wanted, cut, blocked;
};

static struct completion_list completions;
static struct conn conns[CONNS_MAX];
static unsigned nconns, nactive;
static unsigned loop_random = 1;

/* That all of it has been tried. */
static unsigned long nstarted, nback, nwhole, nby_thread, nblocked, nwaits;
static unsigned long nmeddled[NMEDDLINGS];

/* ---- a thread ---- */

static void *
run_application(void *arg)
{
	struct conn *c = arg;

	for (;;) {
		while (sem_wait(&c->go) == -1)
			;
		if (c->is_over)
			return (NULL);
		reply_app_run(&c->app);
	}
}

/* ---- the loop as the server ---- */

static void
connect_client(struct conn *c)
{
	const int size = SOCKET_BUFFER;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1 ||
	    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ==
		-1)
		abort();
	c->app.reply.fd = fds[0];
	c->client.fd = fds[1];
}

static void
release_sent(struct conn *c)
{
	struct pool_job *job;

	while ((job = outbox_take_used(&c->app.reply.outbox)) != NULL)
		job->run(job, &c->app, 0);
}

static void
meddle(struct conn *c)
{
	enum meddling meddling = c->meddling;

	c->meddling = NOTHING;
	nmeddled[meddling]++;
	switch (meddling) {
	case WANT_WAKE:
		reply_want_wake(&c->app.reply);
		break;
	case ABORT:
		reply_abort(&c->app.reply);
		release_sent(c);
		c->cut = true;
		break;
	case CLOSE:
		reply_client_close(&c->client);
		reply_set_gone(&c->app.reply, false);
		break;
	default:
		reply_set_gone(&c->app.reply, meddling == DROP);
	}
}

/* For a while there are few and all are small, so that the loop sleeps; then it
 * has much to send. */
static bool
is_calm(void)
{
	return (nstarted / SPELL % 2 == 0);
}

static unsigned
choose_bound(void)
{
	unsigned kind = reply_random(&loop_random, 8);

	if (is_calm() || kind < 4)
		return (SMALL_MAX);
	return (kind < 7 ? MIDDLING_MAX : BODY_MAX);
}

static void
start_reply(struct conn *c)
{
	unsigned bound = choose_bound();
	int fd = c->app.reply.fd;

	reply_reset(&c->app.reply);
	c->app.reply.fd = fd;
	c->app.random = reply_random(&loop_random, 1u << 20);
	c->app.total = reply_random(&loop_random, bound);
	c->app.keep_alive = reply_random(&loop_random, 8) != 0;
	c->app.flushes = reply_random(&loop_random, 2) == 0;
	c->meddling = NOTHING;
	if (reply_random(&loop_random, 3) == 0)
		c->meddling = reply_random(&loop_random, NMEDDLINGS);
	c->patience = reply_random(&loop_random, 4);
	c->active = c->running = true;
	nactive++;
	c->wanted = c->cut = c->blocked = false;
	c->app.nrefs = c->app.nreleased = 0;
	reply_client_expect(&c->client, c->app.total);
	nstarted++;
	if (c->meddling != NOTHING && c->patience == 0)
		meddle(c);
	sem_post(&c->go);
}

/* The thread is through with it, and all of it has left or never will. */
static void
end_reply(struct conn *c)
{
	struct reply *r = &c->app.reply;

	c->active = false;
	nactive--;
	while (reply_client_receive(&c->client, SIZE_MAX))
		;
	outbox_clear(&r->outbox);
	release_sent(c);
	ASSERT(c->app.nreleased == c->app.nrefs);
	if (!c->cut && c->client.fd != -1) {
		nwhole++;
		ASSERT(r->begun && r->finished && !r->failed);
		ASSERT(reply_client_has_whole(&c->client));
		ASSERT(c->client.head == r->head_len);
		ASSERT(r->outbox.sent == r->head_len + c->app.total);
		ASSERT(atomic_load(&r->outbox.pending) == 0);
		return;
	}
	reply_client_close(&c->client);
	close(r->fd);
	connect_client(c);
}

static void
on_completion(struct conn *c)
{
	unsigned word = reply_collect(&c->app.reply);

	ASSERT(c->running);
	if ((word & REPLY_DONE) == 0)
		return;
	c->running = false;
	nback++;
	if (word & REPLY_ABORTED)
		c->cut = true;
	if (c->app.reply.outbox.sent > 0 && !c->app.reply.outbox.published)
		nby_thread++;
}

static void
collect(void)
{
	struct completion *item, *next;

	for (item = completion_take(&completions); item != NULL; item = next) {
		next = item->next;
		on_completion(
		    CONTAINER_OF(item, struct conn, app.reply.completion));
	}
}

/* While nothing has been collected the thread may be sending itself. */
static void
send_some(struct conn *c)
{
	enum outbox_progress progress;

	if (c->blocked || STAILQ_EMPTY(&c->app.reply.outbox.sending))
		return;
	progress = reply_send(&c->app.reply);
	release_sent(c);
	if (progress == OUTBOX_BLOCKED) {
		nblocked++;
		c->blocked = true;
	} else if (progress == OUTBOX_FAILED) {
		ASSERT(errno == EPIPE && c->client.fd == -1);
		reply_abort(&c->app.reply);
		release_sent(c);
		c->cut = true;
	}
}

/* What the client and whoever meddles do to it. */
static void
live(struct conn *c)
{
	if (reply_random(&loop_random, 4) != 0)
		reply_client_receive(
		    &c->client, 1 + reply_random(&loop_random, READ_MAX));
	if (c->meddling != NOTHING && c->patience-- == 0)
		meddle(c);
	/* The next request is here before we know that this one is over. */
	if (c->running && !c->wanted && reply_client_has_whole(&c->client)) {
		c->wanted = true;
		reply_want_wake(&c->app.reply);
	}
}

/* True if it has more to do at once. */
static bool
step(struct conn *c, unsigned long nreplies)
{
	if (c->active) {
		send_some(c);
		live(c);
		if (c->running)
			return (false);
		if (!c->cut && !STAILQ_EMPTY(&c->app.reply.outbox.sending))
			return (!c->blocked);
		end_reply(c);
	}
	if (nstarted < nreplies && (nactive < CALM_ACTIVE || !is_calm()))
		start_reply(c);
	return (false);
}

/* ---- the loop ---- */

static nfds_t
list_events(struct pollfd *fds)
{
	struct conn *c;
	nfds_t n = 0;

	fds[n++] = (struct pollfd){.fd = completions.wake_fd, .events = POLLIN};
	for (c = conns; c < conns + nconns; c++) {
		fds[n++] = (struct pollfd){
		    .fd = c->blocked ? c->app.reply.fd : -1, .events = POLLOUT};
		fds[n++] = (struct pollfd){
		    .fd =
			reply_client_has_whole(&c->client) ? -1 : c->client.fd,
		    .events = POLLIN};
	}
	return (n);
}

/* Nothing but the tick has come: there must be nothing that it is needed for. */
static void
on_tick(void)
{
	ASSERT(!completion_is_asleep(&completions) ||
	       atomic_load(&completions.head) == NULL);
}

static void
sleep_until_woken(void)
{
	struct pollfd fds[1 + 2 * CONNS_MAX];
	nfds_t nfds = list_events(fds), i;
	uint64_t n;

	if (!completion_sleep(&completions))
		return;
	if (poll(fds, nfds, TICK_MS) == 0)
		on_tick();
	completion_awake(&completions);
	if (fds[0].revents != 0 &&
	    read(completions.wake_fd, &n, sizeof(n)) != sizeof(n))
		abort();
	for (i = 0; i < nconns; i++)
		if (fds[1 + 2 * i].revents != 0)
			conns[i].blocked = false;
}

static void
run_loop(unsigned long nreplies)
{
	bool more;
	unsigned i;

	do {
		collect();
		for (more = false, i = 0; i < nconns; i++)
			more |= step(&conns[i], nreplies);
		if (!more && nactive > 0)
			sleep_until_woken();
	} while (nactive > 0);
}

/* ---- from the start to the end ---- */

static void
open_all(void)
{
	struct conn *c;
	int fd;

	body_pattern_fill();
	fd = memfd_create("pattern", MFD_CLOEXEC);
	if (fd == -1 || completion_list_open(&completions) == -1 ||
	    write(fd, body_pattern, sizeof(body_pattern)) !=
		sizeof(body_pattern))
		abort();
	for (c = conns; c < conns + nconns; c++) {
		reply_init(&c->app.reply, &completions, HIGH_WATERMARK);
		c->app.body_fd = fd;
		connect_client(c);
		sem_init(&c->go, 0, 0);
		PTHREAD_OK(
		    pthread_create(&c->thread, NULL, run_application, c));
	}
}

static void
close_all(void)
{
	struct conn *c;

	for (c = conns; c < conns + nconns; c++) {
		c->is_over = true;
		sem_post(&c->go);
		PTHREAD_OK(pthread_join(c->thread, NULL));
		nwaits += c->app.nwaits;
		reply_fini(&c->app.reply);
		reply_client_close(&c->client);
		close(c->app.reply.fd);
	}
	ASSERT(completion_take(&completions) == NULL);
	completion_list_close(&completions);
	close(conns[0].app.body_fd);
}

/* That what is to be tried has been. */
static bool
has_tried_all(void)
{
	unsigned i;

	for (i = NOTHING + 1; i < NMEDDLINGS; i++)
		if (nmeddled[i] == 0)
			return (false);
	return (nwhole > 0 && nby_thread > 0 && nblocked > 0 && nwaits > 0);
}

int
main(int argc, char *argv[])
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	unsigned long nreplies = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;

	if (threads < 1 || threads > CONNS_MAX)
		return (1);
	nconns = threads;
	signal(SIGPIPE, SIG_IGN); /* of sendfile */
	alarm(GIVE_UP_S);
	open_all();
	run_loop(nreplies);
	close_all();
	printf("%lu replies of %u threads: %lu whole, %lu sent by the thread; "
	       "%lu times no room, %lu waits\n",
	    nback, threads, nwhole, nby_thread, nblocked, nwaits);
	return (nback == nreplies && has_tried_all() ? 0 : 1);
}
