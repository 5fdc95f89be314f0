/* forwarded_syntax - see forwarded_syntax.h. */
#include "forwarded_syntax.h"

#include <arpa/inet.h>
#include <string.h>

#include "http_char.h"
#include "http_host.h"
#include "macros.h"

/* ---- Forwarded ---- */

struct scan {
	const char *at, *end;
};

static void
skip_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
}

static struct forwarded_value
take_token(struct scan *s)
{
	struct forwarded_value token = {s->at, 0};

	while (s->at < s->end && http_char_is(*s->at, HTTP_CHAR_TOKEN))
		s->at++;
	token.len = (size_t)(s->at - token.text);
	return (token);
}

/* RFC 9110 5.6.4, behind its opening quote; -1: it does not end. */
static int
take_quoted(struct scan *s, struct forwarded_value *value, bool *has_pair)
{
	value->text = s->at;
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if (*s->at == '\\') {
			*has_pair = true;
			s->at++;
		}
		if (s->at == s->end || !http_char_is(*s->at, HTTP_CHAR_VALUE))
			return (-1);
	}
	if (s->at == s->end)
		return (-1);
	value->len = (size_t)(s->at++ - value->text);
	return (0);
}

static struct forwarded_value *
known_value(struct forwarded_element *e, const struct forwarded_value *name)
{
	if (http_chars_equal(name->text, name->len, "for"))
		return (&e->client);
	if (http_chars_equal(name->text, name->len, "host"))
		return (&e->host);
	if (http_chars_equal(name->text, name->len, "proto"))
		return (&e->proto);
	if (http_chars_equal(name->text, name->len, "by"))
		return (&e->by);
	return (NULL);
}

/* name "=" ( token / quoted-string ), and what must follow. */
static int
take_pair(struct scan *s, struct forwarded_element *e)
{
	struct forwarded_value name = take_token(s), value, *known;
	bool has_pair = false;

	if (name.len == 0 || s->at == s->end || *s->at++ != '=')
		return (-1);
	if (s->at < s->end && *s->at == '"') {
		s->at++;
		if (take_quoted(s, &value, &has_pair) == -1)
			return (-1);
	} else {
		value = take_token(s);
		if (value.len == 0)
			return (-1);
	}
	known = known_value(e, &name);
	if (known != NULL && (known->text != NULL || has_pair))
		return (-1); /* each once: RFC 7239 4 */
	if (known != NULL)
		*known = value;
	skip_blanks(s);
	return (s->at == s->end || *s->at == ';' || *s->at == ',' ? 0 : -1);
}

enum forwarded_step
forwarded_element_next(
    const char *text, size_t len, size_t *at, struct forwarded_element *e)
{
	struct scan s = {text + *at, text + len};
	bool any = false;

	memset(e, 0, sizeof(*e));
	for (;;) {
		skip_blanks(&s);
		if (s.at == s.end || (any && *s.at == ','))
			break;
		if (*s.at == ';' || *s.at == ',') {
			s.at++;
			continue;
		}
		if (take_pair(&s, e) == -1)
			return (FORWARDED_BAD);
		any = true;
	}
	*at = (size_t)(s.at - text);
	return (any ? FORWARDED_NEXT : FORWARDED_END);
}

/* ---- addresses ---- */

static int
take_address(struct peer *peer, int family, const char *text, size_t len)
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t address[16];

	if (len >= sizeof(buf) || memchr(text, '\0', len) != NULL)
		return (-1);
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (inet_pton(family, buf, address) != 1)
		return (-1);
	peer_set_address(peer, family, address);
	return (0);
}

/* 0 to 65535 in at most five digits. */
static int
take_number(const char *text, size_t len, uint16_t *number)
{
	unsigned value = 0;
	size_t i;

	if (len == 0 || len > 5)
		return (-1);
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return (-1);
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value > 65535)
		return (-1);
	*number = (uint16_t)value;
	return (0);
}

int
forwarded_port_parse(const char *text, size_t len, uint16_t *port)
{
	uint16_t number;

	if (take_number(text, len, &number) == -1 || number == 0)
		return (-1);
	*port = number;
	return (0);
}

/* RFC 7239 6.3: "_" and letters, digits, ".", "_" or "-". */
static bool
is_obfuscated(const char *text, size_t len)
{
	size_t i;
	char c;

	if (len < 2 || text[0] != '_')
		return (false);
	for (i = 1; i < len; i++) {
		c = text[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
			c == '-'))
			return (false);
	}
	return (true);
}

/*
 * What stands behind the name: nothing, or ":" and a port (RFC 7239 6).  Proxies that
 * know none say 0, as they do in a PROXY header.  In a host or in X-Forwarded-Port
 * it is a mistake: of these an application makes a URL, and none leads to port 0.
 */
static int
parse_node_port(const char *text, size_t len, uint16_t *port)
{
	if (len == 0)
		return (0);
	if (text[0] != ':')
		return (-1);
	if (is_obfuscated(text + 1, len - 1))
		return (0);
	return (take_number(text + 1, len - 1, port));
}

/* Where the name ends: at its bracket or before the colon. */
static size_t
node_name_len(const char *text, size_t len)
{
	const char *end;

	if (len > 0 && text[0] == '[') {
		end = memchr(text, ']', len);
		return (end != NULL ? (size_t)(end - text) + 1 : len);
	}
	end = memchr(text, ':', len);
	return (end != NULL ? (size_t)(end - text) : len);
}

int
forwarded_node_parse(
    const char *text, size_t len, bool is_standard, struct peer *peer)
{
	size_t name = node_name_len(text, len);

	memset(peer, 0, sizeof(*peer));
	if (!is_standard && take_address(peer, AF_INET6, text, len) == 0)
		return (0);
	if (parse_node_port(text + name, len - name, &peer->port) == -1)
		return (-1);
	if (name > 2 && text[0] == '[')
		return (text[name - 1] == ']'
			    ? take_address(peer, AF_INET6, text + 1, name - 2)
			    : -1);
	if (http_chars_equal(text, name, "unknown") ||
	    is_obfuscated(text, name)) {
		memset(peer, 0, sizeof(*peer));
		peer->family = AF_UNIX;
		return (0);
	}
	return (take_address(peer, AF_INET, text, name));
}

int
forwarded_host_parse(
    const char *text, size_t len, size_t *name_len, uint16_t *port)
{
	size_t name = node_name_len(text, len);

	*name_len = name;
	*port = 0;
	if (name < len && text[name] != ':')
		return (-1);
	if (len > name + 1 &&
	    forwarded_port_parse(text + name + 1, len - name - 1, port) == -1)
		return (-1);
	return (http_host_is_valid(text, name) ? 0 : -1);
}
