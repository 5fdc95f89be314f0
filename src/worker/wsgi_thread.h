/*
 * wsgi_thread - the objects of a pool thread that serve one request after the
 * other: start_response, wsgi.input and cgthread.client_disconnected.
 *
 * An object is used again only if nobody but its thread knows it when the
 * request is over.  One that the application has kept stays detached for good,
 * and the next request gets a new one: it could not be told from the old
 * request's otherwise.  With the GIL, which alone makes reference counts and
 * the use of them one step.
 */
#ifndef CGTHREAD_WSGI_THREAD_H
#define CGTHREAD_WSGI_THREAD_H

#include "py_compat.h"
#include "py_response.h"
#include "request.h"

/* Owned by the request that has taken them. */
struct wsgi_objects {
	struct py_response *response;
	PyObject *disconnected;
	PyObject *input; /* NULL: no body, so the shared empty one */
};

/* -1 with an exception; what could be had is there and to be given back. */
int wsgi_thread_take(struct wsgi_objects *, struct request *);

/* Whatever the application has kept does not reach the request any more. */
void wsgi_thread_detach(struct wsgi_objects *);

/* Detached before, and environ let go of. */
void wsgi_thread_give_back(struct wsgi_objects *);

/* The calling thread runs no more requests. */
void wsgi_thread_end(void);

#endif
