/* deadline: each is due in its order and its time, at constant cost. */
#include <criterion/criterion.h>

#include "deadline.h"

#define AFTER 100

static struct deadline_queue queue;
static struct deadline a, b, c;

static void
set_up(void)
{
	deadline_queue_init(&queue, AFTER);
	deadline_init(&a);
	deadline_init(&b);
	deadline_init(&c);
}

TestSuite(deadline, .init = set_up, .timeout = 10);

Test(deadline, of_an_empty_queue_is_never)
{
	cr_expect_eq(deadline_next(&queue), DEADLINE_NEVER);
	cr_expect_null(deadline_take_due(&queue, DEADLINE_NEVER));
}

Test(deadline, is_due_at_its_time_and_not_before)
{
	deadline_set(&a, &queue, 1000);
	cr_expect_eq(deadline_next(&queue), 1000 + AFTER);
	cr_expect_null(deadline_take_due(&queue, 1000 + AFTER - 1));
	cr_expect_eq(deadline_take_due(&queue, 1000 + AFTER), &a);
}

Test(deadline, is_taken_once)
{
	deadline_set(&a, &queue, 1000);
	cr_expect_eq(deadline_take_due(&queue, 5000), &a);
	cr_expect_null(a.queue);
	cr_expect_null(deadline_take_due(&queue, 5000));
	cr_expect_eq(deadline_next(&queue), DEADLINE_NEVER);
}

Test(deadline, comes_in_the_order_of_setting)
{
	deadline_set(&b, &queue, 1);
	deadline_set(&a, &queue, 2);
	deadline_set(&c, &queue, 2);
	cr_expect_eq(deadline_take_due(&queue, 2 + AFTER), &b);
	cr_expect_eq(deadline_take_due(&queue, 2 + AFTER), &a);
	cr_expect_eq(deadline_take_due(&queue, 2 + AFTER), &c);
}

Test(deadline, moves_to_the_end_when_set_again)
{
	deadline_set(&a, &queue, 1);
	deadline_set(&b, &queue, 2);
	deadline_set(&a, &queue, 3);
	cr_expect_eq(deadline_next(&queue), 2 + AFTER);
	cr_expect_eq(deadline_take_due(&queue, 2 + AFTER), &b);
	cr_expect_null(deadline_take_due(&queue, 2 + AFTER));
	cr_expect_eq(deadline_take_due(&queue, 3 + AFTER), &a);
}

Test(deadline, leaves_its_old_queue_for_the_new_one)
{
	struct deadline_queue other;

	deadline_queue_init(&other, 7);
	deadline_set(&a, &queue, 1000);
	deadline_set(&a, &other, 1000);
	cr_expect_eq(deadline_next(&queue), DEADLINE_NEVER);
	cr_expect_eq(deadline_next(&other), 1007);
	cr_expect_eq(a.queue, &other);
}

Test(deadline, that_is_cancelled_never_comes)
{
	deadline_set(&a, &queue, 1);
	deadline_set(&b, &queue, 2);
	deadline_set(&c, &queue, 3);
	deadline_cancel(&b);
	deadline_cancel(&b); /* none is set: nothing happens */
	cr_expect_eq(deadline_take_due(&queue, 5000), &a);
	cr_expect_eq(deadline_take_due(&queue, 5000), &c);
	cr_expect_null(deadline_take_due(&queue, 5000));
}

Test(deadline, of_zero_is_none)
{
	struct deadline_queue for_ever;

	deadline_queue_init(&for_ever, 0);
	deadline_set(&a, &queue, 1);
	deadline_set(&a, &for_ever, 1);
	cr_expect_null(a.queue);
	cr_expect_eq(deadline_next(&queue), DEADLINE_NEVER);
	cr_expect_eq(deadline_next(&for_ever), DEADLINE_NEVER);
	deadline_cancel(&a);
}
