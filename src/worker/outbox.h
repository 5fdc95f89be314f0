/*
 * outbox - the bytes of one reply between the thread that makes them and the loop
 * that sends them.
 *
 *	staged   the thread's alone: what it has made since it last published
 *	shared   under the lock: published, for the loop to collect
 *	sending  the loop's alone
 *
 * A reply that is made in one go is never published: it stays staged until it is
 * whole, and then it is either sent by the thread itself or collected as it is; no
 * lock is taken for it.
 *
 * Who calls what is said at each function; "the thread" is the one that runs the
 * request, and the loop after that.
 */
#ifndef CGTHREAD_OUTBOX_H
#define CGTHREAD_OUTBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "pool.h"

/* A piece: bytes in memory, or a range of a file. */
struct outbox_chunk {
	STAILQ_ENTRY(outbox_chunk) link;
	const char *data; /* NULL: a file */
	size_t left;      /* bytes not sent yet */
	int fd;           /* owned; -1 = memory */
	off_t offset;
	bool is_static; /* part of something else: not to be freed */
	/* The memory is an object of the interpreter's, which only a pool thread may
	 * let go of: sent, the chunk goes there as a job.  Else run is NULL. */
	struct pool_job release;
	void *owner;
};

STAILQ_HEAD(outbox_chunks, outbox_chunk);

/* Bytes of a body that are gathered in one buffer, which stays for the next reply:
 * no malloc for most of them. */
#define OUTBOX_BUFFER_MAX 65536

struct outbox {
	/* the thread's */
	struct outbox_chunks staged;
	size_t staged_len; /* bytes in memory */
	bool
	    has_other; /* in staged: what is not just bytes in memory of ours */
	bool published; /* at some time */

	pthread_mutex_t lock;
	pthread_cond_t room;
	struct outbox_chunks shared; /* (lock) */
	atomic_bool waiting;         /* the thread sleeps on room */
	atomic_size_t pending;       /* bytes published, in memory, unsent */

	/* the loop's */
	struct outbox_chunks sending;
	struct outbox_chunks used; /* to be released */
	uint64_t sent; /* bytes on the wire; also the thread's, while staged */

	struct outbox_chunk head, body; /* in the lists without malloc */
	char *buffer;                   /* body's bytes */
	size_t buffer_size, buffer_len;
};

enum outbox_progress {
	OUTBOX_SENT,    /* nothing is left to send */
	OUTBOX_BLOCKED, /* the socket is full */
	OUTBOX_YIELD,   /* there is more, but others have waited long enough */
	OUTBOX_FAILED   /* errno says why */
};

void outbox_init(struct outbox *);
void outbox_fini(struct outbox *);
/* Throws away all that is in it, with nobody at work on it; see outbox_take_used. */
void outbox_clear(struct outbox *);
void outbox_reset(struct outbox *); /* cleared, as new for the next reply */

/* ---- the thread ---- */

/* Bytes that stay where they are until the outbox is reset; once. */
void outbox_add_head(struct outbox *, const char *data, size_t len);
/* Room for so many bytes, to be filled at once; NULL: ENOMEM. */
char *outbox_add(struct outbox *, size_t len);
/* A range of a file.  Takes fd, unless it returns -1: ENOMEM. */
int outbox_add_file(struct outbox *, int fd, off_t offset, size_t len);

/* Bytes that stay where they are until release runs in a pool thread, which frees
 * the chunk (CONTAINER_OF its job) with free(3).  -1: ENOMEM, nothing is taken. */
int outbox_add_ref(struct outbox *, const void *data, size_t len,
    pool_run_fn *release, void *owner);

/* Bytes in memory that have not left: the thread's look, and the loop's, which does
 * not see what is staged. */
size_t outbox_len(const struct outbox *);
size_t outbox_unsent(const struct outbox *);

/* Makes what is staged the loop's to collect. */
void outbox_publish(struct outbox *);

/*
 * Blocks until at most low bytes wait, or until *stop has one of the bits; the
 * loop calls outbox_wake() after it has set one.
 */
void outbox_wait(
    struct outbox *, size_t low, const atomic_uint *stop, unsigned bits);

/* Sends what is staged, where nothing was ever published. */
enum outbox_progress outbox_send_staged(struct outbox *, int fd);

/* ---- the loop ---- */

/* Takes what was published; with_staged: the thread is through. */
void outbox_collect(struct outbox *, bool with_staged);

/* Sends what was collected, without blocking; low as for outbox_wait(). */
enum outbox_progress outbox_send(struct outbox *, int fd, size_t low);

void outbox_discard(struct outbox *); /* what was collected */
/* A chunk that is to be released by a pool thread, or NULL. */
struct pool_job *outbox_take_used(struct outbox *);
void outbox_wake(struct outbox *); /* a thread in outbox_wait() */

#endif
