/*
 * py_head - what start_response is given becomes the head of the reply.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_PY_HEAD_H
#define CGTHREAD_PY_HEAD_H

#include "http_reply.h"
#include "py_compat.h"

/*
 * The status and the list of fields into an empty head.  -1 with an exception:
 * the head then holds what stood before the fault.
 */
int py_head_put(struct http_reply *, PyObject *status, PyObject *headers);

#endif
