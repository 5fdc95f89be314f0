/*
 * wsgi - one call of the application, by PEP 3333.
 *
 * Runs in a pool thread, inside the gate (with the GIL).  Whatever the
 * application does, it ends with reply_end(): the request is the loop's again
 * when wsgi_run() returns, and its iterable has been closed exactly once.
 */
#ifndef CGTHREAD_WSGI_H
#define CGTHREAD_WSGI_H

#include "request.h"

void wsgi_run(struct request *, unsigned thread);

#endif
