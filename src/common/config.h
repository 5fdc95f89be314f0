/*
 * config - every setting of the server, and the one table that describes them.
 *
 * The table (config_options) drives the ini file, the long command-line
 * options, the defaults, the canonical text (which is also how the settings
 * reach a worker), --help, the sample conf/server.ini and the manual: a test
 * holds the last two to it.  A new option is a row, a field, a manual entry.
 *
 * Errors are written to the FILE that the caller gives, one line each,
 * beginning with the place: "server.ini:12: " or "--workers: ".  Reading goes
 * on after an error, so that all of them are seen at once.
 *
 * Not thread-safe, and constant once the server runs.  No memory is fatal.
 */
#ifndef CGTHREAD_CONFIG_H
#define CGTHREAD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "option.h"
#include "strings.h"

enum remote_addr_from { REMOTE_ADDR_PEER, REMOTE_ADDR_FORWARDED };
enum header_map { HEADER_MAP_DROP, HEADER_MAP_REFUSE };
enum url_scheme { URL_SCHEME_HTTP, URL_SCHEME_HTTPS };
enum proxy_mode { PROXY_OFF, PROXY_V1, PROXY_V2, PROXY_AUTO };

struct config {
	/* [server] */
	struct strings bind;       /* HOST:PORT, unix:PATH, fd://N */
	int64_t backlog;           /* connections the kernel queues */
	int64_t socket_mode;       /* of unix sockets, like chmod(1) */
	char *socket_owner;        /* "", "USER", "USER:GROUP" or ":GROUP" */
	int64_t workers;           /* processes */
	int64_t threads;           /* in each worker, running the application */
	int64_t thread_stack_size; /* bytes */
	char *proc_name;           /* in the process titles; may be "" */
	char *runtime_dir;         /* "" = the usual place */
	int64_t boot_timeout_ms;
	int64_t graceful_timeout_ms;
	int64_t respawn_backoff_ms; /* longest pause before a replacement */

	/* [app] */
	char *wsgi_app; /* module:callable, module:factory(); "" unset */
	char *python;   /* "3.11" or an absolute path; "" = the default */
	char *chdir;    /* "" = stay */
	struct strings pythonpath; /* directories put before sys.path */

	/* [http] */
	int64_t header_timeout_ms, body_timeout_ms, keepalive_ms;
	int64_t queue_timeout_ms; /* 0 = no limit */
	int64_t send_timeout_ms, linger_timeout_ms;
	int64_t min_rate;             /* bytes a second; 0 = a byte will do */
	char *health_path;            /* "" = none */
	int64_t max_connections;      /* per worker */
	int64_t max_queue;            /* per worker; 0 = 16 for each thread */
	int64_t limit_request_line;   /* bytes */
	int64_t limit_request_fields; /* count */
	int64_t limit_request_field_size; /* bytes of one field line */
	int64_t max_head_size;            /* bytes of request line and fields */
	int64_t max_body_size;            /* bytes */
	int64_t body_buffer; /* bytes in memory, the rest in a file */
	char *spool_dir;
	int64_t outbuf_high_watermark; /* bytes of an unsent reply */
	int64_t max_buffered; /* bytes of heads, bodies and unsent replies */
	char *server_header;  /* "" = send none */

	/* [proxy]; items of these lists may be several, with commas */
	struct strings forwarded_allow_ips;     /* see cidr.h */
	struct strings forwarded_headers;       /* see proxy_option.h */
	int64_t forwarded_hops;                 /* proxies, from us outwards */
	int64_t remote_addr_from;               /* enum remote_addr_from */
	struct strings secure_scheme_headers;   /* "HEADER=VALUE" */
	struct strings forwarder_headers;       /* with an underscore */
	int64_t header_map;                     /* enum header_map */
	int64_t clear_untrusted, log_untrusted; /* 0 or 1 */
	int64_t url_scheme;                     /* enum url_scheme */
	char *url_prefix;                       /* "" or "/path" */
	char *server_name;
	int64_t proxy_protocol;         /* enum proxy_mode */
	struct strings proxy_allow_ips; /* see cidr.h */

	/* [log] */
	char *errorlog;      /* path, "-" for standard error, or syslog's */
	int64_t loglevel;    /* enum log_level */
	int64_t log_refused; /* lines a second; 0 = all */
	char *accesslog;     /* the same, or "-" for standard output, "off" */
	char *access_log_format; /* for log_format_compile() */
	int64_t log_buffer; /* bytes of access log kept for a slow reader */
	int64_t syslog_facility; /* index in syslog_facilities */
	char *syslog_prefix;

	/* [env] */
	struct strings env; /* "NAME=VALUE" */

	char *file;      /* the ini file that was read; NULL: none */
	bool *given;     /* config.c's own: rows set on the command line */
	bool is_partial; /* its own: what is missing may have been refused */
};

#define CONFIG_STRING_MAX 160 /* longest: inih takes its line whole */
#define CONFIG_FIELDS_MAX 512 /* most of limit_request_fields */

struct config *config_new(void); /* all defaults */
void config_free(struct config **);

/*
 * Read an ini file into cfg, over the defaults.  Returns the number of errors
 * written to err; a file that cannot be opened is one.  _fd leaves fd open, and
 * a file's offset, which all workers share, alone: it reads from the start.
 */
unsigned config_read(struct config *, const char *path, FILE *err);
unsigned config_read_fd(struct config *, int fd, const char *name, FILE *err);

/*
 * One setting from the command line, over the file's.  The first for a list
 * replaces what the file had, the next add to it.  0, or -1 with a line in err.
 */
int config_set(struct config *, const char *name, const char *value, FILE *err);

/* --env NAME=VALUE: the last of a name counts; the value may be any text. */
int config_set_env(struct config *, const char *assignment, FILE *err);

/* What only the whole can tell: wsgi_app is there, unless it was refused. */
unsigned config_check(const struct config *, FILE *err);

/*
 * Canonical text: every option, section by section; then [env] if wanted.  Read
 * again it gives the same.  A variable that no ini line can hold is a comment.
 */
void config_print(const struct config *, bool with_env, FILE *out);

/* The sample file: each option with its help, commented out at its default. */
void config_print_sample(FILE *out);

/* One option's value as canonical text, into buf; for a list its item i. */
void config_format(const struct config *, const struct option_row *, size_t i,
    char *buf, size_t size);

#endif
