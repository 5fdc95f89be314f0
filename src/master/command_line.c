/* command_line - see command_line.h. */
#include "command_line.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "distance.h"
#include "log.h"
#include "macros.h"
#include "suggest.h"

#define PROGRAM    "cgthread"
#define APP_OPTION "wsgi_app"

/* getopt_long()'s value for row i of the configuration's table. */
#define ROW_BASE 1000

struct own_option {
	int letter; /* also the value of the long option */
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
};

/* clang-format off */
static const struct own_option own_options[] = {
	{ 'c', "config", "FILE", "Read the settings from this ini file" },
	{ 'e', "env", "NAME=VALUE",
	  "Set a variable in the application's environment; repeatable" },
	{ 't', "check", NULL,
	  "Test the settings and import the application, then exit" },
	{ 'p', "print-config", NULL,
	  "Print the settings in effect, then exit" },
	{ 'V', "version", NULL, "Print the version" },
	{ 'h', "help", NULL, "Print this text" },
};

/* The letters that stand for themselves on the line; "e" and "p" do not. */
static const char short_options[] = ":c:b:w:tVh";

static const struct {
	int letter;
	const char *name; /* in the configuration's table */
} row_letters[] = {
	{ 'b', "bind" },
	{ 'w', "workers" },
};
/* clang-format on */

/* ---- help ---- */

static void
print_dashed(FILE *out, const char *name)
{
	for (; *name != '\0'; name++)
		fputc(*name == '_' ? '-' : *name, out);
}

static int
letter_of_row(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(row_letters); i++)
		if (strcmp(row_letters[i].name, name) == 0)
			return (row_letters[i].letter);
	return (0);
}

static void
print_option(FILE *out, int letter, const char *name, const char *value)
{
	if (letter != 0)
		fprintf(out, "  -%c, --", letter);
	else
		fputs("      --", out);
	print_dashed(out, name);
	if (value != NULL)
		fprintf(out, " %s", value);
}

static void
print_rows(FILE *out)
{
	const struct option_row *rows;
	const char *section = "";
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		if (strcmp(section, rows[i].section) != 0) {
			section = rows[i].section;
			fprintf(out, "\n[%s]\n", section);
		}
		print_option(out, letter_of_row(rows[i].name), rows[i].name,
		    rows[i].value);
		if (rows[i].initial[0] != '\0')
			fprintf(out, "  (%s)", rows[i].initial);
		fprintf(out, "\n\t%s\n", rows[i].help);
	}
}

static void
print_help(FILE *out)
{
	const struct own_option *own;
	size_t i;

	fputs("usage: " PROGRAM " [options] [-c FILE] [module:callable]\n\n"
	      "Serves a WSGI application.  Every setting of the ini file is an "
	      "option, too,\nand goes before the file's; its default stands in "
	      "parentheses.\n\n",
	    out);
	for (i = 0; i < nitems(own_options); i++) {
		own = &own_options[i];
		print_option(out,
		    strchr(short_options, own->letter) ? own->letter : 0,
		    own->name, own->value);
		fprintf(out, "\n\t%s\n", own->help);
	}
	print_rows(out);
}

/* ---- parsing ---- */

static void
add_long(struct option *o, const char *name, bool has_value, int value)
{
	o->name = name;
	o->has_arg = has_value ? required_argument : no_argument;
	o->flag = NULL;
	o->val = value;
}

