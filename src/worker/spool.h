/*
 * spool - a request's body: bytes in memory up to a threshold, or until the
 * budget that it shares with others is used up; then in a file that has no name.
 *
 * After a call that failed only spool_fini() is of use.
 *
 * Filled by the loop; when it is finished, its bytes lie in one piece of memory
 * (a file is mapped), to be read by the thread that runs the request.  One
 * thread at a time; the hand-over between them is the request's.
 */
#ifndef CGTHREAD_SPOOL_H
#define CGTHREAD_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct budget;

struct spool {
	char *memory; /* threshold bytes at most; staging once fd is open */
	size_t used, size; /* of memory */
	size_t threshold;
	struct budget *budget; /* not owned */
	size_t counted;        /* bytes, in the budget */
	const char *dir;       /* for the file; not owned */
	int fd;                /* -1: all in memory */
	uint64_t in_file;      /* bytes */
	char *map;             /* of the file, once finished */
	size_t map_len;
};

void spool_init(
    struct spool *, size_t threshold, struct budget *, const char *dir);
void spool_fini(struct spool *); /* frees memory, file and map */

/*
 * So many bytes will come: memory of that very size is taken at once where it is
 * within the threshold.  Where there is none the bytes may still find a place, by
 * and by or in the file.
 */
void spool_expect(struct spool *, uint64_t len);

/* Adds bytes.  0, or -1 with errno: ENOMEM, ENOSPC, EIO... */
int spool_append(struct spool *, const void *data, size_t len);

/*
 * The same without a copy: room for at least one byte, to read(2) into, then
 * how many came.  _room returns NULL with errno; _commit is as _append.
 */
void *spool_room(struct spool *, size_t *room);
int spool_commit(struct spool *, size_t len);

uint64_t spool_len(const struct spool *);

/*
 * No more will come: *data is all of it, valid until _fini; never NULL.  0, or
 * -1 with errno.
 */
int spool_finish(struct spool *, const char **data, size_t *len);

#endif
