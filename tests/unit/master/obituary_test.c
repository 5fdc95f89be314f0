#include "obituary.h"

#include <signal.h>
#include <sys/wait.h>

#include <criterion/criterion.h>

#include "macros.h"

#define CORE __WCOREFLAG

/* clang-format off */
static const struct {
	const char *why;
	int status;
	const char *want;
} cases[] = {
	{ "success", W_EXITCODE(0, 0), "exited with status 0" },
	{ "a status", W_EXITCODE(3, 0), "exited with status 3" },
	{ "the highest status", W_EXITCODE(255, 0), "exited with status 255" },
	{ "a signal", W_EXITCODE(0, SIGKILL), "killed by signal 9 (Killed)" },
	{ "a signal that could have left a core, and did not",
	  W_EXITCODE(0, SIGSEGV), "killed by signal 11 (Segmentation fault)" },
	{ "a core", W_EXITCODE(0, SIGSEGV) | CORE,
	  "killed by signal 11 (Segmentation fault), core dumped" },
	{ "an assertion", W_EXITCODE(0, SIGABRT) | CORE,
	  "killed by signal 6 (Aborted), core dumped" },
	{ "a signal without a name", W_EXITCODE(0, 40),
	  "killed by signal 40 (a real-time signal)" },
	{ "stopped, which is no death", W_STOPCODE(SIGSTOP),
	  "ended with wait status 0x137f" },
};
/* clang-format on */

Test(obituary, says_what_it_died_of)
{
	char buf[OBITUARY_SIZE];
	size_t i;

	for (i = 0; i < nitems(cases); i++)
		cr_expect_str_eq(obituary_format(cases[i].status, buf),
		    cases[i].want, "%s", cases[i].why);
}

Test(obituary, fits_its_buffer_for_every_signal)
{
	char buf[OBITUARY_SIZE];
	int sig;

	for (sig = 1; sig < NSIG; sig++) {
		obituary_format(W_EXITCODE(0, sig) | CORE, buf);
		cr_expect_str_eq(strrchr(buf, ','), ", core dumped", "%d", sig);
	}
}
