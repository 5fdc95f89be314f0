/* py_head - see py_head.h. */
#include "py_head.h"

#include <errno.h>

#include "log.h"

static int
take_text(PyObject *str, const char *what, const char **text, size_t *len)
{
	Py_ssize_t n;
	int result;

	if (!PyUnicode_Check(str)) {
		PyErr_Format(PyExc_TypeError,
		    "start_response: %s is %.100s, not str", what,
		    Py_TYPE(str)->tp_name);
		return (-1);
	}
	result = py_latin1(str, text, &n);
	if (result == 0)
		PyErr_Format(PyExc_ValueError,
		    "start_response: %s has characters beyond latin-1: %R",
		    what, str);
	if (result != 1)
		return (-1);
	*len = (size_t)n;
	return (0);
}

/* What http_reply has refused, as an exception; -1 always. */
static int
refused(const char *why, PyObject *what)
{
	if (errno == ENOMEM)
		PyErr_NoMemory();
	else
		PyErr_Format(
		    PyExc_ValueError, "start_response: %s: %R", why, what);
	return (-1);
}

/* Said aloud once; an application that does it does it always. */
static void
warn_hop_by_hop(const char *name, size_t len)
{
	static bool warned; /* (GIL) */

	log_at(warned ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	    "left out the field \"%.*s\" of the application: it is for the "
	    "server to send (RFC 9110 7.6.1)",
	    (int)len, name);
	warned = true;
}

static int
put_field(struct http_reply *head, PyObject *field)
{
	const char *name, *value, *why;
	size_t name_len, value_len;
	int result;

	if (!PyTuple_Check(field) || PyTuple_GET_SIZE(field) != 2) {
		PyErr_Format(PyExc_TypeError,
		    "start_response: headers has %R, not a tuple of two str",
		    field);
		return (-1);
	}
	if (take_text(PyTuple_GET_ITEM(field, 0), "the name of a field", &name,
		&name_len) == -1 ||
	    take_text(PyTuple_GET_ITEM(field, 1), "the value of a field",
		&value, &value_len) == -1)
		return (-1);
	result = http_reply_field(head, name, name_len, value, value_len, &why);
	if (result == -1)
		return (refused(why, field));
	if (result == 1)
		warn_hop_by_hop(name, name_len);
	return (0);
}

int
py_head_put(struct http_reply *head, PyObject *status, PyObject *headers)
{
	const char *text, *why;
	size_t len;
	Py_ssize_t i;

	if (!PyList_Check(headers)) {
		PyErr_Format(PyExc_TypeError,
		    "start_response: headers is %.100s, not a list",
		    Py_TYPE(headers)->tp_name);
		return (-1);
	}
	if (take_text(status, "the status", &text, &len) == -1)
		return (-1);
	if (http_reply_status(head, text, len, &why) == -1)
		return (refused(why, status));
	for (i = 0; i < PyList_GET_SIZE(headers); i++) {
		/* Held: to show a bad one may run code that changes the list.
		 */
		PyObject *field = Py_NewRef(PyList_GET_ITEM(headers, i));
		int result = put_field(head, field);

		Py_DECREF(field);
		if (result == -1)
			return (-1);
	}
	return (0);
}
