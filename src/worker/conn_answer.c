/*
 * conn_answer - see conn_answer.h.
 */
#include "conn_answer.h"

#include <inttypes.h>

#include "log.h"

/* ---- the log ---- */

bool
conn_may_tell(struct conn *c)
{
	return (log_is_on(LOG_LEVEL_INFO) &&
		throttle_allows(&c->list->refusals, c->list->now_ms));
}

void
conn_tell_others(struct conn_list *list)
{
	uint64_t count = throttle_take(&list->refusals, list->now_ms);

	if (count > 0)
		log_info("%" PRIu64 " more refused than log_refused tells of",
		    count);
}

static void
log_refusal(struct conn *c, int status, const char *reason)
{
	char line[256], address[INET6_ADDRSTRLEN];

	if (!conn_may_tell(c))
		return;
	request_line(c->req, line, sizeof(line));
	log_info("%s: %d %s: %s: \"%s\"", peer_format(&c->peer, address),
	    status, http_reply_phrase(status), reason, line);
}

/* ---- answers ---- */

enum conn_step
conn_answer(struct conn *c, int status, bool keep_alive, const char *extra)
{
	struct http_reply_context context;
	struct reply *reply = &c->req->reply;

	request_reply_context(c->req, &context);
	context.keep_alive = context.keep_alive && keep_alive;
	if (http_reply_error(&reply->head, &context, status, extra) == -1) {
		log_warn("reply");
		request_fail(c->req);
		return (CONN_CLOSE);
	}
	reply_put_head(reply);
	return (CONN_MORE);
}

enum conn_step
conn_refuse(struct conn *c, int status, const char *reason, const char *extra)
{
	log_refusal(c, status, reason);
	c->req->reason = reason;
	deadline_cancel(&c->deadline);
	conn_enter(c, CONN_REPLYING);
	c->linger = true;
	return (conn_answer(c, status, false, extra));
}

enum conn_step
conn_busy(struct conn *c, const char *why)
{
	struct conn_list *list = c->list;

	saturation_refuse(
	    &list->saturation, list->settings.pool, why, list->now_ms);
	c->req->reason = why;
	conn_enter(c, CONN_REPLYING);
	return (conn_answer(c, 503, true, "Retry-After: 1\r\n"));
}

enum conn_step
conn_queue_timeout(struct conn *c)
{
	if (!pool_cancel(c->list->settings.pool, &c->req->job))
		return (CONN_WAIT); /* a thread has it, that is no concern */
	return (conn_busy(c, "queue_timeout"));
}
