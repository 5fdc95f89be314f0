/* suggest - see suggest.h. */
#include "suggest.h"

#include <stddef.h>
#include <string.h>

#include "config.h"
#include "distance.h"
#include "macros.h"

/*
 * Names that other servers have for something that we have, or have not, and
 * that no likeness would lead from.
 */
/* clang-format off */
static const struct {
	const char *name;
	const char *text;
} foreign[] = {
	{ "timeout",
	  "there is no single timeout here: the deadlines of a connection are "
	  "header_timeout, body_timeout, send_timeout and keepalive; what "
	  "gunicorn calls timeout is for request_timeout and worker_timeout, "
	  "which this version does not have" },
	{ "worker_connections", "it is max_connections in [http] here" },
	{ "worker_class",
	  "there is one kind of worker here: a process with threads" },
	{ "worker_tmp_dir", "workers need none here" },
	{ "raw_env", "it is the section [env] here, or --env NAME=VALUE" },
	{ "tmp_upload_dir", "it is spool_dir in [http] here" },
	{ "limit_request_body", "it is max_body_size in [http] here" },
	{ "client_max_body_size", "it is max_body_size in [http] here" },
	{ "max_request_body_size", "it is max_body_size in [http] here" },
	{ "keepalive_timeout", "it is keepalive in [http] here" },
	{ "channel_timeout",
	  "it is header_timeout, body_timeout, send_timeout and keepalive in "
	  "[http] here" },
	{ "trusted_proxy", "it is forwarded_allow_ips in [proxy] here" },
	{ "trusted_proxy_count", "it is forwarded_hops in [proxy] here" },
	{ "trusted_proxy_headers", "it is forwarded_headers in [proxy] here" },
	{ "clear_untrusted_proxy_headers",
	  "it is clear_untrusted in [proxy] here" },
	{ "log_untrusted_proxy_headers",
	  "it is log_untrusted in [proxy] here" },
	{ "script_name", "it is url_prefix in [proxy] here" },
	{ "processes", "it is workers in [server] here" },
	{ "listen", "it is bind in [server] here" },
	{ "host", "it is bind = HOST:PORT in [server] here" },
	{ "port", "it is bind = HOST:PORT in [server] here" },
	{ "socket", "it is bind in [server] here" },
	{ "module", "it is wsgi_app in [app] here" },
};
/* clang-format on */

static const char *
foreign_text(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(foreign); i++)
		if (strcmp(foreign[i].name, name) == 0)
			return (foreign[i].text);
	return (NULL);
}

bool
suggest_is_section(const char *name)
{
	const struct option_row *rows;
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++)
		if (strcmp(rows[i].section, name) == 0)
			return (true);
	return (strcmp(name, "env") == 0);
}

void
suggest_section(const char *name, FILE *err)
{
	const struct option_row *rows;
	const char *nearest = "env";
	unsigned distance = distance_between(nearest, name), d;
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		d = distance_between(rows[i].section, name);
		if (d < distance) {
			distance = d;
			nearest = rows[i].section;
		}
	}
	fputs("no such section", err);
	if (distance_is_near(distance, nearest))
		fprintf(err, "; did you mean [%s]?", nearest);
	fputc('\n', err);
}

/* The nearest option by name, if one is near; of two, that of the section. */
static const struct option_row *
find_near(const char *section, const char *name)
{
	const struct option_row *rows, *nearest = NULL;
	unsigned best = DISTANCE_FAR, d;
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		d = 2 * distance_between(rows[i].name, name);
		if (section != NULL && strcmp(section, rows[i].section) != 0)
			d++;
		if (d < best && distance_is_near(d / 2, rows[i].name)) {
			best = d;
			nearest = &rows[i];
		}
	}
	return (nearest);
}

void
suggest_option(const char *section, const char *name, FILE *err)
{
	const struct option_row *row = config_option_find(name);
	const char *text = foreign_text(name);

	if (row != NULL) {
		fprintf(err, "belongs to [%s]\n", row->section);
		return;
	}
	fputs("no such option", err);
	if (text != NULL)
		fprintf(err, ": %s", text);
	else if ((row = find_near(section, name)) == NULL)
		;
	else if (section == NULL)
		fprintf(err, "; did you mean --%s?", row->name);
	else if (strcmp(section, row->section) == 0)
		fprintf(err, "; did you mean %s?", row->name);
	else
		fprintf(
		    err, "; did you mean %s in [%s]?", row->name, row->section);
	fputc('\n', err);
}
