/*
 * reply - the answer to one request, on its way from a thread to the loop.
 *
 * The thread writes (reply_begin .. reply_end), the loop sends (reply_collect,
 * reply_send).  Between them stand the outbox and one atomic word, the reply
 * port's: see enum reply_bit.
 *
 * Who sends adapts: a reply that is whole before any of it was published, and
 * while the loop sleeps, is sent by the thread itself, without waking the loop; it
 * then learns of the end in its next turn.  Everything else the loop sends.
 *
 * The descriptor is the connection's and stays open until DONE has been
 * collected.  DONE and QUEUED are set in one step, so the loop cannot free what
 * the thread is still going to push.
 *
 * A reader slower than the application is felt by the thread: once
 * high_watermark bytes wait, reply_wait() pauses it until the loop has sent half
 * of them; send_timeout bounds that, as the loop then aborts.
 */
#ifndef CGTHREAD_REPLY_H
#define CGTHREAD_REPLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "completion.h"
#include "http_reply.h"
#include "outbox.h"

enum reply_bit {
	/* Who answers: set once, by compare-and-swap, before the first byte;
	 * the loser discards. */
	REPLY_CLAIMED_BY_THREAD = 1 << 0,
	REPLY_CLAIMED_BY_LOOP = 1 << 1,
	REPLY_STARTED = 1 << 2, /* a thread has taken the request up */
	REPLY_GONE = 1 << 3,    /* the client has left: nobody may read it */
	REPLY_ABORTED = 1 << 4, /* nothing more is sent: the thread stops */
	REPLY_QUEUED = 1 << 5,  /* it stands in the completion list */
	REPLY_DONE = 1 << 6,    /* the thread's last touch */
	REPLY_WAKE = 1 << 7,    /* the loop wants to hear of DONE at once */
	REPLY_SENT = 1 << 8     /* by the thread, which is not DONE yet */
};

struct reply {
	struct completion completion; /* first: the list's items are replies */
	atomic_uint word;
	struct completion_list *completions; /* (const) the loop's */
	size_t high_watermark;               /* (const) bytes */
	int fd; /* (loop, then const) of the connection, for a thread to send on */
	bool is_awaited; /* (loop) it was DONE before the loop wanted to hear */
	bool is_collected; /* (loop) some of it has come from the thread */
	bool is_timed;     /* (loop, then const) sent_ns is wanted */

	/* the thread's, then after DONE the loop's */
	struct http_reply head;
	int64_t remaining; /* of Content-Length; -1 where it does not count */
	size_t head_len;   /* bytes of the head, framing of the body not */
	uint64_t body_len; /* bytes of body that the client is to get */
	bool begun;        /* the head is in the outbox */
	bool finished;     /* nothing more will be */
	bool failed;       /* ended before its framing was satisfied */
	uint64_t sent_ns;  /* when the thread had sent it; 0: it has not */

	struct outbox outbox;
};

void reply_init(
    struct reply *, struct completion_list *, size_t high_watermark);
void reply_reset(struct reply *); /* as new, for the next request */
void reply_fini(struct reply *);

/* ---- the thread that runs the request ---- */

/* Takes the request up; false: nobody wants it, only reply_end() may follow. */
bool reply_start(struct reply *);
bool reply_is_gone(const struct reply *);

/*
 * The head is complete (reply->head has status and fields): finishes it, claims
 * the reply and puts the head into the outbox.  known_length as for
 * http_reply_finish().  0, or -1: ENOMEM, or ECANCELED when the loop answers in
 * our place or the client is gone.
 */
int reply_begin(
    struct reply *, const struct http_reply_context *, int64_t known_length);

/*
 * Body bytes, copied and framed as the head says.  *taken is how many of them
 * are within Content-Length and counted; the rest is dropped.  An empty piece
 * is nothing.  0, or -1 with ENOMEM or ECANCELED.
 */
int reply_body(struct reply *, const void *data, size_t len, size_t *taken);

/*
 * The same without a copy, for large pieces: data stays as it is until release
 * runs, in a pool thread; see outbox_add_ref().  Nothing is taken unless 0 is
 * returned and *taken is not 0.
 */
int reply_body_ref(struct reply *, const void *data, size_t len, size_t *taken,
    pool_run_fn *release, void *owner);

/* The same from a file: len bytes at offset.  Takes fd, also on failure. */
int reply_file(struct reply *, int fd, off_t offset, size_t len);
/* What the outbox holds is on its way; costs nothing where it holds nothing. */
void reply_flush(struct reply *);

bool reply_is_full(const struct reply *);
/* Blocks, outside of every lock and of the gate, until there is room again.  0,
 * or -1 with ECANCELED when the reply has been aborted. */
int reply_wait(struct reply *);

/* Nothing more will be said; false where the application failed after the head: the
 * client gets a cut connection then. */
void reply_finish(struct reply *, bool complete);
/* The last call: the request is the loop's afterwards. */
void reply_end(struct reply *);

/* ---- the loop ---- */

/*
 * After the reply came back through the completion list: moves the outbox to
 * sending and returns the word, with DONE if the thread is through with it.
 */
unsigned reply_collect(struct reply *);
/* What has been sent, and the head, may be looked at although a thread has it. */
bool reply_is_known(const struct reply *);

/* The client is gone: the connection waits for the end of this reply to close.
 * drop: a request that no thread has taken up need not run. */
void reply_set_gone(struct reply *, bool drop);

/* Nothing more will be sent: throws sending away and wakes a waiting thread. */
void reply_abort(struct reply *);

/* The server's own answer where no thread has the request: head with body, or what
 * the loop has made by reply_begin() .. reply_finish(). */
void reply_put_head(struct reply *);
void reply_take_own(struct reply *);

/* Something waits for the end of this reply: wake the loop for it. */
void reply_want_wake(struct reply *);

/* Sends what it can, without blocking; outbox.sent tells how far it got. */
enum outbox_progress reply_send(struct reply *);

#endif
