/* options - the table, and what is written for people about it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_help.h"
#include "ini_reader.h"
#include "log.h"
#include "macros.h"

#define SERVER_INI CGTHREAD_SOURCE_DIR "/conf/server.ini"
#define MANUAL     CGTHREAD_SOURCE_DIR "/man/cgthread.ini.5"

Test(options, has_the_defaults_of_the_manual)
{
	/* clang-format off */
	static const char want[] =
	    "[server]\nbind = 127.0.0.1:8000\nbacklog = 2048\n"
	    "socket_mode = 0660\nsocket_owner =\nworkers = 2\nthreads = 4\n"
	    "thread_stack_size = 8m\nproc_name =\nruntime_dir =\n"
	    "boot_timeout = 1m\n"
	    "graceful_timeout = 30s\nrespawn_backoff = 30s\n"
	    "\n[app]\nwsgi_app =\npython =\nchdir =\npythonpath =\n"
	    "\n[http]\nheader_timeout = 15s\nbody_timeout = 30s\n"
	    "queue_timeout = 30s\nkeepalive = 75s\nsend_timeout = 1m\n"
	    "min_rate = 500\nlinger_timeout = 2s\n"
	    "max_connections = 8192\nmax_queue = 0\nlimit_request_line = 4094\n"
	    "limit_request_fields = 100\nlimit_request_field_size = 8190\n"
	    "max_head_size = 64k\nmax_body_size = 1g\nbody_buffer = 1m\n"
	    "spool_dir = /tmp\noutbuf_high_watermark = 1m\n"
	    "max_buffered = 512m\nhealth_path =\n"
	    "server_header = cgthread\n"
	    "\n[proxy]\nforwarded_allow_ips = 127.0.0.1,::1,unix\n"
	    "forwarded_headers =\nforwarded_hops = 1\n"
	    "remote_addr_from = peer\nsecure_scheme_headers =\n"
	    "forwarder_headers =\nheader_map = drop\nclear_untrusted = on\n"
	    "log_untrusted = off\nurl_scheme = http\nurl_prefix =\n"
	    "server_name = localhost\nproxy_protocol = off\n"
	    "proxy_allow_ips = 127.0.0.1,::1,unix\n"
	    "\n[log]\nerrorlog = -\nloglevel = info\nlog_refused = 20\naccesslog = -\n"
	    "access_log_format = combined\nlog_buffer = 1m\n"
	    "syslog_facility = user\nsyslog_prefix = cgthread\n";
	/* clang-format on */
	struct config *cfg = config_new();
	char *text = text_of(cfg, true);

	cr_expect_str_eq(text, want);
	cr_expect_eq(cfg->boot_timeout_ms, 60000);
	cr_expect_eq(cfg->thread_stack_size, 8 << 20);
	cr_expect_eq(cfg->socket_mode, 0660);
	cr_expect_eq(cfg->loglevel, LOG_LEVEL_INFO);
	cr_expect_str_eq(cfg->access_log_format, "combined");
	free(text);
	config_free(&cfg);
	cr_expect_null(cfg);
}

Test(options, has_each_name_once_whatever_the_section)
{
	const struct option_row *rows;
	size_t count, i, j;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		cr_expect_eq(config_option_find(rows[i].name), &rows[i]);
		for (j = 0; j < i; j++)
			cr_expect_str_neq(rows[i].name, rows[j].name);
	}
	cr_expect_null(config_option_find("nothing"));
}

/* What --help, the sample and the canonical text rely on. */
Test(options, has_rows_that_fit_their_uses)
{
	const struct option_row *row;
	size_t count, i, len;

	row = config_options(&count);
	for (i = 0; i < count; i++, row++) {
		len = strlen(row->name) + 3 + CONFIG_STRING_MAX;
		cr_expect_leq(len, INI_READER_LINE_MAX, "%s", row->name);
		len = strlen(row->help);
		cr_expect(len > 0 && len <= 77, "%s: %zu", row->name, len);
		cr_expect_neq(row->help[len - 1], '.', "%s", row->name);
		cr_expect_null(strchr(row->help, '\n'), "%s", row->name);
		cr_expect_not_null(row->value);
		cr_expect_eq(row->choices != NULL, row->type == OPTION_CHOICE,
		    "%s", row->name);
		cr_expect_leq(row->min, row->max, "%s", row->name);
	}
}

Test(options, has_the_log_levels_in_the_order_of_the_log)
{
	const struct option_row *row = config_option_find("loglevel");
	size_t i;

	for (i = 0; row->choices[i] != NULL; i++)
		cr_expect_eq(log_level_parse(row->choices[i]), (int)i);
	cr_expect_eq(i, LOG_LEVEL_COUNT);
}

