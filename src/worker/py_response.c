/* py_response - see py_response.h. */
#include "py_response.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "macros.h"
#include "py_app.h"
#include "py_head.h"

/* From this size on a piece is not copied; a thread never sends it (reply.c). */
#define REFERRED_MIN ((size_t)128 << 10)

/* A Python object: write().  start_response owns it. */
struct py_writer {
	PyObject_HEAD vectorcallfunc call;
	struct py_response *owner; /* NULL: it is gone */
};

static PyTypeObject response_type, writer_type;

/* ---- start_response: arguments ---- */

enum { ARG_STATUS, ARG_HEADERS, ARG_EXC_INFO, ARG_COUNT };

static const char *const arg_names[ARG_COUNT] = {
    [ARG_STATUS] = "status",
    [ARG_HEADERS] = "headers",
    [ARG_EXC_INFO] = "exc_info",
};

static int
take_named(PyObject *name, PyObject *value, PyObject *to[ARG_COUNT])
{
	size_t i;

	for (i = 0; i < ARG_COUNT; i++)
		if (PyUnicode_CompareWithASCIIString(name, arg_names[i]) == 0)
			break;
	if (i == ARG_COUNT || to[i] != NULL) {
		PyErr_Format(PyExc_TypeError,
		    "start_response(status, headers, exc_info=None) got an "
		    "unexpected argument %R",
		    name);
		return (-1);
	}
	to[i] = value;
	return (0);
}

/* All borrowed; exc_info is NULL where it says that there is none. */
static int
take_arguments(PyObject *const *args, Py_ssize_t nargs, PyObject *names,
    PyObject *to[ARG_COUNT])
{
	Py_ssize_t i, nnames = names != NULL ? PyTuple_GET_SIZE(names) : 0;

	for (i = 0; i < nargs && i < ARG_COUNT; i++)
		to[i] = args[i];
	for (i = 0; i < nnames; i++)
		if (take_named(
			PyTuple_GET_ITEM(names, i), args[nargs + i], to) == -1)
			return (-1);
	if (nargs > ARG_COUNT || to[ARG_STATUS] == NULL ||
	    to[ARG_HEADERS] == NULL) {
		PyErr_SetString(PyExc_TypeError,
		    "start_response(status, headers, exc_info=None): wrong "
		    "number of arguments");
		return (-1);
	}
	if (to[ARG_EXC_INFO] == Py_None)
		to[ARG_EXC_INFO] = NULL;
	return (0);
}

/* Raises what sys.exc_info() returned; -1 always. */
static int
raise_exc_info(PyObject *exc_info)
{
	PyObject *value = PyTuple_GET_ITEM(exc_info, 1);
	PyObject *traceback = PyTuple_GET_ITEM(exc_info, 2);

	if (!PyExceptionInstance_Check(value)) {
		PyErr_SetString(PyExc_TypeError,
		    "start_response: exc_info has no exception, and the head "
		    "is sent");
		return (-1);
	}
	if (PyTraceBack_Check(traceback) &&
	    PyException_SetTraceback(value, traceback) == -1)
		return (-1);
	py_raise(Py_NewRef(value));
	return (-1);
}

/* PEP 3333: may it be called now?  -1 with an exception. */
static int
check_turn(struct py_response *r, PyObject *exc_info)
{
	if (r->request == NULL) {
		PyErr_SetString(PyExc_RuntimeError,
		    "start_response: the request to which it belongs is over");
		return (-1);
	}
	if (exc_info == NULL) {
		/* A head may have left that was not the application's: ours,
		 * after it had failed. */
		if (!r->started && !r->request->reply.begun)
			return (0);
		PyErr_SetString(PyExc_AssertionError,
		    "start_response() was called again without exc_info");
		return (-1);
	}
	if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
		PyErr_SetString(PyExc_TypeError,
		    "start_response: exc_info is not a tuple of three");
		return (-1);
	}
	if (r->request->reply.begun)
		return (raise_exc_info(exc_info));
	return (0);
}

/* ---- start_response: the call ---- */

