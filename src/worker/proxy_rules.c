/* proxy_rules - see proxy_rules.h. */
#include "proxy_rules.h"

#include <stdlib.h>
#include <string.h>

#include "http_char.h"
#include "http_escape.h"
#include "log.h"
#include "proxy_option.h"

#define SCRIPT_NAME "SCRIPT_NAME"

static char
upper(char c)
{
	return (c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c);
}

/* A copy in which each byte is as fold makes it. */
static char *
copy_folded(const char *text, size_t len, char (*fold)(char))
{
	char *copy = strndup(text, len);
	size_t i;

	if (copy == NULL)
		fatal("proxy rules");
	for (i = 0; copy[i] != '\0'; i++)
		copy[i] = fold(copy[i]);
	return (copy);
}

/* ---- from the settings ---- */

static void
add_secure(struct proxy_rules *rules, const char *item, size_t len)
{
	const char *equals = memchr(item, '=', len);
	size_t name_len, n = rules->forwarded.nsecure;

	if (equals == NULL)
		return;
	name_len = (size_t)(equals - item);
	rules->secure =
	    reallocarray(rules->secure, n + 1, sizeof(*rules->secure));
	if (rules->secure == NULL)
		fatal("proxy rules");
	rules->secure[n].name = copy_folded(item, name_len, http_char_lower);
	rules->secure[n].value =
	    copy_folded(equals + 1, len - name_len - 1, http_char_lower);
	rules->forwarded.secure = rules->secure;
	rules->forwarded.nsecure = n + 1;
}

static void
add_forwarder(struct proxy_rules *rules, const char *item, size_t len)
{
	char *name = copy_folded(item, len, upper);

	if (strcmp(name, SCRIPT_NAME) == 0)
		rules->forwarded.script_name = true;
	else
		strings_add(&rules->forwarder, name);
	free(name);
}

static void
add_field(struct proxy_rules *rules, const char *item, size_t len)
{
	enum forwarded_field field = forwarded_field_find(item, len);

	if (field < FORWARDED_FIELDS)
		rules->forwarded.fields |= 1u << field;
}

static void
for_each(struct proxy_rules *rules, const struct strings *list,
    void (*add)(struct proxy_rules *, const char *, size_t))
{
	const char *at, *item;
	size_t i, len;

	for (i = 0; i < list->count; i++)
		for (at = list->items[i]; string_item(&at, &item, &len);)
			add(rules, item, len);
}

/*
 * Once it is said which fields the proxies set, the others of a trusted peer are
 * what clients have sent; until then all are left to the application.
 */
static void
set_hidden(struct proxy_rules *rules, bool clear)
{
	unsigned read = rules->forwarded.fields;
	enum forwarded_field field;
	size_t i;

	rules->hidden[false] = PROXY_FIELD_FORWARDER | PROXY_FIELD_DROPPED;
	rules->hidden[true] = PROXY_FIELD_DROPPED;
	if (!clear)
		return;
	rules->hidden[false] |= PROXY_FIELDS_FORWARDED;
	if (read == 0)
		return;
	for (i = 0; i < rules->forwarded.nsecure; i++) {
		field = forwarded_field_find(
		    rules->secure[i].name, strlen(rules->secure[i].name));
		if (field < FORWARDED_FIELDS)
			read |= 1u << field;
	}
	rules->hidden[true] |= ((1u << FORWARDED_FIELDS) - 1) & ~read;
}

