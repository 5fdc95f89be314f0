/*
 * forwarded - what a trusted proxy says of the request that it passes on: whose
 * it is, and by what URL it was asked for.
 *
 * Pure.  Of a list of values, one from each proxy, those count that the known
 * proxies have added, from the right: what stands before them a client may have
 * made up.  Fields that contradict each other are refused, never weighed.
 */
#ifndef CGTHREAD_FORWARDED_H
#define CGTHREAD_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_head.h"
#include "peer.h"
#include "proxy_option.h"

/* "Name: value" is https; another value is http.  Both in lower case. */
struct forwarded_secure {
	char *name, *value;
};

struct forwarded_rules {
	unsigned fields;  /* 1 << enum forwarded_field: those that count */
	unsigned hops;    /* known proxies, at least 1 */
	bool script_name; /* the field SCRIPT_NAME counts */
	const struct forwarded_secure *secure;
	size_t nsecure;
};

enum forwarded_scheme { FORWARDED_NO_SCHEME, FORWARDED_HTTP, FORWARDED_HTTPS };

struct forwarded {
	bool is_set; /* something stands here */
	bool
	    has_client; /* client is known, perhaps as one without an address */
	bool has_prefix;
	bool is_script_name; /* of the prefix: the path has it, too */
	uint8_t scheme;      /* enum forwarded_scheme */
	uint16_t port;       /* 0: not told */
	struct peer client;
	struct http_text host;   /* without the port; empty: not told */
	struct http_text prefix; /* "" or "/a/b" */
};

/* NULL, or why the request is to be refused: a constant. */
const char *forwarded_resolve(const struct forwarded_rules *, const char *base,
    const struct http_head *, struct forwarded *);

#endif
