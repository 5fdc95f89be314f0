/* conn_proxy - see conn_proxy.h. */
#include "conn_proxy.h"

#include <inttypes.h>
#include <string.h>

#include "conn_answer.h"
#include "conn_input.h"
#include "log.h"
#include "proxy_protocol.h"

static const struct proxy_rules *
rules_of(const struct conn *c)
{
	return (&c->list->settings.context->proxy);
}

void
conn_set_peer(struct conn *c, const struct peer *peer)
{
	c->peer = *peer;
	c->is_trusted = proxy_rules_trust(rules_of(c), peer);
}

/* ---- before the first byte of HTTP ---- */

/* No request has begun: nothing for the access log, and nobody to answer. */
enum conn_step
conn_refuse_proxy(struct conn *c, const char *why)
{
	char address[INET6_ADDRSTRLEN];

	peer_format(&c->peer, address);
	if (conn_may_tell(c))
		log_info("%s: connection refused: %s",
		    address[0] != '\0' ? address : "unix", why);
	conn_recycle_request(c);
	return (CONN_CLOSE);
}

/*
 * A proxy that knows no HTTP vouches for no fields: where it speaks for a client
 * without an address, nobody is there whom a list of networks could name, least of
 * all the proxy, or "unix" because its client has come by such a socket.
 */
static bool
is_trusted(
    const struct conn *c, enum proxy_result result, const struct peer *peer)
{
	if (result == PROXY_UNNAMED ||
	    (result == PROXY_COMPLETE && peer->family == AF_UNIX))
		return (false);
	return (proxy_rules_trust(rules_of(c), peer));
}

/* What stands behind the header is the first request's. */
static enum conn_step
begin_http(struct conn *c, size_t used)
{
	struct request *req = c->req;

	memmove(req->text, req->text + used, req->text_len - used);
	req->text_len -= used;
	conn_begin_request(c, req);
	c->wants_proxy = false;
	conn_enter(c, CONN_HEAD);
	return (CONN_MORE);
}

static enum conn_step
read_more(struct conn *c)
{
	enum conn_input input;

	if (request_reserve(c->req, CONN_READ_MIN) == -1)
		return (conn_refuse_proxy(c, "no memory for a PROXY header"));
	input = conn_read_text(c);
	if (input == CONN_INPUT_SOME)
		return (CONN_MORE);
	if (c->req->text_len == 0)
		return (conn_back_to_idle(c, input));
	if (input == CONN_INPUT_NONE)
		return (CONN_WAIT);
	return (conn_refuse_proxy(c, "PROXY header is not all there"));
}

static const char not_allowed[] =
    "PROXY header, but proxy_allow_ips does not name this peer";

/*
 * The peer that accept(2) told of, or another worker: a connection changes
 * workers before its first byte, so who serves it reads this.
 */
enum conn_step
conn_step_proxy(struct conn *c)
{
	const struct proxy_rules *rules = rules_of(c);
	bool is_allowed = proxy_rules_allow(rules, &c->peer);
	struct peer peer = c->peer;
	enum proxy_result result;
	const char *why = NULL;
	size_t used = 0;

	result = proxy_protocol_parse(rules->protocol, c->req->text,
	    c->req->text_len, &peer, &used, &why);
	switch (result) {
	case PROXY_INCOMPLETE:
		/* A stranger's need not be waited for, nor kept. */
		if (!is_allowed && c->req->text_len >= PROXY_SIGNATURE_MAX)
			return (conn_refuse_proxy(c, not_allowed));
		return (read_more(c));
	case PROXY_ABSENT:
		if (is_allowed && rules->protocol != PROXY_AUTO)
			return (conn_refuse_proxy(c, "no PROXY header"));
		break;
	case PROXY_COMPLETE:
	case PROXY_UNNAMED:
	case PROXY_LOCAL:
	case PROXY_BAD:
		if (!is_allowed)
			why = not_allowed;
		if (why != NULL)
			return (conn_refuse_proxy(c, why));
		break;
	}
	c->peer = peer;
	c->is_trusted = is_trusted(c, result, &peer);
	return (begin_http(c, used));
}

/* ---- each request ---- */

static void
tell_untrusted(struct conn *c)
{
	static const char *const why[] = {
	    "forwarded_allow_ips does not name this peer",
	    "the PROXY header names no client"};
	struct conn_list *list = c->list;
	bool is_unnamed = proxy_rules_trust(rules_of(c), &c->peer);
	char address[INET6_ADDRSTRLEN];
	uint64_t others;

	others = throttle_take(&list->untrusted, list->now_ms);
	if (throttle_allows(&list->untrusted, list->now_ms))
		log_info("%s: forwarded headers do not count: %s; "
			 "%" PRIu64 " such requests since last told",
		    peer_format(&c->peer, address), why[is_unnamed],
		    others + 1);
}

const char *
conn_judge(struct conn *c)
{
	const struct proxy_rules *rules = rules_of(c);
	struct request *req = c->req;
	struct proxy_verdict verdict;
	const char *why;

	if (!rules->is_active)
		return (NULL);
	why = proxy_rules_judge(
	    rules, c->is_trusted, req->text, &req->head, &verdict);
	if (verdict.has_untrusted)
		tell_untrusted(c);
	if (why != NULL)
		return (why);
	req->forwarded = verdict.forwarded;
	req->path_skip = verdict.path_skip;
	if (rules->rewrites_peer && verdict.forwarded.has_client)
		req->peer = verdict.forwarded.client;
	return (NULL);
}
