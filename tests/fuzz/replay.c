/*
 * replay - runs files, and those in directories, through a fuzz target, with any
 * compiler: "replay-head tests/fuzz/corpus/head".  Exits with 1 if there is none.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "log.h"
#include "macros.h"

#define FILE_MAX (1 << 20)

static unsigned long nfiles;
static const char *current; /* the file in hand */

/* The sanitizers', where they are linked. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static void
on_death(void)
{
	fprintf(stderr, "while replaying %s\n", current);
}

static void
on_abort(int signo UNUSED)
{
	on_death();
}

static void
replay_file(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *file = fopen(path, "rb");
	uint8_t *copy;
	size_t len;

	if (file == NULL)
		fatal("%s", path);
	len = fread(data, 1, sizeof(data), file);
	fclose(file);
	current = path;
	copy = (uint8_t *)fuzz_copy((char *)data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	nfiles++;
}

static void
replay_directory(const char *path)
{
	struct dirent **entries;
	char *name;
	int n = scandir(path, &entries, NULL, alphasort), i;

	if (n == -1)
		fatal("%s", path);
	for (i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			if (asprintf(
				&name, "%s/%s", path, entries[i]->d_name) == -1)
				fatal("%s", path);
			replay_file(name);
			free(name);
		}
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char *argv[])
{
	struct stat st;
	int i;

	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(on_death);
	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == -1)
			fatal("%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i]);
	}
	return (nfiles > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
