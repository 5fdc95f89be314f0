/* wsgi - see wsgi.h. */
#include "wsgi.h"

#include <string.h>

#include "check.h"
#include "log.h"
#include "py_app.h"
#include "py_environ.h"
#include "py_errors.h"
#include "py_traceback.h"
#include "wsgi_body.h"
#include "wsgi_thread.h"

/* What exists for the time of one call; any may be NULL. */
struct wsgi_call {
	struct request *request;
	struct wsgi_objects objects;
	PyObject *environ;
	PyObject *context; /* entered */
	PyObject *result;  /* of the application */
};

/* ---- before and after ---- */

static int
call_enter_context(struct wsgi_call *call)
{
	PyObject *context = py_app_context();

	if (context == NULL)
		return (-1);
	if (PyContext_Enter(context) == -1) {
		Py_DECREF(context);
		return (-1);
	}
	call->context = context;
	return (0);
}

static int
call_open(struct wsgi_call *call, unsigned thread)
{
	struct wsgi_objects *objects = &call->objects;

	if (wsgi_thread_take(objects, call->request) == -1)
		return (-1);
	call->environ = py_environ_new(
	    call->request, thread, objects->input, objects->disconnected);
	if (call->environ == NULL)
		return (-1);
	return (call_enter_context(call));
}

static void
log_failure(const struct wsgi_call *call, const char *what)
{
	char line[REQUEST_LINE_SIZE];

	request_line(call->request, line, sizeof(line));
	py_traceback_log("%s %s", what, line);
}

/* Detached first: letting go of objects may run code of the application. */
static void
call_close(struct wsgi_call *call)
{
	wsgi_thread_detach(&call->objects);
	Py_CLEAR(call->result);
	Py_CLEAR(call->environ);
	wsgi_thread_give_back(&call->objects);
	py_app_end_fork();
	if (call->context != NULL && PyContext_Exit(call->context) == -1)
		log_failure(call, "leaving the context of");
	Py_CLEAR(call->context);
	py_errors_flush();
	DIAG(PyErr_Occurred() == NULL);
}

/* ---- when it fails ---- */

/*
 * Nothing of what the application has put into the head stays; where bytes have
 * left already, nothing can be said any more.  False if it could not be sent.
 */
static bool
reply_500(struct request *req)
{
	static const char status[] = "500 Internal Server Error";
	static const char body[] = "500 Internal Server Error\n";
	static const char name[] = "Content-Type", type[] = "text/plain";
	struct http_reply *head = &req->reply.head;
	struct http_reply_context context;
	const char *why;
	size_t taken;

	request_reply_context(req, &context);
	context.keep_alive = false;
	http_reply_reset(head);
	if (http_reply_status(head, status, strlen(status), &why) == -1 ||
	    http_reply_field(
		head, name, strlen(name), type, strlen(type), &why) == -1 ||
	    reply_begin(&req->reply, &context, (int64_t)strlen(body)) == -1)
		return (false);
	return (reply_body(&req->reply, body, strlen(body), &taken) == 0);
}

/* An exception is set.  True if the client gets a whole reply nevertheless. */
static bool
call_fail(struct wsgi_call *call)
{
	const struct py_response *response = call->objects.response;
	bool canceled = response != NULL && response->canceled;
	bool begun = call->request->reply.begun;

	/* What write() raises when the client has left is nobody's fault. */
	if (canceled && PyErr_ExceptionMatches(PyExc_BrokenPipeError))
		PyErr_Clear();
	else
		log_failure(call, "error in");
	return (!begun && !canceled && reply_500(call->request));
}

/* ---- the call ---- */

/* After a reply without an error: was it as long as it should have been? */
static bool
is_complete(const struct wsgi_call *call)
{
	const struct reply *reply = &call->request->reply;
	char line[REQUEST_LINE_SIZE];

	if (call->objects.response->canceled)
		return (false);
	if (reply->remaining <= 0)
		return (true);
	request_line(call->request, line, sizeof(line));
	log_errorx("error in %s: Content-Length was %lld, but the body ended "
		   "%lld bytes earlier",
	    line, (long long)reply->head.length, (long long)reply->remaining);
	return (false);
}

static int
call_application(struct wsgi_call *call)
{
	PyObject *args[] = {
	    NULL, call->environ, (PyObject *)call->objects.response};

	call->result = PyObject_Vectorcall(
	    py_app(), args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
	py_app_end_fork();
	if (call->result == NULL)
		return (-1);
	return (wsgi_body_send(call->objects.response, call->result));
}

/* Whatever happened before, and once: PEP 3333. */
static void
close_result(struct wsgi_call *call)
{
	PyObject *close, *none;
	int found;

	if (call->result == NULL || PyList_CheckExact(call->result) ||
	    PyTuple_CheckExact(call->result))
		return;
	found = py_get_optional(call->result, "close", &close);
	if (found == 1) {
		/* The client need not wait for it. */
		reply_flush(&call->request->reply);
		none = PyObject_CallNoArgs(close);
		Py_DECREF(close);
		found = none != NULL ? 0 : -1;
		Py_XDECREF(none);
	}
	py_app_end_fork();
	if (found == -1)
		log_failure(call, "error in close() of");
}

void
wsgi_run(struct request *req, unsigned thread)
{
	struct wsgi_call call = {.request = req};
	bool complete = false;

	if (!reply_start(&req->reply)) {
		reply_end(&req->reply);
		return;
	}
	if (call_open(&call, thread) == 0 && call_application(&call) == 0)
		complete = is_complete(&call);
	else
		complete = call_fail(&call);
	reply_finish(&req->reply, complete);
	close_result(&call);
	call_close(&call);
	reply_end(&req->reply);
}