static PyObject *
response_call(
    PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct py_response *r = (struct py_response *)self;
	PyObject *given[ARG_COUNT] = {NULL};
	struct http_reply *head;

	py_app_end_fork();
	if (take_arguments(args, PyVectorcall_NARGS(nargsf), names, given) ==
		-1 ||
	    check_turn(r, given[ARG_EXC_INFO]) == -1)
		return (NULL);
	head = &r->request->reply.head;
	r->started = false;
	http_reply_reset(head);
	if (py_head_put(head, given[ARG_STATUS], given[ARG_HEADERS]) == -1)
		return (NULL);
	r->started = true;
	return (Py_NewRef((PyObject *)r->writer));
}

/* ---- sending ---- */

/* After a call of the reply's that failed, with errno. */
static enum py_sending
failed(struct py_response *r)
{
	if (errno == ENOMEM) {
		PyErr_NoMemory();
		return (PY_SENDING_ERROR);
	}
	r->canceled = true;
	return (PY_SENDING_OVER);
}

enum py_sending
py_response_begin(struct py_response *r, int64_t known_length)
{
	struct reply *reply = &r->request->reply;
	struct http_reply_context context;

	if (!reply->begun) {
		if (!r->started) {
			PyErr_SetString(PyExc_AssertionError,
			    "start_response() was not called before the body");
			return (PY_SENDING_ERROR);
		}
		request_reply_context(r->request, &context);
		if (reply_begin(reply, &context, known_length) == -1)
			return (failed(r));
	}
	return (reply->head.framing == HTTP_REPLY_NO_BODY ? PY_SENDING_OVER
							  : PY_SENDING);
}

/* While the GIL is released the request stays there: this is the thread that
 * ends it. */
static enum py_sending
wait_for_room(struct py_response *r)
{
	struct reply *reply = &r->request->reply;
	int result, error;

	if (!reply_is_full(reply))
		return (PY_SENDING);
	Py_BEGIN_ALLOW_THREADS result = reply_wait(reply);
	error = errno;
	Py_END_ALLOW_THREADS errno = error;
	return (result == -1 ? failed(r) : PY_SENDING);
}

/* The bytes behind Content-Length have nowhere to go.  Told once: write() may go on
 * for as long as the application likes. */
static void
cut_off(struct py_response *r)
{
	char line[REQUEST_LINE_SIZE];

	if (r->cut)
		return;
	r->cut = true;
	request_line(r->request, line, sizeof(line));
	log_warnx("%s: the body is longer than its Content-Length of %lld: cut",
	    line, (long long)r->request->reply.head.length);
	/* Who counts wrongly once may do so again: start afresh. */
	r->request->reply.head.keep_alive = false;
}

/* In a pool thread, when the loop has sent what the piece holds. */
static void
release_piece(struct pool_job *job, void *arg UNUSED, unsigned thread UNUSED)
{
	struct outbox_chunk *chunk =
	    CONTAINER_OF(job, struct outbox_chunk, release);

	Py_DECREF((PyObject *)chunk->owner);
	free(chunk);
}

/* 0, or -1 with errno. */
static int
put_piece(struct reply *reply, PyObject *piece, size_t *taken)
{
	const char *data = PyBytes_AS_STRING(piece);
	size_t len = (size_t)PyBytes_GET_SIZE(piece);

	if (len < REFERRED_MIN)
		return (reply_body(reply, data, len, taken));
	if (reply_body_ref(reply, data, len, taken, release_piece, piece) == -1)
		return (-1);
	if (*taken > 0)
		Py_INCREF(piece); /* for release_piece() */
	return (0);
}

static enum py_sending
send_piece(struct py_response *r, PyObject *piece)
{
	enum py_sending sending;
	size_t taken;

	if (r->canceled)
		return (PY_SENDING_OVER);
	sending = py_response_begin(r, -1);
	if (sending == PY_SENDING)
		sending = wait_for_room(r);
	if (sending != PY_SENDING)
		return (sending);
	if (put_piece(&r->request->reply, piece, &taken) == -1)
		return (failed(r));
	if (taken == (size_t)PyBytes_GET_SIZE(piece))
		return (PY_SENDING);
	cut_off(r);
	return (PY_SENDING_OVER);
}

