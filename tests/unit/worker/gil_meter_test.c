/* gil_meter: a lock made like the interpreter's, of a flag, a mutex and two
 * conditions, one signalled at each drop and one at each take. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gil_meter.h"
#include "macros.h"
#include "meter_cond.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t dropped = PTHREAD_COND_INITIALIZER;
static pthread_cond_t taken = PTHREAD_COND_INITIALIZER;
static bool locked = true;
static unsigned nfreed;

TestSuite(gil_meter, .timeout = 20);

static void
drop(void)
{
	pthread_mutex_lock(&mutex);
	locked = false;
	meter_cond_signal(&dropped);
	pthread_mutex_unlock(&mutex);
}

static void
take(void)
{
	struct timespec until;

	pthread_mutex_lock(&mutex);
	while (locked) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		meter_cond_timedwait(&dropped, &mutex, &until);
	}
	locked = true;
	meter_cond_signal(&taken);
	pthread_mutex_unlock(&mutex);
}

static void
do_nothing(void)
{
}

static void
drop_twice(void)
{
	drop();
	meter_cond_signal(&taken);
}

static void
on_free(void *arg)
{
	cr_assert_eq(arg, &nfreed);
	nfreed++;
}

static void
set_up_meter_unmarked(void)
{
	cr_assert(gil_meter_calibrate(drop, take));
}

static void
set_up_meter(void)
{
	gil_meter_mark_thread();
	set_up_meter_unmarked();
}

Test(gil_meter, knows_whether_the_lock_is_held)
{
	set_up_meter();
	cr_expect(gil_meter_is_on());
	cr_expect_not(gil_meter_is_free());
	drop();
	cr_expect(gil_meter_is_free());
	take();
	cr_expect_not(gil_meter_is_free());
}

Test(gil_meter, stays_off_where_the_pattern_is_another)
{
	cr_expect_not(gil_meter_calibrate(do_nothing, do_nothing));
	cr_expect_not(gil_meter_is_on());
	cr_expect_not(gil_meter_calibrate(drop_twice, take));
	cr_expect_not(gil_meter_calibrate(drop, do_nothing));
	cr_expect_not(gil_meter_is_free(), "off: nothing is known");
}

Test(gil_meter, tells_of_each_drop)
{
	set_up_meter();
	gil_meter_on_free(on_free, &nfreed);
	drop();
	cr_expect_eq(nfreed, 1);
	take();
	cr_expect_eq(nfreed, 1);
	drop();
	cr_expect_eq(nfreed, 2);
	drop(); /* by a thread that did not hold it */
	cr_expect_eq(nfreed, 2);
}

static void *
take_and_drop(void *arg UNUSED)
{
	take();
	drop();
	return (NULL);
}

Test(gil_meter, lock_that_somebody_waits_for_is_not_free)
{
	pthread_t thread;

	set_up_meter();
	gil_meter_on_free(on_free, &nfreed);
	cr_assert_eq(pthread_create(&thread, NULL, take_and_drop, NULL), 0);
	while (!gil_meter_has_waiters())
		sched_yield();
	drop(); /* the waiter has it next: not told */
	pthread_join(thread, NULL);
	cr_expect_eq(nfreed, 1, "once, by the other thread");
	cr_expect(gil_meter_is_free());
}

static void *
mark_take_and_drop(void *arg)
{
	gil_meter_mark_thread();
	return (take_and_drop(arg));
}

Test(gil_meter, lock_of_others_is_free_unless_a_marked_thread_waits)
{
	pthread_t other, own;

	set_up_meter_unmarked();
	cr_expect(gil_meter_is_free());
	cr_assert_eq(pthread_create(&other, NULL, take_and_drop, NULL), 0);
	while (!gil_meter_has_waiters())
		sched_yield();
	cr_expect(gil_meter_is_free(), "whoever waits for it may be woken");
	cr_assert_eq(pthread_create(&own, NULL, mark_take_and_drop, NULL), 0);
	while (gil_meter_is_free())
		sched_yield();
	drop();
	pthread_join(own, NULL);
	pthread_join(other, NULL);
	cr_expect(gil_meter_is_free());
	gil_meter_mark_thread();
	take();
	cr_expect_not(gil_meter_is_free());
}

Test(gil_meter, other_conditions_are_passed_on)
{
	pthread_cond_t other = PTHREAD_COND_INITIALIZER;
	struct timespec until = {0, 0};

	set_up_meter();
	meter_cond_signal(&other);
	cr_expect_not(gil_meter_is_free());
	pthread_mutex_lock(&mutex);
	cr_expect_eq(meter_cond_timedwait(&other, &mutex, &until), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

Test(gil_meter, forked_child_does_not_tell)
{
	int status;
	pid_t pid;

	set_up_meter();
	gil_meter_on_free(on_free, &nfreed);
	pid = fork();
	if (pid == 0) {
		drop();
		_exit(nfreed == 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}
