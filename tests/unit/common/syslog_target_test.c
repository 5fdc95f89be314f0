/* syslog_target: settings, and the frame of RFC 3164. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "macros.h"
#include "syslog_target.h"

/* clang-format off */
static const struct {
	const char *setting;
	bool is_target, is_good, is_udp;
} settings[] = {
	{ "syslog", true, true, false },
	{ "syslog:/run/other", true, true, false },
	{ "syslog:127.0.0.1:514", true, true, true },
	{ "syslog:[::1]:514", true, true, true },
	{ "syslog:", true, false, false },
	{ "syslog:relative", true, false, false },
	{ "syslog:localhost:514", true, false, false }, /* nothing is resolved */
	{ "syslog::514", true, false, false },
	{ "syslog:127.0.0.1:0", true, false, false },
	{ "syslog:fd://3", true, false, false },
	{ "syslogs", false, false, false }, /* a file */
	{ "/var/log/syslog", false, false, false },
	{ "-", false, false, false },
};
/* clang-format on */

Test(syslog_target, settings)
{
	struct syslog_target target;
	const char *why;
	size_t i;

	for (i = 0; i < nitems(settings); i++) {
		cr_expect_eq(syslog_target_is(settings[i].setting),
		    settings[i].is_target, "%s", settings[i].setting);
		if (!settings[i].is_target)
			continue;
		why = NULL;
		cr_expect_eq(syslog_target_init(
				 &target, settings[i].setting, 0, "x", &why),
		    settings[i].is_good ? 0 : -1, "%s", settings[i].setting);
		if (!settings[i].is_good)
			cr_expect_not_null(why);
		else
			cr_expect_eq(target.is_udp, settings[i].is_udp);
	}
}

Test(syslog_target, path_that_no_socket_can_have_is_refused)
{
	char setting[160] = "syslog:/";
	struct syslog_target target;
	const char *why = NULL;

	memset(setting + strlen(setting), 'x', 107);
	cr_expect_eq(syslog_target_init(&target, setting, 0, "x", &why), -1);
	cr_expect_not_null(why);
}

/* RFC 3164 4.1: "<", facility * 8 + severity, ">", the time with a blank for
 * the first digit of the day, the tag; the host only where it is another's. */
Test(syslog_target, header_is_that_of_the_rfc)
{
	char header[SYSLOG_HEADER_SIZE], want[SYSLOG_HEADER_SIZE];
	struct syslog_target target;
	const char *why;
	size_t local7 = 0;

	setenv("TZ", "UTC", 1);
	cr_assert_eq(syslog_target_init(&target, "syslog", 0, "shop", &why), 0);
	syslog_target_header(&target, SYSLOG_INFO, 86399, header);
	snprintf(want, sizeof(want),
	    "<14>Jan  1 23:59:59 shop[%ld]: ", (long)getpid());
	cr_expect_str_eq(header, want);

	while (strcmp(syslog_facilities[local7], "local7") != 0)
		local7++;
	cr_assert_eq(syslog_target_init(&target, "syslog:127.0.0.1:514",
			 (int64_t)local7, "shop", &why),
	    0);
	syslog_target_header(&target, SYSLOG_ERROR, 0, header);
	cr_expect_eq(strncmp(header, "<187>Jan  1 00:00:00 ", 21), 0);
	cr_expect_eq(strncmp(header + 21, target.host, strlen(target.host)), 0);
}

/* The error log itself, to a daemon that is there, goes, and comes back. */
Test(syslog_target, error_log_finds_a_daemon_again, .timeout = 20)
{
	char dir[] = "/tmp/syslog_target.XXXXXX", setting[160], text[512];
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct syslog_target target;
	bool is_connected = true;
	const char *why;
	int fd, daemon;
	ssize_t n;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/log", dir);
	snprintf(setting, sizeof(setting), "syslog:%s", un.sun_path);
	cr_assert_eq(syslog_target_init(&target, setting, 0, "t", &why), 0);
	fd = syslog_target_open(&target, &is_connected);
	cr_assert_neq(fd, -1);
	cr_expect_not(is_connected);
	log_set_syslog(fd, &target);
	log_init("test", fd);
	log_warnx("nobody hears");
	daemon = socket(AF_UNIX, SOCK_DGRAM, 0);
	cr_assert_eq(bind(daemon, (struct sockaddr *)&un, sizeof(un)), 0);
	log_errorx("heard\n");
	n = recv(daemon, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_eq(strncmp(text, "<11>", 4), 0, "%s", text);
	cr_expect_not_null(strstr(text, "]: [error] test: heard\\x0a"));
	cr_expect_neq(text[n - 1], '\n');
	n = recv(daemon, text, sizeof(text) - 1, 0);
	text[n] = '\0';
	cr_expect_not_null(strstr(text, "(1 log lines lost"), "%s", text);
	unlink(un.sun_path);
	rmdir(dir);
}
