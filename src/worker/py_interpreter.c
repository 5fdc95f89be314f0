/* py_interpreter - see py_interpreter.h. */
#include "py_interpreter.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interpreter.h"
#include "log.h"
#include "py_compat.h"
#include "py_signals.h"
#include "py_threading.h"
#include "py_traceback.h"

static int
log_status(PyStatus status)
{
	if (!PyStatus_Exception(status))
		return (0);
	log_critical("Python does not start: %s%s%s",
	    status.func != NULL ? status.func : "",
	    status.func != NULL ? ": " : "",
	    status.err_msg != NULL ? status.err_msg : "it wants to exit");
	return (-1);
}

/* The program whose part we play; NULL with the reason logged. */
static const char *
find_executable(const struct config *cfg, struct interpreter *in)
{
	char ours[INTERPRETER_VERSION_SIZE];

	if (interpreter_find(cfg, in) == -1)
		return (NULL);
	snprintf(
	    ours, sizeof(ours), "%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION);
	if (*in->version != '\0' && strcmp(in->version, ours) != 0) {
		log_errorx("%s: that is Python %s, this worker has %s",
		    in->said_by, in->version, ours);
		return (NULL);
	}
	return (*in->executable != '\0' ? in->executable : CGTHREAD_PYTHON);
}

/*
 * As python3 itself starts, environment variables and UTF-8 mode included, but
 * that it leaves the signals alone, and that what is printed leaves at once:
 * the master puts it into the log.
 */
static PyStatus
configure(PyConfig *config, const char *executable)
{
	static char name[] = "cgthread";
	char *argv[] = {name, NULL};
	PyStatus status;

	PyConfig_InitPythonConfig(config);
	config->parse_argv = 0;
	config->install_signal_handlers = 0;
	config->buffered_stdio = 0;
	status = PyConfig_SetBytesArgv(config, 1, argv);
	if (PyStatus_Exception(status))
		return (status);
	/* The real interpreter: a virtual environment is found beside it, and
	 * multiprocessing starts it for its children. */
	status =
	    PyConfig_SetBytesString(config, &config->program_name, executable);
	if (PyStatus_Exception(status))
		return (status);
	return (
	    PyConfig_SetBytesString(config, &config->executable, executable));
}

static int
initialize(const char *executable)
{
	PyConfig config;
	PyStatus status;

	status = configure(&config, executable);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return (log_status(status));
}

static bool
is_same_directory(const char *a, const char *b)
{
	struct stat one, other;

	if (stat(a, &one) == -1 || stat(b, &other) == -1)
		return (strcmp(a, b) == 0);
	return (one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

/*
 * Two builds of one version have the same name for their worker, but what their
 * extension modules want of the interpreter and of libraries may differ.  They
 * say so only when they are imported, in words that do not lead here.
 */
static void
warn_of_other_build(const struct interpreter *in)
{
	PyObject *prefix = PySys_GetObject("base_prefix"); /* borrowed */
	const char *theirs;

	theirs = prefix != NULL ? PyUnicode_AsUTF8(prefix) : NULL;
	if (theirs == NULL)
		PyErr_Clear();
	else if (!is_same_directory(theirs, CGTHREAD_PYTHON_PREFIX))
		log_warnx("%s: its Python is that of %s, this worker has "
			  "that of %s: extension modules may not load; make "
			  "worker PYTHON=%s/bin/python%d.%d",
		    in->said_by, theirs, CGTHREAD_PYTHON_PREFIX, theirs,
		    PY_MAJOR_VERSION, PY_MINOR_VERSION);
}

/* ---- sys.path ---- */

/* A directory as an absolute path; NULL with an exception. */
static PyObject *
absolute(const char *directory, PyObject *current)
{
	PyObject *path = PyUnicode_DecodeFSDefault(directory), *joined;

	if (path == NULL || directory[0] == '/')
		return (path);
	joined = PyUnicode_FromFormat("%U/%U", current, path);
	Py_DECREF(path);
	return (joined);
}

static int
insert(PyObject *list, Py_ssize_t at, PyObject *path)
{
	int result;

	if (path == NULL)
		return (-1);
	result = PyList_Insert(list, at, path);
	Py_DECREF(path);
	return (result);
}

/* pythonpath in its order, then the current directory, then what was there. */
static int
extend_path(const struct config *cfg, PyObject *list, PyObject *current)
{
	size_t i;

	if (PyList_Insert(list, 0, current) == -1)
		return (-1);
	for (i = 0; i < cfg->pythonpath.count; i++)
		if (insert(list, (Py_ssize_t)i,
			absolute(cfg->pythonpath.items[i], current)) == -1)
			return (-1);
	return (0);
}

static int
set_path(const struct config *cfg)
{
	char *directory = getcwd(NULL, 0);
	PyObject *list = PySys_GetObject("path"), *current; /* borrowed */
	int result;

	if (directory == NULL) {
		log_error("the current directory");
		return (-1);
	}
	if (list == NULL || !PyList_Check(list)) {
		log_errorx("sys.path is not a list");
		free(directory);
		return (-1);
	}
	current = PyUnicode_DecodeFSDefault(directory);
	free(directory);
	result = current != NULL ? extend_path(cfg, list, current) : -1;
	Py_XDECREF(current);
	if (result == -1)
		py_traceback_log("sys.path");
	return (result);
}

/* ---- start and end ---- */

/*
 * Old versions of signal install a handler when it is imported: now, so that it
 * does not happen in a request.
 */
static int
start_modules(void)
{
	PyObject *module = PyImport_ImportModule("signal");

	Py_XDECREF(module);
	if (module != NULL && py_threading_start() == 0)
		return (0);
	py_traceback_log("start of Python");
	return (-1);
}

int
py_interpreter_start(const struct config *cfg)
{
	struct py_signals signals;
	struct interpreter in;
	const char *executable = find_executable(cfg, &in);
	int result;

	if (executable == NULL)
		return (-1);
	py_signals_save(&signals);
	result = initialize(executable);
	if (result == 0 && *in.executable != '\0')
		warn_of_other_build(&in);
	if (result == 0)
		result = start_modules();
	py_signals_restore(&signals, NULL);
	return (result == 0 ? set_path(cfg) : -1);
}

static void
call_in_module(const char *module_name, const char *function)
{
	PyObject *module = PyImport_ImportModule(module_name), *result;

	if (module == NULL) {
		py_traceback_log("import %s", module_name);
		return;
	}
	result = PyObject_CallMethod(module, function, NULL);
	Py_DECREF(module);
	if (result == NULL)
		py_traceback_log("%s.%s", module_name, function);
	Py_XDECREF(result);
}

static void
flush(const char *name)
{
	PyObject *file = PySys_GetObject(name), *result; /* borrowed */

	if (file == NULL || file == Py_None)
		return;
	Py_INCREF(file);
	result = PyObject_CallMethod(file, "flush", NULL);
	Py_DECREF(file);
	if (result == NULL)
		py_traceback_log("sys.%s.flush", name);
	Py_XDECREF(result);
}

void
py_interpreter_finish(void)
{
	call_in_module("threading", "_shutdown");
	call_in_module("atexit", "_run_exitfuncs");
	flush("stdout");
	flush("stderr");
}
