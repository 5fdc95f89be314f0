/*
 * stub_app - an application without Python that says what it was asked.
 *
 * It speaks to reply.h as wsgi.c does, but in small steps, so that the loop has
 * its turns in between.  The letter behind the path's first slash chooses how it
 * answers: see the table in stub_app.c.
 */
#ifndef CGTHREAD_STUB_APP_H
#define CGTHREAD_STUB_APP_H

#include <stdbool.h>

#include "request.h"

struct stub_app {
	struct request *req; /* in hand, or NULL */
	const struct stub_app_row *row;
	unsigned step;
	char text[512]; /* what it was asked */
	size_t text_len;
	int fd; /* a file with some text; -1: none yet */
};

/* Takes a request up; steps follow until it has none in hand. */
void stub_app_begin(struct stub_app *, struct request *);
void stub_app_step(struct stub_app *);

/* May such a request's reply be cut? */
bool stub_app_may_fail(const struct request *);
/* Is it to be refused because the pool is full? */
bool stub_app_is_refused(const struct request *);

#endif
