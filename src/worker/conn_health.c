/*
 * conn_health - the answer to health_path, by the loop: see conn_answer.h.
 *
 * It comes even while every thread is busy, and says so: whoever asks can tell a
 * server that has too much to do from one that is gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conn_answer.h"

#define BODY_SIZE 256

bool
conn_is_health(const struct conn *c)
{
	const char *path = c->list->settings.health_path;
	const struct http_text *asked = &c->req->head.path;

	return (path[0] != '\0' && asked->len == strlen(path) &&
		memcmp(c->req->text + asked->offset, path, asked->len) == 0);
}

static bool
has_method(const struct request *req, const char *method)
{
	const struct http_text *asked = &req->head.method;

	return (asked->len == strlen(method) &&
		memcmp(req->text + asked->offset, method, asked->len) == 0);
}

static const char *
state_of(const struct conn_list *list)
{
	if (list->settings.context->draining)
		return ("draining");
	return (list->saturation.since_ms != 0 ? "saturated" : "ok");
}

static int
format(const struct conn_list *list, char buf[BODY_SIZE])
{
	const struct pool *pool = list->settings.pool;
	uint64_t busy_ms = saturation_age_ms(&list->saturation, list->now_ms);

	return (snprintf(buf, BODY_SIZE,
	    "{\"state\": \"%s\", \"worker\": %u, \"threads\": %u, "
	    "\"running\": %u, \"queued\": %u, \"saturated_ms\": %" PRIu64
	    ", \"connections\": %zu}\n",
	    state_of(list), list->settings.context->slot, pool_threads(pool),
	    pool_running(pool), pool_queued(pool), busy_ms, list->count));
}

static int
add_field(struct http_reply *head, const char *name, const char *value)
{
	const char *why;

	return (http_reply_field(
	    head, name, strlen(name), value, strlen(value), &why));
}

static int
start(struct http_reply *head, const char *status)
{
	const char *why;

	if (http_reply_status(head, status, strlen(status), &why) == -1 ||
	    add_field(head, "Content-Type", "application/json") == -1)
		return (-1);
	return (add_field(head, "Cache-Control", "no-store"));
}

enum conn_step
conn_health(struct conn *c)
{
	struct reply *reply = &c->req->reply;
	struct http_reply_context context;
	bool draining = c->list->settings.context->draining;
	char body[BODY_SIZE];
	size_t taken;
	int len;

	conn_enter(c, CONN_REPLYING);
	if (!has_method(c->req, "GET") && !has_method(c->req, "HEAD"))
		return (conn_answer(c, 405, true, "Allow: GET, HEAD\r\n"));
	len = format(c->list, body);
	ASSERT(len > 0 && len < BODY_SIZE);
	request_reply_context(c->req, &context);
	if (start(&reply->head,
		draining ? "503 Service Unavailable" : "200 OK") == -1 ||
	    reply_begin(reply, &context, len) == -1 ||
	    reply_body(reply, body, (size_t)len, &taken) == -1)
		return (CONN_CLOSE);
	reply_finish(reply, true);
	reply_take_own(reply);
	return (CONN_MORE);
}
