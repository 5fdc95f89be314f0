/* http_char: the character classes and lists of RFC 9110. */
#include <criterion/criterion.h>

#include <string.h>

#include "guarded.h"
#include "http_char.h"
#include "macros.h"

TestSuite(http_char, .timeout = 20);

/* Bytes of the class, by the grammar spelled out. */
static void
expect_class(enum http_char_class of, const char *members, bool obs_text)
{
	int c;
	bool want;

	for (c = 0; c < 256; c++) {
		want =
		    c < 0x80 ? c != 0 && strchr(members, c) != NULL : obs_text;
		cr_expect_eq(http_char_is((char)c, of), want, "byte 0x%02x", c);
	}
}

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Test(http_char, token_is_what_rfc9110_5_6_2_says)
{
	expect_class(HTTP_CHAR_TOKEN, "!#$%&'*+-.^_`|~" DIGITS LETTERS, false);
}

Test(http_char, value_is_visible_text_space_tab_and_obs_text)
{
	expect_class(HTTP_CHAR_VALUE,
	    "\t !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" DIGITS LETTERS, true);
}

Test(http_char, host_has_no_userinfo_path_or_space)
{
	expect_class(
	    HTTP_CHAR_HOST, "!$%&'()*+,-.:;=[]_~" DIGITS LETTERS, false);
}

Test(http_char, chars_are_looks_at_every_byte_and_no_further)
{
	cr_expect(http_chars_are(guarded("", 0), 0, HTTP_CHAR_TOKEN));
	cr_expect(http_chars_are(guarded("Accept", 6), 6, HTTP_CHAR_TOKEN));
	cr_expect_not(http_chars_are(guarded("Accep ", 6), 6, HTTP_CHAR_TOKEN));
	cr_expect_not(
	    http_chars_are(guarded("\0ccept", 6), 6, HTTP_CHAR_TOKEN));
}

/* clang-format off */
static const struct { const char *why, *text, *word; bool want; } equals[] = {
	{ "same",		"close",	"close",	true },
	{ "case of the text",	"ClOsE",	"close",	true },
	{ "shorter",		"clos",		"close",	false },
	{ "longer",		"closed",	"close",	false },
	{ "other",		"cloze",	"close",	false },
	{ "not a letter",	"a[b",		"a{b",		false },
	{ "both empty",		"",		"",		true },
};
/* clang-format on */

Test(http_char, equality_ignores_the_case_of_ascii_letters_only)
{
	size_t i, len;

	for (i = 0; i < nitems(equals); i++) {
		len = strlen(equals[i].text);
		cr_expect_eq(http_chars_equal(guarded(equals[i].text, len), len,
				 equals[i].word),
		    equals[i].want, "%s", equals[i].why);
	}
}

/* clang-format off */
static const struct { const char *why, *text, *joined; } lists[] = {
	{ "one",			"close",		"close|" },
	{ "two",			"foo, close",		"foo|close|" },
	{ "white space around",		" \tfoo\t ,\t close ",	"foo|close|" },
	{ "empty elements stay",	"a,,b",			"a||b|" },
	{ "a comma at the end",		"a,",			"a||" },
	{ "nothing",			"",			"|" },
	{ "white space inside",		"a b",			"a b|" },
};
/* clang-format on */

Test(http_char, list_gives_each_element_without_white_space)
{
	const char *element, *text;
	char joined[64];
	size_t i, at, len, n;

	for (i = 0; i < nitems(lists); i++) {
		len = strlen(lists[i].text);
		text = guarded(lists[i].text, len);
		joined[0] = '\0';
		at = 0;
		while (http_list_next(text, len, &at, &element, &n)) {
			strncat(joined, element, n);
			strcat(joined, "|");
		}
		cr_expect_str_eq(joined, lists[i].joined, "%s", lists[i].why);
	}
}
