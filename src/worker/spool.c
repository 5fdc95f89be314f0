/* spool - see spool.h. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "budget.h"
#include "check.h"
#include "fd.h"

/* What is staged before a write: enough that the writes do not count, and not
 * more however large the threshold is. */
#define STAGE_MAX (256 * 1024)
/* With a smaller threshold, still so much. */
#define STAGE_MIN 4096

static bool count_more(struct spool *, size_t len);
static void count_exactly(struct spool *, size_t len);
static int resize(struct spool *, size_t size);
static int spill(struct spool *);
static int flush(struct spool *);
static int write_out(struct spool *, const char *data, size_t len);
static int open_nameless(const char *dir);
static int open_unlinked(const char *dir);

void
spool_init(
    struct spool *s, size_t threshold, struct budget *budget, const char *dir)
{
	*s = (struct spool){
	    .threshold = threshold, .budget = budget, .dir = dir, .fd = -1};
}

void
spool_fini(struct spool *s)
{
	if (s->map != NULL)
		munmap(s->map, s->map_len);
	fd_close(&s->fd);
	free(s->memory);
	budget_give(s->budget, s->counted);
	spool_init(s, s->threshold, s->budget, s->dir);
}

/*
 * A length beyond the threshold takes nothing yet: a client pays for the file
 * with bytes, not with a promise.
 */
void
spool_expect(struct spool *s, uint64_t len)
{
	if (s->fd == -1 && len <= s->threshold && len > s->size)
		(void)resize(s, (size_t)len);
}

/* Memory's next size with room for len bytes more, by doubling. */
static size_t
next_size(const struct spool *s, size_t len)
{
	size_t size = s->size != 0 ? s->size : STAGE_MIN;

	while (size - s->used < len && size <= s->threshold / 2)
		size *= 2;
	if (size > s->threshold || size - s->used < len)
		size = s->threshold;
	return (size);
}

/* len bytes more: in memory, if it may be so large, else through the stage to the
 * file, which is opened now.  0, or -1 with errno. */
static int
choose_place(struct spool *s, size_t len)
{
	if (s->fd != -1)
		return (0);
	if (len > s->threshold - s->used || !count_more(s, s->used + len))
		return (spill(s));
	if (len <= s->size - s->used || resize(s, next_size(s, len)) == 0)
		return (0);
	return (spill(s));
}

int
spool_append(struct spool *s, const void *data, size_t len)
{
	if (len == 0)
		return (0);
	if (choose_place(s, len) == -1)
		return (-1);
	if (s->fd != -1 && len > s->size - s->used && flush(s) == -1)
		return (-1);
	if (s->fd != -1 && len > s->size)
		return (write_out(s, data, len));
	memcpy(s->memory + s->used, data, len);
	s->used += len;
	return (0);
}

void *
spool_room(struct spool *s, size_t *room)
{
	if (choose_place(s, 1) == -1)
		return (NULL);
	if (s->fd != -1 && s->used == s->size && flush(s) == -1)
		return (NULL);
	*room = s->size - s->used;
	return (s->memory + s->used);
}

/* Memory that is full is written by whoever needs room next: a body that just
 * fits needs none. */
int
spool_commit(struct spool *s, size_t len)
{
	ASSERT(len <= s->size - s->used);
	s->used += len;
	if (s->used > s->counted) { /* more came than was asked for */
		budget_count(s->budget, s->used - s->counted);
		s->counted = s->used;
	}
	return (0);
}

uint64_t
spool_len(const struct spool *s)
{
	return (s->in_file + s->used);
}

int
spool_finish(struct spool *s, const char **data, size_t *len)
{
	if (s->fd != -1 && flush(s) == -1)
		return (-1);
	if (s->map == NULL && s->in_file > 0) {
		void *map;

		if (s->in_file > SIZE_MAX) {
			errno = EFBIG;
			return (-1);
		}
		map = mmap(
		    NULL, (size_t)s->in_file, PROT_READ, MAP_SHARED, s->fd, 0);
		if (map == MAP_FAILED)
			return (-1);
		s->map = map;
		s->map_len = (size_t)s->in_file;
		free(s->memory); /* the stage */
		s->memory = NULL;
		s->size = 0;
		count_exactly(s, 0);
	}
	*data = s->map != NULL ? s->map : s->used > 0 ? s->memory : "";
	*len = s->map != NULL ? s->map_len : s->used;
	return (0);
}

/*
 * So many bytes are here, or will be with the next; false: the budget does not allow
 * it.  What was only promised does not count, nor does memory that nothing has been
 * written to: a client pays with bytes.
 */
static bool
count_more(struct spool *s, size_t len)
{
	if (len <= s->counted)
		return (true);
	if (!budget_take_spare(s->budget, len - s->counted))
		return (false);
	s->counted = len;
	return (true);
}

static void
count_exactly(struct spool *s, size_t len)
{
	budget_count(s->budget, len);
	budget_give(s->budget, s->counted);
	s->counted = len;
}

static int
resize(struct spool *s, size_t size)
{
	char *memory = realloc(s->memory, size);

	if (memory == NULL)
		return (-1);
	s->memory = memory;
	s->size = size;
	return (0);
}

/* From memory to a file; memory becomes the stage. */
static int
spill(struct spool *s)
{
	size_t stage = s->threshold;

	if (stage > STAGE_MAX)
		stage = STAGE_MAX;
	if (stage < STAGE_MIN)
		stage = STAGE_MIN;

	s->fd = open_nameless(s->dir);
	if (s->fd == -1 || flush(s) == -1)
		return (-1);
	if (!count_more(s, stage))
		stage = STAGE_MIN; /* that little, each may have */
	if (s->size != stage && resize(s, stage) == -1) {
		if (s->size < STAGE_MIN)
			return (-1);
		stage = s->size; /* what there is will do */
	}
	count_exactly(s, stage);
	return (0);
}

static int
flush(struct spool *s)
{
	size_t used = s->used;

	s->used = 0;
	return (write_out(s, s->memory, used));
}

static int
write_out(struct spool *s, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(s->fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* no progress: do not try for ever */
		if (n <= 0)
			return (-1);
		s->in_file += (uint64_t)n;
		data += n;
		len -= (size_t)n;
	}
	return (0);
}

/* A file without a name from the start, so that no crash leaves one behind. */
static int
open_nameless(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	/* Not every file system can (EISDIR: no kernel support at all). */
	if (fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = open_unlinked(dir);
	return (fd);
}

static int
open_unlinked(const char *dir)
{
	char path[PATH_MAX];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/cgthread-body-XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd != -1 && unlink(path) == -1)
		fd_close(&fd);
	return (fd);
}
