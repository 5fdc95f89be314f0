/*
 * micro - what the call of an application costs without a server around it.
 *
 * The interpreter runs in this process, with the WSGI side as the worker links
 * it; the reply port is replaced by one that drops what it is given, so that
 * neither the loop nor the kernel is in the figures.  Each row is run several
 * times and the best counts.  What can be compared between machines is the ratio:
 * to the mean of an environ built the plain way from the shorter request, taken
 * once before all rows.
 *
 *	micro [CALLS [ROW]]	ROW alone, for a profiler
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "macros.h"
#include "py_compat.h"
#include "py_environ.h"
#include "python.h"
#include "request.h"
#include "wsgi.h"

#define CALLS  300000
#define ROUNDS 7

/* clang-format off */
static const char wrk[] =
	"GET / HTTP/1.1\r\n"
	"Host: 127.0.0.1:8000\r\n"
	"\r\n";

static const char browser[] =
	"GET /articles/2026/review?page=2 HTTP/1.1\r\n"
	"Host: www.example.org\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
	    "Firefox/128.0\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
	    "image/avif,image/webp,*/*;q=0.8\r\n"
	"Accept-Language: en-US,en;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br, zstd\r\n"
	"Connection: keep-alive\r\n"
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
	"Upgrade-Insecure-Requests: 1\r\n"
	"Sec-Fetch-Dest: document\r\n"
	"Sec-Fetch-Mode: navigate\r\n"
	"Cache-Control: max-age=0\r\n"
	"\r\n";
/* clang-format on */

static struct request_context context = {
    .limits = {.line = 8192,
	.fields = 100,
	.field_size = 8192,
	.head = 65536,
	.body = 1 << 20},
    .body_buffer = 65536,
    .spool_dir = "/tmp",
    .high_watermark = 1 << 20,
    .server_header = "cgthread",
    .slot = 1,
    .multithread = true,
    .keep_alive = true,
    .memory = {.limit = SIZE_MAX},
};
static const struct local local = {.host = "127.0.0.1", .port = "8000"};

/* ---- the reply port that drops all ---- */

static uint64_t body_bytes;

void
reply_init(struct reply *r, struct completion_list *completions UNUSED,
    size_t high_watermark UNUSED)
{
	memset(r, 0, sizeof(*r));
	http_reply_init(&r->head);
	r->remaining = -1;
}

void
reply_reset(struct reply *r)
{
	http_reply_reset(&r->head);
	r->begun = false;
	r->remaining = -1;
}

void
reply_fini(struct reply *r)
{
	http_reply_fini(&r->head);
}

bool
reply_start(struct reply *r UNUSED)
{
	return (true);
}

bool
reply_is_gone(const struct reply *r UNUSED)
{
	return (false);
}

int
reply_begin(struct reply *r, const struct http_reply_context *head_context,
    int64_t known_length)
{
	if (http_reply_finish(&r->head, head_context, known_length) == -1)
		return (-1);
	r->begun = true;
	if (r->head.framing == HTTP_REPLY_LENGTH)
		r->remaining = r->head.length;
	return (0);
}

int
reply_body(struct reply *r, const void *data UNUSED, size_t len, size_t *taken)
{
	*taken = len;
	r->remaining -= (int64_t)len;
	body_bytes += len;
	return (0);
}

int
reply_body_ref(struct reply *r UNUSED, const void *data UNUSED,
    size_t len UNUSED, size_t *taken UNUSED, pool_run_fn *release UNUSED,
    void *owner UNUSED)
{
	fatalx("the application's body is too large to be dropped");
}

int
reply_file(struct reply *r UNUSED, int fd, off_t offset UNUSED, size_t len)
{
	body_bytes += len;
	return (close(fd));
}

void
reply_flush(struct reply *r UNUSED)
{
}

bool
reply_is_full(const struct reply *r UNUSED)
{
	return (false);
}

int
reply_wait(struct reply *r UNUSED)
{
	return (0);
}

