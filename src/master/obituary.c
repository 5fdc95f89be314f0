/* obituary - see obituary.h. */
#include "obituary.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void
format_signal(int status, char buf[OBITUARY_SIZE])
{
	int sig = WTERMSIG(status);
	const char *name = sigdescr_np(sig);

	if (name == NULL)
		name = "a real-time signal";
	snprintf(buf, OBITUARY_SIZE, "killed by signal %d (%s)%s", sig, name,
	    WCOREDUMP(status) ? ", core dumped" : "");
}

const char *
obituary_format(int status, char buf[OBITUARY_SIZE])
{
	if (WIFEXITED(status))
		snprintf(buf, OBITUARY_SIZE, "exited with status %d",
		    WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		format_signal(status, buf);
	else
		snprintf(buf, OBITUARY_SIZE, "ended with wait status 0x%x",
		    (unsigned)status);
	return (buf);
}
