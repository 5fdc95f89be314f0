/*
 * command_line - what the server was called with.
 *
 * Every option of the configuration's table is a long option, spelled with "-"
 * or "_"; the few that only make sense here stand in a table of command_line.c.
 * Names are not to be abbreviated.
 */
#ifndef CGTHREAD_COMMAND_LINE_H
#define CGTHREAD_COMMAND_LINE_H

#include <stdbool.h>
#include <stdio.h>

#include "config.h"
#include "strings.h"

struct command_line {
	char *file; /* -c; NULL: none */
	bool check;
	bool print_config;
	struct strings names;  /* settings, in the order of the line ... */
	struct strings values; /* ... and their values */
	struct strings env;
};

enum command_line_result {
	COMMAND_LINE_GO,   /* there is something to do */
	COMMAND_LINE_DONE, /* --help, --version: written to out */
	COMMAND_LINE_BAD   /* all errors, also of the file, are in err */
};

/* Whatever it returns, _fini follows. */
enum command_line_result command_line_parse(
    struct command_line *, int argc, char *argv[], FILE *out, FILE *err);
void command_line_fini(struct command_line *);

/*
 * The settings: the command line's over the file's over the defaults.  NULL if
 * there are errors; all of them are in err, each with its place.
 */
struct config *command_line_config(const struct command_line *, FILE *err);

#endif
