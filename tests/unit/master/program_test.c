#include "program.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "log_capture.h"

Test(program, is_what_the_environment_says)
{
	struct config *cfg = config_new();
	char path[PATH_MAX];

	setenv("CGTHREAD_WORKER_PROGRAM", "/no/such/program", 1);
	cr_expect_eq(program_find_worker(cfg, path), 0);
	cr_expect_str_eq(path, "/no/such/program");
	config_free(&cfg);
}

Test(program, is_that_of_the_version_asked_for)
{
	static const char name[] = "cgthread-worker-" CGTHREAD_PYTHON_VERSION;
	struct config *cfg = config_new();
	char path[PATH_MAX];
	int fd = log_capture();

	unsetenv("CGTHREAD_WORKER_PROGRAM");
	unsetenv("VIRTUAL_ENV");
	if (program_find_worker(cfg, path) == 0)
		cr_expect_str_eq(strrchr(path, '/') + 1, name);
	else
		cr_expect_eq(log_captured_count(fd, name), 1);
	config_free(&cfg);
}

Test(program, is_named_with_all_places_where_it_is_not)
{
	struct config *cfg = config_new();
	char path[PATH_MAX];
	int fd = log_capture();

	unsetenv("CGTHREAD_WORKER_PROGRAM");
	cr_assert_eq(config_set(cfg, "python", "3.99", stderr), 0);
	cr_expect_eq(program_find_worker(cfg, path), -1);
	cr_expect_eq(log_captured_count(fd, "python = 3.99: "), 1);
	cr_expect_eq(log_captured_count(fd, "cgthread-worker-3.99 in "), 1);
	cr_expect_eq(log_captured_count(fd, " or " CGTHREAD_LIBEXECDIR), 1);
	cr_expect_eq(log_captured_count(fd, "; there are workers for "), 1);
	config_free(&cfg);
}
