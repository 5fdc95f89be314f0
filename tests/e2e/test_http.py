"""HTTP/1.1 on the wire: connections, bodies, limits, deadlines, bad requests."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from apps.basic import big_block
from server import PATIENCE, PROGRAM, Client, Closed, Server, wait_until

HELLO = b"Hello, world!\n"
KEEP_ALIVE = ("Connection", "keep-alive")
CLOSE = ("Connection", "close")


@pytest.fixture(scope="module")
def basic(serve_module) -> Server:
    return serve_module("basic:application", workers=1, threads=4, log_refused=0)


def chunked(*pieces: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + last


# ---- connections


def test_keep_alive_serves_request_after_request(basic):
    with basic.client() as client:
        for _ in range(20):
            response = client.request("GET", "/")
            assert (response.status, response.body) == (200, HELLO)
            assert response.version == "HTTP/1.1" and not response.closes
            assert response.header("Content-Length") == str(len(HELLO))
            assert response.header("Date") and response.header("Server")


def test_pipelined_requests_are_answered_in_order(basic):
    requests = []
    for i in range(10):
        body = b"body %d" % i
        head = f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    with basic.client() as client:
        client.send(b"".join(requests))
        for i in range(10):
            assert client.read_response().body == b"body %d" % i
        assert client.request("GET", "/").status == 200


def test_pipelined_requests_of_every_framing_are_answered_in_order(basic):
    head = b"Host: a\r\n"
    with basic.client() as client:
        client.send(
            b"GET /pieces?n=2 HTTP/1.1\r\n" + head + b"\r\n"
            b"HEAD / HTTP/1.1\r\n" + head + b"\r\n"
            b"POST /echo HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n"
            + chunked(b"abc", b"def")
            + b"GET /status?code=204 HTTP/1.1\r\n" + head + b"\r\n"
            b"POST /unread HTTP/1.1\r\n" + head + b"Content-Length: 4\r\n\r\nGET "
            b"GET /?last HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n"
            b"GET /?never HTTP/1.1\r\n" + head + b"\r\n"
        )
        assert client.read_response().body == b"piece 0\npiece 1\n"
        assert client.read_response("HEAD").header("Content-Length") == "14"
        assert client.read_response().body == b"abcdef"
        assert client.read_response().status == 204
        assert client.read_response().body == b'{"unread": true}'
        last = client.read_response()
        assert last.body == HELLO and last.closes
        assert client.closed()


@pytest.mark.parametrize("value", ["close", "Close", "foo, close", "close , x"])
def test_connection_close_is_obeyed(basic, value):
    with basic.client() as client:
        response = client.request("GET", "/", [("Connection", value)])
        assert response.body == HELLO and response.closes
        assert client.closed()


@pytest.mark.parametrize("target", ["/", "/pieces", "/empty"])
def test_http10_closes_by_default(basic, target):
    with basic.client() as client:
        response = client.request("GET", target, version="HTTP/1.0")
        assert response.status == 200
        assert response.framing in ("length", "close")
        assert response.header("Transfer-Encoding") is None
        assert client.closed()


def test_http10_keeps_alive_where_the_length_is_known(basic):
    with basic.client() as client:
        for _ in range(3):
            response = client.request("GET", "/", [KEEP_ALIVE], version="HTTP/1.0")
            assert response.framing == "length" and response.body == HELLO
            assert (response.header("Connection") or "").lower() == "keep-alive"
        response = client.request("GET", "/pieces", [KEEP_ALIVE], version="HTTP/1.0")
        assert response.framing == "close"
        assert response.body == b"piece 0\npiece 1\npiece 2\n"


def test_sixty_four_clients_keep_their_connections(basic):
    clients = [basic.client() for _ in range(64)]
    for turn in range(4):
        for i, client in enumerate(clients):
            client.send_request("POST", "/echo", body=b"%d in %d" % (i, turn))
        for i, client in enumerate(clients):
            response = client.read_response()
            assert response.body == b"%d in %d" % (i, turn)
            assert not response.closes
    for client in clients:
        client.close()


def test_half_closed_client_gets_its_answer(basic, meeting):
    with basic.client() as client:
        client.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        client.socket.shutdown(socket.SHUT_WR)
        held.release()
        assert client.read_response().body == b"held\n"
        assert client.closed()


# Each of them may be just lucky where the loop only hears of an end once a second.
LOOKS = 8
AT_ONCE = 0.5


def test_request_behind_a_body_does_not_wait_for_the_next_tick(basic):
    body = b"x" * 20000
    head = f"POST /sleep?ms=5 HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with basic.client() as client:
        for _ in range(LOOKS):
            client.send(head.encode() + body + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.read_response().status == 200
            answered = time.monotonic()
            assert client.read_response().body == HELLO
            assert time.monotonic() - answered < AT_ONCE


@pytest.mark.parametrize("when", ["with the request", "while it runs"])
def test_half_closed_connection_ends_with_its_answer(basic, when):
    for _ in range(LOOKS):
        with basic.client() as client:
            client.send_request("GET", "/sleep?ms=10")
            if when == "while it runs":
                time.sleep(0.004)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_response().status == 200
            answered = time.monotonic()
            assert client.closed()
            assert time.monotonic() - answered < AT_ONCE


# ---- replies


def test_head_has_the_length_and_no_body(basic):
    with basic.client() as client:
        for target in ("/", "/pieces", "/empty", "/big-known?mib=1"):
            get = client.request("GET", target)
            head = client.request("HEAD", target)
            assert head.status == get.status == 200
            if get.framing == "length" and head.header("Content-Length"):
                assert head.header("Content-Length") == str(len(get.body))
        assert client.request("GET", "/").body == HELLO


@pytest.mark.parametrize(
    "why, target, length",
    [
        ("no body", "/status?code=204", None),
        ("a body", "/status?code=204&body=x", None),
        ("a length", "/status?code=204&body=x&length=1", None),
        ("no body", "/status?code=304", None),
        ("a length is kept", "/status?code=304&length=17", "17"),
        ("a body", "/status?code=304&body=x", None),
    ],
)
def test_204_and_304_have_no_body(basic, why, target, length):
    with basic.client() as client:
        response = client.request("GET", target)
        assert response.body == b"", why
        if length:
            assert response.header("Content-Length") == length
        assert client.request("GET", "/").body == HELLO, why


def test_empty_reply_has_length_zero(basic):
    response = basic.get("/empty")
    assert response.framing == "length" and response.body == b""


def test_generator_is_sent_chunk_by_chunk_and_keeps_alive(basic):
    with basic.client() as client:
        for _ in range(2):
            response = client.request("GET", "/pieces?n=5")
            assert response.framing == "chunked" and not response.closes
            assert response.body.splitlines() == [b"piece %d" % i for i in range(5)]


def test_pieces_leave_before_the_generator_ends(basic, meeting):
    with basic.client() as client:
        client.send_request("GET", "/hold-in-body" + meeting.query)
        held = meeting.wait()
        head = client.read_head()
        assert head.header("Transfer-Encoding") == "chunked"
        assert client._read_line() == b"7"
        assert client._read_exactly(9) == b"before\n\r\n"
        held.release()
        assert client._read_line() == b"6"


def test_reply_too_long_for_the_said_length_is_cut(basic):
    with basic.client() as client:
        response = client.request("GET", "/status?code=200&body=abcdef&length=3")
        assert response.body == b"abc" and client.closed()
    basic.wait_for_line("Content-Length")


def test_reply_too_short_for_the_said_length_closes(basic):
    with basic.client() as client:
        client.send_request("GET", "/status?code=200&body=abc&length=10")
        with pytest.raises(Closed) as caught:
            client.read_response()
    assert caught.value.got == b"abc"


def test_big_reply_is_exact_to_the_byte(basic):
    want = hashlib.sha256()
    for i in range(20 * 16):
        want.update(big_block(i))
    with basic.client() as client:
        response = client.request("GET", "/big?mib=20")
        assert len(response.body) == 20 * 1024 * 1024
        assert hashlib.sha256(response.body).digest() == want.digest()
        known = client.request("GET", "/big-known?mib=20")
        assert hashlib.sha256(known.body).digest() == want.digest()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("target", ["/big?mib=20", "/big-known?mib=20"])
def test_client_may_leave_in_mid_reply(basic, how, target):
    before = basic.workers()
    for _ in range(5):
        client = basic.client()
        client.send_request("GET", target)
        client.read_head()
        getattr(client, how)()
    assert basic.get("/").body == HELLO
    assert basic.workers() == before


# ---- bodies


def test_chunked_body_is_decoded_and_has_a_length(basic):
    body = b"".join(big_block(i)[: 100 * i + 1] for i in range(30))
    pieces = []
    rest = body
    while rest:
        size = random.Random(len(rest)).randint(1, 5000)
        pieces.append(rest[:size])
        rest = rest[size:]
    coded = chunked(*pieces, last=b"0\r\nX-Trailer: yes\r\n\r\n")
    coded = coded.replace(b"\r\n", b";ext=1\r\n", 1)
    with basic.client() as client:
        headers = [("Transfer-Encoding", "chunked")]
        client.send_request("POST", "/digest", headers)
        client.send(coded)
        got = json.loads(client.read_response().body)
        assert got == {
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "content_length": str(len(body)),
            "transfer_encoding": None,
            "input_terminated": True,
        }
        assert client.request("GET", "/").status == 200


def test_unread_body_does_not_disturb_the_next_request(basic):
    with basic.client() as client:
        for size in (1, 1000, 200_000):
            body = b"GET / HTTP/1.1\r\n\r\n" * (size // 18 + 1)
            response = client.request("POST", "/unread", body=body)
            assert response.status == 200
        assert client.request("GET", "/").body == HELLO


def test_continue_is_said_before_the_body_comes(basic):
    with basic.client() as client:
        headers = [("Expect", "100-continue"), ("Content-Length", "5")]
        client.send_request("POST", "/echo", headers)
        interim = client.read_response()
        assert (interim.status, interim.body) == (100, b"")
        client.send(b"12345")
        assert client.read_response().body == b"12345"
        client.send_request(
            "POST", "/echo", [("Expect", "100-continue")], body=b"at once"
        )
        response = client.read_response()
        if response.status == 100:
            response = client.read_response()
        assert response.body == b"at once"


def test_continue_is_said_for_a_chunked_body(basic):
    with basic.client() as client:
        headers = [("Expect", "100-continue"), ("Transfer-Encoding", "chunked")]
        client.send_request("POST", "/echo", headers)
        assert client.read_response().status == 100
        client.send(chunked(b"123", b"45"))
        assert client.read_response().body == b"12345"


def test_continue_is_not_said_to_http10_nor_without_a_body(basic):
    expect = ("Expect", "100-continue")
    with basic.client() as client:
        assert client.request("GET", "/", [expect]).status == 200
    with basic.client() as client:
        headers = [expect, ("Content-Length", "2"), KEEP_ALIVE]
        client.send_request("POST", "/echo", headers, version="HTTP/1.0")
        client.send(b"ab")
        assert client.read_response().body == b"ab"


def test_unknown_expectation_is_417(basic):
    with basic.client() as client:
        response = client.request("POST", "/echo", [("Expect", "foo")], b"x")
        assert response.status == 417


def test_request_in_single_bytes(basic):
    with basic.client() as client:
        request = (
            b"POST /echo?x=1 HTTP/1.1\r\nHost: a\r\nX-Some: thing\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"hello ", b"bytes")
        )
        for i in range(len(request)):
            client.send(request[i : i + 1])
            if i % 8 == 0:
                time.sleep(0.001)  # so that it comes in more than one read
        assert client.read_response().body == b"hello bytes"
        assert client.request("GET", "/").body == HELLO


def send_body(client: Client, target: str, body: bytes, coding: str) -> None:
    if coding == "length":
        client.send_request("POST", target, body=body)
        return
    client.send_request("POST", target, [("Transfer-Encoding", "chunked")])
    client.send(chunked(*(body[i : i + 65536] for i in range(0, len(body), 65536))))


def files(pid: int) -> list[tuple[str, int]]:
    """What a process has open, and the sizes; a file without a name is "(deleted)"."""
    found = []
    for entry in Path("/proc", str(pid), "fd").iterdir():
        try:
            found.append((os.readlink(entry), entry.stat().st_size))
        except OSError:
            pass  # closed meanwhile
    return found


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_big_upload_goes_through_a_file(serve, meeting, tmp_path, coding):
    spool = tmp_path / "spool"
    spool.mkdir()
    server = serve("basic:application", body_buffer="64k", spool_dir=spool)
    body = b"".join(big_block(i) for i in range(8 * 16))
    with server.client() as client:
        send_body(client, "/hold" + meeting.query, body, coding)
        held = meeting.wait()
        spooled = [size for path, size in files(held.pid) if path.startswith(f"{spool}/")]
        assert spooled == [len(body)]
        held.release()
        assert client.read_response().status == 200
        send_body(client, "/digest", body, coding)
        got = json.loads(client.read_response().body)
        assert got["length"] == len(body)
        assert got["sha256"] == hashlib.sha256(body).hexdigest()
        assert client.request("POST", "/echo", body=body).body == body
    assert os.listdir(spool) == []


def test_sixteen_uploads_at_once_do_not_mix(basic):
    failures = []

    def upload(number: int) -> None:
        body = b"%d " % number * 50_000
        with basic.client() as client:
            for _ in range(3):
                if client.request("POST", "/echo", body=body).body != body:
                    failures.append(number)

    threads = [threading.Thread(target=upload, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ---- environ


def test_environ_has_what_pep_3333_asks_for(basic):
    with basic.client() as client:
        response = client.request(
            "POST",
            "/environ",
            [
                ("Host", "example.org:81"),
                ("Content-Type", "text/plain"),
                ("X-Twice", "a"),
                ("X-Twice", "b"),
                ("Cookie", "c=1"),
                ("Cookie", "d=2"),
                ("X_Under", "dropped"),
                ("Proxy", "http://evil/"),
            ],
            b"123",
        )
    got = json.loads(response.body)
    assert got["REQUEST_METHOD"] == "POST"
    assert got["SCRIPT_NAME"] == "" and got["PATH_INFO"] == "/environ"
    assert got["QUERY_STRING"] == ""
    assert got["CONTENT_TYPE"] == "text/plain" and got["CONTENT_LENGTH"] == "3"
    assert "HTTP_CONTENT_TYPE" not in got and "HTTP_CONTENT_LENGTH" not in got
    assert got["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert got["SERVER_NAME"] and got["SERVER_PORT"] == str(basic.port)
    assert got["REMOTE_ADDR"] == "127.0.0.1"
    assert got["HTTP_HOST"] == "example.org:81"
    assert got["HTTP_X_TWICE"] == "a,b"
    assert got["HTTP_COOKIE"] == "c=1; d=2"
    assert "HTTP_X_UNDER" not in got
    assert "HTTP_PROXY" not in got
    assert got["wsgi.version"] == [1, 0] and got["wsgi.url_scheme"] == "http"
    assert got["wsgi.multithread"] is True
    assert got["wsgi.multiprocess"] is False
    assert got["wsgi.run_once"] is False


@pytest.mark.parametrize(
    "target, path, query",
    [
        ("/environ?a=b&c", "/environ", "a=b&c"),
        ("/environ?", "/environ", ""),
        ("/environ?a?b%20c", "/environ", "a?b%20c"),
        ("/%65nviron", "/environ", ""),
        ("http://other:9/environ?q", "/environ", "q"),
    ],
)
def test_target_becomes_path_and_query(basic, target, path, query):
    got = json.loads(basic.get(target).body)
    assert (got["PATH_INFO"], got["QUERY_STRING"]) == (path, query)


# ---- limits


@pytest.fixture(scope="module")
def narrow(serve_module) -> Server:
    return serve_module(
        "basic:application",
        limit_request_line="200",
        limit_request_fields="10",
        limit_request_field_size="300",
        max_head_size="1k",
        max_body_size="1k",
    )


TOO_LARGE = [
    ("line", b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 200), 414),
    ("line that does not end", b"GET /" + b"x" * 5000, 414),
    (
        "fields",
        b"GET / HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"X-%d: 1\r\n" % i for i in range(10))
        + b"\r\n",
        431,
    ),
    ("field", b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 300), 431),
    ("field that does not end", b"GET / HTTP/1.1\r\nX: " + b"x" * 5000, 431),
    (
        "all fields together",
        b"GET / HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 200) for i in range(6))
        + b"\r\n",
        431,
    ),
    (
        "body",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n",
        413,
    ),
    (
        "body, not asked for",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n"
        b"Expect: 100-continue\r\n\r\n",
        413,
    ),
    (
        "chunked body",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked(*[b"x" * 100] * 11),
        413,
    ),
    (
        "one chunk",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"401\r\n" + b"x" * 0x401,
        413,
    ),
]


@pytest.mark.parametrize(
    "why, request_, status", TOO_LARGE, ids=[row[0] for row in TOO_LARGE]
)
def test_what_is_too_large_is_refused(narrow, why, request_, status):
    with narrow.client() as client:
        client.send(request_)
        response = client.read_response()
        assert response.status == status, why
        assert response.closes
        assert client.closed()
    assert narrow.get("/").body == HELLO


def request_of(line: int = 15, fields: int = 1, field: int = 0, head: int = 0) -> bytes:
    """With a request line, a last field and a head of so many bytes."""
    lines = [b"GET /?".ljust(line - 9, b"x") + b" HTTP/1.1", b"Host: a"]
    lines += [b"X-%d: 1" % i for i in range(1, fields)]
    if field:
        lines.append(b"F: ".ljust(field, b"x"))
    missing = head - len(b"".join(line + b"\r\n" for line in lines)) - 2
    while missing > 0:  # neither a line that is too long nor a rest that is none
        size = missing if missing <= 250 else min(250, missing - 10)
        lines.append(b"F: ".ljust(size - 2, b"x"))
        missing -= size
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def coded(*sizes: int) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunked(*[b"x" * size for size in sizes])


def counted(length: int) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    return head % length + b"x" * length


LIMITS = [
    ("request line, without CR LF", request_of, "line", 200, 414),
    ("fields", request_of, "fields", 10, 431),
    ("field, without CR LF", request_of, "field", 300, 431),
    ("head, with its last line", request_of, "head", 1024, 431),
    ("body", counted, "length", 1024, 413),
]


@pytest.mark.parametrize("why, make, what, limit, status", LIMITS, ids=[r[0] for r in LIMITS])
def test_what_just_fits_is_served_and_one_more_is_not(narrow, why, make, what, limit, status):
    fits, over = make(**{what: limit}), make(**{what: limit + 1})
    if what == "head":
        assert len(fits) == limit
    with narrow.client() as client:
        client.send(fits)
        assert client.read_response().status == 200
        client.send(over)
        response = client.read_response()
        assert (response.status, response.closes) == (status, True)


def test_chunks_that_just_fit_are_served_and_one_byte_more_is_not(narrow):
    for sizes, status in [([128] * 8, 200), ([1024], 200), ([1024, 1], 413), ([1025], 413)]:
        with narrow.client() as client:
            client.send(coded(*sizes))
            response = client.read_response()
            assert response.status == status, sizes
            if status == 200:
                assert response.body == b"x" * 1024


@pytest.mark.parametrize(
    "line, status",
    [
        (b"HEAD / HTTP/2.0\r\n", 505),
        (b"HEAD /" + b"x" * 250 + b" HTTP/1.1\r\n", 414),
        (b"HEAD /" + b"x" * 5000, 414),
        (b"HEAD /#x HTTP/1.1\r\n", 400),
        (b"HEAD /\r\n", 400),
        (b"HEAD / HTTP/1.1\r\n\r\n", 400),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
    ],
    ids=["version", "long", "endless", "target", "no version", "no Host", "expectation"],
)
def test_refusal_of_head_has_no_body(narrow, line, status):
    with narrow.client() as client:
        client.send(line)
        response = client.read_response("HEAD")
        assert response.status == status and response.closes
        assert int(response.header("Content-Length")) > 0  # of what GET would get
        assert client.closed()


# ---- bad requests

FOLLOWER = b"GET /?follower HTTP/1.1\r\nHost: a\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"

BAD = [
    ("no Host", GET + b"\r\n", 400),
    ("two Hosts", GET + b"Host: a\r\nHost: a\r\n\r\n", 400),
    ("space in Host", GET + b"Host: a b\r\n\r\n", 400),
    ("space before the colon", GET + b"Host : a\r\n\r\n", 400),
    ("folded line", GET + b"Host: a\r\nX: 1\r\n 2\r\n\r\n", 400),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("NUL in a value", GET + b"Host: a\r\nX: a\0b\r\n\r\n", 400),
    ("bare CR in a value", GET + b"Host: a\r\nX: a\rb\r\n\r\n", 400),
    ("no name", GET + b"Host: a\r\n: x\r\n\r\n", 400),
    ("no colon", GET + b"Host: a\r\nX\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("relative target", b"GET index HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("space behind the line", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40, 400),
    ("two lengths", POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    ("list of lengths", POST + b"Content-Length: 1, 1\r\n\r\nx", 400),
    ("signed length", POST + b"Content-Length: +1\r\n\r\nx", 400),
    ("hexadecimal length", POST + b"Content-Length: 0x1\r\n\r\nx", 400),
    ("empty length", POST + b"Content-Length: \r\n\r\nx", 400),
    (
        "length and coding",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "chunked twice",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("gzip", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (
        "coding in HTTP/1.0",
        b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("signed chunk", POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n", 400),
    ("chunk without end", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", 400),
    ("chunk with LF", POST + b"Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n", 400),
    (
        "trailer without name",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n@@ garbage\r\n\r\n",
        400,
    ),
]


@pytest.mark.parametrize("why, bad, status", BAD, ids=[row[0] for row in BAD])
def test_bad_request_is_refused_and_nothing_behind_it_served(basic, why, bad, status):
    before = len(basic.log)
    with basic.client() as client:
        client.send(bad + FOLLOWER)
        response = client.read_response()
        assert response.status == status, why
        assert response.closes and client.closed()
    lines = wait_until(lambda: basic.log[before:], "a log line")
    assert len(lines) == 1 and "127.0.0.1" in lines[0], lines


def test_bad_request_log_names_the_rfc(basic):
    before = len(basic.errors.find(r"RFC 911[02]"))
    with basic.client() as client:
        client.send(GET + b"\r\n")
        assert client.read_response().status == 400
    basic.wait_for_line(r"RFC 911[02]", count=before + 1)


def test_answers_before_a_bad_request_are_sent(basic):
    with basic.client() as client:
        client.send(FOLLOWER + FOLLOWER + GET + b"\r\n" + FOLLOWER)
        assert [client.read_response().status for _ in range(3)] == [200, 200, 400]
        assert client.closed()


CUT = [
    ("head", b"GET / HTTP/1.1\r\nHost"),
    ("body", POST + b"Content-Length: 10\r\n\r\n12345"),
    ("chunk", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123"),
    ("trailer", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
]


def mark(server: Server, target: str) -> None:
    """A request whose line in the access log stands behind all others of before."""
    assert server.get(target).status == 200
    server.access.wait_for(re.escape(target) + " ")


@pytest.mark.parametrize("why, request_", CUT, ids=[row[0] for row in CUT])
def test_request_that_ends_early_never_reaches_the_application(basic, why, request_):
    def served() -> int:
        return len(basic.access.find(r'"(POST /echo|GET / ).* 200 '))

    mark(basic, f"/?before-{why}")
    before = served()
    with basic.client() as client:
        client.send(request_)
        client.socket.shutdown(socket.SHUT_WR)
        try:
            assert client.read_response().status == 400, why
        except Closed as closed:
            assert closed.got == b""
    mark(basic, f"/?behind-{why}")
    assert served() == before


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "cut",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        POST + b"Content-Length: 10\r\n\r\n",
        POST + b"Content-Length: 10\r\n\r\n1234",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12",
    ],
    ids=["line", "head", "no body", "body", "chunk"],
)
def test_client_that_leaves_in_its_request_is_forgotten_at_once(basic, how, cut):
    """Even where its last bytes and its end arrive as one event."""
    (worker,) = basic.workers()
    before = descriptors(worker)
    for kept in (False, True):
        for _ in range(20):
            client = basic.client()
            if kept:
                assert client.request("GET", "/").status == 200
            client.send(cut)
            getattr(client, how)()
    wait_until(lambda: descriptors(worker) <= before, "its descriptors are closed", 5)


# ---- deadlines


@pytest.fixture(scope="module")
def hasty(serve_module) -> Server:
    return serve_module(
        "basic:application",
        threads=2,
        header_timeout="400ms",
        body_timeout="400ms",
        keepalive="400ms",
        send_timeout="700ms",
    )


def test_slow_head_gets_408(hasty):
    with hasty.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        response = client.read_response()
        assert response.status == 408 and response.closes
        assert client.closed()


def test_dripped_head_gets_408(hasty):
    """Each byte in time does not help: it is the whole head that counts."""
    with hasty.client() as client:
        client.socket.settimeout(0.05)
        begin = time.monotonic()
        try:
            for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 100:
                client.send(bytes([byte]))
                try:
                    client._fill()
                    break
                except TimeoutError:
                    pass
        except (OSError, Closed):
            pass
        assert time.monotonic() - begin < 3
        assert client.buffer.startswith(b"HTTP/1.1 408 ")


def test_slow_body_gets_408(hasty):
    with hasty.client() as client:
        client.send(POST + b"Content-Length: 10\r\n\r\n12345")
        response = client.read_response()
        assert response.status == 408 and response.closes
        assert client.closed()


def test_silent_connection_is_closed(hasty):
    with hasty.client() as client:
        assert client.closed()  # bytes would be a failure


def test_idle_connection_is_closed_without_a_word(hasty):
    with hasty.client() as client:
        assert client.request("GET", "/").status == 200
        begin = time.monotonic()
        assert client.closed()
        assert 0.2 < time.monotonic() - begin < 0.5 * PATIENCE


def test_keep_alive_lasts_as_long_as_it_should(hasty):
    with hasty.client() as client:
        for _ in range(5):
            assert client.request("GET", "/").status == 200
            time.sleep(0.15)  # less than keepalive, in sum more


def test_slow_application_is_not_hurried(hasty):
    assert hasty.get("/sleep?ms=1000").status == 200


def test_client_that_does_not_read_is_cut(hasty):
    """Two of them hold both threads, but not for long."""
    clients = []
    for _ in range(2):
        client = Client(hasty.address)
        client.send_request("GET", "/big?mib=64")
        clients.append(client)
    begin = time.monotonic()
    assert hasty.get("/").status == 200
    assert time.monotonic() - begin < 5
    hasty.access.wait_for(r"GET /big\?mib=64", count=2)  # both are over
    for client in clients:
        with pytest.raises((Closed, ConnectionError)):
            client.read_response()
        client.close()


def test_lingering_close_reads_on_for_a_while(serve):
    """The refusal is not lost in a reset, and the client cannot hold on to us."""
    server = serve("basic:application", max_body_size="1k", linger_timeout="600ms")
    with server.client() as client:
        client.send(POST + b"Content-Length: 1000000\r\n\r\n")
        response = client.read_response()
        assert response.status == 413 and response.closes
        begin = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begin < PATIENCE:
                client.send(b"more of the body")
                time.sleep(0.02)
        assert time.monotonic() - begin > 0.5


STREAM = """
count = 0

