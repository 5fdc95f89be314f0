/*
 * http_escape - RFC 3986 2.1: bytes of a path as %XX.
 */
#ifndef CGTHREAD_HTTP_ESCAPE_H
#define CGTHREAD_HTTP_ESCAPE_H

#include <stddef.h>

/* Undoes it; what is no escape stays.  Returns the length, at most len. */
size_t http_unescape(char *to, const char *path, size_t len);

#endif
