/* handover - a connection crosses whole, or stays where it was. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fork_guard.h"
#include "handover.h"
#include "log.h"
#include "macros.h"

static struct handover handover;
static int ends[2], pipe_ends[2];

static void
setup(void)
{
	int null = open("/dev/null", O_WRONLY);

	log_init("test", null); /* refusals are not the test's */
	fork_guard_start();
	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	cr_assert_eq(pipe(pipe_ends), 0);
	cr_assert_eq(handover_open(&handover, ends[0], ends[1]), 0);
}

TestSuite(handover, .init = setup, .timeout = 20);

static const struct handover_ticket some_ticket = {.listener = 3,
    .hops = 1,
    .peer = {.family = AF_INET6, .port = 4711, .address = {1, 2, 15}},
    .deadline_ms = 77};

/* Are both descriptors of one pipe's writing end? */
static bool
is_pipe(int fd)
{
	char c = 0;

	return (write(fd, "x", 1) == 1 && read(pipe_ends[0], &c, 1) == 1 &&
		c == 'x');
}

static bool
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

static unsigned
open_count(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		n += is_open(fd);
	return (n);
}

Test(handover, carries_a_descriptor_and_its_ticket)
{
	struct handover_ticket got;
	int fd = -1;

	cr_expect_eq(handover_age_ms(&handover), -1);
	cr_assert_eq(handover_send(&handover, pipe_ends[1], &some_ticket), 0);
	cr_expect(is_open(pipe_ends[1]), "it is still the sender's");
	cr_expect_geq(handover_age_ms(&handover), 0);
	cr_assert_eq(handover_receive(&handover, &fd, &got), HANDOVER_ONE);
	cr_expect(is_pipe(fd));
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(got.listener, 3);
	cr_expect_eq(got.hops, 1);
	cr_expect_eq(got.peer.family, AF_INET6);
	cr_expect_eq(got.peer.port, 4711);
	cr_expect_arr_eq(got.peer.address, some_ticket.peer.address, 16);
	cr_expect_eq(got.deadline_ms, 77);
	cr_expect_leq(got.sent_ms, clock_ms());
	cr_expect_eq(handover_receive(&handover, &fd, &got), HANDOVER_NONE);
}

Test(handover, keeps_the_order)
{
	struct handover_ticket ticket = some_ticket, got;
	unsigned i;
	int fd;

	for (i = 0; i < 10; i++) {
		ticket.listener = i;
		cr_assert_eq(
		    handover_send(&handover, pipe_ends[1], &ticket), 0);
	}
	for (i = 0; i < 10; i++) {
		cr_assert_eq(
		    handover_receive(&handover, &fd, &got), HANDOVER_ONE);
		cr_expect_eq(got.listener, i);
		close(fd);
	}
}

Test(handover, leaves_the_sender_what_a_full_queue_has_no_room_for)
{
	struct handover_ticket got;
	unsigned sent = 0, received = 0;
	int fd;

	while (handover_send(&handover, pipe_ends[1], &some_ticket) == 0)
		sent++;
	cr_expect(errno == EAGAIN || errno == ETOOMANYREFS);
	cr_expect_geq(sent, 100);
	cr_expect(is_pipe(pipe_ends[1]));
	while (handover_receive(&handover, &fd, &got) == HANDOVER_ONE) {
		received++;
		close(fd);
	}
	cr_expect_eq(received, sent);
	cr_expect_eq(handover_send(&handover, pipe_ends[1], &some_ticket), 0);
}

/* The kernel counts for each user; root may do more. */
Test(handover, leaves_the_sender_what_may_not_be_under_way)
{
	struct rlimit limit = {.rlim_cur = 32, .rlim_max = 32};
	unsigned sent = 0;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (geteuid() == 0)
		cr_assert(setgroups(0, NULL) == 0 && setgid(54321) == 0 &&
			  setuid(54321) == 0);
	while (handover_send(&handover, pipe_ends[1], &some_ticket) == 0)
		sent++;
	cr_expect_eq(errno, ETOOMANYREFS);
	cr_expect_leq(sent, 34);
	cr_expect(is_pipe(pipe_ends[1]));
}

/* Nothing free but the reserve: what comes takes its place, and no more may
 * come until there is a reserve again. */
