/*
 * config - see config.h.  The table is in options.c, a value's way from text in
 * option_value.c, the way to text in config_print.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "heritage.h"
#include "ini_reader.h"
#include "log.h"
#include "option_value.h"
#include "proxy_option.h"
#include "suggest.h"

/* Names of the server's own in the environment. */
#define OWN_PREFIX "CGTHREAD_"

/* One file on its way into cfg. */
struct reading {
	struct config *cfg;
	const char *name; /* of the file, for the messages */
	FILE *err;
	unsigned errors;
	bool known;           /* the section that we are in */
	struct strings seen;  /* "section.name" of what has been set */
	unsigned *seen_lines; /* and where, by the same index */
};

/* A file read from its start with pread(2), or a pipe. */
struct source {
	int fd;
	off_t offset; /* -1: cannot be sought in */
};

static ini_reader_fn on_line;
static ini_reader_error_fn on_refused;

struct config *
config_new(void)
{
	const struct option_row *rows;
	struct config *cfg;
	size_t i, count;

	rows = config_options(&count);
	if ((cfg = calloc(1, sizeof(*cfg))) == NULL ||
	    (cfg->given = calloc(count, sizeof(*cfg->given))) == NULL)
		fatal("configuration");
	for (i = 0; i < count; i++)
		option_value_init(cfg, &rows[i]);
	strings_init(&cfg->env);
	return (cfg);
}

void
config_free(struct config **cfgp)
{
	const struct option_row *rows;
	struct config *cfg = *cfgp;
	size_t i, count;

	*cfgp = NULL;
	if (cfg == NULL)
		return;
	rows = config_options(&count);
	for (i = 0; i < count; i++)
		option_value_fini(cfg, &rows[i]);
	strings_fini(&cfg->env);
	free(cfg->given);
	free(cfg->file);
	free(cfg);
}

/* Text from outside, for a terminal: control characters as \xHH. */
static void
put_text(const char *text, FILE *err)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			fprintf(err, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, err);
	}
}

/* The application has been named, if not well: it is not missing. */
static void
note_refused(struct config *cfg, const struct option_row *row)
{
	if (row->field == offsetof(struct config, wsgi_app))
		cfg->is_partial = true;
}

/* ---- [env] ---- */

/* What is wrong with the name of a variable, or NULL. */
static const char *
env_name_check(const char *name, size_t len)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	if (len == 0 || strspn(name, letters) < len ||
	    (*name >= '0' && *name <= '9'))
		return ("not a name: letters, digits and _, no digit first");
	if (strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
		return (OWN_PREFIX "... is for the server itself");
	return (NULL);
}

/* Adds "NAME=VALUE", in the place of one of that name. */
static void
env_put(struct strings *env, const char *assignment)
{
	size_t i, len = strcspn(assignment, "=") + 1;

	for (i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], assignment, len) == 0) {
			strings_replace(env, i, assignment);
			return;
		}
	}
	strings_add(env, assignment);
}

/* ---- the command line ---- */

int
config_set_env(struct config *cfg, const char *assignment, FILE *err)
{
	const char *why = "no \"=\": write NAME=VALUE";
	size_t len = strcspn(assignment, "=");

	if (assignment[len] == '=')
		why = env_name_check(assignment, len);
	if (why == NULL) {
		env_put(&cfg->env, assignment);
		return (0);
	}
	fputs("--env: ", err);
	put_text(assignment, err);
	fprintf(err, ": %s\n", why);
	return (-1);
}

/* Port 0 is another port each time. */
static bool
is_fixed(const char *text)
{
	const char *why;
	struct addr addr;

	return (addr_parse(text, &addr, &why) == 0 &&
		(addr.kind != ADDR_TCP || addr.port != 0));
}

/* May the address stand beside those of the list?  NULL, or why not. */
static const char *
bind_check(const struct strings *bind, const char *text)
{
	size_t i;

	if (*text == '\0')
		return ("an address is needed");
	if (bind->count == HERITAGE_LISTENERS_MAX)
		return ("one too many: at most 64 are possible");
	for (i = 0; i < bind->count; i++)
		if (is_fixed(text) && strcmp(bind->items[i], text) == 0)
			return ("stands there twice");
	return (NULL);
}
_Static_assert(HERITAGE_LISTENERS_MAX == 64, "the message says 64");

