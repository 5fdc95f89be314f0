/* distance - see distance.h. */
#include "distance.h"

#include <string.h>

static unsigned
least(unsigned a, unsigned b)
{
	return (a < b ? a : b);
}

/*
 * The table of dynamic programming, of which three rows are alive: row i says
 * how far the first i letters of a are from each beginning of b.
 */
unsigned
distance_between(const char *a, const char *b)
{
	unsigned rows[3][DISTANCE_WORD_MAX + 1], i, j;
	unsigned *above2 = rows[0], *above = rows[1], *row = rows[2], *free_row;
	size_t alen = strlen(a), blen = strlen(b);

	if (alen > DISTANCE_WORD_MAX || blen > DISTANCE_WORD_MAX)
		return (DISTANCE_FAR);
	for (j = 0; j <= blen; j++)
		above[j] = j;
	for (i = 1; i <= alen; i++) {
		row[0] = i;
		for (j = 1; j <= blen; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j],
			    above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
		free_row = above2;
		above2 = above;
		above = row;
		row = free_row;
	}
	return (above[blen]);
}

int
distance_is_near(unsigned distance, const char *word)
{
	size_t third = strlen(word) / 3;

	return (distance <= (third > 0 ? third : 1));
}
