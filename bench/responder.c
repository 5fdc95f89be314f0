/*
 * responder - the limit that the server is measured against: what HTTP costs in C
 * when nobody is asked for the answer.
 *
 *	responder PORT WORKERS
 *
 * Each worker is one process with one libevent loop on the shared listening
 * socket; a connection has one edge-triggered event from accept to close.  llhttp
 * reads the requests, each gets the same 13 bytes.  It honours Connection: close
 * and is no server beyond that: a malformed request ends its connection, and so
 * does a client that does not read its replies.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <llhttp.h>

#define UNUSED __attribute__((unused))

#define BACKLOG          2048
#define ACCEPTS_PER_TURN 64
#define READ_SIZE        4096
#define REPLY_SIZE       256

/* The shortest request is "GET / HTTP/1.1\r\n\r\n": no read holds more of them. */
#define REPLIES_PER_READ (READ_SIZE / 18 + 1)

struct reply {
	char text[REPLY_SIZE];
	size_t len;
};

struct conn {
	int fd;
	bool is_last; /* the request in hand is the connection's last */
	struct event event;
	llhttp_t llhttp;
};

/* A process has one loop and handles one read at a time. */
static struct event_base *base;
static llhttp_settings_t callbacks;
static struct reply keep_reply, close_reply;
static char out[REPLIES_PER_READ * REPLY_SIZE];
static size_t out_len;

/* ---- replies ---- */

static void
reply_make(struct reply *r, const char *date, const char *connection)
{
	int n;

	n = snprintf(r->text, sizeof(r->text),
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 13\r\nDate: %s\r\nServer: responder\r\n%s\r\n"
	    "Hello, world!",
	    date, connection);
	if (n < 0 || (size_t)n >= sizeof(r->text))
		errx(1, "the reply does not fit");
	r->len = (size_t)n;
}

/* The date changes once a second, and nothing else does. */
static void
replies_refresh(void)
{
	static time_t made;
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	if (now == made)
		return;
	made = now;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	reply_make(&keep_reply, date, "");
	reply_make(&close_reply, date, "Connection: close\r\n");
}

/* ---- connections ---- */

static void
conn_close(struct conn *c)
{
	event_del(&c->event);
	close(c->fd);
	free(c);
}

/* llhttp: a request is complete. */
static int
on_request(llhttp_t *llhttp)
{
	struct conn *c = llhttp->data;
	const struct reply *r;

	/* HTTP/1.0 would have to be told that its connection stays. */
	c->is_last =
	    llhttp->http_minor == 0 || !llhttp_should_keep_alive(llhttp);
	replies_refresh();
	r = c->is_last ? &close_reply : &keep_reply;
	memcpy(out + out_len, r->text, r->len);
	out_len += r->len;
	return (c->is_last ? HPE_PAUSED : HPE_OK);
}

/* Answers what one read brought; false: the connection is over. */
static bool
conn_answer(struct conn *c, const char *data, size_t len)
{
	llhttp_errno_t error;

	out_len = 0;
	error = llhttp_execute(&c->llhttp, data, len);
	if (out_len > 0 &&
	    send(c->fd, out, out_len, MSG_NOSIGNAL) != (ssize_t)out_len)
		return (false);
	return (error == HPE_OK && !c->is_last);
}

/* libevent: an edge.  A short read has emptied the socket, the next is an edge. */
static void
conn_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	char data[READ_SIZE];
	ssize_t n;

	do {
		n = recv(fd, data, sizeof(data), 0);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n <= 0 || !conn_answer(c, data, (size_t)n)) {
			conn_close(c);
			return;
		}
	} while (n == sizeof(data));
	if (what & EV_CLOSED)
		conn_close(c);
}

static void
conn_open(int fd)
{
	struct conn *c = malloc(sizeof(*c));

	if (c == NULL)
		err(1, "connection");
	c->fd = fd;
	c->is_last = false;
	llhttp_init(&c->llhttp, HTTP_REQUEST, &callbacks);
	c->llhttp.data = c;
	event_assign(&c->event, base, fd,
	    EV_READ | EV_CLOSED | EV_PERSIST | EV_ET, conn_on_event, c);
	if (event_add(&c->event, NULL) == -1)
		errx(1, "cannot watch a connection");
}

/* libevent: connections wait, unless another worker was faster. */
static void
on_connections(evutil_socket_t listen_fd, short what UNUSED, void *arg UNUSED)
{
	unsigned i;
	int fd;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(
		    listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1)
			return;
		conn_open(fd);
	}
}

/* ---- processes ---- */

static int
listen_on(unsigned short port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    /* what it accepts inherits this */
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, BACKLOG) == -1)
		err(1, "port %u", port);
	return (fd);
}

static void
work(int listen_fd, pid_t parent)
{
	struct event *event;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != parent)
		_exit(1);
	llhttp_settings_init(&callbacks);
	callbacks.on_message_complete = on_request;
	base = event_base_new();
	if (base == NULL)
		errx(1, "no event base");
	event = event_new(
	    base, listen_fd, EV_READ | EV_PERSIST, on_connections, NULL);
	if (event == NULL || event_add(event, NULL) == -1)
		errx(1, "cannot watch the listener");
	event_base_dispatch(base);
	_exit(1);
}

static unsigned short
number(const char *text, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 1 || value > max)
		errx(2, "%s: not a number from 1 to %ld", text, max);
	return ((unsigned short)value);
}

int
main(int argc, char **argv)
{
	pid_t parent = getpid();
	unsigned short workers;
	int fd;

	if (argc != 3)
		errx(2, "usage: responder PORT WORKERS");
	workers = number(argv[2], 1024);
	fd = listen_on(number(argv[1], 65535));
	while (workers-- > 0) {
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			work(fd, parent);
		}
	}
	/* A worker never ends by itself; SIGTERM ends us, and so them. */
	wait(NULL);
	errx(1, "a worker has died");
}
