/* http_basic - see http_basic.h. */
#include "http_basic.h"

#include <stdint.h>

#include "http_char.h"

/* RFC 4648 4; -1: not of the alphabet. */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	if (c == '+')
		return (62);
	return (c == '/' ? 63 : -1);
}

size_t
http_basic_user(const char *value, size_t len, char *user, size_t size)
{
	static const size_t scheme = 5;
	const char *end = value + len;
	size_t n = 0;
	uint32_t bits = 0;
	unsigned nbits = 0;
	int six;
	char c;

	if (len <= scheme || !http_chars_equal(value, scheme, "basic") ||
	    value[scheme] != ' ')
		return (0);
	for (value += scheme; value < end && *value == ' '; value++)
		;
	for (; value < end && (six = sextet(*value)) != -1; value++) {
		bits = bits << 6 | (uint32_t)six;
		nbits += 6;
		if (nbits < 8)
			continue;
		nbits -= 8;
		c = (char)(bits >> nbits & 0xff);
		if (c == ':') /* a user's name has none */
			return (n);
		if (n < size)
			user[n++] = c;
	}
	return (0);
}
