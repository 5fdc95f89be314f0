/* outbox - see outbox.h. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"
#include "fork_guard.h"

/* The buffer's first size. */
#define BUFFER_FIRST 1024

/* System calls for one reply before the loop turns to the next connection. */
#define SENDS_PER_TURN 16
#define IOVECS         32
#define SENDFILE_MAX   ((size_t)1 << 20)

void
outbox_init(struct outbox *o)
{
	memset(o, 0, sizeof(*o));
	PTHREAD_OK(pthread_mutex_init(&o->lock, NULL));
	PTHREAD_OK(pthread_cond_init(&o->room, NULL));
	STAILQ_INIT(&o->staged);
	STAILQ_INIT(&o->shared);
	STAILQ_INIT(&o->sending);
	STAILQ_INIT(&o->used);
}

/* The first one is over; what it refers to may not be let go of here. */
static void
chunk_done(struct outbox *o, struct outbox_chunks *chunks)
{
	struct outbox_chunk *chunk = STAILQ_FIRST(chunks);

	STAILQ_REMOVE_HEAD(chunks, link);
	fork_guard_close(&chunk->fd);
	if (chunk->release.run != NULL)
		STAILQ_INSERT_TAIL(&o->used, chunk, link);
	else if (!chunk->is_static)
		free(chunk);
}

static void
chunks_done(struct outbox *o, struct outbox_chunks *chunks)
{
	while (!STAILQ_EMPTY(chunks))
		chunk_done(o, chunks);
}

void
outbox_fini(struct outbox *o)
{
	outbox_reset(o);
	free(o->buffer);
	PTHREAD_OK(pthread_cond_destroy(&o->room));
	PTHREAD_OK(pthread_mutex_destroy(&o->lock));
}

void
outbox_clear(struct outbox *o)
{
	chunks_done(o, &o->staged);
	chunks_done(o, &o->shared);
	chunks_done(o, &o->sending);
}

void
outbox_reset(struct outbox *o)
{
	outbox_clear(o);
	ASSERT(STAILQ_EMPTY(&o->used));
	o->staged_len = 0;
	o->has_other = o->published = false;
	o->sent = 0;
	o->buffer_len = 0;
	o->head.data = o->body.data = NULL;
	atomic_store_explicit(&o->pending, 0, memory_order_relaxed);
}

/* ---- the thread ---- */

static void
stage(struct outbox *o, struct outbox_chunk *chunk)
{
	STAILQ_INSERT_TAIL(&o->staged, chunk, link);
	if (chunk->data != NULL)
		o->staged_len += chunk->left;
	if (chunk->data == NULL || chunk->release.run != NULL)
		o->has_other = true;
}

void
outbox_add_head(struct outbox *o, const char *data, size_t len)
{
	ASSERT(o->head.data == NULL);
	o->head = (struct outbox_chunk){
	    .data = data, .left = len, .fd = -1, .is_static = true};
	stage(o, &o->head);
}

static struct outbox_chunk *
chunk_new(size_t len)
{
	struct outbox_chunk *chunk = malloc(sizeof(*chunk) + len);

	if (chunk == NULL)
		return (NULL);
	*chunk = (struct outbox_chunk){
	    .data = (char *)(chunk + 1), .left = len, .fd = -1};
	return (chunk);
}

/* Makes room, as long as nothing in a list points into the buffer. */
static bool
buffer_reserve(struct outbox *o, size_t room)
{
	size_t size = o->buffer_size != 0 ? o->buffer_size : BUFFER_FIRST;
	char *buffer;

	if (room <= o->buffer_size - o->buffer_len)
		return (true);
	if (o->buffer_len > 0 || room > OUTBOX_BUFFER_MAX)
		return (false);
	while (size < room)
		size *= 2;
	buffer = malloc(size);
	if (buffer == NULL)
		return (false);
	free(o->buffer);
	o->buffer = buffer;
	o->buffer_size = size;
	return (true);
}

/* The body's last piece so far is the buffer's, and the thread's alone: published,
 * it may not even be looked at. */
