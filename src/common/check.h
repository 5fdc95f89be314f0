/*
 * check - assertions on our own invariants, always compiled in.
 *
 * ASSERT is for what only a bug of ours can break: never for anything that a
 * client, an application, an operator or the kernel may send.  A failed one
 * prints the expression, the place, the process and the thread, then aborts.
 * Neither macro may hold an expression with an effect.
 *
 * DIAG is for checks too dear for production: on in the debug and sanitizer
 * builds (-DCGTHREAD_DIAG).
 *
 * PTHREAD_OK is for pthread calls that fail only when misused.  It evaluates
 * its argument always.
 */
#ifndef CGTHREAD_CHECK_H
#define CGTHREAD_CHECK_H

#define ASSERT(expr) \
	((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__, 0))

#ifdef CGTHREAD_DIAG
#define DIAG(expr) ASSERT(expr)
#else
#define DIAG(expr) ((void)sizeof(expr))
#endif

#define PTHREAD_OK(call) check_pthread((call), #call, __FILE__, __LINE__)

_Noreturn void check_failed(
    const char *expr, const char *file, int line, int error);

static inline void
check_pthread(int error, const char *call, const char *file, int line)
{
	if (error != 0)
		check_failed(call, file, line, error);
}

#endif
