/*
 * py_traceback - Python exceptions as lines of the error log.
 */
#ifndef CGTHREAD_PY_TRACEBACK_H
#define CGTHREAD_PY_TRACEBACK_H

#include "macros.h"

/*
 * Logs the exception in hand with its traceback, behind what fmt says ("error
 * in GET / HTTP/1.1"), and clears it.  Never fails: where Python cannot format
 * it, the log has its type and the line of code.  With the GIL.
 */
void py_traceback_log(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