static bool
buffer_is_open(const struct outbox *o)
{
	if (o->buffer_len == 0)
		return (true);
	return (!o->published && STAILQ_NEXT(&o->body, link) == NULL);
}

static char *
buffer_add(struct outbox *o, size_t len)
{
	char *room = o->buffer + o->buffer_len;
	bool is_begun = o->buffer_len > 0;

	o->buffer_len += len;
	if (is_begun) {
		o->body.left += len;
		o->staged_len += len;
		return (room);
	}
	o->body = (struct outbox_chunk){
	    .data = room, .left = len, .fd = -1, .is_static = true};
	stage(o, &o->body);
	return (room);
}

char *
outbox_add(struct outbox *o, size_t len)
{
	struct outbox_chunk *chunk;

	if (buffer_is_open(o) && buffer_reserve(o, len))
		return (buffer_add(o, len));
	chunk = chunk_new(len);
	if (chunk == NULL)
		return (NULL);
	stage(o, chunk);
	return ((char *)(chunk + 1));
}

int
outbox_add_file(struct outbox *o, int fd, off_t offset, size_t len)
{
	struct outbox_chunk *chunk = chunk_new(0);

	if (chunk == NULL)
		return (-1);
	chunk->data = NULL;
	chunk->fd = fd;
	chunk->offset = offset;
	chunk->left = len;
	stage(o, chunk);
	return (0);
}

int
outbox_add_ref(struct outbox *o, const void *data, size_t len,
    pool_run_fn *release, void *owner)
{
	struct outbox_chunk *chunk = chunk_new(0);

	if (chunk == NULL)
		return (-1);
	chunk->data = data;
	chunk->left = len;
	chunk->release.run = release;
	chunk->owner = owner;
	stage(o, chunk);
	return (0);
}

size_t
outbox_len(const struct outbox *o)
{
	return (o->staged_len + atomic_load(&o->pending));
}

size_t
outbox_unsent(const struct outbox *o)
{
	return (atomic_load_explicit(&o->pending, memory_order_relaxed));
}

void
outbox_publish(struct outbox *o)
{
	if (STAILQ_EMPTY(&o->staged))
		return;
	atomic_fetch_add(&o->pending, o->staged_len);
	PTHREAD_OK(pthread_mutex_lock(&o->lock));
	STAILQ_CONCAT(&o->shared, &o->staged);
	PTHREAD_OK(pthread_mutex_unlock(&o->lock));
	o->staged_len = 0;
	o->has_other = false;
	o->published = true;
}

void
outbox_wait(
    struct outbox *o, size_t low, const atomic_uint *stop, unsigned bits)
{
	PTHREAD_OK(pthread_mutex_lock(&o->lock));
	atomic_store(&o->waiting, true);
	while (
	    (atomic_load(stop) & bits) == 0 && atomic_load(&o->pending) > low)
		PTHREAD_OK(pthread_cond_wait(&o->room, &o->lock));
	atomic_store(&o->waiting, false);
	PTHREAD_OK(pthread_mutex_unlock(&o->lock));
}

/* ---- sending ---- */

static void
take_sent(struct outbox *o, struct outbox_chunks *chunks, size_t sent)
{
	struct outbox_chunk *chunk;

	while (sent > 0) {
		chunk = STAILQ_FIRST(chunks);
		if (sent < chunk->left) {
			chunk->data += sent;
			chunk->left -= sent;
			return;
		}
		sent -= chunk->left;
		chunk_done(o, chunks);
	}
}

static ssize_t
send_memory(struct outbox *o, struct outbox_chunks *chunks, int fd)
{
	struct iovec iov[IOVECS];
	struct msghdr msg = {.msg_iov = iov};
	struct outbox_chunk *chunk;
	ssize_t n;

	STAILQ_FOREACH (chunk, chunks, link) {
		if (chunk->data == NULL || msg.msg_iovlen == IOVECS)
			break;
		iov[msg.msg_iovlen].iov_base = (void *)(uintptr_t)chunk->data;
		iov[msg.msg_iovlen++].iov_len = chunk->left;
	}
	n = sendmsg(fd, &msg,
	    MSG_NOSIGNAL | MSG_DONTWAIT | (chunk != NULL ? MSG_MORE : 0));
	if (n > 0)
		take_sent(o, chunks, (size_t)n);
	return (n);
}

