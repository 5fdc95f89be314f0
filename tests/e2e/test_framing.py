"""Where a message ends: each breach refused, in any split, and nothing behind it.

One server takes all of this in one worker, whose process must be the same at the end.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from server import Client, Server, wait_until

GET = b"GET /bad HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
POST = b"POST /bad HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n"
CODED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
FOLLOWER = b"GET /follower HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def coding(value: bytes, more: bytes = b"", body: bytes = LAST) -> bytes:
    return POST + more + b"Transfer-Encoding: " + value + b"\r\n\r\n" + body


def length(value: bytes, body: bytes = b"12345") -> bytes:
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + body


def field(line: bytes) -> bytes:
    return GET + HOST + line + b"\r\n\r\n"


def target(text: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + text + b" HTTP/1.1\r\n" + HOST + END


def host(value: bytes) -> bytes:
    return GET + b"Host: " + value + b"\r\n\r\n"


CODING = r"Transfer-Encoding .*\(RFC 9112 6\.1\)"
LENGTH = r"Content-Length \(RFC 9112 6\.3\)"
HOST_REASON = r"Host \(RFC 9112 3\.2\)"
FIELD = r"malformed field \(RFC 9112 5\)"
LINE = r"malformed request line \(RFC 9112 3\)"
TARGET = r"target .*\(RFC 9112 3\.2\)"
VERSION = r"no HTTP version \(RFC 9112 2\.3\)"
MAJOR = r"version .*\(RFC 9110 15\.6\.6\)"
BARE = r"bare LF \(RFC 9112 2\.2\)"
# Whatever llhttp says to it, which depends on how it was compiled.
LONE = r"bare CR \(RFC 9112 2\.2\)"
SIZE = r"chunk size \(RFC 9112 7\.1\)"
OVERRUN = r"longer than its size \(RFC 9112 7\.1\)"
EXTENSION = r"chunk extension \(RFC 9112 7\.1\.1\)"
TRAILER = r"malformed trailer \(RFC 9112 7\.1\.2\)"
FORBIDDEN = r"forbidden trailer \(RFC 9110 6\.5\.1\)"

REFUSED = [
    # why, bytes, status, reason in the log
    #
    # Transfer-Encoding
    ("coding behind \\xa0", coding(b"\xa0chunked"), 400, CODING),
    ("coding behind \\x85", coding(b"\x85chunked"), 400, CODING),
    ("coding behind VT", coding(b"\x0bchunked"), 400, FIELD),
    ("coding in quotes", coding(b'"chunked"'), 400, CODING),
    ("coding with a parameter", coding(b"chunked;q=1"), 400, CODING),
    ("xchunked and length", coding(b"xchunked", b"Content-Length: 5\r\n"), 501, CODING),
    ("xchunked", coding(b"xchunked"), 501, CODING),
    ("chunked, gzip", coding(b"chunked, gzip"), 400, CODING),
    ("chunked, chunked", coding(b"chunked, chunked"), 400, CODING),
    (
        "two coding fields",
        coding(b"chunked", b"Transfer-Encoding: chunked\r\n"),
        400,
        CODING,
    ),
    (
        "two coding fields, one unknown",
        coding(b"identity", b"Transfer-Encoding: chunked\r\n"),
        400,
        CODING,
    ),
    ("identity and length", coding(b"identity", b"Content-Length: 5\r\n"), 501, CODING),
    ("gzip, chunked", coding(b"gzip, chunked"), 501, CODING),
    ("gzip alone", coding(b"gzip", body=b""), 400, r"does not end in chunked \(RFC 9112 6\.3\)"),
    ("coding empty, and length", coding(b"", b"Content-Length: 5\r\n"), 400, CODING),
    ("chunked and a comma", coding(b"chunked,"), 400, CODING),
    ("a comma and chunked", coding(b", chunked"), 400, CODING),
    (
        "length and coding, with a request inside",
        coding(b"chunked", b"Content-Length: 5\r\n", LAST + SMUGGLED),
        400,
        r"Content-Length and Transfer-Encoding \(RFC 9112 6\.1\)",
    ),
    (
        "coding and length",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + LAST,
        400,
        r"Content-Length and Transfer-Encoding \(RFC 9112 6\.1\)",
    ),
    (
        "coding in HTTP/1.0",
        b"POST /bad HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST,
        400,
        CODING,
    ),
    #
    # Content-Length
    ("two equal lengths", length(b"5\r\nContent-Length: 5"), 400, LENGTH),
    ("two lengths", length(b"5\r\nContent-Length: 0"), 400, LENGTH),
    ("a list of lengths", length(b"5, 5"), 400, LENGTH),
    ("length +5", length(b"+5"), 400, LENGTH),
    ("length -5", length(b"-5"), 400, LENGTH),
    ("length 0x5", length(b"0x5"), 400, LENGTH),
    ("length 5_0", length(b"5_0"), 400, LENGTH),
    ("length 5 5", length(b"5 5"), 400, LENGTH),
    ("length 5.0", length(b"5.0"), 400, LENGTH),
    ("length empty", length(b""), 400, LENGTH),
    ("length superscript", length(b"\xb2"), 400, LENGTH),
    ("length 2^64 + 5", length(b"18446744073709551621"), 400, LENGTH),
    ("length 2^63", length(b"9223372036854775808"), 413, "max_body_size"),
    ("length over max_body_size", length(b"1048577"), 413, "max_body_size"),
    (
        "length over max_body_size, and waits",
        length(b"1048577\r\nExpect: 100-continue", b""),
        413,
        "max_body_size",
    ),
    ("length with VT", length(b"5\x0b"), 400, LENGTH),
    #
    # Host
    ("no Host", GET + END, 400, HOST_REASON),
    ("no Host beside a URL", b"GET http://a/bad HTTP/1.1\r\n\r\n", 400, HOST_REASON),
    ("two Hosts", GET + HOST + HOST + END, 400, HOST_REASON),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST * 2 + END, 400, HOST_REASON),
    ("space in Host", host(b"a b"), 400, HOST_REASON),
    ("path in Host", host(b"a/b"), 400, HOST_REASON),
    ("user in Host", host(b"u@a"), 400, HOST_REASON),
    ("query in Host", host(b"a?b"), 400, HOST_REASON),
    ("two ports in Host", host(b"a:1:2"), 400, HOST_REASON),
    ("port of letters in Host", host(b"a:http"), 400, HOST_REASON),
    ("no end of an IPv6 address", host(b"[::1"), 400, HOST_REASON),
    ("no IPv6 address", host(b"[]"), 400, HOST_REASON),
    ("letters in an IPv6 address", host(b"[::g]"), 400, HOST_REASON),
    ("text behind an IPv6 address", host(b"[::1]a"), 400, HOST_REASON),
    ("brackets in Host", host(b"a[1]"), 400, HOST_REASON),
    ("bad escape in Host", host(b"a%4g"), 400, HOST_REASON),
    ("raw bytes in Host", host(b"\xc3\xa4"), 400, HOST_REASON),
    #
    # fields
    ("space before the colon", GET + b"Host : a\r\n\r\n", 400, FIELD),
    ("tab before the colon", field(b"X\t: a"), 400, FIELD),
    ("no name", field(b": a"), 400, r"field name \(RFC 9112 5\.1\)"),
    ("no colon", field(b"X"), 400, FIELD),
    ("raw bytes in a name", field(b"X\xe9: a"), 400, FIELD),
    ("NUL in a name", field(b"X\0: a"), 400, FIELD),
    ("brackets in a name", field(b"X[1]: a"), 400, FIELD),
    ("folded field", field(b"X: 1\r\n 2"), 400, r"folded field \(RFC 9112 5\.2\)"),
    ("folded with a tab", field(b"X: 1\r\n\t2"), 400, r"folded field \(RFC 9112 5\.2\)"),
    (
        "folded first line",
        GET + b" X: 1\r\n" + HOST + END,
        400,
        r"folded field \(RFC 9112 5\.2\)",
    ),
    ("LF in a value", field(b"X: a\nY: b"), 400, BARE),
    ("CR in a value", field(b"X: a\rb"), 400, LONE),
    ("CR before CR LF", field(b"X: a\r"), 400, LONE),
    ("CR for the end of a field", field(b"X: a\rTransfer-Encoding: chunked"), 400, LONE),
    (
        "CR for a value",
        POST + b"X:\rxTransfer-Encoding: chunked\r\n\r\n" + LAST,
        400,
        LONE,
    ),
    ("CR before the colon", field(b"X\r: a"), 400, FIELD),
    ("CR for the end of the head", GET + HOST + b"\r" + FOLLOWER, 400, LONE),
    ("NUL in a value", field(b"X: a\0b"), 400, FIELD),
    ("DEL in a value", field(b"X: a\x7f"), 400, FIELD),
    ("ESC in a value", field(b"X: \x1b[2J"), 400, FIELD),
    ("two types", field(b"Content-Type: a/b\r\nContent-Type: a/b"), 400, r"Content-Type \(RFC 9110 5\.3\)"),
    ("LF only", b"GET /bad HTTP/1.1\nHost: a\n\n", 400, BARE),
    ("LF behind the head", GET + b"Host: a\r\n\n", 400, BARE),
    ("LF first", b"\n" + GET + HOST + END, 400, BARE),
    ("many empty lines first", END * 3 + GET + HOST + END, 400, r"RFC 9112 2\.2"),
    (
        "more than limit_request_fields",
        GET + HOST + b"X: 1\r\n" * 50 + END,
        431,
        "limit_request_fields",
    ),
    ("long field", field(b"X: " + b"x" * 300), 431, "limit_request_field_size"),
    ("long name", field(b"x" * 300 + b": 1"), 431, "limit_request_field_size"),
    (
        "long head",
        GET + HOST + (b"X: " + b"x" * 200 + b"\r\n") * 6 + END,
        431,
        "max_head_size",
    ),
    #
    # the request line
    ("HTTP/0.9", b"GET /bad\r\n\r\n", 400, LINE),
    ("HTTP/2.0", b"GET /bad HTTP/2.0\r\n" + HOST + END, 505, MAJOR),
    ("HTTP/0.9 as a version", b"GET /bad HTTP/0.9\r\n" + HOST + END, 505, MAJOR),
    ("HTTP/8.4", b"GET /bad HTTP/8.4\r\n" + HOST + END, 505, MAJOR),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, MAJOR),
    ("HTTP/1.10", b"GET /bad HTTP/1.10\r\n" + HOST + END, 400, VERSION),
    ("http/1.1", b"GET /bad http/1.1\r\n" + HOST + END, 400, VERSION),
    ("space behind it", b"GET /bad HTTP/1.1 \r\n" + HOST + END, 400, VERSION),
    ("space before it", b" GET /bad HTTP/1.1\r\n" + HOST + END, 400, LINE),
    ("two spaces", b"GET  /bad HTTP/1.1\r\n" + HOST + END, 400, TARGET),
    ("a tab", b"GET\t/bad HTTP/1.1\r\n" + HOST + END, 400, LINE),
    ("method with a colon", target(b"/bad", b"G:T"), 400, LINE),
    ("NUL in the method", target(b"/bad", b"G\0T"), 400, LINE),
    ("* for GET", target(b"*"), 400, r"OPTIONS.*RFC 9112 3\.2\.4"),
    ("relative target", target(b"bad"), 400, TARGET),
    ("authority for GET", target(b"a:443"), 400, TARGET),
    ("other scheme", target(b"ftp://a/bad"), 400, TARGET),
    ("URL without a host", target(b"http:///bad"), 400, TARGET),
    ("URL with a user", target(b"http://u:p@a/bad"), 400, TARGET),
    ("URL with a bad port", target(b"http://a:b/bad"), 400, TARGET),
    ("fragment", target(b"/bad#frag"), 400, TARGET),
    ("space in the target", target(b"/bad /bad"), 400, TARGET),
    ("NUL in the target", target(b"/bad\0"), 400, TARGET),
    ("DEL in the target", target(b"/bad\x7f"), 400, TARGET),
    ("CR in the target", target(b"/bad\rx"), 400, LONE),
    ("CONNECT", target(b"a:443", b"CONNECT"), 501, r"CONNECT.*RFC 9110 9\.3\.6"),
    ("CONNECT of a path", target(b"/bad", b"CONNECT"), 501, r"RFC 9110 9\.3\.6"),
    ("long line", target(b"/" + b"x" * 300), 414, "limit_request_line"),
    ("line without an end", b"x" * 600, 414, "limit_request_line"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n", 400, BARE),
    #
    # Expect
    ("unknown expectation", field(b"Expect: foo"), 417, r"RFC 9110 10\.1\.1"),
    (
        "unknown expectation beside the known one",
        length(b"5\r\nExpect: 100-continue, foo"),
        417,
        r"RFC 9110 10\.1\.1",
    ),
    (
        "unknown expectation in a second field",
        length(b"5\r\nExpect: 100-continue\r\nExpect: foo"),
        417,
        r"RFC 9110 10\.1\.1",
    ),
    #
    # chunks
    ("size 0x5", CODED + b"0x5\r\n12345\r\n" + LAST, 400, SIZE),
    ("size +5", CODED + b"+5\r\n12345\r\n" + LAST, 400, SIZE),
    ("size -5", CODED + b"-5\r\n12345\r\n" + LAST, 400, SIZE),
    ("size 0_5", CODED + b"0_5\r\n12345\r\n" + LAST, 400, SIZE),
    ("size and a space", CODED + b"5 \r\n12345\r\n" + LAST, 400, EXTENSION),
    ("space and a size", CODED + b" 5\r\n12345\r\n" + LAST, 400, SIZE),
    ("tab and a size", CODED + b"\t5\r\n12345\r\n" + LAST, 400, SIZE),
    ("space, later size", CODED + b"1\r\nx\r\n 5\r\n12345\r\n" + LAST, 400, SIZE),
    ("size of letters", CODED + b"xyz\r\n12345\r\n" + LAST, 400, SIZE),
    ("empty line for a size", CODED + END + LAST, 400, SIZE),
    (
        "empty line before a size",
        CODED + b"5\r\n12345\r\n\r\n" + LAST,
        400,
        SIZE,
    ),
    ("size and LF", CODED + b"5\n12345\r\n" + LAST, 400, BARE),
    ("data and LF", CODED + b"5\r\n12345\n" + LAST, 400, BARE),
    ("data without an end", CODED + b"5\r\n123456\r\n" + LAST, 400, OVERRUN),
    ("data and a space", CODED + b"5\r\n12345 \r\n" + LAST, 400, OVERRUN),
    ("data and a tab", CODED + b"5\r\n12345\t\r\n" + LAST, 400, OVERRUN),
    ("last chunk and LF", CODED + b"0\r\n\n", 400, BARE),
    (
        "size 2^64 + 5",
        CODED + b"10000000000000005\r\n12345\r\n" + LAST,
        400,
        SIZE,
    ),
    ("size 2^64 - 1", CODED + b"ffffffffffffffff\r\n12345", 413, "max_body_size"),
    ("chunk over max_body_size", CODED + b"100001\r\n12345", 413, "max_body_size"),
    (
        "chunks over max_body_size",
        CODED + b"1\r\nx\r\n100000\r\n12345",
        413,
        "max_body_size",
    ),
    ("LF in an extension", CODED + b"5;x\nfoo\r\n12345\r\n" + LAST, 400, BARE),
    ("CR in an extension", CODED + b"5;x\rfoo\r\n12345\r\n" + LAST, 400, LONE),
    ("CR behind a size", CODED + b"5\r12345\r\n" + LAST, 400, LONE),
    ("CR behind data", CODED + b"5\r\n12345\r0\r\n\r\n", 400, LONE),
    ("CR behind the last chunk", CODED + b"0\r\r\n", 400, LONE),
    ("CR for the end of the body", CODED + b"0\r\n\r" + FOLLOWER, 400, LONE),
    ("NUL in an extension", CODED + b"5;x\0\r\n12345\r\n" + LAST, 400, EXTENSION),
    ("extension with no value", CODED + b"5;x=\r\n12345\r\n" + LAST, 400, EXTENSION),
    ("no name of an extension", CODED + b"5;\r\n12345\r\n" + LAST, 400, EXTENSION),
    ("no name but a value", CODED + b"5;=x\r\n12345\r\n" + LAST, 400, EXTENSION),
    ("white space at its end", CODED + b"5;x=y \r\n12345\r\n" + LAST, 400, EXTENSION),
    ("no token for its name", CODED + b"5;x@y\r\n12345\r\n" + LAST, 400, EXTENSION),
    ("text behind its quotes", CODED + b'5;x="y"z\r\n12345\r\n' + LAST, 400, EXTENSION),
    ("open quotes", CODED + b'5;x="a\r\n12345\r\n' + LAST, 400, EXTENSION),
    (
        "long extension",
        CODED + b"5;" + b"x" * 1200 + b"\r\n12345\r\n" + LAST,
        431,
        "max_head_size",
    ),
    #
    # trailers
    ("trailer of length", CODED + b"0\r\nContent-Length: 9\r\n\r\n", 400, FORBIDDEN),
    (
        "trailer of coding",
        CODED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        FORBIDDEN,
    ),
    ("trailer of Host", CODED + b"0\r\nHost: b\r\n\r\n", 400, FORBIDDEN),
    ("garbage for a trailer", CODED + b"0\r\n@@garbage\r\n\r\n", 400, TRAILER),
    ("space before its colon", CODED + b"0\r\nX : 1\r\n\r\n", 400, TRAILER),
    ("folded trailer", CODED + b"0\r\nX: 1\r\n 2\r\n\r\n", 400, r"folded trailer \(RFC 9112 5\.2\)"),
    (
        "folded first trailer",
        CODED + b"0\r\n X: 1\r\n\r\n",
        400,
        r"folded trailer \(RFC 9112 5\.2\)",
    ),
    (
        "trailer of an unknown coding",
        CODED + b"0\r\nTransfer-Encoding: x\r\n\r\n",
        400,
        FORBIDDEN,
    ),
    ("LF behind a trailer", CODED + b"0\r\nX: 1\n\r\n", 400, BARE),
    ("CR in a trailer", CODED + b"0\r\nX: 1\rY: 2\r\n\r\n", 400, LONE),
    ("NUL in a trailer", CODED + b"0\r\nX: \0\r\n\r\n", 400, TRAILER),
    (
        "long trailer",
        CODED + b"0\r\nX: " + b"x" * 1200 + b"\r\n\r\n",
        431,
        "max_head_size",
    ),
]

# What must be let through: the request itself, then the follower.  The variables
# and the body that the application gets, None for one that it does not.
TAKEN = [
    ("plain", GET + HOST + END, {"REQUEST_METHOD": "GET"}, ""),
    ("an empty line first", END + GET + HOST + END, {}, ""),
    ("two empty lines first", END * 2 + GET + HOST + END, {}, ""),
    ("length", length(b"5"), {"CONTENT_LENGTH": "5"}, "12345"),
    ("length 005", length(b"005"), {}, "12345"),
    ("length and spaces", length(b" \t5  "), {"CONTENT_LENGTH": "5"}, "12345"),
    ("length of 0", length(b"0", b""), {}, ""),
    ("body of a GET", GET + HOST + b"Content-Length: 2\r\n\r\nab", {}, "ab"),
    (
        "a request for a body",
        length(b"%d" % len(SMUGGLED), SMUGGLED),
        {},
        SMUGGLED.decode(),
    ),
    ("coding of any case", coding(b"ChUnKeD"), {"HTTP_TRANSFER_ENCODING": None}, ""),
    (
        "chunks",
        CODED + b"a\r\n1234567890\r\n0001\r\nx\r\n" + LAST,
        {"CONTENT_LENGTH": "11", "HTTP_TRANSFER_ENCODING": None},
        "1234567890x",
    ),
    (
        "a request in a chunk",
        CODED + b"%x\r\n%s\r\n" % (len(SMUGGLED), SMUGGLED) + LAST,
        {},
        SMUGGLED.decode(),
    ),
    ("extensions", CODED + b"1;a;b=c;d=e;5\r\nx\r\n0;f=0\r\n\r\n", {}, "x"),
    ("quoted extension", CODED + b'1;a="b;\\"c\\" \xe9";d\r\nx\r\n' + LAST, {}, "x"),
    ("spaced extension", CODED + b'1 \t; a = b ;c = ""\r\nx\r\n' + LAST, {}, "x"),
    (
        "trailers",
        CODED + b"1\r\nx\r\n0\r\nX-Sum: 1\r\nX-Other:\r\n\r\n",
        {"HTTP_X_SUM": None, "HTTP_X_OTHER": None},
        "x",
    ),
    (
        "coding in HTTP/1.2",
        CODED.replace(b"1.1", b"1.2") + b"1\r\nx\r\n" + LAST,
        {"SERVER_PROTOCOL": "HTTP/1.2"},
        "x",
    ),
    (
        "POST with an upgrade to h2c, and length",
        length(
            b"5\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
        ),
        {"HTTP_UPGRADE": "h2c"},
        "12345",
    ),
    (
        "POST with an upgrade to h2c, and chunks",
        coding(
            b"chunked",
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
            b"5\r\n12345\r\n" + LAST,
        ),
        {"HTTP_UPGRADE": "h2c"},
        "12345",
    ),
    (
        "websocket",
        field(
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        ),
        {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"},
        "",
    ),
    ("no white space", field(b"X:a"), {"HTTP_X": "a"}, ""),
    ("much white space", field(b"X: \t a b \t "), {"HTTP_X": "a b"}, ""),
    ("empty value", field(b"X:"), {"HTTP_X": ""}, ""),
    ("raw bytes in a value", field(b"X: \xe9"), {"HTTP_X": "\xe9"}, ""),
    (
        "names with _",
        field(b"X_A: 1\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\nX-A: 2"),
        {"HTTP_X_A": "2", "HTTP_CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": None},
        "",
    ),
    ("Proxy", field(b"Proxy: http://evil/"), {"HTTP_PROXY": None}, ""),
    (
        "Cookies",
        field(b"Cookie: a=1\r\nX: 1\r\nCookie: b=2\r\nX: 2"),
        {"HTTP_COOKIE": "a=1; b=2", "HTTP_X": "1,2"},
        "",
    ),
    ("empty Host", host(b""), {"HTTP_HOST": ""}, ""),
    ("Host with a port", host(b"a.example:81"), {"HTTP_HOST": "a.example:81"}, ""),
    ("Host with an empty port", host(b"a:"), {"HTTP_HOST": "a:"}, ""),
    ("Host with _", host(b"a_b"), {"HTTP_HOST": "a_b"}, ""),
    ("Host with an escape", host(b"a%2db"), {"HTTP_HOST": "a%2db"}, ""),
    ("Host of IPv6", host(b"[fe80::1]:8000"), {"HTTP_HOST": "[fe80::1]:8000"}, ""),
    ("Host of IPv4 in IPv6", host(b"[::ffff:1.2.3.4]"), {}, ""),
    ("target with a host", target(b"http://b:81/x?y"), {"HTTP_HOST": "b:81"}, ""),
    ("target with a secure host", target(b"HTTPS://b"), {"PATH_INFO": "/"}, ""),
    ("target with IPv6", target(b"http://[::1]:81/x"), {"HTTP_HOST": "[::1]:81"}, ""),
    ("* for OPTIONS", target(b"*", b"OPTIONS"), {"PATH_INFO": "*"}, ""),
    ("raw bytes in a target", target(b"/\xe9"), {"PATH_INFO": "/\xe9"}, ""),
    ("escaped NUL", target(b"/%00"), {"PATH_INFO": "/\0"}, ""),
    ("unknown method", target(b"/x", b"M-SEARCH"), {"REQUEST_METHOD": "M-SEARCH"}, ""),
    (
        "expectation of HTTP/1.0",
        b"POST /x HTTP/1.0\r\nConnection: keep-alive\r\nExpect: foo\r\n"
        b"Content-Length: 1\r\n\r\nx",
        {"SERVER_PROTOCOL": "HTTP/1.0"},
        "x",
    ),
    ("expectation without a body", field(b"Expect: 100-Continue"), {}, ""),
    ("expectation in a list", field(b"Expect: , 100-continue,\r\nExpect:"), {}, ""),
    ("no hints", field(b"X: 1"), {"wsgi.early_hints": None}, ""),
]


# ---- splits


def whole(message: bytes) -> list[bytes]:
    return [message]


def single_bytes(message: bytes) -> list[bytes]:
    return [message[i : i + 1] for i in range(len(message))]


def in_line_ends(message: bytes) -> list[bytes]:
    """Behind each CR: its LF comes later."""
    return re.findall(rb"[^\r]*\r|[^\r]+", message)


def in_line_starts(message: bytes) -> list[bytes]:
    """Behind the first byte of each line: in the chunk's size, in the name."""
    return re.findall(rb"(?:^|(?<=\n)).|(?:(?<!^)(?<!\n).)+\n?|\n", message, re.S)


