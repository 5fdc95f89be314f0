/* title - see title.h. */
#include "title.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/unistd.h>

#define TITLE_MAX 256

static int first_len; /* of argv[0] as it was */

void
title_init(int argc, char *argv[])
{
	first_len = argc > 0 ? (int)strlen(argv[0]) : 0;
	setproctitle_init(argc, argv, environ);
}

void
title_set(const char *role, const char *name)
{
	char text[TITLE_MAX];
	const char *open = *name != '\0' ? " [" : "";
	const char *end = *name != '\0' ? "]" : "";

	snprintf(
	    text, sizeof(text), "cgthread: %s%s%s%s", role, open, name, end);
	/* Over a title shorter than argv[0] the library leaves a stray dot. */
	setproctitle("-%-*s", first_len, text);
}
