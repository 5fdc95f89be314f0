/* conn_outcome - are the answers, and the lines of the log, as they must be?  See
 * conn_run.h. */
#include "conn_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "check.h"
#include "reference.h"

/* ---- the access log ---- */

static json_int_t
number_of(const json_t *line, const char *key)
{
	const json_t *value = json_object_get(line, key);

	ASSERT(json_is_integer(value) && json_integer_value(value) >= 0);
	return (json_integer_value(value));
}

/* No deadline strikes before its time, nor long after. */
static void
check_reason(const struct run *run, const json_t *line)
{
	const json_int_t second = 1000000;
	const char *why = json_string_value(json_object_get(line, "reason"));
	json_int_t us = number_of(line, "duration_us");
	bool is_exact = run->fd != -1 && !(run->scene & SCENE_RATE);

	if (why == NULL)
		return;
	if (strcmp(why, "queue_timeout") == 0)
		ASSERT(us >= QUEUE_S * second);
	if (strcmp(why, "send_timeout") == 0 && is_exact)
		ASSERT(run->unread_s >= SEND_S);
	if (run->may_cut)
		return;
	if (strcmp(why, "body_timeout") == 0 && is_exact)
		ASSERT(run->silent_s >= BODY_S);
	if (strcmp(why, "header_timeout") == 0) {
		ASSERT(us < (HEADER_S + run->most_s) * second);
		/* Something of a line is there. */
		ASSERT(
		    json_string_length(json_object_get(line, "request")) > 0);
	}
}

/* The line of a request; of its answer, if there was one. */
static void
check_json(const struct run *run, const char *text, size_t len,
    const struct answered *answered)
{
	uint64_t most_us = (run->end_s - run->began_s) * 1000000;
	json_t *line = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	ASSERT(json_is_object(line));
	ASSERT((uint64_t)number_of(line, "duration_us") <= most_us);
	if (json_is_integer(json_object_get(line, "queue_us")))
		ASSERT((uint64_t)number_of(line, "queue_us") <= most_us);
	check_reason(run, line);
	if (answered != NULL)
		ASSERT(number_of(line, "status") == answered->status);
	if (answered != NULL && answered->is_whole)
		ASSERT((size_t)number_of(line, "bytes") == answered->body_len);
	json_decref(line);
}

struct columns {
	unsigned quotes, blanks; /* blanks: outside of quotes */
};

static struct columns
count_columns(const char *text, size_t len)
{
	struct columns columns = {0, 0};
	size_t i;

	for (i = 0; i < len; i++) {
		columns.quotes += text[i] == '"';
		columns.blanks += text[i] == ' ' && columns.quotes % 2 == 0;
	}
	return (columns);
}

/* Nothing that the client has said makes more columns of it, or less. */
static void
check_text(const char *text, size_t len)
{
	static const char format[] = TEXT_FORMAT;
	struct columns want = count_columns(format, sizeof(format) - 1);
	struct columns got = count_columns(text, len);

	ASSERT(got.quotes == want.quotes);
	ASSERT(got.blanks == want.blanks + 1); /* within the date */
}

