/*
 * python - the embedded interpreter, from its start to its end.
 *
 * No Python type shows here: the loop's side of the worker never sees Python.h.
 * All of these are called by the worker's main thread, in this order:
 *
 *	python_start     the interpreter is up, the main thread holds the GIL
 *	python_load      the application is imported and wsgi_call can run it
 *	python_release   the GIL is given up; the loop never takes it again
 *	  ... pool threads come and go through python_gate() ...
 *	python_finish    atexit, threading._shutdown; only _exit(2) is left
 */
#ifndef CGTHREAD_PYTHON_H
#define CGTHREAD_PYTHON_H

#include "config.h"
#include "pool.h"
#include "request.h"

/* 0, or -1 with the reason logged.  The context outlives the interpreter. */
int python_start(const struct config *, const struct request_context *);

/* Imports cfg->wsgi_app.  0, or -1 with the traceback logged. */
int python_load(const struct config *);

void python_release(void);

const struct pool_gate *python_gate(void);

/* "3.11.2", for the log. */
const char *python_version(void);

/*
 * Waits for the application's own non-daemon threads and runs what it
 * registered with atexit.  It may never return (a thread of the application
 * holds the GIL): whoever calls it bounds it by a timer that ends the process.
 */
void python_finish(void);

#endif
