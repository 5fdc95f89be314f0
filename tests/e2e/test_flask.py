"""A Flask application, as its users see it."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from server import APPS, Server, needs

needs("flask")


@pytest.fixture(scope="module")
def site(serve_module) -> Server:
    return serve_module("flask_app:application", workers=2, threads=4)


@pytest.fixture
def client(site):
    with site.client() as client:
        yield client


def test_routes(client):
    assert client.request("GET", "/").text == "<h1>index</h1>"
    response = client.request("GET", "/hello/gr%C3%BC%C3%9Fe?x=%26")
    assert response.text == "hello grüße &"
    assert client.request("GET", "/nope").status == 404
    assert client.request("POST", "/").status == 405
    head = client.request("HEAD", "/")
    assert (head.status, head.header("Content-Length")) == (200, "14")
    assert "GET" in client.request("OPTIONS", "/").header("Allow")


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_json(client, coding):
    body = json.dumps({"a": [1, "ü", None]}).encode()
    headers = [("Content-Type", "application/json")]
    if coding == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        coded = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        response = client.request("POST", "/json", headers, coded)
    else:
        response = client.request("POST", "/json", headers, body)
    assert response.header("Content-Type") == "application/json"
    got = json.loads(response.body)
    assert got == {"got": {"a": [1, "ü", None]}, "length": len(body)}


def test_bad_json_is_the_applications_400(client):
    headers = [("Content-Type", "application/json")]
    assert client.request("POST", "/json", headers, b"{").status == 400
    assert client.request("GET", "/").status == 200


def test_form(client):
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    body = b"a=1&a=2&b=%C3%BC+x"
    response = client.request("POST", "/form", headers, body)
    assert json.loads(response.body) == {"a": ["1", "2"], "b": ["ü x"]}


@pytest.mark.parametrize("size", [0, 10, 2_000_000])
def test_upload(client, size):
    data = bytes(i * 31 % 256 for i in range(size))
    body = (
        b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\na note\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--b--\r\n"
    )
    headers = [("Content-Type", "multipart/form-data; boundary=b")]
    got = json.loads(client.request("POST", "/upload", headers, body).body)
    assert got == {
        "name": "x.bin",
        "size": size,
        "sha256": hashlib.sha256(data).hexdigest(),
        "note": "a note",
    }


def test_stream(client):
    response = client.request("GET", "/stream?word=line")
    assert response.framing == "chunked" and response.chunks == 5
    assert response.text == "".join(f"line {i}\n" for i in range(5))
    assert client.request("GET", "/").status == 200


def test_session_and_cookies(client):
    jar: dict[str, str] = {}
    for want in ("1", "2", "3"):
        cookie = "; ".join(f"{k}={v}" for k, v in jar.items())
        response = client.request("GET", "/visits", [("Cookie", cookie)])
        assert response.text == want
        assert len(response.all("Set-Cookie")) == 2
        for line in response.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar[name] = value
    cookies = [("Cookie", f"{name}={value}") for name, value in jar.items()]
    assert client.request("GET", "/cookie", cookies).text == "a b;c"


def test_redirect_names_this_host(client, site):
    host = ("Host", f"localhost:{site.port}")
    response = client.request("GET", "/old", [host])
    assert response.status == 302
    want = f"http://localhost:{site.port}/hello/moved"
    assert response.header("Location") == want


def test_file_and_its_ranges(client):
    source = (APPS / "flask_app.py").read_bytes()
    response = client.request("GET", "/file")
    assert response.body == source
    assert response.header("Content-Length") == str(len(source))
    again = client.request(
        "GET", "/file", [("If-None-Match", response.header("ETag"))]
    )
    assert (again.status, again.body) == (304, b"")
    head = client.request("HEAD", "/file")
    assert head.header("Content-Length") == str(len(source))
    part = client.request("GET", "/file", [("Range", "bytes=10-19")])
    assert part.status in (200, 206)
    assert part.body == (source[10:20] if part.status == 206 else source)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 429, 500, 503])
def test_abort(client, code):
    assert client.request("GET", f"/abort/{code}").status == code
    assert client.request("GET", "/").status == 200


def test_error_handler(client):
    response = client.request("GET", "/fail")
    assert response.status == 418
    assert response.text == "sorry: handled by the application"


def test_crash_is_500_with_the_traceback_in_the_error_log(client, site):
    response = client.request("GET", "/crash")
    assert response.status == 500 and b"ZeroDivisionError" not in response.body
    site.wait_for_line("ZeroDivisionError")


def test_teardown_is_called_for_each_request(serve):
    server = serve("flask_app:application", threads=2)
    targets = ["/", "/nope", "/fail", "/crash", "/stream?word=x", "/file"]
    with server.client() as client:
        for target in targets:
            client.request("GET", target)
        assert int(client.request("GET", "/torn-down").text) == len(targets)


def test_many_clients_at_once(site):
    def visit(number: int) -> bool:
        with site.client() as client:
            return all(
                client.request("GET", f"/hello/{number}?x={i}").text
                == f"hello {number} {i}"
                for i in range(20)
            )

    with ThreadPoolExecutor(16) as clients:
        assert all(clients.map(visit, range(16), timeout=60))
