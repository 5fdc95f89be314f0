/* heritage - see heritage.h. */
#include "heritage.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "fd.h"
#include "log.h"
#include "macros.h"
#include "num.h"

/* A descriptor has at most 10 digits, and a comma behind it. */
#define LIST_SIZE (HERITAGE_LISTENERS_MAX * 11 + 1)

static const char version_name[] = "CGTHREAD_MASTER_VERSION";
static const char slot_name[] = "CGTHREAD_SLOT";
static const char master_name[] = "CGTHREAD_MASTER_PID";
static const char listen_name[] = "CGTHREAD_LISTEN_FDS";

/* clang-format off */
static const struct descriptor {
	const char *name;
	size_t field; /* offset of an int in struct heritage */
	bool optional;
} descriptors[] = {
	{ "CGTHREAD_CONFIG_FD", offsetof(struct heritage, config_fd), false },
	{ "CGTHREAD_CONTROL_FD", offsetof(struct heritage, control_fd), false },
	{ "CGTHREAD_ERRORLOG_FD", offsetof(struct heritage, errorlog_fd), false },
	{ "CGTHREAD_ACCESSLOG_FD", offsetof(struct heritage, accesslog_fd), true },
	{ "CGTHREAD_SCOREBOARD_FD", offsetof(struct heritage, scoreboard_fd),
	  false },
	{ "CGTHREAD_HANDOVER_SEND_FD",
	  offsetof(struct heritage, handover_send_fd), true },
	{ "CGTHREAD_HANDOVER_RECEIVE_FD",
	  offsetof(struct heritage, handover_receive_fd), true },
};
/* clang-format on */

static int *
field_of(const struct heritage *heritage, const struct descriptor *d)
{
	return ((int *)(void *)((char *)(uintptr_t)heritage + d->field));
}

