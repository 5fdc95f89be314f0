"""A hundred requests of all kinds through wsgiref.validate, which misses nothing."""

from __future__ import annotations

import hashlib
import itertools
import json

import pytest

from apps.basic import PAGES, big_block
from server import APPS, Server


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


BODIES = [
    None,
    b"",
    b"x",
    b"two\nlines\n",
    b"\r\n\0\xff" * 500,
    b"long line " * 20_000 + b"\nend",
]
READS = ["all", "lines", "readline", "readlines", "pieces", "none"]
REPLIES = ["list", "length", "write", "generator", "gaps"]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]


def requests():
    """(method, target, headers, body, is chunked)"""
    reads, replies = itertools.cycle(READS), itertools.cycle(REPLIES)
    for method, body in itertools.product(METHODS, BODIES):
        for coded in (False, True) if body is not None else (False,):
            target = f"/some/path?read={next(reads)}&reply={next(replies)}"
            headers = [("X-Test", "value"), ("Content-Type", "text/plain; a=b")]
            yield method, target, headers, body, coded
    for target in ("/", "/a//b", "/%C3%BC?q=%C3%BC", "/?", "/a%2Fb?x=y&x=z", "/;p=1"):
        yield "GET", target, [], None, False
    for code, method in itertools.product(("204", "304"), ("GET", "HEAD", "POST")):
        yield method, f"/?code={code}", [], None, False
    for code in ("200", "201", "404", "500"):
        yield "GET", f"/?code={code}&reply=generator", [], None, False
    many = [(f"X-Field-{i}", f"value {i}") for i in range(50)]
    yield "GET", "/", many, None, False
    yield "GET", "/", [("X-Test", "gr\xfc\xdfe")], None, False
    yield "GET", "/", [("X-Test", "")], None, False


@pytest.fixture(scope="module")
def validated(serve_module) -> Server:
    return serve_module("validated:application", workers=2, threads=2)


def check(client, method, target, headers, body, coded) -> None:
    if coded:
        fields = [*headers, ("Transfer-Encoding", "chunked")]
        client.send_request(method, target, fields, chunked(body, 1 + len(body) // 3))
    else:
        client.send_request(method, target, headers, body)
    response = client.read_response(method)
    _, _, query = target.partition("?")
    want = query.partition("code=")[2][:3] or "200"
    assert response.status == int(want), (method, target)
    assert response.header("X-App") == "yes"
    if method == "HEAD" or want in ("204", "304"):
        assert response.body == b""
        return
    got = json.loads(response.body)
    assert got["method"] == method
    if "read=none" not in query:
        assert got["body"].encode("latin-1") == (body or b"")
    if body:
        assert got["length"] == str(len(body))
    wanted = dict(headers)
    assert got["x"] == wanted.get("X-Test", "")
    assert got["type"] == wanted.get("Content-Type", "")


def test_validator_finds_nothing(validated):
    count = 0
    with validated.client() as client:
        for request in requests():
            check(client, *request)
            count += 1
    assert count >= 90
    assert validated.errors.find("AssertionError|Traceback|Warning") == []


def test_validator_finds_nothing_with_a_connection_for_each(validated):
    for request in itertools.islice(requests(), 0, None, 5):
        with validated.client() as client:
            check(client, *request)
    assert validated.errors.find("AssertionError|Traceback|Warning") == []


def test_validator_finds_nothing_in_http10(validated):
    for method in ("GET", "POST", "HEAD"):
        with validated.client() as client:
            body = b"abc" if method == "POST" else None
            response = client.request(method, "/", [], body, version="HTTP/1.0")
            assert response.status == 200 and client.closed()
    assert validated.errors.find("AssertionError|Traceback|Warning") == []


# ---- every page of apps/basic.py, of which most other tests are made

BIG = b"".join(big_block(i) for i in range(16))
HELLO = b"Hello, world!\n"
PAGES_FILE = APPS / "basic.py"
ECHOED = b"two\nlines" * 1000


@pytest.fixture(scope="module")
def basic(serve_module) -> Server:
    return serve_module("validated:basic_application", threads=3)


def is_big(body: bytes) -> bool:
    return body == BIG


def is_json(body: bytes) -> bool:
    return json.loads(body) is not None


def is_digest(body: bytes) -> bool:
    return json.loads(body)["sha256"] == hashlib.sha256(ECHOED).hexdigest()


# method, target, body, what must come back: status, body
BASIC = [
    ("GET", "/", None, 200, HELLO),
    ("POST", "/echo", ECHOED, 200, ECHOED),
    ("PUT", "/echo", b"", 200, b""),
    ("GET", "/echo", None, 200, b""),
    ("POST", "/digest", ECHOED, 200, is_digest),
    ("POST", "/unread", ECHOED, 200, is_json),
    ("GET", "/environ?a=b", None, 200, is_json),
    ("GET", "/who", None, 200, is_json),
    ("GET", "/big?mib=1", None, 200, is_big),
    ("GET", "/big-known?mib=1", None, 200, is_big),
    ("GET", "/big-fresh?mib=1", None, 200, is_big),
    ("GET", "/memory", None, 200, is_json),
    ("GET", "/pieces?n=2", None, 200, b"piece 0\npiece 1\n"),
    ("GET", "/sleep?ms=1", None, 200, HELLO),
    ("GET", "/hold?at=", None, 200, b"held\n"),
    ("GET", "/hold-in-body?at=", None, 200, b"before\nafter\n"),
    ("GET", "/status?code=201&body=made&length=4", None, 201, b"made"),
    ("GET", "/status?code=204", None, 204, b""),
    ("GET", "/status?code=304&length=5", None, 304, b""),
    ("GET", "/status?code=599&body=x", None, 599, b"x"),
    ("GET", "/empty", None, 200, b""),
    ("GET", f"/file?path={PAGES_FILE}", None, 200, PAGES_FILE.read_bytes()),
    ("GET", "/nowhere", None, 404, b"not here\n"),
]


def test_every_page_is_visited():
    assert PAGES.keys() <= {target.partition("?")[0] for _, target, *_ in BASIC}


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("head", [False, True], ids=["", "HEAD"])
@pytest.mark.parametrize(
    "method, target, body, status, wanted", BASIC, ids=[f"{r[0]} {r[1][:12]}" for r in BASIC]
)
def test_validator_finds_nothing_in_a_page(
    basic, meeting, method, target, body, status, wanted, head, version
):
    method = "HEAD" if head else method
    holds = "at=" in target
    if head and "in-body" in target:
        holds = False  # nobody asks for its second piece
    if holds:
        target = target.partition("?")[0] + meeting.query
    with basic.client() as client:
        client.send_request(method, target, [], body, version)
        if holds:
            meeting.wait().release()
        response = client.read_response(method)
    assert response.status == status
    if head:
        wanted = b""
    assert wanted(response.body) if callable(wanted) else response.body == wanted
    assert basic.errors.find("AssertionError|Traceback|Warning") == []
