/* python - see python.h. */
#include "python.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "gil_meter.h"
#include "log.h"
#include "py_app.h"
#include "py_client.h"
#include "py_compat.h"
#include "py_environ.h"
#include "py_field.h"
#include "py_input.h"
#include "py_interpreter.h"
#include "py_response.h"
#include "py_signals.h"
#include "py_traceback.h"

static PyThreadState *main_state; /* NULL: the main thread has the GIL */

/* The order is that of need: environ holds an input. */
static int
start_parts(const struct request_context *context)
{
	if (py_input_start() == 0 && py_client_start() == 0 &&
	    py_response_start() == 0 && py_field_start(&context->proxy) == 0 &&
	    py_environ_start(context) == 0)
		return (0);
	py_traceback_log("start of the Python side");
	return (-1);
}

int
python_start(const struct config *cfg, const struct request_context *context)
{
	if (py_interpreter_start(cfg) == -1)
		return (-1);
	return (start_parts(context));
}

int
python_load(const struct config *cfg)
{
	struct py_signals signals;
	int result;

	py_signals_save(&signals);
	result = py_app_load(cfg);
	py_signals_restore(&signals, "the application");
	return (result);
}

static void
drop_gil(void)
{
	main_state = PyEval_SaveThread();
}

static void
take_gil(void)
{
	PyEval_RestoreThread(main_state);
	main_state = NULL;
}

void
python_release(void)
{
	ASSERT(main_state == NULL);
	if (!gil_meter_calibrate(drop_gil, take_gil))
		log_info("the interpreter's lock cannot be watched: while one "
			 "request waits for something, the next may wait some "
			 "milliseconds for a thread");
	drop_gil();
}

const char *
python_version(void)
{
	static char version[32];

	snprintf(version, sizeof(version), "%.*s",
	    (int)strcspn(Py_GetVersion(), " "), Py_GetVersion());
	return (version);
}

void
python_finish(void)
{
	if (main_state != NULL)
		take_gil();
	py_interpreter_finish();
}
