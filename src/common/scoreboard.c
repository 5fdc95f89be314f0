/* scoreboard - see scoreboard.h. */
#include "scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"
#include "macros.h"

#define NAME_SIZE 24

/* So that a reader in another language need not know our structures. */
enum kind {
	KIND_ID = 1,    /* names something */
	KIND_STATE = 2, /* enum scoreboard_state */
	KIND_TIME = 3,  /* milliseconds of CLOCK_MONOTONIC */
	KIND_NOW = 4,   /* goes up and down */
	KIND_TOTAL = 5  /* only goes up */
};

struct counter {
	char name[NAME_SIZE]; /* NUL-padded */
	uint32_t offset;      /* in a line; every value has 8 bytes */
	uint32_t kind;
};

struct header {
	char magic[8];
	uint32_t version;
	uint32_t size;         /* of the header */
	uint64_t file_size;    /* all of it */
	uint32_t counters_at;  /* offset of the table */
	uint32_t counter_size; /* of a row */
	uint32_t ncounters;
	uint32_t lines_at; /* offset of the first line */
	uint32_t line_size;
	uint32_t nlines;
	_Atomic uint32_t ready; /* 1, written last */
};

static const char magic[8] = "cgthread";

#define ROW(field, k)                                                          \
	{                                                                      \
		.name = #field,                                                \
		.offset = offsetof(struct scoreboard_line, field), .kind = (k) \
	}

static const struct counter counters[] = {
    ROW(pid, KIND_ID),
    ROW(state, KIND_STATE),
    ROW(heartbeat_ms, KIND_TIME),
    ROW(connections, KIND_NOW),
    ROW(queued, KIND_NOW),
    ROW(running, KIND_NOW),
    ROW(handed_out, KIND_TOTAL),
    ROW(handed_in, KIND_TOTAL),
    ROW(accepted, KIND_TOTAL),
    ROW(requests, KIND_TOTAL),
};

#define COUNTERS_AT 64
#define LINES_AT    512
_Static_assert(sizeof(struct header) <= COUNTERS_AT, "the header is too long");
_Static_assert(
    COUNTERS_AT + sizeof(counters) <= LINES_AT, "the table is too long");
_Static_assert(sizeof(struct scoreboard_line) == 128, "two cache lines");
_Static_assert(
    sizeof(_Atomic uint64_t) == 8, "an atomic is what the header says");

struct scoreboard {
	char *map;
	size_t size;
	struct scoreboard_line *lines; /* in map */
	unsigned nlines;
};

/* ---- writing ---- */

static void
fill_header(struct header *h, size_t size, unsigned nlines)
{
	memcpy(h->magic, magic, sizeof(magic));
	h->version = SCOREBOARD_VERSION;
	h->size = sizeof(*h);
	h->file_size = size;
	h->counters_at = COUNTERS_AT;
	h->counter_size = sizeof(counters[0]);
	h->ncounters = nitems(counters);
	h->lines_at = LINES_AT;
	h->line_size = sizeof(struct scoreboard_line);
	h->nlines = nlines;
}

int
scoreboard_write(int fd, unsigned nlines)
{
	size_t size = LINES_AT + nlines * sizeof(struct scoreboard_line);
	struct header *h;
	char *map;

	ASSERT(nlines >= 1 && nlines <= SCOREBOARD_LINES_MAX);
	/* All of it now: a full disk must not be a SIGBUS later. */
	errno = posix_fallocate(fd, 0, (off_t)size);
	if (errno != 0)
		return (-1);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return (-1);
	h = (struct header *)(void *)map;
	fill_header(h, size, nlines);
	memcpy(map + COUNTERS_AT, counters, sizeof(counters));
	atomic_store_explicit(&h->ready, 1, memory_order_release);
	munmap(map, size);
	return (0);
}

/* ---- opening ---- */

