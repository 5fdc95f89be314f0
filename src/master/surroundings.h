/*
 * surroundings - what the master finds when it is started, put in order: the
 * standard descriptors, limits, the title, the environment.
 */
#ifndef CGTHREAD_SURROUNDINGS_H
#define CGTHREAD_SURROUNDINGS_H

#include <stdint.h>

/*
 * First thing in main().  A descriptor 0, 1 or 2 that is closed becomes
 * /dev/null: else a log or a socket of ours would get its number, and be
 * written to by whoever believes in standard error.
 */
void surroundings_init(int argc, char *argv[]);

/* "cgthread: master [name]"; without the brackets if name is "". */
void surroundings_set_title(const char *name);

/*
 * Raises the soft limit on descriptors, which the workers inherit, to what each
 * of them needs for so many connections; warns where the hard limit is lower.
 */
void surroundings_raise_fd_limit(int64_t max_connections);

#endif
