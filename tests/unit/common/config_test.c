/* config - the file, the command line, and what only the whole can tell. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "config_help.h"
#include "log.h"
#include "macros.h"

/* ---- a file ---- */

/* clang-format off */
static const struct { const char *why, *text, *want; } errors[] = {
	{ "unknown section", "[htpp]\n",
	  "t:1: [htpp]: no such section; did you mean [http]?\n" },
	{ "unknown section, nothing near", "[monitor]\n",
	  "t:1: [monitor]: no such section\n" },
	{ "keys of an unknown section are not judged", "[htpp]\nx = 1\n",
	  "t:1: [htpp]: no such section; did you mean [http]?\n" },
	{ "case of a section", "[Http]\n",
	  "t:1: [Http]: no such section; did you mean [http]?\n" },
	{ "no section", "workers = 2\n",
	  "t:1: workers: no section before it: which option this is depends "
	  "on its [section]\n" },
	{ "unknown key", "[server]\nworker = 2\n",
	  "t:2: [server] worker: no such option; did you mean workers?\n" },
	{ "swapped letters", "[server]\nworkesr = 2\n",
	  "t:2: [server] workesr: no such option; did you mean workers?\n" },
	{ "unknown key, nothing near", "[server]\nfrobnicate = 2\n",
	  "t:2: [server] frobnicate: no such option\n" },
	{ "near in another section", "[server]\nmax_queu = 2\n",
	  "t:2: [server] max_queu: no such option; did you mean max_queue in "
	  "[http]?\n" },
	{ "wrong section", "[server]\nkeepalive = 5s\n",
	  "t:2: [server] keepalive: belongs to [http]\n" },
	{ "another server's name", "[server]\nworker_connections = 5\n",
	  "t:2: [server] worker_connections: no such option: it is "
	  "max_connections in [http] here\n" },
	{ "empty name of a section", "[]\n",
	  "t:1: section without a name\n" },
	{ "twice", "[server]\nworkers = 2\n\nworkers = 3\n",
	  "t:4: [server] workers: already set in line 2\n" },
	{ "twice in two parts of a section",
	  "[server]\nworkers = 2\n[http]\n[server]\nworkers = 2\n",
	  "t:5: [server] workers: already set in line 2\n" },
	{ "twice, the first wrong", "[server]\nworkers = x\nworkers = 2\n",
	  "t:2: [server] workers = x: not a number\n"
	  "t:3: [server] workers: already set in line 2\n" },
	{ "trailing junk", "[server]\nworkers = 2x\n",
	  "t:2: [server] workers = 2x: not a number\n" },
	{ "hash is no comment there", "[server]\nworkers = 2 # two\n",
	  "t:2: [server] workers = 2 # two: not a number\n" },
	{ "empty number", "[server]\nworkers =\n",
	  "t:2: [server] workers = : not a number\n" },
	{ "not a duration", "[http]\nkeepalive = 5x\n",
	  "t:2: [http] keepalive = 5x: not a duration such as 30s, 500ms, 2m "
	  "or 1h\n" },
	{ "not a size", "[http]\nmax_head_size = 1.5k\n",
	  "t:2: [http] max_head_size = 1.5k: not a size such as 512, 16k, 4m "
	  "or 1g\n" },
	{ "not a mode", "[server]\nsocket_mode = rw\n",
	  "t:2: [server] socket_mode = rw: not an octal mode such as 0660\n" },
	{ "not a choice", "[log]\nloglevel = loud\n",
	  "t:2: [log] loglevel = loud: not one of debug info warning error "
	  "critical\n" },
	{ "number too small", "[server]\nworkers = 0\n",
	  "t:2: [server] workers = 0: out of range: 1 to 1024\n" },
	{ "number too large", "[server]\nworkers = 1025\n",
	  "t:2: [server] workers = 1025: out of range: 1 to 1024\n" },
	{ "fields beyond the parser's table", "[http]\n"
	  "limit_request_fields = 513\n",
	  "t:2: [http] limit_request_fields = 513: out of range: 1 to 512\n" },
	{ "size too small", "[server]\nthread_stack_size = 128k\n",
	  "t:2: [server] thread_stack_size = 128k: out of range: 256k to 1g\n" },
	{ "duration too long", "[http]\nkeepalive = 25h\n",
	  "t:2: [http] keepalive = 25h: out of range: 0 to 24h\n" },
	{ "a timeout of nothing", "[http]\nheader_timeout = 0\n",
	  "t:2: [http] header_timeout = 0: out of range: 1ms to 24h\n" },
	{ "mode too large", "[server]\nsocket_mode = 1777\n",
	  "t:2: [server] socket_mode = 1777: out of range: 0000 to 0777\n" },
	{ "empty where something is needed", "[http]\nspool_dir =\n",
	  "t:2: [http] spool_dir = : may not be empty\n" },
	{ "tab in a string", "[app]\nchdir = a\tb\n",
	  "t:2: [app] chdir = a\\x09b: control character\n" },
	{ "two addresses in a line", "[server]\nbind = a:1,b:2\n",
	  "t:2: [server] bind = a:1,b:2: one address only: repeat \"bind\" for "
	  "each, one a line\n" },
	{ "bad address", "[server]\nbind = localhost\n",
	  "t:2: [server] bind = localhost: no port: write HOST:PORT\n" },
	{ "no address", "[server]\nbind =\n",
	  "t:2: [server] bind = : an address is needed\n" },
	{ "an address twice", "[server]\nbind = :1\nbind = :2\nbind = :1\n"
	  "bind = unix:a\nbind = unix:a\n",
	  "t:4: [server] bind = :1: stands there twice\n"
	  "t:6: [server] bind = unix:a: stands there twice\n" },
	{ "a port of the kernel's choice twice",
	  "[server]\nbind = :0\nbind = :0\n", "" },
	{ "bad application", "[app]\nwsgi_app = a b\n",
	  "t:2: [app] wsgi_app = a b: not of the form module:callable or "
	  "module:factory()\n" },
	{ "nothing behind an item", "[app]\npythonpath = a\npythonpath =\n",
	  "t:3: [app] pythonpath: empty here, but set in line 2\n" },
	{ "a comment behind an item",
	  "[app]\npythonpath = a\npythonpath = ;odd\n",
	  "t:3: [app] pythonpath: empty here, but set in line 2\n" },
	{ "item behind nothing", "[app]\npythonpath =\npythonpath = a\n",
	  "t:3: [app] pythonpath: already set in line 2\n" },
	{ "variable's name", "[env]\nA-B = 1\n",
	  "t:2: [env] A-B: not a name: letters, digits and _, no digit "
	  "first\n" },
	{ "variable's name begins with a digit", "[env]\n1A = 1\n",
	  "t:2: [env] 1A: not a name: letters, digits and _, no digit "
	  "first\n" },
	{ "variable twice", "[env]\nA = 1\nA = 2\n",
	  "t:3: [env] A: already set in line 2\n" },
	{ "the server's own variable", "[env]\nCGTHREAD_SLOT = 1\n",
	  "t:2: [env] CGTHREAD_SLOT: CGTHREAD_... is for the server itself\n" },
	{ "a line that inih would fold", "[app]\nchdir = a\n b = c\n",
	  "t:3: indented: a value is one line, from its first column\n" },
	{ "all of them", "x=1\n[server]\nworkers = 0\nthreads = 0\n[y]\n",
	  "t:1: x: no section before it: which option this is depends on its "
	  "[section]\n"
	  "t:3: [server] workers = 0: out of range: 1 to 1024\n"
	  "t:4: [server] threads = 0: out of range: 1 to 1024\n"
	  "t:5: [y]: no such section\n" },
};
/* clang-format on */

