/* peer: the ends of a connection as text. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"

TestSuite(peer, .timeout = 20);

Test(peer, ipv4_has_address_and_port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(54321)};
	char text[INET6_ADDRSTRLEN];
	struct peer peer;

	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	peer_from_sockaddr(&peer, (struct sockaddr *)&in);
	cr_expect_str_eq(peer_format(&peer, text), "192.0.2.7");
	cr_expect_eq(peer.port, 54321);
}

Test(peer, ipv6_has_address_and_port)
{
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(1)};
	char text[INET6_ADDRSTRLEN];
	struct peer peer;

	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	peer_from_sockaddr(&peer, (struct sockaddr *)&in6);
	cr_expect_str_eq(peer_format(&peer, text), "2001:db8::1");
	cr_expect_eq(peer.port, 1);
}

/* Of a socket for both families, or in IPv6 clothes from a proxy. */
Test(peer, ipv4_within_ipv6_is_ipv4)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = 256};
	char text[INET6_ADDRSTRLEN];
	struct peer peer;

	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	peer_from_sockaddr(&peer, (struct sockaddr *)&in6);
	cr_expect_eq(peer.family, AF_INET);
	cr_expect_str_eq(peer_format(&peer, text), "192.0.2.7");
	cr_expect_eq(peer.port, 1);
}

Test(peer, unix_socket_has_no_address)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char text[INET6_ADDRSTRLEN];
	struct peer peer;

	peer_from_sockaddr(&peer, (struct sockaddr *)&un);
	cr_expect_str_eq(peer_format(&peer, text), "");
	cr_expect_eq(peer.family, AF_UNIX);
}

Test(peer, local_end_is_the_name_of_the_listener)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(in);
	struct local local;
	char port[16];

	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(local_from_fd(&local, fd), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	snprintf(port, sizeof(port), "%d", ntohs(in.sin_port));
	cr_expect_str_eq(local.host, "127.0.0.1");
	cr_expect_str_eq(local.port, port);
	cr_expect_not(local.is_unix);
	close(fd);
}

Test(peer, local_end_in_ipv6_is_in_brackets)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct local local;

	if (fd == -1)
		cr_skip_test("no IPv6 here");
	cr_assert_eq(bind(fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
	cr_assert_eq(local_from_fd(&local, fd), 0);
	cr_expect_str_eq(local.host, "[::]");
	close(fd);
}

Test(peer, local_end_of_a_unix_socket_has_no_port)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct local local;

	cr_assert_eq(local_from_fd(&local, fd), 0);
	cr_expect(local.is_unix);
	cr_expect_str_eq(local.host, "");
	cr_expect_str_eq(local.port, "");
	close(fd);
}

Test(peer, local_end_of_no_socket_is_an_error)
{
	struct local local;

	cr_expect_eq(local_from_fd(&local, -1), -1);
}
