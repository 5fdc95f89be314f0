/*
 * proxy_protocol - proxy_protocol_parse(): a byte with mode and split, then bytes.
 *
 * No shorter input says more than that it is not all there, and none says another
 * thing than the whole; what is taken has the length that it announces; a peer is
 * written only by what is taken.
 */
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"

/* "PROXY UNKNOWN" and addresses that are not looked at: 2.1. */
#define VERSION_1_MAX 107

struct outcome {
	enum proxy_result result;
	size_t used;
	struct peer peer;
	const char *why;
};

static const struct peer before = {
    .family = AF_INET, .port = 7, .address = {127, 0, 0, 1}};

static void
parse(struct outcome *o, enum proxy_mode mode, const char *text, size_t len)
{
	char *copy = fuzz_copy(text, len);

	*o = (struct outcome){.peer = before};
	o->result =
	    proxy_protocol_parse(mode, copy, len, &o->peer, &o->used, &o->why);
	free(copy);
	if (o->result != PROXY_COMPLETE)
		ASSERT(memcmp(&o->peer, &before, sizeof(before)) == 0);
	ASSERT((o->result == PROXY_BAD) == (o->why != NULL));
}

/* There is a whole one. */
static bool
is_header(const struct outcome *o)
{
	return (o->result == PROXY_COMPLETE || o->result == PROXY_UNNAMED ||
		o->result == PROXY_LOCAL);
}

/* The line says the same as the peer. */
static void
check_version_1(const struct outcome *o, const char *text)
{
	char line[VERSION_1_MAX + 1], address[INET6_ADDRSTRLEN + 1];
	unsigned port;
	uint8_t bytes[16] = {0};

	ASSERT(o->used <= VERSION_1_MAX && o->used >= 15);
	ASSERT(memcmp(text + o->used - 2, "\r\n", 2) == 0);
	ASSERT(memchr(text, '\n', o->used) == text + o->used - 1);
	memcpy(line, text, o->used);
	line[o->used] = '\0';
	if (strncmp(line, "PROXY UNKNOWN", 13) == 0) {
		ASSERT(o->result == PROXY_UNNAMED);
		return;
	}
	ASSERT(sscanf(line, "PROXY TCP%*c %46s %*s %u ", address, &port) == 2);
	ASSERT(inet_pton(line[9] == '4' ? AF_INET : AF_INET6, address, bytes) ==
	       1);
	ASSERT(o->peer.port == port);
	/* One that is mapped may be told as what it is. */
	if (o->peer.family == (line[9] == '4' ? AF_INET : AF_INET6))
		ASSERT(memcmp(bytes, o->peer.address, sizeof(bytes)) == 0);
}

static void
check_complete(const struct outcome *o, const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	ASSERT(o->used <= PROXY_HEADER_MAX);
	if (text[0] == 'P')
		check_version_1(o, text);
	else
		ASSERT(o->used == 16u + bytes[14] * 256u + bytes[15]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum proxy_mode modes[] = {
	    PROXY_V1, PROXY_V2, PROXY_AUTO, PROXY_AUTO};
	struct outcome whole, part;
	struct split split;
	const char *text = (const char *)data + 1;
	enum proxy_mode mode;
	size_t have = 0;

	if (len-- < 2)
		return (0);
	mode = modes[*data >> 6];
	split_init(&split, *data);
	parse(&whole, mode, text, len);
	ASSERT(!is_header(&whole) || whole.used <= len);
	do {
		have += split_next(&split, text + have, len - have);
		parse(&part, mode, text, have);
		ASSERT(!is_header(&part) || whole.used <= have);
	} while (part.result == PROXY_INCOMPLETE && have < len);
	ASSERT(part.result == whole.result && part.used == whole.used);
	ASSERT(memcmp(&part.peer, &whole.peer, sizeof(part.peer)) == 0);
	if (is_header(&whole))
		check_complete(&whole, text);
	return (0);
}
