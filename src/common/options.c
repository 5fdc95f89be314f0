/*
 * options - the table of config.h: one row for each option, in the order of the
 * sample file.
 */
#include "config.h"

#include <string.h>

#include "addr.h"
#include "interpreter.h"
#include "log_format.h"
#include "macros.h"
#include "syslog_target.h"
#include "proxy_option.h"

#define KIB  (INT64_C(1) << 10)
#define MIB  (INT64_C(1) << 20)
#define GIB  (INT64_C(1) << 30)
#define DAY  (INT64_C(24) * 3600 * 1000) /* milliseconds */
#define MANY 1048576

#define TEXT CONFIG_STRING_MAX

#define FIELD(name) offsetof(struct config, name)

static option_check_fn check_bind, check_health_path, check_wsgi_app,
    check_python;
static option_check_fn check_log_format, check_log_target, check_syslog_prefix;

static const char *const log_levels[] = {
    "debug", "info", "warning", "error", "critical", NULL};
static const char *const off_on[] = {"off", "on", NULL};
static const char *const remote_addrs[] = {
    [REMOTE_ADDR_PEER] = "peer",
    [REMOTE_ADDR_FORWARDED] = "forwarded",
    NULL,
};
static const char *const header_maps[] = {
    [HEADER_MAP_DROP] = "drop",
    [HEADER_MAP_REFUSE] = "refuse",
    NULL,
};
static const char *const url_schemes[] = {
    [URL_SCHEME_HTTP] = "http",
    [URL_SCHEME_HTTPS] = "https",
    NULL,
};
static const char *const proxy_modes[] = {
    [PROXY_OFF] = "off",
    [PROXY_V1] = "v1",
    [PROXY_V2] = "v2",
    [PROXY_AUTO] = "auto",
    NULL,
};

