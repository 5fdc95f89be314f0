/* http_escape: what is an escape, and what only looks like one. */
#include <criterion/criterion.h>

#include <string.h>

#include "guarded.h"
#include "http_escape.h"
#include "macros.h"

/* clang-format off */
static const struct { const char *in, *want; size_t len; const char *why; } cases[] = {
	{ "",		"",		0,	"nothing" },
	{ "/a/b",	"/a/b",		4,	"no escape" },
	{ "%41%7a",	"Az",		2,	"either case" },
	{ "%c3%A9",	"\xc3\xa9",	2,	"beyond ASCII" },
	{ "a%00b",	"a\0b",		3,	"NUL is a byte" },
	{ "%2525",	"%25",		3,	"undone once" },
	{ "%",		"%",		1,	"cut short" },
	{ "%4",		"%4",		2,	"cut short" },
	{ "%g1%1g%-1",	"%g1%1g%-1",	9,	"no hexadecimal digits" },
	{ "%%41",	"%A",		2,	"one behind a percent sign" },
};
/* clang-format on */

Test(http_escape, undoes_what_is_an_escape)
{
	char got[32];
	size_t i, len;

	for (i = 0; i < nitems(cases); i++) {
		size_t in_len = strlen(cases[i].in);

		len = http_unescape(got, guarded(cases[i].in, in_len), in_len);
		cr_expect(
		    len == cases[i].len && memcmp(got, cases[i].want, len) == 0,
		    "%s: %s", cases[i].in, cases[i].why);
	}
}
