/* ini_reader - line numbers, and nothing lost without a word. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ini_reader.h"
#include "macros.h"

static void
on_line(void *arg, unsigned line, const char *section, const char *name,
    const char *value)
{
	FILE *out = arg;

	if (name == NULL)
		fprintf(out, "%u[%s];", line, section);
	else
		fprintf(out, "%u %s.%s=%s;", line,
		    section != NULL ? section : "?", name, value);
}

static void
on_refused(void *arg, unsigned line, const char *why)
{
	cr_expect(*why != '\0');
	fprintf(arg, "%u!;", line);
}

/* What was seen, as one string that the caller frees. */
static char *
run(const char *in, size_t len)
{
	char *seen = NULL;
	size_t size;
	FILE *file = fmemopen((void *)(uintptr_t)in, len, "r");
	FILE *out = open_memstream(&seen, &size);

	cr_assert_not_null(file);
	cr_assert_not_null(out);
	cr_expect_eq(ini_reader_run(file, on_line, on_refused, out), 0);
	fclose(file);
	fclose(out);
	return (seen);
}

#define TEXT(s) s, sizeof(s) - 1

/* clang-format off */
static const struct {
	const char *why;
	const char *in;
	size_t len;
	const char *want; /* N[section]; N section.name=value; N!; refused */
} cases[] = {
	{ "plain", TEXT("[a]\nx = 1\n"), "1[a];2 a.x=1;" },
	{ "no newline at the end", TEXT("[a]\nx=1"), "1[a];2 a.x=1;" },
	{ "blank lines and comments count",
	  TEXT("\n# c\n; c\n  \n\t# c\n[a]\n\nx=1\n"), "6[a];8 a.x=1;" },
	{ "colon as separator", TEXT("[a]\nx: 1\n"), "1[a];2 a.x=1;" },
	{ "the first separator counts", TEXT("[a]\nx = 1:2=3\n"),
	  "1[a];2 a.x=1:2=3;" },
	{ "white space does not count", TEXT("[a]\nx \t= \t 1 \t\n"),
	  "1[a];2 a.x=1;" },
	{ "empty value", TEXT("[a]\nx =\n"), "1[a];2 a.x=;" },
	{ "comment behind a value", TEXT("[a]\nx = 1 ; c\n"), "1[a];2 a.x=1;" },
	{ "comment behind a tab", TEXT("[a]\nx = 1\t; c\n"), "1[a];2 a.x=1;" },
	{ "no comment without a blank", TEXT("[a]\nx = 1;c\n"),
	  "1[a];2 a.x=1;c;" },
	{ "hash in a value", TEXT("[a]\nx = 1 # c\n"), "1[a];2 a.x=1 # c;" },
	{ "case is kept", TEXT("[A]\nXy = Z\n"), "1[A];2 A.Xy=Z;" },
	{ "comment behind a section", TEXT("[a] ; c\nx=1\n"), "1[a];2 a.x=1;" },
	{ "no section yet", TEXT("x=1\n"), "1 .x=1;" },
	{ "section again", TEXT("[a]\nx=1\n[b]\n[a]\ny=1\n"),
	  "1[a];2 a.x=1;3[b];4[a];5 a.y=1;" },
	{ "CRLF", TEXT("[a]\r\n\r\nx=1\r\n"), "1[a];3 a.x=1;" },
	{ "CR at the end of the file", TEXT("[a]\r\nx=1\r"), "1[a];2 a.x=1;" },
	{ "byte order mark", TEXT("\xef\xbb\xbf[a]\nx=1\n"), "1[a];2 a.x=1;" },
	{ "mark before a comment", TEXT("\xef\xbb\xbf# c\n[a]\n"), "2[a];" },
	{ "mark within the file, as cat(1) leaves it",
	  TEXT("# c\n\xef\xbb\xbf[a]\n[a]\n\xef\xbb\xbfx=1\n"),
	  "2!;3[a];4!;" },
	{ "two marks", TEXT("\xef\xbb\xbf\xef\xbb\xbfx=1\n"), "1!;" },
	{ "UTF-8 in a value", TEXT("[a]\nx=\xc3\xa4\n"), "1[a];2 a.x=\xc3\xa4;" },
	{ "nothing", TEXT("\n"), "" },

	{ "name alone", TEXT("[a]\nx\ny=1\n"), "1[a];2!;3 a.y=1;" },
	{ "value alone", TEXT("[a]\n= 1\n"), "1[a];2!;" },
	{ "comment instead of a value", TEXT("[a]\nx ; = 1\n"), "1[a];2!;" },
	{ "indented: inih takes it for more of x",
	  TEXT("[a]\nx=1\n  y=2\n"), "1[a];2 a.x=1;3!;" },
	{ "indented by a tab", TEXT("[a]\nx=1\n\ty=2\n"), "1[a];2 a.x=1;3!;" },
	{ "indented section", TEXT("[a]\n [b]\nx=1\n"), "1[a];2!;3 ?.x=1;" },
	{ "open section: inih goes on in the one before",
	  TEXT("[a]\n[b\nx=1\n[c]\nx=1\n"), "1[a];2!;3 ?.x=1;4[c];5 c.x=1;" },
	{ "open section with a comment", TEXT("[b ; ]\nx=1\n"), "1!;2 ?.x=1;" },
	{ "empty section", TEXT("[]\nx=1\n"), "1!;2 ?.x=1;" },
	{ "text behind a section: inih forgets it",
	  TEXT("[a] x=1\ny=1\n"), "1!;2 ?.y=1;" },
	{ "hash behind a section", TEXT("[a] # c\n"), "1!;" },
	{ "semicolon right behind a section", TEXT("[a];c\n"), "1!;" },
	{ "NUL", TEXT("[a]\nx=1\0junk\ny=1\n"), "1[a];2!;3 a.y=1;" },
	{ "NUL in a comment", TEXT("# \0\n[a]\n"), "1!;2[a];" },
	{ "escape", TEXT("[a]\nx=\033[2J\n"), "1[a];2!;" },
	{ "vertical tab, white space to inih", TEXT("[a]\nx=\v1\n"), "1[a];2!;" },
	{ "CR alone ends no line", TEXT("# c\rx=1\r\n[a]\n"), "1!;2[a];" },
	{ "two CR", TEXT("[a]\r\r\n"), "1!;" },
	{ "delete", TEXT("[a]\nx=\x7f\n"), "1[a];2!;" },
	{ "UTF-16", TEXT("[\0a\0]\0\n\0"), "1!;2!;" },
};
/* clang-format on */

