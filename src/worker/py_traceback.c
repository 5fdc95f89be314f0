/* py_traceback - see py_traceback.h. */
#include "py_traceback.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "py_compat.h"

/* str.join('', traceback.format_exception(...)), or NULL with an exception. */
static PyObject *
format_with_module(PyObject *exception)
{
	PyObject *module, *traceback, *lines = NULL, *empty, *text = NULL;

	module = PyImport_ImportModule("traceback");
	if (module == NULL)
		return (NULL);
	traceback = PyException_GetTraceback(exception);
	lines = PyObject_CallMethod(module, "format_exception", "OOO",
	    (PyObject *)Py_TYPE(exception), exception,
	    traceback != NULL ? traceback : Py_None);
	Py_XDECREF(traceback);
	Py_DECREF(module);
	if (lines == NULL)
		return (NULL);
	empty = PyUnicode_FromStringAndSize(NULL, 0);
	if (empty != NULL)
		text = PyUnicode_Join(empty, lines);
	Py_XDECREF(empty);
	Py_DECREF(lines);
	return (text);
}

/* As bytes of UTF-8, whatever the text holds; NULL with an exception. */
static PyObject *
format(PyObject *exception)
{
	PyObject *text, *bytes;

	text = format_with_module(exception);
	if (text == NULL)
		return (NULL);
	bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	Py_DECREF(text);
	return (bytes);
}

/* The innermost line of code, without taking memory: "?" if it needs some. */
static void
innermost(PyObject *exception, char *buf, size_t size)
{
	PyObject *tb = PyException_GetTraceback(exception);
	PyTracebackObject *last = (PyTracebackObject *)tb;
	PyCodeObject *code;
	const char *file = NULL;

	snprintf(buf, size, "?");
	if (tb == NULL)
		return;
	while (last->tb_next != NULL)
		last = last->tb_next;
	code = PyFrame_GetCode(last->tb_frame);
	if (code != NULL && PyUnicode_IS_COMPACT_ASCII(code->co_filename))
		file = (const char *)PyUnicode_1BYTE_DATA(code->co_filename);
	if (file != NULL)
		snprintf(buf, size, "%s:%d", file,
		    PyCode_Addr2Line(code, last->tb_lasti));
	Py_XDECREF(code);
	Py_DECREF(tb);
}

static void
log_plainly(const char *what, PyObject *exception)
{
	char where[512];

	innermost(exception, where, sizeof(where));
	log_errorx("%s: %s at %s", what, Py_TYPE(exception)->tp_name, where);
}

/* A step of the import itself, which tells nobody anything; Python leaves them
 * out itself, but not always. */
static bool
is_of_import(const char *line)
{
	static const char begin[] = "  File \"<frozen importlib.";

	return (strncmp(line, begin, sizeof(begin) - 1) == 0);
}

/* What happened and the first line of the traceback stand together. */
static void
log_bytes(const char *what, PyObject *bytes)
{
	char prefix[640];
	const char *line = PyBytes_AS_STRING(bytes), *next;
	const char *end = line + PyBytes_GET_SIZE(bytes);
	bool is_first = true;

	snprintf(prefix, sizeof(prefix), "%s: ", what);
	for (; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next != NULL ? next + 1 : end;
		if (is_of_import(line))
			continue;
		log_text(LOG_LEVEL_ERROR, is_first ? prefix : NULL, line,
		    (size_t)(next - line));
		is_first = false;
	}
}

void
py_traceback_log(const char *fmt, ...)
{
	PyObject *exception = py_take_exception(), *bytes = NULL;
	char what[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (exception == NULL) {
		log_errorx("%s: failed without an exception", what);
		return;
	}
	/* With no memory left, a long text is not to be had either. */
	if (!PyErr_GivenExceptionMatches(exception, PyExc_MemoryError))
		bytes = format(exception);
	if (bytes != NULL)
		log_bytes(what, bytes);
	else
		log_plainly(what, exception);
	PyErr_Clear();
	Py_XDECREF(bytes);
	Py_DECREF(exception);
}
