/*
 * py_field - a request's fields as the HTTP_ variables of its environ.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_PY_FIELD_H
#define CGTHREAD_PY_FIELD_H

#include "py_compat.h"
#include "request.h"

int py_field_start(void); /* once; -1 with an exception */

/* Adds all of them, and CONTENT_TYPE and CONTENT_LENGTH.  -1 with an exception.
 */
int py_field_add_all(PyObject *environ, const struct request *);

#endif
