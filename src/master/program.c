/* program - see program.h. */
#include "program.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "interpreter.h"
#include "log.h"
#include "strings.h"

#define WORKER_PREFIX "cgthread-worker-"

/* dir/name into path; false if that is no program. */
static bool
is_program(char path[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return (n > 0 && n < PATH_MAX && access(path, X_OK) == 0);
}

/* ---- where to look ---- */

static void
add_once(struct strings *dirs, const char *dir)
{
	size_t i;

	for (i = 0; i < dirs->count; i++)
		if (strcmp(dirs->items[i], dir) == 0)
			return;
	strings_add(dirs, dir);
}

/* An installation may have been moved: PREFIX/sbin and PREFIX/libexec go
 * together. */
static void
list_directories(struct strings *dirs)
{
	char own[PATH_MAX - sizeof("/libexec/cgthread")];
	char libexec[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	own[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(own, '/')) != NULL) {
		*slash = '\0';
		add_once(dirs, own);
		if ((slash = strrchr(own, '/')) != NULL)
			*slash = '\0';
		snprintf(libexec, sizeof(libexec), "%s/libexec/cgthread", own);
		add_once(dirs, libexec);
	}
	add_once(dirs, CGTHREAD_LIBEXECDIR);
}

/* ---- what there is instead ---- */

/* By its name. */
static int
is_worker(const struct dirent *entry)
{
	size_t len = strlen(WORKER_PREFIX);

	return (strncmp(entry->d_name, WORKER_PREFIX, len) == 0 &&
		interpreter_is_version(entry->d_name + len));
}

/* Adds ", 3.8 and 3.11 in DIR" to text. */
static void
describe(FILE *text, const char *dir, bool *is_first)
{
	struct dirent **entries;
	int i, n = scandir(dir, &entries, is_worker, versionsort);
	char path[PATH_MAX];
	bool is_listed = false;

	for (i = 0; i < n; i++) {
		if (is_program(path, dir, entries[i]->d_name)) {
			fprintf(text, "%s%s",
			    is_listed   ? ", "
			    : *is_first ? " for "
					: "; ",
			    entries[i]->d_name + strlen(WORKER_PREFIX));
			is_listed = true;
		}
		free(entries[i]);
	}
	if (is_listed) {
		fprintf(text, " in %s", dir);
		*is_first = false;
	}
	if (n >= 0)
		free(entries);
}

static void
complain(const char *said_by, const char *name, const struct strings *dirs)
{
	bool is_first = true;
	char *buf = NULL;
	size_t i, size;
	FILE *text = open_memstream(&buf, &size);

	if (text == NULL)
		fatal("a message");
	fprintf(text, "%s%sno worker program %s in", said_by,
	    *said_by != '\0' ? ": " : "", name);
	for (i = 0; i < dirs->count; i++)
		fprintf(text, "%s %s",
		    i == 0                 ? ""
		    : i + 1 == dirs->count ? " or"
					   : ",",
		    dirs->items[i]);
	fputs("; there are workers", text);
	for (i = 0; i < dirs->count; i++)
		describe(text, dirs->items[i], &is_first);
	fputs(is_first ? " for no Python" : "", text);
	if (fclose(text) == EOF)
		fatal("a message");
	log_critical("%s", buf);
	free(buf);
}

int
program_find_worker(const struct config *cfg, char path[PATH_MAX])
{
	const char *other = secure_getenv("CGTHREAD_WORKER_PROGRAM");
	char name[sizeof(WORKER_PREFIX) + INTERPRETER_VERSION_SIZE];
	struct interpreter in;
	struct strings dirs;
	bool is_found = false;
	size_t i;

	if (other != NULL) {
		strlcpy(path, other, PATH_MAX);
		return (0);
	}
	if (interpreter_find(cfg, &in) == -1)
		return (-1);
	snprintf(name, sizeof(name), WORKER_PREFIX "%s",
	    *in.version != '\0' ? in.version : CGTHREAD_PYTHON_VERSION);
	strings_init(&dirs);
	list_directories(&dirs);
	for (i = 0; i < dirs.count && !is_found; i++)
		is_found = is_program(path, dirs.items[i], name);
	if (!is_found)
		complain(in.said_by, name, &dirs);
	strings_fini(&dirs);
	return (is_found ? 0 : -1);
}
