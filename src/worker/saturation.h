/*
 * saturation - all threads are busy and requests wait: since when, and what the
 * log is told of it.
 *
 * A moment of it is a burst and nobody's concern.  What lasts is told, then every
 * now and then for as long as it lasts, and when it is over; refused requests at
 * once, but in one line a second however many they are.
 *
 * The loop thread only.  Times are milliseconds of clock_ms().
 */
#ifndef CGTHREAD_SATURATION_H
#define CGTHREAD_SATURATION_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

struct saturation {
	uint64_t since_ms; /* 0: it is not saturated */
	uint64_t told_ms; /* when the log was last told; 0 = not of this time */
	uint64_t refused; /* requests, since since_ms */
	uint64_t
	    refused_ms; /* when the last line of refused ones was written */
};

/* Once in a turn of the loop, and once a second at least. */
void saturation_look(struct saturation *, const struct pool *, uint64_t now_ms);

/* A request was refused for why, the name of a limit. */
void saturation_refuse(
    struct saturation *, const struct pool *, const char *why, uint64_t now_ms);

/* For how long it has lasted; 0: it is not. */
uint64_t saturation_age_ms(const struct saturation *, uint64_t now_ms);

#endif
