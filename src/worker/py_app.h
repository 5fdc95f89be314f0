/*
 * py_app - the application: found, imported, and the context that it left.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_PY_APP_H
#define CGTHREAD_PY_APP_H

#include "config.h"
#include "py_compat.h"

/*
 * Imports what cfg->wsgi_app names: "module", "module:attribute.path" or
 * "module:factory()".  Main thread; -1 with the reason logged.
 */
int py_app_load(const struct config *);

PyObject *py_app(void); /* the callable, borrowed */

/*
 * A new copy of the context variables as the import left them: each request has
 * its own.  NULL with an exception.
 */
PyObject *py_app_context(void);

/*
 * To be asked whenever the application's code has returned: if that was in a
 * process that it forked, the process ends here.  The request is its parent's.
 */
void py_app_end_fork(void);

#endif
