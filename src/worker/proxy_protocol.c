/* proxy_protocol - see proxy_protocol.h. */
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define V1_MAX     107 /* 2.1: with CR LF */
#define V1_ITEMS   4   /* two addresses, two ports */
#define V2_FIXED   16
#define V2_COMMAND 12
#define V2_FAMILY  13
#define V2_LEN     14

static const char v1_signature[] = "PROXY ";
#define V1_SIGNATURE_LEN (sizeof(v1_signature) - 1)
_Static_assert(PROXY_SIGNATURE_MAX == V2_COMMAND, "see the header");
static const char v2_signature[PROXY_SIGNATURE_MAX] = {
    '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static enum proxy_result
bad(const char **why, const char *reason)
{
	*why = reason;
	return (PROXY_BAD);
}

/* As far as the data goes. */
static bool
may_begin_with(
    const char *data, size_t len, const char *signature, size_t signature_len)
{
	return (memcmp(data, signature,
		    len < signature_len ? len : signature_len) == 0);
}

/* ---- version 1: section 2.1 ---- */

struct item {
	const char *text;
	size_t len;
};

/* Exactly n items with one space between them. */
static bool
split(const char *text, const char *end, struct item *items, size_t n)
{
	const char *space;
	size_t i;

	for (i = 0; i < n; i++) {
		space = memchr(text, ' ', (size_t)(end - text));
		if ((space == NULL) != (i == n - 1))
			return (false);
		items[i].text = text;
		items[i].len = (size_t)((space != NULL ? space : end) - text);
		text = space != NULL ? space + 1 : end;
	}
	return (true);
}

/* 0 to 65535, without leading zeros. */
static bool
parse_port(const struct item *item, uint16_t *port)
{
	unsigned value = 0;
	size_t i;

	if (item->len == 0 || item->len > 5 ||
	    (item->len > 1 && item->text[0] == '0'))
		return (false);
	for (i = 0; i < item->len; i++) {
		if (item->text[i] < '0' || item->text[i] > '9')
			return (false);
		value = value * 10 + (unsigned)(item->text[i] - '0');
	}
	*port = (uint16_t)value;
	return (value <= 65535);
}

static bool
parse_address(uint8_t family, const struct item *item, uint8_t *address)
{
	char buf[INET6_ADDRSTRLEN];

	if (item->len >= sizeof(buf) ||
	    memchr(item->text, '\0', item->len) != NULL)
		return (false);
	memcpy(buf, item->text, item->len);
	buf[item->len] = '\0';
	return (inet_pton(family, buf, address) == 1);
}

/* "UNKNOWN", with or without something behind it. */
static bool
is_unknown(const char *text, const char *end)
{
	size_t len = (size_t)(end - text);

	return (len >= 7 && memcmp(text, "UNKNOWN", 7) == 0 &&
		(len == 7 || text[7] == ' '));
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443", without its CR LF. */
static bool
parse_v1_line(const char *text, const char *end, struct peer *peer)
{
	struct peer from = {.family = AF_UNIX};
	struct item items[V1_ITEMS];
	size_t len = (size_t)(end - text);
	int family;
	uint8_t address[16], to[16];
	uint16_t to_port;

	if (len < 5 || memcmp(text, "TCP", 3) != 0 ||
	    (text[3] != '4' && text[3] != '6') || text[4] != ' ')
		return (false);
	family = text[3] == '6' ? AF_INET6 : AF_INET;
	if (!split(text + 5, end, items, V1_ITEMS) ||
	    !parse_address(family, &items[0], address) ||
	    !parse_address(family, &items[1], to) ||
	    !parse_port(&items[2], &from.port) ||
	    !parse_port(&items[3], &to_port))
		return (false);
	peer_set_address(&from, family, address);
	*peer = from;
	return (true);
}

static enum proxy_result
parse_v1(const char *data, size_t len, struct peer *peer, size_t *used,
    const char **why)
{
	const char *text = data + V1_SIGNATURE_LEN, *end;

	end = memchr(data, '\n', len < V1_MAX ? len : V1_MAX);
	if (end == NULL)
		return (len < V1_MAX ? PROXY_INCOMPLETE
				     : bad(why, "PROXY line over 107 bytes"));
	*used = (size_t)(end - data) + 1;
	if (end[-1] == '\r' && is_unknown(text, end - 1))
		return (PROXY_UNNAMED);
	if (end[-1] == '\r' && parse_v1_line(text, end - 1, peer))
		return (PROXY_COMPLETE);
	*used = 0;
	return (bad(why, "malformed PROXY line"));
}

/* ---- version 2: section 2.2 ---- */

/* The families of PROXY, and the bytes of their two ends. */
#define V2_UNSPEC 0x0
#define V2_INET   0x1
#define V2_INET6  0x2
#define V2_UNIX   0x3
static const size_t v2_sizes[] = {
    [V2_UNSPEC] = 0,
    [V2_INET] = 2 * (4 + 2),
    [V2_INET6] = 2 * (16 + 2),
    [V2_UNIX] = 2 * 108,
};
#define V2_STREAM 0x1
#define V2_DGRAM  0x2

#define V2_COMMAND_LOCAL 0x20
#define V2_COMMAND_PROXY 0x21

static unsigned
number_at(const char *data)
{
	return ((unsigned)(uint8_t)data[0] << 8 | (uint8_t)data[1]);
}

/* The source's address stands first; its port behind both addresses. */
static void
take_v2_peer(unsigned family, const char *block, struct peer *peer)
{
	size_t size = family == V2_INET ? 4 : 16;

	memset(peer, 0, sizeof(*peer));
	peer->family = AF_UNIX;
	if (family == V2_UNIX)
		return;
	peer_set_address(peer, family == V2_INET ? AF_INET : AF_INET6, block);
	peer->port = (uint16_t)number_at(block + 2 * size);
}

static enum proxy_result
parse_v2(const char *data, size_t len, struct peer *peer, size_t *used,
    const char **why)
{
	unsigned command, family, transport;
	bool is_local;
	size_t block;

	if (len < V2_FIXED)
		return (PROXY_INCOMPLETE);
	command = (uint8_t)data[V2_COMMAND];
	family = (uint8_t)data[V2_FAMILY] >> 4;
	transport = (uint8_t)data[V2_FAMILY] & 0xf;
	block = number_at(data + V2_LEN);
	if (command != V2_COMMAND_LOCAL && command != V2_COMMAND_PROXY)
		return (
		    bad(why, "PROXY header of no known version or command"));
	/* LOCAL: the proxy's own, whatever the family says. */
	is_local = command == V2_COMMAND_LOCAL;
	if (!is_local && (family > V2_UNIX || transport > V2_DGRAM))
		return (bad(why, "PROXY header of an unknown family"));
	if (!is_local && block < v2_sizes[family])
		return (bad(why, "PROXY header too short for its addresses"));
	if (len < V2_FIXED + block)
		return (PROXY_INCOMPLETE);
	*used = V2_FIXED + block;
	if (is_local)
		return (PROXY_LOCAL);
	if (family == V2_UNSPEC || transport != V2_STREAM)
		return (PROXY_UNNAMED);
	take_v2_peer(family, data + V2_FIXED, peer);
	return (PROXY_COMPLETE);
}

enum proxy_result
proxy_protocol_parse(enum proxy_mode mode, const char *data, size_t len,
    struct peer *peer, size_t *used, const char **why)
{
	if (len == 0)
		return (PROXY_INCOMPLETE);
	if (mode != PROXY_V2 &&
	    may_begin_with(data, len, v1_signature, V1_SIGNATURE_LEN))
		return (len < V1_SIGNATURE_LEN
			    ? PROXY_INCOMPLETE
			    : parse_v1(data, len, peer, used, why));
	if (mode != PROXY_V1 &&
	    may_begin_with(data, len, v2_signature, sizeof(v2_signature)))
		return (parse_v2(data, len, peer, used, why));
	return (PROXY_ABSENT);
}
