/*
 * py_text - str objects of what clients send again and again.
 *
 * A cache holds the last few values of one field or one part of the request
 * line.  A str is handed out again only where every byte is the same, so that
 * a request sees nothing of another's but what it has sent itself.  What is
 * secret has no cache: Cookie, Authorization and their like.
 *
 * One set of caches for a worker; the GIL guards it.
 */
#ifndef CGTHREAD_PY_TEXT_H
#define CGTHREAD_PY_TEXT_H

#include <stdint.h>
#include <string.h>

#include "py_compat.h"

#define PY_TEXT_MAX   256 /* bytes of the longest value that is kept */
#define PY_TEXT_SLOTS 8

struct py_text {
	PyObject *str;
	const char *data; /* of str, latin-1; NULL: empty */
	size_t len;
};

struct py_text_cache {
	struct py_text slots[PY_TEXT_SLOTS];
};

/* A new str of latin-1; NULL with an exception. */
PyObject *py_text_new(const char *text, size_t len);

/* The same through a cache, or past it where that is NULL; a new reference. */
PyObject *py_text_get(struct py_text_cache *, const char *text, size_t len);

/* The decimal number of a port, likewise. */
PyObject *py_text_port(uint16_t port);

/* Shows the bytes of one that py_text_get() made; borrows it. */
void py_text_show(struct py_text *, PyObject *str);

static inline int
py_text_is(const struct py_text *known, const char *text, size_t len)
{
	return (known->data != NULL && known->len == len &&
		memcmp(known->data, text, len) == 0);
}

#endif
