/* spool: what went in comes out in one piece, in memory or from a file that
 * nobody can see. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "macros.h"
#include "budget.h"
#include "file_limit.h"
#include "memory_limit.h"
#include "spool.h"

#define BIG 1500000

static char dir[] = "/tmp/cgthread-spool-test-XXXXXX";
static struct spool spool;
static struct budget budget = {.limit = SIZE_MAX};
static char *bytes; /* BIG of them, no two neighbourhoods alike */

static void
set_up(void)
{
	unsigned x = 1;
	size_t i;

	cr_assert_not_null(mkdtemp(dir));
	bytes = malloc(BIG);
	cr_assert_not_null(bytes);
	for (i = 0; i < BIG; i++) {
		x = x * 1103515245 + 12345;
		bytes[i] = (char)(x >> 16);
	}
}

static void
tear_down(void)
{
	free(bytes);
	rmdir(dir);
}

TestSuite(spool, .init = set_up, .fini = tear_down, .timeout = 60);

static int
entries_of(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	cr_assert_not_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return (n);
}

static void
append_in_pieces(size_t total, size_t piece)
{
	size_t at, n;

	for (at = 0; at < total; at += n) {
		n = total - at < piece ? total - at : piece;
		cr_assert_eq(spool_append(&spool, bytes + at, n), 0);
		cr_assert_eq(spool_len(&spool), at + n);
	}
}

static void
expect_all(size_t total, const char *why)
{
	const char *data = NULL;
	size_t len = 1;

	cr_assert_eq(spool_finish(&spool, &data, &len), 0, "%s", why);
	cr_assert_eq(len, total, "%s: %zu of %zu bytes", why, len, total);
	cr_assert_not_null(data, "%s", why);
	cr_expect_eq(memcmp(data, bytes, total), 0, "%s", why);
	cr_expect_eq(spool_len(&spool), total, "%s", why);
}

/* clang-format off */
static const struct {
	const char *why;
	size_t threshold, total, piece;
	bool in_file;
} cases[] = {
	{ "nothing",			1000,	0,	1,	false },
	{ "one byte",			1000,	1,	1,	false },
	{ "byte by byte",		1000,	999,	1,	false },
	{ "the threshold, exactly",	1000,	1000,	7,	false },
	{ "the threshold in one piece",	1000,	1000,	1000,	false },
	{ "one byte more",		1000,	1001,	7,	true },
	{ "one byte more, in one piece", 1000,	1001,	1001,	true },
	{ "stage filled to the brim",	1000,	5096,	1000,	true },
	{ "no threshold",		0,	1,	1,	true },
	{ "no threshold, nothing",	0,	0,	1,	false },
	{ "no threshold, small pieces",	0,	50000,	11,	true },
	{ "large pieces pass the stage", 4096,	BIG,	100000,	true },
	{ "small pieces in the stage",	4096,	100001,	13,	true },
	{ "a large threshold, under it", 1 << 20, 1 << 20, 65536, false },
	{ "a large threshold, over it",	1 << 20, BIG,	65536,	true },
	{ "no power of two",		600001,	600001,	1000,	false },
	{ "no power of two, over it",	600001,	BIG,	1000,	true },
};
/* clang-format on */

Test(spool, gives_back_what_was_appended)
{
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		spool_init(&spool, cases[i].threshold, &budget, dir);
		append_in_pieces(cases[i].total, cases[i].piece);
		cr_expect_eq(
		    spool.fd != -1, cases[i].in_file, "%s", cases[i].why);
		expect_all(cases[i].total, cases[i].why);
		spool_fini(&spool);
	}
}

/* As the loop fills it: into the room, in reads of at most piece bytes. */
static void
read_in_pieces(size_t total, size_t piece)
{
	size_t at, room, n;
	char *to;

	for (at = 0; at < total; at += n) {
		to = spool_room(&spool, &room);
		cr_assert_not_null(to);
		cr_assert_gt(room, 0);
		n = total - at < piece ? total - at : piece;
		if (n > room)
			n = room;
		memcpy(to, bytes + at, n);
		cr_assert_eq(spool_commit(&spool, n), 0);
		cr_assert_eq(spool_len(&spool), at + n);
	}
}

