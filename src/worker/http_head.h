/*
 * http_head - a request's head and the framing of its body: bytes in, facts
 * out.
 *
 * Pure: no I/O, no clock, no allocation.  llhttp does the grammar of RFC 9112;
 * what it lets pass and the RFC does not is refused here.  Text is given as
 * offsets into the caller's buffer, which may therefore move while it grows;
 * the bytes are not changed.
 *
 * One thread at a time; a head that has been parsed may be read from any.
 */
#ifndef CGTHREAD_HTTP_HEAD_H
#define CGTHREAD_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "http_extension.h"

/* A piece of the head's text. */
struct http_text {
	uint32_t offset;
	uint32_t len;
};

struct http_field {
	struct http_text name;
	struct http_text value; /* without the white space around it */
};

/* What a client may ask for, each an option of cgthread.ini(5). */
struct http_limits {
	size_t line;       /* bytes of the request line */
	size_t fields;     /* how many, at most HTTP_FIELDS_MAX */
	size_t field_size; /* bytes of one: name, colon, value */
	size_t head;       /* bytes of it all */
	uint64_t body;     /* bytes, decoded */
};

#define HTTP_FIELDS_MAX 512

/* Empty lines that a client may send before its request: RFC 9112 2.2. */
#define HTTP_BLANK_LINES_MAX 2

enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH, /* content_length bytes follow */
	HTTP_BODY_CHUNKED
};

struct http_head {
	struct http_text method;
	struct http_text target; /* as sent */
	struct http_text path;   /* of it, still escaped, without the query */
	struct http_text query;  /* of it, without the "?" */
	uint8_t major, minor;
	enum http_framing framing;
	uint64_t content_length; /* HTTP_BODY_LENGTH */
	bool keep_alive;         /* the client's wish: RFC 9112 9.3 */
	bool expect_continue;    /* RFC 9110 10.1.1 */
	bool is_head; /* HEAD, also of a line that is refused: no body in the
		       * reply */
	uint32_t nfields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* What went wrong, for the client and for the log. */
struct http_error {
	int status;         /* 400, 413, 414, 417, 431, 501, 505 */
	const char *reason; /* a constant, with the section of the RFC */
};

enum http_result {
	HTTP_INCOMPLETE, /* feed more */
	HTTP_COMPLETE,
	HTTP_BAD /* see the error; feed nothing more */
};

/* Receives decoded body bytes: 0, or -1 to stop with HTTP_BAD. */
typedef int http_body_fn(void *arg, const char *data, size_t len);

struct http_parser {
	llhttp_t llhttp; /* fed with the fields and the chunks */
	struct http_head *head;
	const struct http_limits *limits;
	const char *base;  /* (during a call) start of the caller's buffer */
	size_t scanned;    /* bytes whose lines have been looked at */
	size_t line_start; /* where the line in hand begins */
	size_t fed;        /* bytes that llhttp has seen; 0: no request line */
	unsigned blank;    /* empty lines before the request line */
	unsigned nlines;   /* request line and field lines */
	bool has_host, has_length, has_coding, has_type;
	bool wants_close, wants_keep_alive; /* Connection */
	bool in_field;                      /* llhttp is in the middle of one */
	bool in_body;        /* the head is over: fields are trailers */
	bool complete;       /* llhttp has seen the end of the message */
	uint64_t body_len;   /* decoded so far */
	uint64_t chunk_left; /* bytes of the chunk in hand; 0: in its framing */
	char last;           /* byte of the framing, or 0 */
	size_t line_len;     /* of the framing line in hand */
	bool at_data_end;    /* behind a chunk's data, before the next size */
	bool in_trailers;    /* behind the last chunk */
	size_t extra;        /* bytes of chunk extensions and trailers */
	enum http_extension extension; /* of the chunk in hand */
	char trailer[24]; /* name in hand, as far as names we look for go */
	size_t trailer_len;
	http_body_fn *on_body;
	void *on_body_arg;
	struct http_error error;
};

/* Starts a new message into head, which the caller keeps until it is done. */
void http_parser_init(
    struct http_parser *, struct http_head *, const struct http_limits *);

/*
 * Parses the head that begins at buf.  Call again with the same bytes and more
 * behind them after HTTP_INCOMPLETE.  On HTTP_COMPLETE *used is the head's
 * length; what lies behind it is body or the next request.
 */
enum http_result http_parser_head(
    struct http_parser *, const char *buf, size_t len, size_t *used);

/*
 * Decodes a chunked body (RFC 9112 7.1), after the head; data need not be
 * contiguous with it.  *used is what belongs to this message.  Trailers are
 * checked and thrown away.
 */
enum http_result http_parser_chunked(struct http_parser *, const char *data,
    size_t len, size_t *used, http_body_fn *, void *arg);

/* The first field of that name (in lower case), or NULL. */
const struct http_field *http_head_find(
    const struct http_head *, const char *base, const char *name);

#endif
