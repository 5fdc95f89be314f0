/* fork_guard - see fork_guard.h. */
#include "fork_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "log.h"
#include "macros.h"
#include "num.h"

static struct {
	pthread_mutex_t lock;
	uint64_t *bits; /* (lock) one for each possible descriptor */
	size_t nfds;    /* (const) */
	sigset_t mask;  /* (lock) of the thread that forks */
	atomic_bool in_child;
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const int worker_signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
    SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE, SIGALRM};

/*
 * The child may be sent a signal before it runs its first instruction: it has
 * to wait until the child has put our handlers away, which would take the
 * signal for one of the worker's own.
 */
static void
on_fork(void)
{
	sigset_t signals;
	size_t i;

	sigemptyset(&signals);
	for (i = 0; i < nitems(worker_signals); i++)
		sigaddset(&signals, worker_signals[i]);
	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	PTHREAD_OK(pthread_sigmask(SIG_BLOCK, &signals, &guard.mask));
}

static void
on_fork_parent(void)
{
	PTHREAD_OK(pthread_sigmask(SIG_SETMASK, &guard.mask, NULL));
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
}

/* Only this thread lives on; the lock is ours and the register is whole. */
static void
on_fork_child(void)
{
	size_t i, word;

	for (i = 0; i < nitems(worker_signals); i++)
		signal(worker_signals[i], SIG_DFL);
	for (word = 0; word < guard.nfds / 64; word++)
		while (guard.bits[word] != 0) {
			i = (size_t)__builtin_ctzll(guard.bits[word]);
			close((int)(word * 64 + i));
			guard.bits[word] &= ~(1ULL << i);
		}
	atomic_store(&guard.in_child, true);
	PTHREAD_OK(pthread_sigmask(SIG_SETMASK, &guard.mask, NULL));
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
}

void
fork_guard_start(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		fatal("getrlimit");
	guard.nfds = (size_t)limit.rlim_max;
	if (limit.rlim_max == RLIM_INFINITY || guard.nfds > 1 << 20)
		guard.nfds = 1 << 20;
	guard.nfds = (guard.nfds + 63) & ~(size_t)63;
	guard.bits = calloc(guard.nfds / 64, sizeof(*guard.bits));
	if (guard.bits == NULL)
		fatal("fork_guard");
	PTHREAD_OK(pthread_atfork(on_fork, on_fork_parent, on_fork_child));
}

/* (lock) */
static void
mark(int fd, bool on)
{
	uint64_t bit;

	if (fd < 0 || (size_t)fd >= guard.nfds)
		return;
	bit = 1ULL << (fd % 64);
	if (on)
		guard.bits[fd / 64] |= bit;
	else
		guard.bits[fd / 64] &= ~bit;
}

void
fork_guard_add(int fd)
{
	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	mark(fd, true);
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
}

void
fork_guard_add_open(int except)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	const char *why;
	int64_t fd;

	if (dir == NULL)
		fatal("/proc/self/fd");
	while ((entry = readdir(dir)) != NULL)
		if (num_parse(entry->d_name, &fd, &why) == 0 &&
		    fd > STDERR_FILENO && fd != dirfd(dir) && fd != except)
			fork_guard_add((int)fd);
	closedir(dir);
}

int
fork_guard_accept(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	int accepted, saved_errno;

	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	accepted = accept4(fd, sa, len, flags);
	saved_errno = errno;
	mark(accepted, true);
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
	errno = saved_errno;
	return (accepted);
}

/* (lock) */
static void
mark_received(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	size_t at;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (at = CMSG_LEN(0); at + sizeof(fd) <= cmsg->cmsg_len;
		     at += sizeof(fd)) {
			memcpy(&fd, (const char *)cmsg + at, sizeof(fd));
			mark(fd, true);
		}
	}
}

int
fork_guard_dup(int fd)
{
	int copy, saved_errno;

	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	saved_errno = errno;
	mark(copy, true);
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
	errno = saved_errno;
	return (copy);
}

ssize_t
fork_guard_receive(int fd, struct msghdr *msg, int flags)
{
	int saved_errno;
	ssize_t n;

	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	n = recvmsg(fd, msg, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	saved_errno = errno;
	if (n != -1)
		mark_received(msg);
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
	errno = saved_errno;
	return (n);
}

void
fork_guard_close(int *fd)
{
	int saved_errno = errno;

	if (*fd == -1)
		return;
	PTHREAD_OK(pthread_mutex_lock(&guard.lock));
	mark(*fd, false);
	close(*fd);
	PTHREAD_OK(pthread_mutex_unlock(&guard.lock));
	*fd = -1;
	errno = saved_errno;
}

bool
fork_guard_in_child(void)
{
	return (atomic_load_explicit(&guard.in_child, memory_order_relaxed));
}
