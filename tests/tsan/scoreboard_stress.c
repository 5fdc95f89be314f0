/*
 * scoreboard_stress - a writer for each line, and readers of all of them, for
 * ThreadSanitizer.
 *
 * "scoreboard_stress [WRITERS]"; every writer counts its totals up, and two
 * readers, each with a mapping of its own, see to it that no total ever goes
 * down.  Exits with 0 if all that was counted is there at the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "scoreboard.h"

#define WRITERS_MAX 64
#define READERS     2
#define TURNS       20000u
#define GIVE_UP_S   300

static struct scoreboard *board;
static int board_fd;
static atomic_uint writing;

static void *
write_line(void *arg)
{
	struct scoreboard_line *line = arg;
	uint64_t i;

	scoreboard_line_take(line, 1);
	scoreboard_set(&line->state, SCOREBOARD_ACTIVE);
	for (i = 1; i <= TURNS; i++) {
		scoreboard_set(&line->heartbeat_ms, i);
		scoreboard_set(&line->connections, i % 7);
		scoreboard_set(&line->queued, i % 5);
		scoreboard_add(&line->requests, 1);
		if (i % 3 == 0)
			scoreboard_add(&line->accepted, 1);
	}
	atomic_fetch_sub(&writing, 1);
	return (NULL);
}

/* Aborts where a total has gone down. */
static uint64_t
read_total(struct scoreboard *sb, uint64_t *seen)
{
	struct scoreboard_line *line;
	uint64_t sum = 0, now;
	unsigned slot;

	for (slot = 1; slot <= scoreboard_nlines(sb); slot++) {
		line = scoreboard_line(sb, slot);
		now = scoreboard_get(&line->requests);
		ASSERT(now >= seen[slot - 1] && now <= TURNS);
		seen[slot - 1] = now;
		sum += now;
		ASSERT(scoreboard_get(&line->connections) < 7);
	}
	return (sum);
}

static void *
read_lines(void *arg)
{
	const char *why;
	struct scoreboard *sb = scoreboard_open(board_fd, false, &why);
	uint64_t seen[WRITERS_MAX] = {0};

	ASSERT(sb != NULL);
	while (atomic_load(&writing) > 0)
		read_total(sb, seen);
	*(uint64_t *)arg = read_total(sb, seen);
	scoreboard_close(&sb);
	return (NULL);
}

int
main(int argc, char *argv[])
{
	unsigned writers = argc > 1 ? (unsigned)atoi(argv[1]) : 4, i;
	pthread_t threads[WRITERS_MAX + READERS];
	uint64_t sums[READERS] = {0};
	const char *why = "";

	if (writers < 1 || writers > WRITERS_MAX)
		return (1);
	alarm(GIVE_UP_S);
	board_fd = memfd_create("scoreboard", MFD_CLOEXEC);
	if (board_fd == -1 || scoreboard_write(board_fd, writers) == -1 ||
	    (board = scoreboard_open(board_fd, true, &why)) == NULL) {
		fprintf(stderr, "scoreboard_stress: %s\n", why);
		return (1);
	}
	atomic_store(&writing, writers);
	for (i = 0; i < writers; i++)
		PTHREAD_OK(pthread_create(&threads[i], NULL, write_line,
		    scoreboard_line(board, i + 1)));
	for (i = 0; i < READERS; i++)
		PTHREAD_OK(pthread_create(
		    &threads[writers + i], NULL, read_lines, &sums[i]));
	for (i = 0; i < writers + READERS; i++)
		PTHREAD_OK(pthread_join(threads[i], NULL));
	printf(
	    "%u lines, %llu counted\n", writers, (unsigned long long)sums[0]);
	for (i = 0; i < READERS; i++)
		if (sums[i] != (uint64_t)writers * TURNS)
			return (1);
	return (0);
}
