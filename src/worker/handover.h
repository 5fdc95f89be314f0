/*
 * handover - a second accept queue, from workers to workers.
 *
 * One AF_UNIX SOCK_SEQPACKET pair that the master keeps and all workers share:
 * what one sends, any other may take, like a connection that waits on a
 * listener.  A message is a descriptor (SCM_RIGHTS) and its ticket; a message
 * of another version or length is refused, and its descriptor closed.
 *
 * Nobody waits here.  Where the queue is full, or the kernel lets no more
 * descriptors be under way (EAGAIN, ETOOMANYREFS), the sender keeps what it has.
 * Nor is anything lost at the limit on descriptors, where recvmsg(2) would drop
 * the connection silently: a reserve is kept open, and given up for the moment
 * of receiving only.
 *
 * The loop thread only.
 */
#ifndef CGTHREAD_HANDOVER_H
#define CGTHREAD_HANDOVER_H

#include <stdint.h>

#include "peer.h"

struct handover {
	int send_fd, receive_fd; /* not owned */
	int null_fd;
	int reserve_fd; /* a copy of it; -1: none to be had */
};

struct handover_ticket {
	unsigned listener; /* its index */
	unsigned hops;     /* how often the connection has moved */
	struct peer peer;
	uint64_t sent_ms;     /* CLOCK_MONOTONIC, by handover_send() */
	uint64_t deadline_ms; /* of what it waits for; 0: has not begun */
};

enum handover_result {
	HANDOVER_ONE,
	HANDOVER_NONE,    /* the queue is empty */
	HANDOVER_NO_ROOM, /* no descriptor left: the connection waits there */
	HANDOVER_REFUSED /* that was no connection of ours; the reason logged */
};

/* 0, or -1 with errno. */
int handover_open(struct handover *, int send_fd, int receive_fd);
void handover_close(struct handover *);

/* 0, or -1 with errno; fd stays open and the caller's, either way. */
int handover_send(
    const struct handover *, int fd, const struct handover_ticket *);

/* How long the next one has waited; -1: there is none. */
int64_t handover_age_ms(const struct handover *);

/* *fd is non-blocking and registered with fork_guard. */
enum handover_result handover_receive(
    struct handover *, int *fd, struct handover_ticket *);

#endif
