/* matches.h - is a text as a regular expression (POSIX, extended) says? */
#ifndef CGTHREAD_TESTS_MATCHES_H
#define CGTHREAD_TESTS_MATCHES_H

#include <criterion/criterion.h>

#include <regex.h>
#include <stdbool.h>

static inline bool
matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool found;

	cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return (found);
}

#endif
