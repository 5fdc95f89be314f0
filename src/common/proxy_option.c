/* proxy_option - see proxy_option.h. */
#include "proxy_option.h"

#include <string.h>

#include "cidr.h"
#include "macros.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* What checks one of several items. */
typedef const char *item_check_fn(const char *item, size_t len);

const char *const forwarded_field_names[FORWARDED_FIELDS] = {
    [FORWARDED_STANDARD] = "forwarded",
    [FORWARDED_FOR] = "x-forwarded-for",
    [FORWARDED_PROTO] = "x-forwarded-proto",
    [FORWARDED_HOST] = "x-forwarded-host",
    [FORWARDED_PORT] = "x-forwarded-port",
    [FORWARDED_PREFIX] = "x-forwarded-prefix",
};

enum forwarded_field
forwarded_field_find(const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < FORWARDED_FIELDS; i++)
		if (strlen(forwarded_field_names[i]) == len &&
		    string_same(forwarded_field_names[i], name, len))
			break;
	return ((enum forwarded_field)i);
}

/* The first thing that is wrong with an item of the text. */
static const char *
check_items(const char *text, item_check_fn *check)
{
	const char *at = text, *item, *why = NULL;
	size_t len;

	while (why == NULL && string_item(&at, &item, &len))
		why = check(item, len);
	return (why);
}

static bool
is_made_of(const char *text, size_t len, const char *set)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(set, text[i]) == NULL)
			return (false);
	return (len > 0);
}

/* RFC 9110 5.6.2. */
static bool
is_token(const char *text, size_t len)
{
	return (is_made_of(text, len, LETTERS DIGITS "!#$%&'*+-.^_`|~"));
}

static const char *
check_network(const char *item, size_t len)
{
	struct cidr cidr;
	const char *why;

	return (cidr_parse(item, len, &cidr, &why) == 0 ? NULL : why);
}

const char *
proxy_check_networks(const char *text)
{
	return (check_items(text, check_network));
}

static const char *
check_field(const char *item, size_t len)
{
	if (forwarded_field_find(item, len) != FORWARDED_FIELDS)
		return (NULL);
	return ("not one of forwarded, x-forwarded-for, -proto, -host, -port, "
		"-prefix");
}

const char *
proxy_check_fields(const char *text)
{
	return (check_items(text, check_field));
}

/* A name with "_" never arrives, but for those of forwarder_headers. */
static const char *
check_secure(const char *item, size_t len)
{
	const char *equals = memchr(item, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - item) : 0;

	if (equals == NULL || !is_token(item, name_len) ||
	    !is_token(equals + 1, len - name_len - 1))
		return ("not of the form HEADER=VALUE, such as "
			"X-Forwarded-Ssl=on");
	if (memchr(item, '_', name_len) != NULL)
		return ("a header with an underscore never arrives: write it "
			"with -");
	return (NULL);
}

const char *
proxy_check_secure(const char *text)
{
	return (check_items(text, check_secure));
}

/*
 * Names whose form with hyphens we read ourselves.  That form is dropped for the
 * listed one, so an application would get a body and no CONTENT_LENGTH, or another
 * X-Forwarded-For than the one that counts.
 */
static bool
is_taken(const char *item, size_t len)
{
	static const char *const names[] = {
	    "content_length", "content_type", "transfer_encoding"};
	static const char start[] = "x_forwarded_";
	size_t i, start_len = sizeof(start) - 1;

	for (i = 0; i < nitems(names); i++)
		if (strlen(names[i]) == len && string_same(names[i], item, len))
			return (true);
	return (len >= start_len && string_same(start, item, start_len));
}

static const char *
check_forwarder(const char *item, size_t len)
{
	if (!is_made_of(item, len, LETTERS DIGITS "_") ||
	    memchr(item, '_', len) == NULL)
		return ("not a name with an underscore such as REMOTE_USER");
	if (is_taken(item, len))
		return ("the server itself reads that header, written with -");
	return (NULL);
}

const char *
proxy_check_forwarder(const char *text)
{
	return (check_items(text, check_forwarder));
}

/*
 * Nothing that an application, a browser or a file system could take for
 * something else: "//host" is another site, ".." another place.
 */
const char *
proxy_prefix_check(const char *text, size_t len)
{
	size_t i, segment = 1;

	if (len == 0)
		return (NULL);
	if (text[0] != '/' || text[len - 1] == '/')
		return ("not of the form /path: it begins with a slash and "
			"does not end with one");
	if (!is_made_of(text, len, LETTERS DIGITS "/-._~!$&'()*+,;=:@"))
		return ("has a character that a path can only have escaped");
	for (i = 1; i <= len; i++) {
		if (i < len && text[i] != '/')
			continue;
		if (i == segment)
			return ("has two slashes in a row");
		if (is_made_of(text + segment, i - segment, ".") &&
		    i - segment <= 2)
			return ("has a segment . or ..");
		segment = i + 1;
	}
	return (NULL);
}

const char *
proxy_check_prefix(const char *text)
{
	return (proxy_prefix_check(text, strlen(text)));
}

const char *
proxy_check_name(const char *text)
{
	return (is_made_of(text, strlen(text), LETTERS DIGITS "-._:[]")
		    ? NULL
		    : "not a host name or address");
}

/* ---- the whole ---- */

static bool
names_client(const struct strings *fields)
{
	const char *at, *item;
	enum forwarded_field field;
	size_t i, len;

	for (i = 0; i < fields->count; i++)
		for (at = fields->items[i]; string_item(&at, &item, &len);) {
			field = forwarded_field_find(item, len);
			if (field == FORWARDED_STANDARD ||
			    field == FORWARDED_FOR)
				return (true);
		}
	return (false);
}

unsigned
proxy_option_check(const struct config *cfg, FILE *err)
{
	if (cfg->remote_addr_from != REMOTE_ADDR_FORWARDED ||
	    names_client(&cfg->forwarded_headers))
		return (0);
	fputs("remote_addr_from: forwarded, but forwarded_headers has neither "
	      "x-forwarded-for nor forwarded to take it from\n",
	    err);
	return (1);
}
