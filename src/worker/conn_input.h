/*
 * conn_input - what a connection reads, for those who look at it before it is a
 * request.  A part of conn: see conn_private.h.
 */
#ifndef CGTHREAD_CONN_INPUT_H
#define CGTHREAD_CONN_INPUT_H

#include "conn_private.h"

/* What reading has come to. */
enum conn_input {
	CONN_INPUT_SOME,
	CONN_INPUT_NONE,  /* nothing there: wait for an edge */
	CONN_INPUT_ENDED, /* the peer has closed, or the connection broke */
};

/* Room for one read. */
#define CONN_READ_MIN 1024

/* Reads once, behind the text of the request in hand, into the room that it has.
 */
enum conn_input conn_read_text(struct conn *);

/* Not a byte of a request has come: the connection ended, or the edge was an old
 * one. */
enum conn_step conn_back_to_idle(struct conn *, enum conn_input);

/*
 * A next request, with what the one in hand had already read of it.  NULL:
 * ENOMEM. c->req is still the one in hand.
 */
struct request *conn_next_request(struct conn *);

/* A last look, before a connection is closed that the peer believes is open: a
 * request may have come that no event has told of yet. */
bool conn_has_input(struct conn *);

/* Something came while a thread has the request: the peer's end, an error, or
 * only its next request?  It may be RUNNING no more. */
void conn_peer_check(struct conn *);

/* Steps of the machine. */
enum conn_step conn_step_idle(struct conn *);
enum conn_step conn_step_head(struct conn *);
enum conn_step conn_step_body(struct conn *);
enum conn_step conn_step_lingering(struct conn *);

/* Makes a request one of the connection as it is now. */
void conn_begin_request(struct conn *, struct request *);

#endif
