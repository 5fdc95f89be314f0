/*
 * proxy_protocol - what a proxy that knows no HTTP says before the first byte of
 * a connection: whose it is.  Versions 1 and 2 of HAProxy's PROXY protocol
 * (doc/proxy-protocol.txt there; sections are of that).
 *
 * Pure.  Of version 2 the values that may follow the addresses are skipped.
 */
#ifndef CGTHREAD_PROXY_PROTOCOL_H
#define CGTHREAD_PROXY_PROTOCOL_H

#include <stddef.h>

#include "config.h"
#include "peer.h"

/* The longest there is: 16 bytes and those that version 2 can count. */
#define PROXY_HEADER_MAX (16 + 65535)

/* So many bytes of one can be nothing else. */
#define PROXY_SIGNATURE_MAX 12

enum proxy_result {
	PROXY_INCOMPLETE, /* call again with the same bytes and more */
	PROXY_COMPLETE,   /* *peer is whom it names; AF_UNIX: by no address */
	PROXY_UNNAMED,    /* a client that it says nothing of */
	PROXY_LOCAL,      /* no client: the connection is the proxy's own */
	PROXY_ABSENT,     /* the connection begins with something else */
	PROXY_BAD         /* *why is a constant */
};

/*
 * mode says which versions there may be; not PROXY_OFF.  *peer is changed only
 * by PROXY_COMPLETE; *used is the header's length where there is a whole one.
 */
enum proxy_result proxy_protocol_parse(enum proxy_mode mode, const char *data,
    size_t len, struct peer *peer, size_t *used, const char **why);

#endif
