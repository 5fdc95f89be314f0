/* fd - small helpers for descriptors. */
#ifndef CGTHREAD_FD_H
#define CGTHREAD_FD_H

#include <stddef.h>
#include <sys/types.h>

void fd_close(int *fd); /* if open; leaves -1; errno is kept */
int fd_set_nonblock(int fd);
int fd_set_cloexec(int fd, int on);
ssize_t fd_write_all(int fd, const void *buf, size_t len); /* blocking fds */

#endif
