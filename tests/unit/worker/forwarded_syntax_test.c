/* forwarded_syntax: RFC 7239's pieces, and those that have no RFC. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "forwarded_syntax.h"
#include "guarded.h"
#include "macros.h"

TestSuite(forwarded_syntax, .timeout = 20);

#define BAD NULL

/* "[address]:port", "?" for who has none; what is standard and what is not. */
/* clang-format off */
static const struct { const char *text, *standard, *loose; } nodes[] = {
	/* RFC 7239 6 */
	{ "192.0.2.43", "[192.0.2.43]:0", "[192.0.2.43]:0" },
	{ "192.0.2.43:47011", "[192.0.2.43]:47011", "[192.0.2.43]:47011" },
	{ "192.0.2.43:_port", "[192.0.2.43]:0", "[192.0.2.43]:0" },
	{ "[2001:db8:cafe::17]", "[2001:db8:cafe::17]:0",
	  "[2001:db8:cafe::17]:0" },
	{ "[2001:db8:cafe::17]:4711", "[2001:db8:cafe::17]:4711",
	  "[2001:db8:cafe::17]:4711" },
	{ "[::1]:_a", "[::1]:0", "[::1]:0" },
	{ "[::ffff:192.0.2.1]:1", "[192.0.2.1]:1", "[192.0.2.1]:1" },
	{ "unknown", "?", "?" }, { "Unknown", "?", "?" },
	{ "unknown:80", "?", "?" }, { "_hidden", "?", "?" },
	{ "_SEVKISEK", "?", "?" }, { "_a.b-c_d:_e", "?", "?" },
	{ "192.0.2.43:65535", "[192.0.2.43]:65535", "[192.0.2.43]:65535" },
	/* not told, as in a PROXY header */
	{ "192.0.2.43:0", "[192.0.2.43]:0", "[192.0.2.43]:0" },
	{ "192.0.2.43:00000", "[192.0.2.43]:0", "[192.0.2.43]:0" },
	{ "[2001:db8::1]:0", "[2001:db8::1]:0", "[2001:db8::1]:0" },
	{ "unknown:0", "?", "?" },
	/* what X-Forwarded-For has, and Forwarded may not */
	{ "2001:db8::1", BAD, "[2001:db8::1]:0" }, { "::1", BAD, "[::1]:0" },
	{ "::ffff:192.0.2.1", BAD, "[192.0.2.1]:0" },
	/* neither */
	{ "", BAD, BAD }, { ":", BAD, BAD }, { ":80", BAD, BAD },
	{ "_", BAD, BAD }, { "_a b", BAD, BAD }, { "_a\xe4", BAD, BAD },
	{ "192.0.2.43:", BAD, BAD }, { "192.0.2.43:000000", BAD, BAD },
	{ "192.0.2.43:65536", BAD, BAD }, { "192.0.2.43:123456", BAD, BAD },
	{ "192.0.2.43:_", BAD, BAD }, { "192.0.2.43:8_0", BAD, BAD },
	{ "192.0.2.43:80:80", BAD, BAD }, { "192.0.2.43 ", BAD, BAD },
	{ "192.0.2", BAD, BAD }, { "192.0.2.043", BAD, BAD },
	{ "0xc0.0.2.43", BAD, BAD }, { "3221226027", BAD, BAD },
	{ "[]", BAD, BAD }, { "[", BAD, BAD }, { "[::1", BAD, BAD },
	{ "::1]", BAD, BAD }, { "[::1]80", BAD, BAD },
	{ "[192.0.2.43]", BAD, BAD }, { "[fe80::1%eth0]", BAD, BAD },
	{ "[unknown]", BAD, BAD }, { "localhost", BAD, BAD },
	{ "unix:", BAD, BAD },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", BAD, BAD },
};
/* clang-format on */

static const char *
node_text(const char *text, bool is_standard)
{
	static char buf[INET6_ADDRSTRLEN + 16];
	char address[INET6_ADDRSTRLEN];
	size_t len = strlen(text);
	struct peer peer;

	if (forwarded_node_parse(guarded(text, len), len, is_standard, &peer) ==
	    -1)
		return (BAD);
	if (peer.family == AF_UNIX) {
		cr_expect_eq(peer.port, 0, "%s", text);
		return ("?");
	}
	snprintf(buf, sizeof(buf), "[%s]:%u", peer_format(&peer, address),
	    peer.port);
	return (buf);
}

static void
expect_text(const char *got, const char *want, const char *what)
{
	if (want == BAD || got == BAD)
		cr_expect_eq(got, want, "%s: %s", what, got ? got : "refused");
	else
		cr_expect_str_eq(got, want, "%s", what);
}

Test(forwarded_syntax, node_is_an_address_or_nobody)
{
	size_t i;

	for (i = 0; i < nitems(nodes); i++) {
		expect_text(node_text(nodes[i].text, true), nodes[i].standard,
		    nodes[i].text);
		expect_text(node_text(nodes[i].text, false), nodes[i].loose,
		    nodes[i].text);
	}
}

/* clang-format off */
static const struct { const char *text; int name_len; unsigned port; } hosts[] = {
	{ "a", 1, 0 }, { "www.example.org", 15, 0 }, { "a:80", 1, 80 },
	{ "192.0.2.1:8080", 9, 8080 }, { "[::1]", 5, 0 }, { "[::1]:443", 5, 443 },
	{ "a%20b", 5, 0 }, { "_a", 2, 0 }, { "a:", 1, 0 }, { "[::1]:", 5, 0 },
	{ "", -1, 0 }, { ":80", -1, 0 }, { ":", -1, 0 }, { "a:0", -1, 0 },
	{ "a:b", -1, 0 }, { "a:80:80", -1, 0 }, { "a:65536", -1, 0 },
	{ "a b", -1, 0 }, { "a/b", -1, 0 }, { "u@a", -1, 0 }, { "a?b", -1, 0 },
	{ "a\\b", -1, 0 }, { "a\"", -1, 0 }, { "<a>", -1, 0 },
	{ "a\xe4", -1, 0 }, { "[::1", -1, 0 }, { "[::1]a", -1, 0 },
	{ "[a]", -1, 0 }, { "a]", -1, 0 }, { "[]", -1, 0 }, { "::1", -1, 0 },
	{ "%", -1, 0 }, { "a%2", -1, 0 }, { "%zz:80", -1, 0 },
};
/* clang-format on */