Test(handover, loses_nothing_at_the_limit_on_descriptors)
{
	struct rlimit limit;
	struct handover_ticket got;
	int fd, second, last, filler[64];
	unsigned i, n = 0;

	for (i = 0; i < 3; i++)
		cr_assert_eq(
		    handover_send(&handover, pipe_ends[1], &some_ticket), 0);
	limit.rlim_cur = limit.rlim_max = 40;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((last = dup(0)) != -1)
		filler[n++] = last;
	cr_assert_eq(errno, EMFILE);
	cr_assert_gt(n, 2);

	cr_assert_eq(handover_receive(&handover, &fd, &got), HANDOVER_ONE);
	cr_expect(is_pipe(fd));
	cr_expect_eq(handover.reserve_fd, -1);
	cr_expect_eq(
	    handover_receive(&handover, &second, &got), HANDOVER_NO_ROOM);
	cr_expect_eq(
	    handover_receive(&handover, &second, &got), HANDOVER_NO_ROOM);
	close(filler[0]);
	cr_assert_eq(handover_receive(&handover, &second, &got), HANDOVER_ONE);
	cr_expect(is_pipe(second));
	close(filler[1]);
	close(second);
	cr_assert_eq(handover_receive(&handover, &second, &got), HANDOVER_ONE);
	cr_expect(is_pipe(second));
	cr_expect_neq(handover.reserve_fd, -1);
	cr_expect_eq(handover_receive(&handover, &second, &got), HANDOVER_NONE);
}

/* ---- what is not ours ---- */

/* A message as it stands on the wire, with nfds descriptors. */
static void
send_raw(const void *bytes, size_t len, size_t nfds)
{
	char space[CMSG_SPACE(8 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	size_t i;

	memset(space, 0, sizeof(space));
	if (nfds > 0) {
		msg.msg_control = space;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &pipe_ends[1],
			    sizeof(int));
	}
	cr_assert_eq(sendmsg(ends[0], &msg, 0), (ssize_t)len);
}

/* Reads a good message off the wire. */
static size_t
good_message(unsigned char bytes[256])
{
	ssize_t n;

	cr_assert_eq(handover_send(&handover, pipe_ends[1], &some_ticket), 0);
	n = recv(ends[1], bytes, 256, 0);
	cr_assert_gt(n, 0);
	return ((size_t)n);
}

/* clang-format off */
static const struct {
	const char *why;
	int at, value;	/* one byte changed; -1: none */
	int longer;	/* bytes more */
	size_t nfds;
	enum handover_result want;
} messages[] = {
	{ "a good one",			-1, 0, 0, 1, HANDOVER_ONE },
	{ "another magic",		0, 0, 0, 1, HANDOVER_REFUSED },
	{ "a later version",		4, 2, 0, 1, HANDOVER_REFUSED },
	{ "an earlier version",		4, 0, 0, 1, HANDOVER_REFUSED },
	{ "another length promised",	6, 40, 0, 1, HANDOVER_REFUSED },
	{ "an unknown family",		13, 99, 0, 1, HANDOVER_REFUSED },
	{ "longer than it says",	-1, 0, 8, 1, HANDOVER_REFUSED },
	{ "shorter than it says",	-1, 0, -8, 1, HANDOVER_REFUSED },
	{ "shorter than a magic",	-1, 0, -46, 1, HANDOVER_REFUSED },
	{ "no descriptor",		-1, 0, 0, 0, HANDOVER_REFUSED },
	{ "two descriptors",		-1, 0, 0, 2, HANDOVER_REFUSED },
	{ "more than we have room for",	-1, 0, 0, 8, HANDOVER_REFUSED },
};
/* clang-format on */

Test(handover, refuses_what_it_does_not_know_and_closes_what_came)
{
	unsigned char bytes[256] = {0}, changed[256];
	size_t len = good_message(bytes), i;
	struct handover_ticket got;
	unsigned before = open_count();
	int fd;

	for (i = 0; i < nitems(messages); i++) {
		memcpy(changed, bytes, sizeof(changed));
		if (messages[i].at != -1)
			changed[messages[i].at] =
			    (unsigned char)messages[i].value;
		send_raw(changed, len + (size_t)messages[i].longer,
		    messages[i].nfds);
		cr_expect_eq(handover_receive(&handover, &fd, &got),
		    messages[i].want, "%s", messages[i].why);
		if (messages[i].want == HANDOVER_ONE)
			close(fd);
		cr_expect_eq(open_count(), before, "%s", messages[i].why);
	}
}
