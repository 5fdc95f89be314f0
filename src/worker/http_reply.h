/*
 * http_reply - the head of a reply: status and fields in, bytes out.
 *
 * Pure but for the memory of its text.  Nothing invalid can be put in: a
 * status, a name or a value that RFC 9110 does not allow is refused with a
 * reason, so a reply cannot be split by what an application lets through.
 *
 * Belongs to the thread that writes the reply, until it is finished.
 */
#ifndef CGTHREAD_HTTP_REPLY_H
#define CGTHREAD_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* How the end of the reply's body is told: RFC 9112 6.3. */
enum http_reply_framing {
	HTTP_REPLY_NO_BODY, /* HEAD, 1xx, 204, 205, 304: not a byte */
	HTTP_REPLY_LENGTH,  /* length bytes, exactly */
	HTTP_REPLY_CHUNKED,
	HTTP_REPLY_CLOSE /* ends with the connection: HTTP/1.0 */
};

struct http_reply {
	char *text; /* "HTTP/1.1 200 OK\r\n" and fields; kept for reuse */
	size_t len, size;
	int status;     /* 0: none set yet */
	int64_t length; /* Content-Length that was set, or -1 */
	bool has_date, has_server;
	bool wants_close; /* the application said Connection: close */
	/* http_reply_finish() decides: */
	enum http_reply_framing framing;
	bool keep_alive;
};

/* What of the request and the server bears on the reply. */
struct http_reply_context {
	bool is_head;       /* the request's method was HEAD */
	bool is_http10;     /* no chunked coding: RFC 9112 7.1 */
	bool keep_alive;    /* the client would go on, and so would we */
	const char *server; /* the Server field, "" for none */
	time_t now;         /* for Date */
};

void http_reply_init(struct http_reply *);
void http_reply_fini(struct http_reply *);
void http_reply_reset(struct http_reply *); /* empty again, memory kept */

/*
 * status is "200 OK": three digits, 200 to 999, a space, a phrase (it may be
 * empty, and has no tab).  A second call replaces the first and all fields.  0,
 * or -1 with *why a constant and errno EINVAL, or ENOMEM when memory was short.
 */
int http_reply_status(
    struct http_reply *, const char *status, size_t len, const char **why);

/*
 * Adds a field, after the status.  Hop-by-hop fields are the server's: they are
 * left out and 1 is returned; but "Connection: close" is obeyed (and returns
 * 0). A second Content-Length, or one that is no number, is refused.  White
 * space around the value is dropped.  Returns otherwise as http_reply_status().
 */
int http_reply_field(struct http_reply *, const char *name, size_t name_len,
    const char *value, size_t value_len, const char **why);

/*
 * Completes the head: framing, Content-Length or Transfer-Encoding, Connection,
 * Date, Server, and the empty line.  known_length is the length of the body
 * where it is known before the first byte, else -1; it counts only where the
 * application gave no Content-Length; length then holds it.  0, or -1 with
 * errno ENOMEM.
 */
int http_reply_finish(struct http_reply *, const struct http_reply_context *,
    int64_t known_length);

/*
 * A whole reply of the server's own: "400 Bad Request" and a short text body.
 * extra is NULL or complete field lines ("Retry-After: 1\r\n").  The connection
 * closes unless context->keep_alive.  0, or -1 with errno ENOMEM.
 */
int http_reply_error(struct http_reply *, const struct http_reply_context *,
    int status, const char *extra);

/* "Bad Request" for 400; never NULL. */
const char *http_reply_phrase(int status);

#endif
