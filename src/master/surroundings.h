/*
 * surroundings - what the master finds when it is started, put in order: signal
 * mask, descriptors and limits.
 */
#ifndef CGTHREAD_SURROUNDINGS_H
#define CGTHREAD_SURROUNDINGS_H

#include <stdint.h>

#include "config.h"

/*
 * First thing in main().  No signal is blocked any more: with TERM or CHLD
 * blocked we would be deaf.  A descriptor 0, 1 or 2 that is closed becomes
 * /dev/null: else a log or a socket of ours would get its number, and be
 * written to by whoever believes in standard error.  Any other that is open
 * becomes close-on-exec: the workers get what they are given and no more.
 */
void surroundings_init(void);

/*
 * Raises the soft limit on descriptors, which the workers inherit, to what each
 * of them needs for so many connections; warns where the hard limit is lower.
 */
void surroundings_raise_fd_limit(int64_t max_connections);

/*
 * Are the names good that the settings have for what is outside: the owner of
 * unix sockets and the directory of spooled bodies?  0, or -1 with each that is
 * not logged.
 */
int surroundings_check(const struct config *);

#endif
