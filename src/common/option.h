/*
 * option - a row of the table that describes every setting: see config.h.
 */
#ifndef CGTHREAD_OPTION_H
#define CGTHREAD_OPTION_H

#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_NUMBER,
	OPTION_SIZE,     /* bytes: 512, 16k, 4m, 1g */
	OPTION_DURATION, /* kept in milliseconds: 30s or 30, 500ms, 2m, 1h */
	OPTION_MODE,     /* octal */
	OPTION_STRING,
	OPTION_LIST,  /* may stand several times, one item each */
	OPTION_CHOICE /* kept as the index in choices */
};

/* What is wrong with a text, beyond its type and range; NULL = nothing. */
typedef const char *option_check_fn(const char *text);

struct option_row {
	const char *section;
	const char *name;
	enum option_type type;
	size_t field;        /* offset in struct config */
	int64_t min, max;    /* of the value; for strings of the length */
	const char *initial; /* default, parsed like any value */
	const char *const *choices; /* OPTION_CHOICE: NULL-ended */
	const char *value;      /* what the value is, for --help: "SECONDS" */
	const char *help;       /* one line, no full stop */
	option_check_fn *check; /* strings and lists; may be NULL */
};

/* The table; *count rows in the order of the sample file. */
const struct option_row *config_options(size_t *count);
const struct option_row *config_option_find(const char *name);

#endif
