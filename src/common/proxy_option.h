/*
 * proxy_option - the values of the options in [proxy]: what may stand there, and
 * the words that they share with the code that uses them.
 *
 * Pure, but for what config_check() says.
 */
#ifndef CGTHREAD_PROXY_OPTION_H
#define CGTHREAD_PROXY_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config.h"

/* The fields in which proxies say whom they speak for. */
enum forwarded_field {
	FORWARDED_STANDARD, /* Forwarded: RFC 7239 */
	FORWARDED_FOR,      /* X-Forwarded-For, and so on */
	FORWARDED_PROTO,
	FORWARDED_HOST,
	FORWARDED_PORT,
	FORWARDED_PREFIX,
	FORWARDED_FIELDS
};

/* In lower case. */
extern const char *const forwarded_field_names[FORWARDED_FIELDS];

/* By its name, in any case; FORWARDED_FIELDS: none of them. */
enum forwarded_field forwarded_field_find(const char *name, size_t len);

/* NULL, or what is wrong: a constant (struct option_row). */
option_check_fn proxy_check_networks;
option_check_fn proxy_check_fields;    /* forwarded_headers */
option_check_fn proxy_check_secure;    /* secure_scheme_headers */
option_check_fn proxy_check_forwarder; /* forwarder_headers */
option_check_fn proxy_check_prefix;    /* url_prefix */
option_check_fn proxy_check_name;      /* server_name */

/* A path that a site can be mounted at, "" or "/a/b"; NULL, or what is wrong. */
const char *proxy_prefix_check(const char *text, size_t len);

/* What the options say together; the number of errors written. */
unsigned proxy_option_check(const struct config *, FILE *err);

#endif
