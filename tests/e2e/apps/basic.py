"""Small pages, one for each thing that the tests ask for."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from urllib.parse import parse_qsl

BINARY = "application/octet-stream"
ANSWER = 42  # what is no application


def hello(environ, query, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world!\n"]


def echo(environ, query, start_response):
    body = environ["wsgi.input"].read(-1)
    start_response("200 OK", [("Content-Type", BINARY)])
    return [body]


def digest(environ, query, start_response):
    """What came as body, read in pieces, and what was said about it before."""
    total, checksum = 0, hashlib.sha256()
    while block := environ["wsgi.input"].read(65536):
        total += len(block)
        checksum.update(block)
    return answer_json(
        start_response,
        {
            "length": total,
            "sha256": checksum.hexdigest(),
            "content_length": environ.get("CONTENT_LENGTH"),
            "transfer_encoding": environ.get("HTTP_TRANSFER_ENCODING"),
            "input_terminated": environ.get("wsgi.input_terminated"),
        },
    )


def unread(environ, query, start_response):
    """Answers without a look at the body."""
    return answer_json(start_response, {"unread": True})


def show_environ(environ, query, start_response):
    plain = {k: v for k, v in environ.items() if isinstance(v, (str, bool, int))}
    plain["wsgi.version"] = list(environ["wsgi.version"])
    return answer_json(start_response, plain)


def who(environ, query, start_response):
    return answer_json(
        start_response,
        {
            "pid": os.getpid(),
            "thread": threading.get_native_id(),
            "worker": environ.get("cgthread.worker"),
        },
    )


def big(environ, query, start_response):
    """So many MiB from a generator: big_block() again and again."""
    start_response("200 OK", [("Content-Type", BINARY)])
    return (big_block(i) for i in range(int(query.get("mib", 1)) * 16))


def big_block(number: int) -> bytes:
    """64 KiB that differ from block to block."""
    return hashlib.sha256(str(number).encode()).digest() * 2048


def big_known(environ, query, start_response):
    """The same as one piece of known length."""
    body = b"".join(big_block(i) for i in range(int(query.get("mib", 1)) * 16))
    headers = [("Content-Type", BINARY), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def big_fresh(environ, query, start_response):
    """The same as pieces of 256 KiB that nobody else has."""
    start_response("200 OK", [("Content-Type", BINARY)])
    for i in range(int(query.get("mib", 1)) * 4):
        yield b"".join(big_block(i * 4 + j) for j in range(4))


def memory(environ, query, start_response):
    """Kilobytes that the worker has in memory."""
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return answer_json(start_response, pages * 4)


def pieces(environ, query, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (f"piece {i}\n".encode() for i in range(int(query.get("n", 3))))


def sleep(environ, query, start_response):
    time.sleep(int(query.get("ms", 10)) / 1000)
    return hello(environ, query, start_response)


def hold(environ, query, start_response):
    """Says on the socket that it runs, and goes on when that socket says so."""
    hold_at(query["at"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"held\n"]


def hold_in_body(environ, query, start_response):
    """The same, but in the middle of its reply."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"before\n"
    hold_at(query["at"])
    yield b"after\n"


def hold_at(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        line.sendall(b"%d\n" % os.getpid())
        line.recv(1)


def file(environ, query, start_response):
    start_response("200 OK", [("Content-Type", BINARY)])
    return environ["wsgi.file_wrapper"](open(query["path"], "rb"))


def status(environ, query, start_response):
    """Any status, with a body and a Content-Length that may not fit it."""
    body = query.get("body", "").encode()
    may_have_body = query["code"] not in ("204", "304")
    headers = [("Content-Type", "text/plain")] if may_have_body else []
    if "length" in query:
        headers.append(("Content-Length", query["length"]))
    start_response(query["code"] + " Some Phrase", headers)
    return [body] if body else []


def empty(environ, query, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return []


def answer_json(start_response, value):
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/json")]
    start_response("200 OK", headers)
    return [body]


PAGES = {
    "/": hello,
    "/echo": echo,
    "/digest": digest,
    "/unread": unread,
    "/environ": show_environ,
    "/who": who,
    "/big": big,
    "/big-known": big_known,
    "/big-fresh": big_fresh,
    "/memory": memory,
    "/pieces": pieces,
    "/file": file,
    "/sleep": sleep,
    "/hold": hold,
    "/hold-in-body": hold_in_body,
    "/status": status,
    "/empty": empty,
}


def application(environ, start_response):
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    page = PAGES.get(environ["PATH_INFO"])
    if page is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not here\n"]
    return page(environ, query, start_response)
