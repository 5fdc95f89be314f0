/*
 * http_line - the fields that a reply may have: what the server must know of
 * them, and the lines of those that are sent again and again.
 *
 * A line that was found good once is copied the next time, where name and value
 * are the same in every byte.  Only fields that are known to say nothing about
 * one client are kept, no Set-Cookie; and those lines belong to one thread.
 */
#ifndef CGTHREAD_HTTP_LINE_H
#define CGTHREAD_HTTP_LINE_H

#include <stddef.h>
#include <stdint.h>

enum http_line_kind {
	HTTP_LINE_PLAIN,
	HTTP_LINE_COMMON, /* plain, and worth to be kept */
	HTTP_LINE_LENGTH,
	HTTP_LINE_CONNECTION,
	HTTP_LINE_DATE,
	HTTP_LINE_SERVER,
	HTTP_LINE_HOP_BY_HOP
};

enum http_line_kind http_line_kind(const char *name, size_t len);

struct http_line {
	uint8_t len; /* 0: empty */
	uint8_t name_len;
	char text[126];
};

/* "name: value\r\n" as it was kept, or NULL. */
const struct http_line *http_line_find(
    const char *name, size_t name_len, const char *value, size_t value_len);

/* Keeps the line of a good field, unless it is long. */
void http_line_keep(size_t name_len, const char *line, size_t len);

/* The same for the status line, of which the last one is kept. */
const struct http_line *http_line_find_status(const char *status, size_t len);
void http_line_keep_status(const char *line, size_t len);

#endif