void
reply_finish(struct reply *r, bool complete)
{
	if (!complete || r->remaining != 0)
		fatalx("the application's reply was not complete");
}

/* Ready for the next run of the same request. */
void
reply_end(struct reply *r)
{
	r->begun = false;
	r->remaining = -1;
}

/* ---- requests ---- */

static struct request *
make_request(const char *text)
{
	struct request *req = request_new(&context);
	size_t len = strlen(text), used;

	if (req == NULL || request_append(req, text, len) == -1)
		fatal("malloc");
	if (http_parser_head(&req->parser, req->text, len, &used) !=
	    HTTP_COMPLETE)
		fatalx("the request does not parse");
	req->head_len = used;
	req->local = &local;
	req->body = "";
	req->peer.family = AF_INET;
	req->peer.port = 40123;
	memcpy(req->peer.address, (uint8_t[]){127, 0, 0, 1}, 4);
	return (req);
}

/* ---- what is measured ---- */

static void
put_text(PyObject *dict, const char *name, const char *text, size_t len)
{
	PyObject *value = PyUnicode_DecodeLatin1(text, (Py_ssize_t)len, NULL);

	if (value == NULL || PyDict_SetItemString(dict, name, value) == -1)
		fatalx("out of memory");
	Py_DECREF(value);
}

static void
put_string(PyObject *dict, const char *name, const char *text)
{
	put_text(dict, name, text, strlen(text));
}

static void
put_part(PyObject *dict, const struct request *req, const char *name,
    struct http_text part)
{
	put_text(dict, name, req->text + part.offset, part.len);
}

static void
put_fields(PyObject *dict, const struct request *req)
{
	char name[128];
	const char *from;
	size_t i, k;

	for (i = 0; i < req->head.nfields; i++) {
		from = req->text + req->head.fields[i].name.offset;
		strcpy(name, "HTTP_");
		for (k = 0; k < req->head.fields[i].name.len; k++)
			name[5 + k] = from[k] == '-' ? '_'
				      : from[k] >= 'a' && from[k] <= 'z'
					  ? (char)(from[k] - 32)
					  : from[k];
		name[5 + k] = '\0';
		put_part(dict, req, name, req->head.fields[i].value);
	}
}

/* What most servers do, and what all else here is compared with. */
static void
naive_environ(struct request *req)
{
	static const char *const constants[] = {"SCRIPT_NAME",
	    "SERVER_SOFTWARE", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT",
	    "REMOTE_ADDR", "REMOTE_PORT", "SERVER_PROTOCOL"};
	static const char *const objects[] = {"wsgi.version", "wsgi.errors",
	    "wsgi.input", "wsgi.multithread", "wsgi.multiprocess",
	    "wsgi.run_once", "wsgi.input_terminated", "wsgi.file_wrapper",
	    "cgthread.worker", "cgthread.thread",
	    "cgthread.client_disconnected"};
	PyObject *dict = PyDict_New();
	size_t i;

	for (i = 0; i < nitems(constants); i++)
		put_string(dict, constants[i], "127.0.0.1");
	for (i = 0; i < nitems(objects); i++)
		if (PyDict_SetItemString(dict, objects[i], Py_None) == -1)
			fatalx("out of memory");
	put_part(dict, req, "REQUEST_METHOD", req->head.method);
	put_part(dict, req, "PATH_INFO", req->head.path);
	put_part(dict, req, "QUERY_STRING", req->head.query);
	put_part(dict, req, "RAW_URI", req->head.target);
	put_part(dict, req, "REQUEST_URI", req->head.target);
	put_fields(dict, req);
	Py_DECREF(dict);
}

static void
environ_alone(struct request *req)
{
	PyObject *environ = py_environ_new(req, 1, NULL, Py_None);

	if (environ == NULL)
		fatalx("no environ");
	Py_DECREF(environ);
}

