/*
 * py_threading - our threads as the threading module sees them.
 *
 * To it, a thread that it did not start is a "dummy": what such a thread starts
 * is not waited for at the end, and, in some versions of Python, a process of
 * multiprocessing that it forks ends with status 1.  An application must not
 * notice that its requests run in such threads.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_PY_THREADING_H
#define CGTHREAD_PY_THREADING_H

int py_threading_start(void); /* once, main thread; -1 with an exception */

/* Introduces the calling thread.  -1 with an exception. */
int py_threading_adopt(unsigned number);

#endif
