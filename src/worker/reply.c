/* reply - see reply.h. */
#include "reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "fork_guard.h"

/* "ffffffffffffffff\r\n" before a chunk and "\r\n" behind it. */
#define CHUNK_HEAD_MAX 18
#define CHUNK_TAIL     2

/* A thread sends no more than this with the interpreter's lock held. */
#define DIRECT_MAX 65536

void
reply_init(
    struct reply *r, struct completion_list *completions, size_t high_watermark)
{
	memset(r, 0, offsetof(struct reply, outbox));
	r->completions = completions;
	r->high_watermark = high_watermark;
	r->fd = -1;
	r->remaining = -1;
	http_reply_init(&r->head);
	outbox_init(&r->outbox);
}

void
reply_reset(struct reply *r)
{
	atomic_store_explicit(&r->word, 0, memory_order_relaxed);
	r->fd = -1;
	r->remaining = -1;
	r->head_len = 0;
	r->body_len = 0;
	r->sent_ns = 0;
	ASSERT(!r->is_awaited);
	r->is_collected = false;
	r->begun = r->finished = r->failed = false;
	http_reply_reset(&r->head);
	outbox_reset(&r->outbox);
}

void
reply_fini(struct reply *r)
{
	http_reply_fini(&r->head);
	outbox_fini(&r->outbox);
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
	outbox_add_head(&r->outbox, r->head.text, r->head.len);
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

/* How much of a piece will be sent: 0, or -1 with ECANCELED. */
static int
admit(struct reply *r, size_t len, size_t *taken)
{
	ASSERT(r->begun);
	*taken = allowance(r, len);
	if (!is_aborted(r) && !r->finished)
		return (0);
	errno = ECANCELED;
	return (-1);
}

int
reply_body(struct reply *r, const void *data, size_t len, size_t *taken)
{
	char head[CHUNK_HEAD_MAX + 1], *to;
	int n = 0;

	if (admit(r, len, taken) == -1)
		return (-1);
	if (*taken == 0)
		return (0);
	if (r->head.framing == HTTP_REPLY_CHUNKED)
		n = snprintf(head, sizeof(head), "%zx\r\n", *taken);
	to = outbox_add(
	    &r->outbox, (size_t)n + *taken + (n > 0 ? CHUNK_TAIL : 0));
	if (to == NULL)
		return (-1);
	memcpy(to, head, (size_t)n);
	memcpy(to + n, data, *taken);
	if (n > 0)
		memcpy(to + (size_t)n + *taken, "\r\n", CHUNK_TAIL);
	account(r, *taken);
	return (0);
}

/* Text of the framing around a piece that is not copied. */
static int
add_text(struct reply *r, const char *text, size_t len)
{
	char *to = outbox_add(&r->outbox, len);

	if (to == NULL)
		return (-1);
	memcpy(to, text, len);
	return (0);
}

/* Around a piece of so many bytes, where the body is chunked. */
static int
open_chunk(struct reply *r, size_t len)
{
	char text[CHUNK_HEAD_MAX + 1];
	int n;

	if (r->head.framing != HTTP_REPLY_CHUNKED)
		return (0);
	n = snprintf(text, sizeof(text), "%zx\r\n", len);
	return (add_text(r, text, (size_t)n));
}

/* The framing is broken where it fails: the reply will be cut. */
static void
close_chunk(struct reply *r, bool whole)
{
	if (r->head.framing == HTTP_REPLY_CHUNKED &&
	    (!whole || add_text(r, "\r\n", CHUNK_TAIL) == -1))
		r->failed = true;
}

int
reply_body_ref(struct reply *r, const void *data, size_t len, size_t *taken,
    pool_run_fn *release, void *owner)
{
	int result;

	if (admit(r, len, taken) == -1)
		return (-1);
	if (*taken == 0)
		return (0);
	if (open_chunk(r, *taken) == -1)
		return (-1);
	result = outbox_add_ref(&r->outbox, data, *taken, release, owner);
	close_chunk(r, result == 0);
	if (result == 0)
		account(r, *taken);
	return (result);
}

int
reply_file(struct reply *r, int fd, off_t offset, size_t len)
{
	int result = admit(r, len, &len);

	if (result == 0 && len > 0 && (result = open_chunk(r, len)) == 0) {
		result = outbox_add_file(&r->outbox, fd, offset, len);
		close_chunk(r, result == 0);
		if (result == 0) {
			account(r, len);
			return (0);
		}
	}
	fork_guard_close(&fd);
	return (result);
}

/*
 * The loop sleeps, and all of the reply is here, so that nothing is staged behind
 * it: to send it costs this thread less than to wake the loop.  True if nothing is
 * left to send.  What cannot be sent at once, also because the connection has
 * broken, is the loop's to deal with.
 */
static bool
send_here(struct reply *r)
{
	const struct outbox *o = &r->outbox;

	if (!r->begun || r->failed || o->published)
		return (false);
	if (STAILQ_EMPTY(&o->staged))
		return (true); /* reply_flush() has been here */
	/* What is referred to may be let go of only once the loop knows. */
	if (o->has_other || o->staged_len > DIRECT_MAX || r->fd == -1 ||
	    is_aborted(r) || !completion_is_asleep(r->completions))
		return (false);
	if (outbox_send_staged(&r->outbox, r->fd) != OUTBOX_SENT)
		return (false);
	/* The loop may learn of it only in some turn to come. */
	if (r->is_timed)
		r->sent_ns = clock_ns();
	return (true);
}

/* Of pieces that come one after the other the loop sends several at once. */
void
reply_flush(struct reply *r)
{
	bool is_whole = r->finished || r->remaining == 0;

	if (STAILQ_EMPTY(&r->outbox.staged))
		return;
	if (is_whole && send_here(r)) {
		atomic_fetch_or(&r->word, REPLY_SENT);
		return;
	}
	outbox_publish(&r->outbox);
	if ((atomic_fetch_or(&r->word, REPLY_QUEUED) & REPLY_QUEUED) == 0)
		completion_push(r->completions, &r->completion);
}

bool
reply_is_full(const struct reply *r)
{
	return (outbox_len(&r->outbox) > r->high_watermark);
}

int
reply_wait(struct reply *r)
{
	reply_flush(r);
	outbox_wait(&r->outbox, r->high_watermark / 2, &r->word, REPLY_ABORTED);
	if (!is_aborted(r))
		return (0);
	errno = ECANCELED;
	return (-1);
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
	bool sent = false;
	unsigned old;

	if (!r->finished)
		r->failed = true;
	else
		sent = send_here(r) && r->head.keep_alive;
	old = atomic_fetch_or(&r->word, REPLY_DONE | REPLY_QUEUED);
	if (old & REPLY_QUEUED)
		return;
	if (sent && (old & (REPLY_WAKE | REPLY_ABORTED)) == 0)
		completion_push_quiet(r->completions, &r->completion);
	else
		completion_push(r->completions, &r->completion);
}

/* ---- the loop's side ---- */

unsigned
reply_collect(struct reply *r)
{
	unsigned old = atomic_fetch_and(&r->word, ~(unsigned)REPLY_QUEUED);

	ASSERT(old & REPLY_QUEUED);
	if (r->is_awaited && (old & REPLY_DONE)) {
		r->is_awaited = false;
		completion_awaited(r->completions);
	}
	outbox_collect(&r->outbox, (old & REPLY_DONE) != 0);
	r->is_collected = true;
	if (old & REPLY_ABORTED)
		outbox_discard(&r->outbox);
	return (old);
}

/* word as it was when WAKE was set.  A thread that was DONE before has not seen
 * that; unless its end has been collected it may be just about to push. */
static void
await_done(struct reply *r, unsigned word)
{
	const unsigned on_its_way = REPLY_DONE | REPLY_QUEUED;

	if ((word & on_its_way) != on_its_way || r->is_awaited)
		return;
	r->is_awaited = true;
	completion_await(r->completions);
}

bool
reply_is_known(const struct reply *r)
{
	return (r->is_collected ||
		(atomic_load(&r->word) & (REPLY_SENT | REPLY_DONE)) != 0);
}

void
reply_set_gone(struct reply *r, bool drop)
{
	unsigned word = atomic_load(&r->word), bits;

	do {
		bits = REPLY_GONE | REPLY_WAKE;
		if (drop && (word & REPLY_STARTED) == 0)
			bits |= REPLY_ABORTED;
	} while (!atomic_compare_exchange_weak(&r->word, &word, word | bits));
	await_done(r, word);
}

void
reply_want_wake(struct reply *r)
{
	await_done(r, atomic_fetch_or(&r->word, REPLY_WAKE));
}

void
reply_abort(struct reply *r)
{
	await_done(r,
	    atomic_fetch_or(&r->word, REPLY_ABORTED | REPLY_GONE | REPLY_WAKE));
	outbox_discard(&r->outbox);
	outbox_wake(&r->outbox);
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
	ASSERT(!r->begun && r->head.len > 0);
	r->begun = true;
	r->head_len = head_length(&r->head);
	r->body_len = r->head.len - r->head_len;
	outbox_add_head(&r->outbox, r->head.text, r->head.len);
	outbox_collect(&r->outbox, true);
}

void
reply_take_own(struct reply *r)
{
	ASSERT(r->finished);
	outbox_collect(&r->outbox, true);
}

enum outbox_progress
reply_send(struct reply *r)
{
	return (outbox_send(&r->outbox, r->fd, r->high_watermark / 2));
}
