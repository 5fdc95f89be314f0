/* py_client - see py_client.h. */
#include "py_client.h"

struct py_client {
	PyObject_HEAD vectorcallfunc call;
	const struct reply *reply; /* NULL: the request is over */
};

static PyObject *
client_call(
    PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	const struct reply *reply = ((struct py_client *)self)->reply;

	(void)args;
	if (PyVectorcall_NARGS(nargsf) != 0 || names != NULL) {
		PyErr_SetString(PyExc_TypeError,
		    "client_disconnected() takes no arguments");
		return (NULL);
	}
	return (PyBool_FromLong(reply == NULL || reply_is_gone(reply)));
}

static PyTypeObject client_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.ClientDisconnected",
    .tp_doc = "Tells whether the client of a request has left.",
    .tp_basicsize = sizeof(struct py_client),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct py_client, call),
    .tp_call = PyVectorcall_Call,
};

int
py_client_start(void)
{
	return (PyType_Ready(&client_type));
}

PyObject *
py_client_new(const struct reply *reply)
{
	struct py_client *client = PyObject_New(struct py_client, &client_type);

	if (client == NULL)
		return (NULL);
	client->call = client_call;
	client->reply = reply;
	return ((PyObject *)client);
}

void
py_client_attach(PyObject *self, const struct reply *reply)
{
	((struct py_client *)self)->reply = reply;
}

void
py_client_detach(PyObject *self)
{
	((struct py_client *)self)->reply = NULL;
}
