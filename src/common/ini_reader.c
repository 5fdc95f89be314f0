/* ini_reader - see ini_reader.h. */
#include "ini_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bsd/string.h>
#include <ini.h>

#include "check.h"

static const char mark[] = "\xef\xbb\xbf";
#define MARK_LEN (sizeof(mark) - 1)

/* What is kept of a line: a byte order mark and a CR may go from it again. */
#define KEPT_MAX (INI_READER_LINE_MAX + MARK_LEN + 1)

/* A line as it stands in the file, without its end. */
struct line {
	char text[KEPT_MAX + 1]; /* what is kept of it, and a NUL */
	size_t len;              /* of it all */
	bool control; /* holds a control character other than a tab */
};

struct run {
	FILE *in;
	ini_reader_fn *handler;
	ini_reader_error_fn *error;
	void *arg;
	unsigned number; /* of the line in hand */
	bool pending;    /* inih has it and must call back */
	bool in_section; /* false behind a section's line that was refused */
	char section[INI_READER_SECTION_MAX + 1];
	int read_error; /* errno, or 0 */
};

static bool line_read(struct run *, struct line *);
static bool line_take(struct run *, struct line *);
static const char *section_take(struct run *, const struct line *);
static const char *pair_check(const struct line *);

/* inih asks for a line: the next that is good for it. */
static char *
on_want_line(char *buf, int size, void *arg)
{
	struct run *run = arg;
	struct line line;

	ASSERT(size > INI_READER_LINE_MAX + 2);
	if (run->pending) { /* only a build of inih that is not as ours */
		run->pending = false;
		run->error(run->arg, run->number, "inih does not take it");
	}
	while (line_read(run, &line)) {
		if (!line_take(run, &line))
			continue;
		memcpy(buf, line.text, line.len);
		memcpy(buf + line.len, "\n", 2);
		return (buf);
	}
	return (NULL);
}

static int
on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct run *run = arg;

	(void)section; /* ours knows of lines that were refused */
	run->pending = false;
	run->handler(run->arg, run->number,
	    run->in_section ? run->section : NULL, name, value);
	return (1);
}

int
ini_reader_run(
    FILE *in, ini_reader_fn *handler, ini_reader_error_fn *error, void *arg)
{
	struct run run = {.in = in,
	    .handler = handler,
	    .error = error,
	    .arg = arg,
	    .in_section = true};

	/* Its verdict tells less than what was reported on the way. */
	(void)ini_parse_stream(on_want_line, &run, on_pair, &run);
	if (run.read_error != 0) {
		errno = run.read_error;
		return (-1);
	}
	return (0);
}

/* A byte order mark, which editors put at the start of a file, is no text. */
static void
line_strip_mark(struct line *line)
{
	if (strncmp(line->text, mark, MARK_LEN) != 0)
		return;
	line->len -= MARK_LEN;
	memmove(
	    line->text, line->text + MARK_LEN, sizeof(line->text) - MARK_LEN);
}

/* Reads one line, of any length; false at the end of the file. */
static bool
line_read(struct run *run, struct line *line)
{
	bool cr = false;
	int c;

	memset(line, 0, sizeof(*line));
	while ((c = getc(run->in)) != EOF && c != '\n') {
		line->control |=
		    cr || (c < ' ' && c != '\t' && c != '\r') || c == 0x7f;
		cr = c == '\r';
		if (line->len < KEPT_MAX)
			line->text[line->len] = (char)c;
		line->len++;
	}
	if (ferror(run->in)) {
		run->read_error = errno;
		return (false);
	}
	if (c == EOF && line->len == 0)
		return (false);
	if (cr && --line->len < KEPT_MAX)
		line->text[line->len] = '\0';
	if (++run->number == 1)
		line_strip_mark(line);
	return (true);
}

/* Is the line for inih?  A line that is wrong is reported here. */
static bool
line_take(struct run *run, struct line *line)
{
	size_t indent = strspn(line->text, " \t");
	const char *why;
	char first = line->text[indent];

	if (line->control)
		why = "control character";
	else if (strncmp(line->text, mark, MARK_LEN) == 0)
		why = "byte order mark within the file";
	else if (first == ';' || first == '#' || line->len == indent)
		return (false);
	else if (line->len > INI_READER_LINE_MAX)
		why = "line too long: at most 197 bytes";
	else if (indent > 0)
		why = "indented: a value is one line, from its first column";
	else if (first == '[')
		why = section_take(run, line);
	else if ((why = pair_check(line)) == NULL)
		run->pending = true;

	if (why != NULL) {
		if (first == '[')
			run->in_section = false;
		run->error(run->arg, run->number, why);
	}
	return (why == NULL);
}

/* Where a comment behind text begins, or its end. */
static const char *
find_comment(const char *text)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
		if (*p == ';' && p > text && (p[-1] == ' ' || p[-1] == '\t'))
			return (p);
	return (p);
}

/* "[name]", perhaps a comment.  NULL, or what is wrong with it. */
static const char *
section_take(struct run *run, const struct line *line)
{
	const char *name = line->text + 1;
	const char *end = strchr(name, ']');

	if (end == NULL || find_comment(line->text) < end)
		return ("no \"]\" behind the name of the section");
	if (end == name)
		return ("section without a name");
	if (end - name > INI_READER_SECTION_MAX)
		return ("name of the section too long: at most 49 bytes");
	if (end + 1 + strspn(end + 1, " \t") != find_comment(line->text))
		return ("text behind the \"]\" of the section");

	memcpy(run->section, name, (size_t)(end - name));
	run->section[end - name] = '\0';
	run->in_section = true;
	run->handler(run->arg, run->number, run->section, NULL, NULL);
	return (NULL);
}

/* "name = value" or "name : value".  NULL, or what is wrong with it. */
static const char *
pair_check(const struct line *line)
{
	const char *stop = strpbrk(line->text, "=:");

	if (stop == NULL || find_comment(line->text) < stop)
		return ("neither \"[section]\" nor \"name = value\"");
	if (stop == line->text)
		return ("no name before the value");
	return (NULL);
}
