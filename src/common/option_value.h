/*
 * option_value - the value of one option: from text into its field.  The way
 * back is config_format().  A part of config; nothing else includes it.
 */
#ifndef CGTHREAD_OPTION_VALUE_H
#define CGTHREAD_OPTION_VALUE_H

#include <stdbool.h>

#include "config.h"

/* Room for the longest reason, and for the longest number as text. */
#define OPTION_WHY_SIZE    160
#define OPTION_NUMBER_SIZE 32

/* At its default; the field is all zero before. */
void option_value_init(struct config *, const struct option_row *);
void option_value_fini(struct config *, const struct option_row *);

/*
 * Sets the option from text.  For a list this adds an item, to what is there
 * or, if first, in its place; an empty text is no item.  0, or -1 with the
 * reason in why, OPTION_WHY_SIZE bytes, and nothing changed.
 */
int option_value_set(struct config *, const struct option_row *,
    const char *text, bool first, char *why);

/* What keeps a text from standing behind "name = " in an ini file, or NULL. */
const char *option_value_refused(const char *text);

/* The option's field. */
int64_t *option_number(const struct config *, const struct option_row *);
char **option_string(const struct config *, const struct option_row *);
struct strings *option_list(const struct config *, const struct option_row *);

/* A number of the option's type as text, into OPTION_NUMBER_SIZE bytes. */
void option_number_format(const struct option_row *, int64_t value, char *buf);

#endif
