/*
 * forwarded_syntax - the pieces of which fields about a request's origin are
 * made: RFC 7239, and the X-Forwarded-* that have no RFC.
 *
 * Pure: bytes in, facts out; what is given points into the input.
 */
#ifndef CGTHREAD_FORWARDED_SYNTAX_H
#define CGTHREAD_FORWARDED_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"

struct forwarded_value {
	const char *text; /* NULL: not there */
	size_t len;
};

/* One proxy's word: RFC 7239 4. */
struct forwarded_element {
	struct forwarded_value client, host, proto, by; /* client: "for" */
};

enum forwarded_step { FORWARDED_NEXT, FORWARDED_END, FORWARDED_BAD };

/*
 * The next element of a value of Forwarded that is not empty; *at is where to go
 * on, 0 at first.  A known parameter with a quoted pair is refused: what may
 * stand there needs none.
 */
enum forwarded_step forwarded_element_next(
    const char *text, size_t len, size_t *at, struct forwarded_element *);

/*
 * Whom "for" names: RFC 7239 6, or with is_standard false what X-Forwarded-For
 * has, where IPv6 may stand without brackets.  "unknown" and obfuscated names
 * give a peer without an address (AF_UNIX); no port, 0, or one that is not a number
 * is 0.  0, or -1: malformed.
 */
int forwarded_node_parse(
    const char *text, size_t len, bool is_standard, struct peer *);

/* "name", "name:port", "[::1]:port": RFC 3986 3.2.2.  *port 0: not there, or empty
 * (3.2.3).  0, or -1: malformed. */
int forwarded_host_parse(
    const char *text, size_t len, size_t *name_len, uint16_t *port);

/* 1 to 65535 in decimal.  0, or -1. */
int forwarded_port_parse(const char *text, size_t len, uint16_t *port);

#endif