/* Writes into fd, and seals it: the workers read what the master wrote. */
static int
config_write(const struct config *cfg, int fd)
{
	FILE *out;
	int copy, error;

	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) == -1)
		return (-1);
	if ((out = fdopen(copy, "w")) == NULL) {
		fd_close(&copy);
		return (-1);
	}
	config_print(cfg, false, out);
	error = ferror(out);
	if (fclose(out) != 0 || error)
		return (-1);
	return (fcntl(fd, F_ADD_SEALS,
	    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

int
heritage_config_fd(const struct config *cfg)
{
	int fd;

	fd = memfd_create("cgthread-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return (-1);
	if (config_write(cfg, fd) == -1)
		fd_close(&fd);
	return (fd);
}

/* ---- out ---- */

static int
export_number(const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return (setenv(name, text, 1));
}

static int
export_listeners(const struct heritage *heritage)
{
	char text[LIST_SIZE] = "";
	size_t i, at = 0;

	ASSERT(heritage->nlisten <= HERITAGE_LISTENERS_MAX);
	for (i = 0; i < heritage->nlisten; i++) {
		if (fd_set_cloexec(heritage->listen_fds[i], 0) == -1)
			return (-1);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d",
		    i > 0 ? "," : "", heritage->listen_fds[i]);
		ASSERT(at < sizeof(text));
	}
	return (setenv(listen_name, text, 1));
}

int
heritage_export(const struct heritage *heritage)
{
	size_t i;
	int fd;

	for (i = 0; i < nitems(descriptors); i++) {
		fd = *field_of(heritage, &descriptors[i]);
		if (!(fd == -1 && descriptors[i].optional) &&
		    fd_set_cloexec(fd, 0) == -1)
			return (-1);
		if (export_number(descriptors[i].name, fd) == -1)
			return (-1);
	}
	if (setenv(version_name, CGTHREAD_VERSION, 1) == -1 ||
	    export_number(slot_name, heritage->slot) == -1 ||
	    export_number(master_name, heritage->master) == -1)
		return (-1);
	return (export_listeners(heritage));
}

/* ---- in ---- */

static int
not_by_cgthread(const char *name)
{
	log_errorx("%s is not in the environment: this program is started by "
		   "cgthread, not by hand",
	    name);
	return (-1);
}

/* Programs of two installations may meet, or a worker may have been forgotten:
 * what crosses, and the scoreboard, differ from version to version. */
static int
import_version(void)
{
	const char *version = getenv(version_name);

	if (version == NULL)
		return (not_by_cgthread(version_name));
	if (strcmp(version, CGTHREAD_VERSION) == 0)
		return (0);
	log_errorx("%s is of version " CGTHREAD_VERSION ", cgthread of %s: "
		   "build and install it again",
	    program_invocation_short_name, version);
	return (-1);
}

/* A number from the environment, min to max. */
static int
import_number(const char *name, int64_t min, int64_t max, int64_t *value)
{
	const char *text = getenv(name), *why;

	if (text == NULL)
		return (not_by_cgthread(name));
	if (num_parse(text, value, &why) == -1 || *value < min ||
	    *value > max) {
		log_errorx("%s=%s: not a number from %" PRId64 " to %" PRId64,
		    name, text, min, max);
		return (-1);
	}
	return (0);
}

/* Ours again, and of no program that we start. */
static int
take_descriptor(const char *name, int fd)
{
	if (fd_set_cloexec(fd, 1) == 0)
		return (0);
	log_error("%s: descriptor %d", name, fd);
	return (-1);
}

static int
import_descriptor(struct heritage *heritage, const struct descriptor *d)
{
	int64_t fd;

	if (import_number(d->name, d->optional ? -1 : 0, INT_MAX, &fd) == -1)
		return (-1);
	*field_of(heritage, d) = (int)fd;
	return (fd == -1 ? 0 : take_descriptor(d->name, (int)fd));
}

/* "5,6", or nothing; text is cut at its commas. */
static int
import_listeners(struct heritage *heritage, char *text)
{
	const char *item, *why;
	int64_t fd;

	heritage->nlisten = 0;
	if (*text == '\0')
		return (0);
	while ((item = strsep(&text, ",")) != NULL) {
		if (num_parse(item, &fd, &why) == -1 || fd < 0 ||
		    fd > INT_MAX ||
		    heritage->nlisten == HERITAGE_LISTENERS_MAX) {
			log_errorx("%s: not a list of at most %d descriptors",
			    listen_name, HERITAGE_LISTENERS_MAX);
			return (-1);
		}
		if (take_descriptor(listen_name, (int)fd) == -1)
			return (-1);
		heritage->listen_fds[heritage->nlisten++] = (int)fd;
	}
	return (0);
}

static int
import_all(struct heritage *heritage)
{
	char list[LIST_SIZE];
	const char *text;
	int64_t slot, master;
	size_t i;

	if (import_version() == -1 ||
	    import_number(slot_name, 1, INT_MAX, &slot) == -1 ||
	    import_number(master_name, 1, INT_MAX, &master) == -1)
		return (-1);
	heritage->slot = (unsigned)slot;
	heritage->master = (pid_t)master;
	for (i = 0; i < nitems(descriptors); i++)
		if (import_descriptor(heritage, &descriptors[i]) == -1)
			return (-1);

	text = getenv(listen_name);
	if (text == NULL || strlen(text) >= sizeof(list)) {
		log_errorx("%s is %s", listen_name,
		    text == NULL ? "not in the environment" : "too long");
		return (-1);
	}
	memcpy(list, text, strlen(text) + 1);
	return (import_listeners(heritage, list));
}

int
heritage_import(struct heritage *heritage)
{
	size_t i;
	int error;

	memset(heritage, 0, sizeof(*heritage));
	error = import_all(heritage);
	for (i = 0; i < nitems(descriptors); i++)
		unsetenv(descriptors[i].name);
	unsetenv(version_name);
	unsetenv(slot_name);
	unsetenv(master_name);
	unsetenv(listen_name);
	return (error);
}
