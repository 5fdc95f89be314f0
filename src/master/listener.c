/* listener - see listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr.h"
#include "check.h"
#include "fd.h"
#include "heritage.h"
#include "log.h"
#include "unix_socket.h"

/* A name's first address got a port from the kernel that the others cannot
 * have: so often another one is asked for. */
#define PORT_TRIES 16

#define WHY_SIZE  160
#define NAME_SIZE (sizeof(((struct addr *)0)->path) + 16)

struct listeners {
	const struct config *cfg;
	size_t count;
	int fds[HERITAGE_LISTENERS_MAX];
	char names[HERITAGE_LISTENERS_MAX][NAME_SIZE];
	struct unix_socket files[HERITAGE_LISTENERS_MAX];
	char why[WHY_SIZE]; /* of the last failure */
};

static int
refuse(struct listeners *ls, const char *why)
{
	snprintf(ls->why, sizeof(ls->why), "%s", why);
	return (-1);
}

static int
refuse_errno(struct listeners *ls)
{
	return (refuse(ls, strerrordesc_np(errno)));
}

static int
set_on(int fd, int level, int option)
{
	int on = 1;

	return (setsockopt(fd, level, option, &on, sizeof(on)));
}

/* ---- names ---- */

static int
name_of_ip(const struct sockaddr *sa, socklen_t len, char name[NAME_SIZE])
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	bool v6 = sa->sa_family == AF_INET6;

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		errno = EAFNOSUPPORT;
		return (-1);
	}
	snprintf(name, NAME_SIZE, "http://%s%.64s%s:%s", v6 ? "[" : "", host,
	    v6 ? "]" : "", port);
	return (0);
}

/* What the kernel says that the socket is called.  0, or -1 with errno. */
static int
name_of_fd(int fd, char name[NAME_SIZE])
{
	union {
		struct sockaddr sa;
		struct sockaddr_un sun;
		struct sockaddr_storage ss;
	} u;
	socklen_t len = sizeof(u);

	memset(&u, 0, sizeof(u));
	if (getsockname(fd, &u.sa, &len) == -1)
		return (-1);
	if (u.sa.sa_family != AF_UNIX)
		return (name_of_ip(&u.sa, len, name));
	snprintf(name, NAME_SIZE, "unix:%.*s", (int)sizeof(u.sun.sun_path),
	    u.sun.sun_path);
	return (0);
}

/* ---- the set ---- */

/* Takes fd and the file; they are to be had by the workers from here on. */
static int
listeners_add(struct listeners *ls, int fd, struct unix_socket *file)
{
	size_t i = ls->count;

	ASSERT(i < HERITAGE_LISTENERS_MAX);
	if (name_of_fd(fd, ls->names[i]) == -1)
		return (refuse_errno(ls));
	ls->fds[i] = fd;
	ls->files[i] =
	    file != NULL ? *file : (struct unix_socket){.path = NULL};
	ls->count++;
	return (0);
}

/* Back to the first n. */
static void
listeners_truncate(struct listeners *ls, size_t n)
{
	while (ls->count > n) {
		ls->count--;
		unix_socket_remove(&ls->files[ls->count]);
		fd_close(&ls->fds[ls->count]);
	}
}

static int
check_room(struct listeners *ls)
{
	if (ls->count < HERITAGE_LISTENERS_MAX)
		return (0);
	return (refuse(ls, "too many listening sockets"));
}

/* ---- TCP ---- */

/* A listening socket at that address, or -1 with errno. */
static int
tcp_socket(const struct addrinfo *ai, int backlog)
{
	int fd;

	fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	/* NODELAY passes on to the accepted sockets.  An IPv6 socket takes no
	 * IPv4: what an address means is not the system's default to say. */
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
	    set_on(fd, IPPROTO_TCP, TCP_NODELAY) == -1 ||
	    (ai->ai_family == AF_INET6 &&
		set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 ||
	    listen(fd, backlog) == -1)
		fd_close(&fd);
	return (fd);
}

