#include "command_line.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "macros.h"

#define ARGS_MAX 12

/* One call of the server, as far as the settings; what it wrote is kept. */
struct call {
	enum command_line_result result;
	struct command_line cl;
	struct config *cfg; /* NULL: not got so far, or errors */
	char *out, *err;
};

static int
count_args(const char *const args[])
{
	int n = 0;

	while (args[n] != NULL)
		n++;
	return (n);
}

static void
call_begin(struct call *call, const char *const args[])
{
	const char *argv[ARGS_MAX + 2] = {"cgthread"};
	size_t out_len, err_len;
	FILE *out = open_memstream(&call->out, &out_len);
	FILE *err = open_memstream(&call->err, &err_len);
	int argc = count_args(args);

	cr_assert_leq(argc, ARGS_MAX);
	memcpy(argv + 1, args, (size_t)argc * sizeof(args[0]));
	call->cfg = NULL;
	call->result = command_line_parse(
	    &call->cl, argc + 1, (char **)(void *)argv, out, err);
	if (call->result == COMMAND_LINE_GO)
		call->cfg = command_line_config(&call->cl, err);
	fclose(out);
	fclose(err);
}

static void
call_end(struct call *call)
{
	config_free(&call->cfg);
	command_line_fini(&call->cl);
	free(call->out);
	free(call->err);
}

/* The settings that came of it, as canonical text; the caller frees it. */
static char *
settings_text(const struct call *call)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (call->cfg != NULL)
		config_print(call->cfg, true, out);
	fclose(out);
	return (text);
}

/* clang-format off */
static const struct {
	const char *why;
	const char *args[ARGS_MAX];
	const char *want; /* a line of the settings */
} good[] = {
	{ "the application alone",
	  { "app:application" }, "\nwsgi_app = app:application\n" },
	{ "a default stands", { "a:b" }, "\nworkers = 2\n" },
	{ "a short option", { "-w", "5", "a:b" }, "\nworkers = 5\n" },
	{ "its value attached", { "-w5", "a:b" }, "\nworkers = 5\n" },
	{ "a long one", { "--workers", "5", "a:b" }, "\nworkers = 5\n" },
	{ "with =", { "--workers=5", "a:b" }, "\nworkers = 5\n" },
	{ "behind the application", { "a:b", "-w", "5" }, "\nworkers = 5\n" },
	{ "a value that looks like an option", { "--server-header", "--work",
	  "a:b" }, "\nserver_header = --work\n" },
	{ "the last one counts",
	  { "-w", "5", "--workers", "6", "a:b" }, "\nworkers = 6\n" },
	{ "a name with dashes",
	  { "--header-timeout", "3s", "a:b" }, "\nheader_timeout = 3s\n" },
	{ "the same with underscores",
	  { "--header_timeout", "3s", "a:b" }, "\nheader_timeout = 3s\n" },
	{ "an address replaces the default",
	  { "-b", ":80", "a:b" }, "\nbind = :80\nbacklog" },
	{ "several addresses", { "-b", ":80", "--bind", "unix:/s", "a:b" },
	  "\nbind = :80\nbind = unix:/s\n" },
	{ "--threads", { "--threads", "7", "a:b" }, "\nthreads = 7\n" },
	{ "--chdir", { "--chdir", "/tmp", "a:b" }, "\nchdir = /tmp\n" },
	{ "--pythonpath", { "--pythonpath", "/a", "--pythonpath", "/b", "a:b" },
	  "\npythonpath = /a\npythonpath = /b\n" },
	{ "--env", { "--env", "A=1", "--env", "B=x y", "a:b" },
	  "\nA=1\nB=x y\n" },
	{ "--wsgi-app for the argument",
	  { "--wsgi-app", "a:b" }, "\nwsgi_app = a:b\n" },
	{ "after -- no options follow",
	  { "--", "a:b" }, "\nwsgi_app = a:b\n" },
};

