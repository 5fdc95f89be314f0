"""The access log: a line for each request, and nothing that a client can forge."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time

import pytest

from server import APPS, PATIENCE, PROGRAM, Client, Server, wait_until

COMMON = re.compile(
    r"(?P<host>\S+) \S+ (?P<user>\S+) \[(?P<time>[^]]+)\] "
    r'"(?P<line>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
)
COMBINED = re.compile(
    COMMON.pattern + r' "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)
TIME = re.compile(r"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")


def parse(pattern: re.Pattern[str], line: str) -> dict[str, str]:
    match = pattern.fullmatch(line)
    assert match, line
    assert TIME.fullmatch(match["time"]), line
    return match.groupdict()


def last_line(server: Server, count: int) -> str:
    """The line number count, once it is there."""
    return server.access.wait_for("", count=count).string


@pytest.fixture
def common(serve) -> Server:
    return serve("basic:application", access_log_format="common")


@pytest.fixture
def combined(serve) -> Server:
    return serve("basic:application", access_log_format="combined")


def test_common_has_a_line_for_each_request(common):
    requests = [
        ("GET", "/", 200, "14"),
        ("GET", "/pieces?n=2", 200, "16"),
        ("HEAD", "/", 200, "0"),
        ("GET", "/status?code=204", 204, "0"),
        ("GET", "/nope", 404, "9"),
        ("POST", "/echo", 200, "5"),
    ]
    with common.client() as client:
        for number, (method, target, status, size) in enumerate(requests, 1):
            body = b"12345" if method == "POST" else None
            assert client.request(method, target, (), body).status == status
            got = parse(COMMON, last_line(common, number))
            assert got["host"] == "127.0.0.1" and got["user"] == "-"
            assert got["line"] == f"{method} {target} HTTP/1.1"
            assert got["status"] == str(status)
            assert got["size"] in (size, "-" if size == "0" else size)
    assert common.terminate() == 0
    assert len(common.access_log) == len(requests)


def test_combined_has_referer_and_agent(combined):
    assert combined.get("/", Referer="http://a/b?c", **{"User-Agent": "x (y)"})
    got = parse(COMBINED, last_line(combined, 1))
    assert got["referer"] == "http://a/b?c" and got["agent"] == "x (y)"
    assert combined.get("/")
    got = parse(COMBINED, last_line(combined, 2))
    assert got["referer"] == got["agent"] == "-"


def test_pipelined_requests_have_their_lines_in_order(combined):
    with combined.client() as client:
        request = "GET /?%d HTTP/1.1\r\nHost: a\r\n\r\n"
        client.send("".join(request % i for i in range(20)).encode())
        for _ in range(20):
            assert client.read_response().status == 200
    last_line(combined, 20)
    lines = [parse(COMBINED, line)["line"] for line in combined.access_log]
    assert lines == [f"GET /?{i} HTTP/1.1" for i in range(20)]


@pytest.mark.parametrize(
    "bad, status",
    [
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"rubbish\r\n\r\n", "400"),
        (b"\n", "400"),
        (b"\r\n" * 3, "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "414"),
    ],
)
def test_refused_requests_have_a_line_too(combined, bad, status):
    with combined.client() as client:
        client.send(bad)
        assert client.read_response().status == int(status)
    got = parse(COMBINED, last_line(combined, 1))
    assert got["status"] == status
    assert len(combined.access_log) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b'quote " here',
        b"back \\ slash",
        b'\\" both',
        b"latin \xe9 and utf-8 \xe2\x82\xac",
        b"tab \t inside",
        b"c1 \x9b control",
    ],
)
def test_bytes_of_the_client_cannot_break_the_line(combined, sent):
    with combined.client() as client:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\nReferer: r\r\n\r\n"
        client.send(head % sent)
        assert client.read_response().status == 200
    line = last_line(combined, 1)
    got = parse(COMBINED, line)
    assert got["referer"] == "r"
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    if sent.isascii():
        unescaped = got["agent"].encode().decode("unicode_escape")
        assert unescaped.encode("latin-1") == sent


def test_lines_go_to_a_file(serve, tmp_path):
    path = tmp_path / "access.log"
    server = serve("basic:application", workers=2, accesslog=path)
    for _ in range(10):
        assert server.get("/").status == 200
    assert server.terminate() == 0
    lines = path.read_text().splitlines()
    assert len(lines) == 10
    assert all(parse(COMBINED, line)["status"] == "200" for line in lines)
    assert server.access_log == []


def test_log_can_be_off(serve):
    server = serve("basic:application", accesslog="off")
    assert server.get("/").status == 200
    with server.client() as client:
        client.send(b"rubbish\r\n\r\n")
        assert client.read_response().status == 400
    assert server.terminate() == 0
    assert server.access_log == []


def test_error_log_goes_to_a_file(serve, tmp_path):
    path = tmp_path / "error.log"
    server = serve("basic:application", wait=False, errorlog=path)
    wait_until(lambda: path.exists() and "ready in" in path.read_text(), "ready")
    port = re.search(r"listening on http://127\.0\.0\.1:(\d+)", path.read_text())[1]
    with Client(("127.0.0.1", int(port))) as client:
        client.send(b"rubbish\r\n\r\n")
        assert client.read_response().status == 400
    wait_until(lambda: "RFC 911" in path.read_text(), "the reason in the log")
    assert server.terminate() == 0
    assert server.errors.find("RFC 911") == []


def test_stalled_reader_does_not_stall_the_server(serve):
    """Nobody reads the pipe: requests go on, and what was lost is told."""
    read_end, write_end = os.pipe()
    server = serve("basic:application", stdout=write_end, log_buffer="16k")
    os.close(write_end)
    agent = ("User-Agent", "x" * 1000)
    begin = time.monotonic()
    with server.client() as client:
        for _ in range(500):
            assert client.request("GET", "/", [agent]).status == 200
    assert time.monotonic() - begin < 20
    server.wait_for_line(r"access log: \d+ lines lost, its reader was too slow")
    os.set_blocking(read_end, False)
    got = b""

    def drained() -> bool:
        nonlocal got
        assert server.get("/?behind").status == 200
        try:
            while block := os.read(read_end, 65536):
                got += block
        except BlockingIOError:
            pass
        return b"/?behind" in got

    wait_until(drained, "the log goes on when it is read again")
    os.close(read_end)
    lines = got.decode().splitlines()
    assert len(lines) < 500
    for line in lines:
        if "behind" in line or "xxx" in line:
            parse(COMBINED, line)
    server.wait_for_line(r"access log: \d+ lines lost", count=2)  # as it is over


def test_logs_that_are_a_socket_stall_nobody(tmp_path):
    """Both logs go where a service's do, to a socket, and nobody reads it."""
    path = tmp_path / "app.sock"
    unread, theirs = socket.socketpair()
    with unread:
        process = subprocess.Popen(
            [PROGRAM, "-b", f"unix:{path}", "-w", "1", "basic:application"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=Server._environment({}),
            cwd=APPS,
        )
        theirs.close()
        try:
            wait_until(path.exists, "it listens")
            for _ in range(1000):
                with Client(path) as client:
                    client.send(b"rubbish\r\n\r\n")  # a line in either log
                    assert client.read_response().status == 400
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
