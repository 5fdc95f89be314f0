/*
 * py_compat - Python.h, and what differs between the versions that we build for
 * (3.8 to 3.13).  The only place that asks for the version.
 */
#ifndef CGTHREAD_PY_COMPAT_H
#define CGTHREAD_PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x03080000
#error "cgthread needs Python 3.8 or newer"
#endif

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h>
#endif

#if PY_VERSION_HEX < 0x03090000
#define Py_TPFLAGS_HAVE_VECTORCALL _Py_TPFLAGS_HAVE_VECTORCALL
#define PyObject_Vectorcall        _PyObject_Vectorcall

static inline PyObject *
PyObject_CallNoArgs(PyObject *callable)
{
	return (PyObject_CallObject(callable, NULL));
}

static inline PyObject *
PyObject_CallOneArg(PyObject *callable, PyObject *arg)
{
	return (PyObject_CallFunctionObjArgs(callable, arg, NULL));
}

static inline PyCodeObject *
PyFrame_GetCode(PyFrameObject *frame)
{
	Py_INCREF(frame->f_code);
	return (frame->f_code);
}
#endif

#if PY_VERSION_HEX < 0x030a0000
static inline PyObject *
Py_NewRef(PyObject *object)
{
	Py_INCREF(object);
	return (object);
}
#endif

/* 1 and *result, 0 if there is no such attribute, -1 with an exception. */
static inline int
py_get_optional(PyObject *object, const char *name, PyObject **result)
{
#if PY_VERSION_HEX >= 0x030d0000
	return (PyObject_GetOptionalAttrString(object, name, result));
#else
	*result = PyObject_GetAttrString(object, name);
	if (*result != NULL)
		return (1);
	if (!PyErr_ExceptionMatches(PyExc_AttributeError))
		return (-1);
	PyErr_Clear();
	return (0);
#endif
}

/*
 * The bytes of a str as latin-1, without a copy: 1; 0 if it has characters
 * beyond; -1 with an exception.
 */
static inline int
py_latin1(PyObject *str, const char **text, Py_ssize_t *len)
{
#if PY_VERSION_HEX < 0x030c0000
	if (PyUnicode_READY(str) == -1)
		return (-1);
#endif
	if (PyUnicode_KIND(str) != PyUnicode_1BYTE_KIND)
		return (0);
	*text = (const char *)PyUnicode_1BYTE_DATA(str);
	*len = PyUnicode_GET_LENGTH(str);
	return (1);
}

/* The exception in hand as one normalized object, which is taken; or NULL. */
static inline PyObject *
py_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
	return (PyErr_GetRaisedException());
#else
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (type == NULL)
		return (NULL);
	PyErr_NormalizeException(&type, &value, &traceback);
	if (traceback != NULL)
		PyException_SetTraceback(value, traceback);
	Py_XDECREF(traceback);
	Py_DECREF(type);
	return (value);
#endif
}

/* Raises an instance again, with the traceback that it has; takes it. */
static inline void
py_raise(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030c0000
	PyErr_SetRaisedException(exception);
#else
	PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception,
	    PyException_GetTraceback(exception));
#endif
}

#endif
