/* heritage - what the master writes, a worker reads, and nothing else. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "heritage.h"
#include "log.h"
#include "macros.h"

static int null_fd;

static int
open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert_neq(fd, -1);
	return (fd);
}

/* The errors of an import are not the test's. */
static void
quiet(void)
{
	null_fd = open_null();
	log_init("test", null_fd);
}

static struct heritage
make_heritage(size_t nlisten)
{
	struct heritage h = {.slot = 3, .master = getpid(), .nlisten = nlisten};
	size_t i;

	h.config_fd = open_null();
	h.control_fd = open_null();
	h.errorlog_fd = open_null();
	h.accesslog_fd = open_null();
	h.scoreboard_fd = open_null();
	h.handover_send_fd = open_null();
	h.handover_receive_fd = open_null();
	for (i = 0; i < nlisten; i++)
		h.listen_fds[i] = open_null();
	return (h);
}

static bool
is_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	cr_assert_neq(flags, -1);
	return ((flags & FD_CLOEXEC) != 0);
}

/* Nothing of ours in the environment? */
static bool
environment_is_clean(void)
{
	char **p;

	for (p = environ; *p != NULL; p++)
		if (strncmp(*p, "CGTHREAD_", 9) == 0)
			return (false);
	return (true);
}

static void
expect_same(const struct heritage *a, const struct heritage *b)
{
	size_t i;

	cr_expect_eq(a->slot, b->slot);
	cr_expect_eq(a->master, b->master);
	cr_expect_eq(a->config_fd, b->config_fd);
	cr_expect_eq(a->control_fd, b->control_fd);
	cr_expect_eq(a->errorlog_fd, b->errorlog_fd);
	cr_expect_eq(a->accesslog_fd, b->accesslog_fd);
	cr_expect_eq(a->scoreboard_fd, b->scoreboard_fd);
	cr_expect_eq(a->handover_send_fd, b->handover_send_fd);
	cr_expect_eq(a->handover_receive_fd, b->handover_receive_fd);
	cr_assert_eq(a->nlisten, b->nlisten);
	for (i = 0; i < a->nlisten; i++)
		cr_expect_eq(a->listen_fds[i], b->listen_fds[i]);
}

Test(heritage, imports_what_was_exported)
{
	static const size_t listeners[] = {0, 1, 2, HERITAGE_LISTENERS_MAX};
	struct heritage out, in;
	size_t i;

	for (i = 0; i < nitems(listeners); i++) {
		out = make_heritage(listeners[i]);
		cr_assert_eq(heritage_export(&out), 0);
		cr_assert_eq(heritage_import(&in), 0);
		expect_same(&out, &in);
		cr_expect(environment_is_clean());
	}
}

Test(heritage, opens_descriptors_for_the_exec_only)
{
	struct heritage out = make_heritage(2), in;
	int other = open_null();

	cr_assert_eq(heritage_export(&out), 0);
	cr_expect(is_cloexec(other));
	cr_expect(!is_cloexec(out.config_fd));
	cr_expect(!is_cloexec(out.control_fd));
	cr_expect(!is_cloexec(out.errorlog_fd));
	cr_expect(!is_cloexec(out.accesslog_fd));
	cr_expect(!is_cloexec(out.listen_fds[1]));
	cr_assert_eq(heritage_import(&in), 0);
	cr_expect(is_cloexec(in.config_fd));
	cr_expect(is_cloexec(in.control_fd));
	cr_expect(is_cloexec(in.errorlog_fd));
	cr_expect(is_cloexec(in.accesslog_fd));
	cr_expect(is_cloexec(in.listen_fds[1]));
}

Test(heritage, can_do_without_an_access_log)
{
	struct heritage out = make_heritage(1), in;

	out.accesslog_fd = -1;
	cr_assert_eq(heritage_export(&out), 0);
	cr_assert_eq(heritage_import(&in), 0);
	cr_expect_eq(in.accesslog_fd, -1);
}

Test(heritage, can_do_without_a_handover_socket)
{
	struct heritage out = make_heritage(1), in;

	out.handover_send_fd = out.handover_receive_fd = -1;
	cr_assert_eq(heritage_export(&out), 0);
	cr_assert_eq(heritage_import(&in), 0);
	cr_expect_eq(in.handover_send_fd, -1);
	cr_expect_eq(in.handover_receive_fd, -1);
}

Test(heritage, does_not_export_a_closed_descriptor)
{
	struct heritage out = make_heritage(1);

	close(out.listen_fds[0]);
	errno = 0;
	cr_expect_eq(heritage_export(&out), -1);
	cr_expect_eq(errno, EBADF);
	out = make_heritage(0);
	out.control_fd = -1;
	cr_expect_eq(heritage_export(&out), -1, "control may not be -1");
}

