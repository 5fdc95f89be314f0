/* fork_guard: what a forked child of the application keeps, and what not. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork_guard.h"
#include "macros.h"

TestSuite(fork_guard, .init = fork_guard_start, .timeout = 20);

static bool
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

/* Runs in a forked child; its result is the exit status. */
static int
in_child(int (*fn)(int), int fd)
{
	pid_t pid = fork();
	int status;

	cr_assert_neq(pid, -1);
	if (pid == 0)
		_exit(fn(fd));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

static int
tell_open(int fd)
{
	return (is_open(fd));
}

static int
tell_in_child(int fd UNUSED)
{
	return (fork_guard_in_child());
}

Test(fork_guard, registered_descriptor_is_closed_in_the_child_only)
{
	int fd = dup(STDERR_FILENO);

	fork_guard_add(fd);
	cr_expect_eq(in_child(tell_open, fd), 0);
	cr_expect(is_open(fd));
}

Test(fork_guard, copy_is_closed_in_the_child_and_its_number_is_free_again)
{
	int copy = fork_guard_dup(STDERR_FILENO), other;

	cr_assert_gt(copy, STDERR_FILENO);
	cr_expect_eq(fcntl(copy, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(in_child(tell_open, copy), 0);
	other = copy;
	fork_guard_close(&copy);
	cr_assert_eq(dup2(STDERR_FILENO, other), other);
	cr_expect_eq(in_child(tell_open, other), 1);
	cr_expect_eq(fork_guard_dup(-1), -1);
	cr_expect_eq(errno, EBADF);
}

Test(fork_guard, other_descriptors_stay_open_in_the_child)
{
	int fd = dup(STDERR_FILENO);

	cr_expect_eq(in_child(tell_open, fd), 1);
}

Test(fork_guard, closed_descriptor_is_forgotten)
{
	int fd = dup(STDERR_FILENO), again, was = fd;

	fork_guard_add(fd);
	fork_guard_close(&fd);
	cr_expect_eq(fd, -1);
	cr_expect_not(is_open(was));
	fork_guard_close(&fd); /* nothing to close */
	again = dup(STDERR_FILENO);
	cr_assert_eq(again, was);
	cr_expect_eq(in_child(tell_open, again), 1);
}

Test(fork_guard, accepted_connection_is_registered)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int client = socket(AF_INET, SOCK_STREAM, 0), fd;
	socklen_t len = sizeof(in);

	cr_assert_eq(bind(listener, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&in, len), 0);
	fd = fork_guard_accept(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_neq(fd, -1);
	cr_expect_eq(in_child(tell_open, fd), 0);
	cr_expect_eq(in_child(tell_open, client), 1);
}

Test(fork_guard, received_descriptor_is_registered)
{
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = space,
	    .msg_controllen = sizeof(space)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int ends[2], fd = STDERR_FILENO;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	cr_expect_eq(fork_guard_receive(ends[1], &msg, 0), -1);
	cr_expect_eq(errno, EAGAIN);
	msg.msg_controllen = sizeof(space);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	cr_assert_eq(sendmsg(ends[0], &msg, 0), 1);
	cr_assert_eq(fork_guard_receive(ends[1], &msg, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	cr_expect(is_open(fd));
	cr_expect_eq(in_child(tell_open, fd), 0);
}

Test(fork_guard, child_knows_what_it_is)
{
	cr_expect_not(fork_guard_in_child());
	cr_expect_eq(in_child(tell_in_child, 0), 1);
	cr_expect_not(fork_guard_in_child());
}

static void
do_nothing(int signo UNUSED)
{
}

static int
tell_default_signal(int signo)
{
	struct sigaction sa;

	sigaction(signo, NULL, &sa);
	return (sa.sa_handler == SIG_DFL);
}

Test(fork_guard, child_has_default_signals)
{
	struct sigaction sa = {.sa_handler = do_nothing};

	sigaction(SIGTERM, &sa, NULL);
	cr_expect_eq(in_child(tell_default_signal, SIGTERM), 1);
	cr_expect_not(tell_default_signal(SIGTERM));
}

/* Sent at once, so that it is there before the child has run at all. */
Test(fork_guard, signal_that_comes_early_is_the_childs_own)
{
	struct sigaction sa = {.sa_handler = do_nothing};
	int i, status;
	pid_t pid;

	sigaction(SIGTERM, &sa, NULL);
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0)
			for (;;)
				pause();
		cr_assert_eq(kill(pid, SIGTERM), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSIGNALED(status));
	}
}

static int
fork_again(int fd)
{
	return (in_child(tell_open, fd));
}

Test(fork_guard, grandchild_does_not_close_what_its_parent_opened)
{
	int fd = dup(STDERR_FILENO);

	fork_guard_add(fd);
	/* In the child the number is free and may be anything else. */
	fd = dup(STDERR_FILENO);
	cr_expect_eq(in_child(fork_again, fd), 1);
}
