/* torn - see torn.h. */
#include "torn.h"

#include <errno.h>
#include <sys/stat.h>

#define NOT_A_FILE (-1)

/* What is empty is whole. */
static int64_t
size_of(int fd)
{
	int saved_errno = errno;
	int64_t size = NOT_A_FILE;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		size = st.st_size;
	errno = saved_errno;
	return (size);
}

void
torn_note(struct torn *t, int fd, bool within)
{
	int64_t size = size_of(fd);

	if (size == NOT_A_FILE && !within)
		return;
	atomic_store_explicit(&t->at, size, memory_order_relaxed);
}

bool
torn_take(struct torn *t, int fd)
{
	int64_t at;

	if (atomic_load_explicit(&t->at, memory_order_relaxed) == 0)
		return (false);
	at = atomic_exchange_explicit(&t->at, 0, memory_order_relaxed);
	return (at != 0 && at == size_of(fd));
}