/* clang-format off */
static const struct { const char *name, *value; } bad[] = {
	{ "CGTHREAD_MASTER_VERSION", NULL },
	{ "CGTHREAD_MASTER_VERSION", "" },
	{ "CGTHREAD_MASTER_VERSION", CGTHREAD_VERSION "1" },
	{ "CGTHREAD_SLOT", NULL },	{ "CGTHREAD_SLOT", "" },
	{ "CGTHREAD_SLOT", "0" },	{ "CGTHREAD_SLOT", "-1" },
	{ "CGTHREAD_SLOT", "1x" },	{ "CGTHREAD_SLOT", "4294967296" },
	{ "CGTHREAD_MASTER_PID", NULL }, { "CGTHREAD_MASTER_PID", "0" },
	{ "CGTHREAD_MASTER_PID", "-5" }, { "CGTHREAD_MASTER_PID", "1 " },
	{ "CGTHREAD_CONFIG_FD", NULL },	{ "CGTHREAD_CONFIG_FD", "-1" },
	{ "CGTHREAD_CONFIG_FD", "x" },	{ "CGTHREAD_CONFIG_FD", "9999" },
	{ "CGTHREAD_CONTROL_FD", NULL }, { "CGTHREAD_CONTROL_FD", "-1" },
	{ "CGTHREAD_CONTROL_FD", "99999999999999999999" },
	{ "CGTHREAD_ERRORLOG_FD", NULL }, { "CGTHREAD_ERRORLOG_FD", "-1" },
	{ "CGTHREAD_ACCESSLOG_FD", NULL }, { "CGTHREAD_ACCESSLOG_FD", "-2" },
	{ "CGTHREAD_ACCESSLOG_FD", "" },
	{ "CGTHREAD_SCOREBOARD_FD", NULL }, { "CGTHREAD_SCOREBOARD_FD", "-1" },
	{ "CGTHREAD_HANDOVER_SEND_FD", NULL },
	{ "CGTHREAD_HANDOVER_RECEIVE_FD", "-2" },
	{ "CGTHREAD_LISTEN_FDS", NULL }, { "CGTHREAD_LISTEN_FDS", "," },
	{ "CGTHREAD_LISTEN_FDS", "0," }, { "CGTHREAD_LISTEN_FDS", ",0" },
	{ "CGTHREAD_LISTEN_FDS", "0,,0" }, { "CGTHREAD_LISTEN_FDS", "0 ,0" },
	{ "CGTHREAD_LISTEN_FDS", "-1" }, { "CGTHREAD_LISTEN_FDS", "0;0" },
	{ "CGTHREAD_LISTEN_FDS", "9999" }, { "CGTHREAD_LISTEN_FDS", "none" },
};
/* clang-format on */

Test(heritage, imports_nothing_that_is_not_whole, .init = quiet)
{
	struct heritage out = make_heritage(1), in;
	size_t i;

	for (i = 0; i < nitems(bad); i++) {
		cr_assert_eq(heritage_export(&out), 0);
		if (bad[i].value == NULL)
			unsetenv(bad[i].name);
		else
			setenv(bad[i].name, bad[i].value, 1);
		cr_expect_eq(heritage_import(&in), -1, "%s=%s", bad[i].name,
		    bad[i].value != NULL ? bad[i].value : "(not set)");
		cr_expect(environment_is_clean(), "%s", bad[i].name);
	}
}

Test(heritage, imports_no_more_listeners_than_fit, .init = quiet)
{
	struct heritage out = make_heritage(0), in;
	char list[8 * HERITAGE_LISTENERS_MAX] = "";
	size_t i;

	for (i = 0; i <= HERITAGE_LISTENERS_MAX; i++)
		strcat(list, i > 0 ? ",0" : "0");
	cr_assert_eq(heritage_export(&out), 0);
	setenv("CGTHREAD_LISTEN_FDS", list, 1);
	cr_expect_eq(heritage_import(&in), -1, "65 listeners");

	cr_assert_eq(heritage_export(&out), 0);
	list[strlen(list) - 2] = '\0';
	setenv("CGTHREAD_LISTEN_FDS", list, 1);
	cr_expect_eq(heritage_import(&in), 0, "64 listeners");
	cr_expect_eq(in.nlisten, HERITAGE_LISTENERS_MAX);
}

Test(heritage, imports_no_list_longer_than_any, .init = quiet)
{
	struct heritage out = make_heritage(0), in;
	char list[8192];

	memset(list, '0', sizeof(list) - 1);
	list[sizeof(list) - 1] = '\0';
	cr_assert_eq(heritage_export(&out), 0);
	setenv("CGTHREAD_LISTEN_FDS", list, 1);
	cr_expect_eq(heritage_import(&in), -1);
}

Test(heritage, carries_the_settings_but_no_variables)
{
	struct config *cfg = config_new(), *back = config_new();
	char env[] = "SECRET=x";
	int fd;

	cr_assert_eq(config_set(cfg, "workers", "9", stderr), 0);
	cr_assert_eq(config_set(cfg, "chdir", "/srv/my app", stderr), 0);
	cr_assert_eq(config_set_env(cfg, env, stderr), 0);
	fd = heritage_config_fd(cfg);
	cr_assert_neq(fd, -1);
	cr_expect(is_cloexec(fd));
	cr_expect_eq(config_read_fd(back, fd, "heritage", stderr), 0);
	cr_expect_eq(back->workers, 9);
	cr_expect_str_eq(back->chdir, "/srv/my app");
	cr_expect_eq(back->env.count, 0);
	config_free(&cfg);
	config_free(&back);
}

/* A worker that could write would set up its successors. */
Test(heritage, seals_the_settings)
{
	struct config *cfg = config_new();
	int fd = heritage_config_fd(cfg);

	cr_assert_neq(fd, -1);
	cr_expect_eq(pwrite(fd, "x", 1, 0), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(ftruncate(fd, 0), -1);
	config_free(&cfg);
}