Test(config, reports_every_error_with_file_and_line)
{
	struct config *cfg;
	char *got;
	size_t i;

	for (i = 0; i < nitems(errors); i++) {
		cfg = config_new();
		got = read_text(cfg, errors[i].text, strlen(errors[i].text));
		cr_expect_str_eq(
		    got, errors[i].want, "%s: got %s", errors[i].why, got);
		free(got);
		config_free(&cfg);
	}
}

Test(config, explains_that_there_is_no_single_timeout)
{
	static const char *const named[] = {"header_timeout", "body_timeout",
	    "send_timeout", "keepalive", "request_timeout", "worker_timeout"};
	static const char text[] = "[server]\ntimeout = 30\n";
	struct config *cfg = config_new();
	char *got = read_text(cfg, text, strlen(text));
	size_t i;

	cr_expect_eq(strncmp(got, "t:2: [server] timeout: ", 23), 0);
	for (i = 0; i < nitems(named); i++)
		cr_expect_not_null(strstr(got, named[i]), "%s", named[i]);
	cr_expect_null(strstr(got, "did you mean"));
	free(got);
	config_free(&cfg);
}

Test(config, leaves_an_option_alone_whose_value_is_wrong)
{
	static const char text[] = "[server]\nworkers = 0\nbind = x\n"
				   "[log]\nloglevel = x\n[app]\nchdir = a\tb\n";
	struct config *cfg = config_new(), *fresh = config_new();

	free(read_text(cfg, text, strlen(text)));
	expect_equal(cfg, fresh);
	config_free(&cfg);
	config_free(&fresh);
}

