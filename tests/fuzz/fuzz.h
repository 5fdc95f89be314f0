/*
 * fuzz - what all fuzz targets share: the entry, and how input is cut in pieces.
 *
 * A target is one file with LLVMFuzzerTestOneInput.  It is linked with libFuzzer
 * by "make fuzz", and with replay.c, which runs files through it, by "make check".
 * It aborts, by ASSERT, where an input shows that something is wrong.
 *
 * The first byte of most inputs is the seed of a split: a target runs the rest
 * whole and in these pieces, and compares.
 */
#ifndef CGTHREAD_FUZZ_H
#define CGTHREAD_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct split {
	bool is_single; /* one byte at a time */
	uint32_t state;
};

/* Every fourth seed means one byte at a time: '0', '4', '8'. */
void split_init(struct split *, uint8_t seed);
/* How long the next piece of these bytes is: 1 to len, len being at least 1. */
size_t split_next(struct split *, const char *data, size_t len);
/* A number below limit. */
unsigned split_below(struct split *, unsigned limit);

/* A copy of its own in the heap, where the sanitizer sees its end; free(3) it. */
char *fuzz_copy(const char *data, size_t len);

#endif