void
proxy_rules_init(struct proxy_rules *rules, const struct config *cfg)
{
	memset(rules, 0, sizeof(*rules));
	strings_init(&rules->forwarder);
	cidr_list_init(&rules->forwarded_from, &cfg->forwarded_allow_ips);
	cidr_list_init(&rules->protocol_from, &cfg->proxy_allow_ips);
	for_each(rules, &cfg->forwarded_headers, add_field);
	for_each(rules, &cfg->secure_scheme_headers, add_secure);
	for_each(rules, &cfg->forwarder_headers, add_forwarder);
	rules->forwarded.hops = (unsigned)cfg->forwarded_hops;
	rules->rewrites_peer = cfg->remote_addr_from == REMOTE_ADDR_FORWARDED;
	rules->refuses_underscore = cfg->header_map == HEADER_MAP_REFUSE;
	rules->logs_untrusted = cfg->log_untrusted != 0;
	rules->is_https = cfg->url_scheme == URL_SCHEME_HTTPS;
	rules->protocol = (enum proxy_mode)cfg->proxy_protocol;
	rules->server_name = cfg->server_name;
	memcpy(rules->prefix, cfg->url_prefix,
	    strnlen(cfg->url_prefix, sizeof(rules->prefix) - 1));
	set_hidden(rules, cfg->clear_untrusted != 0);
	rules->is_active =
	    rules->forwarded.fields != 0 || rules->forwarded.nsecure > 0 ||
	    rules->forwarded.script_name || rules->forwarder.count > 0 ||
	    rules->refuses_underscore || rules->logs_untrusted ||
	    rules->prefix[0] != '\0';
}

void
proxy_rules_fini(struct proxy_rules *rules)
{
	size_t i;

	for (i = 0; i < rules->forwarded.nsecure; i++) {
		free(rules->secure[i].name);
		free(rules->secure[i].value);
	}
	free(rules->secure);
	strings_fini(&rules->forwarder);
	cidr_list_fini(&rules->forwarded_from);
	cidr_list_fini(&rules->protocol_from);
	memset(rules, 0, sizeof(*rules));
}

/* ---- peers and fields ---- */

bool
proxy_rules_trust(const struct proxy_rules *rules, const struct peer *peer)
{
	return (
	    cidr_list_has(&rules->forwarded_from, peer->family, peer->address));
}

bool
proxy_rules_allow(const struct proxy_rules *rules, const struct peer *peer)
{
	return (
	    cidr_list_has(&rules->protocol_from, peer->family, peer->address));
}

/* As variables of an environ, "Remote-User" and "REMOTE_USER" are one. */
static bool
is_variable(const char *name, size_t len, const char *variable)
{
	size_t i;

	for (i = 0; i < len && variable[i] != '\0'; i++)
		if ((name[i] == '-' ? '_' : upper(name[i])) != variable[i])
			return (false);
	return (i == len && variable[i] == '\0');
}

/*
 * A listed name with a hyphen would pass for the one with an underscore, which
 * the proxy vouches for: nobody may send it.
 */
static unsigned
field_of_forwarder(
    const struct proxy_rules *rules, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < rules->forwarder.count; i++)
		if (is_variable(name, len, rules->forwarder.items[i]))
			return (memchr(name, '-', len) == NULL
				    ? PROXY_FIELD_FORWARDER
				    : PROXY_FIELD_DROPPED);
	return (memchr(name, '_', len) == NULL ? 0 : PROXY_FIELD_DROPPED);
}

static bool
is_other_forwarded(
    const struct proxy_rules *rules, const char *name, size_t len)
{
	static const char start[] = "x-forwarded-";
	size_t i, start_len = sizeof(start) - 1;

	if ((len > start_len && http_chars_equal(name, start_len, start)) ||
	    http_chars_equal(name, len, "x-real-ip"))
		return (true);
	for (i = 0; i < rules->forwarded.nsecure; i++)
		if (http_chars_equal(name, len, rules->secure[i].name))
			return (true);
	return (false);
}

unsigned
proxy_rules_field(const struct proxy_rules *rules, const char *name, size_t len)
{
	enum forwarded_field field = forwarded_field_find(name, len);
	unsigned listed = field_of_forwarder(rules, name, len);

	/* First: one that the proxy sends with underscores has no other form. */
	if (listed != 0)
		return (listed);
	if (field < FORWARDED_FIELDS)
		return (1u << field);
	if (is_other_forwarded(rules, name, len))
		return (PROXY_FIELD_OTHER);
	return (0);
}

