/* proxy_protocol: versions 1 and 2, however the bytes arrive. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "macros.h"
#include "proxy_protocol.h"

TestSuite(proxy_protocol, .timeout = 60);

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\xcb\0\x71\x09\xc0\0\x02\x01\x12\x67\0\x50"
#define V6                                           \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\0\x50"
#define X36  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X108 X36 X36 X36
#define HERE "10.0.0.1:7" /* who the peer is without a header */
#define THEN "GET /"      /* what stands behind one */

#define ROW(why, mode, in, result, peer)                                    \
	{                                                                   \
		why, PROXY_##mode, in, sizeof(in) - 1, PROXY_##result, peer \
	}

/* Sections are those of proxy-protocol.txt. */
/* clang-format off */
static const struct row {
	const char *why;
	enum proxy_mode mode;
	const char *in;
	size_t len;
	enum proxy_result result;
	const char *peer;
} rows[] = {
	/* 2.1 */
	ROW("TCP4", V1, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
	    COMPLETE, "192.168.0.1:56324"),
	ROW("TCP4 in auto", AUTO, "PROXY TCP4 255.255.255.255 0.0.0.0 65535 "
	    "65535\r\n", COMPLETE, "255.255.255.255:65535"),
	ROW("TCP6", V1, "PROXY TCP6 2001:db8::7 ::1 0 1\r\n", COMPLETE,
	    "2001:db8::7:0"),
	ROW("IPv4 in TCP6", V1, "PROXY TCP6 ::ffff:192.0.2.1 ::1 7 1\r\n",
	    COMPLETE, "192.0.2.1:7"),
	ROW("longest TCP6", V1, "PROXY TCP6 "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", COMPLETE,
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535"),
	ROW("UNKNOWN", V1, "PROXY UNKNOWN\r\n", UNNAMED, HERE),
	ROW("UNKNOWN and more", V1, "PROXY UNKNOWN ffff::1 x 65535 1\r\n",
	    UNNAMED, HERE),
	ROW("longest", V1, "PROXY UNKNOWN " X36 X36 "xxxxxxxxxxxxxxxxxxx\r\n",
	    UNNAMED, HERE),
	ROW("UNKNOWNX", V1, "PROXY UNKNOWNX\r\n", BAD, NULL),
	ROW("nothing", V1, "PROXY \r\n", BAD, NULL),
	ROW("UDP4", V1, "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", BAD, NULL),
	ROW("lower case", V1, "PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", BAD, NULL),
	ROW("TCP5", V1, "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", BAD, NULL),
	ROW("TCP4 with IPv6", V1, "PROXY TCP4 ::1 ::1 1 1\r\n", BAD, NULL),
	ROW("TCP6 with IPv4", V1, "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", BAD,
	    NULL),
	ROW("bad destination", V1, "PROXY TCP4 1.1.1.1 x 1 1\r\n", BAD, NULL),
	ROW("two spaces", V1, "PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n", BAD, NULL),
	ROW("space behind", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", BAD,
	    NULL),
	ROW("one item short", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", BAD,
	    NULL),
	ROW("one item more", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", BAD,
	    NULL),
	ROW("port too large", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n", BAD,
	    NULL),
	ROW("port with zeros", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", BAD,
	    NULL),
	ROW("signed port", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1 -1\r\n", BAD,
	    NULL),
	ROW("long port", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1 100000\r\n", BAD,
	    NULL),
	ROW("address with zeros", V1, "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n",
	    BAD, NULL),
	ROW("NUL in an address", V1, "PROXY TCP4 1.1.1.1\0 1.1.1.1 1 1\r\n",
	    BAD, NULL),
	ROW("LF alone", V1, "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", BAD, NULL),
	ROW("LF at once", V1, "PROXY \n", BAD, NULL),
	ROW("108 bytes", V1, "PROXY UNKNOWN " X36 X36 "xxxxxxxxxxxxxxxxxxxx\r\n",
	    BAD, NULL),
	ROW("no end in 107", V1, "PROXY " X108, BAD, NULL),
	ROW("no PROXY", V1, "GET / HTTP/1.1\r\n", ABSENT, NULL),
	ROW("in lower case", AUTO, "proxy TCP4", ABSENT, NULL),
	ROW("version 1, but not asked for", V2, "PROXY UNKNOWN\r\n", ABSENT,
	    NULL),

	/* 2.2 */
	ROW("TCP over IPv4", V2, SIGNATURE "\x21\x11\0\x0c" V4, COMPLETE,
	    "203.0.113.9:4711"),
	ROW("TCP over IPv6", V2, SIGNATURE "\x21\x21\0\x24" V6, COMPLETE,
	    "2001:db8::7:4711"),
	ROW("unix stream", AUTO, SIGNATURE "\x21\x31\0\xd8" X108 X108, COMPLETE,
	    ":0"),
	ROW("with TLVs", V2, SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\1a",
	    COMPLETE, "203.0.113.9:4711"),
	ROW("TLV that goes on", V2, SIGNATURE "\x21\x11\0\x0f" V4 "\x04\xff\xff",
	    COMPLETE, "203.0.113.9:4711"),
	ROW("LOCAL", V2, SIGNATURE "\x20\0\0\0", LOCAL, HERE),
	ROW("LOCAL with a family", V2, SIGNATURE "\x20\x11\0\x0c" V4, LOCAL,
	    HERE),
	ROW("LOCAL of any family", V2, SIGNATURE "\x20\xff\0\1x", LOCAL,
	    HERE),
	ROW("UNSPEC", V2, SIGNATURE "\x21\0\0\0", UNNAMED, HERE),
	ROW("UNSPEC with a block", V2, SIGNATURE "\x21\0\0\3abc", UNNAMED,
	    HERE),
	ROW("UDP over IPv4", V2, SIGNATURE "\x21\x12\0\x0c" V4, UNNAMED, HERE),
	ROW("UDP over IPv6", V2, SIGNATURE "\x21\x22\0\x24" V6, UNNAMED, HERE),
	ROW("unix datagrams", V2, SIGNATURE "\x21\x32\0\xd8" X108 X108, UNNAMED,
	    HERE),
	ROW("no transport told", V2, SIGNATURE "\x21\x10\0\x0c" V4, UNNAMED,
	    HERE),
	ROW("version 3", V2, SIGNATURE "\x31\x11\0\x0c" V4, BAD, NULL),
	ROW("version 1", V2, SIGNATURE "\x11\x11\0\x0c" V4, BAD, NULL),
	ROW("command 2", V2, SIGNATURE "\x22\x11\0\x0c" V4, BAD, NULL),
	ROW("family 4", V2, SIGNATURE "\x21\x41\0\x0c" V4, BAD, NULL),
	ROW("transport 3", V2, SIGNATURE "\x21\x13\0\x0c" V4, BAD, NULL),
	ROW("11 bytes of IPv4", V2, SIGNATURE "\x21\x11\0\x0b" V4, BAD, NULL),
	ROW("35 bytes of IPv6", V2, SIGNATURE "\x21\x21\0\x23" V6, BAD, NULL),
	ROW("215 bytes of unix", V2, SIGNATURE "\x21\x31\0\xd7" X108 X108, BAD,
	    NULL),
	ROW("version 2, but not asked for", V1, SIGNATURE "\x20\0\0\0", ABSENT,
	    NULL),
	ROW("wrong in its last byte", V2, "\r\n\r\n\0\r\nQUIT\r", ABSENT, NULL),
	ROW("an empty line", AUTO, "\r\nGET", ABSENT, NULL),
};
/* clang-format on */

static bool
is_whole(enum proxy_result result)
{
	return (result == PROXY_COMPLETE || result == PROXY_UNNAMED ||
		result == PROXY_LOCAL);
}

static enum proxy_result
parse(const struct row *row, const char *data, size_t len, struct peer *peer,
    size_t *used)
{
	const struct peer here = {
	    .family = AF_INET, .port = 7, .address = {10, 0, 0, 1}};
	const char *why = NULL;
	enum proxy_result result;

	*peer = here;
	*used = 0;
	result = proxy_protocol_parse(
	    row->mode, guarded(data, len), len, peer, used, &why);
	cr_expect_eq(result == PROXY_BAD, why != NULL, "%s", row->why);
	if (result != PROXY_COMPLETE)
		cr_expect_eq(memcmp(peer, &here, sizeof(here)), 0);
	cr_expect_eq(is_whole(result), *used > 0, "%s", row->why);
	return (result);
}

static void
expect_peer(const struct row *row, const struct peer *peer)
{
	char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

	snprintf(text, sizeof(text), "%s:%u", peer_format(peer, address),
	    peer->port);
	cr_expect_str_eq(text, row->peer, "%s: %s", row->why, text);
}

Test(proxy_protocol, header_is_taken_as_the_specification_has_it)
{
	char data[1024];
	struct peer peer;
	size_t i, used;

	for (i = 0; i < nitems(rows); i++) {
		memcpy(data, rows[i].in, rows[i].len);
		memcpy(data + rows[i].len, THEN, sizeof(THEN));
		cr_expect_eq(
		    parse(&rows[i], rows[i].in, rows[i].len, &peer, &used),
		    rows[i].result, "%s", rows[i].why);
		cr_expect_eq(parse(&rows[i], data, rows[i].len + strlen(THEN),
				 &peer, &used),
		    rows[i].result, "%s and more", rows[i].why);
		if (!is_whole(rows[i].result))
			continue;
		cr_expect_eq(used, rows[i].len, "%s", rows[i].why);
		expect_peer(&rows[i], &peer);
	}
}

/* Nothing is decided before all of it is there, or it is known to be wrong. */
Test(proxy_protocol, part_of_a_header_waits_for_the_rest)
{
	enum proxy_result result;
	struct peer peer;
	size_t i, len, used;

	for (i = 0; i < nitems(rows); i++)
		for (len = 0; len < rows[i].len; len++) {
			result = parse(&rows[i], rows[i].in, len, &peer, &used);
			if (is_whole(rows[i].result))
				cr_expect_eq(result, PROXY_INCOMPLETE,
				    "%s, %zu bytes", rows[i].why, len);
			else
				cr_expect(result == PROXY_INCOMPLETE ||
					      result == rows[i].result,
				    "%s, %zu bytes", rows[i].why, len);
		}
}

Test(proxy_protocol, longest_header_is_taken)
{
	static char data[PROXY_HEADER_MAX];
	const struct row row = {"longest", PROXY_V2, data, sizeof(data),
	    PROXY_COMPLETE, "203.0.113.9:4711"};
	struct peer peer;
	size_t used;

	memcpy(data, SIGNATURE "\x21\x11\xff\xff" V4, 16 + 12);
	cr_expect_eq(parse(&row, data, sizeof(data) - 1, &peer, &used),
	    PROXY_INCOMPLETE);
	cr_expect_eq(
	    parse(&row, data, sizeof(data), &peer, &used), PROXY_COMPLETE);
	cr_expect_eq(used, sizeof(data));
	expect_peer(&row, &peer);
}
