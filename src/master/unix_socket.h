/*
 * unix_socket - the file of a listening unix socket: whose it is, who may
 * connect, and that a dead server's does not stand in the way.
 */
#ifndef CGTHREAD_UNIX_SOCKET_H
#define CGTHREAD_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A file that we have made. */
struct unix_socket {
	char *path; /* NULL: none */
	dev_t dev;
	ino_t ino;
};

/*
 * Binds fd to path with that mode and owner ("", "USER", "USER:GROUP" or
 * ":GROUP").  A socket that nobody answers on is replaced, anything else is
 * not. 0, or -1 with what went wrong in why (of size bytes), and no file left
 * behind.
 */
int unix_socket_bind(struct unix_socket *, int fd, const char *path,
    mode_t mode, const char *owner, char *why, size_t size);

/* Removes the file, if it still is the one that we made. */
void unix_socket_remove(struct unix_socket *);

/*
 * "USER", "USER:GROUP", ":GROUP", by name or number; -1 for what is not given.
 * 0, or -1 with what is not known in why.
 */
int unix_socket_parse_owner(
    const char *owner, uid_t *, gid_t *, char *why, size_t size);

#endif