static void
head_alone(struct request *req)
{
	struct http_reply_context head_context;
	struct http_reply *r = &req->reply.head;
	const char *why;

	request_reply_context(req, &head_context);
	http_reply_reset(r);
	if (http_reply_status(r, "200 OK", 6, &why) == -1 ||
	    http_reply_field(r, "Content-Type", 12, "text/plain", 10, &why) ==
		-1 ||
	    http_reply_field(r, "Content-Length", 14, "14", 2, &why) == -1 ||
	    http_reply_finish(r, &head_context, 14) == -1)
		fatalx("no head");
}

static void
whole_call(struct request *req)
{
	wsgi_run(req, 1);
}

/* A new client port for each run, as with many connections. */
static void
whole_call_of_many(struct request *req)
{
	req->peer.port = (uint16_t)(req->peer.port + 7) | 0x8000;
	wsgi_run(req, 1);
}

typedef void run_fn(struct request *);

static const struct {
	const char *name;
	run_fn *run;
	const char *text;
} rows[] = {
    {"naive environ, wrk", naive_environ, wrk},
    {"naive environ, browser", naive_environ, browser},
    {"environ, wrk", environ_alone, wrk},
    {"environ, browser", environ_alone, browser},
    {"reply head", head_alone, wrk},
    {"whole call, wrk", whole_call, wrk},
    {"whole call, browser", whole_call, browser},
    {"whole call, wrk, new ports", whole_call_of_many, wrk},
};

/* ---- measuring ---- */

/* -1 where the machine does not count, as most virtual ones do not. */
static int
open_counter(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_HW_INSTRUCTIONS,
	    .exclude_kernel = 1,
	    .exclude_hv = 1};

	return ((int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ((double)ts.tv_sec * 1e9 + (double)ts.tv_nsec);
}

static uint64_t
count(int counter)
{
	uint64_t n = 0;

	if (counter != -1 && read(counter, &n, sizeof(n)) != sizeof(n))
		fatal("perf counter");
	return (n);
}

static void
measure(size_t row, unsigned long calls, int counter, double naive_ns)
{
	struct request *req = make_request(rows[row].text);
	double best = 0, start, ns;
	uint64_t instructions = 0, before;
	unsigned long i;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		before = count(counter);
		start = now_ns();
		for (i = 0; i < calls / ROUNDS; i++)
			rows[row].run(req);
		ns = (now_ns() - start) / (double)(calls / ROUNDS);
		instructions = (count(counter) - before) / (calls / ROUNDS);
		if (round == 0 || ns < best)
			best = ns;
	}
	printf("%-28s %8.1f", rows[row].name, best);
	if (counter != -1)
		printf(" %12llu", (unsigned long long)instructions);
	else
		printf(" %12s", "-");
	printf(" %8.3f\n", best / (naive_ns > 0 ? naive_ns : best));
	request_free(&req);
}

static double
measure_naive(unsigned long calls)
{
	struct request *req = make_request(wrk);
	double start = now_ns();
	unsigned long i;

	for (i = 0; i < calls; i++)
		naive_environ(req);
	request_free(&req);
	return ((now_ns() - start) / (double)calls);
}

int
main(int argc, char *argv[])
{
	unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : CALLS;
	struct config *cfg = config_new();
	int counter = open_counter();
	double naive_ns;
	size_t row;

	log_init("micro", STDERR_FILENO);
	if (calls < ROUNDS)
		fatalx("usage: micro [CALLS [ROW]]");
	if (config_set(cfg, "wsgi_app", "hello", stderr) == -1 ||
	    config_set(cfg, "pythonpath", "bench/apps", stderr) == -1 ||
	    python_start(cfg, &context) == -1 || python_load(cfg) == -1)
		return (1);
	if (argc > 2) {
		row = strtoul(argv[2], NULL, 10);
		if (row >= nitems(rows))
			fatalx("there are rows 0 to %zu", nitems(rows) - 1);
		measure(row, calls, counter, 0);
		return (0);
	}
	naive_ns = measure_naive(calls);
	printf("%-28s %8s %12s %8s\n", "", "ns", "instructions", "ratio");
	for (row = 0; row < nitems(rows); row++)
		measure(row, calls, counter, naive_ns);
	return (0);
}
