#include "unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "macros.h"

static char dir[] = "/tmp/unix-socket-XXXXXX";
static char path[64];
static char why[160];

static void
set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
}

static void
tear_down(void)
{
	unlink(path);
	rmdir(dir);
}

static int
new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_neq(fd, -1);
	return (fd);
}

static int
bind_here(struct unix_socket *us, int fd, mode_t mode, const char *owner)
{
	return (unix_socket_bind(us, fd, path, mode, owner, why, sizeof(why)));
}

static void
make_file(void)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_neq(fd, -1);
	close(fd);
}

TestSuite(unix_socket, .init = set_up, .fini = tear_down);

Test(unix_socket, has_the_mode_whatever_the_umask)
{
	static const mode_t modes[] = {0600, 0660, 0666, 0777, 0};
	struct unix_socket us;
	struct stat st;
	size_t i;
	int fd;

	umask(077);
	for (i = 0; i < nitems(modes); i++) {
		fd = new_socket();
		cr_assert_eq(bind_here(&us, fd, modes[i], ""), 0, "%s", why);
		cr_assert_eq(lstat(path, &st), 0);
		cr_expect(S_ISSOCK(st.st_mode));
		cr_expect_eq(st.st_mode & 0777, modes[i], "%o", st.st_mode);
		unix_socket_remove(&us);
		cr_expect_eq(access(path, F_OK), -1);
		close(fd);
	}
}

Test(unix_socket, has_the_owner_if_we_may_give_it_away)
{
	struct unix_socket us;
	struct stat st;
	int fd = new_socket();

	if (geteuid() != 0)
		cr_skip("only root may");
	cr_assert_eq(bind_here(&us, fd, 0660, "1234:5678"), 0, "%s", why);
	cr_assert_eq(lstat(path, &st), 0);
	cr_expect_eq(st.st_uid, 1234);
	cr_expect_eq(st.st_gid, 5678);
	cr_expect_eq(st.st_mode & 0777, 0660);
	unix_socket_remove(&us);
	close(fd);
}

Test(unix_socket, replaces_what_a_dead_server_left)
{
	struct unix_socket dead, us;
	int fd = new_socket();

	cr_assert_eq(bind_here(&dead, fd, 0600, ""), 0, "%s", why);
	cr_assert_eq(listen(fd, 1), 0);
	close(fd);
	free(dead.path);
	fd = new_socket();
	cr_expect_eq(bind_here(&us, fd, 0600, ""), 0, "%s", why);
	unix_socket_remove(&us);
	close(fd);
}

Test(unix_socket, leaves_a_living_server_alone)
{
	struct unix_socket theirs, us;
	int first = new_socket(), second = new_socket();

	cr_assert_eq(bind_here(&theirs, first, 0600, ""), 0, "%s", why);
	cr_assert_eq(listen(first, 1), 0);
	cr_expect_eq(bind_here(&us, second, 0600, ""), -1);
	cr_expect_str_eq(why, "another server answers there");
	cr_expect_eq(access(path, F_OK), 0);
	unix_socket_remove(&theirs);
	close(first);
	close(second);
}

Test(unix_socket, leaves_other_files_alone)
{
	struct unix_socket us;
	int fd = new_socket();

	make_file();
	cr_expect_eq(bind_here(&us, fd, 0600, ""), -1);
	cr_expect_str_eq(why, "the file exists and is not a socket");
	cr_expect_eq(access(path, F_OK), 0);
	close(fd);
}

Test(unix_socket, does_not_follow_a_link)
{
	struct unix_socket us;
	int fd = new_socket();

	cr_assert_eq(symlink("/nowhere", path), 0);
	cr_expect_eq(bind_here(&us, fd, 0600, ""), -1);
	cr_expect_str_eq(why, "the file exists and is not a socket");
	close(fd);
}

Test(unix_socket, removes_only_its_own_file)
{
	struct unix_socket us;
	int fd = new_socket();

	cr_assert_eq(bind_here(&us, fd, 0600, ""), 0, "%s", why);
	unlink(path);
	make_file();
	unix_socket_remove(&us);
	cr_expect_eq(access(path, F_OK), 0);
	close(fd);
}

Test(unix_socket, leaves_no_file_when_the_owner_is_unknown)
{
	struct unix_socket us;
	int fd = new_socket();

	cr_expect_eq(bind_here(&us, fd, 0600, "no-such-user-at-all"), -1);
	cr_expect_str_eq(why, "socket_owner: no user \"no-such-user-at-all\"");
	cr_expect_eq(access(path, F_OK), -1);
	unix_socket_remove(&us);
	close(fd);
}

/* clang-format off */
static const struct {
	const char *why, *owner;
	int result;
	uid_t uid;
	gid_t gid;
} owners[] = {
	{ "nobody in particular", "", 0, (uid_t)-1, (gid_t)-1 },
	{ "a user", "root", 0, 0, (gid_t)-1 },
	{ "a group", ":root", 0, (uid_t)-1, 0 },
	{ "both", "root:root", 0, 0, 0 },
	{ "numbers", "12:34", 0, 12, 34 },
	{ "no such user", "no-such-user:root", -1, 0, 0 },
	{ "no such group", "root:no-such-group", -1, 0, 0 },
	{ "a colon without a group", "root:", -1, 0, 0 },
	{ "a negative number", "-1", -1, 0, 0 },
	{ "the number that means none", "4294967295", -1, 0, 0 },
	{ "more than a number of users", "4294967296", -1, 0, 0 },
	{ "a second colon", "root:root:root", -1, 0, 0 },
	{ "a name that is too long",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  -1, 0, 0 },
};
/* clang-format on */

Test(unix_socket, takes_owners_by_name_and_number)
{
	uid_t uid;
	gid_t gid;
	size_t i;
	int result;

	for (i = 0; i < nitems(owners); i++) {
		result = unix_socket_parse_owner(
		    owners[i].owner, &uid, &gid, why, sizeof(why));
		cr_expect_eq(result, owners[i].result, "%s", owners[i].why);
		if (result != 0)
			continue;
		cr_expect_eq(uid, owners[i].uid, "%s", owners[i].why);
		cr_expect_eq(gid, owners[i].gid, "%s", owners[i].why);
	}
}