static const struct {
	const char *why;
	const char *args[ARGS_MAX];
	const char *want; /* in what it says */
} bad[] = {
	{ "nothing to serve", { NULL }, "-c FILE" },
	{ "only options", { "-w", "2" }, "module:callable" },
	{ "an unknown long option", { "--wrokers", "3", "a:b" },
	  "--wrokers: no such option; did you mean --workers?\n" },
	{ "one that other servers have", { "--timeout", "30", "a:b" },
	  "--timeout: no such option: there is no single timeout here" },
	{ "one of theirs in our words", { "--worker-connections=5", "a:b" },
	  "--worker-connections: no such option: it is max_connections in "
	  "[http] here\n" },
	{ "one that is near one of our own", { "--chek", "a:b" },
	  "--chek: no such option; did you mean --check?\n" },
	{ "one of our own with an underscore", { "--print_config", "a:b" },
	  "--print_config: no such option; did you mean --print-config?\n" },
	{ "both spellings mixed", { "--max_body-size", "5", "a:b" },
	  "--max_body-size: no such option; did you mean --max_body_size?\n" },
	{ "an abbreviation", { "--work", "3", "a:b" },
	  "--work: no such option" },
	{ "an abbreviation with its value", { "--work=3", "a:b" },
	  "--work: no such option" },
	{ "an abbreviation without its value", { "a:b", "--work" },
	  "--work: no such option" },
	{ "an abbreviation of what takes no value", { "--chec=yes", "a:b" },
	  "--chec: no such option" },
	{ "an abbreviation of one of our own", { "--print", "a:b" },
	  "--print: no such option" },
	{ "an abbreviation of several", { "--limit", "3", "a:b" },
	  "--limit: no such option" },
	{ "its value is no part of its name", { "--nonsense=3", "a:b" },
	  "--nonsense: no such option" },
	{ "an unknown letter", { "-Q", "a:b" },
	  "-Q: no such option" },
	{ "an unknown letter among known ones", { "-tQ", "a:b" },
	  "-Q: no such option" },
	{ "the first of several letters", { "--workers=5", "-Qt", "a:b" },
	  "-Q: no such option" },
	{ "a long name that is only in the table by a letter", { "-e", "A=1" },
	  "-e: no such option" },
	{ "a daemon, which this version cannot be", { "-D", "a:b" },
	  "-D: no such option" },
	{ "a letter without its value", { "a:b", "-w" },
	  "-w: needs a value" },
	{ "a long option without its value", { "a:b", "--header-timeout" },
	  "--header-timeout: needs a value" },
	{ "one of our own without its value", { "a:b", "--config" },
	  "--config: needs a value" },
	{ "a value for what takes none", { "--check=yes", "a:b" },
	  "--check: takes no value" },
	{ "two applications", { "a:b", "c:d" },
	  "c:d: one application is enough" },
	{ "a bad value names its option", { "-w", "none", "a:b" },
	  "--workers: " },
	{ "junk behind a number", { "--threads", "4x", "a:b" }, "--threads: " },
	{ "out of range", { "--workers", "0", "a:b" }, "--workers: " },
	{ "a bad address", { "-b", "nonsense", "a:b" }, "--bind: " },
	{ "no assignment", { "--env", "A", "a:b" }, "--env: " },
	{ "a file that is not there", { "-c", "/no/such/file.ini" },
	  "/no/such/file.ini" },
};
/* clang-format on */

Test(command_line, sets_what_it_is_told)
{
	struct call call;
	char *text;
	size_t i;

	for (i = 0; i < nitems(good); i++) {
		call_begin(&call, good[i].args);
		cr_expect_eq(call.result, COMMAND_LINE_GO, "%s: %s",
		    good[i].why, call.err);
		cr_expect_str_empty(call.err, "%s: %s", good[i].why, call.err);
		text = settings_text(&call);
		cr_expect(strstr(text, good[i].want) != NULL, "%s: %s",
		    good[i].why, text);
		free(text);
		call_end(&call);
	}
}

Test(command_line, refuses_bad_usage_by_name)
{
	struct call call;
	size_t i;

	for (i = 0; i < nitems(bad); i++) {
		call_begin(&call, bad[i].args);
		cr_expect_null(call.cfg, "%s", bad[i].why);
		cr_expect(strstr(call.err, bad[i].want) != NULL, "%s: %s",
		    bad[i].why, call.err);
		cr_expect_str_empty(call.out, "%s", bad[i].why);
		call_end(&call);
	}
}