def stream():
    global count
    for count in range(1, 513):
        yield bytes(65536)

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/count":
        return [b"%d" % count]
    return stream()
"""


@pytest.mark.parametrize("watermark, waits", [("64k", True), ("1g", False)])
def test_application_waits_at_the_watermark(serve, tmp_path, watermark, waits):
    """Nobody reads its 32 MiB: some are in the kernel, the rest is the server's."""
    (tmp_path / "stream.py").write_text(STREAM)
    server = serve(
        "stream:application",
        chdir=tmp_path,
        threads=2,
        outbuf_high_watermark=watermark,
    )

    def count() -> int:
        return int(server.get("/count").body)

    def has_stopped() -> bool:
        before = count()
        time.sleep(0.3)
        return before > 0 and before == count()

    client = server.client()
    client.send_request("GET", "/")
    wait_until(has_stopped, "it makes no more")
    assert (count() < 400) == waits
    assert len(client.read_response().body) == 512 * 65536
    assert count() == 512
    client.close()


# ---- too many


def test_cut_reply_that_ends_with_the_connection_is_reset(serve):
    """HTTP/1.0 without a length: an orderly end would say that it is whole."""
    server = serve("basic:application", send_timeout="500ms", loglevel="debug")
    with server.client() as client:
        client.send(b"GET /big?mib=64 HTTP/1.0\r\n\r\n")
        server.wait_for_line("connection cut: send_timeout", 10)
        with pytest.raises(ConnectionResetError):
            while client.socket.recv(262144):
                pass


