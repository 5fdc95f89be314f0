/*
 * http_private - what the parts of the parser share: http_head.c has the lines
 * and the head, http_request_line.c its first line, http_field.c what fields
 * mean for the message, http_chunked.c the body.
 */
#ifndef CGTHREAD_HTTP_PRIVATE_H
#define CGTHREAD_HTTP_PRIVATE_H

#include "http_head.h"

/* Notes the first error; always HTTP_BAD. */
enum http_result http_bad(struct http_parser *, int status, const char *reason);

/* Feeds llhttp; what a callback refused has set the error already. */
enum http_result http_feed(struct http_parser *, const char *data, size_t len);

/* RFC 9112 3: the line from start to end, without its CR LF. */
enum http_result http_request_line(
    struct http_parser *, size_t start, size_t end);

/* The same line, or what there is of it: does it ask by HEAD? */
bool http_line_is_head(const char *line, size_t len);

/* One field of the head, complete: what it says about the message. */
enum http_result http_take_field(
    struct http_parser *, const struct http_field *);
/* All fields are there: do they agree? */
enum http_result http_check_fields(struct http_parser *);
/* RFC 9110 6.5.1: a field that cannot come after the body. */
bool http_is_forbidden_trailer(const char *name, size_t len);

/* llhttp's callbacks for what lies behind the head. */
int http_on_trailer_name(struct http_parser *, const char *, size_t);
int http_on_trailer_value(struct http_parser *, const char *, size_t);
int http_on_trailer_complete(struct http_parser *);
int http_on_body(llhttp_t *, const char *, size_t);
int http_on_chunk_header(llhttp_t *);

#endif