Test(config, reads_each_type)
{
	struct config *cfg = config_of(
	    "[server]\nworkers = 3\n"
	    "socket_mode: 600 ; ours\nthread_stack_size = 1m\n"
	    "boot_timeout = 1500ms\n[http]\nkeepalive = 0\nsend_timeout = 9\n"
	    "[app]\nwsgi_app = a.b:c.d()\nchdir = /srv/my app\n"
	    "[log]\nloglevel = critical\naccess_log_format = common\n"
	    "[env]\nPath = a=b;c\nEMPTY =\n_1 = \xc3\xa4\n");

	cr_expect_eq(cfg->workers, 3);
	cr_expect_eq(cfg->socket_mode, 0600);
	cr_expect_eq(cfg->thread_stack_size, 1 << 20);
	cr_expect_eq(cfg->boot_timeout_ms, 1500);
	cr_expect_eq(cfg->keepalive_ms, 0);
	cr_expect_eq(cfg->send_timeout_ms, 9000);
	cr_expect_str_eq(cfg->wsgi_app, "a.b:c.d()");
	cr_expect_str_eq(cfg->chdir, "/srv/my app");
	cr_expect_eq(cfg->loglevel, LOG_LEVEL_CRITICAL);
	cr_expect_str_eq(cfg->access_log_format, "common");
	cr_assert_eq(cfg->env.count, 3);
	cr_expect_str_eq(cfg->env.items[0], "Path=a=b;c");
	cr_expect_str_eq(cfg->env.items[1], "EMPTY=");
	cr_expect_str_eq(cfg->env.items[2], "_1=\xc3\xa4");
	config_free(&cfg);
}

Test(config, replaces_the_default_of_a_list_and_adds_to_the_file)
{
	struct config *cfg =
	    config_of("[server]\nbind = :1\n[app]\n"
		      "pythonpath = a\npythonpath = b\n[server]\nbind = :2\n");

	cr_assert_eq(cfg->bind.count, 2);
	cr_expect_str_eq(cfg->bind.items[0], ":1");
	cr_expect_str_eq(cfg->bind.items[1], ":2");
	cr_assert_eq(cfg->pythonpath.count, 2);
	config_free(&cfg);
}

Test(config, adds_nothing_to_the_default_behind_a_wrong_first_item)
{
	static const char text[] = "[server]\nbind = x\nbind = :1\n";
	struct config *cfg = config_new();
	char *got = read_text(cfg, text, strlen(text));

	cr_expect_str_eq(got, "t:2: [server] bind = x: no port: write "
			      "HOST:PORT\n");
	cr_assert_eq(cfg->bind.count, 1);
	cr_expect_str_eq(cfg->bind.items[0], ":1");
	free(got);
	config_free(&cfg);
}

Test(config, says_why_a_file_cannot_be_read)
{
	/* clang-format off */
	static const struct { const char *path, *want; } cases[] = {
		{ "/nowhere/server.ini",
		  "/nowhere/server.ini: No such file or directory\n" },
		{ "/", "/: Is a directory\n" },
	};
	/* clang-format on */
	struct config *cfg = config_new();
	char *got;
	size_t i, size;
	FILE *err;

	for (i = 0; i < nitems(cases); i++) {
		err = open_memstream(&got, &size);
		cr_expect_eq(config_read(cfg, cases[i].path, err), 1);
		fclose(err);
		cr_expect_str_eq(got, cases[i].want);
		free(got);
	}
	config_free(&cfg);
}

