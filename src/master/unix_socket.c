/* unix_socket - see unix_socket.h. */
#include "unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsd/string.h>

#include "fd.h"
#include "log.h"
#include "num.h"

#define NAME_SIZE 64

static int
lookup_user(const char *name, uid_t *uid)
{
	const struct passwd *pw = getpwnam(name);
	const char *why;
	int64_t number;

	if (pw != NULL)
		*uid = pw->pw_uid;
	else if (num_parse(name, &number, &why) == 0 && number >= 0 &&
		 number < (int64_t)UINT32_MAX)
		*uid = (uid_t)number;
	else
		return (-1);
	return (0);
}

static int
lookup_group(const char *name, gid_t *gid)
{
	const struct group *gr = getgrnam(name);
	const char *why;
	int64_t number;

	if (gr != NULL)
		*gid = gr->gr_gid;
	else if (num_parse(name, &number, &why) == 0 && number >= 0 &&
		 number < (int64_t)UINT32_MAX)
		*gid = (gid_t)number;
	else
		return (-1);
	return (0);
}

int
unix_socket_parse_owner(
    const char *owner, uid_t *uid, gid_t *gid, char *why, size_t size)
{
	const char *colon = strchrnul(owner, ':');
	char user[NAME_SIZE];

	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if ((size_t)(colon - owner) >= sizeof(user)) {
		snprintf(why, size, "socket_owner: the name is too long");
		return (-1);
	}
	strlcpy(user, owner, (size_t)(colon - owner) + 1);
	if (user[0] != '\0' && lookup_user(user, uid) == -1) {
		snprintf(why, size, "socket_owner: no user \"%s\"", user);
		return (-1);
	}
	if (colon[0] == ':' && lookup_group(colon + 1, gid) == -1) {
		snprintf(why, size, "socket_owner: no group \"%s\"", colon + 1);
		return (-1);
	}
	return (0);
}

static void
address_of_path(struct sockaddr_un *sun, const char *path)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	strlcpy(sun->sun_path, path, sizeof(sun->sun_path));
}

/* Does anybody accept there?  errno is ECONNREFUSED if surely not. */
static bool
is_answered(const char *path)
{
	struct sockaddr_un sun;
	bool answered;
	int fd;

	address_of_path(&sun, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (false);
	/* EAGAIN: its backlog is full, so there is one. */
	answered = connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ||
		   errno == EAGAIN;
	fd_close(&fd);
	return (answered);
}

/* Makes way for us at path, if that harms nobody. */
static int
remove_stale(const char *path, char *why, size_t size)
{
	struct stat st;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT)
			return (0);
		snprintf(why, size, "%s", strerrordesc_np(errno));
		return (-1);
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, size, "the file exists and is not a socket");
		return (-1);
	}
	if (is_answered(path)) {
		snprintf(why, size, "another server answers there");
		return (-1);
	}
	if (errno == ECONNREFUSED && unlink(path) == 0)
		return (0);
	snprintf(why, size, "the socket that exists cannot be replaced: %s",
	    strerrordesc_np(errno));
	return (-1);
}

int
unix_socket_bind(struct unix_socket *us, int fd, const char *path, mode_t mode,
    const char *owner, char *why, size_t size)
{
	struct sockaddr_un sun;
	struct stat st;
	uid_t uid;
	gid_t gid;

	us->path = NULL;
	if (unix_socket_parse_owner(owner, &uid, &gid, why, size) == -1 ||
	    remove_stale(path, why, size) == -1)
		return (-1);

	address_of_path(&sun, path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		goto fail;
	if ((us->path = strdup(path)) == NULL)
		goto fail_bound;
	/* Nobody can connect before listen(2): no mode is too open till then.
	 * The owner goes first, since a change of it may clear mode bits. */
	if (lchown(path, uid, gid) == -1 || chmod(path, mode) == -1 ||
	    lstat(path, &st) == -1)
		goto fail_bound;
	us->dev = st.st_dev;
	us->ino = st.st_ino;
	return (0);

fail_bound:
	snprintf(why, size, "%s", strerrordesc_np(errno));
	free(us->path);
	us->path = NULL;
	unlink(path);
	return (-1);
fail:
	snprintf(why, size, "%s", strerrordesc_np(errno));
	return (-1);
}

void
unix_socket_remove(struct unix_socket *us)
{
	struct stat st;

	if (us->path == NULL)
		return;
	if (lstat(us->path, &st) == 0 && st.st_dev == us->dev &&
	    st.st_ino == us->ino && unlink(us->path) == -1)
		log_warn("%s cannot be removed", us->path);
	free(us->path);
	us->path = NULL;
}
