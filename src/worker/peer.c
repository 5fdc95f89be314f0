/* peer - see peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cidr.h"

void
peer_set_address(struct peer *peer, int family, const void *address)
{
	const uint8_t *bytes = address, *within;

	if (family == AF_INET6 && (within = cidr_mapped(bytes)) != NULL) {
		family = AF_INET;
		bytes = within;
	}
	peer->family = (uint8_t)family;
	memset(peer->address, 0, sizeof(peer->address));
	memcpy(peer->address, bytes, family == AF_INET ? 4 : 16);
}

void
peer_from_sockaddr(struct peer *peer, const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	memset(peer, 0, sizeof(*peer));
	peer->family = AF_UNIX;
	if (sa->sa_family == AF_INET) {
		peer_set_address(peer, AF_INET, &in->sin_addr);
		peer->port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		peer_set_address(peer, AF_INET6, &in6->sin6_addr);
		peer->port = ntohs(in6->sin6_port);
	}
}

const char *
peer_format(const struct peer *peer, char buf[INET6_ADDRSTRLEN])
{
	buf[0] = '\0';
	if (peer->family != AF_UNIX)
		inet_ntop(peer->family, peer->address, buf, INET6_ADDRSTRLEN);
	return (buf);
}

int
local_from_fd(struct local *local, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN];
	struct peer peer;
	bool v6;

	memset(local, 0, sizeof(*local));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return (-1);
	peer_from_sockaddr(&peer, (struct sockaddr *)&ss);
	local->is_unix = peer.family == AF_UNIX;
	/* As it stands in a URL: RFC 3875 4.1.14. */
	v6 = peer.family == AF_INET6;
	snprintf(local->host, sizeof(local->host), "%s%s%s", v6 ? "[" : "",
	    peer_format(&peer, host), v6 ? "]" : "");
	if (!local->is_unix)
		snprintf(local->port, sizeof(local->port), "%u", peer.port);
	return (0);
}
