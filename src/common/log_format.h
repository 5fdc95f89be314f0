/*
 * log_format - access_log_format compiled into a program: what to write, one
 * after the other.
 *
 *	common, combined, json, or text with atoms: %h %>s %{x-id}i, each also as
 *	gunicorn has them: %(h)s %({x-id}i)s
 *
 * Pure; no memory but the caller's.  A program points into itself: it is not
 * to be copied, and constant once it has been made.
 */
#ifndef CGTHREAD_LOG_FORMAT_H
#define CGTHREAD_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum log_atom {
	LOG_TEXT,             /* as it stands: text, len */
	LOG_ADDRESS,          /* h */
	LOG_NOTHING,          /* l */
	LOG_USER,             /* u */
	LOG_DATE,             /* t */
	LOG_REQUEST_LINE,     /* r */
	LOG_METHOD,           /* m */
	LOG_PATH,             /* U */
	LOG_QUERY,            /* q */
	LOG_PROTOCOL,         /* H */
	LOG_STATUS,           /* s */
	LOG_BYTES,            /* B */
	LOG_BYTES_OR_NOTHING, /* b */
	LOG_SECONDS,          /* T */
	LOG_MILLISECONDS,     /* M */
	LOG_MICROSECONDS,     /* D */
	LOG_DECIMAL_SECONDS,  /* L */
	LOG_PID,              /* {pid}g */
	LOG_PID_BRACKETS,     /* p */
	LOG_CONNECTION,       /* X */
	LOG_REQUEST_FIELD,    /* {x}i, f and a: text is its name, lower case */
	LOG_RESPONSE_FIELD,   /* {x}o */
	LOG_TARGET,           /* {RAW_URI}e */
	LOG_PORT,             /* {REMOTE_PORT}e */
	LOG_QUEUE_WAIT,       /* {queue}g */
	LOG_WORKER,           /* {worker}g */
	LOG_THREAD,           /* {thread}g */
	LOG_ID,               /* {id}g */
	LOG_REASON,           /* {reason}g */
};

struct log_op {
	enum log_atom atom;
	const char *text; /* LOG_TEXT: len bytes; of a field: its name */
	size_t len;
};

struct log_format {
	bool is_json;  /* all there is, as an object: no ops */
	bool is_timed; /* wants the times of a request */
	size_t nops;
	struct log_op ops[CONFIG_STRING_MAX];
	char text[CONFIG_STRING_MAX + 1]; /* what the ops point at */
};

#define LOG_FORMAT_WHY_SIZE 128

/* 0, or -1 with what is wrong, and where, in why. */
int log_format_compile(
    struct log_format *, const char *text, char why[LOG_FORMAT_WHY_SIZE]);

#endif
