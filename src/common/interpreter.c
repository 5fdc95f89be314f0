/* interpreter - see interpreter.h. */
#include "interpreter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "log.h"

#define DIGITS "0123456789"

/* Length of the 3.N that text begins with; 0 if it does not. */
static size_t
version_length(const char *text)
{
	size_t digits;

	if (strncmp(text, "3.", 2) != 0)
		return (0);
	digits = strspn(text + 2, DIGITS);
	return (digits == 1 || digits == 2 ? 2 + digits : 0);
}

bool
interpreter_is_version(const char *text)
{
	size_t len = version_length(text);

	return (len != 0 && text[len] == '\0');
}

/* From "3.11", "3.11.2" or "3.11.2.final.0". */
static bool
take_version(struct interpreter *in, const char *text)
{
	size_t len = version_length(text);

	if (len == 0)
		return (false);
	strlcpy(in->version, text, len + 1);
	return (true);
}

/* ---- a directory or a program ---- */

/* NAME = VALUE with whitespace where it likes: the value, or NULL. */
static const char *
value_of(const char *line, const char *name)
{
	static const char whitespace[] = " \t\r\n";
	size_t len = strlen(name);

	line += strspn(line, whitespace);
	if (strncmp(line, name, len) != 0)
		return (NULL);
	line += len;
	line += strspn(line, whitespace);
	return (*line == '=' ? line + 1 + strspn(line + 1, whitespace) : NULL);
}

/* venv writes "version", virtualenv and uv "version_info". */
static bool
take_venv_version(struct interpreter *in, const char *dir)
{
	char path[PATH_MAX], *line = NULL;
	const char *value;
	bool is_found = false;
	size_t size = 0;
	FILE *file;
	int n = snprintf(path, sizeof(path), "%s/pyvenv.cfg", dir);

	if (n < 0 || n >= PATH_MAX || (file = fopen(path, "re")) == NULL)
		return (false);
	while (!is_found && getline(&line, &size, file) != -1) {
		if ((value = value_of(line, "version")) != NULL ||
		    (value = value_of(line, "version_info")) != NULL)
			is_found = take_version(in, value);
	}
	free(line);
	fclose(file);
	return (is_found);
}

/* An installed Python has its version in its name, behind all links. */
static bool
take_name_version(struct interpreter *in)
{
	static const char python[] = "/python";
	char path[PATH_MAX];
	const char *name;

	if (realpath(in->executable, path) == NULL)
		return (false);
	name = strrchr(path, '/');
	return (strncmp(name, python, strlen(python)) == 0 &&
		interpreter_is_version(name + strlen(python)) &&
		take_version(in, name + strlen(python)));
}

/* Cuts the last part of a path off. */
static void
cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* path: a directory with bin/python3 in it, or such a program. */
static int
find_in(struct interpreter *in, const char *path)
{
	struct stat st;
	char dir[PATH_MAX];
	int n;

	if (stat(path, &st) == -1) {
		log_error("%s", in->said_by);
		return (-1);
	}
	n = snprintf(in->executable, sizeof(in->executable), "%s%s", path,
	    S_ISDIR(st.st_mode) ? "/bin/python3" : "");
	if (n < 0 || n >= PATH_MAX || access(in->executable, X_OK) == -1) {
		log_error("%s: %s", in->said_by, in->executable);
		return (-1);
	}
	strlcpy(dir, in->executable, sizeof(dir));
	cut(dir);
	cut(dir);
	if (take_venv_version(in, dir) || take_name_version(in))
		return (0);
	log_errorx("%s: neither %s/pyvenv.cfg nor the name of %s tells the "
		   "version of Python",
	    in->said_by, dir, in->executable);
	return (-1);
}

/* ---- who says what ---- */

/* The value of VIRTUAL_ENV for the application; NULL if unset or empty. */
static const char *
virtual_env(const struct config *cfg)
{
	static const char name[] = "VIRTUAL_ENV=";
	const char *value = getenv("VIRTUAL_ENV");
	size_t i;

	for (i = 0; i < cfg->env.count; i++)
		if (strncmp(cfg->env.items[i], name, strlen(name)) == 0)
			value = cfg->env.items[i] + strlen(name);
	return (value != NULL && *value != '\0' ? value : NULL);
}

int
interpreter_find(const struct config *cfg, struct interpreter *in)
{
	const char *name = "python", *value = cfg->python;

	memset(in, 0, sizeof(*in));
	if (*value == '\0') {
		name = "VIRTUAL_ENV";
		if ((value = virtual_env(cfg)) == NULL)
			return (0);
	}
	snprintf(in->said_by, sizeof(in->said_by), "%s = %s", name, value);
	if (value == cfg->python && interpreter_is_version(value)) {
		take_version(in, value);
		return (0);
	}
	if (*value == '/')
		return (find_in(in, value));
	log_errorx("%s: not an absolute path", in->said_by);
	return (-1);
}