static in_port_t *
port_of(struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET6)
		return (&((struct sockaddr_in6 *)(void *)sa)->sin6_port);
	return (&((struct sockaddr_in *)(void *)sa)->sin_port);
}

/* The port, in network order, that the kernel has chosen for fd; 0 = error. */
static in_port_t
port_of_fd(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return (0);
	return (*port_of((struct sockaddr *)&ss));
}

/* /etc/hosts may say the same twice. */
static bool
is_repeated(const struct addrinfo *list, const struct addrinfo *ai)
{
	const struct addrinfo *p;

	for (p = list; p != ai; p = p->ai_next)
		if (p->ai_addrlen == ai->ai_addrlen &&
		    memcmp(p->ai_addr, ai->ai_addr, ai->ai_addrlen) == 0)
			return (true);
	return (false);
}

/* A host without IPv6 has names with IPv6 addresses all the same. */
static bool
is_missing_family(const struct addrinfo *ai)
{
	return (errno == EAFNOSUPPORT ||
		(errno == EADDRNOTAVAIL && ai->ai_family == AF_INET6));
}

/* One socket, at port.  1: added; 0: this host has no such addresses. */
static int
tcp_add(struct listeners *ls, const struct addrinfo *ai, in_port_t port)
{
	int fd;

	if (check_room(ls) == -1)
		return (-1);
	*port_of(ai->ai_addr) = port;
	if ((fd = tcp_socket(ai, (int)ls->cfg->backlog)) == -1) {
		refuse_errno(ls);
		return (is_missing_family(ai) ? 0 : -1);
	}
	if (listeners_add(ls, fd, NULL) == -1) {
		fd_close(&fd);
		return (-1);
	}
	return (1);
}

/* All addresses of the list, with one port; if that is 0, the first one's. */
static int
tcp_add_all(struct listeners *ls, const struct addrinfo *list, int port)
{
	const struct addrinfo *ai;
	in_port_t wanted = htons((uint16_t)port);
	size_t before = ls->count;

	for (ai = list; ai != NULL; ai = ai->ai_next) {
		if (is_repeated(list, ai))
			continue;
		if (tcp_add(ls, ai, wanted) == -1) {
			listeners_truncate(ls, before);
			return (-1);
		}
		if (wanted == 0 && ls->count > before)
			wanted = port_of_fd(ls->fds[before]);
	}
	return (ls->count > before ? 0 : -1);
}

static int
tcp_open(struct listeners *ls, const struct addr *addr)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int error, tries = 0, result;

	/* The port is put in later, but one of the two must be there. */
	error = getaddrinfo(
	    addr->host[0] != '\0' ? addr->host : NULL, "0", &hints, &list);
	if (error == EAI_SYSTEM)
		return (refuse_errno(ls));
	if (error != 0)
		return (refuse(ls, gai_strerror(error)));
	do {
		errno = 0;
		result = tcp_add_all(ls, list, addr->port);
	} while (result == -1 && addr->port == 0 && errno == EADDRINUSE &&
		 ++tries < PORT_TRIES);
	freeaddrinfo(list);
	return (result);
}

/* ---- unix sockets and those that we were given ---- */

static int
unix_open(struct listeners *ls, const struct addr *addr)
{
	const struct config *cfg = ls->cfg;
	struct unix_socket file = {.path = NULL};
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (refuse_errno(ls));
	if (unix_socket_bind(&file, fd, addr->path, (mode_t)cfg->socket_mode,
		cfg->socket_owner, ls->why, sizeof(ls->why)) == -1)
		goto fail;
	if (listen(fd, (int)cfg->backlog) == -1) {
		refuse_errno(ls);
		goto fail;
	}
	if (listeners_add(ls, fd, &file) == 0)
		return (0);
fail:
	unix_socket_remove(&file);
	fd_close(&fd);
	return (-1);
}

static int
get_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, option, &value, &len) == -1)
		return (-1);
	return (value);
}

