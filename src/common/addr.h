/*
 * addr - the text of a listening address, parsed.  Pure: nothing is resolved or
 * opened here.
 *
 *	127.0.0.1:8000  [::1]:8000  *:8000  :8000  localhost:8000
 *	unix:/run/app.sock          fd://3
 */
#ifndef CGTHREAD_ADDR_H
#define CGTHREAD_ADDR_H

#include <stddef.h>
#include <sys/un.h>

#define ADDR_HOST_MAX 256 /* with the NUL; a name has at most 253 bytes */

enum addr_kind {
	ADDR_TCP,  /* host "" = every address of IPv4 and IPv6 */
	ADDR_UNIX, /* path */
	ADDR_FD    /* a listening descriptor that we were started with */
};

struct addr {
	enum addr_kind kind;
	char host[ADDR_HOST_MAX]; /* ADDR_TCP: without brackets */
	int port;                 /* ADDR_TCP: 0 = the kernel chooses */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
};

/* 0, or -1 with *why set to a constant that says what is wrong. */
int addr_parse(const char *text, struct addr *, const char **why);

#endif
