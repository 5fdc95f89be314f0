/* reply - see reply.h. */
#include "reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"
#include "fd.h"

/* System calls for one reply before the loop turns to the next connection. */
#define SENDS_PER_TURN 16
#define IOVECS         32
#define SENDFILE_MAX   ((size_t)1 << 20)

/* "ffffffffffffffff\r\n" before a chunk and "\r\n" behind it. */
#define CHUNK_HEAD_MAX 18
#define CHUNK_TAIL     2

static void chunk_free(struct reply_chunk *);
static void chunks_free(struct reply_chunks *);

void
reply_init(
    struct reply *r, struct completion_list *completions, size_t high_watermark)
{
	memset(r, 0, sizeof(*r));
	r->completions = completions;
	r->high_watermark = high_watermark;
	http_reply_init(&r->head);
	PTHREAD_OK(pthread_mutex_init(&r->lock, NULL));
	PTHREAD_OK(pthread_cond_init(&r->room, NULL));
	STAILQ_INIT(&r->outbox);
	STAILQ_INIT(&r->sending);
	r->remaining = -1;
}

void
reply_fini(struct reply *r)
{
	chunks_free(&r->sending);
	chunks_free(&r->outbox);
	http_reply_fini(&r->head);
	PTHREAD_OK(pthread_cond_destroy(&r->room));
	PTHREAD_OK(pthread_mutex_destroy(&r->lock));
}

/* ---- chunks ---- */

static void
chunk_free(struct reply_chunk *chunk)
{
	fd_close(&chunk->fd);
	if (!chunk->is_static)
		free(chunk);
}

