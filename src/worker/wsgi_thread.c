/* wsgi_thread - see wsgi_thread.h. */
#include "wsgi_thread.h"

#include "py_client.h"
#include "py_environ.h"
#include "py_input.h"

/* Between requests, and while one has none of them; any may be NULL. */
static _Thread_local struct wsgi_objects idle;

/* The calling thread's if it has one, or a new one. */
static struct py_response *
take_response(struct request *req)
{
	struct py_response *r = idle.response;

	if (r == NULL)
		return (py_response_new(req));
	idle.response = NULL;
	py_response_attach(r, req);
	return (r);
}

static PyObject *
take_disconnected(const struct reply *reply)
{
	PyObject *disconnected = idle.disconnected;

	if (disconnected == NULL)
		return (py_client_new(reply));
	idle.disconnected = NULL;
	py_client_attach(disconnected, reply);
	return (disconnected);
}

static PyObject *
take_input(const char *data, size_t len)
{
	PyObject *input = idle.input;

	if (input == NULL)
		return (py_input_new(data, len));
	idle.input = NULL;
	py_input_attach(input, data, len);
	return (input);
}

int
wsgi_thread_take(struct wsgi_objects *objects, struct request *req)
{
	objects->input = NULL;
	if (req->body_len > 0) {
		objects->input = take_input(req->body, req->body_len);
		if (objects->input == NULL)
			return (-1);
	}
	objects->response = take_response(req);
	objects->disconnected = take_disconnected(&req->reply);
	return (objects->response != NULL && objects->disconnected != NULL
		    ? 0
		    : -1);
}

void
wsgi_thread_detach(struct wsgi_objects *objects)
{
	if (objects->response != NULL)
		py_response_detach(objects->response);
	if (objects->disconnected != NULL)
		py_client_detach(objects->disconnected);
	if (objects->input != NULL)
		py_input_detach(objects->input);
}

/* Keeps an object of which nobody has more than the known references. */
static void
give_back(PyObject **object, PyObject **place, Py_ssize_t known)
{
	if (*object == NULL)
		return;
	if (*place == NULL && Py_REFCNT(*object) == known) {
		*place = *object;
		*object = NULL;
	} else
		Py_CLEAR(*object);
}

void
wsgi_thread_give_back(struct wsgi_objects *objects)
{
	struct py_response *r = objects->response;

	if (r != NULL && idle.response == NULL && py_response_is_unknown(r)) {
		idle.response = r;
		objects->response = NULL;
	}
	Py_CLEAR(objects->response);
	give_back(&objects->input, &idle.input, 1);
	give_back(&objects->disconnected, &idle.disconnected,
	    py_environ_keeps(objects->disconnected) ? 2 : 1);
}

void
wsgi_thread_end(void)
{
	Py_CLEAR(idle.response);
	Py_CLEAR(idle.disconnected);
	Py_CLEAR(idle.input);
	py_environ_end_thread();
}
