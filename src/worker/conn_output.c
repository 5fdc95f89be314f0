/* conn_output - what a connection sends: see conn_private.h. */
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"
#include "conn_answer.h"
#include "conn_input.h"
#include "log.h"

/* Bytes that a new connection may send at once: RFC 6928. */
#define SMALL_REPLY 14600

/* Objects of the interpreter's that have been sent: back to who may free them. */
void
conn_release_sent(struct conn *c)
{
	struct pool_job *job;

	while ((job = outbox_take_used(&c->req->reply.outbox)) != NULL)
		pool_submit_aside(c->list->settings.pool, job);
}

/* A reply that is cut must not look whole: where it ends with the connection only
 * a reset can tell. */
static void
reset_on_close(struct conn *c)
{
	struct linger off = {.l_onoff = 1, .l_linger = 0};

	if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) == -1)
		log_debug("SO_LINGER could not be set");
}

enum conn_step
conn_cut(struct conn *c, const char *why)
{
	log_debug("connection cut: %s", why);
	request_cut(c->req, why);
	reply_abort(&c->req->reply);
	conn_release_sent(c);
	conn_count_unsent(c, 0);
	reset_on_close(c);
	if (c->state == CONN_RUNNING &&
	    pool_cancel(c->list->settings.pool, &c->req->job))
		conn_enter(c, CONN_REPLYING); /* no thread has it */
	if (c->state != CONN_RUNNING)
		return (CONN_CLOSE);
	deadline_cancel(&c->deadline);
	conn_enter(c, CONN_ORPHANED);
	return (CONN_WAIT);
}

/* Sockets know no such error: it is a file's. */
static void
log_shrunk(const struct conn *c)
{
	char line[REQUEST_LINE_SIZE];

	request_line(c->req, line, sizeof(line));
	log_warnx("a file ended before the length that was told, or could not "
		  "be read: \"%s\"",
	    line);
}

/*
 * Sends what there is.  CONN_MORE: all of it has left.  A deadline runs while
 * the peer takes too little.
 */
static enum conn_step
send_reply(struct conn *c)
{
	struct reply *reply = &c->req->reply;
	enum outbox_progress progress = OUTBOX_BLOCKED;

	if (c->writable || STAILQ_EMPTY(&reply->outbox.sending))
		progress = reply_send(reply);
	conn_release_sent(c);
	switch (progress) {
	case OUTBOX_SENT:
		conn_count_unsent(c, 0);
		deadline_cancel(&c->deadline);
		return (CONN_MORE);
	case OUTBOX_BLOCKED:
		c->writable = false;
		conn_sending(c);
		conn_count_unsent(c, outbox_unsent(&reply->outbox));
		return (CONN_WAIT);
	case OUTBOX_YIELD: /* the peer takes, and we are late */
		deadline_cancel(&c->deadline);
		conn_yield(c);
		return (CONN_WAIT);
	default:
		if (errno == EIO)
			log_shrunk(c);
		return (conn_cut(c, strerrordesc_np(errno)));
	}
}

enum conn_step
conn_step_running(struct conn *c)
{
	/* While nothing has been collected the thread may be sending itself. */
	if (!STAILQ_EMPTY(&c->req->reply.outbox.sending))
		send_reply(c);
	return (CONN_WAIT);
}

void
conn_count_unsent(struct conn *c, size_t len)
{
	budget_count_unsent(
	    &c->list->settings.context->memory, c->req->unsent, len);
	c->req->unsent = len;
}

/* Empty lines, which may follow a request (RFC 9112 2.2), are not one, unless they
 * have been answered: too many, or without CR. */
static void
log_request(struct conn *c, bool is_running)
{
	struct access_log *log = c->list->settings.access_log;

	if (c->wants_proxy)
		return; /* a PROXY header is no request */
	if (log != NULL && (request_line_text(c->req).len > 0 ||
			       (!is_running && c->req->reply.begun)))
		access_log_add(log, c->req, is_running);
}

void
conn_end_request(struct conn *c)
{
	log_request(c, false);
	c->list->nrequests += !c->wants_proxy;
	conn_count_unsent(c, 0);
	conn_recycle_request(c);
}