Test(spool, gives_back_what_was_read_into_its_room)
{
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		spool_init(&spool, cases[i].threshold, &budget, dir);
		spool_expect(&spool, cases[i].total);
		read_in_pieces(cases[i].total, cases[i].piece);
		cr_expect_eq(
		    spool.fd != -1, cases[i].in_file, "%s", cases[i].why);
		expect_all(cases[i].total, cases[i].why);
		spool_fini(&spool);
	}
}

Test(spool, takes_appended_and_read_bytes_in_turn)
{
	size_t at, room;
	char *to;

	spool_init(&spool, 10000, &budget, dir);
	for (at = 0; at + 3000 < BIG; at += 1) {
		cr_assert_eq(spool_append(&spool, bytes + at, 2999), 0);
		at += 2999;
		to = spool_room(&spool, &room);
		cr_assert_not_null(to);
		*to = bytes[at];
		cr_assert_eq(spool_commit(&spool, 1), 0);
	}
	expect_all(at, "in turn");
	spool_fini(&spool);
}

Test(spool, takes_the_expected_size_and_no_more)
{
	spool_init(&spool, 100000, &budget, dir);
	spool_expect(&spool, 77777);
	cr_expect_eq(spool.size, 77777);
	read_in_pieces(77777, 5000);
	cr_expect_eq(spool.size, 77777);
	expect_all(77777, "expected");
	spool_fini(&spool);
}

Test(spool, takes_nothing_for_a_promise_beyond_the_threshold)
{
	spool_init(&spool, 1000, &budget, dir);
	spool_expect(&spool, 1001);
	spool_expect(&spool, UINT64_MAX);
	cr_expect_eq(spool.size, 0);
	cr_expect_eq(spool.fd, -1);
	spool_fini(&spool);
}

Test(spool, takes_more_than_was_expected)
{
	spool_init(&spool, 1000, &budget, dir);
	spool_expect(&spool, 10);
	append_in_pieces(5000, 9);
	expect_all(5000, "more");
	spool_fini(&spool);
}

Test(spool, stages_no_more_than_a_quarter_of_a_megabyte)
{
	spool_init(&spool, 1 << 20, &budget, dir);
	append_in_pieces(BIG, 1000);
	cr_expect_leq(spool.size, 256 * 1024);
	spool_fini(&spool);
}

