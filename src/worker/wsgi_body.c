/* wsgi_body - see wsgi_body.h. */
#include "wsgi_body.h"

#include <errno.h>

#include "fork_guard.h"
#include "py_app.h"
#include "py_file_wrapper.h"

/* ---- a list or a tuple: everything is there ---- */

/* The length of all items, or -1 with an exception. */
static int64_t
total_length(PyObject *sequence)
{
	Py_ssize_t i, n = PySequence_Fast_GET_SIZE(sequence);
	int64_t total = 0;
	PyObject *item;

	for (i = 0; i < n; i++) {
		item = PySequence_Fast_GET_ITEM(sequence, i);
		if (!PyBytes_Check(item)) {
			PyErr_Format(PyExc_TypeError,
			    "the body must be made of bytes, but item %zd of "
			    "it is of %.100s",
			    i, Py_TYPE(item)->tp_name);
			return (-1);
		}
		total += PyBytes_GET_SIZE(item);
	}
	return (total);
}

/* The list may change while a slow reader is waited for. */
static enum py_sending
send_sequence(struct py_response *r, PyObject *sequence)
{
	enum py_sending sending;
	PyObject *item;
	Py_ssize_t i;
	int64_t total = total_length(sequence);

	if (total == -1)
		return (PY_SENDING_ERROR);
	sending = py_response_begin(r, total);
	for (i = 0;
	     sending == PY_SENDING && i < PySequence_Fast_GET_SIZE(sequence);
	     i++) {
		item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, i));
		sending = py_response_body(r, item);
		Py_DECREF(item);
	}
	return (sending);
}

/* ---- a file ---- */

/*
 * Sends a file without reading it, and takes its descriptor.  Content-Length says
 * how much of it: an application that is asked for a range goes to its start and
 * wraps the file.
 */
static enum py_sending
send_span(struct py_response *r, struct py_file_span *span)
{
	enum py_sending sending = py_response_begin(r, (int64_t)span->len);
	struct reply *reply = &r->request->reply;

	if (reply->remaining != -1 && (uint64_t)reply->remaining < span->len)
		span->len = (size_t)reply->remaining;
	if (sending != PY_SENDING || span->len == 0) {
		fork_guard_close(&span->fd);
		return (sending);
	}
	if (reply_file(reply, span->fd, span->offset, span->len) == 0)
		return (PY_SENDING);
	if (errno == ENOMEM) {
		PyErr_NoMemory();
		return (PY_SENDING_ERROR);
	}
	r->canceled = true;
	return (PY_SENDING_OVER);
}

/* ---- anything else ---- */

static enum py_sending
send_item(struct py_response *r, PyObject *item)
{
	enum py_sending sending = py_response_body(r, item);

	/* PEP 3333: no item waits for the next one. */
	if (sending == PY_SENDING && r->request->reply.begun)
		reply_flush(&r->request->reply);
	return (sending);
}

static enum py_sending
send_items(struct py_response *r, PyObject *iterator)
{
	enum py_sending sending = PY_SENDING;
	PyObject *item;

	while (sending == PY_SENDING) {
		item = PyIter_Next(iterator);
		py_app_end_fork();
		if (item == NULL)
			return (
			    PyErr_Occurred() ? PY_SENDING_ERROR : PY_SENDING);
		sending = send_item(r, item);
		Py_DECREF(item);
	}
	return (sending);
}

static PyObject *
get_iterator(PyObject *result)
{
	if (Py_TYPE(result)->tp_iter != NULL || PySequence_Check(result))
		return (PyObject_GetIter(result));
	PyErr_Format(PyExc_TypeError,
	    "the application returned %.100s, not an iterable of bytes",
	    Py_TYPE(result)->tp_name);
	return (NULL);
}

static enum py_sending
send_iterable(struct py_response *r, PyObject *iterable)
{
	PyObject *iterator = get_iterator(iterable);
	enum py_sending sending;

	py_app_end_fork();
	if (iterator == NULL)
		return (PY_SENDING_ERROR);
	sending = send_items(r, iterator);
	Py_DECREF(iterator);
	/* Without a single byte the head is still to be sent. */
	if (sending == PY_SENDING)
		sending = py_response_begin(r, 0);
	return (sending);
}

static enum py_sending
send_result(struct py_response *r, PyObject *result)
{
	struct py_file_span span;
	int found = 0;

	if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
		return (send_sequence(r, result));
	if (py_file_wrapper_check(result))
		found = py_file_wrapper_open(result, &span);
	py_app_end_fork();
	if (found == -1)
		return (PY_SENDING_ERROR);
	if (found == 1)
		return (send_span(r, &span));
	return (send_iterable(r, result));
}

int
wsgi_body_send(struct py_response *r, PyObject *result)
{
	return (send_result(r, result) == PY_SENDING_ERROR ? -1 : 0);
}