/* option_value_set(), and what that cannot know. */
static int
set_value(struct config *cfg, const struct option_row *row, const char *text,
    bool first, char why[OPTION_WHY_SIZE])
{
	static const struct strings none;
	const char *reason = NULL;

	if (row->field == offsetof(struct config, bind))
		reason = bind_check(first ? &none : &cfg->bind, text);
	if (reason == NULL)
		return (option_value_set(cfg, row, text, first, why));
	snprintf(why, OPTION_WHY_SIZE, "%s", reason);
	return (-1);
}

int
config_set(struct config *cfg, const char *name, const char *value, FILE *err)
{
	const struct option_row *row = config_option_find(name);
	char why[OPTION_WHY_SIZE];
	bool *given;
	size_t count;

	if (row == NULL) {
		fprintf(err, "--%s: ", name);
		suggest_option(NULL, name, err);
		return (-1);
	}
	given = &cfg->given[row - config_options(&count)];
	if (set_value(cfg, row, value, !*given, why) == 0) {
		*given = true;
		return (0);
	}
	note_refused(cfg, row);
	fprintf(err, "--%s: ", name);
	put_text(value, err);
	fprintf(err, ": %s\n", why);
	return (-1);
}

/* ---- a file ---- */

/* Begins an error with its place. */
static void
error_begin(struct reading *rd, unsigned line)
{
	rd->errors++;
	fprintf(rd->err, "%s:%u: ", rd->name, line);
}

/* The line in which "section.name" was set, or 0. */
static unsigned
seen_find(const struct reading *rd, const char *key)
{
	size_t i;

	for (i = 0; i < rd->seen.count; i++)
		if (strcmp(rd->seen.items[i], key) == 0)
			return (rd->seen_lines[i]);
	return (0);
}

static void
seen_note(struct reading *rd, const char *key, unsigned line)
{
	rd->seen_lines = reallocarray(
	    rd->seen_lines, rd->seen.count + 1, sizeof(*rd->seen_lines));
	if (rd->seen_lines == NULL)
		fatal("configuration");
	rd->seen_lines[rd->seen.count] = line;
	strings_add(&rd->seen, key);
}

static void
take_env(struct reading *rd, unsigned line, const char *name, const char *value)
{
	char key[INI_READER_LINE_MAX + 8], text[INI_READER_LINE_MAX + 2];
	const char *why = env_name_check(name, strlen(name));
	unsigned before;

	snprintf(key, sizeof(key), "env.%s", name);
	if (why != NULL) {
		error_begin(rd, line);
		fprintf(rd->err, "[env] %s: %s\n", name, why);
	} else if ((before = seen_find(rd, key)) != 0) {
		error_begin(rd, line);
		fprintf(rd->err, "[env] %s: already set in line %u\n", name,
		    before);
	} else {
		seen_note(rd, key, line);
		snprintf(text, sizeof(text), "%s=%s", name, value);
		env_put(&rd->cfg->env, text);
	}
}

/* May the option, set before, stand here again?  Items may, nothing may not. */
static bool
may_repeat(
    const struct reading *rd, const struct option_row *row, const char *value)
{
	return (row->type == OPTION_LIST && *value != '\0' &&
		option_list(rd->cfg, row)->count > 0);
}

static void
take_option(struct reading *rd, unsigned line, const struct option_row *row,
    const char *value)
{
	char key[64], why[OPTION_WHY_SIZE];
	unsigned before;
	int error;

	snprintf(key, sizeof(key), "%s.%s", row->section, row->name);
	before = seen_find(rd, key);
	if (before != 0 && !may_repeat(rd, row, value)) {
		error_begin(rd, line);
		fprintf(rd->err, "[%s] %s: %s in line %u\n", row->section,
		    row->name,
		    row->type == OPTION_LIST && *value == '\0'
			? "empty here, but set"
			: "already set",
		    before);
		return;
	}
	error = set_value(rd->cfg, row, value, before == 0, why);
	if (before == 0 && (error == 0 || row->type != OPTION_LIST))
		seen_note(rd, key, line);
	if (error == 0)
		return;
	note_refused(rd->cfg, row);
	error_begin(rd, line);
	fprintf(rd->err, "[%s] %s = ", row->section, row->name);
	put_text(value, rd->err);
	fprintf(rd->err, ": %s\n", why);
}

