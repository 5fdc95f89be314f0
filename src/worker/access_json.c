/*
 * access_json - a line as a JSON object: see access_line.h.
 *
 * jansson escapes what the client has said; what needs no escape is copied, and
 * most lines have nothing else.  jansson's memory functions are left as they
 * are: an extension module of the application's may use them, too.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "access_line.h"

static void
add_key(struct access_line *line, const char *key)
{
	if (line->at[-1] != '{')
		access_line_add(line, ",", 1);
	access_line_add(line, "\"", 1);
	access_line_add_string(line, key);
	access_line_add(line, "\":", 2);
}

static void
add_null(struct access_line *line)
{
	access_line_add(line, "null", 4);
}

static void
add_number(
    struct access_line *line, const char *key, bool is_known, uint64_t number)
{
	add_key(line, key);
	if (is_known)
		access_line_add_number(line, number);
	else
		add_null(line);
}

static void
add_bool(struct access_line *line, const char *key, bool value)
{
	add_key(line, key);
	access_line_add_string(line, value ? "true" : "false");
}

/* ---- strings ---- */

static bool
is_plain(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return (false);
	}
	return (true);
}

/*
 * Cut where a character of UTF-8 begins.  Were the cut within one, the rest of
 * the text would be taken for what it is not.
 */
static size_t
cut(const char *text, size_t len)
{
	size_t at = ACCESS_ITEM_MAX, back;

	if (len <= at)
		return (len);
	for (back = 0; back < 4; back++)
		if (((unsigned char)text[at - back] & 0xc0) != 0x80)
			return (at - back);
	return (at);
}

/* Every byte as the character of that number, which is Latin-1: RFC 9110 5.5
 * and PEP 3333 both look at bytes so.  Returns the length. */
static size_t
latin1_to_utf8(char *to, const char *text, size_t len)
{
	char *start = to;
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x80) {
			*to++ = (char)c;
		} else {
			*to++ = (char)(0xc0 | c >> 6);
			*to++ = (char)(0x80 | (c & 0x3f));
		}
	}
	return ((size_t)(to - start));
}

/* jansson lets DEL through, which a terminal obeys. */
static int
on_escaped(const char *text, size_t len, void *arg)
{
	struct access_line *line = arg;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == 0x7f)
			access_line_add(line, "\\u007f", 6);
		else
			access_line_add(line, &text[i], 1);
	}
	return (0);
}

static void
add_escaped(struct access_line *line, const char *text, size_t len)
{
	char utf8[2 * ACCESS_ITEM_MAX];
	json_t *string = json_stringn(text, len); /* NULL: no UTF-8 */

	if (string == NULL)
		string =
		    json_stringn_nocheck(utf8, latin1_to_utf8(utf8, text, len));
	if (string == NULL || json_dump_callback(string, on_escaped, line,
				  JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == -1)
		add_null(line); /* no memory */
	json_decref(string);
}

static void
add_item(struct access_line *line, const char *key, struct access_item item)
{
	size_t len = cut(item.text, item.len);

	add_key(line, key);
	if (!item.is_there) {
		add_null(line);
	} else if (is_plain(item.text, len)) {
		access_line_add(line, "\"", 1);
		access_line_add(line, item.text, len);
		access_line_add(line, "\"", 1);
	} else {
		add_escaped(line, item.text, len);
	}
}

static void
add_text(struct access_line *line, const char *key, const char *text)
{
	struct access_item item = {.is_there = false};

	if (text != NULL && text[0] != '\0') {
		item.text = text;
		item.len = strlen(text);
		item.is_there = true;
	}
	add_item(line, key, item);
}

/* ---- the object ---- */

static void
add_client(struct access_line *line, const struct access_record *record)
{
	const struct peer *peer = &record->req->peer;
	char buf[ACCESS_ITEM_MAX], address[INET6_ADDRSTRLEN], time[96];

	snprintf(time, sizeof(time), "%s.%03ld%s", record->date_iso,
	    record->now.tv_nsec / 1000000, record->zone_iso);
	add_text(line, "time", time);
	add_text(line, "remote_addr", peer_format(peer, address));
	add_number(line, "remote_port", peer->family != AF_UNIX, peer->port);
	add_item(line, "user", access_item_user(record, buf));
}

/* The line as it came only where nothing could be made of it. */
static void
add_request(struct access_line *line, const struct access_record *record)
{
	struct access_item none = {.is_there = false};
	bool is_known = record->req->head_len > 0;

	add_item(line, "method", access_item_of(record, LOG_METHOD));
	add_item(line, "path", access_item_of(record, LOG_PATH));
	add_item(line, "query", access_item_of(record, LOG_QUERY));
	add_item(line, "protocol", access_item_of(record, LOG_PROTOCOL));
	add_item(line, "request",
	    is_known ? none : access_item_of(record, LOG_REQUEST_LINE));
	add_item(line, "referer", access_item_field(record, "referer"));
	add_item(line, "user_agent", access_item_field(record, "user-agent"));
}

static void
add_answer(struct access_line *line, const struct access_record *record)
{
	char id[ACCESS_ID_SIZE];

	access_id(record, id);
	add_number(line, "status", true, (uint64_t)record->status);
	add_number(line, "bytes", true, record->bytes);
	add_number(line, "duration_us", true, record->duration_us);
	add_number(line, "queue_us", record->is_queue_known, record->queue_us);
	add_bool(line, "aborted", record->is_aborted);
	add_text(line, "reason", record->reason);
	add_bool(line, "keep_alive", record->is_kept);
	add_number(line, "pid", true, (uint64_t)record->pid);
	add_number(line, "worker", true, record->worker);
	add_number(line, "thread", record->thread != 0, record->thread);
	add_text(line, "id", id);
}

void
access_json(struct access_line *line, const struct access_record *record)
{
	access_line_add(line, "{", 1);
	add_client(line, record);
	add_request(line, record);
	add_answer(line, record);
	access_line_add(line, "}\n", 2);
}
