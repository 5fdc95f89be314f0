#include "listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "log_capture.h"
#include "macros.h"

static struct config *cfg;
static int log_fd;

static void
set_up(void)
{
	log_fd = log_capture();
	cfg = config_new();
	strings_clear(&cfg->bind);
}

static void
tear_down(void)
{
	config_free(&cfg);
}

static struct listeners *
open_at(const char *address)
{
	strings_clear(&cfg->bind);
	strings_add(&cfg->bind, address);
	return (listeners_open(cfg));
}

static int
option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	cr_assert_eq(getsockopt(fd, level, option, &value, &len), 0);
	return (value);
}

static bool
has_ipv6(void)
{
	const struct sockaddr_in6 sin6 = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd != -1 &&
		   bind(fd, (const struct sockaddr *)&sin6, sizeof(sin6)) == 0;

	if (fd != -1)
		close(fd);
	return (has);
}

/* A stream socket on a port of its own; it listens if wanted. */
static int
given_socket(bool listens)
{
	const struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_neq(fd, -1);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	if (listens)
		cr_assert_eq(listen(fd, 8), 0);
	return (fd);
}

/* The address that leads to fd, as the server names it. */
static const char *
name_of(int fd)
{
	static char name[64];
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(
	    name, sizeof(name), "http://127.0.0.1:%d", ntohs(sin.sin_port));
	return (name);
}

static int
port_of(const char *name)
{
	return (atoi(strrchr(name, ':') + 1));
}

TestSuite(listener, .init = set_up, .fini = tear_down);

Test(listener, names_the_port_that_the_kernel_chose)
{
	struct listeners *ls = open_at("127.0.0.1:0");

	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_assert_eq(listeners_count(ls), 1);
	cr_expect_str_eq(listeners_name(ls, 0), name_of(listeners_fds(ls)[0]));
	cr_expect_gt(port_of(listeners_name(ls, 0)), 0);
	listeners_log(ls);
	cr_expect_eq(
	    log_captured_count(log_fd, "listening on http://127.0.0.1:"), 1);
	listeners_close(&ls);
	cr_expect_null(ls);
}

