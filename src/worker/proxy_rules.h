/*
 * proxy_rules - what [proxy] says, made ready to be asked for each request.
 *
 * Made when the worker starts, constant then, so any thread may read it.  All
 * zero is a server without proxies: nobody is trusted and nothing is hidden.
 */
#ifndef CGTHREAD_PROXY_RULES_H
#define CGTHREAD_PROXY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cidr.h"
#include "config.h"
#include "forwarded.h"
#include "peer.h"

/*
 * What a field of a request is to us, as a set of bits, so that those that an
 * application must not see can be told by one mask: 1 << enum forwarded_field,
 * and these.
 */
#define PROXY_FIELD_OTHER     (1u << FORWARDED_FIELDS) /* forwarded, unread */
#define PROXY_FIELD_FORWARDER (2u << FORWARDED_FIELDS) /* forwarder_headers */
#define PROXY_FIELD_DROPPED   (4u << FORWARDED_FIELDS) /* whoever sends it */
#define PROXY_FIELDS_FORWARDED \
	(PROXY_FIELD_OTHER | ((1u << FORWARDED_FIELDS) - 1))

struct proxy_rules {
	bool is_active; /* each request has to be looked at */
	bool rewrites_peer, refuses_underscore, logs_untrusted, is_https;
	enum proxy_mode protocol;
	struct cidr_list forwarded_from, protocol_from;
	struct forwarded_rules forwarded;
	struct forwarded_secure *secure; /* forwarded.secure, owned */
	struct strings forwarder;        /* upper case, without SCRIPT_NAME */
	unsigned hidden[2];              /* by whether the peer is trusted */
	char prefix[CONFIG_STRING_MAX + 1]; /* url_prefix */
	const char *server_name;            /* config's; NULL: "localhost" */
};

/* cfg outlives the rules.  No memory is fatal. */
void proxy_rules_init(struct proxy_rules *, const struct config *cfg);
void proxy_rules_fini(struct proxy_rules *);

/* Do this peer's forwarded fields count?  May it begin with a PROXY header? */
bool proxy_rules_trust(const struct proxy_rules *, const struct peer *);
bool proxy_rules_allow(const struct proxy_rules *, const struct peer *);

/* What a field of that name is. */
unsigned proxy_rules_field(
    const struct proxy_rules *, const char *name, size_t len);

/* What follows from [proxy] for one request. */
struct proxy_verdict {
	struct forwarded forwarded;
	uint32_t path_skip; /* bytes of the path that are SCRIPT_NAME */
	bool has_untrusted; /* forwarded fields that do not count, if asked */
};

/* NULL, or why it is to be refused: a constant. */
const char *proxy_rules_judge(const struct proxy_rules *, bool is_trusted,
    const char *base, const struct http_head *, struct proxy_verdict *);

#endif
