/* py_input - see py_input.h. */
#include "py_input.h"

#include <string.h>

#include "macros.h"

struct py_input {
	PyObject_HEAD const char *data; /* NULL: the request is over */
	Py_ssize_t len;
	Py_ssize_t at; /* 0 .. len */
};

static PyTypeObject input_type;
static PyObject *empty; /* (const) */

/* NULL with an exception when the request is over. */
static struct py_input *
input_open(PyObject *self)
{
	struct py_input *in = (struct py_input *)self;

	if (in->data != NULL)
		return (in);
	PyErr_SetString(PyExc_ValueError,
	    "wsgi.input: the request to which it belongs is over");
	return (NULL);
}

static PyObject *
take(struct py_input *in, Py_ssize_t len)
{
	PyObject *bytes = PyBytes_FromStringAndSize(in->data + in->at, len);

	if (bytes != NULL)
		in->at += len;
	return (bytes);
}

/* How many bytes the line in hand has, at most limit. */
static Py_ssize_t
line_length(const struct py_input *in, Py_ssize_t limit)
{
	const char *start = in->data + in->at, *newline;

	newline = memchr(start, '\n', (size_t)limit);
	return (newline != NULL ? newline + 1 - start : limit);
}

/*
 * For methods with one optional argument, a number of bytes: at most what is left,
 * which is also meant by None, a negative number and none at all.  To make a
 * number of it may run code of the application, which may read or end the request:
 * the rest is looked at behind that.
 */
static struct py_input *
input_open_up_to(
    PyObject *self, PyObject *const *args, Py_ssize_t nargs, Py_ssize_t *limit)
{
	struct py_input *in;
	Py_ssize_t left;

	*limit = -1;
	if (nargs > 1) {
		PyErr_Format(PyExc_TypeError,
		    "at most one argument is taken (%zd given)", nargs);
		return (NULL);
	}
	if (nargs == 1 && args[0] != Py_None) {
		*limit = PyNumber_AsSsize_t(args[0], NULL);
		if (*limit == -1 && PyErr_Occurred())
			return (NULL);
	}
	in = input_open(self);
	if (in == NULL)
		return (NULL);
	left = in->len - in->at;
	if (*limit < 0 || *limit > left)
		*limit = left;
	return (in);
}

static PyObject *
input_read(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t limit;
	struct py_input *in = input_open_up_to(self, args, nargs, &limit);

	return (in != NULL ? take(in, limit) : NULL);
}

static PyObject *
input_readline(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t limit;
	struct py_input *in = input_open_up_to(self, args, nargs, &limit);

	return (in != NULL ? take(in, line_length(in, limit)) : NULL);
}

/*
 * The hint bounds the sum of the lines, but no line is cut; 0 is none.  To make a
 * list may run code of the application too, by way of the collector.
 */
static PyObject *
input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t hint, stop;
	struct py_input *in = input_open_up_to(self, args, nargs, &hint);
	PyObject *lines, *line;

	if (in == NULL)
		return (NULL);
	stop = hint > 0 ? in->at + hint : in->len;
	lines = PyList_New(0);
	while (lines != NULL && in->data != NULL && in->at < stop) {
		line = take(in, line_length(in, in->len - in->at));
		if (line == NULL || PyList_Append(lines, line) == -1)
			Py_CLEAR(lines);
		Py_XDECREF(line);
	}
	return (lines);
}

static PyObject *
input_readinto(PyObject *self, PyObject *target)
{
	struct py_input *in = input_open(self);
	Py_buffer buffer;
	Py_ssize_t len;

	if (in == NULL)
		return (NULL);
	if (PyObject_GetBuffer(target, &buffer, PyBUF_WRITABLE) == -1)
		return (NULL);
	/* Code of the application may have run meanwhile: look again. */
	in = input_open(self);
	if (in == NULL) {
		PyBuffer_Release(&buffer);
		return (NULL);
	}
	len = in->len - in->at;
	if (len > buffer.len)
		len = buffer.len;
	memcpy(buffer.buf, in->data + in->at, (size_t)len);
	in->at += len;
	PyBuffer_Release(&buffer);
	return (PyLong_FromSsize_t(len));
}