Test(command_line, knows_every_option_of_the_table_in_both_spellings)
{
	const struct option_row *rows;
	struct call call;
	char dashed[64], *p;
	size_t i, count;

	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		const char *const plain[] = {dashed, NULL};

		snprintf(dashed, sizeof(dashed), "--%s", rows[i].name);
		call_begin(&call, plain);
		cr_expect(strstr(call.err, "needs a value") != NULL, "%s: %s",
		    dashed, call.err);
		call_end(&call);
		for (p = dashed; *p != '\0'; p++)
			if (*p == '_')
				*p = '-';
		call_begin(&call, plain);
		cr_expect(strstr(call.err, "needs a value") != NULL, "%s: %s",
		    dashed, call.err);
		call_end(&call);
	}
}

Test(command_line, goes_before_the_file)
{
	char path[] = "/tmp/command-line-XXXXXX";
	int fd = mkstemp(path);
	const char *const args[] = {"-w", "9", "-c", path, "-b", ":81", NULL};
	static const char ini[] = "[server]\nworkers = 3\nthreads = 5\n"
				  "bind = :80\n[app]\nwsgi_app = a:b\n";
	struct call call;
	char *text;

	cr_assert_eq(write(fd, ini, sizeof(ini) - 1), (ssize_t)sizeof(ini) - 1);
	close(fd);
	call_begin(&call, args);
	unlink(path);
	cr_expect_str_empty(call.err);
	text = settings_text(&call);
	cr_expect(strstr(text, "workers = 9\n") != NULL, "the line's");
	cr_expect(strstr(text, "threads = 5\n") != NULL, "the file's");
	cr_expect(strstr(text, "bind = :81\n") != NULL, "the line's list");
	cr_expect(strstr(text, "bind = :80\n") == NULL, "not the file's");
	cr_expect(strstr(text, "keepalive = 75s\n") != NULL, "the default");
	free(text);
	call_end(&call);
}

Test(command_line, lists_all_errors_at_once)
{
	static const char *const args[] = {"-w", "x", "--nothing-of-ours", "1",
	    "--threads", "y", "-Q", "-b", "z", "a:b", NULL};
	struct call call;

	call_begin(&call, args);
	cr_expect_eq(call.result, COMMAND_LINE_BAD);
	cr_expect(strstr(call.err, "--nothing-of-ours: ") != NULL);
	cr_expect(strstr(call.err, "-Q: ") != NULL);
	cr_expect(strstr(call.err, "one application") == NULL, "%s", call.err);
	cr_expect(strstr(call.err, "--workers: ") != NULL);
	cr_expect(strstr(call.err, "--threads: ") != NULL);
	cr_expect(strstr(call.err, "--bind: ") != NULL);
	call_end(&call);
}

Test(command_line, help_lists_every_option_with_default_and_help)
{
	static const char *const args[] = {"--help", NULL};
	const struct option_row *rows;
	struct call call;
	char dashed[64], *p;
	size_t i, count;

	call_begin(&call, args);
	cr_expect_eq(call.result, COMMAND_LINE_DONE);
	rows = config_options(&count);
	for (i = 0; i < count; i++) {
		snprintf(dashed, sizeof(dashed), "--%s ", rows[i].name);
		for (p = dashed; *p != '\0'; p++)
			if (*p == '_')
				*p = '-';
		cr_expect(strstr(call.out, dashed) != NULL, "%s", dashed);
		cr_expect(strstr(call.out, rows[i].help) != NULL, "%s", dashed);
		cr_expect(
		    strstr(call.out, rows[i].initial) != NULL, "%s", dashed);
	}
	for (p = call.out; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1)
		cr_expect_leq(strcspn(p, "\n"), 80, "%.30s", p);
	call_end(&call);
}

Test(command_line, help_and_version_need_nothing_else)
{
	static const char *const version[] = {"-V", NULL};
	static const char *const help[] = {"-h", NULL};
	struct call call;

	call_begin(&call, version);
	cr_expect_eq(call.result, COMMAND_LINE_DONE);
	cr_expect_str_eq(call.out, "cgthread " CGTHREAD_VERSION "\n");
	call_end(&call);
	call_begin(&call, help);
	cr_expect_eq(call.result, COMMAND_LINE_DONE);
	cr_expect_eq(strncmp(call.out, "usage: ", 7), 0);
	call_end(&call);
}
