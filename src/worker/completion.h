/*
 * completion - how pool threads hand requests back to the loop: a lock-free
 * list and one eventfd.
 *
 * A thread pushes and writes the eventfd only if the loop has said that it is
 * going to sleep: under load the list is drained in every turn and nobody
 * enters the kernel for it.
 *
 * No wake-up is lost: the loop says "asleep" before it looks at the list a last
 * time, a thread pushes before it looks at "asleep", and both are sequentially
 * consistent, so at least one of them sees the other.
 *
 * A thread that has sent a reply itself pushes quietly: the loop need not wake
 * for it.  Where the loop has come to need an item that is on its way, it awaits
 * it, and no push is quiet until it is there.
 */
#ifndef CGTHREAD_COMPLETION_H
#define CGTHREAD_COMPLETION_H

#include <stdatomic.h>
#include <stdbool.h>

struct completion {
	struct completion *next;
};

struct completion_list {
	_Atomic(struct completion *) head;
	atomic_bool asleep;  /* set by the loop, cleared by whoever wakes it */
	atomic_uint awaited; /* items that may not come quietly; by the loop */
	int wake_fd;         /* (const) eventfd, non-blocking */
};

int completion_list_open(struct completion_list *); /* -1 with errno */
void completion_list_close(struct completion_list *);

/* Any thread.  The item belongs to the loop from here on. */
void completion_push(struct completion_list *, struct completion *);

/* The same, but leaves a loop asleep that sleeps: it finds the item when it wakes
 * for something else. */
void completion_push_quiet(struct completion_list *, struct completion *);

/* The loop: some item that a thread is about to push is needed; and it has come. */
void completion_await(struct completion_list *);
void completion_awaited(struct completion_list *);

/* The loop waits for events, or is about to. */
bool completion_is_asleep(const struct completion_list *);

/* Wakes the loop without an item; any thread. */
void completion_wake(struct completion_list *);

/* The loop: everything pushed so far, in the order of pushing; NULL if none. */
struct completion *completion_take(struct completion_list *);

/*
 * The loop, before it waits for events: false if something was pushed
 * meanwhile, so that it must not wait.
 */
bool completion_sleep(struct completion_list *);
/* The loop, as soon as it runs again. */
void completion_awake(struct completion_list *);

#endif