Test(ini_reader, takes_what_is_whole_and_numbers_what_is_not)
{
	char *seen;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		seen = run(cases[i].in, cases[i].len);
		cr_expect_str_eq(
		    seen, cases[i].want, "%s: got %s", cases[i].why, seen);
		free(seen);
	}
}

/* head, then as many v as make the line len bytes, then tail and a second line.
 */
static char *
run_long(const char *head, size_t len, const char *tail)
{
	char buf[4096];
	size_t at = strlen(head), mark = strspn(head, "\xef\xbb\xbf");

	memcpy(buf, head, at);
	memset(buf + at, 'v', len + mark - at);
	at = len + mark;
	at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s\nz=1\n", tail);
	return (run(buf, at));
}

Test(ini_reader, takes_the_longest_line_whole_and_refuses_one_byte_more)
{
	/* clang-format off */
	static const struct { const char *why, *head, *tail; } ends[] = {
		{ "plain", "x=", "" },
		{ "CRLF does not count", "x=", "\r" },
		{ "the byte order mark does not count", "\xef\xbb\xbfx=", "" },
		{ "both", "\xef\xbb\xbfx=", "\r" },
	};
	/* clang-format on */
	char want[512], *seen;
	size_t i;

	memset(want, 'v', sizeof(want));
	memcpy(want, "1 .x=", 5);
	strcpy(want + 3 + INI_READER_LINE_MAX, ";2 .z=1;");
	for (i = 0; i < nitems(ends); i++) {
		seen =
		    run_long(ends[i].head, INI_READER_LINE_MAX, ends[i].tail);
		cr_expect_str_eq(seen, want, "%s: %s", ends[i].why, seen);
		free(seen);
		seen = run_long(
		    ends[i].head, INI_READER_LINE_MAX + 1, ends[i].tail);
		cr_expect_str_eq(
		    seen, "1!;2 .z=1;", "%s: %s", ends[i].why, seen);
		free(seen);
	}
}

Test(ini_reader, takes_comments_of_any_length)
{
	size_t len;
	char *seen;

	for (len = 190; len < 410; len++) {
		seen = run_long("# ", len, "");
		cr_assert_str_eq(seen, "2 .z=1;", "%zu: %s", len, seen);
		free(seen);
	}
}

Test(ini_reader, sees_a_control_character_behind_the_longest_line)
{
	char *seen = run_long("# ", 3000, "\x01");

	cr_expect_str_eq(seen, "1!;2 .z=1;");
	free(seen);
}

Test(ini_reader, refuses_a_section_that_inih_would_cut)
{
	char in[128], *seen;
	int len;

	for (len = INI_READER_SECTION_MAX - 1;
	     len <= INI_READER_SECTION_MAX + 1; len++) {
		snprintf(in, sizeof(in), "[%0*d]\n", len, 0);
		seen = run(in, strlen(in));
		cr_expect_eq(strcmp(seen, "1!;") == 0,
		    len > INI_READER_SECTION_MAX, "%d: %s", len, seen);
		free(seen);
	}
}

Test(ini_reader, reports_a_read_error)
{
	FILE *dir = fopen("/", "r");

	cr_assert_not_null(dir);
	cr_expect_eq(ini_reader_run(dir, on_line, on_refused, stderr), -1);
	cr_expect_eq(errno, EISDIR);
	fclose(dir);
}
