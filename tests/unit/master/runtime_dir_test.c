/* runtime_dir - whose it is, what it is called, what is left of it. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "macros.h"
#include "runtime_dir.h"
#include "scoreboard.h"

static char base[] = "/tmp/cgthread-unit-XXXXXX";

static void
setup(void)
{
	log_init("test", open("/dev/null", O_WRONLY));
	cr_assert_not_null(mkdtemp(base));
}

/* What the tests may have left; each has a process of its own. */
static void
teardown(void)
{
	static const char *const names[] = {
	    "/a/b/lock", "/a/b/scoreboard", "/a/b", "/a", ""};
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		snprintf(path, sizeof(path), "%s%s", base, names[i]);
		remove(path);
	}
}

TestSuite(runtime_dir, .init = setup, .fini = teardown);

static struct config *
make_config(void)
{
	struct config *cfg = config_new();
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/a/b", base);
	cr_assert_eq(config_set(cfg, "runtime_dir", path, stderr), 0);
	return (cfg);
}

static bool
has_scoreboard(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/a/b/scoreboard", base);
	return (access(path, F_OK) == 0);
}

/* clang-format off */
static const struct { const char *proc_name, *file, *want; } names[] = {
	{ "",		NULL,			"default" },
	{ "",		"server.ini",		"server" },
	{ "",		"/etc/shops/shop.ini",	"shop" },
	{ "",		"conf/shop",		"shop" },
	{ "",		"shop.de.ini",		"shop.de" },
	{ "",		".ini",			"_ini" },
	{ "shop",	"server.ini",		"shop" },
	{ "shop.de",	"server.ini",		"shop.de" },
	{ "my shop/2",	NULL,			"my_shop_2" },
	{ "../../etc",	NULL,			"_._.._etc" },
	{ "..",		NULL,			"_." },
};
/* clang-format on */

Test(runtime_dir, is_named_after_the_server)
{
	char name[RUNTIME_DIR_NAME_SIZE];
	struct config *cfg;
	size_t i;

	for (i = 0; i < nitems(names); i++) {
		cfg = config_new();
		config_set(cfg, "proc_name", names[i].proc_name, stderr);
		if (names[i].file != NULL)
			cfg->file = string_copy(names[i].file);
		runtime_dir_name(cfg, name);
		cr_expect_str_eq(name, names[i].want, "%s", name);
		cr_expect_null(strchr(name, '/'));
		config_free(&cfg);
	}
}

Test(runtime_dir, holds_a_scoreboard_while_the_server_runs)
{
	struct config *cfg = make_config();
	struct runtime_dir dir;
	struct stat st;
	int fd;

	umask(077);
	cr_assert_eq(runtime_dir_open(&dir, cfg), 0);
	cr_assert_eq(fstat(dir.fd, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755, "%o", st.st_mode);
	fd = runtime_dir_scoreboard(&dir, 2);
	cr_assert_neq(fd, -1);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640, "%o", st.st_mode);
	cr_expect(has_scoreboard());
	close(fd);
	runtime_dir_close(&dir);
	cr_expect_not(has_scoreboard());
	config_free(&cfg);
}

Test(runtime_dir, is_not_shared_by_two_servers)
{
	struct config *cfg = make_config();
	struct runtime_dir first, second;
	struct scoreboard *board;
	const char *why;
	int fd;

	cr_assert_eq(runtime_dir_open(&first, cfg), 0);
	close(runtime_dir_scoreboard(&first, 1));
	cr_assert_eq(runtime_dir_open(&second, cfg), 0, "it does without");
	cr_expect_eq(second.fd, -1);
	fd = runtime_dir_scoreboard(&second, 1);
	board = scoreboard_open(fd, true, &why);
	cr_expect_not_null(board);
	scoreboard_close(&board);
	runtime_dir_close(&second);
	cr_expect(has_scoreboard(), "the first one's");
	runtime_dir_close(&first);
	cr_assert_eq(runtime_dir_open(&second, cfg), 0);
	cr_expect_neq(second.fd, -1);
	runtime_dir_close(&second);
	config_free(&cfg);
}

/* A master that was killed leaves its file; who has it mapped keeps it. */
Test(runtime_dir, has_a_new_file_for_each_start)
{
	struct config *cfg = make_config();
	struct runtime_dir dir;
	struct stat old, new;
	int fd, again;

	cr_assert_eq(runtime_dir_open(&dir, cfg), 0);
	fd = runtime_dir_scoreboard(&dir, 1);
	again = runtime_dir_scoreboard(&dir, 3);
	cr_assert_eq(fstat(fd, &old), 0);
	cr_assert_eq(fstat(again, &new), 0);
	cr_expect_neq(old.st_ino, new.st_ino);
	cr_expect_neq(old.st_size, 0);
	runtime_dir_close(&dir);
	config_free(&cfg);
}

Test(runtime_dir, is_an_error_where_others_may_write)
{
	struct config *cfg = make_config();
	struct runtime_dir dir;

	cr_assert_eq(runtime_dir_open(&dir, cfg), 0);
	cr_assert_eq(fchmod(dir.fd, 0777), 0);
	/* Its mode is put right only when it is made. */
	runtime_dir_close(&dir);
	cr_expect_eq(runtime_dir_open(&dir, cfg), -1);
	cr_expect_eq(dir.fd, -1);
	config_free(&cfg);
}

Test(runtime_dir, is_an_error_where_it_was_asked_for_and_cannot_be)
{
	struct config *cfg = config_new();
	struct runtime_dir dir;

	config_set(cfg, "runtime_dir", "/proc/nothing", stderr);
	cr_expect_eq(runtime_dir_open(&dir, cfg), -1);
	config_free(&cfg);
}