def test_full_queue_is_503_with_retry_after(serve, meeting):
    server = serve("basic:application", threads=1, max_queue="2")
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    clients = [server.client() for _ in range(6)]
    for client in clients:
        client.send_request("GET", "/")
    refused = []
    lock = threading.Lock()

    def read(client: Client) -> None:
        response = client.read_response()
        with lock:
            refused.append(response)

    threads = [threading.Thread(target=read, args=(c,)) for c in clients]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(refused) == 4, "four of six are refused")
    for response in refused[:4]:
        assert response.status == 503
        assert re.fullmatch(r"[0-9]+", response.header("Retry-After") or "")
    held.release()
    assert running.read_response().body == b"held\n"
    for thread in threads:
        thread.join()
    assert [r.status for r in refused[4:]] == [200, 200]


def test_connections_beyond_the_limit_wait(serve, meeting):
    server = serve("basic:application", threads=2, max_connections="2")
    first, second = server.client(), server.client()
    for client in (first, second):
        client.send_request("GET", "/hold" + meeting.query)
    held = [meeting.wait(), meeting.wait()]
    third = server.client()
    third.send_request("GET", "/")
    assert not third.closed(0.3)
    for each in held:
        each.release()
    assert first.read_response().body == second.read_response().body == b"held\n"
    first.close()
    assert third.read_response().body == HELLO
    second.close()
    third.close()


