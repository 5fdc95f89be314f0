/* syslog_target - see syslog_target.h. */
#include "syslog_target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <bsd/string.h>

#include "addr.h"
#include "macros.h"

#define SETTING      "syslog"
#define DEFAULT_PATH "/dev/log"

const char *const syslog_facilities[] = {"user", "mail", "daemon", "auth",
    "lpr", "news", "uucp", "cron", "authpriv", "ftp", "local0", "local1",
    "local2", "local3", "local4", "local5", "local6", "local7", NULL};

/* RFC 3164 4.1.1, in that order. */
static const unsigned char codes[] = {
    1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23};
_Static_assert(
    nitems(codes) + 1 == nitems(syslog_facilities), "a facility has no code");

bool
syslog_target_is(const char *setting)
{
	size_t len = strlen(SETTING);

	return (strncmp(setting, SETTING, len) == 0 &&
		(setting[len] == '\0' || setting[len] == ':'));
}

static int
fail(const char **why, const char *reason)
{
	*why = reason;
	return (-1);
}

static int
init_unix(struct syslog_target *target, const char *path, const char **why)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (strlcpy(un.sun_path, path, sizeof(un.sun_path)) >=
	    sizeof(un.sun_path))
		return (fail(why, "path too long for a unix socket: at most "
				  "107 bytes"));
	memcpy(&target->address, &un, sizeof(un));
	target->address_len = sizeof(un);
	return (0);
}

static int
init_udp(struct syslog_target *target, const char *text, const char **why)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct addr addr;

	if (addr_parse(text, &addr, why) == -1)
		return (-1);
	if (addr.kind == ADDR_TCP && addr.port != 0) {
		in.sin_port = in6.sin6_port = htons((uint16_t)addr.port);
		target->is_udp = true;
		if (inet_pton(AF_INET, addr.host, &in.sin_addr) == 1) {
			memcpy(&target->address, &in, sizeof(in));
			target->address_len = sizeof(in);
			return (0);
		}
		if (inet_pton(AF_INET6, addr.host, &in6.sin6_addr) == 1) {
			memcpy(&target->address, &in6, sizeof(in6));
			target->address_len = sizeof(in6);
			return (0);
		}
	}
	return (fail(why, "write syslog, syslog:/PATH, or syslog:HOST:PORT "
			  "with an address in numbers"));
}

int
syslog_target_init(struct syslog_target *target, const char *setting,
    int64_t facility, const char *ident, const char **why)
{
	const char *where = setting + strlen(SETTING);

	memset(target, 0, sizeof(*target));
	target->facility = codes[facility];
	strlcpy(target->ident, ident, sizeof(target->ident));
	if (gethostname(target->host, sizeof(target->host) - 1) == -1)
		strlcpy(target->host, "-", sizeof(target->host));
	if (*where == '\0')
		return (init_unix(target, DEFAULT_PATH, why));
	if (*++where == '/')
		return (init_unix(target, where, why));
	return (init_udp(target, where, why));
}

int
syslog_target_connect(const struct syslog_target *target, int fd)
{
	return (connect(fd, (const struct sockaddr *)&target->address,
	    target->address_len));
}

int
syslog_target_open(const struct syslog_target *target, bool *is_connected)
{
	int fd = socket(target->address.ss_family,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd != -1)
		*is_connected = syslog_target_connect(target, fd) == 0;
	return (fd);
}

size_t
syslog_target_header(const struct syslog_target *target,
    enum syslog_severity severity, time_t now, char buf[SYSLOG_HEADER_SIZE])
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;
	int n;

	localtime_r(&now, &tm);
	n = snprintf(buf, SYSLOG_HEADER_SIZE,
	    "<%u>%s %2d %02d:%02d:%02d %s%s%s[%ld]: ",
	    target->facility * 8 + (unsigned)severity, months[tm.tm_mon],
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    target->is_udp ? target->host : "", target->is_udp ? " " : "",
	    target->ident, (long)getpid());
	return (n < SYSLOG_HEADER_SIZE ? (size_t)n : SYSLOG_HEADER_SIZE - 1);
}
