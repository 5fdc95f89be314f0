/* access_log - see access_log.h. */
#include "access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "access_line.h"
#include "check.h"
#include "clock.h"
#include "log_format.h"
#include "log_sink.h"

struct access_log {
	struct log_sink *sink;
	struct log_format format;
	struct syslog_target syslog;
	pid_t pid;
	unsigned worker;
	uint64_t started; /* milliseconds since 1970 */
	time_t second;    /* for which these were made: */
	char date[80];    /* "22/Nov/2026:14:03:07 +0000" */
	char date_iso[80];
	char zone_iso[32];
};

struct access_log *
access_log_open(int fd, const struct config *cfg, unsigned worker)
{
	struct access_log *log = calloc(1, sizeof(*log));
	const struct syslog_target *target = NULL;
	char why[LOG_FORMAT_WHY_SIZE];
	const char *reason;
	struct timespec now;
	int result;

	if (log == NULL)
		return (NULL);
	/* Both have been checked with the settings. */
	result = log_format_compile(&log->format, cfg->access_log_format, why);
	ASSERT(result == 0);
	if (syslog_target_is(cfg->accesslog)) {
		result = syslog_target_init(&log->syslog, cfg->accesslog,
		    cfg->syslog_facility, cfg->syslog_prefix, &reason);
		ASSERT(result == 0);
		target = &log->syslog;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	log->started =
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	log->pid = getpid();
	log->worker = worker;
	log->sink =
	    log_sink_open(fd, (size_t)cfg->log_buffer, ACCESS_LINE_MAX, target);
	if (log->sink == NULL) {
		free(log);
		return (NULL);
	}
	return (log);
}

void
access_log_close(struct access_log **logp)
{
	struct access_log *log = *logp;

	*logp = NULL;
	if (log == NULL)
		return;
	log_sink_close(&log->sink);
	free(log);
}

bool
access_log_is_timed(const struct access_log *log)
{
	return (log->format.is_timed);
}

bool
access_log_flush(struct access_log *log)
{
	return (log_sink_flush(log->sink));
}

/* ---- what a line tells ---- */

/* Local time; no strftime, whose month would follow the locale. */
static void
make_dates(struct access_log *log, time_t now)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;
	long offset;
	char sign;

	log->second = now;
	localtime_r(&now, &tm);
	offset = labs(tm.tm_gmtoff / 60);
	sign = tm.tm_gmtoff < 0 ? '-' : '+';
	snprintf(log->date, sizeof(log->date),
	    "%02d/%s/%04d:%02d:%02d:%02d %c%02ld%02ld", tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, sign, offset / 60, offset % 60);
	snprintf(log->date_iso, sizeof(log->date_iso),
	    "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	snprintf(log->zone_iso, sizeof(log->zone_iso), "%c%02ld:%02ld", sign,
	    offset / 60, offset % 60);
}

/* What of the body has left: a reply that was cut shows it. */
static uint64_t
body_sent(const struct reply *reply, bool is_running)
{
	uint64_t head = reply->head_len, sent = reply->outbox.sent;

	if (sent <= head)
		return (0);
	if (is_running || sent - head < reply->body_len)
		return (sent - head);
	return (reply->body_len);
}

static void
tell_answer(struct access_record *record, bool is_running)
{
	const struct request *req = record->req;
	const struct reply *reply = &req->reply;
	bool is_known = !is_running || reply_is_known(reply);

	record->is_answered =
	    is_known && reply->begun && reply->outbox.sent > 0;
	record->is_aborted =
	    is_running || req->is_cut || !record->is_answered || reply->failed;
	record->is_kept = !record->is_aborted && reply->head.keep_alive;
	record->reason = req->reason;
	if (record->is_answered) {
		record->status = reply->head.status;
		record->bytes = body_sent(reply, is_running);
		if (record->reason == NULL && record->is_aborted)
			record->reason = "application failed";
		return;
	}
	record->status = req->status_unsent != 0 ? req->status_unsent
						 : ACCESS_LOG_CLIENT_LEFT;
	if (record->reason == NULL)
		record->reason = "client left";
}

static void
tell_times(
    struct access_record *record, const struct access_log *log, bool is_running)
{
	const struct request *req = record->req;
	bool is_started =
	    !is_running || (atomic_load(&req->reply.word) & REPLY_STARTED);
	uint64_t end_ns = 0;

	record->thread = is_started ? req->thread : 0;
	if (!log->format.is_timed)
		return;
	if (!is_running)
		end_ns = req->reply.sent_ns;
	if (end_ns == 0)
		end_ns = clock_ns();
	record->duration_us = (end_ns - req->begun_ns) / 1000;
	if (record->thread == 0 || req->queued_ns == 0)
		return;
	record->is_queue_known = true;
	record->queue_us = (req->taken_ns - req->queued_ns) / 1000;
}

void
access_log_add(
    struct access_log *log, const struct request *req, bool is_running)
{
	struct access_record record = {
	    .req = req, .pid = log->pid, .worker = log->worker};
	struct access_line line;
	char *room = log_sink_room(log->sink);

	if (room == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &record.now);
	if (record.now.tv_sec != log->second)
		make_dates(log, record.now.tv_sec);
	record.date = log->date;
	record.date_iso = log->date_iso;
	record.zone_iso = log->zone_iso;
	record.started = log->started;
	tell_answer(&record, is_running);
	tell_times(&record, log, is_running);
	line.at = room;
	line.end = room + ACCESS_LINE_MAX;
	if (log->format.is_json)
		access_json(&line, &record);
	else
		access_text(&line, &log->format, &record);
	log_sink_commit(log->sink, (size_t)(line.at - room));
}
