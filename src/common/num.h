/*
 * num - numbers in settings: strict, no locale, no trailing junk.
 *
 * Every parser returns 0, or -1 with *why set to a constant that says what is
 * wrong; *value is untouched then.  Formatters write the shortest text that
 * parses back to the same value.
 */
#ifndef CGTHREAD_NUM_H
#define CGTHREAD_NUM_H

#include <stddef.h>
#include <stdint.h>

int num_parse(const char *text, int64_t *value, const char **why);
int num_parse_mode(const char *text, int64_t *value, const char **why);
int num_parse_size(const char *text, int64_t *bytes, const char **why);
int num_parse_duration(const char *text, int64_t *ms, const char **why);

void num_format_size(int64_t bytes, char *buf, size_t size);
void num_format_duration(int64_t ms, char *buf, size_t size);

#endif
