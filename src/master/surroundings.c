/* surroundings - see surroundings.h. */
#include "surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

/* Descriptors of a worker that are no connections: its own, and what the
 * application has open. */
#define NOFILE_RESERVE 512

void
surroundings_init(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		exit(1); /* there may be nothing to say it on */
	close(fd);
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