enum py_sending
py_response_body(struct py_response *r, PyObject *item)
{
	if (!PyBytes_Check(item)) {
		PyErr_Format(PyExc_TypeError,
		    "the body must be made of bytes, not of %.100s",
		    Py_TYPE(item)->tp_name);
		return (PY_SENDING_ERROR);
	}
	if (PyBytes_GET_SIZE(item) == 0)
		return (PY_SENDING);
	return (send_piece(r, item));
}

/* ---- write() ---- */

/* Why nothing can be written, or NULL. */
static const char *
unwritable(const struct py_response *r)
{
	if (r == NULL || r->request == NULL)
		return ("write: the request to which it belongs is over");
	if (!pthread_equal(r->thread, pthread_self()))
		return ("write() belongs to the thread that runs the request");
	/* close() may call it; the client need not have left for that. */
	if (r->request->reply.finished && !r->canceled)
		return ("write: the reply is over");
	return (NULL);
}

static PyObject *
writer_call(
    PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct py_response *r = ((struct py_writer *)self)->owner;
	PyObject *result = NULL;
	enum py_sending sending;
	const char *why;

	if (PyVectorcall_NARGS(nargsf) != 1 || names != NULL) {
		PyErr_SetString(
		    PyExc_TypeError, "write() takes exactly one argument");
		return (NULL);
	}
	py_app_end_fork();
	why = unwritable(r);
	if (why != NULL) {
		PyErr_SetString(PyExc_RuntimeError, why);
		return (NULL);
	}
	/* While a reader is waited for, another thread may let go of it. */
	Py_INCREF(r);
	sending = py_response_body(r, args[0]);
	if (sending != PY_SENDING_ERROR && r->canceled)
		PyErr_SetString(
		    PyExc_BrokenPipeError, "write: the client has left");
	else if (sending != PY_SENDING_ERROR) {
		reply_flush(&r->request->reply);
		result = Py_NewRef(Py_None);
	}
	Py_DECREF(r);
	return (result);
}

/* ---- the objects ---- */

static void
response_dealloc(PyObject *self)
{
	struct py_response *r = (struct py_response *)self;

	r->writer->owner = NULL;
	Py_CLEAR(r->writer);
	Py_TYPE(self)->tp_free(self);
}

static PyTypeObject response_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.StartResponse",
    .tp_doc = "start_response(status, headers, exc_info=None)",
    .tp_basicsize = sizeof(struct py_response),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_dealloc = response_dealloc,
    .tp_vectorcall_offset = offsetof(struct py_response, call),
    .tp_call = PyVectorcall_Call,
};

static PyTypeObject writer_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.Write",
    .tp_doc = "write(bytes): send bytes of the body now.",
    .tp_basicsize = sizeof(struct py_writer),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct py_writer, call),
    .tp_call = PyVectorcall_Call,
};

int
py_response_start(void)
{
	if (PyType_Ready(&response_type) == -1)
		return (-1);
	return (PyType_Ready(&writer_type));
}

struct py_response *
py_response_new(struct request *request)
{
	struct py_writer *writer = PyObject_New(struct py_writer, &writer_type);
	struct py_response *r;

	if (writer == NULL)
		return (NULL);
	writer->call = writer_call;
	writer->owner = NULL;
	r = PyObject_New(struct py_response, &response_type);
	if (r == NULL) {
		Py_DECREF(writer);
		return (NULL);
	}
	r->call = response_call;
	r->thread = pthread_self();
	r->writer = writer;
	writer->owner = r;
	py_response_attach(r, request);
	return (r);
}

void
py_response_attach(struct py_response *r, struct request *request)
{
	r->request = request;
	r->started = r->canceled = r->cut = false;
}

bool
py_response_is_unknown(const struct py_response *r)
{
	return (Py_REFCNT(r) == 1 && Py_REFCNT(r->writer) == 1);
}

void
py_response_detach(struct py_response *r)
{
	r->request = NULL;
}
