/*
 * py_errors - wsgi.errors: lines of text into the error log.
 *
 * There is one object for the process.  What is written is gathered to lines
 * for each thread, so that the lines of two requests do not mix, whichever
 * thread holds the object.
 */
#ifndef CGTHREAD_PY_ERRORS_H
#define CGTHREAD_PY_ERRORS_H

#include "py_compat.h"

/* The object, a new reference; NULL with an exception.  Once, at the start. */
PyObject *py_errors_new(void);

/* Logs the calling thread's line in hand, if it has one. */
void py_errors_flush(void);

#endif
