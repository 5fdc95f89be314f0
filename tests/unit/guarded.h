/*
 * guarded - input that ends exactly where readable memory ends.
 *
 * A parser that looks one byte past its input crashes here, in any build.  The
 * copies are given back by nobody: a test is a process of its own.
 */
#ifndef CGTHREAD_GUARDED_H
#define CGTHREAD_GUARDED_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A writable copy of in whose last byte lies before a PROT_NONE page. */
static inline char *
guarded_copy(const char *in, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;
	char *map;

	map = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE) == -1)
		abort();
	if (len > 0)
		memcpy(map + room - len, in, len);
	return (map + room - len);
}

static inline const char *
guarded(const char *in, size_t len)
{
	return (guarded_copy(in, len));
}

/* The same for text with its NUL. */
static inline const char *
guarded_text(const char *in)
{
	return (guarded_copy(in, strlen(in) + 1));
}

#endif
