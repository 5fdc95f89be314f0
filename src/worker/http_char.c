/* http_char - see http_char.h. */
#include "http_char.h"

#define T HTTP_CHAR_TOKEN
#define V HTTP_CHAR_VALUE
#define H HTTP_CHAR_HOST

/* clang-format off */
const uint8_t http_char_classes[256] = {
	['\t'] = V, [' '] = V,
	['!'] = T|V|H,	['"'] = V,	['#'] = T|V,	['$'] = T|V|H,
	['%'] = T|V|H,	['&'] = T|V|H,	['\''] = T|V|H,	['('] = V|H,
	[')'] = V|H,	['*'] = T|V|H,	['+'] = T|V|H,	[','] = V|H,
	['-'] = T|V|H,	['.'] = T|V|H,	['/'] = V,
	['0' ... '9'] = T|V|H,
	[':'] = V|H,	[';'] = V|H,	['<'] = V,	['='] = V|H,
	['>'] = V,	['?'] = V,	['@'] = V,
	['A' ... 'Z'] = T|V|H,
	['['] = V|H,	['\\'] = V,	[']'] = V|H,	['^'] = T|V,
	['_'] = T|V|H,	['`'] = T|V,
	['a' ... 'z'] = T|V|H,
	['{'] = V,	['|'] = T|V,	['}'] = V,	['~'] = T|V|H,
	[0x80 ... 0xff] = V,
};
/* clang-format on */

bool
http_chars_are(const char *text, size_t len, enum http_char_class of)
{
	unsigned common = of;
	size_t i;

	/* Nearly all are: one branch at the end is less than one each. */
	for (i = 0; i < len; i++)
		common &= http_char_classes[(unsigned char)text[i]];
	return (common != 0);
}

bool
http_chars_equal(const char *text, size_t len, const char *word)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (word[i] == '\0' ||
		    (text[i] != word[i] && http_char_lower(text[i]) != word[i]))
			return (false);
	return (word[len] == '\0');
}

static bool
is_space(char c)
{
	return (c == ' ' || c == '\t');
}

bool
http_list_next(const char *text, size_t len, size_t *at, const char **element,
    size_t *element_len)
{
	size_t start = *at, end, next;

	if (start > len)
		return (false);
	for (end = start; end < len && text[end] != ','; end++)
		;
	next = end + 1;
	while (start < end && is_space(text[start]))
		start++;
	while (end > start && is_space(text[end - 1]))
		end--;
	*element = text + start;
	*element_len = end - start;
	*at = next;
	return (true);
}
