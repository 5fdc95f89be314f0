/*
 * suggest - what to tell who asks for an option or a section that is not there.
 * A part of config, and of the command line.
 */
#ifndef CGTHREAD_SUGGEST_H
#define CGTHREAD_SUGGEST_H

#include <stdbool.h>
#include <stdio.h>

/* Is there a section of that name? */
bool suggest_is_section(const char *name);

/* Writes the end of a line: "no such section; did you mean [http]?". */
void suggest_section(const char *name, FILE *err);

/*
 * The same for an option that section does not have; section NULL: of the
 * command line, where options need no section.
 */
void suggest_option(const char *section, const char *name, FILE *err);

#endif