/* The same name with dashes, or NULL if it has no underscore. */
static char *
dashed(const char *name)
{
	char *copy, *p;

	if (strchr(name, '_') == NULL)
		return (NULL);
	copy = string_copy(name);
	for (p = copy; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	return (copy);
}

/*
 * getopt_long()'s table: our own options, then each row under both spellings.
 * The spellings with dashes are kept in *names.
 */
static struct option *
long_options(struct strings *names)
{
	const struct option_row *rows;
	struct option *table, *o;
	char *name;
	size_t i, count;

	rows = config_options(&count);
	table = calloc(nitems(own_options) + 2 * count + 1, sizeof(*table));
	if (table == NULL)
		fatal("command line");
	o = table;
	for (i = 0; i < nitems(own_options); i++)
		add_long(o++, own_options[i].name, own_options[i].value != NULL,
		    own_options[i].letter);
	for (i = 0; i < count; i++) {
		add_long(o++, rows[i].name, true, ROW_BASE + (int)i);
		if ((name = dashed(rows[i].name)) == NULL)
			continue;
		strings_add(names, name);
		free(name);
		add_long(o++, names->items[names->count - 1], true,
		    ROW_BASE + (int)i);
	}
	return (table);
}

static enum command_line_result
complain(FILE *err, const char *option, size_t len, const char *why)
{
	fprintf(err, "%.*s: %s (" PROGRAM " --help lists all options)\n",
	    (int)len, option, why);
	return (COMMAND_LINE_BAD);
}

/* An option of ours that comes close to name, or NULL. */
static const char *
find_near(const char *name)
{
	const char *found = NULL;
	unsigned best = DISTANCE_FAR, d;
	size_t i;

	for (i = 0; i < nitems(own_options); i++) {
		d = distance_between(own_options[i].name, name);
		if (d < best && distance_is_near(d, own_options[i].name)) {
			best = d;
			found = own_options[i].name;
		}
	}
	return (found);
}

/* text: "--NAME", perhaps with "=VALUE". */
static void
refuse_unknown(FILE *err, const char *text)
{
	int len = (int)strcspn(text, "=");
	char name[64], *p;
	const char *near;

	snprintf(name, sizeof(name), "%.*s", len - 2, text + 2);
	near = find_near(name);
	for (p = name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	if (config_option_find(name) != NULL)
		near = name; /* it has both dashes and underscores */
	fprintf(err, "%.*s: ", len, text);
	if (near != NULL)
		fprintf(err, "no such option; did you mean --%s?\n", near);
	else
		suggest_option(NULL, name, err);
}

/* Is it a long option, by its whole name? */
static bool
is_whole_name(const struct option *table, const char *text)
{
	size_t len = strcspn(text, "=") - 2;

	for (; table->name != NULL; table++)
		if (strncmp(table->name, text + 2, len) == 0 &&
		    table->name[len] == '\0')
			return (true);
	return (false);
}

/*
 * Is it text that getopt has refused?  If not, a letter: of several behind one
 * dash, and then text is what stands before them.
 */
static bool
is_long(const char *text, bool is_value_missing)
{
	size_t i, len = strcspn(text, "=") - 2;

	if (strncmp(text, "--", 2) != 0)
		return (false);
	if (optopt == 0 || is_value_missing)
		return (true);
	for (i = 0; i < nitems(own_options); i++)
		if (own_options[i].letter == optopt &&
		    strncmp(own_options[i].name, text + 2, len) == 0)
			return (true);
	return (false);
}

/* A letter or a long option: what getopt refused, as it stands in the line. */
static void
refuse_option(FILE *err, const struct option *table, const char *text,
    bool is_value_missing)
{
	char letter[3] = {'-', (char)optopt, '\0'};

	if (!is_long(text, is_value_missing))
		complain(err, letter, 2,
		    is_value_missing ? "needs a value" : "no such option");
	else if (!is_whole_name(table, text))
		refuse_unknown(err, text);
	else
		complain(err, text, strcspn(text, "="),
		    is_value_missing ? "needs a value" : "takes no value");
}

static void
add_setting(struct command_line *cl, const char *name, const char *value)
{
	strings_add(&cl->names, name);
	strings_add(&cl->values, value);
}

static const char *
row_of_option(int option)
{
	const struct option_row *rows;
	size_t i, count;

	for (i = 0; i < nitems(row_letters); i++)
		if (row_letters[i].letter == option)
			return (row_letters[i].name);
	rows = config_options(&count);
	return (rows[option - ROW_BASE].name);
}

static enum command_line_result
take_option(struct command_line *cl, int option, FILE *out)
{
	switch (option) {
	case 'c':
		free(cl->file);
		cl->file = string_copy(optarg);
		return (COMMAND_LINE_GO);
	case 'e':
		strings_add(&cl->env, optarg);
		return (COMMAND_LINE_GO);
	case 't':
		cl->check = true;
		return (COMMAND_LINE_GO);
	case 'p':
		cl->print_config = true;
		return (COMMAND_LINE_GO);
	case 'h':
		print_help(out);
		return (COMMAND_LINE_DONE);
	case 'V':
		fputs(PROGRAM " " CGTHREAD_VERSION "\n", out);
		return (COMMAND_LINE_DONE);
	default:
		add_setting(cl, row_of_option(option), optarg);
		return (COMMAND_LINE_GO);
	}
}

static enum command_line_result
take_options(struct command_line *cl, int argc, char *argv[],
    const struct option *table, FILE *out, FILE *err)
{
	const char *text;
	bool is_bad = false;
	int option, at;

	opterr = 0;
	optind = 0; /* 0, not 1: also forgets where an earlier call was */
	for (;;) {
		at = -1;
		option = getopt_long(argc, argv, short_options, table, &at);
		if (option == -1)
			break;
		text = argv[optind - 1];
		if (optarg == text) /* a value by itself */
			text = argv[optind - 2];
		if (option == '?' || option == ':') {
			refuse_option(err, table, text, option == ':');
			is_bad = true;
		} else if (at != -1 && !is_whole_name(table, text)) {
			refuse_unknown(err, text); /* getopt takes a part */
			is_bad = true;
		} else if (take_option(cl, option, out) == COMMAND_LINE_DONE) {
			return (COMMAND_LINE_DONE);
		}
	}
	return (is_bad ? COMMAND_LINE_BAD : COMMAND_LINE_GO);
}

static bool
has_setting(const struct command_line *cl, const char *name)
{
	size_t i;

	for (i = 0; i < cl->names.count; i++)
		if (strcmp(cl->names.items[i], name) == 0)
			return (true);
	return (false);
}

/* What is left of the line: the application, or nothing. */
static enum command_line_result
take_arguments(struct command_line *cl, int argc, char *argv[], FILE *err)
{
	if (argc - optind > 1)
		return (complain(err, argv[optind + 1],
		    strlen(argv[optind + 1]), "one application is enough"));
	if (argc - optind == 1)
		add_setting(cl, APP_OPTION, argv[optind]);
	if (cl->file != NULL || has_setting(cl, APP_OPTION))
		return (COMMAND_LINE_GO);
	fputs(PROGRAM ": nothing to serve: give an ini file (-c FILE) or an "
		      "application (module:callable); " PROGRAM " --help "
		      "lists all options\n",
	    err);
	return (COMMAND_LINE_BAD);
}

static unsigned
apply(const struct command_line *cl, struct config *cfg, FILE *err)
{
	unsigned errors = 0;
	size_t i;

	for (i = 0; i < cl->names.count; i++)
		if (config_set(cfg, cl->names.items[i], cl->values.items[i],
			err) == -1)
			errors++;
	for (i = 0; i < cl->env.count; i++)
		if (config_set_env(cfg, cl->env.items[i], err) == -1)
			errors++;
	return (errors);
}

/* The line is wrong already: what else is? */
static void
list_bad_settings(const struct command_line *cl, FILE *err)
{
	struct config *cfg = config_new();

	if (cl->file != NULL)
		config_read(cfg, cl->file, err);
	apply(cl, cfg, err);
	config_free(&cfg);
}

enum command_line_result
command_line_parse(
    struct command_line *cl, int argc, char *argv[], FILE *out, FILE *err)
{
	enum command_line_result result;
	struct strings names;
	struct option *table;

	memset(cl, 0, sizeof(*cl));
	strings_init(&cl->names);
	strings_init(&cl->values);
	strings_init(&cl->env);

	strings_init(&names);
	table = long_options(&names);
	result = take_options(cl, argc, argv, table, out, err);
	/* Behind an unknown option stands perhaps its value. */
	if (result == COMMAND_LINE_GO)
		result = take_arguments(cl, argc, argv, err);
	if (result == COMMAND_LINE_BAD)
		list_bad_settings(cl, err);
	free(table);
	strings_fini(&names);
	return (result);
}

void
command_line_fini(struct command_line *cl)
{
	free(cl->file);
	cl->file = NULL;
	strings_fini(&cl->names);
	strings_fini(&cl->values);
	strings_fini(&cl->env);
}

/* ---- settings ---- */

struct config *
command_line_config(const struct command_line *cl, FILE *err)
{
	struct config *cfg = config_new();
	unsigned errors = 0;

	if (cl->file != NULL)
		errors += config_read(cfg, cl->file, err);
	errors += apply(cl, cfg, err);
	errors += config_check(cfg, err);
	if (errors != 0)
		config_free(&cfg);
	return (cfg);
}
