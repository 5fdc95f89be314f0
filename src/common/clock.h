/* clock - monotonic time; every deadline is kept in it, never in wall time. */
#ifndef CGTHREAD_CLOCK_H
#define CGTHREAD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC.  Any thread; a vDSO call, about 20 ns. */
static inline uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
}

static inline uint64_t
clock_ms(void)
{
	return (clock_ns() / 1000000u);
}

#endif
