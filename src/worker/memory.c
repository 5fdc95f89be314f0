/* memory - see memory.h. */
#include "memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "log.h"

/* Growth that is left alone: a part of what there was, and so many bytes. */
#define GROWTH_PART  32
#define GROWTH_BYTES ((size_t)256 << 10)

/* Of the time it takes at most one part in so many. */
#define TRIM_SHARE 100

void
memory_open(struct memory *m)
{
	*m = (struct memory){.floor = SIZE_MAX};
	m->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (m->statm_fd == -1)
		log_warn("/proc/self/statm");
}

void
memory_close(struct memory *m)
{
	while (atomic_load(&m->trimming))
		sched_yield();
	fd_close(&m->statm_fd);
}

/* Bytes, or 0. */
static size_t
resident(const struct memory *m)
{
	char text[128];
	size_t pages;
	ssize_t n;

	n = pread(m->statm_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return (0);
	text[n] = '\0';
	/* The first number is the size of all mappings. */
	if (sscanf(text, "%*u %zu", &pages) != 1)
		return (0);
	return (pages * (size_t)sysconf(_SC_PAGESIZE));
}

static void *
trim_main(void *arg)
{
	struct memory *m = arg;
	uint64_t begin = clock_ms(), end;

	malloc_trim(0);
	end = clock_ms();
	m->next_ms = end + (end - begin) * TRIM_SHARE;
	m->floor = resident(m);
	atomic_store(&m->trimming, false);
	return (NULL);
}

static void
trim(struct memory *m)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;

	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&m->trimming, true);
	/* Without a thread it is tried again when there is still more. */
	if (pthread_create(&thread, &attr, trim_main, m) != 0)
		atomic_store(&m->trimming, false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

bool
memory_has_fallen(struct memory *m, size_t bytes, size_t connections)
{
	if (bytes < m->floor)
		m->floor = bytes;
	if (connections > m->connections)
		m->connections = connections;
	/* What a trim has found in use has become free, and nobody can see it. */
	if (connections < m->connections / 2)
		return (true);
	return (bytes > m->floor + m->floor / GROWTH_PART + GROWTH_BYTES);
}

void
memory_tick(struct memory *m, bool is_idle, size_t connections)
{
	size_t bytes;

	if (m->statm_fd == -1 || atomic_load(&m->trimming))
		return;
	bytes = resident(m);
	if (bytes == 0 || !memory_has_fallen(m, bytes, connections) ||
	    !is_idle || clock_ms() < m->next_ms)
		return;
	m->connections = connections;
	trim(m);
}
