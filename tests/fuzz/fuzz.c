/* fuzz - see fuzz.h. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void
split_init(struct split *s, uint8_t seed)
{
	s->is_single = seed % 4 == 0;
	s->state = (seed + 1u) * 2654435761u;
}

/* xorshift: any will do, as long as it is the same everywhere. */
unsigned
split_below(struct split *s, unsigned limit)
{
	s->state ^= s->state << 13;
	s->state ^= s->state >> 17;
	s->state ^= s->state << 5;
	return (s->state % limit);
}

/* Lengths of all magnitudes; often an end between CR and LF. */
size_t
split_next(struct split *s, const char *data, size_t len)
{
	const char *cr;
	size_t piece;

	if (s->is_single)
		return (1);
	if (split_below(s, 4) == 0 && (cr = memchr(data, '\r', len)) != NULL)
		return ((size_t)(cr - data) + 1);
	piece = 1 + split_below(s, 2u << split_below(s, 12));
	return (piece < len ? piece : len);
}

char *
fuzz_copy(const char *data, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	ASSERT(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	return (copy);
}
