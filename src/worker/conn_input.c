/* conn_input - what a connection reads: see conn_private.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "conn_answer.h"
#include "conn_input.h"
#include "conn_proxy.h"
#include "log.h"

static enum conn_step take_head(struct conn *, size_t used);

/*
 * Reads once.  Less than was asked for means that the socket is empty, and
 * saves the call that would say so; but an error may have come with the last
 * edge, which no other will tell of, so whoever needs more has to look once
 * again.
 */
static enum conn_input
read_some(struct conn *c, void *buf, size_t size, size_t *len)
{
	ssize_t n;

	if (!c->readable && !c->read_short)
		return (CONN_INPUT_NONE);
	c->read_short = false;
	do
		n = recv(c->fd, buf, size, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		c->read_short = (size_t)n < size && !c->peer_closed;
		c->readable = !c->read_short;
		*len = (size_t)n;
		return (CONN_INPUT_SOME);
	}
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		c->readable = false;
		return (CONN_INPUT_NONE);
	}
	return (CONN_INPUT_ENDED);
}

/* ---- the head ---- */

void
conn_begin_request(struct conn *c, struct request *req)
{
	req->peer = c->peer;
	req->hidden = req->context->proxy.hidden[c->is_trusted];
}

static struct request *
new_request(struct conn *c)
{
	struct conn_list *list = c->list;
	struct request *req;

	if (list->nspare > 0) {
		req = list->spare[--list->nspare];
		if (list->nspare < list->nspare_low)
			list->nspare_low = list->nspare;
	} else if ((req = request_new(list->settings.context)) == NULL)
		return (NULL);
	req->reply.fd = c->fd;
	req->conn = c;
	req->local = conn_local(c);
	request_begin(req);
	conn_begin_request(c, req);
	return (req);
}

void
conn_recycle_request(struct conn *c)
{
	struct conn_list *list = c->list;
	struct request *req = c->req;

	outbox_clear(&req->reply.outbox);
	conn_release_sent(c);
	c->req = NULL;
	if (list->nspare == CONN_SPARE_MAX) {
		request_free(&req);
		return;
	}
	request_reset(req);
	list->spare[list->nspare++] = req;
}

struct request *
conn_next_request(struct conn *c)
{
	const struct request *before = c->req;
	struct request *req = new_request(c);

	if (req == NULL)
		return (NULL);
	if (request_append(req, before->text + before->text_used,
		before->text_len - before->text_used) == -1)
		request_free(&req);
	return (req);
}

bool
conn_has_input(struct conn *c)
{
	char byte;

	c->readable = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	return (c->readable);
}

enum conn_step
conn_step_idle(struct conn *c)
{
	if (!c->readable && c->list->settings.context->draining)
		return (
		    conn_has_input(c) ? CONN_MORE : conn_leave(c, "draining"));
	if (!c->readable)
		return (CONN_WAIT);
	c->req = new_request(c);
	if (c->req == NULL) {
		log_warn("new request");
		return (CONN_CLOSE);
	}
	conn_enter(c, c->wants_proxy ? CONN_PROXY : CONN_HEAD);
	return (CONN_MORE);
}

enum conn_step
conn_back_to_idle(struct conn *c, enum conn_input input)
{
	conn_recycle_request(c);
	conn_enter(c, CONN_IDLE);
	return (input == CONN_INPUT_ENDED ? CONN_CLOSE : CONN_MORE);
}

enum conn_input
conn_read_text(struct conn *c)
{
	struct request *req = c->req;
	enum conn_input input;
	size_t len;

	input = read_some(
	    c, req->text + req->text_len, req->text_size - req->text_len, &len);
	if (input == CONN_INPUT_SOME)
		req->text_len += len;
	return (input);
}

/* RFC 9110 15.6.4; errno says whose limit it is. */
static enum conn_step
no_room(struct conn *c, const char *what)
{
	if (errno == ENOBUFS)
		return (conn_refuse(c, 503, "max_buffered", NULL));
	log_warn("%s", what);
	return (conn_refuse(c, 503, what, NULL));
}

enum conn_step
conn_step_head(struct conn *c)
{
	struct request *req = c->req;
	enum http_result result = HTTP_INCOMPLETE;
	enum conn_input input;
	size_t used;

	if (req->text_len > req->parsed) {
		req->parsed = req->text_len;
		result = http_parser_head(
		    &req->parser, req->text, req->text_len, &used);
	}
	if (result == HTTP_COMPLETE)
		return (take_head(c, used));
	if (result == HTTP_BAD)
		return (conn_refuse(c, req->parser.error.status,
		    req->parser.error.reason, NULL));
	if (request_reserve(req, CONN_READ_MIN) == -1)
		return (no_room(c, "memory for the head"));
	input = conn_read_text(c);
	if (input == CONN_INPUT_SOME)
		return (CONN_MORE);
	if (req->text_len == 0)
		return (conn_back_to_idle(c, input));
	if (input == CONN_INPUT_ENDED)
		return (CONN_CLOSE);
	/* One deadline for all of the head, however it drips in; a first
	 * request's has run since the connection was accepted. */
	if (c->deadline.queue != &c->list->header)
		conn_set_deadline(c, &c->list->header);
	return (CONN_WAIT);
}