Test(spool, file_has_no_name_and_is_close_on_exec)
{
	struct stat st;
	int before = entries_of(dir);

	spool_init(&spool, 10, &budget, dir);
	append_in_pieces(11, 11);
	cr_assert_neq(spool.fd, -1);
	cr_expect_eq(entries_of(dir), before);
	cr_expect(fcntl(spool.fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(fstat(spool.fd, &st), 0);
	cr_expect_eq(st.st_nlink, 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	spool_fini(&spool);
}

Test(spool, leaves_no_descriptor_and_can_be_used_again)
{
	int before = entries_of("/proc/self/fd"), i;

	for (i = 0; i < 3; i++) {
		spool_init(&spool, 10, &budget, dir);
		append_in_pieces(100000, 9999);
		expect_all(100000, "again");
		spool_fini(&spool);
		spool_fini(&spool); /* once more does no harm */
	}
	cr_expect_eq(entries_of("/proc/self/fd"), before);
}

Test(spool, unmaps_its_file)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char resident;
	char *map;

	spool_init(&spool, 10, &budget, dir);
	append_in_pieces(100, 100);
	expect_all(100, "mapped");
	map = spool.map;
	cr_assert_eq(mincore(map, page, &resident), 0);
	spool_fini(&spool);
	cr_expect_eq(mincore(map, page, &resident), -1);
}

Test(spool, says_why_there_is_no_file)
{
	size_t room;

	spool_init(&spool, 10, &budget, "/nonexistent/directory");
	append_in_pieces(10, 10);
	errno = 0;
	cr_expect_eq(spool_append(&spool, bytes, 1), -1);
	cr_expect_eq(errno, ENOENT);
	spool_fini(&spool);

	spool_init(&spool, 0, &budget, "/nonexistent/directory");
	errno = 0;
	cr_expect_null(spool_room(&spool, &room));
	cr_expect_eq(errno, ENOENT);
	spool_fini(&spool);
}

/* Fills it until it refuses; everything must then be given back. */
static void
expect_failure(int error)
{
	int before = entries_of("/proc/self/fd"), result = 0;
	size_t n;

	spool_init(&spool, 20000, &budget, dir);
	for (n = 0; n < 1000 && result == 0; n++)
		result = spool_append(&spool, bytes, 5000);
	cr_expect_eq(result, -1);
	cr_expect_eq(errno, error, "%s", strerror(errno));
	spool_fini(&spool);
	cr_expect_eq(entries_of("/proc/self/fd"), before);
}

Test(spool, says_that_the_file_may_not_grow)
{
	signal(SIGXFSZ, SIG_IGN);
	file_limit(99999); /* in the middle of a write */
	expect_failure(EFBIG);

	/* One large piece, of which a part is written. */
	spool_init(&spool, 1000, &budget, dir);
	errno = 0;
	cr_expect_eq(spool_append(&spool, bytes, BIG), -1);
	cr_expect_eq(errno, EFBIG);
	spool_fini(&spool);
	file_limit(RLIM_INFINITY);
}

/* Needs a file system of its own, which only root can have. */
Test(spool, says_that_the_disk_is_full)
{
	const char *data;
	size_t len;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=128k") == -1)
		cr_skip_test("cannot mount: %s", strerror(errno));
	expect_failure(ENOSPC);

	/* Also where it is full only for what was staged last. */
	spool_init(&spool, 4096, &budget, dir);
	append_in_pieces(131072, 4096);
	cr_assert_eq(spool_append(&spool, bytes, 100), 0);
	errno = 0;
	cr_expect_eq(spool_finish(&spool, &data, &len), -1);
	cr_expect_eq(errno, ENOSPC);
	spool_fini(&spool);
	cr_expect_eq(umount(dir), 0);
}

Test(spool, goes_to_a_file_where_memory_is_short)
{
	struct rlimit before;
	bool in_file;

	memory_limit_or_skip();
	spool_init(&spool, 1 << 20, &budget, dir);
	before = memory_limit(512 << 10);
	spool_expect(&spool, 1 << 20);
	append_in_pieces(1000000, 1000);
	in_file = spool.fd != -1;
	setrlimit(RLIMIT_AS, &before); /* to look at it, it is mapped */
	cr_expect(in_file);
	expect_all(1000000, "memory was short");
	spool_fini(&spool);
	cr_expect_eq(budget.used, 0);
}

Test(spool, goes_to_a_file_once_the_budget_is_used_up)
{
	struct spool other;

	budget.limit = 40000; /* bodies: 30000 */
	spool_init(&other, 1 << 20, &budget, dir);
	spool_expect(&other, 25000);
	cr_expect_eq(budget.used, 0, "a promise");
	cr_assert_eq(spool_append(&other, bytes, 25000), 0);
	cr_expect_eq(budget.used, 25000);

	spool_init(&spool, 1 << 20, &budget, dir);
	spool_expect(&spool, 20000);
	append_in_pieces(20000, 1000);
	cr_expect_neq(spool.fd, -1);
	cr_expect_eq(budget.used, 25000 + 4096, "what each may have");
	expect_all(20000, "in a file");
	spool_fini(&spool);

	spool_fini(&other);
	cr_expect_eq(budget.used, 0, "all is given back");
	spool_init(&spool, 1 << 20, &budget, dir);
	append_in_pieces(16000, 1000);
	cr_expect_eq(spool.fd, -1, "there is room again");
	spool_fini(&spool);
	cr_expect_eq(budget.used, 0);
}

Test(spool, counts_what_it_holds_and_nothing_else)
{
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		spool_init(&spool, cases[i].threshold, &budget, dir);
		append_in_pieces(cases[i].total, cases[i].piece);
		cr_expect_eq(budget.used,
		    spool.fd == -1 ? spool.used : spool.size, "%s",
		    cases[i].why);
		expect_all(cases[i].total, cases[i].why);
		spool_fini(&spool);
		cr_expect_eq(budget.used, 0, "%s", cases[i].why);
	}
}
