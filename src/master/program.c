/* program - see program.h. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "log.h"

/* dir/name into path; false if that is no program. */
static bool
is_program(char path[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return (n > 0 && n < PATH_MAX && access(path, X_OK) == 0);
}

/* The directory of our own executable; "" if it cannot be told. */
static void
own_directory(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(dir, '/')) != NULL)
		*slash = '\0';
}

/* An installation may have been moved: PREFIX/sbin and PREFIX/libexec go
 * together. */
static bool
is_installed_beside(char path[PATH_MAX], const char *dir)
{
	char libexec[PATH_MAX];
	int n =
	    snprintf(libexec, sizeof(libexec), "%s/../libexec/cgthread", dir);

	return (n > 0 && n < PATH_MAX &&
		is_program(path, libexec, CGTHREAD_WORKER));
}

int
program_find_worker(char path[PATH_MAX])
{
	const char *other = secure_getenv("CGTHREAD_WORKER_PROGRAM");
	char dir[PATH_MAX];

	if (other != NULL) {
		strlcpy(path, other, PATH_MAX);
		return (0);
	}
	own_directory(dir);
	if (is_program(path, dir, CGTHREAD_WORKER) ||
	    is_installed_beside(path, dir) ||
	    is_program(path, CGTHREAD_LIBEXECDIR, CGTHREAD_WORKER))
		return (0);
	log_critical("no worker program %s in %s or %s", CGTHREAD_WORKER, dir,
	    CGTHREAD_LIBEXECDIR);
	return (-1);
}