void
conn_abandon(struct conn *c, const char *why)
{
	bool is_running = c->state == CONN_RUNNING || c->state == CONN_ORPHANED;

	if (!reply_is_gone(&c->req->reply))
		c->req->status_unsent = 503;
	if (c->state == CONN_RUNNING || c->state == CONN_REPLYING)
		conn_cut(c, why);
	else
		request_cut(c->req, why);
	log_request(c, is_running);
}

/* A unix socket's bytes are the peer's at once. */
static uint64_t
bytes_in_socket(const struct conn *c, unsigned long which)
{
	int len = 0;

	if (conn_local(c)->is_unix || ioctl(c->fd, which, &len) == -1 ||
	    len < 0)
		return (0);
	return ((uint64_t)len);
}

uint64_t
conn_unconfirmed(const struct conn *c)
{
	return (bytes_in_socket(c, SIOCOUTQ));
}

/* May the peer lose some of a reply of so many bytes?  A small one is not worth the
 * wait for its confirmation, if it has left for the network. */
static bool
is_on_its_way(const struct conn *c, uint64_t len)
{
	return (
	    bytes_in_socket(c, len > SMALL_REPLY ? SIOCOUTQ : SIOCOUTQNSD) > 0);
}

/*
 * RFC 9112 9.6: closing with input unread, or that comes later, resets the
 * connection, and takes back what of the reply is still on its way.
 */
static enum conn_step
linger(struct conn *c, const char *why)
{
	log_debug("connection lingers: %s", why);
	if (shutdown(c->fd, SHUT_WR) == -1)
		return (CONN_CLOSE);
	conn_enter(c, CONN_LINGERING);
	conn_set_deadline(c, &c->list->linger);
	return (CONN_MORE);
}

enum conn_step
conn_leave(struct conn *c, const char *why)
{
	return (conn_unconfirmed(c) > 0 ? linger(c, why) : CONN_CLOSE);
}

enum conn_step
conn_reset(struct conn *c, const char *why)
{
	log_debug("connection cut: %s", why);
	reset_on_close(c);
	return (CONN_CLOSE);
}

/* All of the reply has left: on to the next request, or close. */
static enum conn_step
reply_sent(struct conn *c)
{
	const struct reply *reply = &c->req->reply;
	bool failed = reply->failed, must_linger = false;
	bool keep_alive = reply->head.keep_alive && !failed;
	bool more = c->req->text_len > c->req->text_used;
	struct request *next = NULL;

	if (failed && reply->head.framing == HTTP_REPLY_CLOSE)
		reset_on_close(c);
	if (keep_alive && more && (next = conn_next_request(c)) == NULL) {
		log_warn("pipelined request");
		keep_alive = false;
	}
	if (!keep_alive && !failed)
		must_linger = c->linger || more || c->readable ||
			      is_on_its_way(c, reply->outbox.sent);
	conn_end_request(c);
	c->req = next;
	if (!keep_alive)
		return (must_linger ? linger(c, "last response") : CONN_CLOSE);
	conn_enter(c, next != NULL ? CONN_HEAD : CONN_IDLE);
	if (next == NULL) {
		conn_set_deadline(c, &c->list->keepalive);
		c->list->settings.on_idle(c->list->settings.arg);
	}
	return (CONN_MORE);
}

/* The thread has ended the request without a head: it was dropped because its
 * client had left, or there was no memory for any answer. */
static enum conn_step
no_reply(struct conn *c)
{
	if (reply_is_gone(&c->req->reply))
		return (CONN_CLOSE);
	c->req->reply.failed = false;
	c->req->reason = "no memory";
	return (conn_answer(c, 500, false, NULL));
}

enum conn_step
conn_step_replying(struct conn *c)
{
	enum conn_step step;

	if (!c->req->reply.begun && no_reply(c) == CONN_CLOSE)
		return (CONN_CLOSE);
	step = send_reply(c);
	return (step == CONN_MORE ? reply_sent(c) : step);
}