void
conn_run_check_log(const struct run *run, int fd)
{
	static char text[ROOM];
	ssize_t len = pread(fd, text, sizeof(text), 0), i, start = 0;
	unsigned lines = 0;

	ASSERT(len >= 0 && len < (ssize_t)sizeof(text));
	for (i = 0; i < len; i++) {
		ASSERT(text[i] == '\n' ||
		       ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
		if (text[i] != '\n')
			continue;
		if (run->in_json)
			check_json(run, text + start, (size_t)(i - start),
			    lines < run->nanswered ? &run->answered[lines]
						   : NULL);
		else
			check_text(text + start, (size_t)(i - start));
		start = i + 1;
		lines++;
	}
	ASSERT(start == len);
	ASSERT(lines >= run->nasked && lines >= run->nanswered);
	/* Who leaves does not count what the loop has answered. */
	ASSERT(lines <= run->nasked + run->nown + 1 ||
	       (!run->in_json && (run->scene & SCENE_HEALTH) != 0));
	ASSERT(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
}

/* ---- the replies ---- */

static bool
is_continue(const char *text, size_t len)
{
	static const char word[] = "HTTP/1.1 100 Continue\r\n\r\n";

	return (len >= sizeof(word) - 1 &&
		memcmp(text, word, sizeof(word) - 1) == 0);
}

/* The clock does not count. */
static void
mask_date(char *head, size_t len)
{
	char *date = memmem(head, len, "\r\nDate: ", 8);

	ASSERT(date != NULL && date + 37 <= head + len);
	memset(date + 8, '?', 29);
}

/* The loop's answer to health_path has what no application's has. */
static bool
is_health(const struct run *run, const char *text, size_t len)
{
	static const char ok[] = "\r\nCache-Control: no-store\r\n";
	static const char not_allowed[] = "\r\nAllow: GET, HEAD\r\n";
	const char *end = memmem(text, len, "\r\n\r\n", 4);

	if (!(run->scene & SCENE_HEALTH) || end == NULL)
		return (false);
	len = (size_t)(end - text) + 4;
	return (
	    memmem(text, len, ok, sizeof(ok) - 1) != NULL ||
	    memmem(text, len, not_allowed, sizeof(not_allowed) - 1) != NULL);
}

/* Its body says what the moment was like: in its place goes what is always so. */
static void
take_health(
    struct run *run, size_t at, size_t *to, const struct reference_reply *r)
{
	char said[32];
	int n = snprintf(
	    said, sizeof(said), "health %d %d\n", r->status, r->closes ? 1 : 0);
	const char *body = run->text + at + r->head_len;
	json_t *root;

	ASSERT(r->status == 200 || r->status == 405 || r->status == 503);
	ASSERT(r->status != 503 || r->closes);
	if (r->status != 405 && r->is_whole && r->body_len > 0) {
		root = json_loadb(body, r->body_len, 0, NULL);
		ASSERT(json_is_object(root));
		json_decref(root);
	}
	memcpy(run->text + *to, said, (size_t)n);
	*to += (size_t)n;
	run->nown++;
}

/* An answer to what was asked, or a refusal, which is the last. */
static void
take_reply(struct run *run, size_t at, size_t *to, unsigned n,
    const struct reference_reply *r)
{
	bool is_own = n == run->nasked;

	ASSERT(n <= run->nasked);
	ASSERT(r->is_whole || run->may_cut || (is_own && r->body_len == 0) ||
	       run->asked[n].may_fail);
	ASSERT(!is_own || (r->closes && r->status >= 400));
	/* RFC 9112 9.6: what was on its way could take a refusal back. */
	ASSERT(!is_own || run->may_cut || !(run->scene & SCENE_STAYS) ||
	       (!run->came_late && run->unread_s >= LINGER_S));
	mask_date(run->text + at, r->head_len);
	memmove(run->text + *to, run->text + at, r->len);
	*to += r->len;
}

/* False: it was cut in its head. */
static bool
read_reply(struct run *run, size_t at, unsigned n, bool is_own_health,
    struct reference_reply *r)
{
	const char *text = run->text + at;
	size_t len = run->len - at;
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	bool is_head = n < run->nasked && run->asked[n].is_head;

	if (end == NULL && run->may_cut)
		return (false);
	if (is_own_health) /* nobody has told by what method */
		is_head = (size_t)(end + 4 - text) == len ||
			  memcmp(end + 4, "HTTP/", 5 < len ? 5 : len) == 0;
	ASSERT(reference_reply(text, len, is_head, r));
	ASSERT(r->is_whole || at + r->len == run->len);
	ASSERT(run->nanswered <= REQUESTS_MAX);
	run->answered[run->nanswered++] = (struct answered){
	    .status = r->status,
	    .is_whole = r->is_whole,
	    .body_len = r->body_len,
	};
	return (true);
}

void
conn_run_check_replies(struct run *run)
{
	struct reference_reply r = {0};
	size_t at, to = 0;
	unsigned n = 0;
	bool is_own_health;

	for (at = 0; at < run->len; at += r.len) {
		if (is_continue(run->text + at, run->len - at)) {
			r.len = 25;
			continue;
		}
		ASSERT(!r.closes);
		is_own_health = is_health(run, run->text + at, run->len - at);
		if (!read_reply(run, at, n, is_own_health, &r))
			break;
		if (is_own_health)
			take_health(run, at, &to, &r);
		else
			take_reply(run, at, &to, n++, &r);
	}
	run->len = to;
	/* What was asked is answered. */
	ASSERT(n + (run->may_cut ? 1 : 0) >= run->nasked);
}
