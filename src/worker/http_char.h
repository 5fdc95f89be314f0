/*
 * http_char - the character classes of RFC 9110, without a locale.
 */
#ifndef CGTHREAD_HTTP_CHAR_H
#define CGTHREAD_HTTP_CHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_char_class {
	HTTP_CHAR_TOKEN = 1, /* RFC 9110 5.6.2: tchar */
	HTTP_CHAR_VALUE = 2, /* 5.5: VCHAR, obs-text, SP, HTAB */
	HTTP_CHAR_HOST = 4   /* RFC 3986 3.2: host and port, no userinfo */
};

extern const uint8_t http_char_classes[256];

static inline bool
http_char_is(char c, enum http_char_class of)
{
	return ((http_char_classes[(unsigned char)c] & of) != 0);
}

/* Of ASCII alone. */
static inline char
http_char_lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

/* Every byte is of the class; true for none. */
bool http_chars_are(const char *text, size_t len, enum http_char_class of);

/* Equal but for the case of ASCII letters; word is in lower case. */
bool http_chars_equal(const char *text, size_t len, const char *word);

/*
 * The next element of a comma-separated list (RFC 9110 5.6.1), without the
 * white space around it; elements may be empty.  *at is where to go on, 0 at
 * first; false at the end.
 */
bool http_list_next(const char *text, size_t len, size_t *at,
    const char **element, size_t *element_len);

#endif
