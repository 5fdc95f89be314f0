/* http_host - see http_host.h. */
#include "http_host.h"

#include <arpa/inet.h>
#include <string.h>

#include "http_char.h"

static bool
is_hex(char c)
{
	return ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		(c >= 'A' && c <= 'F'));
}

/* "[::1]": its length, or 0.  No other literal than IPv6 has been defined. */
static size_t
literal_len(const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr parsed;
	const char *end = memchr(text, ']', len);
	size_t n = end != NULL ? (size_t)(end - text) - 1 : 0;

	if (n == 0 || n >= sizeof(address))
		return (0);
	memcpy(address, text + 1, n);
	address[n] = '\0';
	/* inet_pton() would take what stands before a NUL. */
	if (strlen(address) != n || inet_pton(AF_INET6, address, &parsed) != 1)
		return (0);
	return (n + 2);
}

/* A name or an IPv4 address: what there is of it up to the first stranger. */
static size_t
name_len(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!http_char_is(text[i], HTTP_CHAR_HOST) ||
		    strchr("[:]", text[i]) != NULL)
			break;
		if (text[i] == '%' && (len - i < 3 || !is_hex(text[i + 1]) ||
					  !is_hex(text[i + 2])))
			break;
	}
	return (i);
}

bool
http_host_is_valid(const char *text, size_t len)
{
	size_t at;

	if (len == 0)
		return (false);
	at = text[0] == '[' ? literal_len(text, len) : name_len(text, len);
	if (at == 0 || (at < len && text[at] != ':'))
		return (false);
	for (at++; at < len; at++)
		if (text[at] < '0' || text[at] > '9')
			return (false);
	return (true);
}
