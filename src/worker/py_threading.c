/* py_threading - see py_threading.h. */
#include "py_threading.h"

#include "py_compat.h"

/*
 * threading takes the thread that imports it first for the main thread: that is
 * done here too.  Versions from 3.11.5 on turn a dummy that has forked into the
 * main thread of the child by themselves.
 * 3.8 gives the dummy a lock that the child, which is that thread, would wait for
 * at its end.
 */
/* clang-format off */
static const char code[] =
    "import os, threading\n"
    "\n"
    "def adopt(number):\n"
    "    thread = threading.current_thread()\n"
    "    thread.name = 'cgthread-%d' % number\n"
    "    thread._daemonic = False\n"
    "\n"
    "def after_fork():\n"
    "    dummy = threading.main_thread()\n"
    "    if isinstance(dummy, threading._DummyThread):\n"
    "        if dummy._tstate_lock is not None:\n"
    "            threading._shutdown_locks.discard(dummy._tstate_lock)\n"
    "        threading._main_thread = threading._MainThread()\n"
    "\n"
    "os.register_at_fork(after_in_child=after_fork)\n";
/* clang-format on */

static PyObject *adopt; /* (const) once started */

int
py_threading_start(void)
{
	PyObject *names = PyDict_New(), *none;

	if (names == NULL)
		return (-1);
	none = PyRun_String(code, Py_file_input, names, names);
	if (none != NULL)
		adopt = PyDict_GetItemString(names, "adopt");
	Py_XINCREF(adopt);
	Py_XDECREF(none);
	Py_DECREF(names);
	return (adopt != NULL ? 0 : -1);
}

int
py_threading_adopt(unsigned number)
{
	PyObject *none = PyObject_CallFunction(adopt, "I", number);

	if (none == NULL)
		return (-1);
	Py_DECREF(none);
	return (0);
}
