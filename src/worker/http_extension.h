/*
 * http_extension - what may stand behind a chunk's size: RFC 9112 7.1.1.
 *
 * Pure, one byte after the other: it may come in any pieces.
 */
#ifndef CGTHREAD_HTTP_EXTENSION_H
#define CGTHREAD_HTTP_EXTENSION_H

#include <stdbool.h>

enum http_extension {
	HTTP_EXTENSION_NONE, /* in the size */
	HTTP_EXTENSION_GAP,  /* white space, and a ";" has to come */
	HTTP_EXTENSION_NAME_DUE,
	HTTP_EXTENSION_NAME,
	HTTP_EXTENSION_NAME_GAP, /* "=" or ";" has to come */
	HTTP_EXTENSION_VALUE_DUE,
	HTTP_EXTENSION_VALUE,
	HTTP_EXTENSION_QUOTED,
	HTTP_EXTENSION_ESCAPED, /* behind a "\" in quotes */
	HTTP_EXTENSION_CLOSED,  /* behind the quotes */
	HTTP_EXTENSION_OVER,    /* the line's CR has come */
	HTTP_EXTENSION_BAD
};

/* Where we are after one more byte of the line. */
enum http_extension http_extension_next(enum http_extension, char);

#endif
