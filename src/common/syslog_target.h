/*
 * syslog_target - where the lines of a log go that is syslog's, and how they
 * are framed: RFC 3164 4.1, without the host where the daemon is our own.
 *
 *	syslog              the datagram socket /dev/log
 *	syslog:/PATH        another one
 *	syslog:HOST:PORT    UDP; HOST an address in numbers
 *
 * One message a datagram.  Whoever sends must not wait: see fd_write_now().
 */
#ifndef CGTHREAD_SYSLOG_TARGET_H
#define CGTHREAD_SYSLOG_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#define SYSLOG_IDENT_MAX 32 /* RFC 3164 4.1.3 */

struct syslog_target {
	bool is_udp;
	struct sockaddr_storage address;
	socklen_t address_len;
	unsigned facility; /* its code */
	char ident[SYSLOG_IDENT_MAX + 1];
	char host[65]; /* for UDP: ours */
};

enum syslog_severity {
	SYSLOG_CRITICAL = 2,
	SYSLOG_ERROR = 3,
	SYSLOG_WARNING = 4,
	SYSLOG_INFO = 6,
	SYSLOG_DEBUG = 7
};

/* Names for the option, NULL-ended; its value is the index. */
extern const char *const syslog_facilities[];

/* Is this setting of errorlog or accesslog a target at all? */
bool syslog_target_is(const char *setting);
/* 0, or -1 with *why a constant. */
int syslog_target_init(struct syslog_target *, const char *setting,
    int64_t facility, const char *ident, const char **why);

/* A socket, connected if there is somebody; else errno and *is_connected false,
 * for syslog_target_connect() to be tried again.  -1: no socket. */
int syslog_target_open(const struct syslog_target *, bool *is_connected);
/* Whoever shares fd is connected with it.  0, or -1 with errno. */
int syslog_target_connect(const struct syslog_target *, int fd);

/* "<14>Nov 22 14:03:07 cgthread[123]: ", its length. */
#define SYSLOG_HEADER_SIZE 160
size_t syslog_target_header(const struct syslog_target *, enum syslog_severity,
    time_t now, char buf[SYSLOG_HEADER_SIZE]);

#endif
