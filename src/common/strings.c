/* strings - see strings.h. */
#include "strings.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "log.h"

/* items is never NULL, so that the list of nothing is an argv as well. */
void
strings_init(struct strings *list)
{
	if ((list->items = calloc(1, sizeof(*list->items))) == NULL)
		fatal("list of strings");
	list->count = 0;
}

void
strings_fini(struct strings *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

/* text may be one of the list's own: it is copied before anything moves. */
void
strings_add(struct strings *list, const char *text)
{
	char *copy = string_copy(text), **items;

	items =
	    reallocarray(list->items, list->count + 2, sizeof(*list->items));
	if (items == NULL)
		fatal("list of %zu strings", list->count);
	items[list->count++] = copy;
	items[list->count] = NULL;
	list->items = items;
}

void
strings_replace(struct strings *list, size_t i, const char *text)
{
	char *copy = string_copy(text);

	ASSERT(i < list->count);
	free(list->items[i]);
	list->items[i] = copy;
}

void
strings_clear(struct strings *list)
{
	strings_fini(list);
	strings_init(list);
}

char *
string_copy(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		fatal("copy of %zu bytes", strlen(text));
	return (copy);
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

bool
string_item(const char **at, const char **item, size_t *len)
{
	const char *start = *at, *end;

	if (start == NULL)
		return (false);
	end = strchrnul(start, ',');
	*at = *end == ',' ? end + 1 : NULL;
	while (start < end && is_blank(*start))
		start++;
	while (end > start && is_blank(end[-1]))
		end--;
	*item = start;
	*len = (size_t)(end - start);
	return (true);
}

/* No strncasecmp(3): applications set a locale. */
static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

bool
string_same(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return (false);
	return (true);
}
