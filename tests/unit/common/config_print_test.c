/* config_print - what is written is read back as it was, whatever it was. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_help.h"
#include "macros.h"

Test(config_print, reads_back_its_defaults)
{
	struct config *cfg = config_new();

	expect_round_trip(cfg);
	config_free(&cfg);
}

/* A string as long and as odd as the option takes. */
static void
longest(const struct option_row *row, char *buf, char begin)
{
	static const char odd[] = "a b;c=d:e#f[g]\"h'\\\xc3\xa4,";
	size_t i;

	for (i = 0; i < (size_t)row->max; i++)
		buf[i] = odd[i % (sizeof(odd) - 1)];
	buf[0] = begin;
	buf[row->max - 1] = '#';
	buf[row->max] = '\0';
}

/* Sets the option to something else than its default, in variant 0, 1, ... */
static void
change(struct config *cfg, const struct option_row *row, int variant)
{
	static const char *const checked[][3] = {
	    {"bind", "unix:/run/a b;c=d", "[::1]:0"},
	    {"wsgi_app", "a.b:c.d()", "\xc3\xa4"},
	    {"python", "3.9", "/srv/a b;c"},
	    {"health_path", "/;b=c[d]", "/\xc3\xa4"},
	    {"access_log_format", "\"%r\";c=%s#", "json"},
	    {"syslog_prefix", "a-b_c./9", "x"},
	    {"forwarded_allow_ips", "10.0.0.0/8, unix", "*"},
	    {"forwarded_headers", "forwarded", "X-Forwarded-For,forwarded"},
	    {"secure_scheme_headers", "#=!", "X-Ssl=on,a=b"},
	    {"forwarder_headers", "REMOTE_USER", "_"},
	    {"url_prefix", "/a;b", "/a/b"},
	    {"server_name", "[::1]", "a"},
	    {"proxy_allow_ips", "::/0", "127.0.0.1,::1"},
	};
	char text[CONFIG_STRING_MAX + 1];
	int64_t *number = (void *)((char *)cfg + row->field);
	size_t i;

	switch (row->type) {
	case OPTION_CHOICE:
		set_ok(cfg, row->name, row->choices[variant]);
		return;
	case OPTION_STRING:
	case OPTION_LIST:
		break;
	default:
		*number = variant == 0 ? row->min : row->max;
		return;
	}
	for (i = 0; i < nitems(checked); i++) {
		if (strcmp(row->name, checked[i][0]) == 0) {
			set_ok(cfg, row->name, checked[i][1 + variant]);
			return;
		}
	}
	longest(row, text, variant == 0 ? ';' : '#');
	set_ok(cfg, row->name, text);
	if (row->type == OPTION_LIST)
		set_ok(cfg, row->name, "second");
}

Test(config_print, reads_back_every_option_changed)
{
	const struct option_row *rows;
	struct config *cfg;
	size_t count, i;
	int variant;

	rows = config_options(&count);
	for (variant = 0; variant < 2; variant++) {
		cfg = config_new();
		for (i = 0; i < count; i++) {
			change(cfg, &rows[i], variant);
			expect_round_trip(cfg);
		}
		set_ok(cfg, "env", "A=;b c#d");
		set_ok(cfg, "env", "B=");
		expect_round_trip(cfg);
		config_free(&cfg);
	}
}

Test(config_print, reads_back_nothing_as_nothing)
{
	struct config *cfg = config_of("[app]\npythonpath =\n[http]\n"
				       "server_header =\n");

	expect_round_trip(cfg);
	cr_expect_str_empty(cfg->server_header);
	config_free(&cfg);
}

/* ---- anything at all ---- */

/* Each error begins with "t:N: ", and what was understood can be written. */
static void
feed(const char *text, size_t len)
{
	struct config *cfg = config_new();
	char *got = read_text(cfg, text, len), *line, *end;

	for (line = got; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		cr_assert_eq(strncmp(line, "t:", 2), 0, "%s", got);
		cr_assert_gt(strtol(line + 2, &line, 10), 0, "%s", got);
		cr_assert_eq(strncmp(line, ": ", 2), 0, "%s", got);
	}
	expect_round_trip(cfg);
	free(got);
	config_free(&cfg);
}

Test(config_print, survives_random_bytes)
{
	unsigned seed = 1;
	char text[600];
	size_t i, len;
	int round;

	for (round = 0; round < 300; round++) {
		len = (size_t)rand_r(&seed) % sizeof(text);
		for (i = 0; i < len; i++)
			text[i] = (char)rand_r(&seed);
		feed(text, len);
	}
}

/* Lines of real names and odd values reach deeper than bytes do. */
Test(config_print, survives_random_settings)
{
	static const char *const pieces[] = {"[server]", "[http]", "[app]",
	    "[env]", "[log]", "[", "]", "workers", "bind", "pythonpath",
	    "chdir", "keepalive", "=", " = ", ":", " ;", ";", "#", "\n", "\n",
	    "\n", "\r\n", "\t", " ", "5", "5s", "127.0.0.1:1", "unix:", "A",
	    "x", "\xff", "\xef\xbb\xbf", FIFTY, "99999999999999999999"};
	unsigned seed = 2;
	char text[4096];
	size_t at, len;
	int round, n;
	const char *piece;

	for (round = 0; round < 500; round++) {
		at = 0;
		for (n = 0; n < 80; n++) {
			piece = pieces[(size_t)rand_r(&seed) % nitems(pieces)];
			len = strlen(piece);
			if (at + len > sizeof(text))
				break;
			memcpy(text + at, piece, len);
			at += len;
		}
		feed(text, at);
	}
}
