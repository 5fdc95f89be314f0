/*
 * ini_reader - an ini file read by inih, with the line numbers that it lacks
 * and without what it does silently.
 *
 * inih as distributions build it cuts a line at 200 bytes and a section's name
 * at 49 without a word, takes an indented line for the continuation of the last
 * value, forgets what follows a section's "]", takes what follows a broken
 * section for the section before, and does not say where it is.  So each line
 * is looked at here first: one that is too long, indented, holds a control
 * character, or is neither a section, nor "name = value", nor a comment is
 * refused, with its number, and inih never sees it.
 *
 * What passes is inih's grammar: ";" and "#" begin a comment line, " ;" a
 * comment behind a value, ":" stands for "=", white space around names and
 * values does not count.  A byte order mark and CRLF are taken.
 */
#ifndef CGTHREAD_INI_READER_H
#define CGTHREAD_INI_READER_H

#include <stdio.h>

/* Longest line that inih takes whole, without its newline. */
#define INI_READER_LINE_MAX 197

/* Longest name of a section that inih takes whole. */
#define INI_READER_SECTION_MAX 49

/*
 * One "name = value", or a section's line: name and value are NULL then.  After
 * a section's line that was refused the section is NULL until the next one. The
 * handler reports its own errors.
 */
typedef void ini_reader_fn(void *arg, unsigned line, const char *section,
    const char *name, const char *value);

/* A line that was refused, and why (a constant). */
typedef void ini_reader_error_fn(void *arg, unsigned line, const char *why);

/* Reads in to its end.  0, or -1 with errno on a read error. */
int ini_reader_run(FILE *in, ini_reader_fn *, ini_reader_error_fn *, void *arg);

#endif
