/* addr - see addr.h. */
#include "addr.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <bsd/string.h>

#include "num.h"

#define PORT_MAX       65535
#define FD_MAX         1048575 /* what the kernel's fs.nr_open allows at most */
#define LABEL_MAX      63
#define NAME_BYTES_MAX 253

static int
addr_fail(const char *reason, const char **why)
{
	*why = reason;
	return (-1);
}

static int
parse_fd(const char *text, struct addr *addr, const char **why)
{
	int64_t fd;

	if (num_parse(text, &fd, why) == -1 || fd < 0 || fd > FD_MAX)
		return (addr_fail("not a descriptor such as fd://3", why));
	addr->kind = ADDR_FD;
	addr->fd = (int)fd;
	return (0);
}

static int
parse_unix(const char *path, struct addr *addr, const char **why)
{
	if (*path == '\0')
		return (addr_fail("no path after unix:", why));
	if (*path == '@')
		return (addr_fail("abstract sockets are not supported", why));
	if (strlen(path) >= sizeof(addr->path))
		return (addr_fail(
		    "path too long for a unix socket: at most 107 bytes", why));
	addr->kind = ADDR_UNIX;
	strlcpy(addr->path, path, sizeof(addr->path));
	return (0);
}

/* A name as DNS has it, and the "_" that container networks use. */
static bool
is_host_name(const char *name)
{
	size_t label = 0, i;

	for (i = 0; name[i] != '\0'; i++) {
		if (name[i] == '.') {
			if (label == 0)
				return (false);
			label = 0;
			continue;
		}
		if (strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			name[i]) == NULL ||
		    ++label > LABEL_MAX)
			return (false);
	}
	return (i > 0 && i <= NAME_BYTES_MAX);
}

/* Text between brackets: an IPv6 address, perhaps with the zone of a link. */
static bool
is_ipv6(const char *text)
{
	char buf[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	size_t len = strcspn(text, "%");

	if (len >= sizeof(buf) || (text[len] == '%' && text[len + 1] == '\0'))
		return (false);
	memcpy(buf, text, len);
	buf[len] = '\0';
	return (inet_pton(AF_INET6, buf, &in6) == 1);
}

static int
check_host(const char *host, bool bracketed, const char **why)
{
	struct in_addr in;

	if (bracketed)
		return (
		    is_ipv6(host)
			? 0
			: addr_fail("not an IPv6 address in brackets", why));
	if (strchr(host, ':') != NULL)
		return (addr_fail(
		    "an IPv6 address goes in brackets: [::1]:8000", why));
	if (*host == '\0')
		return (0);
	if (strspn(host, "0123456789.") == strlen(host))
		return (inet_pton(AF_INET, host, &in) == 1
			    ? 0
			    : addr_fail("not an IPv4 address", why));
	return (is_host_name(host) ? 0 : addr_fail("not a host name", why));
}

static int
parse_port(const char *text, int *port, const char **why)
{
	int64_t value;

	if (*text == '\0')
		return (addr_fail("no port after the last colon", why));
	if (num_parse(text, &value, why) == -1 || *text == '-' ||
	    value > PORT_MAX)
		return (addr_fail("not a port: 0 to 65535", why));
	*port = (int)value;
	return (0);
}

/* Where the host ends and the port begins; NULL with *why. */
static const char *
find_colon(const char *text, const char **why)
{
	const char *end;

	if (*text != '[') {
		if ((end = strrchr(text, ':')) == NULL)
			*why = "no port: write HOST:PORT";
		return (end);
	}
	end = strrchr(text, ']');
	if (end == NULL || end[1] != ':') {
		*why = "write [ADDRESS]:PORT";
		return (NULL);
	}
	return (end + 1);
}

static int
parse_tcp(const char *text, struct addr *addr, const char **why)
{
	const char *colon = find_colon(text, why);
	size_t bracket = *text == '[' ? 1 : 0, len;

	if (colon == NULL || parse_port(colon + 1, &addr->port, why) == -1)
		return (-1);
	len = (size_t)(colon - text) - 2 * bracket;
	if (len >= sizeof(addr->host))
		return (addr_fail("host name too long", why));
	memcpy(addr->host, text + bracket, len);
	addr->host[len] = '\0';
	if (!bracket && strcmp(addr->host, "*") == 0)
		addr->host[0] = '\0';
	addr->kind = ADDR_TCP;
	return (check_host(addr->host, bracket == 1, why));
}

int
addr_parse(const char *text, struct addr *addr, const char **why)
{
	memset(addr, 0, sizeof(*addr));
	addr->fd = -1;
	if (*text == '\0')
		return (addr_fail("no address", why));
	if (strncmp(text, "fd://", 5) == 0)
		return (parse_fd(text + 5, addr, why));
	if (strncmp(text, "unix:", 5) == 0)
		return (parse_unix(text + 5, addr, why));
	if (strchr(text, ',') != NULL)
		return (addr_fail("one address only: repeat \"bind\" for each, "
				  "one a line",
		    why));
	if (strstr(text, "://") != NULL)
		return (addr_fail("no scheme but fd://: write HOST:PORT", why));
	return (parse_tcp(text, addr, why));
}
