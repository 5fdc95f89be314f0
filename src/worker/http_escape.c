/* http_escape - see http_escape.h. */
#include "http_escape.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

size_t
http_unescape(char *to, const char *path, size_t len)
{
	const char *end = path + len;
	char *start = to;
	int high, low;

	while (path < end) {
		if (*path == '%' && end - path > 2) {
			high = hex_value(path[1]);
			low = hex_value(path[2]);
			if (high != -1 && low != -1) {
				*to++ = (char)(high << 4 | low);
				path += 3;
				continue;
			}
		}
		*to++ = *path++;
	}
	return ((size_t)(to - start));
}
