/*
 * http_host - "host" and "host:port" as Host, a target and those who forward
 * them have it: RFC 9110 7.2, RFC 3986 3.2.2.
 *
 * Pure.
 */
#ifndef CGTHREAD_HTTP_HOST_H
#define CGTHREAD_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* A host, which is not empty, and perhaps a colon and the digits of a port. */
bool http_host_is_valid(const char *text, size_t len);

#endif