/* NULL, or why fd is not to be served from. */
static const char *
what_is_wrong_with(const struct listeners *ls, int fd)
{
	size_t i;

	if (fd <= STDERR_FILENO)
		return ("0, 1 and 2 are the standard descriptors");
	for (i = 0; i < ls->count; i++)
		if (ls->fds[i] == fd)
			return ("given twice");
	if (fcntl(fd, F_GETFD) == -1)
		return ("not open");
	if (get_option(fd, SO_TYPE) == -1)
		return ("not a socket");
	if (get_option(fd, SO_TYPE) != SOCK_STREAM)
		return ("not a stream socket");
	if (get_option(fd, SO_ACCEPTCONN) != 1)
		return ("the socket does not listen");
	return (NULL);
}

/* The socket becomes ours: it is closed with the others. */
static int
fd_open(struct listeners *ls, const struct addr *addr)
{
	const char *why = what_is_wrong_with(ls, addr->fd);
	int domain;

	if (why != NULL)
		return (refuse(ls, why));
	domain = get_option(addr->fd, SO_DOMAIN);
	if (fd_set_nonblock(addr->fd) == -1 ||
	    fd_set_cloexec(addr->fd, 1) == -1)
		return (refuse_errno(ls));
	if ((domain == AF_INET || domain == AF_INET6) &&
	    set_on(addr->fd, IPPROTO_TCP, TCP_NODELAY) == -1)
		return (refuse_errno(ls));
	return (listeners_add(ls, addr->fd, NULL));
}

/* ---- all of them ---- */

static int
listeners_open_one(struct listeners *ls, const char *text)
{
	struct addr addr;
	const char *why;

	if (addr_parse(text, &addr, &why) == -1)
		return (refuse(ls, why));
	if (check_room(ls) == -1)
		return (-1);
	switch (addr.kind) {
	case ADDR_TCP:
		return (tcp_open(ls, &addr));
	case ADDR_UNIX:
		return (unix_open(ls, &addr));
	case ADDR_FD:
		return (fd_open(ls, &addr));
	}
	return (refuse(ls, "unknown kind of address"));
}

/* listen(2) cuts a longer backlog without a word. */
static void
warn_of_long_backlog(int64_t backlog)
{
	static const char path[] = "/proc/sys/net/core/somaxconn";
	FILE *f = fopen(path, "re");
	long limit;

	if (f == NULL)
		return;
	if (fscanf(f, "%ld", &limit) == 1 && backlog > limit)
		log_warnx("backlog = %lld: the kernel allows %ld (%s)",
		    (long long)backlog, limit, path);
	fclose(f);
}

struct listeners *
listeners_open(const struct config *cfg)
{
	struct listeners *ls = calloc(1, sizeof(*ls));
	size_t i;

	if (ls == NULL)
		fatal("listeners");
	ls->cfg = cfg;
	warn_of_long_backlog(cfg->backlog);
	for (i = 0; i < cfg->bind.count; i++) {
		if (listeners_open_one(ls, cfg->bind.items[i]) == 0)
			continue;
		log_critical(
		    "cannot listen on %s: %s", cfg->bind.items[i], ls->why);
		listeners_close(&ls);
		return (NULL);
	}
	return (ls);
}

void
listeners_close(struct listeners **lsp)
{
	struct listeners *ls = *lsp;

	*lsp = NULL;
	if (ls == NULL)
		return;
	listeners_truncate(ls, 0);
	free(ls);
}

void
listeners_log(const struct listeners *ls)
{
	size_t i;

	for (i = 0; i < ls->count; i++)
		log_info("listening on %s", ls->names[i]);
}

size_t
listeners_count(const struct listeners *ls)
{
	return (ls->count);
}

const int *
listeners_fds(const struct listeners *ls)
{
	return (ls->fds);
}

const char *
listeners_name(const struct listeners *ls, size_t i)
{
	ASSERT(i < ls->count);
	return (ls->names[i]);
}
