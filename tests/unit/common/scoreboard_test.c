/* scoreboard - what is written is read; what is not ours is refused. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "macros.h"
#include "scoreboard.h"

#define LINES 3

static int
make_file(void)
{
	int fd = memfd_create("scoreboard", MFD_CLOEXEC);

	cr_assert_neq(fd, -1);
	return (fd);
}

static int
make_board(void)
{
	int fd = make_file();

	cr_assert_eq(scoreboard_write(fd, LINES), 0);
	return (fd);
}

static void
put(int fd, off_t at, const void *bytes, size_t len)
{
	cr_assert_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
}

static void
expect_refused(int fd, const char *want)
{
	const char *why = "nothing";

	cr_assert_null(scoreboard_open(fd, false, &why));
	cr_expect_str_eq(why, want);
}

Test(scoreboard, shows_a_reader_what_the_writer_wrote)
{
	int fd = make_board();
	const char *why;
	struct scoreboard *writer = scoreboard_open(fd, true, &why);
	struct scoreboard *reader = scoreboard_open(fd, false, &why);

	cr_assert_not_null(writer);
	cr_assert_not_null(reader);
	cr_expect_eq(scoreboard_nlines(reader), LINES);
	scoreboard_set(&scoreboard_line(writer, 2)->connections, 7);
	scoreboard_add(&scoreboard_line(writer, 2)->accepted, 9);
	scoreboard_add(&scoreboard_line(writer, 2)->accepted, 1);
	close(fd);
	cr_expect_eq(
	    scoreboard_get(&scoreboard_line(reader, 2)->connections), 7);
	cr_expect_eq(scoreboard_get(&scoreboard_line(reader, 2)->accepted), 10);
	cr_expect_eq(scoreboard_get(&scoreboard_line(reader, 1)->accepted), 0);
	cr_expect_eq(scoreboard_get(&scoreboard_line(reader, 3)->accepted), 0);
	scoreboard_close(&writer);
	scoreboard_close(&reader);
	cr_expect_null(reader);
}

Test(scoreboard, gives_each_worker_cache_lines_of_its_own)
{
	int fd = make_board();
	const char *why;
	struct scoreboard *sb = scoreboard_open(fd, true, &why);
	unsigned slot;

	cr_assert_not_null(sb);
	for (slot = 1; slot <= LINES; slot++)
		cr_expect_eq((uintptr_t)scoreboard_line(sb, slot) % 64, 0);
}

/* clang-format off */
static const struct {
	const char *why;
	off_t at;
	uint32_t value;
	const char *want;
} damages[] = {
	{ "another magic",		0, 0x58585858, "not a scoreboard" },
	{ "a later version",		8, 2, "of another version" },
	{ "an earlier version",		8, 0, "of another version" },
	{ "a larger file promised",	16, 65536, "cut short" },
	{ "no end of a file",		20, UINT32_MAX, "cut short" },
	{ "lines behind the end",	36, 65536, "cut short" },
	{ "lines far behind the end",	36, UINT32_MAX - 63, "cut short" },
	{ "lines off their alignment",	36, 520, "damaged" },
	{ "lines of no size",		40, 0, "damaged" },
	{ "lines of another size",	40, 64, "damaged" },
	{ "no lines",			44, 0, "damaged" },
	{ "one line too many",		44, LINES + 1, "cut short" },
	{ "too many lines",		44, UINT32_MAX, "damaged" },
	{ "still being written",	48, 0, "not ready yet" },
};
/* clang-format on */

Test(scoreboard, refuses_what_is_no_scoreboard_of_its_version)
{
	const char *why;
	size_t i;
	int fd;

	for (i = 0; i < nitems(damages); i++) {
		fd = make_board();
		put(fd, damages[i].at, &damages[i].value, 4);
		why = "nothing";
		cr_assert_null(
		    scoreboard_open(fd, false, &why), "%s", damages[i].why);
		cr_expect_str_eq(
		    why, damages[i].want, "%s: %s", damages[i].why, why);
		close(fd);
	}
}

/* Never SIGBUS: what fstat(2) does not promise is not touched. */
Test(scoreboard, refuses_every_truncation)
{
	off_t size = lseek(make_board(), 0, SEEK_END), n;
	int fd;

	for (n = 0; n < size; n++) {
		fd = make_board();
		cr_assert_eq(ftruncate(fd, n), 0);
		expect_refused(fd, "cut short");
		close(fd);
	}
}

Test(scoreboard, refuses_what_is_no_file)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	expect_refused(ends[0], "not a file");
	expect_refused(-1, "not a file");
	expect_refused(make_file(), "cut short");
}

Test(scoreboard, cannot_be_written_on_a_full_device)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	cr_expect_eq(scoreboard_write(fd, 1), -1);
}

Test(scoreboard, keeps_the_totals_of_a_slot_and_not_its_counts)
{
	int fd = make_board();
	const char *why;
	struct scoreboard *sb = scoreboard_open(fd, true, &why);
	struct scoreboard_line *line;

	cr_assert_not_null(sb);
	line = scoreboard_line(sb, 1);
	scoreboard_line_take(line, 1234);
	cr_expect_eq(scoreboard_get(&line->pid), 1234);
	cr_expect_eq(scoreboard_get(&line->state), SCOREBOARD_STARTING);
	scoreboard_set(&line->connections, 5);
	scoreboard_set(&line->queued, 6);
	scoreboard_set(&line->running, 7);
	scoreboard_add(&line->requests, 100);
	scoreboard_line_vacate(line);
	cr_expect_eq(scoreboard_get(&line->state), SCOREBOARD_EMPTY);
	cr_expect_eq(scoreboard_get(&line->connections), 0);
	cr_expect_eq(scoreboard_get(&line->queued), 0);
	cr_expect_eq(scoreboard_get(&line->running), 0);
	scoreboard_line_take(line, 1235);
	cr_expect_eq(scoreboard_get(&line->requests), 100);
}

/* clang-format off */
static const struct {
	const char *why;
	enum scoreboard_state state;
	uint64_t heartbeat_ms;
	bool want;
} servings[] = {
	{ "active, just now",	SCOREBOARD_ACTIVE, 10000, true },
	{ "active, a moment ago", SCOREBOARD_ACTIVE, 8000, true },
	{ "active, too long ago", SCOREBOARD_ACTIVE, 7999, false },
	{ "active, later than we looked", SCOREBOARD_ACTIVE, 10005, true },
	{ "no worker",		SCOREBOARD_EMPTY, 10000, false },
	{ "imports",		SCOREBOARD_STARTING, 10000, false },
	{ "does not accept yet", SCOREBOARD_READY, 10000, false },
	{ "drains",		SCOREBOARD_DRAINING, 10000, false },
};
/* clang-format on */

Test(scoreboard, takes_a_stale_worker_for_absent)
{
	struct scoreboard_line line = {0};
	size_t i;

	for (i = 0; i < nitems(servings); i++) {
		scoreboard_set(&line.state, servings[i].state);
		scoreboard_set(&line.heartbeat_ms, servings[i].heartbeat_ms);
		cr_expect_eq(scoreboard_line_is_serving(&line, 10000),
		    servings[i].want, "%s", servings[i].why);
	}
}
