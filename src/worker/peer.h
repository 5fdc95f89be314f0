/*
 * peer - the two ends of a connection, as an application sees them.
 */
#ifndef CGTHREAD_PEER_H
#define CGTHREAD_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The client's end, small, since every idle connection has one. */
struct peer {
	uint8_t family; /* AF_INET, AF_INET6, or AF_UNIX: no address */
	uint16_t port;  /* host order */
	uint8_t address[16];
};

/* Our end: one for each listener, for the life of the worker. */
struct local {
	bool is_unix;
	char host[INET6_ADDRSTRLEN + 2]; /* as in a URL: "127.0.0.1", "[::1]" */
	char port[6];                    /* decimal; both "" for unix */
};

void peer_from_sockaddr(struct peer *, const struct sockaddr *);

/*
 * AF_INET6 of 16 bytes, or AF_INET of 4; the port is left.  An IPv4 address in
 * IPv6 clothes (::ffff:192.0.2.1) becomes the IPv4 address, as in cidr.h: by what
 * kind of socket somebody has come makes no difference.
 */
void peer_set_address(struct peer *, int family, const void *address);

/* The address as text, "" for a unix socket; returns buf. */
const char *peer_format(const struct peer *, char buf[INET6_ADDRSTRLEN]);

/* Reads the listener's own name.  0, or -1 with errno. */
int local_from_fd(struct local *, int fd);

#endif
