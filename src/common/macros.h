/* macros - the few that the language lacks. */
#ifndef CGTHREAD_MACROS_H
#define CGTHREAD_MACROS_H

#define nitems(array)     (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define UNUSED            __attribute__((unused))

#endif
