/* file_limit.h - a disk that is full, as far as a file's writer can tell. */
#ifndef CGTHREAD_TESTS_FILE_LIMIT_H
#define CGTHREAD_TESTS_FILE_LIMIT_H

#include <criterion/criterion.h>

#include <sys/resource.h>

/* Files may become so long: a write gets what fits, the next one EFBIG, where SIGXFSZ
 * is ignored. */
static inline void
file_limit(rlim_t size)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
