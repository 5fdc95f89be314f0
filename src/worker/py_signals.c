/* py_signals - see py_signals.h. */
#include "py_signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "log.h"
#include "macros.h"

static const int numbers[PY_SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP,
    SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE, SIGCHLD};

void
py_signals_save(struct py_signals *saved)
{
	size_t i;

	memset(saved, 0, sizeof(*saved));
	for (i = 0; i < nitems(numbers); i++)
		if (sigaction(numbers[i], NULL, &saved->actions[i]) == -1)
			log_warn("sigaction SIG%s", sigabbrev_np(numbers[i]));
}

static bool
is_same(const struct sigaction *a, const struct sigaction *b)
{
	if ((a->sa_flags ^ b->sa_flags) & SA_SIGINFO)
		return (false);
	if (a->sa_flags & SA_SIGINFO)
		return (a->sa_sigaction == b->sa_sigaction);
	return (a->sa_handler == b->sa_handler);
}

void
py_signals_restore(const struct py_signals *saved, const char *who)
{
	struct sigaction now;
	size_t i;

	for (i = 0; i < nitems(numbers); i++) {
		if (sigaction(numbers[i], &saved->actions[i], &now) == -1) {
			log_warn("sigaction SIG%s", sigabbrev_np(numbers[i]));
			continue;
		}
		if (who != NULL && !is_same(&saved->actions[i], &now))
			log_warnx("%s changed the handling of SIG%s, which the "
				  "server needs: changed back",
			    who, sigabbrev_np(numbers[i]));
	}
}