/* clang-format off */
static const struct option_row rows[] = {
	{ "server", "bind", OPTION_LIST, FIELD(bind), 1, TEXT,
	  "127.0.0.1:8000", NULL, "ADDRESS",
	  "Address to listen on: HOST:PORT, unix:PATH or fd://N; repeatable",
	  check_bind },
	{ "server", "backlog", OPTION_NUMBER, FIELD(backlog), 1, 65535,
	  "2048", NULL, "NUMBER",
	  "Connections that the kernel queues for each address", NULL },
	{ "server", "socket_mode", OPTION_MODE, FIELD(socket_mode), 0, 0777,
	  "0660", NULL, "MODE",
	  "Permissions of unix sockets, in octal", NULL },
	{ "server", "socket_owner", OPTION_STRING, FIELD(socket_owner), 0, TEXT,
	  "", NULL, "OWNER",
	  "Owner of unix sockets: USER, USER:GROUP or :GROUP; empty = ours",
	  NULL },
	{ "server", "workers", OPTION_NUMBER, FIELD(workers), 1, 1024,
	  "2", NULL, "NUMBER",
	  "Worker processes", NULL },
	{ "server", "threads", OPTION_NUMBER, FIELD(threads), 1, 1024,
	  "4", NULL, "NUMBER",
	  "Threads that run the application, in each worker", NULL },
	{ "server", "thread_stack_size", OPTION_SIZE, FIELD(thread_stack_size),
	  256 * KIB, GIB,
	  "8m", NULL, "SIZE",
	  "Stack of each thread that runs the application", NULL },
	{ "server", "proc_name", OPTION_STRING, FIELD(proc_name), 0, 64,
	  "", NULL, "NAME",
	  "Name that the process titles show in brackets", NULL },
	{ "server", "runtime_dir", OPTION_STRING, FIELD(runtime_dir), 0, TEXT,
	  "", NULL, "DIR",
	  "Directory of the scoreboard; empty = the usual place", NULL },
	{ "server", "boot_timeout", OPTION_DURATION, FIELD(boot_timeout_ms),
	  1, DAY,
	  "60s", NULL, "DURATION",
	  "Time that a worker has to import the application", NULL },
	{ "server", "graceful_timeout", OPTION_DURATION,
	  FIELD(graceful_timeout_ms), 1, DAY,
	  "30s", NULL, "DURATION",
	  "Time that running requests have to finish when the server stops",
	  NULL },
	{ "server", "respawn_backoff", OPTION_DURATION,
	  FIELD(respawn_backoff_ms), 1, DAY,
	  "30s", NULL, "DURATION",
	  "Longest pause before a worker that keeps dying is replaced", NULL },

	{ "app", "wsgi_app", OPTION_STRING, FIELD(wsgi_app), 0, TEXT,
	  "", NULL, "APP",
	  "Application: module:callable or module:factory(); must be set",
	  check_wsgi_app },
	{ "app", "python", OPTION_STRING, FIELD(python), 0, TEXT,
	  "", NULL, "PYTHON",
	  "Python: a version, or path of a virtual environment; empty = default",
	  check_python },
	{ "app", "chdir", OPTION_STRING, FIELD(chdir), 0, TEXT,
	  "", NULL, "DIR",
	  "Directory to change to before the import; empty = stay", NULL },
	{ "app", "pythonpath", OPTION_LIST, FIELD(pythonpath), 1, TEXT,
	  "", NULL, "DIR",
	  "Directory to search for modules before all others; repeatable",
	  NULL },

	{ "http", "header_timeout", OPTION_DURATION, FIELD(header_timeout_ms),
	  1, DAY,
	  "15s", NULL, "DURATION",
	  "Time that a client has to send request line and headers", NULL },
	{ "http", "body_timeout", OPTION_DURATION, FIELD(body_timeout_ms),
	  1, DAY,
	  "30s", NULL, "DURATION",
	  "Longest silence of a client within a request body", NULL },
	{ "http", "queue_timeout", OPTION_DURATION, FIELD(queue_timeout_ms),
	  0, DAY,
	  "30s", NULL, "DURATION",
	  "Longest time that a request waits for a thread; 0 = for ever", NULL },
	{ "http", "keepalive", OPTION_DURATION, FIELD(keepalive_ms), 0, DAY,
	  "75s", NULL, "DURATION",
	  "Time an idle connection stays open; 0 = close after each response",
	  NULL },
	{ "http", "send_timeout", OPTION_DURATION, FIELD(send_timeout_ms),
	  1, DAY,
	  "60s", NULL, "DURATION",
	  "Longest time in which a client takes nothing of a response", NULL },
	{ "http", "min_rate", OPTION_SIZE, FIELD(min_rate), 0, GIB,
	  "500", NULL, "SIZE",
	  "Bytes a second that a client has to send of a body or to take of a response",
	  NULL },
	{ "http", "linger_timeout", OPTION_DURATION, FIELD(linger_timeout_ms),
	  1, DAY,
	  "2s", NULL, "DURATION",
	  "Time to wait for the client's close after an early response", NULL },
	{ "http", "max_connections", OPTION_NUMBER, FIELD(max_connections),
	  1, MANY,
	  "8192", NULL, "NUMBER",
	  "Open connections, in each worker", NULL },
	{ "http", "max_queue", OPTION_NUMBER, FIELD(max_queue), 0, MANY,
	  "0", NULL, "NUMBER",
	  "Requests waiting for a thread, in each worker; 0 = 16 per thread",
	  NULL },
	{ "http", "limit_request_line", OPTION_SIZE, FIELD(limit_request_line),
	  64, MIB,
	  "4094", NULL, "SIZE",
	  "Longest request line", NULL },
	{ "http", "limit_request_fields", OPTION_NUMBER,
	  FIELD(limit_request_fields), 1, CONFIG_FIELDS_MAX,
	  "100", NULL, "NUMBER",
	  "Most header fields of a request", NULL },
	{ "http", "limit_request_field_size", OPTION_SIZE,
	  FIELD(limit_request_field_size), 64, MIB,
	  "8190", NULL, "SIZE",
	  "Longest header field of a request", NULL },
	{ "http", "max_head_size", OPTION_SIZE, FIELD(max_head_size),
	  256, 16 * MIB,
	  "64k", NULL, "SIZE",
	  "Most bytes of request line and headers together", NULL },
	{ "http", "max_body_size", OPTION_SIZE, FIELD(max_body_size),
	  1, KIB * GIB,
	  "1g", NULL, "SIZE",
	  "Largest request body", NULL },
	{ "http", "body_buffer", OPTION_SIZE, FIELD(body_buffer), KIB, GIB,
	  "1m", NULL, "SIZE",
	  "Bytes of a request body kept in memory; a larger one goes to a file",
	  NULL },
	{ "http", "spool_dir", OPTION_STRING, FIELD(spool_dir), 1, TEXT,
	  "/tmp", NULL, "DIR",
	  "Directory for request bodies too large for memory; they have no name", NULL },
	{ "http", "outbuf_high_watermark", OPTION_SIZE,
	  FIELD(outbuf_high_watermark), KIB, GIB,
	  "1m", NULL, "SIZE",
	  "Unsent bytes of a response at which the application has to wait",
	  NULL },
	{ "http", "max_buffered", OPTION_SIZE, FIELD(max_buffered),
	  MIB, 1024 * GIB,
	  "512m", NULL, "SIZE",
	  "Most bytes of requests and unsent responses in memory, in each worker",
	  NULL },
	{ "http", "health_path", OPTION_STRING, FIELD(health_path), 0, TEXT,
	  "", NULL, "PATH",
	  "Path that is answered without the application; empty = none",
	  check_health_path },
	{ "http", "server_header", OPTION_STRING, FIELD(server_header), 0, TEXT,
	  "cgthread", NULL, "TEXT",
	  "Value of the Server header; empty = send none", NULL },

	{ "proxy", "forwarded_allow_ips", OPTION_LIST,
	  FIELD(forwarded_allow_ips), 1, TEXT,
	  "127.0.0.1,::1,unix", NULL, "NETWORKS",
	  "Trusted proxies: addresses, networks, unix or *; repeatable",
	  proxy_check_networks },
	{ "proxy", "forwarded_headers", OPTION_LIST, FIELD(forwarded_headers),
	  1, TEXT,
	  "", NULL, "HEADERS",
	  "Headers that they set and that count: see the manual; repeatable",
	  proxy_check_fields },
	{ "proxy", "forwarded_hops", OPTION_NUMBER, FIELD(forwarded_hops),
	  1, 64,
	  "1", NULL, "NUMBER",
	  "Proxies that a request passes, each of which adds to these headers",
	  NULL },
	{ "proxy", "remote_addr_from", OPTION_CHOICE, FIELD(remote_addr_from),
	  0, 0,
	  "peer", remote_addrs, "WHERE",
	  "What REMOTE_ADDR is: peer, or forwarded for the client's own",
	  NULL },
	{ "proxy", "secure_scheme_headers", OPTION_LIST,
	  FIELD(secure_scheme_headers), 1, TEXT,
	  "", NULL, "HEADER=VALUE",
	  "Headers of trusted proxies that mean https: HEADER=VALUE; repeatable",
	  proxy_check_secure },
	{ "proxy", "forwarder_headers", OPTION_LIST, FIELD(forwarder_headers),
	  1, TEXT,
	  "", NULL, "HEADERS",
	  "Headers with underscores taken from trusted proxies; repeatable",
	  proxy_check_forwarder },
	{ "proxy", "header_map", OPTION_CHOICE, FIELD(header_map), 0, 0,
	  "drop", header_maps, "WHAT",
	  "What becomes of other headers with underscores: drop, or refuse",
	  NULL },
	{ "proxy", "clear_untrusted", OPTION_CHOICE, FIELD(clear_untrusted),
	  0, 0,
	  "on", off_on, "WHETHER",
	  "Whether the application is spared forwarded headers of others: on, off",
	  NULL },
	{ "proxy", "log_untrusted", OPTION_CHOICE, FIELD(log_untrusted), 0, 0,
	  "off", off_on, "WHETHER",
	  "Whether forwarded headers of others are logged: on, off", NULL },
	{ "proxy", "url_scheme", OPTION_CHOICE, FIELD(url_scheme), 0, 0,
	  "http", url_schemes, "SCHEME",
	  "Scheme of requests where no proxy tells: http or https", NULL },
	{ "proxy", "url_prefix", OPTION_STRING, FIELD(url_prefix), 0, TEXT,
	  "", NULL, "PATH",
	  "Path that the application is found at, its SCRIPT_NAME; empty = /",
	  proxy_check_prefix },
	{ "proxy", "server_name", OPTION_STRING, FIELD(server_name), 1, TEXT,
	  "localhost", NULL, "NAME",
	  "SERVER_NAME on a unix socket, where a request has no Host",
	  proxy_check_name },
	{ "proxy", "proxy_protocol", OPTION_CHOICE, FIELD(proxy_protocol), 0, 0,
	  "off", proxy_modes, "VERSION",
	  "PROXY protocol that connections begin with: off, v1, v2 or auto",
	  NULL },
	{ "proxy", "proxy_allow_ips", OPTION_LIST, FIELD(proxy_allow_ips),
	  1, TEXT,
	  "127.0.0.1,::1,unix", NULL, "NETWORKS",
	  "Peers that may speak it: addresses, networks, unix or *; repeatable",
	  proxy_check_networks },

	{ "log", "errorlog", OPTION_STRING, FIELD(errorlog), 1, TEXT,
	  "-", NULL, "FILE",
	  "Error log: a path, - for standard error, or syslog",
	  check_log_target },
	{ "log", "loglevel", OPTION_CHOICE, FIELD(loglevel), 0, 0,
	  "info", log_levels, "LEVEL",
	  "Least level to log: debug, info, warning, error or critical", NULL },
	{ "log", "log_refused", OPTION_NUMBER, FIELD(log_refused), 0, 1000000,
	  "20", NULL, "NUMBER",
	  "Refused requests that a worker tells of each second; 0 = of all",
	  NULL },
	{ "log", "accesslog", OPTION_STRING, FIELD(accesslog), 1, TEXT,
	  "-", NULL, "FILE",
	  "Access log: a path, - for standard output, syslog, or off",
	  check_log_target },
	{ "log", "access_log_format", OPTION_STRING, FIELD(access_log_format),
	  1, TEXT,
	  "combined", NULL, "FORMAT",
	  "Format of the access log: common, combined, json, or a text with %h",
	  check_log_format },
	{ "log", "log_buffer", OPTION_SIZE, FIELD(log_buffer), 4 * KIB, GIB,
	  "1m", NULL, "SIZE",
	  "Bytes of access log kept for a reader that is slow; more are dropped",
	  NULL },
	{ "log", "syslog_facility", OPTION_CHOICE, FIELD(syslog_facility), 0, 0,
	  "user", syslog_facilities, "FACILITY",
	  "Facility in syslog: user, daemon, local0 to local7 and others",
	  NULL },
	{ "log", "syslog_prefix", OPTION_STRING, FIELD(syslog_prefix),
	  1, SYSLOG_IDENT_MAX,
	  "cgthread", NULL, "NAME",
	  "Name under which lines stand in syslog", check_syslog_prefix },
};
/* clang-format on */