Test(options, takes_an_application_by_its_form)
{
	/* clang-format off */
	static const struct { const char *text; bool good; } cases[] = {
		{ "a", true }, { "a.b:c", true }, { "a:b.c", true },
		{ "a:b()", true }, { "_a1:_b1", true },
		{ "\xc3\xa4:\xc3\xb6", true },
		{ ":b", false }, { "a:", false }, { "a.", false },
		{ ".a", false }, { "a..b", false }, { "a:b:c", false },
		{ "a:b(", false }, { "a:b)", false }, { "a:b()x", false },
		{ "a:b(1)", false }, { "a()", false }, { "a:()", false },
		{ "1a", false }, { "a:1b", false }, { "a b", false },
		{ "a/b.py", false }, { "a-b", false },
	};
	/* clang-format on */
	struct config *cfg = config_new();
	char *got;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		got = set_text(cfg, "wsgi_app", cases[i].text);
		cr_expect_eq(*got == '\0', cases[i].good, "%s", cases[i].text);
		free(got);
	}
	config_free(&cfg);
}

/* "name=value" and what is wrong with it. */
Test(options, takes_of_proxies_only_what_can_be_meant)
{
	/* clang-format off */
	static const struct { const char *name, *text, *why; } cases[] = {
		{ "forwarded_allow_ips", "10.0.0.0/8, unix ,::1", NULL },
		{ "forwarded_allow_ips", "*", NULL },
		{ "forwarded_allow_ips", "", NULL },
		{ "forwarded_allow_ips", "10.0.0.1/8", "host bits set" },
		{ "forwarded_allow_ips", "::1,,::2", "not an IPv4 or IPv6" },
		{ "forwarded_allow_ips", "::1 ::2", "not an IPv4 or IPv6" },
		{ "proxy_allow_ips", "0.0.0.0/33", "from 0 to 32" },
		{ "forwarded_headers", "Forwarded,X-Forwarded-For", NULL },
		{ "forwarded_headers", "x-real-ip", "not one of forwarded" },
		{ "forwarded_headers", "x-forwarded-", "not one of" },
		{ "forwarded_hops", "64", NULL },
		{ "forwarded_hops", "0", "out of range" },
		{ "forwarded_hops", "65", "out of range" },
		{ "secure_scheme_headers", "X-Ssl=on,Front-End-Https=on", NULL },
		{ "secure_scheme_headers", "X-Ssl", "HEADER=VALUE" },
		{ "secure_scheme_headers", "X-Ssl=", "HEADER=VALUE" },
		{ "secure_scheme_headers", "=on", "HEADER=VALUE" },
		{ "secure_scheme_headers", "X Ssl=on", "HEADER=VALUE" },
		{ "secure_scheme_headers", "X_SSL=on", "never arrives" },
		{ "forwarder_headers", "SCRIPT_NAME,Remote_User", NULL },
		{ "forwarder_headers", "Remote-User", "underscore" },
		{ "forwarder_headers", "USER", "underscore" },
		{ "forwarder_headers", "A_B,CONTENT_LENGTH", "itself reads" },
		{ "forwarder_headers", "content_type", "itself reads" },
		{ "forwarder_headers", "Transfer_Encoding", "itself reads" },
		{ "forwarder_headers", "X_FORWARDED_FOR", "itself reads" },
		{ "forwarder_headers", "X_Forwarded_Ssl", "itself reads" },
		{ "forwarder_headers", "CONTENT_LENGTH_,CONTENT_MD5", NULL },
		{ "forwarder_headers", "X_FORWARDED,X_REAL_IP", NULL },
		{ "header_map", "dangerous", "not one of drop refuse" },
		{ "url_prefix", "/a/b.c~d-e", NULL },
		{ "url_prefix", "/.well-known/...", NULL },
		{ "url_prefix", "", NULL },
		{ "url_prefix", "a", "not of the form /path" },
		{ "url_prefix", "/", "not of the form /path" },
		{ "url_prefix", "/a/", "not of the form /path" },
		{ "url_prefix", "//a", "two slashes" },
		{ "url_prefix", "/a//b", "two slashes" },
		{ "url_prefix", "/a/../b", "segment . or .." },
		{ "url_prefix", "/.", "segment . or .." },
		{ "url_prefix", "/a b", "only have escaped" },
		{ "url_prefix", "/a%20b", "only have escaped" },
		{ "url_prefix", "/\xc3\xa4", "only have escaped" },
		{ "server_name", "www.example.org", NULL },
		{ "server_name", "", "may not be empty" },
		{ "server_name", "a/b", "not a host name" },
		{ "proxy_protocol", "auto", NULL },
		{ "proxy_protocol", "on", "not one of off v1 v2 auto" },
		{ "remote_addr_from", "client", "not one of peer forwarded" },
	};
	/* clang-format on */
	struct config *cfg = config_new();
	char *got;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		got = set_text(cfg, cases[i].name, cases[i].text);
		if (cases[i].why == NULL)
			cr_expect_str_empty(got, "%s", got);
		else
			cr_expect_not_null(strstr(got, cases[i].why),
			    "%s = %s: %s", cases[i].name, cases[i].text, got);
		free(got);
	}
	config_free(&cfg);
}

