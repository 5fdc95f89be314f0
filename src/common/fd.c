/* fd - see fd.h. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int saved_errno = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved_errno;
}

int
fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return (-1);
	return (fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

int
fd_set_cloexec(int fd, int on)
{
	return (fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
}

ssize_t
fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	size_t left = len;
	ssize_t n;

	while (left > 0) {
		n = write(fd, p, left);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (-1);
		p += n;
		left -= (size_t)n;
	}
	return ((ssize_t)len);
}

bool
fd_is_socket(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
}

ssize_t
fd_write_now(int fd, bool is_socket, const void *buf, size_t len)
{
	if (is_socket)
		return (send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	return (write(fd, buf, len));
}
