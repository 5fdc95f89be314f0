/*
 * meter_cond - the gil_meter's condition functions, by names that are the same in
 * every build: a sanitizer has the C library's names for itself.
 */
#ifndef CGTHREAD_METER_COND_H
#define CGTHREAD_METER_COND_H

#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int meter_cond_signal(pthread_cond_t *);
int meter_cond_timedwait(
    pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
#else
#define meter_cond_signal    pthread_cond_signal
#define meter_cond_timedwait pthread_cond_timedwait
#endif

/*
 * The meter goes straight to the C library, past ThreadSanitizer, which has to be
 * told that the wait lets go of the mutex and takes it again.
 */
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define METER_COND_RELEASED(mutex)                  \
	do {                                        \
		__tsan_mutex_pre_unlock(mutex, 0);  \
		__tsan_mutex_post_unlock(mutex, 0); \
	} while (0)
#define METER_COND_ACQUIRED(mutex)                   \
	do {                                         \
		__tsan_mutex_pre_lock(mutex, 0);     \
		__tsan_mutex_post_lock(mutex, 0, 0); \
	} while (0)
#else
#define METER_COND_RELEASED(mutex) ((void)(mutex))
#define METER_COND_ACQUIRED(mutex) ((void)(mutex))
#endif

#endif
