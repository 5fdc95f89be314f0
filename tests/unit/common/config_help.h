/* config_help - settings from text and to text, for the tests of config. */
#ifndef CGTHREAD_CONFIG_HELP_H
#define CGTHREAD_CONFIG_HELP_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

/* Reads text as a file "t"; the errors, to be freed, are "" if there are none.
 */
static inline char *
read_text(struct config *cfg, const char *text, size_t len)
{
	char *errors = NULL;
	size_t size;
	FILE *err = open_memstream(&errors, &size);
	int fd = memfd_create("t", MFD_CLOEXEC);
	unsigned count, lines = 0;
	const char *p;

	cr_assert_not_null(err);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	count = config_read_fd(cfg, fd, "t", err);
	close(fd);
	fclose(err);
	for (p = errors; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	cr_assert_eq(count, lines, "%u errors: %s", count, errors);
	return (errors);
}

static inline struct config *
config_of(const char *text)
{
	struct config *cfg = config_new();
	char *errors = read_text(cfg, text, strlen(text));

	cr_assert_str_empty(errors);
	free(errors);
	return (cfg);
}

static inline char *
text_of(const struct config *cfg, bool with_env)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	config_print(cfg, with_env, out);
	fclose(out);
	return (text);
}

/* Are all settings of a those of b?  By the fields, not by the text. */
static inline void
expect_equal(const struct config *a, const struct config *b)
{
	const struct option_row *rows;
	char va[CONFIG_STRING_MAX + 1], vb[CONFIG_STRING_MAX + 1];
	const struct strings *list_a, *list_b;
	size_t count, i, j;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		list_a = (const void *)((const char *)a + rows[i].field);
		list_b = (const void *)((const char *)b + rows[i].field);
		if (rows[i].type == OPTION_LIST)
			cr_assert_eq(
			    list_a->count, list_b->count, "%s", rows[i].name);
		for (j = 0; j == 0 ||
			    (rows[i].type == OPTION_LIST && j < list_a->count);
		     j++) {
			config_format(a, &rows[i], j, va, sizeof(va));
			config_format(b, &rows[i], j, vb, sizeof(vb));
			cr_assert_str_eq(va, vb, "%s", rows[i].name);
		}
	}
}

/* Print, read, print again. */
static inline void
expect_round_trip(const struct config *cfg)
{
	char *text = text_of(cfg, true), *again, *errors;
	struct config *back = config_new();

	errors = read_text(back, text, strlen(text));
	cr_assert_str_empty(errors, "%s", errors);
	expect_equal(cfg, back);
	again = text_of(back, true);
	cr_assert_str_eq(text, again);
	free(errors);
	free(again);
	free(text);
	config_free(&back);
}

/* config_set(), or config_set_env() for name "env"; errors to be freed. */
static inline char *
set_text(struct config *cfg, const char *name, const char *value)
{
	char *got = NULL;
	size_t size;
	FILE *err = open_memstream(&got, &size);
	int result;

	cr_assert_not_null(err);
	if (strcmp(name, "env") == 0)
		result = config_set_env(cfg, value, err);
	else
		result = config_set(cfg, name, value, err);
	fclose(err);
	cr_expect_eq(result, *got == '\0' ? 0 : -1, "%s %s", name, value);
	return (got);
}

static inline void
set_ok(struct config *cfg, const char *name, const char *value)
{
	char *got = set_text(cfg, name, value);

	cr_expect_str_empty(got, "%s", got);
	free(got);
}

#endif
