/*
 * gil_meter - knows who holds the interpreter lock, without asking the
 * interpreter.
 *
 * CPython signals one condition variable whenever it drops its lock and another
 * whenever it takes it.  The worker defines the condition functions itself, and
 * libpython, static or shared, binds to these definitions; each looks at the
 * address it is given, and passes on.  Which two addresses are the lock's is found
 * by trying: gil_meter_calibrate() drops and takes the lock and looks which are
 * signalled.  Where the pattern is another (a build without a lock, a sanitizer
 * that has its own wrappers), the meter stays off and says so.
 *
 * The state is one per process, as the lock is.  Any thread may ask; the answers
 * are of the moment.  The hook is called inside of the interpreter's own mutex: it
 * must not take the lock, nor wait for who does.
 */
#ifndef CGTHREAD_GIL_METER_H
#define CGTHREAD_GIL_METER_H

#include <stdbool.h>

typedef void gil_meter_fn(void *arg);

/*
 * Finds the two addresses: drop() and take() must drop and take the lock, which
 * the caller holds.  True if the meter is on from here.  Before the pool's threads
 * start, and again in a process that was forked.
 */
bool gil_meter_calibrate(void (*drop)(void), void (*take)(void));

bool gil_meter_is_on(void);

/*
 * The threads that the caller of gil_meter_is_free() disposes of; for the life of
 * the calling thread.  Only such a thread looks for work when it is through with
 * the lock.
 */
void gil_meter_mark_thread(void);

/*
 * Nobody holds the lock and nobody waits for it; or somebody else's thread has it
 * and no marked one waits, so that the holder, if it computes, is not even asked
 * to let go.  False while the meter is off.
 */
bool gil_meter_is_free(void);
bool gil_meter_has_waiters(void);

/* From here on called at each drop after which nobody waits for the lock; once,
 * for the life of the process.  A forked one is not told. */
void gil_meter_on_free(gil_meter_fn *, void *arg);

#endif
