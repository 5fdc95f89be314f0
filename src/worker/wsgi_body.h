/*
 * wsgi_body - what an application has returned, sent.
 *
 * With the GIL.
 */
#ifndef CGTHREAD_WSGI_BODY_H
#define CGTHREAD_WSGI_BODY_H

#include "py_response.h"

/*
 * Sends head and body.  0 when there is nothing more to be sent, be it that the
 * client has left; -1 with an exception.  Does not call result.close().
 */
int wsgi_body_send(struct py_response *, PyObject *result);

#endif