SPLITS = [whole, single_bytes, in_line_ends, in_line_starts]

# Between two pieces, so that the server reads them one by one.
PAUSE = 0.0002
# More than the buffers of a request hold; nobody reads it.
FLOOD = FOLLOWER * 4000


@pytest.fixture(scope="module")
def framing(serve_module) -> Iterator[Server]:
    server = serve_module(
        "framing:application",
        log_refused=0,
        threads=2,
        max_body_size="1m",
        max_head_size="1k",
        limit_request_line="250",
        limit_request_field_size="250",
        limit_request_fields="40",
        linger_timeout="30s",
    )
    before = server.workers()
    yield server
    assert server.workers() == before


def send(client: Client, pieces: list[bytes]) -> None:
    for i, piece in enumerate(pieces):
        if i > 0:
            time.sleep(PAUSE)
        client.send(piece)


def expect_refusal(client: Client, why: str, status: int) -> None:
    """One answer, then an orderly end: a reset could have taken the answer back."""
    response = client.read_response()
    assert (response.status, response.closes) == (status, True), why
    assert client.buffer == b"" and client.socket.recv(1) == b"", why


def expect_in_log(server: Server, before: int, status: int, reason: str) -> None:
    lines = wait_until(lambda: server.log[before:], "a line in the log")
    assert len(lines) == 1, lines
    assert re.search(rf"\[info\].* 127\.0\.0\.1: {status} .*({reason})", lines[0])


