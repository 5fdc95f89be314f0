/*
 * strings - a growing list of strings, owned by the list.
 *
 * Start-up and control code only: out of memory is fatal.
 */
#ifndef CGTHREAD_STRINGS_H
#define CGTHREAD_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items; /* NULL-ended, so that it can serve as an argv */
	size_t count;
};

void strings_init(struct strings *);
void strings_fini(struct strings *);
void strings_add(struct strings *, const char *);               /* copies */
void strings_replace(struct strings *, size_t i, const char *); /* copies */
void strings_clear(struct strings *);

/* One string on its own: strdup(3), but out of memory is fatal. */
char *string_copy(const char *);

/* Are len bytes of both the same, but for the case of ASCII letters? */
bool string_same(const char *a, const char *b, size_t len);

/*
 * The next of several items with commas between them, without the blanks around
 * it; it may be empty.  *at is where to go on, the text at first; false at the
 * end.
 */
bool string_item(const char **at, const char **item, size_t *len);

#endif
