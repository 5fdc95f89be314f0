/* num - numbers, sizes, durations, modes: strict both ways. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "macros.h"
#include "num.h"

typedef int parse_fn(const char *, int64_t *, const char **);

#define BAD INT64_MIN /* refused, and the value untouched */

struct parse_case {
	const char *why;
	const char *in;
	int64_t want;
};

/* clang-format off */
static const struct parse_case numbers[] = {
	{ "zero",			"0",			0 },
	{ "plain",			"42",			42 },
	{ "leading zeros are decimal",	"010",			10 },
	{ "negative",			"-1",			-1 },
	{ "largest",			"9223372036854775807",	INT64_MAX },
	{ "one more than the largest",	"9223372036854775808",	BAD },
	{ "far too large",		"99999999999999999999",	BAD },
	{ "nothing",			"",			BAD },
	{ "sign alone",			"-",			BAD },
	{ "plus sign",			"+1",			BAD },
	{ "two signs",			"--1",			BAD },
	{ "blank before",		" 1",			BAD },
	{ "blank behind",		"1 ",			BAD },
	{ "newline behind",		"1\n",			BAD },
	{ "junk behind",		"1x",			BAD },
	{ "unit",			"1k",			BAD },
	{ "hexadecimal",		"0x10",			BAD },
	{ "fraction",			"1.5",			BAD },
	{ "exponent",			"1e3",			BAD },
	{ "digit of another script",	"\xd9\xa1",		BAD },
};
static const struct parse_case sizes[] = {
	{ "zero",			"0",			0 },
	{ "bytes",			"512",			512 },
	{ "kibibytes",			"16k",			16384 },
	{ "mebibytes",			"4m",			4194304 },
	{ "gibibytes",			"1g",			1073741824 },
	{ "capital k",			"16K",			16384 },
	{ "capital m",			"4M",			4194304 },
	{ "capital g",			"1G",			1073741824 },
	{ "largest",		"8589934591g",		INT64_C(8589934591) << 30 },
	{ "unit overflows",		"8589934592g",		BAD },
	{ "digits overflow",		"9223372036854775808",	BAD },
	{ "nothing",			"",			BAD },
	{ "unit alone",			"k",			BAD },
	{ "negative",			"-1k",			BAD },
	{ "blank before the unit",	"1 k",			BAD },
	{ "two units",			"1kk",			BAD },
	{ "two letters",		"1kb",			BAD },
	{ "unknown unit",		"1t",			BAD },
	{ "unit of a duration",		"1s",			BAD },
	{ "fraction",			"1.5m",			BAD },
};
static const struct parse_case durations[] = {
	{ "zero",			"0",			0 },
	{ "zero with unit",		"0ms",			0 },
	{ "milliseconds",		"500ms",		500 },
	{ "seconds",			"30s",			30000 },
	{ "a bare number is seconds",	"30",			30000 },
	{ "minutes",			"2m",			120000 },
	{ "hours",			"1h",			3600000 },
	{ "hours overflow",		"9223372036854775807h",	BAD },
	{ "seconds overflow",		"9223372036854775807",	BAD },
	{ "digits overflow",		"9223372036854775808ms", BAD },
	{ "nothing",			"",			BAD },
	{ "unit alone",			"s",			BAD },
	{ "negative",			"-1s",			BAD },
	{ "negative without unit",	"-1",			BAD },
	{ "junk behind",		"5x",			BAD },
	{ "two units",			"1m30s",		BAD },
	{ "capital",			"1S",			BAD },
	{ "fraction",			"0.5s",			BAD },
	{ "days are too long",		"1d",			BAD },
};
static const struct parse_case modes[] = {
	{ "with leading zero",		"0660",			0660 },
	{ "without",			"660",			0660 },
	{ "zero",			"0",			0 },
	{ "larger than a mode, the table's to judge", "777777",	0777777 },
	{ "not octal",			"0680",			BAD },
	{ "python's prefix",		"0o660",		BAD },
	{ "symbolic",			"u=rw",			BAD },
	{ "negative",			"-660",			BAD },
	{ "nothing",			"",			BAD },
	{ "overflow",			"7777777777777777777777", BAD },
};
static const struct {
	const char *what;
	parse_fn *parse;
	const struct parse_case *cases;
	size_t count;
} kinds[] = {
	{ "number",	num_parse,		numbers,   nitems(numbers) },
	{ "size",	num_parse_size,		sizes,	   nitems(sizes) },
	{ "duration",	num_parse_duration,	durations, nitems(durations) },
	{ "mode",	num_parse_mode,		modes,	   nitems(modes) },
};
/* clang-format on */

static void
check_case(parse_fn *parse, const char *what, const struct parse_case *c)
{
	const char *why = NULL;
	int64_t value = BAD;
	int result = parse(guarded_text(c->in), &value, &why);

	cr_expect_eq(result, c->want == BAD ? -1 : 0, "%s: %s", what, c->why);
	cr_expect_eq(
	    value, c->want, "%s: %s: got %" PRId64, what, c->why, value);
	if (c->want == BAD)
		cr_expect(why != NULL && *why != '\0', "%s: %s: no reason",
		    what, c->why);
}

Test(num, takes_what_is_whole_and_refuses_the_rest)
{
	size_t i, j;

	for (i = 0; i < nitems(kinds); i++)
		for (j = 0; j < kinds[i].count; j++)
			check_case(
			    kinds[i].parse, kinds[i].what, &kinds[i].cases[j]);
}

Test(num, says_too_large_rather_than_not_a_number)
{
	const char *why = NULL;
	int64_t value;

	cr_expect_eq(num_parse("99999999999999999999", &value, &why), -1);
	cr_expect_str_eq(why, "too large a number");
	cr_expect_eq(num_parse_size("99999999999g", &value, &why), -1);
	cr_expect_str_eq(why, "too large a number");
}

Test(num, formats_the_largest_unit_without_remainder)
{
	/* clang-format off */
	static const struct {
		void (*format)(int64_t, char *, size_t);
		int64_t in;
		const char *want;
	} cases[] = {
		{ num_format_size,	0,		"0" },
		{ num_format_size,	4094,		"4094" },
		{ num_format_size,	1024,		"1k" },
		{ num_format_size,	1536,		"1536" },
		{ num_format_size,	1048576,	"1m" },
		{ num_format_size,	INT64_C(1) << 40, "1024g" },
		{ num_format_duration,	0,		"0" },
		{ num_format_duration,	1,		"1ms" },
		{ num_format_duration,	1500,		"1500ms" },
		{ num_format_duration,	75000,		"75s" },
		{ num_format_duration,	60000,		"1m" },
		{ num_format_duration,	86400000,	"24h" },
	};
	/* clang-format on */
	char buf[32];
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		cases[i].format(cases[i].in, buf, sizeof(buf));
		cr_expect_str_eq(
		    buf, cases[i].want, "%s: got %s", cases[i].want, buf);
	}
}

Test(num, reads_back_what_it_formats)
{
	const char *why;
	char buf[32];
	int64_t value, back;
	unsigned i, shift;

	for (shift = 0; shift < 62; shift++) {
		for (i = 0; i < 3; i++) {
			value = (INT64_C(1) << shift) - 1 + (int64_t)i;
			num_format_size(value, buf, sizeof(buf));
			cr_assert_eq(num_parse_size(buf, &back, &why), 0);
			cr_assert_eq(back, value, "%s", buf);
			num_format_duration(value, buf, sizeof(buf));
			cr_assert_eq(num_parse_duration(buf, &back, &why), 0);
			cr_assert_eq(back, value, "%s", buf);
		}
	}
}
