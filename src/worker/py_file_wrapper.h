/*
 * py_file_wrapper - wsgi.file_wrapper: a file as an application's result.
 *
 * It is an iterable of blocks like any other; but if the server gets back the
 * very object, and there is a real file behind it, the file is sent by the
 * kernel. With the GIL.
 */
#ifndef CGTHREAD_PY_FILE_WRAPPER_H
#define CGTHREAD_PY_FILE_WRAPPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "py_compat.h"

/* The type, which is what environ holds (borrowed); NULL with an exception. */
PyObject *py_file_wrapper_type(void);
bool py_file_wrapper_check(PyObject *);

/* What is left to read of a regular file, independent of the Python object. */
struct py_file_span {
	int fd; /* ours, close-on-exec and registered: fork_guard_close() */
	off_t offset;
	size_t len;
};

/*
 * 1 with *span, 0 where the wrapper must be iterated over, -1 with an
 * exception.
 */
int py_file_wrapper_open(PyObject *wrapper, struct py_file_span *span);

#endif
