/* request - see request.h. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "macros.h"

#define REQUEST_MAGIC 0x72657131u

/* First room for a request's head; most fit. */
#define TEXT_SIZE_FIRST 2048

/* A larger buffer of text is not kept for the next request. */
#define TEXT_KEPT_MAX 16384

struct request *
request_new(struct request_context *context)
{
	struct request *req = malloc(sizeof(*req));

	if (req == NULL)
		return (NULL);
	/* The table of fields is large and written before it is read. */
	memset(req, 0, offsetof(struct request, head));
	memset(&req->head, 0, offsetof(struct http_head, fields));
	memset((char *)req + offsetof(struct request, peer), 0,
	    sizeof(*req) - offsetof(struct request, peer));
	req->magic = REQUEST_MAGIC;
	req->context = context;
	reply_init(&req->reply, &context->completions, context->high_watermark);
	spool_init(&req->spool, context->body_buffer, &context->memory,
	    context->spool_dir);
	http_parser_init(&req->parser, &req->head, &context->limits);
	return (req);
}

static void
free_text(struct request *req)
{
	free(req->text);
	req->text = NULL;
	budget_give(&req->context->memory, req->text_size);
	req->text_size = 0;
}

/* By doubling, so that a head that drips in is not copied for each byte. */
int
request_reserve(struct request *req, size_t room)
{
	size_t size = req->text_size != 0 ? req->text_size : TEXT_SIZE_FIRST;
	char *text;

	if (req->text_size - req->text_len >= room)
		return (0);
	while (size - req->text_len < room)
		size *= 2;
	if (size <= TEXT_SIZE_FIRST) /* that much, each may have */
		budget_count(&req->context->memory, size - req->text_size);
	else if (!budget_take(&req->context->memory, size - req->text_size)) {
		errno = ENOBUFS;
		return (-1);
	}
	text = realloc(req->text, size);
	if (text == NULL) {
		budget_give(&req->context->memory, size - req->text_size);
		return (-1);
	}
	req->text = text;
	req->text_size = size;
	return (0);
}

int
request_append(struct request *req, const char *data, size_t len)
{
	if (request_reserve(req, len) == -1)
		return (-1);
	memcpy(req->text + req->text_len, data, len);
	req->text_len += len;
	return (0);
}

void
request_reset(struct request *req)
{
	ASSERT(req->magic == REQUEST_MAGIC);
	if (req->text_size > TEXT_KEPT_MAX)
		free_text(req);
	req->text_len = req->head_len = req->parsed = req->text_used = 0;
	req->body = NULL;
	req->body_len = 0;
	req->forwarded.is_set = false;
	req->path_skip = 0;
	req->conn = NULL;
	req->spool_error = 0;
	req->thread = 0;
	req->queued_ns = req->taken_ns = 0;
	req->reason = NULL;
	req->is_cut = false;
	req->status_unsent = 0;
	reply_reset(&req->reply);
	spool_fini(&req->spool);
	http_parser_init(&req->parser, &req->head, &req->context->limits);
}

void
request_free(struct request **reqp)
{
	struct request *req = *reqp;

	*reqp = NULL;
	if (req == NULL)
		return;
	ASSERT(req->magic == REQUEST_MAGIC);
	explicit_bzero(&req->magic, sizeof(req->magic));
	reply_fini(&req->reply);
	spool_fini(&req->spool);
	free_text(req);
	free(req);
}

void
request_begin(struct request *req)
{
	req->number = ++req->context->nbegun;
	req->begun_ns = request_stamp(req);
	req->reply.is_timed = req->context->is_timed;
}

void
request_fail(struct request *req)
{
	request_cut(req, "no memory");
	req->status_unsent = 500;
}

void
request_cut(struct request *req, const char *why)
{
	if (req->reason == NULL)
		req->reason = why;
	req->is_cut = true;
}

struct request *
request_of_job(struct pool_job *job)
{
	struct request *req = CONTAINER_OF(job, struct request, job);

	ASSERT(req->magic == REQUEST_MAGIC);
	return (req);
}

struct request *
request_of_completion(struct completion *completion)
{
	struct request *req =
	    CONTAINER_OF(completion, struct request, reply.completion);

	ASSERT(req->magic == REQUEST_MAGIC);
	return (req);
}

void
request_reply_context(
    const struct request *req, struct http_reply_context *context)
{
	bool known = req->head_len > 0; /* else the head never became whole */

	context->is_head = req->head.is_head;
	context->is_http10 = known && req->head.minor == 0;
	context->keep_alive = known && req->head.keep_alive &&
			      req->context->keep_alive &&
			      !atomic_load_explicit(&req->context->draining,
				  memory_order_relaxed);
	context->server = req->context->server_header;
	context->now = time(NULL);
}

/*
 * Behind the empty lines that may stand before it, and no others: where a line that
 * is no request has been refused, what follows is not what it was refused for.
 */
struct http_text
request_line_text(const struct request *req)
{
	struct http_text line = {0, 0};
	size_t at = 0, end;
	unsigned blank;

	for (blank = 0; blank < HTTP_BLANK_LINES_MAX; blank++, at += 2)
		if (req->text_len - at < 2 || req->text[at] != '\r' ||
		    req->text[at + 1] != '\n')
			break;
	for (end = at; end < req->text_len; end++)
		if (req->text[end] == '\r' || req->text[end] == '\n')
			break;
	line.offset = (uint32_t)at;
	line.len = (uint32_t)(end - at);
	return (line);
}

void
request_line(const struct request *req, char *buf, size_t size)
{
	static const char nul[] = "\\x00";
	struct http_text line = request_line_text(req);
	size_t i, len, at = 0;
	const char *byte;

	for (i = 0; i < line.len; i++) {
		byte = &req->text[line.offset + i];
		len = *byte != '\0' ? 1 : sizeof(nul) - 1;
		if (at + len >= size)
			break;
		memcpy(buf + at, *byte != '\0' ? byte : nul, len);
		at += len;
	}
	buf[at] = '\0';
}
