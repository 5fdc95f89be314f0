/*
 * stub_pool - pool.h without threads: jobs wait until the test runs them, in the
 * one thread that there is.
 *
 * It stands in the place of pool.c in all fuzz targets.
 */
#ifndef CGTHREAD_STUB_POOL_H
#define CGTHREAD_STUB_POOL_H

#include <stdbool.h>

#include "pool.h"

/* The one pool; pool_*() take it as struct pool. */
struct pool *stub_pool_open(bool (*admit)(struct pool_job *));

/* The next job that was submitted, taken; NULL if there is none. */
struct pool_job *stub_pool_take(void);

/* Its threads have other things to do: jobs are left where they are. */
void stub_pool_set_busy(bool);
bool stub_pool_is_busy(void);

/* Runs what nobody waits for: pool_submit_aside(). */
void stub_pool_run_aside(void);

#endif
