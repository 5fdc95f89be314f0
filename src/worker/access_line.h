/*
 * access_line - a line of the access log while it is made, and what it tells.
 *
 * What does not fit is left out: a line is never longer than its room, and has
 * no byte that the client could end or forge one with.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_ACCESS_LINE_H
#define CGTHREAD_ACCESS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "log_format.h"
#include "request.h"

/* Bytes of one item of the client's before it is cut. */
#define ACCESS_ITEM_MAX 2048

/* A line at most, with its end.  JSON needs so much: five items of its own, each
 * byte of which may become six. */
#define ACCESS_LINE_MAX 65536

struct access_line {
	char *at, *end;
};

/* A request that is over. */
struct access_record {
	const struct request *req;
	int status;         /* sent, or what stands for none */
	uint64_t bytes;     /* of the body that have left */
	bool is_answered;   /* some of an answer has left */
	bool is_aborted;    /* but not all of it */
	bool is_kept;       /* the connection goes on */
	const char *reason; /* NULL: none */
	unsigned thread;    /* 0: none has had it */
	bool is_queue_known;
	uint64_t duration_us, queue_us;
	struct timespec now;  /* wall clock */
	const char *date;     /* "22/Nov/2026:14:03:07 +0000" */
	const char *date_iso; /* "2026-11-22T14:03:07", without the zone */
	const char *zone_iso; /* "+00:00" */
	pid_t pid;
	unsigned worker;
	uint64_t started; /* milliseconds; when the worker began */
};

void access_line_add(struct access_line *, const char *text, size_t len);
void access_line_add_string(struct access_line *, const char *text);
void access_line_add_number(struct access_line *, uint64_t);

/* ---- of a record ---- */

/* What the client sent, within the head's text; len 0: not known. */
struct access_item {
	const char *text;
	size_t len;
	bool is_there; /* it may be empty */
};

/* LOG_METHOD and such; none where the head never became whole. */
struct access_item access_item_of(const struct access_record *, enum log_atom);
struct access_item access_item_field(
    const struct access_record *, const char *name);
struct access_item access_item_response_field(
    const struct access_record *, const char *name);
/* Of Authorization, into buf of ACCESS_ITEM_MAX bytes. */
struct access_item access_item_user(const struct access_record *, char *buf);

#define ACCESS_ID_SIZE 64
void access_id(const struct access_record *, char buf[ACCESS_ID_SIZE]);

/* ---- the whole of it, with its newline ---- */

void access_text(struct access_line *, const struct log_format *,
    const struct access_record *);
void access_json(struct access_line *, const struct access_record *);

#endif