const struct option_row *
config_options(size_t *count)
{
	*count = nitems(rows);
	return (rows);
}

const struct option_row *
config_option_find(const char *name)
{
	size_t i;

	for (i = 0; i < nitems(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return (&rows[i]);
	return (NULL);
}

static const char *
check_bind(const char *text)
{
	struct addr addr;
	const char *why = NULL;

	return (addr_parse(text, &addr, &why) == 0 ? NULL : why);
}

/* Letters beyond ASCII are Python's to judge. */
static bool
is_letter(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		(unsigned char)c >= 0x80);
}

/* Behind the dotted name that text begins with; NULL if there is none. */
static const char *
skip_dotted(const char *text)
{
	for (;; text++) {
		if (!is_letter(*text))
			return (NULL);
		while (is_letter(*text) || (*text >= '0' && *text <= '9'))
			text++;
		if (*text != '.')
			return (text);
	}
}

/* module, module:attribute.path or module:attribute.path(); "" is not set. */
static const char *
check_wsgi_app(const char *text)
{
	static const char why[] = "not of the form module:callable or "
				  "module:factory()";

	if (*text == '\0')
		return (NULL);
	if ((text = skip_dotted(text)) == NULL)
		return (why);
	if (*text == '\0')
		return (NULL);
	if (*text != ':' || (text = skip_dotted(text + 1)) == NULL)
		return (why);
	return (*text == '\0' || strcmp(text, "()") == 0 ? NULL : why);
}

/* As it would be sent: what follows a "?" is not of the path. */
static const char *
check_health_path(const char *text)
{
	const char *at;

	if (*text != '\0' && *text != '/')
		return ("does not begin with a slash");
	for (at = text; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '?' ||
		    *at == '#')
			return ("has a character that no path has");
	return (NULL);
}

/* A version or an absolute path; "" is the default. */
static const char *
check_python(const char *text)
{
	if (*text == '\0' || *text == '/' || interpreter_is_version(text))
		return (NULL);
	return ("neither a version such as 3.11 nor an absolute path");
}

static const char *
check_log_format(const char *text)
{
	static char why[LOG_FORMAT_WHY_SIZE];
	struct log_format format;

	return (log_format_compile(&format, text, why) == 0 ? NULL : why);
}

/* A path may be anything but what is meant for syslog. */
static const char *
check_log_target(const char *text)
{
	struct syslog_target target;
	const char *why = NULL;

	if (!syslog_target_is(text) ||
	    syslog_target_init(&target, text, 0, "", &why) == 0)
		return (NULL);
	return (why);
}

/* RFC 3164 4.1.3: it ends with the first that is none of these. */
static const char *
check_syslog_prefix(const char *text)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "-_./";

	return (text[strspn(text, letters)] == '\0'
		    ? NULL
		    : "only letters, digits and - _ . / may be in it");
}