/* ---- one request ---- */

/* A listed name may stand once: of two one is not the proxy's. */
static const char *
check_underscore(const struct proxy_rules *rules, bool is_trusted,
    const char *base, const struct http_head *head, uint32_t i)
{
	const struct http_field *field = &head->fields[i], *other;
	const char *name = base + field->name.offset;
	size_t len = field->name.len;
	bool is_listed;

	is_listed = is_trusted && ((rules->forwarded.script_name &&
				       is_variable(name, len, SCRIPT_NAME)) ||
				      proxy_rules_field(rules, name, len) ==
					  PROXY_FIELD_FORWARDER);
	if (!is_listed)
		return (rules->refuses_underscore
			    ? "field name with an underscore (header_map)"
			    : NULL);
	for (other = head->fields; other < field; other++)
		if (other->name.len == len &&
		    string_same(base + other->name.offset, name, len))
			return ("a field of forwarder_headers stands twice");
	return (NULL);
}

static const char *
check_fields(const struct proxy_rules *rules, bool is_trusted, const char *base,
    const struct http_head *head, struct proxy_verdict *verdict)
{
	const char *name, *why = NULL;
	uint32_t i, len;

	for (i = 0; why == NULL && i < head->nfields; i++) {
		name = base + head->fields[i].name.offset;
		len = head->fields[i].name.len;
		if (memchr(name, '_', len) != NULL)
			why =
			    check_underscore(rules, is_trusted, base, head, i);
		else if (!is_trusted && rules->logs_untrusted &&
			 (proxy_rules_field(rules, name, len) &
			     PROXY_FIELDS_FORWARDED))
			verdict->has_untrusted = true;
	}
	return (why);
}

/* How many bytes of the path are the prefix, whatever is escaped of it; 0: it does
 * not begin with that, followed by "/" or nothing. */
static uint32_t
prefix_in_path(const char *path, size_t len, const char *prefix, size_t n)
{
	size_t at = 0, i, step;
	char plain[3];

	for (i = 0; i <= n; i++, at += step) {
		if (at == len)
			return (i == n ? (uint32_t)at : 0);
		step = path[at] == '%' && len - at >= 3 ? 3 : 1;
		if (http_unescape(plain, path + at, step) != 1)
			return (0);
		if (i == n)
			return (plain[0] == '/' ? (uint32_t)at : 0);
		if (plain[0] != prefix[i])
			return (0);
	}
	return (0);
}

static const char *
set_path(const struct proxy_rules *rules, const char *base,
    const struct http_head *head, struct proxy_verdict *verdict)
{
	const struct forwarded *forwarded = &verdict->forwarded;
	const char *path = base + head->path.offset, *prefix = rules->prefix;
	size_t len = strlen(prefix);

	if (forwarded->has_prefix && !forwarded->is_script_name)
		return (NULL); /* what the proxy has taken away */
	if (forwarded->is_script_name) {
		prefix = base + forwarded->prefix.offset;
		len = forwarded->prefix.len;
	}
	if (len > 0)
		verdict->path_skip =
		    prefix_in_path(path, head->path.len, prefix, len);
	if (forwarded->is_script_name && len > 0 && verdict->path_skip == 0)
		return ("path is not below SCRIPT_NAME");
	return (NULL);
}

const char *
proxy_rules_judge(const struct proxy_rules *rules, bool is_trusted,
    const char *base, const struct http_head *head,
    struct proxy_verdict *verdict)
{
	const char *why;

	memset(verdict, 0, sizeof(*verdict));
	why = check_fields(rules, is_trusted, base, head, verdict);
	if (why == NULL && is_trusted)
		why = forwarded_resolve(
		    &rules->forwarded, base, head, &verdict->forwarded);
	if (why == NULL)
		why = set_path(rules, base, head, verdict);
	return (why);
}
