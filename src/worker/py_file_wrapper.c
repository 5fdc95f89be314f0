/* py_file_wrapper - see py_file_wrapper.h. */
#include "py_file_wrapper.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "fork_guard.h"
#include "macros.h"

#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570 /* fs/configfs/mount.c of the kernel */
#endif

#define BLOCK_SIZE 8192

/* How many objects may stand around the real file: Django's File, tempfile's.
 */
#define WRAPPERS_MAX 4

struct wrapper {
	PyObject_HEAD PyObject *file;
	PyObject *block_size;
};

static PyTypeObject wrapper_type;

static PyObject *
wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static const char *const names[] = {"filelike", "blksize", NULL};
	struct wrapper *w;
	PyObject *file;
	Py_ssize_t block_size = BLOCK_SIZE;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:file_wrapper",
		(char **)(uintptr_t)names, &file, &block_size))
		return (NULL);
	if (block_size <= 0) {
		PyErr_SetString(PyExc_ValueError,
		    "file_wrapper: the block size must be positive");
		return (NULL);
	}
	w = (struct wrapper *)type->tp_alloc(type, 0);
	if (w == NULL)
		return (NULL);
	w->file = Py_NewRef(file);
	w->block_size = PyLong_FromSsize_t(block_size);
	if (w->block_size == NULL)
		Py_CLEAR(w);
	return ((PyObject *)w);
}

static int
wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(((struct wrapper *)self)->file);
	return (0);
}

static int
wrapper_clear(PyObject *self)
{
	Py_CLEAR(((struct wrapper *)self)->file);
	return (0);
}

static void
wrapper_dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	(void)wrapper_clear(self);
	Py_CLEAR(((struct wrapper *)self)->block_size);
	Py_TYPE(self)->tp_free(self);
}

/* The file, or NULL with an exception if the collector has taken it. */
static PyObject *
wrapper_file(PyObject *self)
{
	PyObject *file = ((struct wrapper *)self)->file;

	if (file == NULL)
		PyErr_SetString(PyExc_ValueError, "file_wrapper: no file");
	return (file);
}

/* The next block; no exception at the end, as tp_iternext has it. */
static PyObject *
wrapper_next(PyObject *self)
{
	PyObject *file = wrapper_file(self), *block;
	int more;

	if (file == NULL)
		return (NULL);
	block = PyObject_CallMethod(
	    file, "read", "O", ((struct wrapper *)self)->block_size);
	if (block == NULL)
		return (NULL);
	more = PyObject_IsTrue(block);
	if (more != 1)
		Py_CLEAR(block);
	return (block);
}

static PyObject *
wrapper_close(PyObject *self, PyObject *none UNUSED)
{
	PyObject *file = wrapper_file(self), *close, *result;
	int found;

	if (file == NULL)
		return (NULL);
	found = py_get_optional(file, "close", &close);
	if (found == -1)
		return (NULL);
	if (found == 0)
		Py_RETURN_NONE;
	result = PyObject_CallNoArgs(close);
	Py_DECREF(close);
	return (result);
}

/* seek, tell and seekable are the file's own, and missing where it has none. */
static PyObject *
wrapper_attribute(PyObject *self, void *name)
{
	PyObject *file = wrapper_file(self);

	return (file != NULL ? PyObject_GetAttrString(file, name) : NULL);
}

static PyMethodDef wrapper_methods[] = {
    {"close", wrapper_close, METH_NOARGS, "Close the file."},
    {NULL, NULL, 0, NULL},
};

static char name_seek[] = "seek", name_tell[] = "tell",
	    name_seekable[] = "seekable";

static PyGetSetDef wrapper_attributes[] = {
    {"seek", wrapper_attribute, NULL, "The file's seek().", name_seek},
    {"tell", wrapper_attribute, NULL, "The file's tell().", name_tell},
    {"seekable", wrapper_attribute, NULL, "The file's seekable().",
	name_seekable},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject wrapper_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cgthread.FileWrapper",
    .tp_doc = "file_wrapper(filelike, blksize=8192): blocks of a file.",
    .tp_basicsize = sizeof(struct wrapper),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = wrapper_new,
    .tp_dealloc = wrapper_dealloc,
    .tp_traverse = wrapper_traverse,
    .tp_clear = wrapper_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = wrapper_next,
    .tp_methods = wrapper_methods,
    .tp_getset = wrapper_attributes,
};

PyObject *
py_file_wrapper_type(void)
{
	if (PyType_Ready(&wrapper_type) == -1)
		return (NULL);
	return ((PyObject *)&wrapper_type);
}

bool
py_file_wrapper_check(PyObject *object)
{
	return (Py_TYPE(object) == &wrapper_type);
}

/* ---- is there a real file behind it? ---- */

static int
is_instance(PyObject *object, PyObject *io, const char *type_name)
{
	PyObject *type = PyObject_GetAttrString(io, type_name);
	int result;

	if (type == NULL)
		return (-1);
	result = PyObject_IsInstance(object, type);
	Py_DECREF(type);
	return (result);
}