/* Workers inherit one memfd, whose offset is the same for all of them. */
Test(config, reads_a_descriptor_from_its_start_and_leaves_the_offset)
{
	static const char text[] = "[server]\nworkers = 7\n";
	struct config *cfg = config_new();
	int fd = memfd_create("t", MFD_CLOEXEC), i;

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	for (i = 0; i < 2; i++) {
		cfg->workers = 0;
		cr_expect_eq(config_read_fd(cfg, fd, "t", stderr), 0);
		cr_expect_eq(cfg->workers, 7);
	}
	cr_expect_eq(lseek(fd, 0, SEEK_CUR), (off_t)strlen(text));
	cr_expect_eq(close(fd), 0, "it stayed open");
	config_free(&cfg);
}

Test(config, reads_a_pipe)
{
	static const char text[] = "[server]\nworkers = 7\n";
	struct config *cfg = config_new();
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
	close(fds[1]);
	cr_expect_eq(config_read_fd(cfg, fds[0], "t", stderr), 0);
	cr_expect_eq(cfg->workers, 7);
	close(fds[0]);
	config_free(&cfg);
}

/* ---- the command line ---- */

Test(config, lets_the_command_line_win_over_the_file)
{
	struct config *cfg = config_of("[server]\nworkers = 3\nbind = :1\n"
				       "bind = :2\n[env]\nA = 1\nB = 2\n");

	set_ok(cfg, "workers", "4");
	set_ok(cfg, "workers", "5");
	set_ok(cfg, "bind", ":3");
	set_ok(cfg, "bind", ":4");
	set_ok(cfg, "env", "A=3");
	set_ok(cfg, "env", "C=4");
	cr_expect_eq(cfg->workers, 5, "the last counts");
	cr_assert_eq(cfg->bind.count, 2, "the first replaces, the next adds");
	cr_expect_str_eq(cfg->bind.items[0], ":3");
	cr_expect_str_eq(cfg->bind.items[1], ":4");
	cr_assert_eq(cfg->env.count, 3);
	cr_expect_str_eq(cfg->env.items[0], "A=3");
	cr_expect_str_eq(cfg->env.items[1], "B=2");
	cr_expect_str_eq(cfg->env.items[2], "C=4");
	config_free(&cfg);
}

Test(config, keeps_the_files_list_if_the_command_lines_item_is_wrong)
{
	struct config *cfg = config_of("[server]\nbind = :1\n");

	free(set_text(cfg, "bind", "nowhere"));
	cr_assert_eq(cfg->bind.count, 1);
	cr_expect_str_eq(cfg->bind.items[0], ":1");
	set_ok(cfg, "bind", ":3");
	cr_assert_eq(cfg->bind.count, 1);
	cr_expect_str_eq(cfg->bind.items[0], ":3");
	config_free(&cfg);
}

Test(config, reports_errors_of_the_command_line_by_option)
{
	/* clang-format off */
	static const struct { const char *name, *value, *want; } cases[] = {
		{ "workers", "0", "--workers: 0: out of range: 1 to 1024\n" },
		{ "workers", "", "--workers: : not a number\n" },
		{ "bind", "x", "--bind: x: no port: write HOST:PORT\n" },
		{ "workrs", "1",
		  "--workrs: no such option; did you mean --workers?\n" },
		{ "frobnicate", "1", "--frobnicate: no such option\n" },
		{ "chdir", "a ;b",
		  "--chdir: a ;b: \" ;\" begins a comment in an ini file\n" },
		{ "chdir", " a", "--chdir:  a: blank at its start or end\n" },
		{ "chdir", "a ", "--chdir: a : blank at its start or end\n" },
		{ "chdir", "a\n[x]", "--chdir: a\\x0a[x]: control character\n" },
		{ "chdir", FIFTY FIFTY FIFTY TEN "0",
		  "--chdir: " FIFTY FIFTY FIFTY TEN "0: longer than 160 bytes\n" },
		{ "env", "A", "--env: A: no \"=\": write NAME=VALUE\n" },
		{ "env", "=A", "--env: =A: not a name: letters, digits and _, "
		  "no digit first\n" },
		{ "env", "A B=1", "--env: A B=1: not a name: letters, digits "
		  "and _, no digit first\n" },
		{ "env", "CGTHREAD_X=1", "--env: CGTHREAD_X=1: CGTHREAD_... is "
		  "for the server itself\n" },
	};
	/* clang-format on */
	struct config *cfg = config_new();
	char *got;
	size_t i;

	for (i = 0; i < nitems(cases); i++) {
		got = set_text(cfg, cases[i].name, cases[i].value);
		cr_expect_str_eq(got, cases[i].want, "got %s", got);
		free(got);
	}
	config_free(&cfg);
}

