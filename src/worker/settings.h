/*
 * settings - what the configuration means for the parts of a worker.  What is not
 * the configuration's to say is left zero, for the worker to fill in.
 */
#ifndef CGTHREAD_SETTINGS_H
#define CGTHREAD_SETTINGS_H

#include "acceptor.h"
#include "conn.h"
#include "config.h"
#include "heritage.h"
#include "pool.h"
#include "request.h"

/* All but the completion list. */
void settings_context(
    struct request_context *, const struct config *, const struct heritage *);

/* The strings in it are the configuration's. */
struct conn_settings settings_conn(const struct config *);

struct acceptor_settings settings_acceptor(
    const struct config *, const struct heritage *);

struct pool_settings settings_pool(const struct config *);

#endif
