/*
 * cidr - networks that somebody is trusted by: 10.0.0.0/8, ::1, unix, *.
 *
 * Pure.  An IPv4 address in IPv6 clothes (::ffff:192.0.2.1) is the IPv4 address,
 * in a network and as who is looked up, so that it makes no difference by what
 * kind of socket somebody came.
 */
#ifndef CGTHREAD_CIDR_H
#define CGTHREAD_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strings.h"

enum cidr_kind {
	CIDR_NETWORK,
	CIDR_UNIX, /* whoever comes by a unix socket */
	CIDR_ALL
};

struct cidr {
	enum cidr_kind kind;
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t bits;   /* of the prefix */
	uint8_t address[16];
};

struct cidr_list {
	struct cidr *items;
	size_t count;
};

/* The IPv4 address within one of IPv6 (RFC 4291 2.5.5.2), its last 4 bytes; NULL if
 * there is none. */
const uint8_t *cidr_mapped(const uint8_t address[16]);

/* 0, or -1 with *why set to a constant that says what is wrong. */
int cidr_parse(const char *text, size_t len, struct cidr *, const char **why);

/* address: 4 or 16 bytes, none for AF_UNIX. */
bool cidr_has(const struct cidr *, int family, const uint8_t *address);

/* Of items that were checked, each of which may be several with commas between.
 * No memory is fatal. */
void cidr_list_init(struct cidr_list *, const struct strings *items);
void cidr_list_fini(struct cidr_list *);
bool cidr_list_has(const struct cidr_list *, int family, const uint8_t *);

#endif
