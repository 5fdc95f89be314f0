/* surroundings - see surroundings.h. */
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "log.h"
#include "unix_socket.h"

/* Descriptors of a worker that are no connections: its own, and what the
 * application has open. */
#define NOFILE_RESERVE 512

/* Whoever started us may have left us more than we asked for. */
static void
close_rest_on_exec(void)
{
	int fd, first = STDERR_FILENO + 1, limit = (int)sysconf(_SC_OPEN_MAX);

	if (close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* A kernel before 5.11. */
	for (fd = first; fd < limit; fd++)
		(void)fd_set_cloexec(fd, 1); /* EBADF: not open */
}

void
surroundings_init(void)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		exit(1); /* there may be nothing to say it on */
	close(fd);
	close_rest_on_exec();
}

void
surroundings_raise_fd_limit(int64_t max_connections)
{
	rlim_t needed = (rlim_t)max_connections + NOFILE_RESERVE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
		log_warn("getrlimit");
		return;
	}
	if (limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		log_warn("setrlimit");
	else if (limit.rlim_cur < needed)
		log_warnx(
		    "max_connections = %lld needs %llu descriptors in "
		    "each worker; the hard limit (ulimit -Hn) allows %llu",
		    (long long)max_connections, (unsigned long long)needed,
		    (unsigned long long)limit.rlim_cur);
	else
		log_debug("the limit on descriptors is now %llu",
		    (unsigned long long)limit.rlim_cur);
}

static int
check_socket_owner(const struct config *cfg)
{
	char why[160];
	uid_t uid;
	gid_t gid;

	if (unix_socket_parse_owner(
		cfg->socket_owner, &uid, &gid, why, sizeof(why)) == 0)
		return (0);
	log_critical("%s", why);
	return (-1);
}

/* As the workers will see it, who go to chdir first. */
static int
check_spool_dir(const struct config *cfg)
{
	const char *base = *cfg->chdir != '\0' ? cfg->chdir : ".";
	int at = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), error;
	struct stat st;

	if (at == -1)
		return (0); /* the worker says what is wrong with that */
	error = fstatat(at, cfg->spool_dir, &st, 0);
	if (error == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		error = -1;
	}
	if (error == 0)
		error = faccessat(at, cfg->spool_dir, W_OK | X_OK, AT_EACCESS);
	if (error == -1)
		log_critical("spool_dir = %s: not a directory to write in: %s",
		    cfg->spool_dir, strerrordesc_np(errno));
	fd_close(&at);
	return (error);
}

int
surroundings_check(const struct config *cfg)
{
	int owner = check_socket_owner(cfg), spool = check_spool_dir(cfg);

	return (owner == 0 && spool == 0 ? 0 : -1);
}
