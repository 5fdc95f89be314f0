/*
 * torn - a log that may end within a line, since a write to it failed.
 *
 * A disk that becomes full takes the first part of a line.  The next line would be
 * glued to it, and a whole one be lost for whoever reads the log.  So the first
 * write that has a chance again begins with a newline: half a line stands alone.
 *
 * Several processes append to one file: which of them has torn a line nobody can
 * tell, and it may be another that writes first.  So each whose write failed
 * remembers the size, and begins a line if it is the same still.  Of a pipe or a
 * socket a writer knows no more than what became of its own bytes.
 *
 * Any thread.  All zero is a log that is whole.
 */
#ifndef CGTHREAD_TORN_H
#define CGTHREAD_TORN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct torn {
	_Atomic int64_t at; /* size of the file; -1: it is none */
};

/* A write failed, and will not be tried again; within: it took a part of a line, or
 * one before did.  errno is kept. */
void torn_note(struct torn *, int fd, bool within);

/* True if a newline is to be written first; asks nothing of the kernel unless
 * something was noted, and is true once. */
bool torn_take(struct torn *, int fd);

#endif
