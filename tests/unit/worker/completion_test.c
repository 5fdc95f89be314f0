/* completion: nothing is lost, nothing is out of order, and the kernel is
 * entered only for a loop that sleeps. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "completion.h"
#include "macros.h"

#define THREADS 4
#define PUSHES  20000
#define WAIT_MS 20000

struct item {
	struct completion completion; /* first */
	unsigned thread, number;
};

static struct completion_list list;

static void
set_up(void)
{
	cr_assert_eq(completion_list_open(&list), 0);
}

static void
tear_down(void)
{
	completion_list_close(&list);
}

TestSuite(completion, .init = set_up, .fini = tear_down, .timeout = 60);

/* How often the loop was woken since the last call. */
static uint64_t
wake_ups(void)
{
	uint64_t n = 0;

	if (read(list.wake_fd, &n, sizeof(n)) == -1)
		cr_assert_eq(errno, EAGAIN);
	return (n);
}

Test(completion, descriptor_is_close_on_exec_and_closed_at_the_end)
{
	int fd = list.wake_fd;

	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	completion_list_close(&list);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	cr_expect_eq(list.wake_fd, -1);
}

Test(completion, comes_in_the_order_of_pushing)
{
	struct completion items[5], *item;
	size_t i;

	cr_expect_null(completion_take(&list));
	for (i = 0; i < nitems(items); i++)
		completion_push(&list, &items[i]);
	item = completion_take(&list);
	for (i = 0; i < nitems(items); i++, item = item->next)
		cr_assert_eq(item, &items[i]);
	cr_expect_null(item);
	cr_expect_null(completion_take(&list));
}

Test(completion, enters_no_kernel_while_the_loop_is_awake)
{
	struct completion items[2];

	completion_push(&list, &items[0]);
	completion_push(&list, &items[1]);
	cr_expect_eq(wake_ups(), 0);
}

Test(completion, wakes_a_sleeping_loop_once)
{
	struct completion items[3];

	cr_assert(completion_sleep(&list));
	completion_push(&list, &items[0]);
	completion_push(&list, &items[1]);
	completion_push(&list, &items[2]);
	cr_expect_eq(wake_ups(), 1);
}

Test(completion, does_not_wake_a_loop_that_came_back)
{
	struct completion item;

	cr_assert(completion_sleep(&list));
	completion_awake(&list);
	completion_push(&list, &item);
	cr_expect_eq(wake_ups(), 0);
}

Test(completion, keeps_the_loop_from_sleeping_on_an_item)
{
	struct completion items[2];

	completion_push(&list, &items[0]);
	cr_expect_not(completion_sleep(&list));
	completion_push(&list, &items[1]);
	cr_expect_eq(wake_ups(), 0, "the refused sleep was taken back");
}

Test(completion, wake_without_an_item_is_kept_for_a_loop_not_yet_asleep)
{
	errno = ENOENT;
	completion_wake(&list);
	cr_expect_eq(errno, ENOENT);
	cr_expect(completion_sleep(&list));
	cr_expect_eq(wake_ups(), 1);
}

Test(completion, wake_of_a_full_counter_is_no_error)
{
	const uint64_t most = UINT64_MAX - 1;

	cr_assert_eq(write(list.wake_fd, &most, sizeof(most)), sizeof(most));
	completion_wake(&list);
	cr_expect_eq(wake_ups(), most);
}

static void *
push_many(void *arg)
{
	struct item *items = arg;
	unsigned i;

	for (i = 0; i < PUSHES; i++)
		completion_push(&list, &items[i].completion);
	return (NULL);
}

/* Takes what there is; each thread's own come in its order. */
static unsigned
take_all(unsigned next[THREADS])
{
	struct completion *completion;
	struct item *item;
	unsigned n = 0;

	for (completion = completion_take(&list); completion != NULL;
	     completion = completion->next, n++) {
		item = (struct item *)completion;
		cr_assert_eq(item->number, next[item->thread]);
		next[item->thread]++;
	}
	return (n);
}

Test(completion, loses_neither_item_nor_wake_up_between_threads)
{
	static struct item items[THREADS][PUSHES];
	struct pollfd wake = {.fd = list.wake_fd, .events = POLLIN};
	unsigned next[THREADS] = {0}, taken = 0, t, i;
	pthread_t threads[THREADS];

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < PUSHES; i++)
			items[t][i] = (struct item){.thread = t, .number = i};
	for (t = 0; t < THREADS; t++)
		cr_assert_eq(
		    pthread_create(&threads[t], NULL, push_many, items[t]), 0);
	while ((taken += take_all(next)) < THREADS * PUSHES) {
		if (!completion_sleep(&list))
			continue;
		cr_assert_eq(poll(&wake, 1, WAIT_MS), 1, "a wake-up was lost");
		completion_awake(&list);
		wake_ups();
	}
	cr_expect_eq(taken, THREADS * PUSHES);
	for (t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
}

Test(completion, quiet_push_leaves_a_sleeping_loop_asleep_unless_it_is_awaited)
{
	struct item items[2] = {{.number = 0}, {.number = 1}};

	cr_assert(completion_sleep(&list));
	completion_push_quiet(&list, &items[0].completion);
	cr_expect_eq(wake_ups(), 0);
	completion_awake(&list);
	cr_expect_eq(completion_take(&list), &items[0].completion);

	completion_await(&list);
	cr_assert(completion_sleep(&list));
	completion_push_quiet(&list, &items[1].completion);
	cr_expect_eq(wake_ups(), 1);
	cr_expect_eq(completion_take(&list), &items[1].completion);
	completion_awaited(&list);
}
