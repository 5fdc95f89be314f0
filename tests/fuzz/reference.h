/*
 * reference - HTTP/1.1 read a second time, for comparison: plain, slow, and
 * without a line from src.
 *
 * Each function is given all of the text and takes what RFC 9112 allows or, where
 * that is said, a little less.
 */
#ifndef CGTHREAD_REFERENCE_H
#define CGTHREAD_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#define REFERENCE_NONE ((size_t)-1)

/* A field line and where its parts are in the text. */
struct reference_field {
	size_t name, name_len, value, value_len;
};

bool reference_is_token(const char *, size_t len);
bool reference_equals(const char *, size_t len,
    const char *word); /* word in lower case, text in any */

/*
 * Field lines from at up to the empty line, RFC 9112 5: where it ends, or
 * REFERENCE_NONE.  At most max are noted; *n is how many there are.
 */
size_t reference_fields(const char *text, size_t len, size_t at,
    struct reference_field *, size_t max, size_t *n);

/*
 * A chunked body at the start of the text, RFC 9112 7.1: its length, or
 * REFERENCE_NONE.  The decoded bytes go to body, which has room for len.
 */
size_t reference_chunked(
    const char *text, size_t len, char *body, size_t *body_len);

/* RFC 3986 2.1: "%2f" is "/", and what is no escape stays; the length. */
size_t reference_unescape(char *to, const char *text, size_t len);

/* One reply, RFC 9112 4 and 6.3. */
struct reference_reply {
	int status;
	size_t head_len, len; /* of the text */
	bool is_chunked, has_length, closes;
	bool is_whole;   /* else the text ends before the reply does */
	size_t body_len; /* decoded, as far as it is there */
};

/*
 * The reply at the start of the text, which ended with the connection.  False if
 * it is not even the beginning of one.
 */
bool reference_reply(
    const char *text, size_t len, bool to_head, struct reference_reply *);

#endif
