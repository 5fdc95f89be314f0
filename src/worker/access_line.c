/* access_line - see access_line.h. */
#include "access_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http_basic.h"
#include "http_char.h"

void
access_line_add(struct access_line *line, const char *text, size_t len)
{
	size_t room = (size_t)(line->end - line->at);

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(line->at, text, len);
	line->at += len;
}

void
access_line_add_string(struct access_line *line, const char *text)
{
	access_line_add(line, text, strlen(text));
}

void
access_line_add_number(struct access_line *line, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	access_line_add(line, at, (size_t)(digits + sizeof(digits) - at));
}

/* ---- of a record ---- */

static struct access_item
item(const struct request *req, struct http_text text)
{
	return ((struct access_item){.text = req->text + text.offset,
	    .len = text.len,
	    .is_there = true});
}

static struct access_item
protocol(const struct request *req)
{
	struct http_text line = request_line_text(req);
	const char *text = req->text + line.offset, *blank;

	blank = memrchr(text, ' ', line.len);
	if (blank == NULL)
		return ((struct access_item){.is_there = false});
	return ((struct access_item){.text = blank + 1,
	    .len = (size_t)(text + line.len - blank - 1),
	    .is_there = true});
}

struct access_item
access_item_of(const struct access_record *record, enum log_atom atom)
{
	const struct request *req = record->req;
	struct access_item none = {.is_there = false};

	if (atom == LOG_REQUEST_LINE)
		return (item(req, request_line_text(req)));
	if (req->head_len == 0)
		return (none);
	switch (atom) {
	case LOG_METHOD:
		return (item(req, req->head.method));
	case LOG_TARGET:
		return (item(req, req->head.target));
	case LOG_PATH:
		return (item(req, req->head.path));
	case LOG_QUERY:
		return (item(req, req->head.query));
	case LOG_PROTOCOL:
		return (protocol(req));
	default:
		return (none);
	}
}

struct access_item
access_item_field(const struct access_record *record, const char *name)
{
	const struct request *req = record->req;
	const struct http_field *field = NULL;

	if (req->head_len > 0)
		field = http_head_find(&req->head, req->text, name);
	if (field == NULL)
		return ((struct access_item){.is_there = false});
	return (item(req, field->value));
}

/* Ours is well formed: "name: value\r\n" up to an empty line. */
struct access_item
access_item_response_field(const struct access_record *record, const char *name)
{
	const struct reply *reply = &record->req->reply;
	struct access_item found = {.is_there = false};
	const char *at, *end, *colon, *stop;

	if (!record->is_answered)
		return (found);
	at = reply->head.text;
	end = at + reply->head_len;
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		stop = memchr(at, '\r', (size_t)(end - at));
		if (stop == NULL || stop == at)
			break;
		colon = memchr(at, ':', (size_t)(stop - at));
		if (colon == NULL ||
		    !http_chars_equal(at, (size_t)(colon - at), name))
			continue;
		for (colon++; colon < stop && *colon == ' '; colon++)
			;
		found.text = colon;
		found.len = (size_t)(stop - colon);
		found.is_there = true;
		break;
	}
	return (found);
}

struct access_item
access_item_user(const struct access_record *record, char *buf)
{
	struct access_item found = access_item_field(record, "authorization");

	if (!found.is_there)
		return (found);
	found.len =
	    http_basic_user(found.text, found.len, buf, ACCESS_ITEM_MAX);
	found.text = buf;
	found.is_there = found.len > 0;
	return (found);
}

/* Worker, when it began, number of the request: no two have the same. */
void
access_id(const struct access_record *record, char buf[ACCESS_ID_SIZE])
{
	snprintf(buf, ACCESS_ID_SIZE, "%" PRIx64 "-%x-%" PRIx64,
	    record->started, record->worker, record->req->number);
}