def calls(server: Server) -> list[str]:
    return json.loads(server.get("/calls").body)


@pytest.mark.parametrize(
    "why, message, status, reason", REFUSED, ids=[row[0] for row in REFUSED]
)
def test_breach_is_refused_in_any_split(framing, why, message, status, reason):
    before = calls(framing)
    for split in SPLITS:
        logged = len(framing.log)
        with framing.client() as client:
            # What is behind it comes with its last piece.
            pieces = split(message)
            pieces[-1] += FOLLOWER
            send_until_refused(client, pieces)
            expect_refusal(client, f"{why}, {split.__name__}", status)
        expect_in_log(framing, logged, status, reason)
    assert calls(framing) == before


def send_until_refused(client: Client, pieces: list[bytes]) -> None:
    try:
        send(client, pieces)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer tells


@pytest.mark.parametrize(
    "why, message, status, reason", REFUSED, ids=[row[0] for row in REFUSED]
)
def test_refusal_reaches_a_client_that_still_sends(
    framing, why, message, status, reason
):
    before = calls(framing)
    with framing.client() as client:
        client.send(message + FLOOD)
        expect_refusal(client, why, status)
        client.send(FLOOD)
    assert calls(framing) == before


@pytest.mark.parametrize(
    "why, message, variables, body", TAKEN, ids=[row[0] for row in TAKEN]
)
def test_what_is_allowed_is_taken_in_any_split(framing, why, message, variables, body):
    with framing.client() as client:
        for split in SPLITS:
            send(client, split(message + FOLLOWER))
            response = client.read_response()
            assert response.status == 200 and not response.closes, why
            got = json.loads(response.body)
            assert got["body"] == body
            for name, value in variables.items():
                assert got.get(name) == value, (why, split.__name__)
            follower = json.loads(client.read_response().body)
            assert follower["PATH_INFO"] == "/follower"
    assert "GET /smuggled" not in calls(framing)


def test_requests_before_a_breach_are_answered(framing):
    before = len(calls(framing))
    with framing.client() as client:
        client.send(FOLLOWER * 3 + GET + END + FOLLOWER)
        for _ in range(3):
            assert client.read_response().status == 200
        expect_refusal(client, "behind three", 400)
    assert len(calls(framing)) == before + 3


def test_length_with_another_name_is_nobodys(framing):
    """What it was to be the length of is the next request."""
    with framing.client() as client:
        client.send(POST + b"Content_Length: 9\r\n\r\nx y z\r\n\r\n" + FOLLOWER)
        assert json.loads(client.read_response().body)["body"] == ""
        expect_refusal(client, "no request", 400)


def test_splits_are_splits():
    message = CODED + b"10\r\n0123456789abcdef\r\n" + LAST
    for split in SPLITS:
        assert b"".join(split(message)) == message
    assert b"1" in in_line_starts(message)
    assert any(piece.endswith(b"\r") for piece in in_line_ends(message))
