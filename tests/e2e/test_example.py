"""The bundled example application: each of its pages, as a visitor sees it."""

from __future__ import annotations

import hashlib
import html
import re
from urllib.parse import urlencode

import pytest

from server import ROOT, Response

EXAMPLES = ROOT / "examples"
SOURCE = (EXAMPLES / "tour.py").read_bytes()


@pytest.fixture(scope="module")
def tour(serve_module):
    return serve_module("tour:application", workers=2, threads=2, chdir=EXAMPLES)


def rows(response: Response) -> dict[str, str]:
    row = r'<th>(.*?)</th><td class="value">(.*?)</td>'
    found = re.findall(row, response.text, re.S)
    return {html.unescape(name): html.unescape(value) for name, value in found}


def test_every_page_is_linked_from_the_index_and_opens(tour):
    with tour.client() as client:
        index = client.request("GET", "/")
        assert index.status == 200
        targets = set(re.findall(r'href="(/[^"]*)"', index.text))
        assert targets == {
            "/",
            "/environ",
            "/form",
            "/upload",
            "/stream",
            "/who",
            "/file",
        }
        for target in sorted(targets):
            response = client.request("GET", target)
            assert response.status == 200, target
            assert response.body
            head = client.request("HEAD", target)
            assert (head.status, head.body) == (200, b"")


def test_environ_is_shown_escaped(tour):
    response = tour.get("/environ?x=<script>", **{"X-Evil": "<i>&amp;</i>"})
    assert "<script>" not in response.text and "<i>" not in response.text
    shown = rows(response)
    assert shown["QUERY_STRING"] == "x=<script>"
    assert shown["HTTP_X_EVIL"] == "<i>&amp;</i>"
    assert shown["REQUEST_METHOD"] == "GET"
    assert shown["SERVER_PORT"] == str(tour.port)
    assert shown["wsgi.multithread"] == shown["wsgi.multiprocess"] == "True"


def test_form_echoes_what_was_sent(tour):
    body = urlencode({"name": "Grüße <b>", "message": "a&b=c\r\nd"}).encode()
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    with tour.client() as client:
        response = client.request("POST", "/form", [kind], body)
    assert response.status == 200
    assert "Grüße <b>" not in response.text
    assert rows(response) == {"name": "Grüße <b>", "message": "a&b=c\r\nd"}


def multipart(name: str, filename: str, data: bytes) -> tuple[str, bytes]:
    boundary = "----tour-boundary"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
        f'filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_upload_reports_name_size_and_sha256(tour, size):
    data = bytes(i * 7 % 256 for i in range(size))
    kind, body = multipart("file", "a <b>.bin", data)
    with tour.client() as client:
        response = client.request("POST", "/upload", [("Content-Type", kind)], body)
    assert response.status == 200
    shown = rows(response)
    assert shown["file name"] == "a <b>.bin"
    assert shown["size"] == f"{size} bytes"
    assert shown["SHA-256"] == hashlib.sha256(data).hexdigest()


def test_upload_of_something_else_is_refused(tour):
    with tour.client() as client:
        kind = ("Content-Type", "text/plain")
        assert client.request("POST", "/upload", [kind], b"hello").status == 400


def test_stream_comes_line_by_line(tour):
    with tour.client() as client:
        client.send_request("GET", "/stream")
        response = client.read_response()
    lines = response.text.splitlines()
    assert len(lines) == 15 and lines[-1].startswith("line 15 of 15, ")
    assert response.framing == "chunked" and response.chunks == 15


def test_who_names_a_process_of_this_server(tour):
    seen = set()
    clients = [tour.client() for _ in range(8)]
    for client in clients:
        shown = rows(client.request("GET", "/who"))
        assert int(shown["process"]) in tour.workers()
        assert int(shown["visits to this thread"]) >= 1
        assert shown["worker"] in ("1", "2")
        assert shown["thread"] in ("1", "2")
        seen.add((shown["worker"], shown["process"]))
        client.close()
    assert len({worker for worker, _ in seen}) == len(seen)


def test_file_is_the_source_itself(tour):
    response = tour.get("/file")
    assert response.body == SOURCE
    assert response.header("Content-Length") == str(len(SOURCE))


def test_what_is_not_there_is_404_and_escaped(tour):
    response = tour.get("/nope/%3Cscript%3E")
    assert response.status == 404
    assert "<script>" not in response.text
    assert "/nope/&lt;script&gt;" in response.text


@pytest.mark.parametrize("target", ["/", "/environ", "/stream", "/who", "/file"])
def test_wrong_method_is_405_with_allow(tour, target):
    with tour.client() as client:
        response = client.request("POST", target, body=b"x")
        assert response.status == 405
        assert response.header("Allow") == "GET, HEAD"
        assert client.request("GET", "/").status == 200


def test_form_and_upload_name_post_as_allowed(tour):
    with tour.client() as client:
        for target in ("/form", "/upload"):
            response = client.request("DELETE", target)
            assert response.status == 405
            assert response.header("Allow") == "GET, HEAD, POST"


def test_wsgiref_serves_it_too():
    """The keys of cgthread's own in the environ are optional."""
    import io
    import sys
    from wsgiref.util import setup_testing_defaults

    sys.path.insert(0, str(EXAMPLES))
    try:
        from tour import application
    finally:
        sys.path.remove(str(EXAMPLES))
    for path in ("/", "/environ", "/form", "/upload", "/who", "/file"):
        environ = {"PATH_INFO": path, "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environ)
        answers = []
        result = application(environ, lambda *args: answers.append(args))
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        assert answers[0][0] == "200 OK" and body
