/*
 * request - one request from its first byte to its access-log line.
 *
 * The loop makes it, fills it and frees it.  Between pool_submit() and the
 * completion that carries REPLY_DONE a pool thread may read head, text, body
 * and peer, which do not change meanwhile, and writes the reply; the loop then
 * touches only what is marked (loop) and the loop's side of the reply.
 */
#ifndef CGTHREAD_REQUEST_H
#define CGTHREAD_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "http_head.h"
#include "peer.h"
#include "pool.h"
#include "budget.h"
#include "proxy_rules.h"
#include "reply.h"
#include "spool.h"

struct conn;

/* What all requests of a worker share; constant while threads run, but for
 * draining. */
struct request_context {
	struct http_limits limits;
	size_t body_buffer;
	const char *spool_dir;
	size_t high_watermark;
	const char *server_header;
	unsigned slot;        /* number of this worker, from 1 */
	bool multiprocess;    /* there are other workers */
	bool multithread;     /* the pool has more than one thread */
	bool keep_alive;      /* keepalive is not 0 */
	bool is_timed;        /* the access log wants to know times */
	uint64_t nbegun;      /* (loop) requests, ever */
	atomic_bool draining; /* set by the loop: keep no connection alive */
	struct budget memory; /* (loop) heads, bodies, replies not taken */
	struct proxy_rules proxy;
	struct completion_list completions;
};

struct request {
	unsigned magic;
	struct pool_job job;
	struct reply reply;
	struct request_context *context;

	char *text; /* the head's bytes, then what came behind them */
	size_t text_len, text_size;
	size_t head_len;  /* of text; 0 until the head is whole */
	size_t parsed;    /* (loop) of text, by the head's parser */
	size_t text_used; /* (loop) of text, by this request */
	struct http_head head;
	struct peer peer; /* the client, as far as it is known */
	const struct local *local;
	struct forwarded forwarded; /* what a trusted proxy says */
	uint32_t path_skip;         /* bytes of the path: its SCRIPT_NAME */
	unsigned hidden; /* what fields are not for the application's eyes */

	const char *body; /* all of it, decoded; valid once complete */
	size_t body_len;

	struct conn *conn;         /* (loop) */
	struct http_parser parser; /* (loop) */
	struct spool spool;        /* (loop) */
	int spool_error;           /* (loop) errno of the spool, or 0 */
	unsigned thread; /* number of the thread that ran it; 0 = none */

	/* for the access log; the times only where context->is_timed */
	uint64_t number;    /* (loop) of this worker's, from 1 */
	uint64_t begun_ns;  /* (loop) its first byte */
	uint64_t queued_ns; /* (loop) given to the pool */
	uint64_t taken_ns;  /* by a thread, which writes it */
	const char *reason; /* (loop) of its refusal or cut; NULL: neither */
	bool is_cut;        /* (loop) not all of its reply could be sent */
	size_t unsent; /* (loop) bytes of the reply that the budget knows of */
	int status_unsent; /* (loop) to be told if none was sent; 0: 499 */
};

struct request *request_new(struct request_context *); /* NULL: ENOMEM */
void request_free(struct request **);
/* As new, with the memory that it has; the loop, with nothing out. */
void request_reset(struct request *);

/* The loop: room in text, or bytes behind what is there.  0, or -1 with errno
 * ENOMEM, or ENOBUFS where the budget is used up. */
int request_reserve(struct request *, size_t room);
int request_append(struct request *, const char *data, size_t len);
/* Its first byte is there. */
void request_begin(struct request *);

/* What the access log shall say of it, the first of these: no memory for its
 * answer, or it was cut. */
void request_fail(struct request *);
void request_cut(struct request *, const char *why);

/* Now, where somebody wants to know. */
static inline uint64_t
request_stamp(const struct request *req)
{
	return (req->context->is_timed ? clock_ns() : 0);
}

struct request *request_of_job(struct pool_job *);
struct request *request_of_completion(struct completion *);

/* What of it bears on the head of its reply, now. */
void request_reply_context(const struct request *, struct http_reply_context *);

/* "GET /path HTTP/1.1" in its text, whole or as far as it came; empty while there
 * are only empty lines, and where one too many or a bare CR or LF stands for it. */
struct http_text request_line_text(const struct request *);
#define REQUEST_LINE_SIZE 600 /* enough of one for the log */
/* The same as a string, cut to fit: a NUL as \x00, which is how the log will write
 * the other control bytes. */
void request_line(const struct request *, char *buf, size_t size);

#endif
