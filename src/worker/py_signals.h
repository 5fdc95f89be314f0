/*
 * py_signals - the handlers that the server needs, kept through code of others.
 *
 * Main thread, before others are started.
 */
#ifndef CGTHREAD_PY_SIGNALS_H
#define CGTHREAD_PY_SIGNALS_H

#include <signal.h>

#define PY_SIGNALS_COUNT 10

struct py_signals {
	struct sigaction actions[PY_SIGNALS_COUNT];
};

void py_signals_save(struct py_signals *);

/*
 * Puts back what was saved; for each signal that had been changed there is a
 * warning that names it, where who (the application) is not NULL.
 */
void py_signals_restore(const struct py_signals *, const char *who);

#endif