Test(listener, is_ready_to_be_inherited_and_accepted_from)
{
	struct listeners *ls = open_at("127.0.0.1:0");
	int fd;

	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	fd = listeners_fds(ls)[0];
	cr_expect_eq(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	cr_expect_eq(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	listeners_close(&ls);
	cr_expect_eq(fcntl(fd, F_GETFD), -1, "closed");
}

Test(listener, takes_one_port_for_both_families)
{
	static const char *const addresses[] = {"*:0", ":0"};
	struct listeners *ls;
	size_t i;

	if (!has_ipv6())
		cr_skip("this host has no IPv6");
	for (i = 0; i < nitems(addresses); i++) {
		ls = open_at(addresses[i]);
		cr_assert_not_null(ls, "%s", log_captured(log_fd));
		cr_assert_eq(listeners_count(ls), 2, "%s", addresses[i]);
		cr_expect_eq(
		    strncmp(listeners_name(ls, 0), "http://0.0.0.0:", 15), 0,
		    "%s", listeners_name(ls, 0));
		cr_expect_eq(strncmp(listeners_name(ls, 1), "http://[::]:", 12),
		    0, "%s", listeners_name(ls, 1));
		cr_expect_eq(port_of(listeners_name(ls, 0)),
		    port_of(listeners_name(ls, 1)));
		cr_expect_eq(
		    option_of(listeners_fds(ls)[1], IPPROTO_IPV6, IPV6_V6ONLY),
		    1);
		listeners_close(&ls);
	}
}

Test(listener, puts_ipv6_in_brackets)
{
	struct listeners *ls;

	if (!has_ipv6())
		cr_skip("this host has no IPv6");
	ls = open_at("[::1]:0");
	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_eq(strncmp(listeners_name(ls, 0), "http://[::1]:", 13), 0,
	    "%s", listeners_name(ls, 0));
	listeners_close(&ls);
}

Test(listener, resolves_names)
{
	struct listeners *ls = open_at("localhost:0");

	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_geq(listeners_count(ls), 1);
	listeners_close(&ls);
}

Test(listener, opens_all_or_none)
{
	struct listeners *ls;
	int fd = given_socket(true);
	char taken[64];

	/* A unix socket shows that what was open is undone. */
	snprintf(taken, sizeof(taken), "%s", name_of(fd) + strlen("http://"));
	strings_add(&cfg->bind, "unix:/tmp/opens-all-or-none");
	strings_add(&cfg->bind, taken);
	ls = listeners_open(cfg);
	cr_expect_null(ls);
	cr_expect_eq(log_captured_count(log_fd, "\n"), 1, "one line");
	cr_expect_eq(log_captured_count(log_fd, taken), 1, "the address");
	cr_expect_eq(log_captured_count(log_fd, "Address already in use"), 1);
	cr_expect_eq(access("/tmp/opens-all-or-none", F_OK), -1);
	close(fd);
}

Test(listener, makes_a_unix_socket_with_the_mode_and_removes_it)
{
	char dir[] = "/tmp/listener-XXXXXX", address[64];
	struct listeners *ls;
	struct stat st;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix:%s/s", dir);
	cfg->socket_mode = 0640;
	ls = open_at(address);
	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_str_eq(listeners_name(ls, 0), address);
	cr_assert_eq(lstat(address + strlen("unix:"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640);
	cr_expect_eq(
	    option_of(listeners_fds(ls)[0], SOL_SOCKET, SO_ACCEPTCONN), 1);
	listeners_close(&ls);
	cr_expect_eq(access(address + strlen("unix:"), F_OK), -1);
	rmdir(dir);
}

Test(listener, takes_a_socket_that_it_is_given)
{
	int fd = given_socket(true);
	char address[32];
	struct listeners *ls;

	snprintf(address, sizeof(address), "fd://%d", fd);
	ls = open_at(address);
	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_eq(listeners_fds(ls)[0], fd);
	cr_expect_str_eq(listeners_name(ls, 0), name_of(fd));
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	listeners_close(&ls);
}

/* Opening "fd://N" fails, for that reason. */
static void
expect_refused(int fd, const char *why)
{
	char address[32];

	snprintf(address, sizeof(address), "fd://%d", fd);
	cr_expect_null(open_at(address), "%s", why);
	cr_expect_eq(log_captured_count(log_fd, address), 1, "%s", why);
	cr_expect_eq(log_captured_count(log_fd, why), 1, "%s: %s", why,
	    log_captured(log_fd));
}

Test(listener, refuses_what_it_cannot_serve_from)
{
	int ends[2];

	expect_refused(given_socket(false), "the socket does not listen");
	expect_refused(socket(AF_INET, SOCK_DGRAM, 0), "not a stream socket");
	cr_assert_eq(pipe(ends), 0);
	expect_refused(ends[0], "not a socket");
	expect_refused(999, "not open");
	expect_refused(2, "0, 1 and 2 are the standard descriptors");
}

Test(listener, refuses_a_descriptor_given_twice)
{
	char address[32];

	snprintf(address, sizeof(address), "fd://%d", given_socket(true));
	strings_add(&cfg->bind, address);
	strings_add(&cfg->bind, address);
	cr_expect_null(listeners_open(cfg));
	cr_expect_eq(log_captured_count(log_fd, "given twice"), 1);
}

Test(listener, refuses_more_sockets_than_can_be_handed_on)
{
	int i;

	for (i = 0; i < 65; i++)
		strings_add(&cfg->bind, "127.0.0.1:0");
	cr_expect_null(listeners_open(cfg));
	cr_expect_eq(
	    log_captured_count(log_fd, "too many listening sockets"), 1);
}

/* What the kernel allows; -1 if it does not say. */
static long
somaxconn(void)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
	long limit = -1;

	if (f == NULL)
		return (-1);
	if (fscanf(f, "%ld", &limit) != 1)
		limit = -1;
	fclose(f);
	return (limit);
}

Test(listener, warns_of_a_backlog_that_the_kernel_cuts)
{
	long limit = somaxconn();
	struct listeners *ls;

	if (limit == -1)
		cr_skip("the kernel does not say what it allows");
	cfg->backlog = limit;
	ls = open_at("127.0.0.1:0");
	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_str_empty(log_captured(log_fd));
	listeners_close(&ls);

	cfg->backlog = limit + 1;
	ls = open_at("127.0.0.1:0");
	cr_assert_not_null(ls, "%s", log_captured(log_fd));
	cr_expect_eq(log_captured_count(log_fd, "[warning]"), 1);
	cr_expect_eq(log_captured_count(log_fd, "backlog = "), 1);
	listeners_close(&ls);
}
