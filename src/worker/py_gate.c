/*
 * py_gate - the GIL as the gate of the pool.
 *
 * Each pool thread has one Python thread state from its start to its end, so
 * that the application's threading.local lives on from request to request.
 */
#include "python.h"

#include "macros.h"
#include "gil_meter.h"
#include "py_compat.h"
#include "py_threading.h"
#include "py_traceback.h"
#include "wsgi_thread.h"

static _Thread_local PyThreadState *thread_state; /* (outside of the gate) */
static _Thread_local PyGILState_STATE gil_state;

static int
gate_attach(void *arg UNUSED, unsigned thread)
{
	gil_meter_mark_thread();
	gil_state = PyGILState_Ensure();
	/* Without it, it can serve all the same. */
	if (py_threading_adopt(thread) == -1)
		py_traceback_log("threading");
	thread_state = PyEval_SaveThread();
	return (0);
}

static void
gate_enter(void *arg UNUSED)
{
	PyEval_RestoreThread(thread_state);
}

static void
gate_leave(void *arg UNUSED)
{
	thread_state = PyEval_SaveThread();
}

/* Frees the thread state, which gate_attach() had made. */
static void
gate_detach(void *arg UNUSED)
{
	PyEval_RestoreThread(thread_state);
	wsgi_thread_end();
	PyGILState_Release(gil_state);
}

static bool
gate_is_free(void *arg UNUSED)
{
	return (gil_meter_is_free());
}

const struct pool_gate *
python_gate(void)
{
	static struct pool_gate gate = {
	    .attach = gate_attach,
	    .enter = gate_enter,
	    .leave = gate_leave,
	    .detach = gate_detach,
	};

	if (gil_meter_is_on())
		gate.is_free = gate_is_free;
	return (&gate);
}
