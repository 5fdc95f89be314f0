/* addr - what may stand behind "bind =". */
#include <criterion/criterion.h>

#include <string.h>

#include "addr.h"
#include "guarded.h"
#include "macros.h"

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

/* clang-format off */
static const struct {
	const char *why, *in;
	enum addr_kind kind;
	const char *text; /* host or path */
	int number;	  /* port or descriptor */
} good[] = {
	{ "IPv4",		"127.0.0.1:8000",	ADDR_TCP, "127.0.0.1", 8000 },
	{ "IPv6",		"[::1]:8000",		ADDR_TCP, "::1", 8000 },
	{ "all of IPv6",	"[::]:80",		ADDR_TCP, "::", 80 },
	{ "IPv6 with a zone",	"[fe80::1%eth0]:80",	ADDR_TCP, "fe80::1%eth0", 80 },
	{ "IPv4 in IPv6",	"[::ffff:1.2.3.4]:1",	ADDR_TCP, "::ffff:1.2.3.4", 1 },
	{ "star is all",	"*:8000",		ADDR_TCP, "", 8000 },
	{ "nothing is all",	":8000",		ADDR_TCP, "", 8000 },
	{ "name",		"localhost:8000",	ADDR_TCP, "localhost", 8000 },
	{ "name with dots",	"a.example.org:1",	ADDR_TCP, "a.example.org", 1 },
	{ "name with final dot", "example.org.:1",	ADDR_TCP, "example.org.", 1 },
	{ "name with underscore", "web_1:80",		ADDR_TCP, "web_1", 80 },
	{ "name that begins with a digit", "3com.com:80", ADDR_TCP, "3com.com", 80 },
	{ "longest label",	LABEL ":1",		ADDR_TCP, LABEL, 1 },
	{ "kernel chooses",	"127.0.0.1:0",		ADDR_TCP, "127.0.0.1", 0 },
	{ "largest port",	"127.0.0.1:65535",	ADDR_TCP, "127.0.0.1", 65535 },
	{ "unix socket",	"unix:/run/app.sock",	ADDR_UNIX, "/run/app.sock", 0 },
	{ "relative path",	"unix:app.sock",	ADDR_UNIX, "app.sock", 0 },
	{ "path with a colon",	"unix:/run/a:1",	ADDR_UNIX, "/run/a:1", 0 },
	{ "path with a comma",	"unix:/run/a,b",	ADDR_UNIX, "/run/a,b", 0 },
	{ "descriptor",		"fd://3",		ADDR_FD, "", 3 },
	{ "descriptor 0",	"fd://0",		ADDR_FD, "", 0 },
};
static const struct { const char *why, *in; } bad[] = {
	{ "nothing",			"" },
	{ "host alone",			"localhost" },
	{ "port alone",			"8000" },
	{ "IPv6 alone",			"[::1]" },
	{ "IPv6 without brackets",	"::1:8000" },
	{ "bracket left open",		"[::1:8000" },
	{ "bracket alone",		"[" },
	{ "bracket and port",		"[:80" },
	{ "empty brackets",		"[]:80" },
	{ "name in brackets",		"[localhost]:80" },
	{ "IPv4 in brackets",		"[127.0.0.1]:80" },
	{ "star in brackets",		"[*]:80" },
	{ "text behind the bracket",	"[::1]x:80" },
	{ "two brackets",		"[::1]]:80" },
	{ "zone without a name",	"[fe80::1%]:80" },
	{ "IPv6 too long",		"[1111:2222:3333:4444:5555:6666:7777:8888:"
					"9999:aaaa:bbbb]:80" },
	{ "no port behind the colon",	"localhost:" },
	{ "port too large",		"localhost:65536" },
	{ "port negative",		"localhost:-1" },
	{ "port negative zero",		"localhost:-0" },
	{ "port with a sign",		"localhost:+80" },
	{ "port is a name",		"localhost:http" },
	{ "port with junk",		"localhost:80x" },
	{ "port with blank",		"localhost: 80" },
	{ "IPv4 too short",		"127.1:80" },
	{ "IPv4 too long",		"1.2.3.4.5:80" },
	{ "IPv4 out of range",		"256.0.0.1:80" },
	{ "empty label",		"a..b:80" },
	{ "dot first",			".a:80" },
	{ "blank in the name",		"a b:80" },
	{ "slash in the name",		"a/b:80" },
	{ "label too long",		LABEL "l:80" },
	{ "name too long",		LABEL "." LABEL "." LABEL "." LABEL ":80" },
	{ "name longer than the field",	LABEL "." LABEL "." LABEL "." LABEL "."
					LABEL ":80" },
	{ "two addresses",		"a:1,b:2" },
	{ "URL",			"http://localhost:8000" },
	{ "unknown scheme",		"tcp://localhost:8000" },
	{ "unix without path",		"unix:" },
	{ "abstract socket",		"unix:@app" },
	{ "descriptor without number",	"fd://" },
	{ "descriptor negative",	"fd://-1" },
	{ "descriptor with junk",	"fd://3x" },
	{ "descriptor too large",	"fd://99999999" },
	{ "descriptor without slashes",	"fd:3x" },
};
/* clang-format on */

Test(addr, takes_the_forms_of_the_manual)
{
	struct addr addr;
	const char *why;
	size_t i;

	for (i = 0; i < nitems(good); i++) {
		why = NULL;
		cr_assert_eq(addr_parse(guarded_text(good[i].in), &addr, &why),
		    0, "%s: %s", good[i].why, why);
		cr_assert_eq(addr.kind, good[i].kind, "%s", good[i].why);
		if (addr.kind == ADDR_TCP)
			cr_expect_eq(addr.port, good[i].number);
		if (addr.kind == ADDR_FD)
			cr_expect_eq(addr.fd, good[i].number);
		else
			cr_expect_str_eq(
			    addr.kind == ADDR_TCP ? addr.host : addr.path,
			    good[i].text, "%s", good[i].why);
	}
}

Test(addr, refuses_the_rest_with_a_reason)
{
	struct addr addr;
	const char *why;
	size_t i;

	for (i = 0; i < nitems(bad); i++) {
		why = NULL;
		cr_expect_eq(addr_parse(guarded_text(bad[i].in), &addr, &why),
		    -1, "%s", bad[i].why);
		cr_expect(
		    why != NULL && *why != '\0', "%s: no reason", bad[i].why);
	}
}

Test(addr, takes_a_path_up_to_what_the_kernel_takes)
{
	char text[5 + sizeof(((struct addr *)0)->path) + 1] = "unix:";
	struct addr addr;
	const char *why;

	memset(text + 5, 'a', sizeof(addr.path));
	cr_expect_eq(addr_parse(text, &addr, &why), -1, "108 bytes, no NUL");
	text[5 + sizeof(addr.path) - 1] = '\0';
	cr_expect_eq(addr_parse(text, &addr, &why), 0, "107 bytes");
	cr_expect_eq(strlen(addr.path), sizeof(addr.path) - 1);
}