/* Behind the end there is nothing to find, so the position stops there. */
static PyObject *
input_seek(PyObject *self, PyObject *args)
{
	struct py_input *in;
	Py_ssize_t offset, base;
	int whence = 0;

	if (!PyArg_ParseTuple(args, "n|i:seek", &offset, &whence))
		return (NULL);
	in = input_open(self);
	if (in == NULL)
		return (NULL);
	if (whence < 0 || whence > 2 || (whence == 0 && offset < 0)) {
		PyErr_Format(PyExc_ValueError, "seek(%zd, %d) is not possible",
		    offset, whence);
		return (NULL);
	}
	base = whence == 0 ? 0 : whence == 1 ? in->at : in->len;
	if (offset < -base)
		offset = -base;
	else if (offset > in->len - base)
		offset = in->len - base;
	in->at = base + offset;
	return (PyLong_FromSsize_t(in->at));
}

static PyObject *
input_tell(PyObject *self, PyObject *none UNUSED)
{
	struct py_input *in = input_open(self);

	return (in != NULL ? PyLong_FromSsize_t(in->at) : NULL);
}

static PyObject *
input_true(PyObject *self, PyObject *none UNUSED)
{
	if (input_open(self) == NULL)
		return (NULL);
	Py_RETURN_TRUE;
}

static PyObject *
input_false(PyObject *self, PyObject *none UNUSED)
{
	if (input_open(self) == NULL)
		return (NULL);
	Py_RETURN_FALSE;
}

/* The server closes it (PEP 3333); readers of io do too when they go. */
static PyObject *
input_close(PyObject *self UNUSED, PyObject *none UNUSED)
{
	Py_RETURN_NONE;
}

static PyObject *
input_closed(PyObject *self, void *closure UNUSED)
{
	return (PyBool_FromLong(((struct py_input *)self)->data == NULL));
}

static PyObject *
input_next(PyObject *self)
{
	struct py_input *in = input_open(self);

	if (in == NULL || in->at == in->len)
		return (NULL);
	return (take(in, line_length(in, in->len - in->at)));
}

#define FAST(function) (PyCFunction)(void (*)(void))(function)

/* clang-format off */
static PyMethodDef input_methods[] = {
	{ "read",	FAST(input_read),	METH_FASTCALL,
	  "Read at most so many bytes, by default all that is left." },
	{ "read1",	FAST(input_read),	METH_FASTCALL,
	  "The same as read()." },
	{ "readline",	FAST(input_readline),	METH_FASTCALL,
	  "Read to the end of the line, at most so many bytes." },
	{ "readlines",	FAST(input_readlines),	METH_FASTCALL,
	  "Read lines of about so many bytes, by default all." },
	{ "readinto",	input_readinto,		METH_O,
	  "Read into a buffer; returns how many bytes." },
	{ "seek",	input_seek,		METH_VARARGS,
	  "Go to a position; returns it." },
	{ "tell",	input_tell,		METH_NOARGS, "The position." },
	{ "readable",	input_true,		METH_NOARGS, "True." },
	{ "seekable",	input_true,		METH_NOARGS, "True." },
	{ "writable",	input_false,		METH_NOARGS, "False." },
	{ "flush",	input_close,		METH_NOARGS, "Nothing." },
	{ "close",	input_close,		METH_NOARGS,
	  "Nothing: the server closes it when the request is over." },
	{ NULL, NULL, 0, NULL },
};
/* clang-format on */

static PyGetSetDef input_attributes[] = {
    {"closed", input_closed, NULL, "Whether the request is over.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject input_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.Input",
    .tp_doc = "wsgi.input: the body of a request, complete.",
    .tp_basicsize = sizeof(struct py_input),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = input_next,
    .tp_methods = input_methods,
    .tp_getset = input_attributes,
};

int
py_input_start(void)
{
	if (PyType_Ready(&input_type) == -1)
		return (-1);
	empty = py_input_new("", 0);
	return (empty != NULL ? 0 : -1);
}

PyObject *
py_input_new(const char *data, size_t len)
{
	struct py_input *in = PyObject_New(struct py_input, &input_type);

	if (in == NULL)
		return (NULL);
	py_input_attach((PyObject *)in, data, len);
	return ((PyObject *)in);
}

void
py_input_attach(PyObject *self, const char *data, size_t len)
{
	struct py_input *in = (struct py_input *)self;

	in->data = data;
	in->len = (Py_ssize_t)len;
	in->at = 0;
}

void
py_input_detach(PyObject *self)
{
	struct py_input *in = (struct py_input *)self;

	in->data = NULL;
	in->len = in->at = 0;
}

PyObject *
py_input_empty(void)
{
	return (empty);
}
