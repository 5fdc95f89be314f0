/* memory_limit.h - a process that can get only so much more memory than it has. */
#ifndef CGTHREAD_TESTS_MEMORY_LIMIT_H
#define CGTHREAD_TESTS_MEMORY_LIMIT_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* AddressSanitizer needs more address space than there is, and ends the program
 * where memory is short. */
void __asan_init(void) __attribute__((weak));

static inline void
memory_limit_or_skip(void)
{
	if (__asan_init != NULL)
		cr_skip_test("AddressSanitizer does not return NULL");
}

/* The limit before, for setrlimit(RLIMIT_AS). */
static inline struct rlimit
memory_limit(rlim_t more)
{
	struct rlimit before, limit;
	unsigned long pages;
	FILE *statm = fopen("/proc/self/statm", "re");

	cr_assert_not_null(statm);
	cr_assert_eq(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	return (before);
}

#endif