/* What the options say together: how many errors. */
static unsigned
errors_of(const char *text)
{
	struct config *cfg = config_of(text);
	char *errors = NULL;
	size_t size;
	FILE *err = open_memstream(&errors, &size);
	unsigned count;

	cr_assert_not_null(err);
	count = config_check(cfg, err);
	fclose(err);
	free(errors);
	config_free(&cfg);
	return (count);
}

Test(options, takes_the_client_only_from_a_header_that_counts)
{
#define APP  "[app]\nwsgi_app = a:b\n[proxy]\n"
#define FROM "remote_addr_from = forwarded\n"
	cr_expect_eq(errors_of(APP FROM), 1);
	cr_expect_eq(
	    errors_of(APP FROM "forwarded_headers = x-forwarded-host\n"), 1);
	cr_expect_eq(errors_of(APP FROM "forwarded_headers = "
					"x-forwarded-host,x-forwarded-for\n"),
	    0);
	cr_expect_eq(errors_of(APP FROM "forwarded_headers = Forwarded\n"), 0);
	cr_expect_eq(errors_of(APP), 0);
}

/* ---- the sample file and the manual ---- */

static char *
slurp(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *in = fopen(path, "r");

	if (in == NULL)
		return (NULL);
	if (getdelim(&text, &size, '\0', in) == -1)
		cr_assert_fail("%s: empty", path);
	fclose(in);
	return (text);
}

/* How many lines are, or begin with, this? */
static unsigned
count_lines(const char *text, const char *line, bool whole)
{
	const char *p = text, *end;
	size_t len = strlen(line);
	unsigned count = 0;

	for (; p != NULL; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		end = p + len;
		if (strncmp(p, line, len) == 0 &&
		    (!whole || *end == '\n' || *end == '\0'))
			count++;
	}
	return (count);
}

/* The option stands there once, with its help above it. */
static void
expect_option(const char *text, const struct option_row *row)
{
	char set[64], preset[256], entry[512];
	unsigned commented;

	snprintf(set, sizeof(set), "%s =", row->name);
	snprintf(preset, sizeof(preset), "# %s =%s%s", row->name,
	    *row->initial != '\0' ? " " : "", row->initial);
	commented = count_lines(text, preset, true);
	cr_expect_eq(
	    commented + count_lines(text, set, false), 1, "%s", preset);
	snprintf(entry, sizeof(entry), "\n# %s\n%s%s", row->help,
	    commented ? "# " : "", set);
	cr_expect_not_null(strstr(text, entry), "%s", entry);
}

static void
expect_all_options(const char *text)
{
	const struct option_row *rows;
	char last[32] = "", section[64];
	size_t count, i;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		expect_option(text, &rows[i]);
		if (strcmp(last, rows[i].section) == 0)
			continue;
		snprintf(last, sizeof(last), "%s", rows[i].section);
		snprintf(section, sizeof(section), "[%s]", last);
		cr_expect_eq(
		    count_lines(text, section, true), 1, "%s", section);
	}
}

Test(options, has_a_sample_of_nothing_but_defaults)
{
	struct config *fresh = config_new(), *cfg;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	config_print_sample(out);
	fclose(out);
	expect_all_options(text);
	cfg = config_of(text);
	expect_equal(cfg, fresh);
	config_free(&cfg);
	config_free(&fresh);
	free(text);
}

Test(options, has_a_server_ini_that_agrees_with_the_table)
{
	struct config *cfg;
	char *text = slurp(SERVER_INI);

	cr_assert_not_null(text);
	expect_all_options(text);
	cfg = config_of(text);
	cr_expect_eq(config_check(cfg, stderr), 0);
	cr_expect_str_eq(cfg->wsgi_app, "tour:application");
	config_free(&cfg);
	free(text);
}

Test(options, has_a_manual_entry_for_each_option)
{
	const struct option_row *rows;
	char *text = slurp(MANUAL), item[64];
	size_t count, i;
	unsigned found;

	cr_assert_not_null(text, MANUAL);
	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		snprintf(item, sizeof(item), ".It Cm %s", rows[i].name);
		found = count_lines(text, item, true);
		memcpy(item + 4, "Ic", 2);
		found += count_lines(text, item, true);
		memcpy(item + 4, "Cm", 2);
		strcat(item, " ");
		found += count_lines(text, item, false);
		memcpy(item + 4, "Ic", 2);
		found += count_lines(text, item, false);
		cr_expect_eq(found, 1, "%s: %u entries", rows[i].name, found);
	}
	free(text);
}
