/*
 * ini - the text of an ini file, through ini_reader and config.
 *
 * Each error is one line that names its place and holds no control character but
 * tabs;
 * settings without an error, written and read again, are the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "config.h"
#include "fuzz.h"

#define NAME "fuzz.ini"

/* A file in memory with this text. */
static int
file_of(const char *text, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	ASSERT(fd != -1);
	ASSERT(write(fd, text, len) == (ssize_t)len);
	return (fd);
}

/* Errors are written to *messages, to be freed. */
static unsigned
read_text(struct config *cfg, const char *text, size_t len, char **messages)
{
	int fd = file_of(text, len);
	unsigned errors;
	size_t size;
	FILE *err = open_memstream(messages, &size);

	ASSERT(err != NULL);
	errors = config_read_fd(cfg, fd, NAME, err);
	config_check(cfg, err);
	fclose(err);
	close(fd);
	return (errors);
}

static char *
print(const struct config *cfg)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ASSERT(out != NULL);
	config_print(cfg, true, out);
	fclose(out);
	return (text);
}

static void
check_messages(const char *messages, unsigned errors)
{
	unsigned lines = 0;
	const char *p;

	for (p = messages; *p != '\0'; p++) {
		lines += *p == '\n';
		/* A tab may stand in a line, and so in what is told of it. */
		ASSERT(*p == '\n' || *p == '\t' ||
		       ((unsigned char)*p >= ' ' && *p != 0x7f));
	}
	/* config_check() may add one. */
	ASSERT(lines == errors || lines == errors + 1);
}

static void
check_again(const struct config *cfg)
{
	struct config *again = config_new();
	char *text = print(cfg), *second, *messages;
	unsigned errors = read_text(again, text, strlen(text), &messages);

	second = print(again);
	ASSERT(errors == 0);
	ASSERT(strcmp(text, second) == 0);
	config_free(&again);
	free(messages);
	free(second);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config *cfg = config_new();
	char *messages;
	unsigned errors = read_text(cfg, (const char *)data, len, &messages);

	check_messages(messages, errors);
	if (errors == 0)
		check_again(cfg);
	config_free(&cfg);
	free(messages);
	return (0);
}
