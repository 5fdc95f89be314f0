/*
 * py_origin - by what URL a request was asked for, in its environ: what it says
 * itself, and what a trusted proxy says instead.
 *
 * With the GIL.  Whatever differs from one request to the next goes into its own
 * environ, never into what the thread keeps for the next one.
 */
#ifndef CGTHREAD_PY_ORIGIN_H
#define CGTHREAD_PY_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "py_compat.h"
#include "request.h"

int py_origin_start(void); /* once; -1 with an exception */

/* The host that a request itself names, in its target or in Host. */
struct py_origin_host {
	const char *name;
	size_t name_len;
	uint16_t port; /* 0: none is told, or what stands there is none */
	bool is_given; /* else the name is server_name */
};

void py_origin_host(struct py_origin_host *, const struct request *);

/* What is to stand over the fields' and the server's own.  -1 with an exception.
 */
int py_origin_put(PyObject *environ, const struct request *);

#endif
