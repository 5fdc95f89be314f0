"""What cgthread reads and writes, beside what h11 and http.client make of it.

Requests are generated, half of them broken, from a seed that the test prints: one
that failed is repeated by CGTHREAD_SEED=N.  Where the readers may differ stands in
STRICTER and LOOSER, each with the section that says why and
an example that shows it.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import time
from dataclasses import dataclass, field

import h11
import pytest

from apps import basic as basic_app
from server import PATIENCE, Server, wait_until

SEED = int(os.environ.get("CGTHREAD_SEED", "4"))
SECONDS = 8.0
REQUESTS = 3000

# ---- where we differ from h11, and why


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
BODY = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

# We refuse what it takes: what our log says of such a request, why, and one.
STRICTER = [
    (r"^bare LF \(RFC 9112 2\.2\)", "it MAY be taken; some will not", HEAD + b"X: a\n\r\n"),
    (r"^folded field \(RFC 9112 5\.2\)", "MUST be refused or undone", HEAD + b"X: a\r\n b\r\n\r\n"),
    (r"^malformed field \(RFC 9112 5\)", "h11 refuses NUL alone", HEAD + b"X: a\x01\r\n\r\n"),
    (
        r"^control character, space or fragment in the target \(RFC 9112 3\.2\)",
        "h11 leaves targets to its user",
        b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        r"^target is neither a path nor a URL \(RFC 9112 3\.2\)",
        "the same",
        b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        r'^\* is for OPTIONS only \(RFC 9112 3\.2\.4\)',
        "the same",
        b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        r"^CONNECT is for proxies \(RFC 9110 9\.3\.6\)",
        "the same",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        r"^HTTP version is not 1\.x \(RFC 9110 15\.6\.6\)",
        "the same",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    ),
    (
        r"^invalid Host \(RFC 9112 3\.2\)",
        "the same",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ),
    (r"^no Host \(RFC 9112 3\.2\)", "h11 wants it in 1.1, not in 1.2", b"GET / HTTP/1.2\r\n\r\n"),
    (
        r"^invalid Content-Length \(RFC 9112 6\.3\)",
        "a list of equal ones MAY be taken",
        HEAD + b"Content-Length: 1, 1\r\n\r\nx",
    ),
    (
        r"^more than one Content-Length \(RFC 9112 6\.3\)",
        "the same",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    ),
    (
        r"^Content-Length and Transfer-Encoding \(RFC 9112 6\.1\)",
        "it MAY be refused, and is what smuggling is made of",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        r"^Transfer-Encoding in HTTP/1\.0 \(RFC 9112 6\.1\)",
        "MUST be taken for faulty framing",
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        r"^more than one Content-Type \(RFC 9110 5\.3\)",
        "it is no list",
        HEAD + b"Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
    ),
    (
        r"^unknown expectation \(RFC 9110 10\.1\.1\)",
        "417; h11 looks for 100-continue alone",
        HEAD + b"Expect: a\r\n\r\n",
    ),
    (
        r"^malformed chunk extension \(RFC 9112 7\.1\.1\)",
        "h11 takes anything for one",
        BODY + b"0;;\r\n\r\n",
    ),
    (
        r"^bare CR \(RFC 9112 2\.2\)",
        "the same",
        BODY + b"0;a\r\r\n\r\n",
    ),
    (
        r"^forbidden trailer \(RFC 9110 6\.5\.1\)",
        "h11 keeps trailers apart for its user",
        BODY + b"0\r\nHost: b\r\n\r\n",
    ),
    (
        r"^(folded|malformed) trailer \(RFC 9112 (5\.2|7\.1\.2)\)",
        "the same as in a head",
        BODY + b"0\r\nX: a\r\n b\r\n\r\n",
    ),
]

# We take what it refuses: what h11 says, why, and one.
LOOSER = [
    (r"^no request line received", "RFC 9112 2.2: SHOULD be ignored", b"\r\n" + HEAD + b"\r\n"),
    (
        r"^illegal request line",
        "RFC 3986 wants %xx, but clients send raw bytes, and no harm is in them",
        b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        r"^illegal chunk header: .*'[0-9A-Fa-f]+[ \t]+;",
        "RFC 9112 7.1.1: white space before the ; is to be taken",
        BODY + b"0 ;a\r\n\r\n",
    ),
]

# ---- requests

METHODS = ["GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "get", "x!"]
TARGETS = ["/", "/a/b", "//c", "/a%20b?c=d&e", "/?", "/~x;y=z", "http://a/b?c", "/a:b@c"]
FIELDS = [
    "Accept: */*",
    "X-Empty:",
    "X-Space:  \t a b \t",
    "X-Quoted: \"a, b\"",
    "X-Text: \xe4\xff",
    "Cookie: a=b",
    "cookie: c=d",
    "X-Twice: 1",
    "X-Twice: 2",
    "X_Under: 1",
    "Content-Type: text/plain",
    "Connection: keep-alive",
    "Connection: foo, close",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "Via: 1.1 a",
    "TE: trailers",
    "Proxy: http://evil/",
]
NASTY = [
    "Content-Length: 5",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length: 0x5",
    "Content-Length: 18446744073709551621",
    "Content-Length:",
    "Content_Length: 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: \xa0chunked",
    "Host: b",
    "Host: a b",
    "Content-Type: a/b",
    "Expect: foo",
    "X : y",
    " folded",
    ": no name",
    "no colon",
    "X: a\x01b",
    "X: a\x00b",
    "X: a\x7fb",
    "X: a\rb",
]
BYTES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"#", b"0", b"\xff", b"\x0b"]


def chunked(rng: random.Random, body: bytes) -> bytes:
    extensions = ["", "", "", ";a", ";a=b", ' ; a = "b;\\"c"', "0"]
    text = b""
    while body:
        size = rng.randint(1, len(body))
        extension = rng.choice(extensions)
        if extension == "0":  # of the size, in front
            text += b"000%X\r\n" % size
        else:
            text += b"%x%s\r\n" % (size, extension.encode())
        text += body[:size] + b"\r\n"
        body = body[size:]
    trailers = rng.choice([b"", b"", b"X-Sum: 1\r\n", b"A:\r\nB: c\r\n"])
    return text + b"0\r\n" + trailers + b"\r\n"


def make_request(rng: random.Random) -> bytes:
    """One that both have to take."""
    version = rng.choice(["1.1"] * 5 + ["1.0", "1.2"])
    lines = [f"{rng.choice(METHODS)} {rng.choice(TARGETS)} HTTP/{version}"]
    fields = rng.sample(FIELDS, rng.randint(0, 6))
    if version != "1.0" or rng.random() < 0.5:
        fields.insert(rng.randint(0, len(fields)), rng.choice(["Host: a", "host:a:80"]))
    body = b""
    framing = rng.choice(["", "length", "chunked"] if version != "1.0" else ["", "length"])
    payload = rng.randbytes(rng.choice([0, 1, 5, 100, 2000]))
    if framing == "length":
        fields.append(f"Content-Length: {len(payload)}")
        body = payload
    elif framing == "chunked":
        fields.append("Transfer-Encoding: chunked")
        body = chunked(rng, payload)
    return "\r\n".join(lines + fields + ["", ""]).encode("latin-1") + body


def mutate(rng: random.Random, text: bytes) -> bytes:
    """Something of it changed; mostly it is broken then."""
    at = rng.randrange(len(text))
    kind = rng.randrange(7)
    if kind == 0:
        return text[:at] + rng.choice(BYTES) + text[at:]
    if kind == 1:
        return text[:at] + text[at + rng.randint(1, 3) :]
    if kind == 2:
        return text[:at] + rng.choice(BYTES) + text[at + 1 :]
    if kind == 3:
        return text.replace(b"\r\n", b"\n", rng.choice([1, 2, -1]))
    if kind == 4:
        return text.replace(b"HTTP/1.", rng.choice([b"HTTP/2.", b"http/1.", b"HTTP/1"]), 1)
    if kind == 5:
        return text.replace(b" ", b" " + rng.choice([b"*", b"a", b"/#", b"/\xe4", b" "]), 1)
    lines = text.split(b"\r\n")
    lines.insert(rng.randint(1, max(1, len(lines) - 1)), rng.choice(NASTY).encode("latin-1"))
    return b"\r\n".join(lines)


# ---- the readers


@dataclass
class Read:
    """What a reader made of a request."""

    outcome: str  # taken, refused, incomplete
    why: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    refusals: int = 0  # of this, or of what followed it; the first one closes


def facts_of(request: h11.Request, body: bytes) -> dict[str, str]:
    """The environ that PEP 3333 wants of it."""
    facts = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/" + request.http_version.decode(),
        "body": body.decode("latin-1"),
    }
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        if "_" in name or name == "proxy":
            continue
        if name == "transfer-encoding":
            name, value = "content-length", str(len(body))
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if key in facts:
            value = facts[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        facts[key] = value
    # RFC 9112 3.2.2: what a URL as target says counts, not Host.
    if url := re.match(r"https?://([^/?]*)", facts["RAW_URI"], re.IGNORECASE):
        facts["HTTP_HOST"] = url[1]
    return facts


def read_by_h11(text: bytes) -> Read:
    connection = h11.Connection(h11.SERVER)
    request, body = None, b""
    try:
        connection.receive_data(text)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return Read("incomplete")
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return Read("taken", facts=facts_of(request, body))
    except h11.RemoteProtocolError as error:
        return Read("refused", str(error))


def talk(address: tuple[str, int], text: bytes) -> bytes:
    """All that the server says to these bytes; the client then has no more to say."""
    with socket.create_connection(address, PATIENCE) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        parts = []
        while True:
            try:
                data = client.recv(65536)
            except ConnectionResetError:
                break
            if not data:
                break
            parts.append(data)
    return b"".join(parts)


FACT = re.compile(r"HTTP_.*|CONTENT_(TYPE|LENGTH)|REQUEST_METHOD|RAW_URI|SERVER_PROTOCOL|body")


def first_reply(text: bytes, was_head: bool) -> tuple[int, bytes]:
    """Of what the server has said, by h11: status and body of the first final reply."""
    connection = h11.Connection(h11.CLIENT)
    method = "HEAD" if was_head else "GET"
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(text)
    connection.receive_data(b"")
    status, body = 0, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return status, body
        else:
            assert isinstance(event, h11.InformationalResponse), event


def read_by_us(address: tuple[str, int], text: bytes) -> Read:
    reply = talk(address, text)
    if not reply.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""):
        return Read("incomplete")
    refused = len(re.findall(rb"HTTP/1\.1 [45]\d\d ", reply))
    assert refused <= 1
    status, body = first_reply(reply, text.lstrip(b"\r\n").startswith(b"HEAD "))
    if status != 200:
        assert 400 <= status < 600 and b"\r\nConnection: close\r\n" in reply
        return Read("refused", str(status), refusals=refused)
    facts = json.loads(body) if body else {}
    facts = {k: v for k, v in facts.items() if FACT.fullmatch(k)}
    return Read("taken", facts=facts, refusals=refused)


# ---- comparison


@pytest.fixture(scope="module")
def echo(serve_module) -> Server:
    return serve_module("framing:application", workers=1, threads=2, loglevel="info", log_refused=0)


REFUSAL = re.compile(r": (\d{3}) [A-Z][A-Za-z -]+: (.*?): \"")


def refusals(server: Server, count: int) -> list[tuple[str, str]]:
    """Status and reason of each that the log tells of, once there are so many."""

    def find():
        found = server.errors.find(REFUSAL.pattern)
        return found if len(found) >= count else None

    return [(m[1], m[2]) for m in wait_until(find, f"{count} refusals in the log")]


def is_known(text: str, rows) -> bool:
    return any(re.search(pattern, text) for pattern, _, _ in rows)


def disagreement(ours: Read, theirs: Read, reason: str) -> str | None:
    """What is wrong with the pair of them; None: nothing, or it is a known one."""
    if ours.outcome == theirs.outcome == "taken":
        if ours.facts and ours.facts != theirs.facts:  # none: HEAD
            return "other facts"
        return None
    if ours.outcome == theirs.outcome:
        return None
    if ours.outcome == "refused":
        # It looks at a head only when that is whole, at a line when it has ended.
        known = is_known(reason, STRICTER)
        return None if known or theirs.outcome == "incomplete" else "refused by us alone"
    if theirs.outcome == "refused":
        known = is_known(theirs.why, LOOSER)
        return None if known else "refused by h11 alone"
    return "another end"


@pytest.mark.parametrize("row", STRICTER, ids=lambda row: row[0])
def test_we_are_stricter(echo, row):
    pattern, _, text = row
    before = len(echo.errors.find(REFUSAL.pattern))
    assert read_by_us(echo.address, text).outcome == "refused"
    assert read_by_h11(text).outcome == "taken"
    assert re.search(pattern, refusals(echo, before + 1)[-1][1])


@pytest.mark.parametrize("row", LOOSER, ids=lambda row: row[0])
def test_we_are_looser(echo, row):
    pattern, _, text = row
    assert read_by_us(echo.address, text).outcome == "taken"
    assert re.search(pattern, read_by_h11(text).why)


def test_requests_are_read_as_h11_reads_them(echo):
    print(f"CGTHREAD_SEED={SEED}")
    rng = random.Random(SEED)
    address, worker = echo.address, echo.workers()
    before = len(echo.errors.find(REFUSAL.pattern))
    pairs, end = [], time.monotonic() + SECONDS
    while len(pairs) < REQUESTS and time.monotonic() < end:
        text, is_valid = make_request(rng), rng.random() < 0.4
        if not is_valid:
            for _ in range(rng.choice([1, 1, 2])):
                text = mutate(rng, text) or b"x"
        pairs.append((text, is_valid, read_by_us(address, text), read_by_h11(text)))

    told = refusals(echo, before + sum(p[2].refusals for p in pairs))[before:]
    assert len(told) == sum(p[2].refusals for p in pairs)
    reasons = {}
    for pair, (status, reason) in zip((p for p in pairs if p[2].refusals), told):
        if pair[2].outcome == "refused":
            assert pair[2].why == status
            reasons[id(pair)] = reason

    wrong = []
    for pair in pairs:
        text, is_valid, ours, theirs = pair
        what = disagreement(ours, theirs, reasons.get(id(pair), ""))
        if is_valid and ours.outcome != "taken":
            what = "valid, and not taken"
        if what:
            wrong.append((what, text, ours, theirs, reasons.get(id(pair))))
    assert not wrong, wrong[:5]
    # Enough of each kind, or the test says nothing.
    assert len(pairs) > 300 and len(reasons) > len(pairs) / 10
    assert echo.workers() == worker


def test_what_http_client_sends_arrives(echo):
    rng = random.Random(SEED)
    connection = http.client.HTTPConnection(*echo.address, timeout=PATIENCE)
    for number in range(300):
        method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH"])
        body = rng.choice([None, b"", rng.randbytes(rng.randint(1, 70000))])
        pieces = [body[i : i + 5000] for i in range(0, len(body or b""), 5000)]
        in_chunks = bool(body) and rng.random() < 0.5
        headers = {"X-Number": str(number), "X-Text": "\xe4 , b"}
        connection.request(
            method,
            f"/{number}?q={number}",
            iter(pieces) if in_chunks else body,
            headers,
            encode_chunked=in_chunks,
        )
        response = connection.getresponse()
        seen = json.loads(response.read())
        assert response.status == 200
        assert seen["REQUEST_METHOD"] == method and seen["body"].encode("latin-1") == (body or b"")
        assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == (f"/{number}", f"q={number}")
        assert (seen["HTTP_X_NUMBER"], seen["HTTP_X_TEXT"]) == (str(number), "\xe4 , b")
        if body:
            assert seen["CONTENT_LENGTH"] == str(len(body))
    connection.close()


# ---- replies

# What each page of apps/basic.py is asked with; None: it waits for a test.
QUERIES = {
    "/": "",
    "/big": "?mib=2",
    "/big-known": "?mib=2",
    "/big-fresh": "?mib=2",
    "/pieces": "?n=5",
    "/sleep": "?ms=1",
    "/status": "?code=404&body=x&length=1",
    "/hold": None,
    "/hold-in-body": None,
}
MORE = [
    "/none",
    "/pieces?n=0",
    "/status?code=204",
    "/status?code=205&body=x",
    "/status?code=304&length=7",
    "/status?code=200&length=9&body=abc",  # cut
    "/status?code=200&length=2&body=abc",
    "/status?code=999&body=x",
]
CHANGING = {"date"}


def read_by_http_client(address, method: str, target: str, body: bytes | None):
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        headers = [(k.lower(), v) for k, v in response.getheaders()]
        try:
            data, whole = response.read(), True
        except http.client.IncompleteRead as error:
            data, whole = error.partial, False
        return response.status, response.reason, headers, data, whole
    finally:
        connection.close()


def read_by_h11_client(address, method: str, target: str, body: bytes | None):
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", "a")]
    if body is not None:
        headers.append(("Content-Length", str(len(body))))
    data = connection.send(h11.Request(method=method, target=target, headers=headers))
    if body:
        data += connection.send(h11.Data(data=body))
    data += connection.send(h11.EndOfMessage())
    response, content = None, b""
    with socket.create_connection(address, PATIENCE) as client:
        client.sendall(data)
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                break  # it ended too early
            if event is h11.NEED_DATA:
                try:
                    connection.receive_data(client.recv(65536))
                except ConnectionResetError:
                    break
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
    seen = [(k.decode(), v.decode("latin-1")) for k, v in response.headers]
    whole = connection.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
    return response.status_code, response.reason.decode("latin-1"), seen, content, whole


def stable(read, page: str):
    status, reason, headers, data, whole = read
    if page in ("/environ", "/who", "/memory"):  # of the request, or of the moment
        data = b""
        headers = [h for h in headers if h[0] != "content-length"]
    return status, reason, [h for h in headers if h[0] not in CHANGING], data, whole


def test_replies_are_read_alike_by_http_client_and_h11(serve):
    server = serve("basic:application", workers=1, threads=2)
    address = server.address
    targets = [
        page + QUERIES.get(page, "")
        for page in basic_app.PAGES
        if QUERIES.get(page, "") is not None
    ]
    for target in targets + MORE:
        page = target.partition("?")[0]
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 3000)):
            reads = [
                stable(read(address, method, target, body), page)
                for read in (read_by_http_client, read_by_h11_client)
            ]
            assert reads[0] == reads[1], f"{method} {target}"
            assert reads[0][4] == ("length=9" not in target or method == "HEAD"), target