/* ---- the body ---- */

/* RFC 4918 11.5 where the disk is short. */
static enum conn_step
spool_failed(struct conn *c)
{
	if (errno == ENOMEM || errno == ENOBUFS)
		return (no_room(c, "memory for the body"));
	log_warn("spool_dir %s", c->req->spool.dir);
	return (conn_refuse(c, 507, "no room in spool_dir", NULL));
}

static int
on_body(void *arg, const char *data, size_t len)
{
	struct conn *c = arg;

	if (spool_append(&c->req->spool, data, len) == -1) {
		c->req->spool_error = errno;
		return (-1);
	}
	return (0);
}

/* RFC 9110 10.1.1: the client waits for a word before it sends the body. */
static void
send_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	ssize_t n;

	n = send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Earlier replies may still fill the socket.  A peer that has left will
	 * be noticed by the next read. */
	c->owes_continue = n == -1 && (errno == EAGAIN || errno == EINTR);
	if (c->owes_continue)
		c->writable = false;
	/* Half of it is worse than nothing: the next read will see the end. */
	if (n > 0 && (size_t)n < sizeof(text) - 1 &&
	    shutdown(c->fd, SHUT_RDWR) == -1)
		log_debug("shutdown after a part of 100 Continue");
}

static enum conn_step
dispatch(struct conn *c)
{
	struct request *req = c->req;

	deadline_cancel(&c->deadline);
	if (spool_finish(&req->spool, &req->body, &req->body_len) == -1)
		return (spool_failed(c));
	if (conn_is_health(c))
		return (conn_health(c));
	req->queued_ns = request_stamp(req);
	if (pool_submit(c->list->settings.pool, &req->job) == -1)
		return (conn_busy(c, "max_queue"));
	conn_set_deadline(c, &c->list->queue);
	conn_enter(c, CONN_RUNNING);
	if (req->text_len > req->text_used)
		reply_want_wake(&req->reply); /* its successor is here */
	else if (c->readable)
		conn_peer_check(c); /* no further edge would tell */
	return (c->state == CONN_RUNNING ? CONN_WAIT : CONN_MORE);
}

/* What came together with the head.  HTTP_COMPLETE: it was all of the body. */
static enum http_result
take_early_body(struct conn *c)
{
	struct request *req = c->req;
	const char *data = req->text + req->text_used;
	size_t len = req->text_len - req->text_used, used = 0;
	enum http_result result = HTTP_COMPLETE;

	if (req->head.framing == HTTP_BODY_LENGTH) {
		used = len < req->head.content_length
			   ? len
			   : (size_t)req->head.content_length;
		if (on_body(c, data, used) == -1)
			result = HTTP_BAD;
		else if (used < req->head.content_length)
			result = HTTP_INCOMPLETE;
	} else if (req->head.framing == HTTP_BODY_CHUNKED)
		result = http_parser_chunked(
		    &req->parser, data, len, &used, on_body, c);
	req->text_used += used;
	return (result);
}

static enum conn_step
body_result(struct conn *c, enum http_result result)
{
	struct http_error *error = &c->req->parser.error;

	switch (result) {
	case HTTP_COMPLETE:
		return (dispatch(c));
	case HTTP_INCOMPLETE:
		return (CONN_MORE);
	default:
		break;
	}
	/* llhttp's own word for "the callback failed" is not the client's. */
	if (c->req->spool_error != 0) {
		errno = c->req->spool_error;
		return (spool_failed(c));
	}
	return (conn_refuse(c, error->status, error->reason, NULL));
}

static enum conn_step
take_head(struct conn *c, size_t used)
{
	struct request *req = c->req;
	enum http_result result;
	const char *why;

	req->head_len = req->text_used = used;
	if ((why = conn_judge(c)) != NULL)
		return (conn_refuse(c, 400, why, NULL));
	conn_enter(c, CONN_BODY);
	deadline_cancel(&c->deadline);
	if (req->head.framing == HTTP_BODY_LENGTH)
		spool_expect(&req->spool, req->head.content_length);
	result = take_early_body(c);
	if (result == HTTP_INCOMPLETE) {
		conn_progress(c, &c->list->body, spool_len(&req->spool));
		if (req->head.expect_continue && req->text_len == used)
			send_continue(c);
	}
	return (body_result(c, result));
}

