/* forwarded - see forwarded.h. */
#include "forwarded.h"

#include <string.h>

#include "forwarded_syntax.h"
#include "http_char.h"

static const char bad_standard[] = "malformed Forwarded (RFC 7239 4)";
static const char bad_client[] = "fields disagree about the client";
static const char bad_scheme[] = "fields disagree about the scheme";
static const char bad_host[] = "fields disagree about the host";
static const char bad_port[] = "fields disagree about the port";
static const char bad_prefix[] = "fields disagree about the path's prefix";

/* A head whose fields are being read. */
struct source {
	const struct forwarded_rules *rules;
	const char *base;
	const struct http_head *head;
};

/* The next field of that name, from *i on. */
static bool
next_field(const struct source *s, const char *name, uint32_t *i,
    struct forwarded_value *value)
{
	const struct http_field *field;

	for (; *i < s->head->nfields; (*i)++) {
		field = &s->head->fields[*i];
		if (!http_chars_equal(
			s->base + field->name.offset, field->name.len, name))
			continue;
		value->text = s->base + field->value.offset;
		value->len = field->value.len;
		(*i)++;
		return (true);
	}
	return (false);
}

static bool
is_same(const struct forwarded_value *a, const struct forwarded_value *b)
{
	return (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

/* Schemes and hosts: RFC 3986 6.2.2.1. */
static bool
is_same_word(const struct forwarded_value *a, const struct forwarded_value *b)
{
	size_t i;

	if (a->len != b->len)
		return (false);
	for (i = 0; i < a->len; i++)
		if (http_char_lower(a->text[i]) != http_char_lower(b->text[i]))
			return (false);
	return (true);
}

static struct http_text
text_of(const struct source *s, const char *text, size_t len)
{
	return ((struct http_text){(uint32_t)(text - s->base), (uint32_t)len});
}

/* ---- lists: X-Forwarded-* ---- */

/* A list over all fields of one name (RFC 9110 5.3), without empty elements. */
struct list {
	const struct source *source;
	const char *name;
	uint32_t field;
	size_t at;
	struct forwarded_value value;
};

static bool
list_next(struct list *list, struct forwarded_value *element)
{
	for (;;) {
		while (list->value.text != NULL &&
		       http_list_next(list->value.text, list->value.len,
			   &list->at, &element->text, &element->len))
			if (element->len > 0)
				return (true);
		if (!next_field(
			list->source, list->name, &list->field, &list->value))
			return (false);
		list->at = 0;
	}
}

/*
 * The value that the outermost known proxy has given.  *strays: something else
 * stands before it.
 */
static bool
pick(const struct source *s, enum forwarded_field which,
    struct forwarded_value *value, bool *strays)
{
	const struct list start = {
	    .source = s, .name = forwarded_field_names[which]};
	struct list list = start;
	struct forwarded_value element;
	size_t count = 0, skip, i;

	*strays = false;
	if (!(s->rules->fields & (1u << which)))
		return (false);
	while (list_next(&list, &element))
		count++;
	if (count == 0)
		return (false);
	skip = count > s->rules->hops ? count - s->rules->hops : 0;
	for (list = start, i = 0; i <= skip; i++)
		list_next(&list, value);
	for (list = start, i = 0; i < skip; i++) {
		list_next(&list, &element);
		if (!(which == FORWARDED_PREFIX ? is_same : is_same_word)(
			&element, value))
			*strays = true;
	}
	return (true);
}

/* ---- what is said, put together ---- */

static const char *
take_client(struct forwarded *out, const struct forwarded_value *value,
    bool is_standard)
{
	struct peer peer;

	if (forwarded_node_parse(value->text, value->len, is_standard, &peer) ==
	    -1)
		return (is_standard ? "malformed node in Forwarded (RFC 7239 6)"
				    : "malformed X-Forwarded-For");
	if (out->has_client && (out->client.family != peer.family ||
				   memcmp(out->client.address, peer.address,
				       sizeof(peer.address)) != 0))
		return (bad_client);
	out->has_client = true;
	out->client = peer;
	return (NULL);
}

static const char *
set_scheme(struct forwarded *out, enum forwarded_scheme scheme)
{
	if (out->scheme != FORWARDED_NO_SCHEME && out->scheme != scheme)
		return (bad_scheme);
	out->scheme = (uint8_t)scheme;
	return (NULL);
}

static const char *
take_scheme(struct forwarded *out, const struct forwarded_value *value)
{
	if (http_chars_equal(value->text, value->len, "https"))
		return (set_scheme(out, FORWARDED_HTTPS));
	if (http_chars_equal(value->text, value->len, "http"))
		return (set_scheme(out, FORWARDED_HTTP));
	return ("forwarded scheme is neither http nor https");
}

static const char *
set_port(struct forwarded *out, uint16_t port)
{
	if (out->port != 0 && out->port != port)
		return (bad_port);
	out->port = port;
	return (NULL);
}

static const char *
take_host(const struct source *s, struct forwarded *out,
    const struct forwarded_value *value)
{
	struct forwarded_value before, name = *value;
	uint16_t port;

	if (forwarded_host_parse(value->text, value->len, &name.len, &port) ==
	    -1)
		return ("malformed forwarded host (RFC 3986 3.2)");
	before.text = s->base + out->host.offset;
	before.len = out->host.len;
	if (before.len > 0 && !is_same_word(&before, &name))
		return (bad_host);
	out->host = text_of(s, name.text, name.len);
	return (port != 0 ? set_port(out, port) : NULL);
}

static const char *
take_prefix(const struct source *s, struct forwarded *out,
    const struct forwarded_value *value)
{
	struct forwarded_value before, prefix = *value;

	if (prefix.len > 0 && prefix.text[prefix.len - 1] == '/')
		prefix.len--;
	if (proxy_prefix_check(prefix.text, prefix.len) != NULL)
		return ("malformed prefix of a path");
	before.text = s->base + out->prefix.offset;
	before.len = out->prefix.len;
	if (out->has_prefix && !is_same(&before, &prefix))
		return (bad_prefix);
	out->has_prefix = true;
	out->prefix = text_of(s, prefix.text, prefix.len);
	return (NULL);
}

/* ---- the fields ---- */

/* Each of what the known proxies say, the outermost that says it. */
static enum forwarded_step
read_standard(
    const struct source *s, struct forwarded_element *told, size_t skip)
{
	struct forwarded_element e;
	struct forwarded_value value;
	enum forwarded_step step;
	uint32_t field = 0;
	size_t count = 0, at;

	while (next_field(s, "forwarded", &field, &value)) {
		at = 0;
		while ((step = forwarded_element_next(value.text, value.len,
			    &at, &e)) == FORWARDED_NEXT) {
			if (count++ < skip)
				continue;
			if (told->client.text == NULL)
				told->client = e.client;
			if (told->host.text == NULL)
				told->host = e.host;
			if (told->proto.text == NULL)
				told->proto = e.proto;
		}
		if (step == FORWARDED_BAD)
			return (FORWARDED_BAD);
	}
	return (FORWARDED_END);
}

/* Elements of Forwarded; malformed ones end it. */
static size_t
count_standard(const struct source *s)
{
	struct forwarded_element e;
	struct forwarded_value value;
	uint32_t field = 0;
	size_t count = 0, at;

	while (next_field(s, "forwarded", &field, &value))
		for (at = 0; forwarded_element_next(value.text, value.len, &at,
				 &e) == FORWARDED_NEXT;)
			count++;
	return (count);
}

static const char *
resolve_standard(const struct source *s, struct forwarded *out)
{
	struct forwarded_element told = {
	    {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
	size_t count, hops = s->rules->hops;
	const char *why = NULL;

	if (!(s->rules->fields & (1u << FORWARDED_STANDARD)))
		return (NULL);
	count = count_standard(s);
	if (read_standard(s, &told, count > hops ? count - hops : 0) ==
	    FORWARDED_BAD)
		return (bad_standard);
	if (told.client.text != NULL)
		why = take_client(out, &told.client, true);
	if (why == NULL && told.proto.text != NULL)
		why = take_scheme(out, &told.proto);
	if (why == NULL && told.host.text != NULL)
		why = take_host(s, out, &told.host);
	return (why);
}

static const char *
resolve_scheme(const struct source *s, struct forwarded *out)
{
	const struct forwarded_secure *secure = s->rules->secure;
	struct forwarded_value value;
	const char *why = NULL;
	uint32_t field;
	bool strays;
	size_t i;

	if (pick(s, FORWARDED_PROTO, &value, &strays))
		why = strays ? bad_scheme : take_scheme(out, &value);
	for (i = 0; i < s->rules->nsecure; i++, secure++)
		for (field = 0; why == NULL &&
				next_field(s, secure->name, &field, &value);)
			why = set_scheme(out, http_chars_equal(value.text,
						  value.len, secure->value)
						  ? FORWARDED_HTTPS
						  : FORWARDED_HTTP);
	return (why);
}

static const char *
resolve_host(const struct source *s, struct forwarded *out)
{
	struct forwarded_value value;
	const char *why = NULL;
	uint16_t port;
	bool strays;

	if (pick(s, FORWARDED_HOST, &value, &strays))
		why = strays ? bad_host : take_host(s, out, &value);
	if (why == NULL && pick(s, FORWARDED_PORT, &value, &strays)) {
		if (strays)
			why = bad_port;
		else if (forwarded_port_parse(value.text, value.len, &port) ==
			 -1)
			why = "malformed X-Forwarded-Port";
		else
			why = set_port(out, port);
	}
	return (why);
}

static const char *
resolve_prefix(const struct source *s, struct forwarded *out)
{
	struct forwarded_value value;
	const char *why = NULL;
	uint32_t field = 0;
	bool strays;

	if (pick(s, FORWARDED_PREFIX, &value, &strays))
		why = strays ? bad_prefix : take_prefix(s, out, &value);
	if (!s->rules->script_name)
		return (why);
	while (why == NULL && next_field(s, "script_name", &field, &value)) {
		if (out->is_script_name)
			return ("more than one SCRIPT_NAME");
		out->is_script_name = true;
		why = take_prefix(s, out, &value);
	}
	return (why);
}

const char *
forwarded_resolve(const struct forwarded_rules *rules, const char *base,
    const struct http_head *head, struct forwarded *out)
{
	const struct source s = {rules, base, head};
	struct forwarded_value value;
	const char *why = NULL;
	bool strays;

	memset(out, 0, sizeof(*out));
	/* What a client has sent stands before: it is no contradiction. */
	if (pick(&s, FORWARDED_FOR, &value, &strays))
		why = take_client(out, &value, false);
	if (why == NULL)
		why = resolve_scheme(&s, out);
	if (why == NULL)
		why = resolve_host(&s, out);
	if (why == NULL)
		why = resolve_standard(&s, out);
	if (why == NULL)
		why = resolve_prefix(&s, out);
	out->is_set = out->has_client || out->has_prefix ||
		      out->scheme != FORWARDED_NO_SCHEME || out->port != 0 ||
		      out->host.len > 0;
	return (why);
}
