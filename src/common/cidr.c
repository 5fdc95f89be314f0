/* cidr - see cidr.h. */
#include "cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */

const uint8_t *
cidr_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[MAPPED_BITS / 8] = {
	    [10] = 0xff, [11] = 0xff};

	return (memcmp(address, prefix, sizeof(prefix)) == 0
		    ? address + sizeof(prefix)
		    : NULL);
}

static bool
is_word(const char *text, size_t len, const char *word)
{
	return (len == strlen(word) && memcmp(text, word, len) == 0);
}

/* Decimal, without leading zeros or anything else; -1: it is not. */
static int
parse_bits(const char *text, size_t len)
{
	int bits = 0;
	size_t i;

	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return (-1);
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return (-1);
		bits = bits * 10 + (text[i] - '0');
	}
	return (bits);
}

static int
parse_address(const char *text, size_t len, struct cidr *cidr)
{
	char buf[INET6_ADDRSTRLEN];

	if (len >= sizeof(buf) || memchr(text, '\0', len) != NULL)
		return (-1);
	memcpy(buf, text, len);
	buf[len] = '\0';
	cidr->family = strchr(buf, ':') != NULL ? AF_INET6 : AF_INET;
	return (inet_pton(cidr->family, buf, cidr->address) == 1 ? 0 : -1);
}

static bool
has_host_bits(const struct cidr *cidr, unsigned width)
{
	unsigned i;

	for (i = cidr->bits; i < width; i++)
		if (cidr->address[i / 8] & (0x80 >> (i % 8)))
			return (true);
	return (false);
}

static void
unmap(struct cidr *cidr)
{
	const uint8_t *within;

	if (cidr->family != AF_INET6 || cidr->bits < MAPPED_BITS ||
	    (within = cidr_mapped(cidr->address)) == NULL)
		return;
	cidr->family = AF_INET;
	cidr->bits = (uint8_t)(cidr->bits - MAPPED_BITS);
	memcpy(cidr->address, within, 4);
	memset(cidr->address + 4, 0, sizeof(cidr->address) - 4);
}

static const char *
parse_network(const char *text, size_t len, struct cidr *cidr)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
	int bits, width;

	if (parse_address(text, address_len, cidr) == -1)
		return ("not an IPv4 or IPv6 address or network, unix or *");
	width = bits = cidr->family == AF_INET ? 32 : 128;
	if (slash != NULL)
		bits = parse_bits(slash + 1, len - address_len - 1);
	if (bits == -1 || bits > width)
		return (width == 32 ? "prefix length not from 0 to 32"
				    : "prefix length not from 0 to 128");
	cidr->bits = (uint8_t)bits;
	if (has_host_bits(cidr, (unsigned)width))
		return ("host bits set: the address goes on behind its prefix");
	unmap(cidr);
	return (NULL);
}

int
cidr_parse(const char *text, size_t len, struct cidr *cidr, const char **why)
{
	const char *reason = NULL;

	memset(cidr, 0, sizeof(*cidr));
	if (is_word(text, len, "*"))
		cidr->kind = CIDR_ALL;
	else if (is_word(text, len, "unix"))
		cidr->kind = CIDR_UNIX;
	else
		reason = parse_network(text, len, cidr);
	if (reason != NULL)
		*why = reason;
	return (reason == NULL ? 0 : -1);
}

static bool
has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
	unsigned rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(address, prefix, bits / 8) != 0)
		return (false);
	return (
	    rest == 0 || ((address[bits / 8] ^ prefix[bits / 8]) & mask) == 0);
}

bool
cidr_has(const struct cidr *cidr, int family, const uint8_t *address)
{
	const uint8_t *within;

	switch (cidr->kind) {
	case CIDR_ALL:
		return (true);
	case CIDR_UNIX:
		return (family == AF_UNIX);
	case CIDR_NETWORK:
		break;
	}
	if (family == AF_INET6 && (within = cidr_mapped(address)) != NULL) {
		family = AF_INET;
		address = within;
	}
	return (family == cidr->family &&
		has_prefix(address, cidr->address, cidr->bits));
}

/* ---- lists ---- */

static void
add(struct cidr_list *list, const char *text, size_t len)
{
	struct cidr cidr;
	const char *why;

	if (cidr_parse(text, len, &cidr, &why) == -1)
		fatalx("network %.*s: %s", (int)len, text, why);
	list->items =
	    reallocarray(list->items, list->count + 1, sizeof(*list->items));
	if (list->items == NULL)
		fatal("list of networks");
	list->items[list->count++] = cidr;
}

void
cidr_list_init(struct cidr_list *list, const struct strings *items)
{
	const char *at, *text;
	size_t i, len;

	memset(list, 0, sizeof(*list));
	for (i = 0; i < items->count; i++)
		for (at = items->items[i]; string_item(&at, &text, &len);)
			add(list, text, len);
}

void
cidr_list_fini(struct cidr_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

bool
cidr_list_has(const struct cidr_list *list, int family, const uint8_t *address)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (cidr_has(&list->items[i], family, address))
			return (true);
	return (false);
}