@pytest.fixture
def few_descriptors(tmp_path):
    """Makes a program that is the server with so many descriptors for each process."""

    def make(count: int) -> str:
        path = tmp_path / "few-descriptors"
        path.write_text(f'#!/bin/sh\nulimit -n {count}\nexec {PROGRAM} "$@"\n')
        path.chmod(0o755)
        return str(path)

    return make


def test_accepting_pauses_where_there_are_no_descriptors(serve, few_descriptors):
    server = serve("basic:application", program=few_descriptors(60))
    clients = [server.client() for _ in range(60)]
    server.wait_for_line(r"\[warning\].*accept: pausing: Too many open files")
    assert clients[0].request("GET", "/").status == 200
    assert not clients[-1].closed(0.1)
    for client in clients[:-1]:
        client.close()
    assert clients[-1].request("GET", "/").status == 200  # it has waited
    clients[-1].close()
    assert len(server.errors.find("accept: pausing")) == 1


def test_idle_connections_make_room_where_there_are_no_descriptors(serve, few_descriptors):
    server = serve("basic:application", program=few_descriptors(60), workers=1)
    clients = []
    for _ in range(100):
        clients.append(server.client())
        assert clients[-1].request("GET", "/").body == HELLO
    server.wait_for_line("accept: idle connections are closed: Too many open files")
    assert clients[0].closed()
    assert not server.errors.find("accept: pausing")
    for client in clients:
        client.close()


