/*
 * memory - what a peak has left in the C library's hands goes back to the system.
 *
 * free() keeps most of what it gets for the next malloc(): after two hundred
 * replies of 1 MiB at once that were 150 MiB, for good.  Once a second the loop
 * looks whether the process has grown, or many of the connections are gone that it
 * had; if so and nothing runs, a thread of its own gives back what is free.  That
 * can take tens of milliseconds, so the loop does not do it.
 *
 * The loop's.
 */
#ifndef CGTHREAD_MEMORY_H
#define CGTHREAD_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory {
	int statm_fd;         /* -1: it cannot be told */
	size_t connections;   /* the most since the last trim */
	atomic_bool trimming; /* a thread is at it, and these are its own: */
	size_t floor;     /* resident bytes, the least since the last trim */
	uint64_t next_ms; /* not again before */
};

/* Says so in the log if it cannot look; nothing is ever trimmed then. */
void memory_open(struct memory *);
/* A trim that is on its way still needs the memory of *m: waits for it. */
void memory_close(struct memory *);

/* Once a second; is_idle: no thread runs a request. */
void memory_tick(struct memory *, bool is_idle, size_t connections);

/* With so many resident bytes and open connections: is it worth a trim? */
bool memory_has_fallen(struct memory *, size_t resident, size_t connections);

#endif
