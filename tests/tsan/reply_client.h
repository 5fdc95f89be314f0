/*
 * reply_client - who reads the replies of reply_stress, and knows what they must be:
 * a head, and so many bytes of a pattern, from a place that depends on their number.
 */
#ifndef CGTHREAD_REPLY_CLIENT_H
#define CGTHREAD_REPLY_CLIENT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define BODY_MAX    150000
#define BODY_PERIOD 251 /* of its bytes: prime */

struct reply_client {
	int fd;           /* non-blocking; -1: it has closed */
	size_t total;     /* bytes of body that are to come */
	unsigned at_end;  /* bytes of "\r\n\r\n" just seen */
	size_t head, got; /* bytes that have come, body without head */
};

static char body_pattern[BODY_MAX + BODY_PERIOD];

static inline void
body_pattern_fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(body_pattern); i++)
		body_pattern[i] = (char)(i % BODY_PERIOD);
}

static inline const char *
body_of(size_t total)
{
	return (body_pattern + total % BODY_PERIOD);
}

static inline void
reply_client_expect(struct reply_client *c, size_t total)
{
	c->total = total;
	c->at_end = 0;
	c->head = c->got = 0;
}

static inline bool
reply_client_has_whole(const struct reply_client *c)
{
	return (c->at_end == 4 && c->got == c->total);
}

/* How many of these bytes are the head's. */
static inline size_t
reply_client_take_head(struct reply_client *c, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && c->at_end < 4; i++)
		if (text[i] == "\r\n\r\n"[c->at_end])
			c->at_end++;
		else
			c->at_end = text[i] == '\r' ? 1 : 0;
	c->head += i;
	return (i);
}

static inline void
reply_client_take(struct reply_client *c, const char *text, size_t len)
{
	size_t head = reply_client_take_head(c, text, len);

	text += head;
	len -= head;
	ASSERT(len <= c->total - c->got);
	ASSERT(memcmp(text, body_of(c->total) + c->got, len) == 0);
	c->got += len;
}

/* At most so many bytes of what is there; false: there are none. */
static inline bool
reply_client_receive(struct reply_client *c, size_t max)
{
	static char text[65536];
	ssize_t n;

	if (c->fd == -1)
		return (false);
	n = recv(c->fd, text, max < sizeof(text) ? max : sizeof(text), 0);
	ASSERT(n > 0 || (n == -1 && errno == EAGAIN));
	if (n > 0)
		reply_client_take(c, text, (size_t)n);
	return (n > 0);
}

static inline void
reply_client_close(struct reply_client *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

#endif