static ssize_t
send_file(struct outbox *o, struct outbox_chunks *chunks, int fd)
{
	struct outbox_chunk *chunk = STAILQ_FIRST(chunks);
	size_t len = chunk->left < SENDFILE_MAX ? chunk->left : SENDFILE_MAX;
	ssize_t n = sendfile(fd, chunk->fd, &chunk->offset, len);

	if (n == 0) { /* the file has become shorter than was promised */
		errno = EIO;
		return (-1);
	}
	if (n == -1)
		return (-1);
	chunk->left -= (size_t)n;
	if (chunk->left == 0)
		chunk_done(o, chunks);
	return (n);
}

/* One call.  OUTBOX_YIELD: go on; *memory is what left of bytes in memory. */
static enum outbox_progress
send_once(
    struct outbox *o, struct outbox_chunks *chunks, int fd, size_t *memory)
{
	struct outbox_chunk *chunk = STAILQ_FIRST(chunks);
	bool is_memory;
	ssize_t n;

	*memory = 0;
	if (chunk == NULL)
		return (OUTBOX_SENT);
	is_memory = chunk->data != NULL;
	n = is_memory ? send_memory(o, chunks, fd) : send_file(o, chunks, fd);
	if (n >= 0) {
		o->sent += (uint64_t)n;
		*memory = is_memory ? (size_t)n : 0;
		return (STAILQ_EMPTY(chunks) ? OUTBOX_SENT : OUTBOX_YIELD);
	}
	if (errno == EAGAIN)
		return (OUTBOX_BLOCKED);
	return (errno == EINTR ? OUTBOX_YIELD : OUTBOX_FAILED);
}

enum outbox_progress
outbox_send_staged(struct outbox *o, int fd)
{
	enum outbox_progress progress;
	size_t memory;

	ASSERT(!o->published);
	progress = send_once(o, &o->staged, fd, &memory);
	o->staged_len -= memory;
	return (progress);
}

static void
make_room(struct outbox *o, size_t sent, size_t low)
{
	size_t before = atomic_fetch_sub(&o->pending, sent);

	ASSERT(before >= sent);
	if (before - sent <= low && atomic_load(&o->waiting))
		outbox_wake(o);
}

enum outbox_progress
outbox_send(struct outbox *o, int fd, size_t low)
{
	enum outbox_progress progress = OUTBOX_YIELD;
	size_t memory;
	unsigned i;

	for (i = 0; progress == OUTBOX_YIELD && i < SENDS_PER_TURN; i++) {
		progress = send_once(o, &o->sending, fd, &memory);
		if (memory > 0)
			make_room(o, memory, low);
	}
	return (progress);
}

/* ---- the loop ---- */

void
outbox_collect(struct outbox *o, bool with_staged)
{
	/* o->published is the thread's until it is through. */
	if (!with_staged || o->published) {
		PTHREAD_OK(pthread_mutex_lock(&o->lock));
		STAILQ_CONCAT(&o->sending, &o->shared);
		PTHREAD_OK(pthread_mutex_unlock(&o->lock));
	}
	if (!with_staged)
		return;
	atomic_fetch_add(&o->pending, o->staged_len);
	o->staged_len = 0;
	STAILQ_CONCAT(&o->sending, &o->staged);
}

void
outbox_discard(struct outbox *o)
{
	chunks_done(o, &o->sending);
}

struct pool_job *
outbox_take_used(struct outbox *o)
{
	struct outbox_chunk *chunk = STAILQ_FIRST(&o->used);

	if (chunk == NULL)
		return (NULL);
	STAILQ_REMOVE_HEAD(&o->used, link);
	return (&chunk->release);
}

void
outbox_wake(struct outbox *o)
{
	PTHREAD_OK(pthread_mutex_lock(&o->lock));
	PTHREAD_OK(pthread_cond_signal(&o->room));
	PTHREAD_OK(pthread_mutex_unlock(&o->lock));
}
