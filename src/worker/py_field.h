/*
 * py_field - a request's fields as the HTTP_ variables of its environ.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_PY_FIELD_H
#define CGTHREAD_PY_FIELD_H

#include "py_compat.h"
#include "request.h"

/* Once, with what is kept from applications; -1 with an exception. */
int py_field_start(const struct proxy_rules *);

/* Adds all of them, and CONTENT_TYPE and CONTENT_LENGTH.  -1 with an exception.
 */
int py_field_add_all(PyObject *environ, const struct request *);

#endif
