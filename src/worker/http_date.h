/*
 * http_date - the time as RFC 9110 5.6.7 writes it.
 *
 * Pure; any thread.  Arithmetic alone: no locale, no time zone and not the lock
 * that the C library keeps for it.
 */
#ifndef CGTHREAD_HTTP_DATE_H
#define CGTHREAD_HTTP_DATE_H

#include <time.h>

/* "Sun, 22 Nov 2026 14:03:07 GMT" and a NUL. */
#define HTTP_DATE_SIZE 30

/* A time before 1970 or after 9999 gives the nearest that can be written. */
void http_date(time_t, char buf[HTTP_DATE_SIZE]);

/* The same in memory of the calling thread, until its next call; written anew
 * only when the second is another than last time. */
const char *http_date_of_thread(time_t);

#endif
