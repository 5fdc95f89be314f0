/* access_text - a line by a format of atoms: see access_line.h. */
#include <stdio.h>
#include <string.h>

#include "access_line.h"

#define SECOND UINT64_C(1000000)

static void
add_item(struct access_line *line, struct access_item item, bool in_word)
{
	static const char hex[] = "0123456789abcdef";
	const char *from = item.text, *at = from, *end;
	char escaped[4] = {'\\', 'x'};
	unsigned char c;

	if (!item.is_there) {
		access_line_add(line, "-", 1);
		return;
	}
	end = from + (item.len < ACCESS_ITEM_MAX ? item.len : ACCESS_ITEM_MAX);
	for (; at < end; at++) {
		c = (unsigned char)*at;
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' &&
		    (c != ' ' || !in_word))
			continue;
		access_line_add(line, from, (size_t)(at - from));
		from = at + 1;
		escaped[2] = hex[c >> 4];
		escaped[3] = hex[c & 15];
		access_line_add(line, escaped, sizeof(escaped));
	}
	access_line_add(line, from, (size_t)(at - from));
}

/* A blank in it would shift what parsers take for the next column. */
static void
add_user(struct access_line *line, const struct access_record *record)
{
	char buf[ACCESS_ITEM_MAX];

	add_item(line, access_item_user(record, buf), true);
}

static void
add_address(struct access_line *line, const struct access_record *record)
{
	char address[INET6_ADDRSTRLEN];

	peer_format(&record->req->peer, address);
	access_line_add_string(line, address[0] != '\0' ? address : "-");
}

static void
add_date(struct access_line *line, const struct access_record *record)
{
	access_line_add(line, "[", 1);
	access_line_add_string(line, record->date);
	access_line_add(line, "]", 1);
}

static void
add_decimal_seconds(struct access_line *line, uint64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%06llu",
	    (unsigned long long)(us / SECOND),
	    (unsigned long long)(us % SECOND));
	access_line_add_string(line, text);
}

/* Of what may not be known. */
static void
add_number_or_none(struct access_line *line, bool is_known, uint64_t number)
{
	if (is_known)
		access_line_add_number(line, number);
	else
		access_line_add(line, "-", 1);
}

static void
add_id(struct access_line *line, const struct access_record *record)
{
	char id[ACCESS_ID_SIZE];

	access_id(record, id);
	access_line_add_string(line, id);
}

static void
add_pid_brackets(struct access_line *line, const struct access_record *record)
{
	access_line_add(line, "<", 1);
	access_line_add_number(line, (uint64_t)record->pid);
	access_line_add(line, ">", 1);
}

/* As Apache's %X. */
static void
add_connection(struct access_line *line, const struct access_record *record)
{
	access_line_add(line,
	    record->is_aborted ? "X"
	    : record->is_kept  ? "+"
			       : "-",
	    1);
}

/* What is a number, or about the server itself.  False: neither. */
static bool
add_fact(struct access_line *line, enum log_atom atom,
    const struct access_record *record)
{
	switch (atom) {
	case LOG_STATUS:
		access_line_add_number(line, (uint64_t)record->status);
		return (true);
	case LOG_BYTES:
		access_line_add_number(line, record->bytes);
		return (true);
	case LOG_BYTES_OR_NOTHING:
		add_number_or_none(line, record->is_answered, record->bytes);
		return (true);
	case LOG_SECONDS:
		access_line_add_number(line, record->duration_us / SECOND);
		return (true);
	case LOG_MILLISECONDS:
		access_line_add_number(line, record->duration_us / 1000);
		return (true);
	case LOG_MICROSECONDS:
		access_line_add_number(line, record->duration_us);
		return (true);
	case LOG_DECIMAL_SECONDS:
		add_decimal_seconds(line, record->duration_us);
		return (true);
	case LOG_QUEUE_WAIT:
		add_number_or_none(
		    line, record->is_queue_known, record->queue_us);
		return (true);
	case LOG_PID:
		access_line_add_number(line, (uint64_t)record->pid);
		return (true);
	case LOG_PID_BRACKETS:
		add_pid_brackets(line, record);
		return (true);
	case LOG_WORKER:
		access_line_add_number(line, record->worker);
		return (true);
	case LOG_THREAD:
		add_number_or_none(line, record->thread != 0, record->thread);
		return (true);
	case LOG_PORT:
		add_number_or_none(line, record->req->peer.family != AF_UNIX,
		    record->req->peer.port);
		return (true);
	default:
		return (false);
	}
}

static void
add_op(struct access_line *line, const struct log_op *op,
    const struct access_record *record)
{
	switch (op->atom) {
	case LOG_TEXT:
		access_line_add(line, op->text, op->len);
		return;
	case LOG_ADDRESS:
		add_address(line, record);
		return;
	case LOG_NOTHING:
		access_line_add(line, "-", 1);
		return;
	case LOG_USER:
		add_user(line, record);
		return;
	case LOG_DATE:
		add_date(line, record);
		return;
	case LOG_CONNECTION:
		add_connection(line, record);
		return;
	case LOG_ID:
		add_id(line, record);
		return;
	case LOG_REASON:
		access_line_add_string(
		    line, record->reason != NULL ? record->reason : "-");
		return;
	case LOG_REQUEST_FIELD:
		add_item(line, access_item_field(record, op->text), false);
		return;
	case LOG_RESPONSE_FIELD:
		add_item(
		    line, access_item_response_field(record, op->text), false);
		return;
	default:
		if (!add_fact(line, op->atom, record))
			add_item(line, access_item_of(record, op->atom), false);
	}
}

void
access_text(struct access_line *line, const struct log_format *format,
    const struct access_record *record)
{
	size_t i;

	line->end--; /* for its own end */
	for (i = 0; i < format->nops; i++)
		add_op(line, &format->ops[i], record);
	line->end++;
	access_line_add(line, "\n", 1);
}
