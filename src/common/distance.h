/* distance - how far two words are apart, to guess what was meant. */
#ifndef CGTHREAD_DISTANCE_H
#define CGTHREAD_DISTANCE_H

#define DISTANCE_WORD_MAX 63 /* a longer word is far from everything */
#define DISTANCE_FAR      1000

/*
 * Letters to add, drop, change or swap with their neighbour, that turn one word
 * into the other.
 */
unsigned distance_between(const char *a, const char *b);

/* Near enough for "did you mean": a third of the letters, at least one. */
int distance_is_near(unsigned distance, const char *word);

#endif
