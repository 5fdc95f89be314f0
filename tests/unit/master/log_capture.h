/* log_capture - what a test made the master write to its log. */
#ifndef CGTHREAD_LOG_CAPTURE_H
#define CGTHREAD_LOG_CAPTURE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

/* From here on the log goes to a file of its own; returns its descriptor. */
static inline int
log_capture(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd == -1)
		abort();
	log_init("test", fd);
	return (fd);
}

/* The first 64 KiB of it, so far; valid until the next call. */
static inline const char *
log_captured(int fd)
{
	static char text[65536];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n == -1)
		abort();
	text[n] = '\0';
	return (text);
}

/* How often it has been logged. */
static inline unsigned
log_captured_count(int fd, const char *what)
{
	const char *at = log_captured(fd);
	unsigned n = 0;

	while ((at = strstr(at, what)) != NULL) {
		n++;
		at += strlen(what);
	}
	return (n);
}

#endif