/* Straight into the spool: no parser stands between. */
static enum conn_input
read_counted(struct conn *c, enum http_result *result)
{
	struct request *req = c->req;
	uint64_t left = req->head.content_length - spool_len(&req->spool);
	enum conn_input input;
	size_t room, len;
	void *to;

	to = spool_room(&req->spool, &room);
	*result = HTTP_BAD;
	if (to == NULL) {
		req->spool_error = errno;
		return (CONN_INPUT_SOME);
	}
	input = read_some(c, to, room < left ? room : (size_t)left, &len);
	if (input != CONN_INPUT_SOME)
		return (input);
	/* It may be the read that was short, not the socket. */
	if (len == left)
		c->readable = true;
	if (spool_commit(&req->spool, len) == -1)
		req->spool_error = errno;
	else
		*result = len == left ? HTTP_COMPLETE : HTTP_INCOMPLETE;
	return (CONN_INPUT_SOME);
}

static enum conn_input
read_chunked(struct conn *c, enum http_result *result)
{
	struct request *req = c->req;
	char *data = c->list->scratch;
	enum conn_input input;
	size_t len, used;

	input = read_some(c, data, CONN_SCRATCH_SIZE, &len);
	if (input != CONN_INPUT_SOME)
		return (input);
	*result =
	    http_parser_chunked(&req->parser, data, len, &used, on_body, c);
	/* What lies behind the body is the next request's. */
	if (*result == HTTP_COMPLETE && used < len &&
	    request_append(req, data + used, len - used) == -1) {
		req->spool_error = errno;
		*result = HTTP_BAD;
	}
	return (CONN_INPUT_SOME);
}

enum conn_step
conn_step_body(struct conn *c)
{
	enum http_result result = HTTP_BAD;
	enum conn_input input;

	if (c->owes_continue && c->writable)
		send_continue(c);
	if (c->req->head.framing == HTTP_BODY_LENGTH)
		input = read_counted(c, &result);
	else
		input = read_chunked(c, &result);
	if (input == CONN_INPUT_NONE)
		return (CONN_WAIT);
	if (input == CONN_INPUT_ENDED)
		return (CONN_CLOSE);
	c->owes_continue = false; /* it has not waited for it */
	if (result == HTTP_INCOMPLETE)
		conn_progress(c, &c->list->body, spool_len(&c->req->spool));
	return (body_result(c, result));
}

/* ---- while a thread has the request, and after the last reply ---- */

/*
 * The client has closed, perhaps only its own half.  A request that runs, or is
 * about to, is answered all the same; one that has to wait until a thread is free
 * is dropped: most likely somebody has lost patience, and nobody will read it.  Its
 * reply is over then without a head.
 */
static void
peer_gone(struct conn *c)
{
	struct pool *pool = c->list->settings.pool;
	bool drop = pool_queued(pool) + pool_running(pool) > pool_threads(pool);

	c->peer_closed = true;
	reply_set_gone(&c->req->reply, drop);
	if (drop && pool_cancel(pool, &c->req->job))
		conn_enter(c, CONN_REPLYING);
}

/*
 * A reset stands behind what had come before it, and no read tells of it as long as
 * that is there.  Not by SO_ERROR, which also has what ICMP says of a network that
 * may be back in a moment: RFC 1122 4.2.3.9.
 */
static bool
is_reset(const struct conn *c)
{
	struct pollfd pfd = {.fd = c->fd};

	return (
	    poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLERR | POLLHUP)) != 0);
}

void
conn_peer_check(struct conn *c)
{
	char byte;
	ssize_t n;

	if (c->peer_closed) {
		peer_gone(c);
		return;
	}
	n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0)
		peer_gone(c);
	else if (n > 0 && is_reset(c))
		conn_cut(c, strerrordesc_np(ECONNRESET));
	else if (n > 0)
		reply_want_wake(&c->req->reply);
	else if (errno == EAGAIN)
		c->readable = false;
	else if (errno != EINTR)
		conn_cut(c, strerrordesc_np(errno));
}

enum conn_step
conn_step_lingering(struct conn *c)
{
	size_t len;

	/* What still comes stays where it is, or a client that takes its reply
	 * slowly could send for ever. */
	if (c->deadline.queue == &c->list->send)
		return (
		    is_reset(c) || (c->peer_closed && conn_unconfirmed(c) == 0)
			? CONN_CLOSE
			: CONN_WAIT);
	switch (read_some(c, c->list->scratch, CONN_SCRATCH_SIZE, &len)) {
	case CONN_INPUT_SOME:
		return (CONN_MORE);
	case CONN_INPUT_NONE:
		return (CONN_WAIT);
	default:
		return (CONN_CLOSE);
	}
}
