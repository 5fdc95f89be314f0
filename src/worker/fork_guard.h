/*
 * fork_guard - what a process that the application forks must not keep.
 *
 * A multiprocessing child is a copy of the worker with all its descriptors: it
 * would hold the port open after the server has ended, and clients' connections
 * after they were closed; its copy of our signal handlers would write into the
 * worker's own loop.  So every descriptor of the server is registered here, and
 * a pthread_atfork handler closes them in the child and gives the signals back
 * their defaults.  Not so the file of a long request body: it is mapped into the
 * memory that the child has, and the request may be read there.
 *
 * Threads: registered descriptors are opened and closed by the loop (or the main
 * thread before it), those of files that are sent also by the threads that
 * answer; fork() may happen in any thread.  One lock makes them exclude each
 * other, so that a child can neither miss a connection that was just accepted nor
 * keep one that is just being closed.  It is held for one system call and taken
 * by nobody who waits.
 */
#ifndef CGTHREAD_FORK_GUARD_H
#define CGTHREAD_FORK_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

/* Before the first fork and the first thread; exits on failure. */
void fork_guard_start(void);

void fork_guard_add(int fd); /* ignores -1 */
/* All that is open now, but for standard ones and this; exits on failure. */
void fork_guard_add_open(int except);
/* accept4(2), registered before any child can see it. */
int fork_guard_accept(int fd, struct sockaddr *, socklen_t *, int flags);
/* A copy beyond the standard ones, likewise; -1 with errno. */
int fork_guard_dup(int fd);
/* recvmsg(2) without waiting; the same for all descriptors that come along. */
ssize_t fork_guard_receive(int fd, struct msghdr *, int flags);
/* close(2), gone from the register before any child can miss it; *fd = -1, errno
 * is kept.  Also for one that was never registered. */
void fork_guard_close(int *fd);

/* True in a process that the application forked; any thread. */
bool fork_guard_in_child(void);

#endif