/* A buffer may stand in front of anything. */
static int
is_in_front_of_file(PyObject *file, PyObject *io)
{
	PyObject *raw;
	int result;

	raw = PyObject_GetAttrString(file, "raw");
	if (raw == NULL)
		return (-1);
	result = is_instance(raw, io, "FileIO");
	Py_DECREF(raw);
	return (result);
}

/*
 * What was written to a buffer for both ways may not have reached the descriptor
 * (seek() within the buffer leaves it there), and close() would write it while
 * the file is being sent.
 */
static int
write_out(PyObject *file)
{
	PyObject *none = PyObject_CallMethod(file, "flush", NULL);

	Py_XDECREF(none);
	return (none != NULL ? 1 : -1);
}

static int
is_buffered_file(PyObject *file, PyObject *io)
{
	int result = is_instance(file, io, "BufferedReader");

	if (result == 1)
		return (is_in_front_of_file(file, io));
	if (result == 0)
		result = is_instance(file, io, "BufferedRandom");
	if (result == 1)
		result = is_in_front_of_file(file, io);
	return (result == 1 ? write_out(file) : result);
}

/*
 * fileno() alone does not tell: that of a gzip.GzipFile is the compressed
 * file's, while tell() counts what is unpacked.  So there must be an object of
 * io that gives a descriptor's bytes as they are, perhaps behind a few wrappers
 * which, by custom, keep it under the name "file".
 */
static int
is_plain_file(PyObject *object, PyObject *io)
{
	PyObject *file = Py_NewRef(object), *inner = NULL;
	int i, result = 0;

	for (i = 0; i < WRAPPERS_MAX; i++) {
		result = is_instance(file, io, "IOBase");
		if (result != 0)
			break;
		result = py_get_optional(file, "file", &inner);
		if (result != 1)
			break;
		Py_DECREF(file);
		file = inner;
		result = 0;
	}
	if (result == 1)
		result = is_instance(file, io, "FileIO");
	if (result == 0)
		result = is_buffered_file(file, io);
	Py_DECREF(file);
	return (result);
}

static int
call_number(PyObject *object, const char *method, long long *number)
{
	PyObject *result = PyObject_CallMethod(object, method, NULL);

	if (result == NULL)
		return (-1);
	*number = PyLong_AsLongLong(result);
	Py_DECREF(result);
	return (*number == -1 && PyErr_Occurred() ? -1 : 0);
}

/*
 * What is read there is made by a function of the kernel when it is read, and the
 * size is a page or what its author thought of.  Those that never tell a size but
 * 0, as cgroup's, need not stand here.
 */
static bool
is_made_when_read(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == -1)
		return (true);
	switch (fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CONFIGFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
		return (true);
	default:
		return (false);
	}
}

/*
 * The kernel can send it, and its size is that of what will come.  Where it is not,
 * a Content-Length would be a lie; where nothing is left to send, reading costs
 * nothing, and tells a file without a size from an empty one.
 *
 * Nothing in those file systems has blocks, while a file of any other that has none
 * is rare (sparse, or kept within its inode): it alone costs one more system call.
 */
static bool
is_sendable(int fd, off_t offset, struct stat *st)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
		return (false);
	if (fstat(fd, st) == -1 || !S_ISREG(st->st_mode) || offset < 0 ||
	    st->st_size <= offset)
		return (false);
	return (st->st_blocks > 0 || !is_made_when_read(fd));
}

/* 1 with the descriptor and the position, 0 if it must be read, or -1. */
static int
locate(PyObject *file, int *fd, struct stat *st, off_t *offset)
{
	long long number, position;
	PyObject *io;
	int plain;

	io = PyImport_ImportModule("io");
	if (io == NULL)
		return (-1);
	plain = is_plain_file(file, io);
	Py_DECREF(io);
	if (plain != 1)
		return (plain);
	if (call_number(file, "fileno", &number) == -1 ||
	    call_number(file, "tell", &position) == -1)
		return (-1);
	*fd = (int)number;
	*offset = (off_t)position;
	return (is_sendable(*fd, *offset, st));
}

int
py_file_wrapper_open(PyObject *wrapper, struct py_file_span *span)
{
	PyObject *file = wrapper_file(wrapper);
	struct stat st;
	int fd, found;

	if (file == NULL)
		return (-1);
	found = locate(file, &fd, &st, &span->offset);
	if (found == -1 && PyErr_ExceptionMatches(PyExc_Exception)) {
		/* What is wrong with it, reading will tell. */
		PyErr_Clear();
		found = 0;
	}
	if (found != 1)
		return (found);
	span->fd = fork_guard_dup(fd);
	if (span->fd == -1)
		return (0);
	span->len = (size_t)(st.st_size - span->offset);
	return (1);
}
