/*
 * py_interpreter - libpython made to behave like the python3 that the
 * application was installed for.
 *
 * Main thread only.
 */
#ifndef CGTHREAD_PY_INTERPRETER_H
#define CGTHREAD_PY_INTERPRETER_H

#include "config.h"

/* Starts it with our sys.path; -1 with the reason logged. */
int py_interpreter_start(const struct config *);

/* threading._shutdown, atexit, sys.stdout and stderr flushed.  With the GIL. */
void py_interpreter_finish(void);

#endif