/* NULL, or what is wrong with the first size bytes of a file. */
static const char *
judge(const struct header *h, size_t size)
{
	if (memcmp(h->magic, magic, sizeof(magic)) != 0)
		return ("not a scoreboard");
	if (atomic_load_explicit(&h->ready, memory_order_relaxed) != 1)
		return ("not ready yet");
	if (h->version != SCOREBOARD_VERSION)
		return ("of another version");
	if (h->line_size != sizeof(struct scoreboard_line) ||
	    h->lines_at % _Alignof(struct scoreboard_line) != 0 ||
	    h->nlines < 1 || h->nlines > SCOREBOARD_LINES_MAX)
		return ("damaged");
	if (h->lines_at > size || h->file_size > size ||
	    (size - h->lines_at) / h->line_size < h->nlines)
		return ("cut short");
	return (NULL);
}

static struct scoreboard *
map_file(int fd, bool writable, size_t size, const char **why)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	struct scoreboard *sb = calloc(1, sizeof(*sb));

	if (sb == NULL)
		goto fail;
	sb->size = size;
	sb->map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (sb->map == MAP_FAILED)
		goto fail;
	return (sb);

fail:
	*why = "cannot be mapped";
	free(sb);
	return (NULL);
}

struct scoreboard *
scoreboard_open(int fd, bool writable, const char **why)
{
	struct scoreboard *sb;
	const struct header *h;
	struct header copy;
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		*why = "not a file";
		return (NULL);
	}
	if ((size_t)st.st_size < sizeof(struct header)) {
		*why = "cut short";
		return (NULL);
	}
	sb = map_file(fd, writable, (size_t)st.st_size, why);
	if (sb == NULL)
		return (NULL);
	/* Judged and used is one and the same: a copy. */
	h = (const struct header *)(void *)sb->map;
	copy.ready = atomic_load_explicit(&h->ready, memory_order_acquire);
	memcpy(&copy, h, offsetof(struct header, ready));
	*why = judge(&copy, sb->size);
	if (*why != NULL) {
		scoreboard_close(&sb);
		return (NULL);
	}
	sb->nlines = copy.nlines;
	sb->lines = (struct scoreboard_line *)(void *)(sb->map + copy.lines_at);
	return (sb);
}

void
scoreboard_close(struct scoreboard **sbp)
{
	struct scoreboard *sb = *sbp;

	*sbp = NULL;
	if (sb == NULL)
		return;
	munmap(sb->map, sb->size);
	free(sb);
}

/* ---- lines ---- */

unsigned
scoreboard_nlines(const struct scoreboard *sb)
{
	return (sb->nlines);
}

struct scoreboard_line *
scoreboard_line(const struct scoreboard *sb, unsigned slot)
{
	ASSERT(slot >= 1 && slot <= sb->nlines);
	return (&sb->lines[slot - 1]);
}

/* Nobody has connections or requests there. */
static void
clear_counts(struct scoreboard_line *line)
{
	scoreboard_set(&line->connections, 0);
	scoreboard_set(&line->queued, 0);
	scoreboard_set(&line->running, 0);
}

void
scoreboard_line_take(struct scoreboard_line *line, uint64_t pid)
{
	scoreboard_set(&line->pid, pid);
	scoreboard_set(&line->heartbeat_ms, 0);
	scoreboard_set(&line->state, SCOREBOARD_STARTING);
	clear_counts(line);
}

void
scoreboard_line_vacate(struct scoreboard_line *line)
{
	scoreboard_set(&line->state, SCOREBOARD_EMPTY);
	clear_counts(line);
}

bool
scoreboard_line_is_serving(const struct scoreboard_line *line, uint64_t now_ms)
{
	uint64_t heartbeat_ms = scoreboard_get(&line->heartbeat_ms);

	return (scoreboard_get(&line->state) == SCOREBOARD_ACTIVE &&
		(heartbeat_ms >= now_ms ||
		    now_ms - heartbeat_ms <= SCOREBOARD_STALE_MS));
}
