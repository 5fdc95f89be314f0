/* check - see check.h. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

_Noreturn void
check_failed(const char *expr, const char *file, int line, int error)
{
	if (error != 0)
		log_critical("assertion failed: %s: %s (%s:%d)", expr,
		    strerrordesc_np(error), file, line);
	else
		log_critical("assertion failed: %s (%s:%d)", expr, file, line);
	abort();
}
