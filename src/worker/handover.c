/* handover - see handover.h. */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fork_guard.h"
#include "log.h"

#define MAGIC   0x63677468u
#define VERSION 1

/* On the wire, between processes of one machine. */
struct message {
	uint32_t magic;
	uint16_t version;
	uint16_t length;
	uint32_t listener;
	uint8_t hops;
	uint8_t family;
	uint16_t port;
	uint8_t address[16];
	uint64_t sent_ms;
	uint64_t deadline_ms;
};
_Static_assert(sizeof(struct message) == 48, "no gaps");

/* Room for more than the one that we want, so that the others get closed. */
#define FDS_MAX 4

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* True if there is one. */
static bool
take_reserve(struct handover *h)
{
	h->reserve_fd = fcntl(h->null_fd, F_DUPFD_CLOEXEC, 0);
	fork_guard_add(h->reserve_fd);
	return (h->reserve_fd != -1);
}

int
handover_open(struct handover *h, int send_fd, int receive_fd)
{
	h->send_fd = send_fd;
	h->receive_fd = receive_fd;
	h->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	fork_guard_add(h->null_fd);
	return (take_reserve(h) ? 0 : -1);
}

void
handover_close(struct handover *h)
{
	fork_guard_close(&h->null_fd);
	fork_guard_close(&h->reserve_fd);
}

/* ---- sending ---- */

static void
message_fill(struct message *m, const struct handover_ticket *ticket)
{
	*m = (struct message){.magic = MAGIC,
	    .version = VERSION,
	    .length = sizeof(*m),
	    .listener = ticket->listener,
	    .hops = (uint8_t)ticket->hops,
	    .family = ticket->peer.family,
	    .port = ticket->peer.port,
	    .sent_ms = clock_ms(),
	    .deadline_ms = ticket->deadline_ms};
	memcpy(m->address, ticket->peer.address, sizeof(m->address));
}

int
handover_send(
    const struct handover *h, int fd, const struct handover_ticket *ticket)
{
	struct message message;
	struct iovec iov = {&message, sizeof(message)};
	union control control = {.space = {0}};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = CMSG_SPACE(sizeof(fd))};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	message_fill(&message, ticket);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return (sendmsg(h->send_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == -1
		    ? -1
		    : 0);
}

/* ---- receiving ---- */

int64_t
handover_age_ms(const struct handover *h)
{
	struct message message = {0};
	uint64_t now_ms;
	ssize_t n;

	n = recv(
	    h->receive_fd, &message, sizeof(message), MSG_PEEK | MSG_DONTWAIT);
	if (n == -1)
		return (-1);
	now_ms = clock_ms();
	return (
	    now_ms > message.sent_ms ? (int64_t)(now_ms - message.sent_ms) : 0);
}

/* All descriptors that came, FDS_MAX at most; how many. */
static size_t
take_descriptors(struct msghdr *msg, int fds[FDS_MAX])
{
	struct cmsghdr *cmsg;
	size_t n = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
		break; /* the kernel makes one of all */
	}
	return (n);
}

/* NULL, or why not. */
static const char *
judge(
    const struct message *m, size_t len, const struct msghdr *msg, size_t nfds)
{
	if (len < sizeof(*m) || m->magic != MAGIC)
		return ("not one of ours");
	if (m->version != VERSION || m->length != sizeof(*m) ||
	    len != sizeof(*m) || (msg->msg_flags & MSG_TRUNC))
		return ("of another version");
	if (nfds == 0 && (msg->msg_flags & MSG_CTRUNC))
		return ("its descriptor was lost: too many open files");
	if (nfds != 1)
		return ("not with one descriptor");
	if (m->family != AF_INET && m->family != AF_INET6 &&
	    m->family != AF_UNIX)
		return ("of an unknown family");
	return (NULL);
}

static void
ticket_fill(struct handover_ticket *ticket, const struct message *m)
{
	*ticket = (struct handover_ticket){.listener = m->listener,
	    .hops = m->hops,
	    .peer = {.family = m->family, .port = m->port},
	    .sent_ms = m->sent_ms,
	    .deadline_ms = m->deadline_ms};
	memcpy(ticket->peer.address, m->address, sizeof(m->address));
}

/*
 * The reserve makes room for what comes.  Another thread may open something
 * just then, but only at the limit, and for a moment, is that a loss.
 */
static ssize_t
receive_message(struct handover *h, struct msghdr *msg)
{
	int saved_errno;
	ssize_t n;

	fork_guard_close(&h->reserve_fd);
	n = fork_guard_receive(h->receive_fd, msg, 0);
	saved_errno = errno;
	(void)take_reserve(h);
	errno = saved_errno;
	return (n);
}

enum handover_result
handover_receive(struct handover *h, int *fd, struct handover_ticket *ticket)
{
	struct message message = {0};
	struct iovec iov = {&message, sizeof(message)};
	union control control;
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	int fds[FDS_MAX];
	const char *why;
	size_t nfds;
	ssize_t n;

	if (h->reserve_fd == -1 && !take_reserve(h))
		return (HANDOVER_NO_ROOM);
	n = receive_message(h, &msg);
	if (n == -1)
		return (HANDOVER_NONE);
	nfds = take_descriptors(&msg, fds);
	why = judge(&message, (size_t)n, &msg, nfds);
	if (why != NULL) {
		log_warnx("a connection from another worker: %s", why);
		while (nfds > 0)
			fork_guard_close(&fds[--nfds]);
		return (HANDOVER_REFUSED);
	}
	ticket_fill(ticket, &message);
	*fd = fds[0];
	return (HANDOVER_ONE);
}
