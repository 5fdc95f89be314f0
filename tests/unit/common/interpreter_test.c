/* interpreter - which Python, from settings, files and names. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "interpreter.h"
#include "log.h"
#include "macros.h"

Test(interpreter, knows_a_version)
{
	static const struct {
		const char *text;
		bool is_version;
		const char *why;
	} rows[] = {
	    {"3.8", true, "one digit"},
	    {"3.11", true, "two digits"},
	    {"", false, "empty"},
	    {"3", false, "no minor number"},
	    {"3.", false, "no digits"},
	    {"3.111", false, "too many digits"},
	    {"3.11.2", false, "a patch level"},
	    {"3.13t", false, "another build"},
	    {" 3.11", false, "a blank before"},
	    {"3.11 ", false, "a blank behind"},
	    {"2.7", false, "another language"},
	    {"3.-1", false, "a sign"},
	};
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		cr_expect_eq(interpreter_is_version(rows[i].text),
		    rows[i].is_version, "%s", rows[i].why);
}

/* A directory like a virtual environment; removed by place_fini(). */
struct place {
	char dir[64], bin[96], python[128], cfg[96];
};

static void
place_init(struct place *p, const char *pyvenv, const char *target)
{
	FILE *file;

	strcpy(p->dir, "/tmp/cgthread-interpreter-XXXXXX");
	cr_assert_not_null(mkdtemp(p->dir));
	snprintf(p->bin, sizeof(p->bin), "%s/bin", p->dir);
	snprintf(p->python, sizeof(p->python), "%s/python3", p->bin);
	snprintf(p->cfg, sizeof(p->cfg), "%s/pyvenv.cfg", p->dir);
	cr_assert_eq(mkdir(p->bin, 0700), 0);
	cr_assert_eq(symlink(target, p->python), 0);
	if (pyvenv == NULL)
		return;
	cr_assert_not_null(file = fopen(p->cfg, "w"));
	fputs(pyvenv, file);
	fclose(file);
}

static void
place_fini(struct place *p)
{
	unlink(p->cfg);
	unlink(p->python);
	rmdir(p->bin);
	cr_expect_eq(rmdir(p->dir), 0);
}

static int
find(const char *python, struct interpreter *in)
{
	struct config *cfg = config_new();
	int result;

	cr_assert_eq(config_set(cfg, "python", python, stderr), 0);
	result = interpreter_find(cfg, in);
	config_free(&cfg);
	return (result);
}

Test(interpreter, takes_the_version_from_the_environments_file)
{
	static const struct {
		const char *pyvenv, *version, *why;
	} rows[] = {
	    {"home = /usr/bin\nversion = 3.11.2\n", "3.11", "venv"},
	    {"implementation = CPython\nversion_info = 3.9.1.final.0\n"
	     "virtualenv = 20.1\n",
		"3.9", "virtualenv"},
	    {"  version=3.8\r\n", "3.8", "blanks as one likes"},
	    {"version = 3.12", "3.12", "no end of line"},
	    {"version = 2.7.18\n", NULL, "too old"},
	    {"versions = 3.12\n", NULL, "another name"},
	    {"home = /usr/bin\n", NULL, "no version"},
	    {"", NULL, "empty"},
	};
	struct interpreter in;
	struct place place;
	size_t i;

	for (i = 0; i < nitems(rows); i++) {
		place_init(&place, rows[i].pyvenv, "/bin/true");
		cr_expect_eq(find(place.dir, &in),
		    rows[i].version != NULL ? 0 : -1, "%s", rows[i].why);
		if (rows[i].version != NULL) {
			cr_expect_str_eq(
			    in.version, rows[i].version, "%s", rows[i].why);
			cr_expect_str_eq(in.executable, place.python);
		}
		place_fini(&place);
	}
}

Test(interpreter, takes_the_version_from_the_name_behind_the_links)
{
	struct place place, venv;
	struct interpreter in;
	char real[sizeof(place.bin) + 32];

	place_init(&place, NULL, "python3.12");
	snprintf(real, sizeof(real), "%s/python3.12", place.bin);
	cr_assert_eq(close(creat(real, 0700)), 0);
	place_init(&venv, NULL, place.python);
	cr_expect_eq(find(venv.python, &in), 0);
	cr_expect_str_eq(in.version, "3.12");
	cr_expect_str_eq(in.executable, venv.python);
	place_fini(&venv);
	unlink(real);
	place_fini(&place);
}

Test(interpreter, asks_the_settings_first_then_env_then_our_environment)
{
	struct config *cfg = config_new();
	struct interpreter in;
	struct place ours, theirs;
	char text[128];

	place_init(&ours, "version = 3.9.1\n", "/bin/true");
	place_init(&theirs, "version = 3.10.1\n", "/bin/true");
	unsetenv("VIRTUAL_ENV");
	cr_expect_eq(interpreter_find(cfg, &in), 0);
	cr_expect_str_empty(in.version);
	cr_expect_str_empty(in.executable);

	setenv("VIRTUAL_ENV", ours.dir, 1);
	cr_expect_eq(interpreter_find(cfg, &in), 0);
	cr_expect_str_eq(in.version, "3.9");

	snprintf(text, sizeof(text), "VIRTUAL_ENV=%s", theirs.dir);
	cr_assert_eq(config_set_env(cfg, text, stderr), 0);
	cr_expect_eq(interpreter_find(cfg, &in), 0);
	cr_expect_str_eq(in.version, "3.10");
	cr_expect_str_eq(in.executable, theirs.python);

	cr_assert_eq(config_set_env(cfg, "VIRTUAL_ENV=", stderr), 0);
	cr_expect_eq(interpreter_find(cfg, &in), 0);
	cr_expect_str_empty(in.version, "set to nothing in [env]");

	cr_assert_eq(config_set_env(cfg, "VIRTUAL_ENV=venv", stderr), 0);
	cr_expect_eq(interpreter_find(cfg, &in), -1, "not absolute");

	cr_assert_eq(config_set(cfg, "python", "3.13", stderr), 0);
	cr_expect_eq(interpreter_find(cfg, &in), 0);
	cr_expect_str_eq(in.version, "3.13");
	cr_expect_str_empty(in.executable);
	cr_expect_str_eq(in.said_by, "python = 3.13");
	config_free(&cfg);
	place_fini(&ours);
	place_fini(&theirs);
}

Test(interpreter, refuses_what_is_no_python)
{
	struct interpreter in;
	struct place place;

	cr_expect_eq(find("/nonexistent", &in), -1);
	cr_expect_eq(find("/etc", &in), -1, "no bin/python3");
	cr_expect_eq(find("/etc/passwd", &in), -1, "no program");
	place_init(&place, "version = 3.11.2\n", "/nonexistent");
	cr_expect_eq(find(place.dir, &in), -1, "a link to nothing");
	place_fini(&place);
}
