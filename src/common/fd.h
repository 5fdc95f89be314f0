/* fd - small helpers for descriptors. */
#ifndef CGTHREAD_FD_H
#define CGTHREAD_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void fd_close(int *fd); /* if open; leaves -1; errno is kept */
int fd_set_nonblock(int fd);
int fd_set_cloexec(int fd, int on);
ssize_t fd_write_all(int fd, const void *buf, size_t len); /* blocking fds */

/*
 * One write(2) that does not wait for the reader of a socket, whose O_NONBLOCK
 * is not ours to set: whoever gave us the socket shares it.  EAGAIN instead.
 */
bool fd_is_socket(int fd);
ssize_t fd_write_now(int fd, bool is_socket, const void *buf, size_t len);

#endif
