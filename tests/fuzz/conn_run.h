/*
 * conn_run - one connection of the target conn: what a client has done and was
 * answered, for conn.c, which makes it so, and conn_outcome.c, which judges it.
 */
#ifndef CGTHREAD_FUZZ_CONN_RUN_H
#define CGTHREAD_FUZZ_CONN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz.h"

#define REQUESTS_MAX 1024
#define ROOM         (1 << 20)

/* Of a script. */
#define HEADER_S    2
#define BODY_S      3
#define QUEUE_S     4
#define KEEPALIVE_S 5
#define SEND_S      3
#define LINGER_S    2

/* Of everything some; what may have blanks stands in quotes. */
#define TEXT_FORMAT                                                       \
	"%h %u %t \"%r\" %b \"%f\" \"%m\" \"%U\" \"%q\" \"%H\" %L %p %X " \
	"\"%{host}i\" \"%{date}o\" %{queue}g %{thread}g \"%{RAW_URI}e\" " \
	"%{REMOTE_PORT}e \"%{reason}g\""

/* What is to be known of a request to read its reply. */
struct asked {
	bool is_head, may_fail;
};

struct answered {
	int status;
	size_t body_len;
	bool is_whole;
};

struct run {
	struct split split;
	unsigned scene; /* enum scene_bit */
	bool hurried;   /* everything at once, and a loop that never sleeps */
	bool in_json;   /* the access log is */
	bool leaves;    /* goes away in the middle */
	int fd;         /* the client's end */
	bool closed;    /* the server's */
	bool sent_all;
	bool rests;     /* reads nothing */
	bool in_haste;  /* until the next cue */
	bool may_cut;   /* the last reply need not be whole */
	bool strays;    /* from the other run: a socket was full */
	unsigned still; /* turns in which nothing has moved */
	unsigned stayed_s;
	unsigned most_s; /* that have passed at once */
	uint64_t began_s, end_s;
	uint64_t sent_s, read_s; /* the last byte */
	uint64_t silent_s; /* after the last that was sent one came back */
	bool has_ended;    /* for the server, but perhaps for a thread */
	uint64_t unread_s; /* then: after the last that was read */
	bool came_late;    /* the last that was read, after that */
	unsigned nasked, nanswered;
	unsigned nown; /* of the answers: by the loop, about its health */
	struct asked asked[REQUESTS_MAX];
	struct answered answered[REQUESTS_MAX + 1];
	size_t len; /* of what the server has sent */
	char text[ROOM];
};

enum scene_bit {
	SCENE_SCARCE = 1 << 0, /* max_buffered is small */
	SCENE_HEALTH = 1 << 1, /* health_path is /h */
	SCENE_STAYS = 1 << 2,  /* the client waits until the server closes */
	SCENE_RATE = 1 << 3,   /* min_rate */
	SCENE_PREFIX = 1 << 4, /* url_prefix and SCRIPT_NAME, from a proxy */
	SCENE_HOPS = 1 << 5,   /* two proxies, and fields of many names */
	/* 0x40 says nothing: it makes a letter of the byte. */
	SCENE_SCRIPT = 1 << 8, /* there is one */
};

/*
 * Reads the replies, and leaves in the text what has to be the same each time: not
 * 100 Continue, which depends on what had come with the head.
 */
void conn_run_check_replies(struct run *);

/* One line for each request, printable, in the order of the answers; fd is empty
 * afterwards. */
void conn_run_check_log(const struct run *, int fd);

#endif
