"""The access log: one line for each request begun, however it ended, and why."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

import pytest

from server import IS_ASAN, IS_TSAN, Closed, Server

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


def lines_of(server: Server, count: int) -> list[dict]:
    server.access.wait_for("", count=count)
    return [json.loads(line) for line in server.access_log]


def ended(server: Server) -> list[dict]:
    """All there is after its end: nothing may have come twice."""
    server.terminate()
    assert server.access.wait_for_end()
    return [json.loads(line) for line in server.access_log]


@pytest.fixture
def serve_json(serve):
    def start(app: str = "basic:application", **settings) -> Server:
        return serve(app, access_log_format="json", **settings)

    return start


@pytest.mark.parametrize(
    "sent, status, path",
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "/"),  # no Host
        (b"rubbish\r\n\r\n", 400, None),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, None),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", 414, None),
        (HEAD + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431, None),
        (HEAD + b"Content-Length: 9000\r\n\r\n", 413, None),
        (HEAD + b"Expect: x\r\n\r\n", 417, None),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, None),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "/"),
    ],
)
def test_refusal_has_its_status_and_reason(serve_json, sent, status, path):
    server = serve_json(max_body_size=4096)
    with server.client() as client:
        client.send(sent + b"GET /follower HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().status == status
    (line,) = ended(server)
    assert line["status"] == status and line["reason"]
    assert not line["aborted"] and not line["keep_alive"]
    assert line["thread"] is None and line["queue_us"] is None
    if path is not None:
        assert line["path"] in (path, None)
    if line["path"] is None:
        assert sent.startswith(line["request"].encode()[:20])


@pytest.mark.parametrize(
    "sent, request_, logged",
    [
        (b"\r\r\n", "", ""),
        (b"\n", "", ""),
        (b"\r\n\n", "", ""),
        (b"\r\n\r\n\r\n", "", ""),
        (b"\r\nGET /\0 HTTP/1.1\r\n", "GET /\0 HTTP/1.1", r"GET /\x00 HTTP/1.1"),
        (b"\0\x01\r\n", "\0\x01", r"\x00\x01"),
    ],
)
def test_what_is_refused_is_shown_and_not_what_follows(serve_json, sent, request_, logged):
    server = serve_json()
    with server.client() as client:
        client.send(sent + b"GET /follower HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().status == 400
    (line,) = ended(server)
    assert (line["request"], line["status"]) == (request_, 400)
    (shown,) = server.errors.find(r'400 Bad Request: .*: "(.*)"$')
    assert shown[1] == logged


@pytest.mark.parametrize(
    "sent, reason",
    [
        (HEAD, "header_timeout"),
        (HEAD + b"Content-Length: 5\r\n\r\nab", "body_timeout"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "body_timeout"),
    ],
)
def test_slow_request_is_408(serve_json, sent, reason):
    server = serve_json(header_timeout="200ms", body_timeout="200ms")
    with server.client() as client:
        client.send(sent)
        assert client.read_response().status == 408
    (line,) = ended(server)
    assert (line["status"], line["reason"]) == (408, reason)
    assert line["duration_us"] >= 200_000


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "sent, path",
    [
        (b"GET / HT", None),
        (HEAD + b"Content-Length: 5\r\n\r\nab", "/"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "/"),
    ],
)
def test_client_that_leaves_within_its_request_is_499(serve_json, sent, path, reset):
    server = serve_json()
    with server.client() as client:
        client.send(sent)
        # An answer on another connection: the bytes before it have been read.
        assert server.get("/empty").status == 200
        client.reset() if reset else client.close()
    lines_of(server, 2)
    lines = [line for line in ended(server) if line["path"] != "/empty"]
    assert [(x["status"], x["path"]) for x in lines] == [(499, path)]
    assert lines[0]["aborted"] and lines[0]["reason"] == "client left"


def test_connection_without_a_request_has_no_line(serve_json):
    """Also not for the empty line that old clients send behind a body."""
    server = serve_json(header_timeout="200ms")
    with server.client():
        pass
    with server.client() as client:
        assert client.closed()
    with server.client() as client:
        client.send_request("POST", "/echo", (), b"12345")
        client.send(b"\r\n")
        assert client.read_response().status == 200
    assert [line["path"] for line in ended(server)] == ["/echo"]


@pytest.mark.parametrize("leave", ["close", "reset", "reset behind a request"])
def test_client_that_leaves_the_queue_is_499(serve_json, meeting, leave):
    server = serve_json(threads=1, queue_timeout="0")
    with server.client() as first, server.client() as second:
        first.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        second.send_request("GET", "/queued")
        if leave == "reset behind a request":
            second.send_request("GET", "/behind")
        second.close() if leave == "close" else second.reset()
        # The loop has seen the end of the second when it answers this one.
        with server.client() as third:
            third.send(b"rubbish\r\n\r\n")
            assert third.read_response().status == 400
        lines_of(server, 2)  # it need not wait for a thread to be dropped
        held.release()
        assert first.read_response().status == 200
    by_path = {line["path"]: line for line in ended(server)}
    assert len(by_path) == 3
    assert by_path["/queued"]["status"] == 499
    assert by_path["/hold"]["status"] == 200


def test_full_queue_is_503_and_the_connection_stays(serve_json, meeting):
    server = serve_json(threads=1, max_queue=1)
    with server.client() as a, server.client() as b, server.client() as c:
        a.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        b.send_request("GET", "/")
        c.send_request("GET", "/third")
        assert 503 in [c.read_response().status]
        (line,) = lines_of(server, 1)
        assert (line["status"], line["reason"]) == (503, "max_queue")
        assert line["keep_alive"] and not line["aborted"]
        held.release()
        assert a.read_response().status == b.read_response().status == 200
    assert len(ended(server)) == 3


def test_queue_wait_and_duration_are_told_apart(serve_json, meeting):
    server = serve_json(threads=1)
    with server.client() as first, server.client() as second:
        first.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        second.send_request("GET", "/empty")
        time.sleep(0.2)  # the wait that is measured
        held.release()
        assert first.read_response().status == 200
        assert second.read_response().status == 200
    held_line, queued = sorted(ended(server), key=lambda line: line["queue_us"])
    assert (held_line["path"], queued["path"]) == ("/hold", "/empty")
    assert held_line["queue_us"] < 150_000 <= queued["queue_us"]
    assert queued["queue_us"] <= queued["duration_us"] < 5_000_000
    assert held_line["duration_us"] >= 150_000
    assert held_line["id"] != queued["id"]


@pytest.mark.skipif(IS_ASAN or IS_TSAN, reason="all of it takes longer there")
def test_duration_ends_with_the_last_byte_not_with_the_next_turn(serve_json):
    """A thread sends the answer itself; the loop hears of it a millisecond later."""
    server = serve_json()
    with server.client() as client:
        for _ in range(50):
            assert client.request("GET", "/").status == 200
            time.sleep(0.01)  # nothing but the pool's tick wakes the loop
    assert sorted(line["duration_us"] for line in ended(server))[10] < 1000


def test_reset_in_the_middle_of_the_answer(serve_json):
    server = serve_json()
    with server.client() as client:
        client.send_request("GET", "/big?mib=64")
        client.read_head()
        client.reset()
    (line,) = lines_of(server, 1)
    assert line["status"] == 200 and line["aborted"] and not line["keep_alive"]
    assert line["reason"] in ("Connection reset by peer", "Broken pipe")
    assert 0 < line["bytes"] < 64 << 20
    assert len(ended(server)) == 1


def test_reader_that_stops_is_cut_at_send_timeout(serve_json):
    server = serve_json(send_timeout="300ms")
    with server.client() as client:
        client.send_request("GET", "/big?mib=64")
        (line,) = lines_of(server, 1)
    assert (line["status"], line["reason"]) == (200, "send_timeout")
    assert line["aborted"] and line["bytes"] < 64 << 20
    assert len(ended(server)) == 1


@pytest.mark.parametrize("page", ["raise-after", "raise-after-known"])
def test_application_that_fails_after_the_head(serve_json, page):
    server = serve_json("hostile:application")
    with server.client() as client, pytest.raises(Closed):
        client.request("GET", "/" + page)
    (line,) = ended(server)
    assert (line["status"], line["reason"]) == (200, "application failed")
    assert line["aborted"] and line["bytes"] == len(b"the beginning\n")


def test_application_that_fails_before_the_head_is_a_whole_500(serve_json):
    server = serve_json("hostile:application")
    assert server.get("/raise-before").status == 500
    (line,) = ended(server)
    assert line["status"] == 500 and not line["aborted"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_cut_by_the_end_of_the_server(serve_json, meeting, number):
    server = serve_json(threads=1, graceful_timeout="300ms", expect_exit=None)
    reason = "graceful_timeout" if number == signal.SIGTERM else "stopped"
    with server.client() as a, server.client() as b, server.client() as c:
        a.send_request("GET", "/hold-in-body" + meeting.query)
        a.read_head()
        held = meeting.wait()
        b.send_request("GET", "/waits")
        c.send(HEAD)
        assert a._read_exactly(7)
        with server.client() as other:  # all has been read
            other.send(b"rubbish\r\n\r\n")
            other.read_response()
        server.signal(number)
        server.access.wait_for("", count=4)
        held.release()
        server.wait()
    by_path = {x["path"]: x for x in ended(server) if x["request"] != "rubbish"}
    assert len(by_path) == 3 and len(server.access_log) == 4
    assert all(x["aborted"] and x["reason"] == reason for x in by_path.values())
    assert by_path["/hold-in-body"]["status"] == 200
    assert by_path["/hold-in-body"]["bytes"] > 0
    assert by_path["/waits"]["status"] == by_path[None]["status"] == 503


def test_answer_that_was_sent_is_known_when_its_request_is_cut(serve_json, meeting):
    """The client has it whole; what the server does not wait for is close()."""
    server = serve_json("hostile:application", expect_exit=None)
    with server.client() as client:
        client.send_request("GET", "/hold-in-close" + meeting.query + "&known=1")
        assert client.read_response().body == b"piece"
        held = meeting.wait()
        server.signal(signal.SIGINT)
        (line,) = lines_of(server, 1)
        held.release()
        server.wait()
    assert (line["status"], line["bytes"]) == (200, 5)
    assert line["aborted"] and line["reason"] == "stopped"


def test_no_room_for_the_body_is_507(serve_json, tmp_path):
    missing = tmp_path / "missing"
    missing.mkdir()
    server = serve_json(spool_dir=missing, body_buffer="1k")
    missing.rmdir()
    with server.client() as client:
        client.send_request("POST", "/echo", (), b"x" * 100_000)
        assert client.read_response().status == 507
    (line,) = ended(server)
    assert (line["status"], line["reason"]) == (507, "no room in spool_dir")


# ---- the parts of a line


HOSTILE = [
    b'quote " and back \\ slash',
    b"latin \xe9",
    b"utf-8 \xe2\x82\xac \xf0\x9f\x98\x80",
    b"cut short \xe2\x82",
    b"surrogate \xed\xa0\x80 overlong \xc0\xaf",
    b"c1 \x9b31m \xc2\x9b separators \xe2\x80\xa8\xe2\x80\xa9",
    b"tab \t, braces }{ ]",
    b"\xff" * 3000,
    b'"' * 3000,
    "\u20ac".encode() * 1000,
]


def as_text(sent: bytes) -> str:
    try:
        return sent.decode()
    except UnicodeDecodeError:
        return sent.decode("latin-1")


@pytest.mark.parametrize("sent", HOSTILE, ids=range(len(HOSTILE)))
def test_json_is_what_the_client_sent_and_nothing_else(serve_json, sent):
    server = serve_json()
    with server.client() as client:
        head = b"GET /%s?%s HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
        part = sent.replace(b" ", b"").replace(b"\t", b"")[:800]
        client.send(head % (part, part, sent, sent))
        client.read_response()
    text = server.access.wait_for("").string
    assert text.isascii() and text.isprintable()
    line = json.loads(text)
    want = as_text(sent)[:2048] if len(sent) < 2048 else None
    if want is not None and line["status"] != 400:
        assert line["user_agent"] == line["referer"] == want
        assert line["path"] == "/" + as_text(part)
    elif line["status"] != 400:
        assert as_text(sent).startswith(line["user_agent"])
        assert len(line["user_agent"].encode("latin-1", "replace")) >= 600
    assert len(ended(server)) == 1


def test_json_of_what_is_no_http(serve_json):
    server = serve_json()
    for sent in (bytes(range(256)).replace(b"\n", b""), b"\x16\x03\x01\x02\x7f\0"):
        with server.client() as client:
            client.send(sent + b"\r\n\r\n")
            assert client.read_response().status == 400
    lines = ended(server)
    assert len(lines) == 2
    for text, line in zip(server.access_log, lines):
        assert text.isascii() and text.isprintable()
        assert line["status"] == 400 and line["method"] is None
    assert lines[1]["request"] == "\x16\x03\x01\x02\x7f\0"


def test_format_of_ones_own(serve):
    server = serve(
        "basic:application",
        access_log_format='%m|%U|%q|%s|%({x-id}i)s|%{content-type}o|%u|%X|"%a"',
    )
    with server.client() as client:
        fields = [("X-Id", '7"\\'), ("Authorization", "Basic YWRhOng=")]
        assert client.request("GET", "/pieces?n=2", fields).status == 200
    assert server.access.wait_for("").string == (
        'GET|/pieces|n=2|200|7\\x22\\x5c|text/plain|ada|+|"-"'
    )


# ---- syslog


class Daemon:
    """A syslog daemon of the test's own."""

    def __init__(self, path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(10)

    def read(self) -> str:
        return self.socket.recv(65536).decode()

    def close(self, path) -> None:
        self.socket.close()
        path.unlink()


def syslog_server(serve, path, **settings) -> Server:
    settings.setdefault("accesslog", f"syslog:{path}")
    settings.setdefault("access_log_format", "%s %U")
    return serve("basic:application", **settings)


def test_lines_go_to_syslog(serve, tmp_path):
    daemon = Daemon(tmp_path / "log")
    server = syslog_server(
        serve, tmp_path / "log", syslog_facility="local3", syslog_prefix="shop"
    )
    with server.client() as client:
        for _ in range(3):
            assert client.request("GET", "/empty").status == 200
    for _ in range(3):
        head, _, line = daemon.read().partition("]: ")
        assert head.startswith("<158>") and " shop[" in head  # 19 * 8 + 6
        assert line == "200 /empty"


def test_error_log_goes_to_syslog_too(serve, tmp_path):
    daemon = Daemon(tmp_path / "log")
    server = serve(
        "basic:application", wait=False, errorlog=f"syslog:{tmp_path / 'log'}"
    )
    got = [daemon.read()]
    while "ready in" not in got[-1]:
        got.append(daemon.read())
    assert any("[info] master: listening on" in line for line in got)
    assert all(line.startswith("<14>") for line in got)
    assert server.terminate() == 0


def test_lines_go_to_syslog_by_udp(serve):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(10)
        port = daemon.getsockname()[1]
        server = syslog_server(serve, None, accesslog=f"syslog:127.0.0.1:{port}")
        assert server.get("/empty").status == 200
        line = daemon.recv(65536).decode()
        assert f" {socket.gethostname()[:64]} cgthread[" in line
        assert line.endswith("]: 200 /empty")


def test_syslog_that_is_not_there_costs_lines_only(serve, tmp_path):
    """And it is found when it comes, goes, and comes again."""
    path = tmp_path / "log"
    server = syslog_server(serve, path)
    server.wait_for_line("accesslog = .*: nobody is there yet")
    assert server.get("/lost").status == 404
    server.wait_for_line("access log: 1 lines lost")
    for _ in range(2):
        daemon = Daemon(path)
        daemon.socket.settimeout(0.1)
        line = None
        while line is None:  # it is looked for once a second
            assert server.get("/").status == 200
            try:
                line = daemon.read()
            except TimeoutError:
                pass
        assert line.endswith("]: 200 /")
        daemon.close(path)


def test_syslog_that_does_not_read_stalls_nobody(serve, tmp_path):
    daemon = Daemon(tmp_path / "log")
    server = syslog_server(serve, tmp_path / "log", log_buffer="4k")
    agent = ("X-Long", "x" * 4000)
    with server.client() as client:
        for _ in range(200):
            assert client.request("GET", "/empty", [agent]).status == 200
    assert server.terminate() == 0
    server.wait_for_line(r"access log: \d+ lines lost, its reader was too slow")
    assert daemon.read().endswith("]: 200 /empty")


def test_lines_that_nobody_has_read_are_counted_at_the_end(serve):
    read_end, write_end = os.pipe()
    server = serve("basic:application", stdout=write_end)
    os.close(write_end)
    agent = ("User-Agent", "x" * 1000)
    count = 200
    with server.client() as client:
        for _ in range(count):
            assert client.request("GET", "/", [agent]).status == 200
    assert server.terminate() == 0
    lost = server.wait_for_line(r"access log: (\d+) lines lost")
    os.set_blocking(read_end, False)
    got = b""
    while block := os.read(read_end, 65536):
        got += block
    os.close(read_end)
    assert len(got.splitlines()) + int(lost[1]) == count
