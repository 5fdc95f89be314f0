/* macros - the few that the language lacks. */
#ifndef CGTHREAD_MACROS_H
#define CGTHREAD_MACROS_H

#include <stddef.h>

#define nitems(array)     (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define UNUSED __attribute__((unused))

#endif
