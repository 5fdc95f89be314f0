/* num - see num.h. */
#include "num.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "macros.h"

struct unit {
	const char *name;
	int64_t factor;
};

/*
 * The formatters take the first that leaves no remainder, so what is only read
 * stands behind the unit 1: capitals, and a bare number for seconds, as the
 * servers people come from take it.
 */
static const struct unit sizes[] = {
    {"g", INT64_C(1) << 30},
    {"m", INT64_C(1) << 20},
    {"k", INT64_C(1) << 10},
    {"", 1},
    {"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20},
    {"K", INT64_C(1) << 10},
};
static const struct unit durations[] = {
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
    {"", 1000},
};

static const char not_number[] = "not a number";
static const char not_mode[] = "not an octal mode such as 0660";
static const char not_size[] = "not a size such as 512, 16k, 4m or 1g";
static const char not_duration[] =
    "not a duration such as 30s, 500ms, 2m or 1h";
static const char too_large[] = "too large a number";

/*
 * Reads the digits that text begins with.  Returns what follows them, or NULL
 * with *why set.
 */
static const char *
read_digits(const char *text, int base, int64_t *value, const char **why)
{
	int64_t sum = 0;

	if (*text < '0' || *text >= '0' + base)
		return (NULL);
	for (; *text >= '0' && *text < '0' + base; text++) {
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, *text - '0', &sum)) {
			*why = too_large;
			return (NULL);
		}
	}
	*value = sum;
	return (text);
}

int
num_parse(const char *text, int64_t *value, const char **why)
{
	bool negative = *text == '-';
	int64_t sum;

	*why = not_number;
	text = read_digits(text + (negative ? 1 : 0), 10, &sum, why);
	if (text == NULL || *text != '\0')
		return (-1);
	*value = negative ? -sum : sum;
	return (0);
}

int
num_parse_mode(const char *text, int64_t *value, const char **why)
{
	int64_t sum;

	*why = not_mode;
	text = read_digits(text, 8, &sum, why);
	if (text == NULL || *text != '\0')
		return (-1);
	*value = sum;
	return (0);
}

static int
parse_with_unit(const char *text, const struct unit *units, size_t nunits,
    int64_t *value, const char **why)
{
	const char *end;
	int64_t sum;
	size_t i;

	if ((end = read_digits(text, 10, &sum, why)) == NULL)
		return (-1);
	for (i = 0; i < nunits; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(sum, units[i].factor, &sum)) {
			*why = too_large;
			return (-1);
		}
		*value = sum;
		return (0);
	}
	return (-1);
}

int
num_parse_size(const char *text, int64_t *bytes, const char **why)
{
	*why = not_size;
	return (parse_with_unit(text, sizes, nitems(sizes), bytes, why));
}

int
num_parse_duration(const char *text, int64_t *ms, const char **why)
{
	*why = not_duration;
	return (parse_with_unit(text, durations, nitems(durations), ms, why));
}

/* In the largest unit that leaves no remainder; value is not negative. */
static void
format_with_unit(int64_t value, const struct unit *units, size_t nunits,
    char *buf, size_t size)
{
	size_t i = 0;

	while (i + 1 < nunits && value % units[i].factor != 0)
		i++;
	if (value == 0)
		snprintf(buf, size, "0");
	else
		snprintf(buf, size, "%" PRId64 "%s", value / units[i].factor,
		    units[i].name);
}

void
num_format_size(int64_t bytes, char *buf, size_t size)
{
	format_with_unit(bytes, sizes, nitems(sizes), buf, size);
}

void
num_format_duration(int64_t ms, char *buf, size_t size)
{
	format_with_unit(ms, durations, nitems(durations), buf, size);
}