static void
enter_section(struct reading *rd, unsigned line, const char *section)
{
	rd->known = suggest_is_section(section);
	if (rd->known)
		return;
	error_begin(rd, line);
	fprintf(rd->err, "[%s]: ", section);
	suggest_section(section, rd->err);
}

/*
 * Nothing is said of the keys of a section that is unknown, or whose line was
 * refused: that line has its error.
 */
static void
on_line(void *arg, unsigned line, const char *section, const char *name,
    const char *value)
{
	struct reading *rd = arg;
	const struct option_row *row;

	if (section == NULL)
		return;
	if (name == NULL) {
		enter_section(rd, line, section);
	} else if (*section == '\0') {
		error_begin(rd, line);
		fprintf(rd->err,
		    "%s: no section before it: which option "
		    "this is depends on its [section]\n",
		    name);
	} else if (!rd->known) {
		return;
	} else if (strcmp(section, "env") == 0) {
		take_env(rd, line, name, value);
	} else if ((row = config_option_find(name)) != NULL &&
		   strcmp(row->section, section) == 0) {
		take_option(rd, line, row, value);
	} else {
		error_begin(rd, line);
		fprintf(rd->err, "[%s] %s: ", section, name);
		suggest_option(section, name, rd->err);
	}
}

static void
on_refused(void *arg, unsigned line, const char *why)
{
	struct reading *rd = arg;

	error_begin(rd, line);
	fprintf(rd->err, "%s\n", why);
}

/* Takes in, which may be NULL with errno, and closes it. */
static unsigned
read_stream(struct config *cfg, FILE *in, const char *name, FILE *err)
{
	struct reading rd = {.cfg = cfg, .name = name, .err = err};

	strings_init(&rd.seen);
	if (in == NULL || ini_reader_run(in, on_line, on_refused, &rd) == -1) {
		rd.errors++;
		cfg->is_partial = true;
		fprintf(err, "%s: %s\n", name, strerror(errno));
	}
	if (in != NULL)
		fclose(in);
	strings_fini(&rd.seen);
	free(rd.seen_lines);
	return (rd.errors);
}

unsigned
config_read(struct config *cfg, const char *path, FILE *err)
{
	free(cfg->file);
	cfg->file = string_copy(path);
	return (read_stream(cfg, fopen(path, "re"), path, err));
}

static ssize_t
source_read(void *cookie, char *buf, size_t size)
{
	struct source *source = cookie;
	ssize_t n;

	do {
		n = source->offset == -1
			? read(source->fd, buf, size)
			: pread(source->fd, buf, size, source->offset);
	} while (n == -1 && errno == EINTR);
	if (n > 0 && source->offset != -1)
		source->offset += n;
	return (n);
}

unsigned
config_read_fd(struct config *cfg, int fd, const char *name, FILE *err)
{
	static const cookie_io_functions_t io = {.read = source_read};
	struct source source = {.fd = fd, .offset = 0};

	if (lseek(fd, 0, SEEK_CUR) == -1)
		source.offset = -1;
	return (read_stream(cfg, fopencookie(&source, "r", io), name, err));
}

/* ---- the whole ---- */

/* A string, or one item of a list, by its row's own check. */
static unsigned
check_text(const struct option_row *row, const char *text, FILE *err)
{
	const char *why = row->check(text);

	if (why == NULL)
		return (0);
	fprintf(err, "%s: ", row->name);
	put_text(text, err);
	fprintf(err, ": %s\n", why);
	return (1);
}

static unsigned
check_row(const struct config *cfg, const struct option_row *row, FILE *err)
{
	const struct strings *list;
	unsigned errors = 0;
	size_t i;

	if (row->check == NULL)
		return (0);
	if (row->type != OPTION_LIST)
		return (check_text(row, *option_string(cfg, row), err));
	list = option_list(cfg, row);
	for (i = 0; i < list->count; i++)
		errors += check_text(row, list->items[i], err);
	return (errors);
}

unsigned
config_check(const struct config *cfg, FILE *err)
{
	const struct option_row *rows;
	unsigned errors = 0;
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++)
		errors += check_row(cfg, &rows[i], err);
	errors += proxy_option_check(cfg, err);
	if (*cfg->wsgi_app == '\0' && !cfg->is_partial) {
		errors++;
		fputs("wsgi_app: not set: name the application in [app], or as "
		      "module:callable on the command line\n",
		    err);
	}
	return (errors);
}