def test_stop_serves_what_waits_also_where_there_are_no_descriptors(serve, few_descriptors):
    """Idle connections, which are closed anyway, make room."""
    server = serve("basic:application", program=few_descriptors(40), workers=1)
    idle = []
    while not server.errors.find("accept: idle connections are closed"):
        idle.append(server.client())
        assert idle[-1].request("GET", "/").body == HELLO
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    waiting = [server.client() for _ in range(10)]
    for client in waiting:
        client.send_request("GET", "/")
    server.signal(signal.SIGTERM)
    os.kill(worker, signal.SIGCONT)
    for client in waiting:
        assert client.read_response().body == HELLO
    assert server.wait() == 0


@pytest.mark.parametrize("limit", ["1", "2", "3"])
def test_connection_limit_leaks_nothing(serve, limit):
    server = serve("basic:application", threads=1, max_connections=limit)
    for i in range(30):
        client = server.client()
        if i % 3 == 0:
            client.send(b"GET / HT")
        elif i % 3 == 1:
            client.send(b"rubbish\r\n\r\n")
        else:
            assert client.request("GET", "/", [CLOSE]).status == 200
        client.close()
    assert server.get("/").status == 200


@pytest.mark.parametrize("path", ["/big-known", "/big-fresh"])
def test_large_pieces_are_let_go_of_when_they_are_sent(basic, path):
    """The loop holds them while it sends; then a thread has to free them."""

    def resident() -> int:
        return json.loads(basic.get("/memory").body)

    for _ in range(5):
        assert len(basic.get(path + "?mib=8").body) == 8 << 20
    before = resident()
    for _ in range(20):
        assert len(basic.get(path + "?mib=8").body) == 8 << 20
    for _ in range(10):  # cut in the middle
        with basic.client() as client:
            client.send_request("GET", path + "?mib=8")
            client.read_head()
    assert resident() < before + 40 * 1024
