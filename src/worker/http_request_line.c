/* http_request_line - method, target and version: see http_private.h. */
#include "http_private.h"

#include <string.h>

#include "http_char.h"
#include "http_host.h"

static enum http_result
parse_version(struct http_parser *p, const char *text, size_t len)
{
	struct http_head *head = p->head;

	if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
	    text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9')
		return (http_bad(p, 400, "no HTTP version (RFC 9112 2.3)"));
	head->major = (uint8_t)(text[5] - '0');
	head->minor = (uint8_t)(text[7] - '0');
	if (head->major != 1)
		return (http_bad(
		    p, 505, "HTTP version is not 1.x (RFC 9110 15.6.6)"));
	return (HTTP_COMPLETE);
}

/* RFC 9112 3.2.2: "http://host/path"; where its path begins, or 0. */
static size_t
absolute_path_start(const char *target, size_t len)
{
	size_t i, start;

	if (len > 7 && http_chars_equal(target, 7, "http://"))
		i = 7;
	else if (len > 8 && http_chars_equal(target, 8, "https://"))
		i = 8;
	else
		return (0);
	start = i;
	while (i < len && http_char_is(target[i], HTTP_CHAR_HOST))
		i++;
	/* RFC 9110 4.2.1: a host is needed; 4.2.4: and no userinfo. */
	if ((i < len && target[i] != '/' && target[i] != '?') ||
	    !http_host_is_valid(target + start, i - start))
		return (0);
	return (i);
}

/* RFC 9112 3.2: which form may stand with which method. */
static enum http_result
parse_target(struct http_parser *p, const char *method, size_t method_len)
{
	struct http_head *head = p->head;
	const char *target = p->base + head->target.offset, *query;
	size_t len = head->target.len, path = 0, i;

	for (i = 0; i < len; i++)
		if ((unsigned char)target[i] <= 0x20 || target[i] == 0x7f ||
		    target[i] == '#')
			return (http_bad(p, 400,
			    "control character, space or fragment in the "
			    "target (RFC 9112 3.2)"));
	if (method_len == 7 && memcmp(method, "CONNECT", 7) == 0)
		return (http_bad(
		    p, 501, "CONNECT is for proxies (RFC 9110 9.3.6)"));
	if (target[0] == '*' && len == 1) {
		if (method_len != 7 || memcmp(method, "OPTIONS", 7) != 0)
			return (http_bad(
			    p, 400, "* is for OPTIONS only (RFC 9112 3.2.4)"));
	} else if (target[0] != '/') {
		path = absolute_path_start(target, len);
		if (path == 0)
			return (http_bad(p, 400,
			    "target is neither a path nor a URL (RFC 9112 "
			    "3.2)"));
	}
	query = memchr(target + path, '?', len - path);
	if (query == NULL)
		query = target + len;
	head->path.offset = head->target.offset + (uint32_t)path;
	head->path.len = (uint32_t)(query - (target + path));
	head->query.offset = head->target.offset + (uint32_t)(query - target);
	if (query < target + len)
		head->query.offset++;
	head->query.len =
	    head->target.offset + head->target.len - head->query.offset;
	return (HTTP_COMPLETE);
}

bool
http_line_is_head(const char *line, size_t len)
{
	static const char start[] = "HEAD ";

	return (len >= sizeof(start) - 1 &&
		memcmp(line, start, sizeof(start) - 1) == 0);
}

enum http_result
http_request_line(struct http_parser *p, size_t start, size_t end)
{
	struct http_head *head = p->head;
	const char *line = p->base + start, *stop = p->base + end;
	const char *space, *last;

	space = memchr(line, ' ', end - start);
	last = memrchr(line, ' ', end - start);
	if (space == NULL || space == line || last <= space + 1 ||
	    !http_chars_are(line, (size_t)(space - line), HTTP_CHAR_TOKEN))
		return (
		    http_bad(p, 400, "malformed request line (RFC 9112 3)"));
	if (parse_version(p, last + 1, (size_t)(stop - last - 1)) == HTTP_BAD)
		return (HTTP_BAD);
	head->method.offset = (uint32_t)start;
	head->method.len = (uint32_t)(space - line);
	head->target.offset = (uint32_t)(space + 1 - p->base);
	head->target.len = (uint32_t)(last - space - 1);
	return (parse_target(p, line, head->method.len));
}
