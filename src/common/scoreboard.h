/*
 * scoreboard - what each worker is doing, in memory that everybody can read.
 *
 * One shared mapping of a file that the master makes: a header that describes
 * itself, a table with name, kind and place of each counter, and one line for
 * each worker.  Reading costs the server nothing, and what a worker wrote
 * outlives it.
 *
 * Each line has one writer, the loop thread of the worker in that slot; the
 * master writes it only when that worker is dead.  All are relaxed atomics: a
 * reader may see one counter a moment older than another.  A file is written
 * once and never truncated; a new one is a new inode, so a mapping stays good.
 *
 * A reader trusts nothing in a file: what it maps is what fstat(2) says, and
 * every number in the header is checked against that.
 */
#ifndef CGTHREAD_SCOREBOARD_H
#define CGTHREAD_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCOREBOARD_VERSION   1
#define SCOREBOARD_LINES_MAX 1024

/* A worker that has not shown itself for so long counts as absent. */
#define SCOREBOARD_STALE_MS 2000

enum scoreboard_state {
	SCOREBOARD_EMPTY, /* no worker in this slot */
	SCOREBOARD_STARTING,
	SCOREBOARD_READY,
	SCOREBOARD_ACTIVE,
	SCOREBOARD_DRAINING,
	SCOREBOARD_NSTATES
};

/* What others ask for to balance stands in the first cache line. */
struct scoreboard_line {
	_Alignas(64) _Atomic uint64_t pid;
	_Atomic uint64_t state;
	_Atomic uint64_t heartbeat_ms; /* CLOCK_MONOTONIC */
	_Atomic uint64_t connections;  /* now */
	_Atomic uint64_t queued;       /* requests that wait, for some ms */
	_Atomic uint64_t running;      /* requests, now */
	/* Totals go on when a slot gets another worker. */
	_Atomic uint64_t handed_out; /* connections given to whoever has time */
	_Atomic uint64_t handed_in;  /* and taken from it */
	_Alignas(64) _Atomic uint64_t accepted;
	_Atomic uint64_t requests;
};

struct scoreboard;

/* Makes the file's content, for so many lines.  0, or -1 with errno. */
int scoreboard_write(int fd, unsigned nlines);

/*
 * Maps the file; the descriptor is not needed afterwards.  NULL with *why set
 * to a constant: not a scoreboard, another version, cut short, ENOMEM.
 */
struct scoreboard *scoreboard_open(int fd, bool writable, const char **why);
void scoreboard_close(struct scoreboard **);

unsigned scoreboard_nlines(const struct scoreboard *);
/* slot from 1 to nlines. */
struct scoreboard_line *scoreboard_line(
    const struct scoreboard *, unsigned slot);

/* A worker begins: its states and counts of now, not the totals. */
void scoreboard_line_take(struct scoreboard_line *, uint64_t pid);
/* It has died: by the master, or a test. */
void scoreboard_line_vacate(struct scoreboard_line *);

/* Is a worker there that takes connections? */
bool scoreboard_line_is_serving(
    const struct scoreboard_line *, uint64_t now_ms);

static inline uint64_t
scoreboard_get(const _Atomic uint64_t *field)
{
	return (atomic_load_explicit(field, memory_order_relaxed));
}

/* The writer only.  Looks first: readers keep the cache line as it is. */
static inline void
scoreboard_set(_Atomic uint64_t *field, uint64_t value)
{
	if (atomic_load_explicit(field, memory_order_relaxed) != value)
		atomic_store_explicit(field, value, memory_order_relaxed);
}

static inline void
scoreboard_add(_Atomic uint64_t *field, uint64_t n)
{
	scoreboard_set(field, scoreboard_get(field) + n);
}

#endif
