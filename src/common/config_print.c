/* config_print - settings as text: the canonical one and the sample. */
#include "config.h"

#include <string.h>

#include <bsd/string.h>

#include "ini_reader.h"
#include "option_value.h"

static const char sample_head[] =
    "# Settings of cgthread(8).  cgthread.ini(5) says more of each.\n"
    "#\n"
    "# What is commented out stands at its default.  A line that begins with # "
    "or\n"
    "# ; is a comment, and what follows \" ;\" behind a value; a # there is "
    "not.\n";

static const char sample_tail[] =
    "\n[env]\n"
    "\n# Variables for the application, as many as needed\n"
    "# NAME = value\n";

void
config_format(const struct config *cfg, const struct option_row *row, size_t i,
    char *buf, size_t size)
{
	char number[OPTION_NUMBER_SIZE];
	const struct strings *list;
	const char *text;

	switch (row->type) {
	case OPTION_STRING:
		text = *option_string(cfg, row);
		break;
	case OPTION_LIST:
		list = option_list(cfg, row);
		text = i < list->count ? list->items[i] : "";
		break;
	case OPTION_CHOICE:
		text = row->choices[*option_number(cfg, row)];
		break;
	default:
		option_number_format(row, *option_number(cfg, row), number);
		text = number;
		break;
	}
	strlcpy(buf, text, size);
}

/* A ";" right behind the blank would begin a comment. */
static void
print_line(const char *name, const char *value, FILE *out)
{
	fprintf(out, "%s =%s%s\n", name,
	    *value == '\0' || *value == ';' ? "" : " ", value);
}

static void
print_row(const struct config *cfg, const struct option_row *row, FILE *out)
{
	char value[CONFIG_STRING_MAX + 1];
	size_t i = 0, count = 1;

	if (row->type == OPTION_LIST)
		count = option_list(cfg, row)->count;
	do {
		config_format(cfg, row, i, value, sizeof(value));
		print_line(row->name, value, out);
	} while (++i < count);
}

/* Without blanks, so that each line that was read fits again. */
static void
print_env(const struct strings *env, FILE *out)
{
	const char *text;
	size_t i;

	if (env->count > 0)
		fputs("\n[env]\n", out);
	for (i = 0; i < env->count; i++) {
		text = env->items[i];
		if (strlen(text) <= INI_READER_LINE_MAX &&
		    option_value_refused(strchr(text, '=') + 1) == NULL)
			fprintf(out, "%s\n", text);
		else
			fprintf(out, "# %.*s: a value that no line can hold\n",
			    (int)strcspn(text, "="), text);
	}
}

void
config_print(const struct config *cfg, bool with_env, FILE *out)
{
	const struct option_row *rows;
	const char *section = "";
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		if (strcmp(rows[i].section, section) != 0) {
			section = rows[i].section;
			fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", section);
		}
		print_row(cfg, &rows[i], out);
	}
	if (with_env)
		print_env(&cfg->env, out);
}

void
config_print_sample(FILE *out)
{
	const struct option_row *rows;
	const char *section = "";
	size_t i, count;

	fputs(sample_head, out);
	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		if (strcmp(rows[i].section, section) != 0) {
			section = rows[i].section;
			fprintf(out, "\n[%s]\n", section);
		}
		fprintf(out, "\n# %s\n# ", rows[i].help);
		print_line(rows[i].name, rows[i].initial, out);
	}
	fputs(sample_tail, out);
}
