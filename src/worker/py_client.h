/*
 * py_client - cgthread.client_disconnected: a callable that tells whether
 * anyone still waits for the reply.
 *
 * It reads the reply's word, never the connection, which is the loop's.  Once
 * detached from its request it says True.  With the GIL.
 */
#ifndef CGTHREAD_PY_CLIENT_H
#define CGTHREAD_PY_CLIENT_H

#include "py_compat.h"
#include "reply.h"

int py_client_start(void); /* once; -1 with an exception */

/* A new reference; NULL with an exception.  The reply lives until the detach.
 */
PyObject *py_client_new(const struct reply *);
void py_client_attach(PyObject *, const struct reply *); /* to the next */
void py_client_detach(PyObject *);

#endif
