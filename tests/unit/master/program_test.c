#include "program.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "log_capture.h"

Test(program, is_what_the_environment_says)
{
	char path[PATH_MAX];

	setenv("CGTHREAD_WORKER_PROGRAM", "/no/such/program", 1);
	cr_expect_eq(program_find_worker(path), 0);
	cr_expect_str_eq(path, "/no/such/program");
}

Test(program, is_found_or_named_with_both_places_where_it_is_not)
{
	char path[PATH_MAX];
	int fd = log_capture();

	unsetenv("CGTHREAD_WORKER_PROGRAM");
	if (program_find_worker(path) == 0) {
		cr_expect(strstr(path, "/" CGTHREAD_WORKER) != NULL);
		return;
	}
	cr_expect_eq(log_captured_count(fd, CGTHREAD_WORKER), 1);
	cr_expect_eq(log_captured_count(fd, CGTHREAD_LIBEXECDIR), 1);
}
