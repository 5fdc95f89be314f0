/* option_value - see option_value.h. */
#include "option_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "num.h"

/* The one place where a row's offset becomes a pointer, whatever its type. */
static void *
field_of(const struct config *cfg, const struct option_row *row)
{
	return ((char *)(uintptr_t)cfg + row->field);
}

int64_t *
option_number(const struct config *cfg, const struct option_row *row)
{
	return (field_of(cfg, row));
}

char **
option_string(const struct config *cfg, const struct option_row *row)
{
	ASSERT(row->type == OPTION_STRING);
	return (field_of(cfg, row));
}

struct strings *
option_list(const struct config *cfg, const struct option_row *row)
{
	ASSERT(row->type == OPTION_LIST);
	return (field_of(cfg, row));
}

void
option_value_init(struct config *cfg, const struct option_row *row)
{
	char why[OPTION_WHY_SIZE];
	int error;

	if (row->type == OPTION_LIST)
		strings_init(option_list(cfg, row));
	error = option_value_set(cfg, row, row->initial, false, why);
	ASSERT(error == 0);
}

void
option_value_fini(struct config *cfg, const struct option_row *row)
{
	if (row->type == OPTION_LIST)
		strings_fini(option_list(cfg, row));
	else if (row->type == OPTION_STRING)
		free(*option_string(cfg, row));
}

void
option_number_format(const struct option_row *row, int64_t value, char *buf)
{
	switch (row->type) {
	case OPTION_SIZE:
		num_format_size(value, buf, OPTION_NUMBER_SIZE);
		break;
	case OPTION_DURATION:
		num_format_duration(value, buf, OPTION_NUMBER_SIZE);
		break;
	case OPTION_MODE:
		snprintf(buf, OPTION_NUMBER_SIZE, "%04" PRIo64, value);
		break;
	default:
		snprintf(buf, OPTION_NUMBER_SIZE, "%" PRId64, value);
		break;
	}
}

static int
number_parse(const struct option_row *row, const char *text, int64_t *value,
    const char **why)
{
	switch (row->type) {
	case OPTION_SIZE:
		return (num_parse_size(text, value, why));
	case OPTION_DURATION:
		return (num_parse_duration(text, value, why));
	case OPTION_MODE:
		return (num_parse_mode(text, value, why));
	default:
		return (num_parse(text, value, why));
	}
}

static int
set_number(struct config *cfg, const struct option_row *row, const char *text,
    char *why)
{
	char min[OPTION_NUMBER_SIZE], max[OPTION_NUMBER_SIZE];
	const char *reason;
	int64_t value;

	if (number_parse(row, text, &value, &reason) == -1) {
		snprintf(why, OPTION_WHY_SIZE, "%s", reason);
		return (-1);
	}
	if (value < row->min || value > row->max) {
		option_number_format(row, row->min, min);
		option_number_format(row, row->max, max);
		snprintf(
		    why, OPTION_WHY_SIZE, "out of range: %s to %s", min, max);
		return (-1);
	}
	*option_number(cfg, row) = value;
	return (0);
}

static int
set_choice(struct config *cfg, const struct option_row *row, const char *text,
    char *why)
{
	size_t i, at;

	for (i = 0; row->choices[i] != NULL; i++) {
		if (strcmp(row->choices[i], text) == 0) {
			*option_number(cfg, row) = (int64_t)i;
			return (0);
		}
	}
	at = (size_t)snprintf(why, OPTION_WHY_SIZE, "not one of");
	for (i = 0; row->choices[i] != NULL && at < OPTION_WHY_SIZE; i++)
		at += (size_t)snprintf(
		    why + at, OPTION_WHY_SIZE - at, " %s", row->choices[i]);
	return (-1);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

/* inih strips blanks, and takes " ;" for a comment. */
const char *
option_value_refused(const char *text)
{
	size_t i, len = strlen(text);

	for (i = 0; i < len; i++) {
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') ||
		    text[i] == 0x7f)
			return ("control character");
		if (is_blank(text[i]) && (i == 0 || i == len - 1))
			return ("blank at its start or end");
		if (is_blank(text[i]) && text[i + 1] == ';')
			return ("\" ;\" begins a comment in an ini file");
	}
	return (NULL);
}

/* NULL, or what is wrong with the string: a constant, or why. */
static const char *
string_check(const struct option_row *row, const char *text, char *why)
{
	size_t len = strlen(text);
	const char *reason;

	if (len < (size_t)row->min)
		return ("may not be empty");
	if (len > (size_t)row->max) {
		snprintf(why, OPTION_WHY_SIZE, "longer than %" PRId64 " bytes",
		    row->max);
		return (why);
	}
	if ((reason = option_value_refused(text)) != NULL)
		return (reason);
	if (strchr(text, '\t') != NULL)
		return ("control character");
	return (row->check != NULL ? row->check(text) : NULL);
}

static void
set_item(struct strings *list, const char *text, bool first)
{
	if (first)
		strings_clear(list);
	if (*text != '\0')
		strings_add(list, text);
}

static int
set_string(struct config *cfg, const struct option_row *row, const char *text,
    bool first, char *why)
{
	bool is_list = row->type == OPTION_LIST;
	const char *reason = NULL;

	if (!is_list || *text != '\0')
		reason = string_check(row, text, why);
	if (reason != NULL) {
		if (reason != why)
			snprintf(why, OPTION_WHY_SIZE, "%s", reason);
		return (-1);
	}
	if (is_list) {
		set_item(option_list(cfg, row), text, first);
	} else {
		free(*option_string(cfg, row));
		*option_string(cfg, row) = string_copy(text);
	}
	return (0);
}

int
option_value_set(struct config *cfg, const struct option_row *row,
    const char *text, bool first, char *why)
{
	switch (row->type) {
	case OPTION_STRING:
	case OPTION_LIST:
		return (set_string(cfg, row, text, first, why));
	case OPTION_CHOICE:
		return (set_choice(cfg, row, text, why));
	default:
		return (set_number(cfg, row, text, why));
	}
}
