/*
 * reply_app - who makes the replies of reply_stress, as an application would: some
 * in one go, some in pieces of all kinds, flushed or not, until it has to wait for
 * room.
 */
#ifndef CGTHREAD_REPLY_APP_H
#define CGTHREAD_REPLY_APP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "macros.h"
#include "reply.h"
#include "reply_client.h"

#define REPLY_APP_PIECE_MAX 20000
#define REPLY_APP_BUSY_MAX  100000

struct reply_app {
	struct reply reply;

	/* what it is to be; the loop's, but while a thread has it */
	unsigned random;
	size_t total;
	bool keep_alive, flushes;
	int body_fd; /* (const) the pattern of all bodies */

	/* the same: what became of it */
	unsigned nrefs;       /* pieces lent */
	unsigned long nwaits; /* for room, in all replies */

	unsigned nreleased; /* (loop) lent pieces that came back */
};

static inline unsigned
reply_random(unsigned *state, unsigned bound)
{
	*state = *state * 1103515245u + 12345u;
	return ((*state >> 12) % bound);
}

/* Runs where the loop lets go of a piece. */
static inline void
reply_app_release(struct pool_job *job, void *arg, unsigned thread UNUSED)
{
	struct outbox_chunk *chunk =
	    CONTAINER_OF(job, struct outbox_chunk, release);
	struct reply_app *app = arg;

	ASSERT(chunk->owner == app);
	app->nreleased++;
	free(chunk);
}

/* Long enough for the loop to fall asleep meanwhile, or just not. */
static inline void
reply_app_compute(struct reply_app *app)
{
	volatile unsigned left = reply_random(&app->random, REPLY_APP_BUSY_MAX);

	while (left > 0)
		left--;
}

static inline int
reply_app_add(struct reply_app *app, const char *data, size_t len)
{
	struct reply *r = &app->reply;
	size_t taken = 0;
	int fd, error = 0;

	switch (reply_random(&app->random, 4)) {
	case 0:
		fd = dup(app->body_fd);
		ASSERT(fd != -1);
		return (reply_file(r, fd, data - body_pattern, len));
	case 1:
		error = reply_body_ref(
		    r, data, len, &taken, reply_app_release, app);
		if (error == 0 && taken > 0)
			app->nrefs++;
		break;
	default:
		error = reply_body(r, data, len, &taken);
	}
	ASSERT(error == -1 || taken == len);
	return (error);
}

/* False: the reply has been aborted. */
static inline bool
reply_app_write(struct reply_app *app)
{
	const char *data = body_of(app->total);
	size_t left = app->total, len;

	while (left > 0) {
		len = 1 + reply_random(&app->random, REPLY_APP_PIECE_MAX);
		len = len < left ? len : left;
		if (reply_app_add(app, data, len) == -1)
			break;
		data += len;
		left -= len;
		if (app->flushes && reply_random(&app->random, 2) == 0)
			reply_flush(&app->reply);
		if (reply_is_full(&app->reply)) {
			app->nwaits++;
			if (reply_wait(&app->reply) == -1)
				break;
		}
	}
	ASSERT(left == 0 || errno == ECANCELED);
	return (left == 0);
}

static inline void
reply_app_run(struct reply_app *app)
{
	struct reply *r = &app->reply;
	struct http_reply_context context = {
	    .keep_alive = app->keep_alive, .server = "stress"};
	const char *why;
	int error;
	bool complete = false;

	if (!reply_start(r)) {
		reply_end(r);
		return;
	}
	reply_app_compute(app);
	error = http_reply_status(&r->head, "200 OK", 6, &why);
	ASSERT(error == 0);
	if (reply_begin(r, &context, (int64_t)app->total) == 0)
		complete = reply_app_write(app);
	else
		ASSERT(errno == ECANCELED);
	reply_finish(r, complete);
	if (app->flushes && reply_random(&app->random, 2) == 0)
		reply_flush(r); /* as before the application's close() */
	reply_end(r);
}

#endif
