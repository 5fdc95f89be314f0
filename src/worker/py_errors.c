/* py_errors - see py_errors.h. */
#include "py_errors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "log.h"

/*
 * Frameworks send their tracebacks here, so it is logged as errors are: no
 * level below critical may hide it.
 */
#define LEVEL LOG_LEVEL_ERROR

/* A line without an end is cut here. */
#define LINE_SIZE 4000

/* The line in hand of one thread; freed, and logged, when the thread ends. */
struct line {
	size_t len;
	char text[LINE_SIZE];
};

static pthread_key_t line_key;

static void
line_log(struct line *line)
{
	if (line->len > 0)
		log_text(LEVEL, NULL, line->text, line->len);
	line->len = 0;
}

static void
on_thread_end(void *arg)
{
	struct line *line = arg;

	line_log(line);
	free(line);
}

/* The calling thread's; NULL if there is no memory for one. */
static struct line *
line_get(void)
{
	struct line *line = pthread_getspecific(line_key);

	if (line != NULL)
		return (line);
	line = malloc(sizeof(*line));
	if (line == NULL)
		return (NULL);
	line->len = 0;
	if (pthread_setspecific(line_key, line) == 0)
		return (line);
	free(line);
	return (NULL);
}

static void
line_add(struct line *line, const char *text, size_t len)
{
	size_t n;

	while (len > 0) {
		n = LINE_SIZE - line->len;
		if (n > len)
			n = len;
		memcpy(line->text + line->len, text, n);
		line->len += n;
		if (line->len == LINE_SIZE)
			line_log(line);
		text += n;
		len -= n;
	}
}

/* Whole lines are logged, the rest is kept. */
static int
add_text(const char *text, size_t len)
{
	struct line *line = line_get();
	const char *newline;
	size_t n;

	if (line == NULL) {
		PyErr_NoMemory();
		return (-1);
	}
	while ((newline = memchr(text, '\n', len)) != NULL) {
		n = (size_t)(newline - text);
		line_add(line, text, n);
		line_log(line);
		text += n + 1;
		len -= n + 1;
	}
	line_add(line, text, len);
	return (0);
}

static int
add_str(PyObject *str)
{
	PyObject *bytes;
	int result;

	if (!PyUnicode_Check(str)) {
		PyErr_Format(PyExc_TypeError,
		    "wsgi.errors takes str, not %.100s", Py_TYPE(str)->tp_name);
		return (-1);
	}
	bytes = PyUnicode_AsEncodedString(str, "utf-8", "backslashreplace");
	if (bytes == NULL)
		return (-1);
	result =
	    add_text(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
	Py_DECREF(bytes);
	return (result);
}

static PyObject *
errors_write(PyObject *self UNUSED, PyObject *str)
{
	if (add_str(str) == -1)
		return (NULL);
	return (PyLong_FromSsize_t(PyUnicode_GetLength(str)));
}

static PyObject *
errors_writelines(PyObject *self UNUSED, PyObject *lines)
{
	PyObject *iterator = PyObject_GetIter(lines), *str;
	int result = 0;

	if (iterator == NULL)
		return (NULL);
	while (result == 0 && (str = PyIter_Next(iterator)) != NULL) {
		result = add_str(str);
		Py_DECREF(str);
	}
	Py_DECREF(iterator);
	if (PyErr_Occurred())
		return (NULL);
	Py_RETURN_NONE;
}

static PyObject *
errors_flush(PyObject *self UNUSED, PyObject *none UNUSED)
{
	py_errors_flush();
	Py_RETURN_NONE;
}

static PyMethodDef errors_methods[] = {
    {"write", errors_write, METH_O, "Write text; each line is logged."},
    {"writelines", errors_writelines, METH_O, "Write each text of many."},
    {"flush", errors_flush, METH_NOARGS, "Log the line in hand as it is."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject errors_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.Errors",
    .tp_doc = "wsgi.errors: the server's error log.",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = errors_methods,
};

PyObject *
py_errors_new(void)
{
	PTHREAD_OK(pthread_key_create(&line_key, on_thread_end));
	if (PyType_Ready(&errors_type) == -1)
		return (NULL);
	return ((PyObject *)PyObject_New(PyObject, &errors_type));
}

void
py_errors_flush(void)
{
	struct line *line = pthread_getspecific(line_key);

	if (line != NULL)
		line_log(line);
}