static void
chunks_free(struct reply_chunks *chunks)
{
	struct reply_chunk *chunk;

	while ((chunk = STAILQ_FIRST(chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(chunks, link);
		chunk_free(chunk);
	}
}

/* Room for size bytes behind the chunk itself; *data is where they go. */
static struct reply_chunk *
chunk_new(size_t size, char **data)
{
	struct reply_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (chunk == NULL)
		return (NULL);
	memset(chunk, 0, sizeof(*chunk));
	chunk->fd = -1;
	*data = (char *)(chunk + 1);
	chunk->data = *data;
	return (chunk);
}

static void
outbox_add(struct reply *r, struct reply_chunk *chunk)
{
	if (chunk->data != NULL)
		atomic_fetch_add(&r->pending, chunk->left);
	PTHREAD_OK(pthread_mutex_lock(&r->lock));
	STAILQ_INSERT_TAIL(&r->outbox, chunk, link);
	PTHREAD_OK(pthread_mutex_unlock(&r->lock));
}

/* ---- the thread's side ---- */

bool
reply_start(struct reply *r)
{
	unsigned old = atomic_fetch_or(&r->word, REPLY_STARTED);

	return ((old & REPLY_ABORTED) == 0);
}

bool
reply_is_gone(const struct reply *r)
{
	return ((atomic_load(&r->word) & (REPLY_GONE | REPLY_ABORTED)) != 0);
}

static bool
is_aborted(const struct reply *r)
{
	return ((atomic_load(&r->word) & REPLY_ABORTED) != 0);
}

/* Before the first byte: false when the loop has answered or given up. */
static bool
claim(struct reply *r)
{
	unsigned word = atomic_load(&r->word);

	do {
		if (word & (REPLY_CLAIMED_BY_LOOP | REPLY_ABORTED))
			return (false);
	} while (!atomic_compare_exchange_weak(
	    &r->word, &word, word | REPLY_CLAIMED_BY_THREAD));
	return (true);
}

/* The head's text stays where it is until the reply is reset. */
static struct reply_chunk *
head_chunk(struct reply *r)
{
	r->head_chunk = (struct reply_chunk){.data = r->head.text,
	    .left = r->head.len,
	    .fd = -1,
	    .is_static = true};
	return (&r->head_chunk);
}

int
reply_begin(struct reply *r, const struct http_reply_context *context,
    int64_t known_length)
{
	ASSERT(!r->begun && r->head.status != 0);
	if (http_reply_finish(&r->head, context, known_length) == -1)
		return (-1);
	if (!claim(r)) {
		errno = ECANCELED;
		return (-1);
	}
	r->begun = true;
	r->head_len = r->head.len;
	if (r->head.framing == HTTP_REPLY_LENGTH)
		r->remaining = r->head.length;
	outbox_add(r, head_chunk(r));
	return (0);
}

/*
 * How many of len bytes the framing lets through.  An application that says
 * more than its Content-Length is confused: what it says next is not believed
 * either, so the connection ends with this reply.
 */
static size_t
allowance(struct reply *r, size_t len)
{
	if (r->head.framing == HTTP_REPLY_NO_BODY)
		return (0);
	if (r->remaining == -1 || len <= (uint64_t)r->remaining)
		return (len);
	r->head.keep_alive = false;
	return ((size_t)r->remaining);
}

static void
account(struct reply *r, size_t len)
{
	r->body_len += len;
	if (r->remaining != -1)
		r->remaining -= (int64_t)len;
}

int
reply_body(struct reply *r, const void *data, size_t len, size_t *taken)
{
	bool chunked = r->head.framing == HTTP_REPLY_CHUNKED;
	struct reply_chunk *chunk;
	char *to;

	ASSERT(r->begun);
	*taken = allowance(r, len);
	if (is_aborted(r) || r->finished) {
		errno = ECANCELED;
		return (-1);
	}
	if (*taken == 0)
		return (0);
	chunk = chunk_new(*taken + CHUNK_HEAD_MAX + CHUNK_TAIL + 1, &to);
	if (chunk == NULL)
		return (-1);
	if (chunked)
		to += snprintf(to, CHUNK_HEAD_MAX + 1, "%zx\r\n", *taken);
	memcpy(to, data, *taken);
	to += *taken;
	if (chunked) {
		memcpy(to, "\r\n", CHUNK_TAIL);
		to += CHUNK_TAIL;
	}
	chunk->left = (size_t)(to - chunk->data);
	account(r, *taken);
	outbox_add(r, chunk);
	return (0);
}

/* Text of the framing around a file. */
static int
add_text(struct reply *r, const char *text, size_t len)
{
	struct reply_chunk *chunk;
	char *to;

	chunk = chunk_new(len, &to);
	if (chunk == NULL)
		return (-1);
	memcpy(to, text, len);
	chunk->left = len;
	outbox_add(r, chunk);
	return (0);
}

static int
add_file(struct reply *r, int fd, off_t offset, size_t len)
{
	bool chunked = r->head.framing == HTTP_REPLY_CHUNKED;
	char text[CHUNK_HEAD_MAX + 1], *none;
	struct reply_chunk *chunk;
	int n;

	chunk = chunk_new(0, &none);
	if (chunk == NULL)
		return (-1);
	n = snprintf(text, sizeof(text), "%zx\r\n", len);
	if (chunked && add_text(r, text, (size_t)n) == -1) {
		free(chunk);
		return (-1);
	}
	chunk->data = NULL;
	chunk->fd = fd;
	chunk->offset = offset;
	chunk->left = len;
	account(r, len);
	outbox_add(r, chunk);
	if (chunked && add_text(r, "\r\n", CHUNK_TAIL) == -1)
		r->failed = true; /* the framing is broken: the end will cut */
	return (0);
}

int
reply_file(struct reply *r, int fd, off_t offset, size_t len)
{
	ASSERT(r->begun);
	len = allowance(r, len);
	if (!is_aborted(r) && len > 0 && add_file(r, fd, offset, len) == 0)
		return (0);
	if (is_aborted(r))
		errno = ECANCELED;
	else if (len == 0)
		errno = 0;
	fd_close(&fd);
	return (errno == 0 ? 0 : -1);
}

void
reply_flush(struct reply *r)
{
	if ((atomic_fetch_or(&r->word, REPLY_QUEUED) & REPLY_QUEUED) == 0)
		completion_push(r->completions, &r->completion);
}

bool
reply_is_full(const struct reply *r)
{
	return (atomic_load(&r->pending) > r->high_watermark);
}

int
reply_wait(struct reply *r)
{
	reply_flush(r);
	PTHREAD_OK(pthread_mutex_lock(&r->lock));
	atomic_store(&r->waiting, true);
	while (
	    !is_aborted(r) && atomic_load(&r->pending) > r->high_watermark / 2)
		PTHREAD_OK(pthread_cond_wait(&r->room, &r->lock));
	atomic_store(&r->waiting, false);
	PTHREAD_OK(pthread_mutex_unlock(&r->lock));
	if (is_aborted(r)) {
		errno = ECANCELED;
		return (-1);
	}
	return (0);
}

void
reply_finish(struct reply *r, bool complete)
{
	static const char last[] = "0\r\n\r\n";

	ASSERT(!r->finished);
	r->finished = true;
	if (!r->begun || !complete || r->remaining > 0)
		r->failed = true;
	else if (r->head.framing == HTTP_REPLY_CHUNKED &&
		 add_text(r, last, sizeof(last) - 1) == -1)
		r->failed = true;
}

void
reply_end(struct reply *r)
{
	if (!r->finished)
		r->failed = true;
	if ((atomic_fetch_or(&r->word, REPLY_DONE | REPLY_QUEUED) &
		REPLY_QUEUED) == 0)
		completion_push(r->completions, &r->completion);
}

/* ---- the loop's side ---- */

unsigned
reply_collect(struct reply *r)
{
	unsigned old = atomic_fetch_and(&r->word, ~(unsigned)REPLY_QUEUED);

	ASSERT(old & REPLY_QUEUED);
	PTHREAD_OK(pthread_mutex_lock(&r->lock));
	STAILQ_CONCAT(&r->sending, &r->outbox);
	PTHREAD_OK(pthread_mutex_unlock(&r->lock));
	if (old & REPLY_ABORTED)
		chunks_free(&r->sending);
	return (old);
}

void
reply_set_gone(struct reply *r, bool drop)
{
	unsigned word = atomic_load(&r->word), bits;

	do {
		bits = REPLY_GONE;
		if (drop && (word & REPLY_STARTED) == 0)
			bits |= REPLY_ABORTED;
	} while (!atomic_compare_exchange_weak(&r->word, &word, word | bits));
}

void
reply_abort(struct reply *r)
{
	atomic_fetch_or(&r->word, REPLY_ABORTED | REPLY_GONE);
	chunks_free(&r->sending);
	PTHREAD_OK(pthread_mutex_lock(&r->lock));
	PTHREAD_OK(pthread_cond_signal(&r->room));
	PTHREAD_OK(pthread_mutex_unlock(&r->lock));
}

/* Of a text that has its body behind it. */
static size_t
head_length(const struct http_reply *head)
{
	const char *end = memmem(head->text, head->len, "\r\n\r\n", 4);

	ASSERT(end != NULL);
	return ((size_t)(end - head->text) + 4);
}

void
reply_put_head(struct reply *r)
{
	struct reply_chunk *chunk = head_chunk(r);

	ASSERT(!r->begun && r->head.len > 0);
	r->begun = true;
	r->head_len = head_length(&r->head);
	r->body_len = r->head.len - r->head_len;
	atomic_fetch_add(&r->pending, chunk->left);
	STAILQ_INSERT_TAIL(&r->sending, chunk, link);
}

static void
make_room(struct reply *r, size_t sent)
{
	size_t before = atomic_fetch_sub(&r->pending, sent);

	ASSERT(before >= sent);
	if (before - sent > r->high_watermark / 2 || !atomic_load(&r->waiting))
		return;
	PTHREAD_OK(pthread_mutex_lock(&r->lock));
	PTHREAD_OK(pthread_cond_signal(&r->room));
	PTHREAD_OK(pthread_mutex_unlock(&r->lock));
}

static ssize_t
send_memory(struct reply *r, int fd)
{
	struct iovec iov[IOVECS];
	struct msghdr msg = {.msg_iov = iov};
	struct reply_chunk *chunk;
	size_t left;
	ssize_t n;

	STAILQ_FOREACH (chunk, &r->sending, link) {
		if (chunk->data == NULL || msg.msg_iovlen == IOVECS)
			break;
		iov[msg.msg_iovlen].iov_base = (void *)(uintptr_t)chunk->data;
		iov[msg.msg_iovlen++].iov_len = chunk->left;
	}
	n = sendmsg(fd, &msg,
	    MSG_NOSIGNAL | MSG_DONTWAIT | (chunk != NULL ? MSG_MORE : 0));
	if (n <= 0)
		return (n);
	for (left = (size_t)n; left > 0;) {
		chunk = STAILQ_FIRST(&r->sending);
		if (left < chunk->left) {
			chunk->data += left;
			chunk->left -= left;
			break;
		}
		left -= chunk->left;
		STAILQ_REMOVE_HEAD(&r->sending, link);
		chunk_free(chunk);
	}
	make_room(r, (size_t)n);
	return (n);
}

static ssize_t
send_file(struct reply *r, int fd)
{
	struct reply_chunk *chunk = STAILQ_FIRST(&r->sending);
	size_t len = chunk->left < SENDFILE_MAX ? chunk->left : SENDFILE_MAX;
	ssize_t n = sendfile(fd, chunk->fd, &chunk->offset, len);

	if (n == 0) { /* the file has become shorter than was promised */
		errno = EIO;
		return (-1);
	}
	if (n == -1)
		return (-1);
	chunk->left -= (size_t)n;
	if (chunk->left == 0) {
		STAILQ_REMOVE_HEAD(&r->sending, link);
		chunk_free(chunk);
	}
	return (n);
}

enum reply_progress
reply_send(struct reply *r, int fd)
{
	struct reply_chunk *chunk;
	unsigned i;
	ssize_t n;

	for (i = 0; (chunk = STAILQ_FIRST(&r->sending)) != NULL; i++) {
		if (i == SENDS_PER_TURN)
			return (REPLY_YIELD);
		n = chunk->data != NULL ? send_memory(r, fd) : send_file(r, fd);
		if (n >= 0)
			r->sent += (uint64_t)n;
		else if (errno == EAGAIN)
			return (REPLY_BLOCKED);
		else if (errno != EINTR)
			return (REPLY_FAILED);
	}
	return (REPLY_SENT);
}