Test(forwarded_syntax, host_is_a_name_or_address_and_perhaps_a_port)
{
	size_t i, len, name_len;
	uint16_t port;
	int result;

	for (i = 0; i < nitems(hosts); i++) {
		len = strlen(hosts[i].text);
		result = forwarded_host_parse(
		    guarded(hosts[i].text, len), len, &name_len, &port);
		cr_expect_eq(
		    result == -1, hosts[i].name_len == -1, "%s", hosts[i].text);
		if (result == -1)
			continue;
		cr_expect_eq(
		    (int)name_len, hosts[i].name_len, "%s", hosts[i].text);
		cr_expect_eq(port, hosts[i].port, "%s", hosts[i].text);
	}
}

/* All elements as "for|host|proto|by;", "-" where one has none. */
/* clang-format off */
static const struct { const char *text, *want; } values[] = {
	/* RFC 7239 4 and 7.1 */
	{ "for=\"_gazonk\"", "_gazonk|-|-|-;" },
	{ "For=\"[2001:db8:cafe::17]:4711\"",
	  "[2001:db8:cafe::17]:4711|-|-|-;" },
	{ "for=192.0.2.60;proto=http;by=203.0.113.43",
	  "192.0.2.60|-|http|203.0.113.43;" },
	{ "for=192.0.2.43, for=198.51.100.17",
	  "192.0.2.43|-|-|-;198.51.100.17|-|-|-;" },
	{ "for=192.0.2.43,for=\"[2001:db8::17]\",for=unknown",
	  "192.0.2.43|-|-|-;[2001:db8::17]|-|-|-;unknown|-|-|-;" },
	{ "FOR=a;HOST=b;Proto=c;bY=d", "a|b|c|d;" },
	{ "secret=\"a,b;c\\\"d\";for=a", "a|-|-|-;" },
	{ "for=a ; host=b\t;proto=c", "a|b|c|-;" },
	/* RFC 9110 5.6.1: empty elements; 7239 4: empty pairs */
	{ "", "" }, { " , ,\t", "" }, { ";", "" }, { ";,;", "" },
	{ ",for=a,,for=b,", "a|-|-|-;b|-|-|-;" }, { ";for=a;;", "a|-|-|-;" },
	{ "for=\"\"", "|-|-|-;" }, { "x=y", "-|-|-|-;" },
	/* malformed: a value with ":" or "[" has to be quoted */
	{ "for=192.0.2.43:47011", BAD }, { "for=[::1]", BAD },
	{ "for", BAD }, { "for=", BAD }, { "=a", BAD }, { "for =a", BAD },
	{ "for= a", BAD }, { "for=a b", BAD }, { "for=a;for=b", BAD },
	{ "for=a;For=a", BAD }, { "for=\"a", BAD }, { "for=\"a\"b", BAD },
	{ "for=\"a\\", BAD }, { "for=\"a\\\"", BAD },
	{ "for=a\"b\"", BAD }, { "for=a=b", BAD }, { "for=a; host", BAD },
	{ "for=\"a\x01\"", BAD }, { "for=\"\x7f\"", BAD },
	{ "host=\"a\\b\"", BAD }, { "a b", BAD }, { "\"for\"=a", BAD },
	/* a quote that a client leaves open, and what a proxy writes behind */
	{ "for=\", for=192.0.2.1", BAD },
	{ "for=\"x, for=\"[2001:db8::17]\"", BAD },
	{ "for=\"x, for=192.0.2.1;proto=\"https\"", BAD },
};
/* clang-format on */

static void
put_value(FILE *out, const struct forwarded_value *value, char end)
{
	if (value->text == NULL)
		fputc('-', out);
	else
		fwrite(value->text, 1, value->len, out);
	fputc(end, out);
}

static char *
elements_text(const char *text, size_t len)
{
	struct forwarded_element e;
	enum forwarded_step step;
	char *got = NULL;
	size_t at = 0, size;
	FILE *out = open_memstream(&got, &size);

	cr_assert_not_null(out);
	while ((step = forwarded_element_next(text, len, &at, &e)) ==
	       FORWARDED_NEXT) {
		put_value(out, &e.client, '|');
		put_value(out, &e.host, '|');
		put_value(out, &e.proto, '|');
		put_value(out, &e.by, ';');
	}
	fclose(out);
	if (step == FORWARDED_END)
		return (got);
	free(got);
	return (NULL);
}

Test(forwarded_syntax, elements_are_those_of_rfc7239)
{
	size_t i, len;
	char *got;

	for (i = 0; i < nitems(values); i++) {
		len = strlen(values[i].text);
		got = elements_text(guarded(values[i].text, len), len);
		expect_text(got, values[i].want, values[i].text);
		free(got);
	}
}

/* However a value is cut, nothing is read behind it, and it comes to an end. */
Test(forwarded_syntax, any_prefix_of_a_value_ends)
{
	size_t i, len;

	for (i = 0; i < nitems(values); i++)
		for (len = 0; len < strlen(values[i].text); len++)
			free(elements_text(guarded(values[i].text, len), len));
}
