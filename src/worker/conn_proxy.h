/*
 * conn_proxy - who is at the other end of a connection, and of each of its
 * requests, where proxies stand between.  A part of conn: see conn_private.h.
 */
#ifndef CGTHREAD_CONN_PROXY_H
#define CGTHREAD_CONN_PROXY_H

#include "conn_private.h"

/* Who it is of from now on. */
void conn_set_peer(struct conn *, const struct peer *);

/* CONN_PROXY: reads the PROXY header, if there is one. */
enum conn_step conn_step_proxy(struct conn *);

/* The connection does not begin as it should. */
enum conn_step conn_refuse_proxy(struct conn *, const char *why);

/* The head is complete: what do proxies say of it?  NULL, or why it is a 400. */
const char *conn_judge(struct conn *);

#endif
