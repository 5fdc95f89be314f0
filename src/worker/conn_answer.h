/*
 * conn_answer - what the loop answers in the server's own name, and what the log is
 * told of it.  A part of conn: see conn_private.h.
 */
#ifndef CGTHREAD_CONN_ANSWER_H
#define CGTHREAD_CONN_ANSWER_H

#include "conn_private.h"

/*
 * Answers and closes afterwards: one log line with the reason, which is a constant.
 * extra as for http_reply_error().
 */
enum conn_step conn_refuse(
    struct conn *, int status, const char *reason, const char *extra);

/* The request's reply becomes one of ours; the connection is REPLYING. */
enum conn_step conn_answer(
    struct conn *, int status, bool keep_alive, const char *extra);

/* No thread has time, by the limit of that name: 503; the connection stays. */
enum conn_step conn_busy(struct conn *, const char *why);
/* It has waited for a thread for too long, unless one has it. */
enum conn_step conn_queue_timeout(struct conn *);

bool conn_is_health(const struct conn *);  /* the request is for health_path */
enum conn_step conn_health(struct conn *); /* its answer */

/* May a line about one more refused request or connection be written? */
bool conn_may_tell(struct conn *);
/* How many more there were than that: once a second, and at the end. */
void conn_tell_others(struct conn_list *);

#endif
