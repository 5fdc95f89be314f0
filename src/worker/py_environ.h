/*
 * py_environ - a request's environ: RFC 3875's names, PEP 3333's objects.
 *
 * What is the same for all requests stands in one dict that is copied, and the
 * names of common fields are made once.  With the GIL.
 */
#ifndef CGTHREAD_PY_ENVIRON_H
#define CGTHREAD_PY_ENVIRON_H

#include <stdbool.h>

#include "py_compat.h"
#include "request.h"

/* Once; the context's settings do not change afterwards.  -1 with an exception.
 */
int py_environ_start(const struct request_context *);

/*
 * A new dict, or NULL with an exception.  input is NULL where the request has
 * no body; disconnected is cgthread.client_disconnected.
 */
PyObject *py_environ_new(const struct request *, unsigned thread,
    PyObject *input, PyObject *disconnected);

/* Whether the calling thread has kept a reference to it for its next one. */
bool py_environ_keeps(const PyObject *disconnected);

/* The calling thread will make no more; it lets go of what it has kept. */
void py_environ_end_thread(void);

#endif
