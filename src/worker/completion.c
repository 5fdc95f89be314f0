/* completion - see completion.h. */
#include "completion.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "fd.h"

int
completion_list_open(struct completion_list *list)
{
	atomic_init(&list->head, NULL);
	atomic_init(&list->asleep, false);
	atomic_init(&list->awaited, 0);
	list->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return (list->wake_fd == -1 ? -1 : 0);
}

void
completion_list_close(struct completion_list *list)
{
	fd_close(&list->wake_fd);
}

/*
 * A stack that is only ever taken as a whole: nothing is popped from under a
 * push, so an item that comes back at the same address does no harm.
 */
static void
push(struct completion_list *list, struct completion *item)
{
	struct completion *head =
	    atomic_load_explicit(&list->head, memory_order_relaxed);

	do
		item->next = head;
	while (!atomic_compare_exchange_weak(&list->head, &head, item));
}

void
completion_push(struct completion_list *list, struct completion *item)
{
	push(list, item);

	/* Many may see the loop asleep; one of them wakes it. */
	if (atomic_load(&list->asleep) && atomic_exchange(&list->asleep, false))
		completion_wake(list);
}

/* As with asleep: the loop awaits before it looks at the list a last time. */
void
completion_push_quiet(struct completion_list *list, struct completion *item)
{
	push(list, item);
	if (atomic_load(&list->awaited) > 0 && atomic_load(&list->asleep) &&
	    atomic_exchange(&list->asleep, false))
		completion_wake(list);
}

void
completion_await(struct completion_list *list)
{
	atomic_fetch_add(&list->awaited, 1);
}

void
completion_awaited(struct completion_list *list)
{
	unsigned before = atomic_fetch_sub(&list->awaited, 1);

	ASSERT(before > 0);
}

bool
completion_is_asleep(const struct completion_list *list)
{
	return (atomic_load_explicit(&list->asleep, memory_order_relaxed));
}

/*
 * Always writes: unlike a push it leaves nothing that completion_sleep() could
 * find.  A counter that is full is as good as one that was written.
 */
void
completion_wake(struct completion_list *list)
{
	const uint64_t one = 1;
	int saved_errno = errno;
	ssize_t n;

	n = write(list->wake_fd, &one, sizeof(one));
	ASSERT(n == sizeof(one) || errno == EAGAIN);
	errno = saved_errno;
}

struct completion *
completion_take(struct completion_list *list)
{
	struct completion *item, *next, *first = NULL;

	if (atomic_load_explicit(&list->head, memory_order_relaxed) == NULL)
		return (NULL);
	item =
	    atomic_exchange_explicit(&list->head, NULL, memory_order_acquire);
	for (; item != NULL; item = next) {
		next = item->next;
		item->next = first;
		first = item;
	}
	return (first);
}

bool
completion_sleep(struct completion_list *list)
{
	atomic_store(&list->asleep, true);
	if (atomic_load(&list->head) == NULL)
		return (true);
	completion_awake(list);
	return (false);
}

void
completion_awake(struct completion_list *list)
{
	atomic_store_explicit(&list->asleep, false, memory_order_relaxed);
}
