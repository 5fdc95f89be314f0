/*
 * fake_gate - the fake_gil as the gate of a pool: it says when it is free, and
 * tells the pool of each drop after which it is.
 */
#ifndef CGTHREAD_FAKE_GATE_H
#define CGTHREAD_FAKE_GATE_H

#include <stddef.h>

#include "fake_gil.h"
#include "macros.h"
#include "pool.h"

static inline int
fake_gate_attach(void *gil UNUSED, unsigned thread UNUSED)
{
	return (0);
}

static inline void
fake_gate_enter(void *gil)
{
	fake_gil_take(gil, FAKE_GIL_FOR_EVER);
}

static inline void
fake_gate_leave(void *gil)
{
	fake_gil_drop(gil);
}

static inline void
fake_gate_detach(void *gil UNUSED)
{
}

static inline bool
fake_gate_is_free(void *arg)
{
	struct fake_gil *gil = arg;

	return (!atomic_load(&gil->held) && atomic_load(&gil->waiters) == 0);
}

/* Opens the pool with the lock as its gate.  Nobody has it yet. */
static inline struct pool *
fake_gate_open_pool(struct pool_gate *gate, struct fake_gil *gil,
    struct pool_settings *settings)
{
	struct pool *pool;

	*gate = (struct pool_gate){
	    .attach = fake_gate_attach,
	    .enter = fake_gate_enter,
	    .leave = fake_gate_leave,
	    .detach = fake_gate_detach,
	    .is_free = fake_gate_is_free,
	    .arg = gil,
	};
	settings->gate = gate;
	pool = pool_open(settings);
	gil->arg = pool;
	gil->on_free = pool != NULL ? pool_gate_freed : NULL;
	return (pool);
}

#endif
