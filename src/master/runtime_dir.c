/* runtime_dir - see runtime_dir.h. */
#include "runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/string.h>

#include "fd.h"
#include "log.h"
#include "scoreboard.h"

static const char scoreboard_name[] = "scoreboard";

/* ---- names ---- */

static bool
is_name_char(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
}

void
runtime_dir_name(const struct config *cfg, char name[RUNTIME_DIR_NAME_SIZE])
{
	const char *from = "default";
	char *dot, *p;

	if (*cfg->proc_name != '\0') {
		from = cfg->proc_name;
	} else if (cfg->file != NULL) {
		from = strrchr(cfg->file, '/');
		from = from != NULL ? from + 1 : cfg->file;
	}
	strlcpy(name, from, RUNTIME_DIR_NAME_SIZE);
	if (*cfg->proc_name == '\0' && (dot = strrchr(name, '.')) > name)
		*dot = '\0';
	for (p = name; *p != '\0'; p++)
		if (!is_name_char(*p) || (p == name && *p == '.'))
			*p = '_';
}

/* parent/cgthread/NAME; -1 if it does not fit. */
static int
default_path(const char *parent, const struct config *cfg, char path[PATH_MAX])
{
	char name[RUNTIME_DIR_NAME_SIZE];
	int n;

	runtime_dir_name(cfg, name);
	n = snprintf(path, PATH_MAX, "%s/cgthread/%s", parent, name);
	return (n > 0 && n < PATH_MAX ? 0 : -1);
}

/* Leaves "" where there is no usual place. */
static void
choose_path(struct runtime_dir *dir, const struct config *cfg)
{
	const char *parent =
	    geteuid() == 0 ? "/run" : secure_getenv("XDG_RUNTIME_DIR");

	if (*cfg->runtime_dir != '\0')
		strlcpy(dir->path, cfg->runtime_dir, sizeof(dir->path));
	else if (parent == NULL || *parent != '/' ||
		 default_path(parent, cfg, dir->path) == -1)
		dir->path[0] = '\0';
}

/* ---- the directory ---- */

static int
make_one(const char *path)
{
	if (mkdir(path, 0755) == 0)
		return (chmod(path, 0755)); /* whatever the umask */
	return (errno == EEXIST ? 0 : -1);
}

/* It, and the one above it. */
static int
make_directory(const char *path)
{
	char parent[PATH_MAX], *slash;

	strlcpy(parent, path, sizeof(parent));
	slash = strrchr(parent, '/');
	if (slash != NULL && slash != parent) {
		*slash = '\0';
		if (make_one(parent) == -1)
			return (-1);
	}
	return (make_one(path));
}

/* Nobody else may put files where we are to find our own. */
static bool
is_ours(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return (false);
	if (st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return (true);
	errno = EPERM;
	return (false);
}

static int
take_directory(struct runtime_dir *dir)
{
	if (make_directory(dir->path) == -1)
		return (-1);
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd == -1 || !is_ours(dir->fd))
		return (-1);
	dir->lock_fd = openat(
	    dir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dir->lock_fd == -1)
		return (-1);
	return (flock(dir->lock_fd, LOCK_EX | LOCK_NB));
}

void
runtime_dir_none(struct runtime_dir *dir)
{
	*dir = (struct runtime_dir){.fd = -1, .lock_fd = -1};
}

int
runtime_dir_open(struct runtime_dir *dir, const struct config *cfg)
{
	bool is_wanted = *cfg->runtime_dir != '\0';

	runtime_dir_none(dir);
	choose_path(dir, cfg);
	if (dir->path[0] == '\0') {
		log_debug("no runtime_dir: the scoreboard has no name");
		return (0);
	}
	if (take_directory(dir) == 0) {
		log_debug("runtime_dir is %s", dir->path);
		return (0);
	}
	if (errno == EWOULDBLOCK) {
		log_warnx("runtime_dir %s is another server's, which runs: "
			  "this one does without; set proc_name or runtime_dir",
		    dir->path);
		is_wanted = false;
	} else if (is_wanted) {
		log_error("runtime_dir %s", dir->path);
	} else {
		log_warn("runtime_dir %s: doing without", dir->path);
	}
	runtime_dir_close(dir);
	return (is_wanted ? -1 : 0);
}

void
runtime_dir_close(struct runtime_dir *dir)
{
	if (dir->has_scoreboard)
		(void)unlinkat(dir->fd, scoreboard_name, 0);
	fd_close(&dir->fd);
	fd_close(&dir->lock_fd);
	runtime_dir_none(dir);
}

/* ---- the scoreboard ---- */

/* Always a new file: the old one may be mapped, by a reader or by workers of a
 * master that was killed. */
static int
make_file(struct runtime_dir *dir)
{
	int fd;

	if (dir->fd == -1)
		return (memfd_create("cgthread-scoreboard", MFD_CLOEXEC));
	if (unlinkat(dir->fd, scoreboard_name, 0) == -1 && errno != ENOENT)
		return (-1);
	fd = openat(dir->fd, scoreboard_name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd != -1)
		dir->has_scoreboard = true;
	return (fd);
}

int
runtime_dir_scoreboard(struct runtime_dir *dir, unsigned nlines)
{
	int fd = make_file(dir);

	if (fd == -1 || fchmod(fd, 0640) == -1 ||
	    scoreboard_write(fd, nlines) == -1) {
		log_error(
		    "scoreboard in %s", dir->fd != -1 ? dir->path : "memory");
		fd_close(&fd);
	}
	return (fd);
}
