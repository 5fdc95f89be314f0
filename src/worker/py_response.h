/*
 * py_response - the way of a request's reply out of Python: start_response, the
 * write() that it returns, and the server's own sending of what is iterated
 * over.
 *
 * Both callables belong to one request and are detached from it when it is
 * over: what the application has kept raises RuntimeError then.  With the GIL,
 * which is released only while a slow reader is waited for.
 */
#ifndef CGTHREAD_PY_RESPONSE_H
#define CGTHREAD_PY_RESPONSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "py_compat.h"
#include "request.h"

struct py_writer;

/* A Python object: start_response. */
struct py_response {
	PyObject_HEAD vectorcallfunc call;
	pthread_t thread;        /* that runs the request */
	struct request *request; /* NULL: the request is over */
	struct py_writer *writer;
	bool started;  /* it was called, and what it was given was good */
	bool canceled; /* nobody waits for the reply any more */
	bool cut;      /* the body was longer than its Content-Length */
};

enum py_sending {
	PY_SENDING,      /* go on */
	PY_SENDING_OVER, /* no more bytes are wanted */
	PY_SENDING_ERROR /* an exception is set */
};

int py_response_start(void); /* once; -1 with an exception */

/* A new reference; NULL with an exception.  The request lives until the detach.
 */
struct py_response *py_response_new(struct request *);
void py_response_detach(struct py_response *);

/* A detached one to the next request of its thread. */
void py_response_attach(struct py_response *, struct request *);
/* Nobody but the caller has a reference to it or to its write(). */
bool py_response_is_unknown(const struct py_response *);

/*
 * Sends the head, if that has not been done.  known_length is that of the whole
 * body, or -1.  OVER means also: this reply has no body.
 */
enum py_sending py_response_begin(struct py_response *, int64_t known_length);

/*
 * Sends an item of the body, the head first if need be; an item without bytes
 * does nothing.  Waits before where the reader is behind.
 */
enum py_sending py_response_body(struct py_response *, PyObject *item);

#endif
