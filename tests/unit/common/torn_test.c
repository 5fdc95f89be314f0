/* torn - when a log has to begin a line of its own. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "torn.h"

static struct torn torn, another;

/* A file without a name, that holds a text. */
static int
file_with(const char *text, size_t len)
{
	char path[] = "/tmp/torn_test.XXXXXX";
	int fd = mkstemp(path);

	cr_assert_neq(fd, -1);
	unlink(path);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	return (fd);
}

Test(torn, log_is_whole_until_a_write_fails)
{
	cr_expect_not(torn_take(&torn, -1), "and nobody is asked");
}

Test(torn, file_is_torn_once)
{
	int fd = file_with("half", 4);

	errno = ENOSPC;
	torn_note(&torn, fd, true);
	cr_expect_eq(errno, ENOSPC);
	cr_expect(torn_take(&torn, fd));
	cr_expect_not(torn_take(&torn, fd));
}

/* The one that has torn it is not always the one that writes first. */
Test(torn, file_is_mended_by_the_first_of_those_whose_write_failed)
{
	int fd = file_with("half", 4);

	torn_note(&torn, fd, true);
	torn_note(&another, fd, false);
	cr_expect(torn_take(&another, fd));
	cr_assert_eq(write(fd, "\nline\n", 6), 6);
	cr_expect_not(torn_take(&torn, fd), "no empty line");
}

Test(torn, file_that_was_emptied_is_whole)
{
	int fd = file_with("half", 4);

	torn_note(&torn, fd, true);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_expect_not(torn_take(&torn, fd));
	torn_note(&torn, fd, false);
	cr_expect_not(
	    torn_take(&torn, fd), "it was empty when the write failed");
}

Test(torn, pipe_is_torn_by_ones_own_bytes_alone)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	torn_note(&torn, fds[1], false);
	cr_expect_not(torn_take(&torn, fds[1]));
	torn_note(&torn, fds[1], true);
	cr_expect(torn_take(&torn, fds[1]));
	cr_expect_not(torn_take(&torn, fds[1]));
}
