/* log_format: what is compiled, and what is refused where. */
#include <criterion/criterion.h>

#include <string.h>

#include "log_format.h"
#include "macros.h"

/* The operations of a program, a letter each. */
static const char *
shape(const struct log_format *format)
{
	static char text[CONFIG_STRING_MAX + 1];
	size_t i;

	for (i = 0; i < format->nops; i++)
		text[i] = (char)('A' + (int)format->ops[i].atom);
	text[format->nops] = '\0';
	return (text);
}

static void
expect_same(const char *one, const char *other)
{
	struct log_format format;
	char why[LOG_FORMAT_WHY_SIZE], first[CONFIG_STRING_MAX + 1];

	cr_assert_eq(log_format_compile(&format, one, why), 0, "%s", why);
	strcpy(first, shape(&format));
	cr_assert_eq(log_format_compile(&format, other, why), 0, "%s", why);
	cr_expect_str_eq(shape(&format), first, "%s and %s", one, other);
}

Test(log_format, spellings_of_others_mean_the_same)
{
	expect_same("common", "%h %l %u %t \"%r\" %s %b");
	expect_same("combined", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s "
				"\"%(f)s\" \"%(a)s\"");
	expect_same("%>s", "%s");
	expect_same("%({x}i)s", "%{X}i");
	expect_same("%{REMOTE_ADDR}e", "%h");
	expect_same("%{HTTP_X_ID}e", "%{x-id}i");
}

Test(log_format, name_of_a_field_is_in_lower_case)
{
	static const char *const texts[] = {
	    "%{X-Forwarded-For}i", "%{HTTP_X_FORWARDED_FOR}e"};
	struct log_format format;
	char why[LOG_FORMAT_WHY_SIZE];
	size_t i;

	for (i = 0; i < nitems(texts); i++) {
		cr_assert_eq(log_format_compile(&format, texts[i], why), 0);
		cr_assert_eq(format.nops, 1);
		cr_expect_eq(format.ops[0].atom, LOG_REQUEST_FIELD);
		cr_expect_str_eq(format.ops[0].text, "x-forwarded-for");
	}
}

Test(log_format, text_stands_between_the_atoms)
{
	struct log_format format;
	char why[LOG_FORMAT_WHY_SIZE];

	cr_assert_eq(log_format_compile(&format, "a %m%%b", why), 0);
	cr_assert_eq(format.nops, 4);
	cr_expect_eq(format.ops[0].len, 2);
	cr_expect_eq(memcmp(format.ops[0].text, "a ", 2), 0);
	cr_expect_eq(format.ops[1].atom, LOG_METHOD);
	cr_expect_eq(format.ops[2].len, 1);
	cr_expect_eq(*format.ops[2].text, '%');
	cr_expect_eq(*format.ops[3].text, 'b');
}

Test(log_format, only_what_tells_times_takes_them)
{
	static const char *const timed[] = {
	    "%T", "%M", "%D", "%L", "%{queue}g", "json"};
	struct log_format format;
	char why[LOG_FORMAT_WHY_SIZE];
	size_t i;

	for (i = 0; i < nitems(timed); i++) {
		cr_assert_eq(log_format_compile(&format, timed[i], why), 0);
		cr_expect(format.is_timed, "%s", timed[i]);
	}
	cr_assert_eq(log_format_compile(&format, "combined", why), 0);
	cr_expect_not(format.is_timed);
}

Test(log_format, longest_text_has_room_for_all_its_atoms)
{
	char text[CONFIG_STRING_MAX + 2], why[LOG_FORMAT_WHY_SIZE];
	struct log_format format;
	size_t i;

	for (i = 0; i < CONFIG_STRING_MAX; i++)
		text[i] = i % 2 == 0 ? '%' : 's';
	text[i] = '\0';
	cr_expect_eq(log_format_compile(&format, text, why), 0);
	cr_expect_eq(format.nops, CONFIG_STRING_MAX / 2);
	text[i++] = 'x';
	text[i] = '\0';
	cr_expect_eq(log_format_compile(&format, text, why), -1);
}

/* clang-format off */
static const struct {
	const char *text, *why;
} refused[] = {
	{ "combind", "none of common combined json" },
	{ "", "none of common combined json" },
	{ "%", "at character 1: % at the end" },
	{ "abc %", "at character 5: % at the end" },
	{ "%h %y", "at character 5: there is no %y" },
	{ "%{x", "at character 2: { without }" },
	{ "%{x}", "at character 5: one of i, o, e and g" },
	{ "%{x}z", "at character 5: one of i, o, e and g" },
	{ "%{}i", "at character 3: \"\" is no name" },
	{ "%{a b}i", "at character 3: \"a b\" is no name" },
	{ "%{a:}o", "at character 3: \"a:\" is no name" },
	{ "%{queu}g", "at character 3: %{queu}g is none of queue worker" },
	{ "%{REMOTE_USER}e", "at character 3: the loop does not know" },
	{ "%{HTTP_}e", "at character 3: the loop does not know" },
	{ "%(h)d", "at character 4: \")s\" is wanted" },
	{ "%(h", "at character 4: \")s\" is wanted" },
	{ "%(h)", "at character 4: \")s\" is wanted" },
	{ "%(", "at character 2: % at the end" },
	{ "%>", "at character 2: % at the end" },
};
/* clang-format on */

Test(log_format, error_names_the_place)
{
	struct log_format format;
	char why[LOG_FORMAT_WHY_SIZE];
	size_t i;

	for (i = 0; i < nitems(refused); i++) {
		cr_expect_eq(log_format_compile(&format, refused[i].text, why),
		    -1, "%s", refused[i].text);
		cr_expect_not_null(strstr(why, refused[i].why), "%s: %s",
		    refused[i].text, why);
	}
}
