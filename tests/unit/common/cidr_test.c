/* cidr: which networks there are, and who is in them. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "cidr.h"
#include "guarded.h"
#include "macros.h"

TestSuite(cidr, .timeout = 20);

/* A network of text whose last byte is followed by nothing readable. */
static int
parse(const char *text, struct cidr *cidr, const char **why)
{
	size_t len = strlen(text);

	return (cidr_parse(guarded(text, len), len, cidr, why));
}

static const char address_why[] =
    "not an IPv4 or IPv6 address or network, unix or *";
static const char bits4_why[] = "prefix length not from 0 to 32";
static const char bits6_why[] = "prefix length not from 0 to 128";
static const char host_why[] =
    "host bits set: the address goes on behind its prefix";

/* clang-format off */
static const struct { const char *text, *why; } texts[] = {
	{ "*", NULL }, { "unix", NULL }, { "127.0.0.1", NULL },
	{ "127.0.0.1/32", NULL }, { "10.0.0.0/8", NULL }, { "0.0.0.0/0", NULL },
	{ "10.128.0.0/9", NULL }, { "::1", NULL }, { "::1/128", NULL },
	{ "::/0", NULL }, { "fe80::/10", NULL }, { "2001:db8::/32", NULL },
	{ "::ffff:192.0.2.0/120", NULL }, { "::ffff:192.0.2.1", NULL },
	{ "", address_why }, { "/", address_why }, { "/8", address_why },
	{ "**", address_why }, { "unix:/run/s", address_why },
	{ "Unix", address_why }, { "localhost", address_why },
	{ "10.0.0", address_why }, { "10.0.0.0.0", address_why },
	{ "010.0.0.0/8", address_why }, { "256.0.0.1", address_why },
	{ "10.0.0.1:80", address_why }, { "[::1]", address_why },
	{ "fe80::1%eth0", address_why }, { ":::", address_why },
	{ "1:2:3:4:5:6:7:8:9", address_why }, { " ::1", address_why },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", address_why },
	{ "10.0.0.0/33", bits4_why }, { "10.0.0.0/", bits4_why },
	{ "10.0.0.0/-1", bits4_why }, { "10.0.0.0/08", bits4_why },
	{ "10.0.0.0/8/8", bits4_why }, { "10.0.0.0/255.0.0.0", bits4_why },
	{ "10.0.0.0/1000", bits4_why }, { "::/129", bits6_why },
	{ "::/x", bits6_why },
	{ "10.0.0.1/8", host_why }, { "10.128.0.0/8", host_why },
	{ "0.0.0.1/0", host_why }, { "10.0.0.1/31", host_why },
	{ "::1/127", host_why }, { "2001:db8::1/32", host_why },
};
/* clang-format on */

Test(cidr, is_taken_or_refused_with_the_reason)
{
	struct cidr cidr;
	const char *why;
	size_t i;

	for (i = 0; i < nitems(texts); i++) {
		why = NULL;
		cr_expect_eq(parse(texts[i].text, &cidr, &why),
		    texts[i].why == NULL ? 0 : -1, "%s", texts[i].text);
		if (texts[i].why != NULL)
			cr_expect_str_eq(
			    why, texts[i].why, "%s: %s", texts[i].text, why);
	}
}

/* clang-format off */
static const struct { const char *network, *who; bool in; } facts[] = {
	{ "*", "192.0.2.1", true }, { "*", "::1", true }, { "*", "", true },
	{ "unix", "", true }, { "unix", "127.0.0.1", false },
	{ "unix", "::", false }, { "0.0.0.0/0", "", false },
	{ "::/0", "", false },
	{ "127.0.0.1", "127.0.0.1", true }, { "127.0.0.1", "127.0.0.2", false },
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false }, { "10.0.0.0/8", "9.255.0.0", false },
	{ "10.128.0.0/9", "10.128.0.0", true },
	{ "10.128.0.0/9", "10.127.255.255", false },
	{ "192.0.2.4/31", "192.0.2.5", true },
	{ "192.0.2.4/31", "192.0.2.6", false },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "0.0.0.0/0", "::1", false }, { "::/0", "192.0.2.1", false },
	{ "::1", "::1", true }, { "::1", "::", false },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/32", "2001:db9::", false },
	{ "fe80::/10", "febf::1", true }, { "fe80::/10", "fec0::1", false },
	/* RFC 4291 2.5.5.2: the address in the last 32 bits is meant */
	{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
	{ "192.0.2.0/24", "::ffff:192.0.3.9", false },
	{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
	{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
	{ "::ffff:192.0.2.0/120", "::ffff:192.0.2.9", true },
	{ "::ffff:0.0.0.0/96", "192.0.2.9", true },
	{ "::/0", "::ffff:192.0.2.9", false },
};
/* clang-format on */

/* "" is a unix socket. */
static int
family_of(const char *who)
{
	if (*who == '\0')
		return (AF_UNIX);
	return (strchr(who, ':') != NULL ? AF_INET6 : AF_INET);
}

Test(cidr, has_who_begins_with_its_prefix)
{
	uint8_t address[16];
	struct cidr cidr;
	const char *why, *end;
	size_t i, size;
	int family;

	for (i = 0; i < nitems(facts); i++) {
		family = family_of(facts[i].who);
		memset(address, 0, sizeof(address));
		if (family != AF_UNIX)
			cr_assert_eq(
			    inet_pton(family, facts[i].who, address), 1);
		cr_assert_eq(parse(facts[i].network, &cidr, &why), 0);
		size = family == AF_INET ? 4 : 16;
		end = guarded((const char *)address, size);
		cr_expect_eq(cidr_has(&cidr, family, (const uint8_t *)end),
		    facts[i].in, "%s in %s", facts[i].who, facts[i].network);
	}
}

Test(cidr, list_has_who_is_in_any_of_it)
{
	static const uint8_t here[4] = {127, 0, 0, 1},
			     there[4] = {192, 0, 2, 1};
	struct cidr_list list;
	struct strings items;

	strings_init(&items);
	cidr_list_init(&list, &items);
	cr_expect_not(cidr_list_has(&list, AF_INET, here));
	cidr_list_fini(&list);
	strings_add(&items, "10.0.0.0/8");
	strings_add(&items, "::1 ,\t127.0.0.1,unix");
	cidr_list_init(&list, &items);
	cr_expect_eq(list.count, 4);
	cr_expect(cidr_list_has(&list, AF_INET, here));
	cr_expect(cidr_list_has(&list, AF_UNIX, NULL));
	cr_expect_not(cidr_list_has(&list, AF_INET, there));
	cidr_list_fini(&list);
	strings_fini(&items);
}
