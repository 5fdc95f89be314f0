/*
 * py_input - wsgi.input: the whole body of a request as a binary file, to be
 * read in any order and more than once.
 *
 * It shows memory of the request's; py_input_detach() cuts it off when the
 * request is over, and what the application has kept raises ValueError then.
 * With the GIL.
 */
#ifndef CGTHREAD_PY_INPUT_H
#define CGTHREAD_PY_INPUT_H

#include "py_compat.h"

int py_input_start(void); /* once; -1 with an exception */

/* A new reference; NULL with an exception.  data lives until the detach. */
PyObject *py_input_new(const char *data, size_t len);
void py_input_attach(PyObject *, const char *data, size_t len); /* the next */
void py_input_detach(PyObject *);

/*
 * The input of all requests without a body (borrowed): it has no state, so that
 * they can share it.
 */
PyObject *py_input_empty(void);

#endif
