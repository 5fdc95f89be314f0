/* stub_app - see stub_app.h. */
#include "stub_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "macros.h"

#define BIG_PIECE 8192
#define BIG_STEPS 5
#define FILE_SIZE 5000

typedef bool step_fn(struct stub_app *); /* false: it was the last */

static step_fn say_once, stream, say_refs, say_file, say_big, fail, say_nothing;

struct stub_app_row {
	char letter;
	const char *status, *name, *value; /* a field, or NULL */
	step_fn *step;
	bool is_known; /* the length, to the server */
	bool may_fail;
};

/* clang-format off */
static const struct stub_app_row rows[] = {
	{ 'k', "200 OK", NULL, NULL, say_once, true, false }, /* any other */
	{ 's', "200 Streamed", NULL, NULL, stream, false, false },
	{ 'r', "200 By reference", NULL, NULL, say_refs, false, false },
	{ 'f', "200 A file", NULL, NULL, say_file, false, false },
	{ 'b', "200 Big", NULL, NULL, say_big, false, false },
	{ 'x', "200 Fails", NULL, NULL, fail, false, true },
	{ 'n', "200 Says nothing", NULL, NULL, say_nothing, false, true },
	{ 'l', "200 Short", "Content-Length", "1000", say_once, false, true },
	{ 'm', "200 Long", "Content-Length", "2", say_once, false, false },
	{ 'c', "200 Closes", "Connection", "close", say_once, true, false },
	{ '2', "204 No Content", NULL, NULL, say_once, false, false },
	{ '3', "304 Not Modified", "Content-Length", "9", say_once, false,
	  false },
	{ 'q', "", NULL, NULL, NULL, false, false }, /* refused */
};
/* clang-format on */

static const struct stub_app_row *
row_of(const struct request *req)
{
	const struct http_text *path = &req->head.path;
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		if (path->len > 1 &&
		    req->text[path->offset + 1] == rows[i].letter)
			return (&rows[i]);
	return (&rows[0]);
}

bool
stub_app_may_fail(const struct request *req)
{
	return (row_of(req)->may_fail);
}

bool
stub_app_is_refused(const struct request *req)
{
	return (row_of(req)->step == NULL);
}

/* ---- steps ---- */

static void
body(struct stub_app *app, const char *data, size_t len)
{
	size_t taken;
	int result = reply_body(&app->req->reply, data, len, &taken);

	ASSERT(result == 0 || reply_is_gone(&app->req->reply));
}

static bool
say_once(struct stub_app *app)
{
	body(app, app->text, app->text_len);
	return (false);
}

static bool
stream(struct stub_app *app)
{
	size_t third = app->text_len / 3, at = third * app->step;
	bool last = app->step == 2;

	body(app, app->text + at, last ? app->text_len - at : third);
	reply_flush(&app->req->reply);
	return (!last);
}

static void
release(struct pool_job *job, void *arg UNUSED, unsigned thread UNUSED)
{
	struct outbox_chunk *chunk =
	    CONTAINER_OF(job, struct outbox_chunk, release);

	free(chunk->owner);
	free(chunk);
}

static bool
say_refs(struct stub_app *app)
{
	char *data = malloc(app->text_len);
	size_t taken;

	ASSERT(data != NULL);
	memcpy(data, app->text, app->text_len);
	if (reply_body_ref(&app->req->reply, data, app->text_len, &taken,
		release, data) == -1 ||
	    taken == 0)
		free(data);
	return (app->step < 2);
}

static bool
say_file(struct stub_app *app)
{
	static const char text[FILE_SIZE];
	int fd;

	if (app->fd == -1) {
		app->fd = memfd_create("stub_app", MFD_CLOEXEC);
		ASSERT(write(app->fd, text, FILE_SIZE) == FILE_SIZE);
	}
	fd = dup(app->fd);
	ASSERT(fd != -1);
	reply_file(&app->req->reply, fd, app->step, FILE_SIZE / 2);
	return (app->step < 1);
}

/* Waits, as a thread would in reply_wait(), while the reply is full. */
static bool
say_big(struct stub_app *app)
{
	static const char text[BIG_PIECE];
	struct reply *reply = &app->req->reply;

	if (reply_is_full(reply) && !reply_is_gone(reply)) {
		reply_flush(reply);
		app->step--;
		return (true);
	}
	body(app, text, BIG_PIECE);
	return (app->step < BIG_STEPS);
}

static bool
fail(struct stub_app *app)
{
	body(app, app->text, app->text_len);
	reply_flush(&app->req->reply);
	if (app->step == 0)
		return (true);
	reply_finish(&app->req->reply, false);
	return (false);
}

static bool
say_nothing(struct stub_app *app UNUSED)
{
	return (false);
}

/* ---- a request ---- */

static unsigned
sum(const char *data, size_t len)
{
	unsigned value = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		value = (value ^ (unsigned char)data[i]) * 16777619u;
	return (value);
}

static void
compose(struct stub_app *app)
{
	const struct request *req = app->req;
	const struct http_head *head = &req->head;
	char address[INET6_ADDRSTRLEN];
	int n = snprintf(app->text, sizeof(app->text),
	    "%s %.*s %.*s ? %.*s, %u fields, %zu bytes %08x\n",
	    peer_format(&req->peer, address), (int)head->method.len,
	    req->text + head->method.offset, (int)head->path.len,
	    req->text + head->path.offset, (int)head->query.len,
	    req->text + head->query.offset, head->nfields, req->body_len,
	    sum(req->body, req->body_len));

	ASSERT(n > 0 && (size_t)n < sizeof(app->text));
	app->text_len = (size_t)n;
}

/* -1: the server does not want it any more. */
static int
send_head(struct stub_app *app)
{
	const struct stub_app_row *row = app->row;
	struct reply *reply = &app->req->reply;
	struct http_reply_context context;
	const char *why;
	int result = http_reply_status(
	    &reply->head, row->status, strlen(row->status), &why);

	ASSERT(result == 0);
	if (row->name != NULL)
		result = http_reply_field(&reply->head, row->name,
		    strlen(row->name), row->value, strlen(row->value), &why);
	ASSERT(result == 0);
	request_reply_context(app->req, &context);
	return (reply_begin(
	    reply, &context, row->is_known ? (int64_t)app->text_len : -1));
}

void
stub_app_begin(struct stub_app *app, struct request *req)
{
	ASSERT(app->req == NULL && req->reply.fd != -1);
	app->req = req;
	app->row = row_of(req);
	app->step = 0;
	req->thread = 1;
	req->taken_ns = request_stamp(req);
	compose(app);
	if (reply_start(&req->reply) && app->row->step != say_nothing &&
	    send_head(app) == 0)
		return;
	app->req = NULL;
	reply_end(&req->reply);
}

void
stub_app_step(struct stub_app *app)
{
	struct request *req = app->req;

	if (app->row->step(app)) {
		app->step++;
		return;
	}
	if (!req->reply.finished)
		reply_finish(&req->reply, true);
	app->req = NULL;
	reply_end(&req->reply);
}