/* A password may hold anything, and [env] is no part of what workers read. */
Test(config, takes_any_value_of_a_variable_and_prints_none_that_it_would_lose)
{
	static const char *const lost[] = {
	    "A= x", "A=x ", "A=x ; y", "A=x\ny", "A=" FIFTY FIFTY FIFTY FIFTY};
	struct config *cfg = config_new(), *back;
	char *text;
	size_t i;

	for (i = 0; i < nitems(lost); i++) {
		set_ok(cfg, "env", lost[i]);
		cr_assert_eq(cfg->env.count, 1);
		cr_expect_str_eq(cfg->env.items[0], lost[i]);
		text = text_of(cfg, true);
		cr_expect_not_null(strstr(text, "[env]\n# A: "), "%s", text);
		back = config_of(text);
		cr_expect_eq(back->env.count, 0);
		config_free(&back);
		free(text);
	}
	config_free(&cfg);
}

/* ---- the whole ---- */

Test(config, checks_what_only_the_whole_can_tell)
{
	/* clang-format off */
	static const struct { const char *why, *text, *want; } cases[] = {
		{ "module alone", "[app]\nwsgi_app = a\n", "" },
		{ "callable", "[app]\nwsgi_app = a.b_1:c\n", "" },
		{ "factory", "[app]\nwsgi_app = a:b.c()\n", "" },
		{ "no application", "[server]\n",
		  "wsgi_app: not set: name the application in [app], or as "
		  "module:callable on the command line\n" },
	};
	/* clang-format on */
	struct config *cfg;
	char *got;
	size_t i, size;
	FILE *err;
	unsigned count;

	for (i = 0; i < nitems(cases); i++) {
		cfg = config_of(cases[i].text);
		err = open_memstream(&got, &size);
		count = config_check(cfg, err);
		fclose(err);
		cr_expect_eq(count, *cases[i].want != '\0', "%s", cases[i].why);
		cr_expect_str_eq(
		    got, cases[i].want, "%s: got %s", cases[i].why, got);
		free(got);
		config_free(&cfg);
	}
}

/* Whatever way a value took into the struct. */
Test(config, checks_addresses_and_application_again)
{
	struct config *cfg = config_new();
	char *got;
	size_t size;
	FILE *err = open_memstream(&got, &size);

	strings_add(&cfg->bind, "x\n");
	free(cfg->wsgi_app);
	cfg->wsgi_app = string_copy("a b");
	cr_expect_eq(config_check(cfg, err), 2);
	fclose(err);
	cr_expect_str_eq(got,
	    "bind: x\\x0a: no port: write HOST:PORT\n"
	    "wsgi_app: a b: not of the form module:callable or "
	    "module:factory()\n");
	free(got);
	config_free(&cfg);
	config_free(&cfg);
}

Test(config, limits_the_listeners)
{
	struct config *cfg = config_new();
	char text[16], *why;
	int i;

	for (i = 1; i <= 64; i++) {
		snprintf(text, sizeof(text), ":%d", i);
		set_ok(cfg, "bind", text);
	}
	why = set_text(cfg, "bind", ":65");
	cr_expect_str_eq(
	    why, "--bind: :65: one too many: at most 64 are possible\n");
	free(why);
	config_free(&cfg);
}
