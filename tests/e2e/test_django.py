"""Django with its admin: log in, add, edit, upload, list, delete."""

from __future__ import annotations

import html
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from server import APPS, PYTHON, Client, Response, Server, needs

needs("django")

SITE = APPS / "django_site"
ADD = "/admin/docs/document/add/"
LIST = "/admin/docs/document/"


@pytest.fixture(scope="module")
def site(serve_module, tmp_path_factory) -> Server:
    data = str(tmp_path_factory.mktemp("django"))
    environment = os.environ | {"DJANGO_DATA": data, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([PYTHON, "prepare.py"], cwd=SITE, env=environment, check=True)
    return serve_module(
        "wsgi:application", "--env", f"DJANGO_DATA={data}", workers=2, chdir=SITE
    )


class Browser:
    """A client with a cookie jar that fills in forms."""

    def __init__(self, server: Server) -> None:
        self.client = Client(server.address)
        self.host = f"127.0.0.1:{server.port}"
        self.cookies: dict[str, str] = {}

    def request(self, method: str, target: str, fields=(), body=None) -> Response:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = [("Host", self.host), *fields]
        if jar:
            headers.append(("Cookie", jar))
        response = self.client.request(method, target, headers, body)
        for line in response.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def get(self, target: str) -> Response:
        return self.request("GET", target)

    def token(self, target: str) -> str:
        page = self.get(target)
        assert page.status == 200, (page.status, page.header("Location"))
        pattern = r'name="csrfmiddlewaretoken" value="([^"]+)"'
        return re.search(pattern, page.text)[1]

    def post(self, target: str, **fields: str) -> Response:
        fields["csrfmiddlewaretoken"] = self.token(target)
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return self.request("POST", target, [kind], urlencode(fields).encode())

    def post_multipart(
        self, target: str, filename: str, data: bytes, **fields: str
    ) -> Response:
        fields["csrfmiddlewaretoken"] = self.token(target)
        parts = [
            f'--bound\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            f"{value}\r\n"
            for name, value in fields.items()
        ]
        parts.append(
            '--bound\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{filename}"\r\nContent-Type: application/pdf\r\n\r\n'
        )
        body = "".join(parts).encode() + data + b"\r\n--bound--\r\n"
        kind = ("Content-Type", "multipart/form-data; boundary=bound")
        return self.request("POST", target, [kind], body)

    def log_in(self, password: str = "secret") -> Response:
        target = "/admin/login/?next=/admin/"
        return self.post(target, username="admin", password=password)


@pytest.fixture
def browser(site):
    browser = Browser(site)
    response = browser.log_in()
    assert (response.status, response.header("Location")) == (302, "/admin/")
    yield browser
    browser.client.close()


def keys(browser: Browser, title: str) -> list[str]:
    """The primary keys of the documents with this title, from the list view."""
    page = browser.get(f"{LIST}?q={title}").text
    link = r'<a href="/admin/docs/document/(\d+)/change/[^"]*">([^<]*)</a>'
    found = re.findall(r'<th class="field-title">' + link, page)
    return [key for key, shown in found if html.unescape(shown) == title]


def test_admin_asks_for_a_login(site):
    browser = Browser(site)
    response = browser.get("/admin/")
    assert response.status == 302
    assert response.header("Location") == "/admin/login/?next=/admin/"


def test_wrong_password_is_refused(site):
    response = Browser(site).log_in("wrong")
    assert response.status == 200 and "errornote" in response.text


def test_post_without_token_is_403(site):
    browser = Browser(site)
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    body = b"username=admin&password=secret"
    assert browser.request("POST", "/admin/login/", [kind], body).status == 403


def test_object_is_added_edited_listed_and_deleted(browser):
    response = browser.post(ADD, title="first-title", note="grüße <b>")
    assert (response.status, response.header("Location")) == (302, LIST)
    assert "first-title" in browser.get(LIST).text

    (key,) = keys(browser, "first-title")
    change = f"{LIST}{key}/change/"
    page = browser.get(change).text
    assert "grüße &lt;b&gt;" in page
    assert browser.post(change, title="second-title", note="").status == 302
    assert keys(browser, "first-title") == []
    assert keys(browser, "second-title") == [key]

    assert browser.post(f"{LIST}{key}/delete/", post="yes").status == 302
    assert keys(browser, "second-title") == []


def test_object_that_does_not_validate_is_not_added(browser):
    response = browser.post(ADD, title="", note="x")
    assert response.status == 200 and "This field is required" in response.text


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_file_is_uploaded_and_comes_back(browser, size):
    data = bytes(i * 13 % 256 for i in range(size))
    title = f"file-of-{size}"
    response = browser.post_multipart(ADD, f"{title}.bin", data, title=title, note="")
    assert response.status == 302
    (key,) = keys(browser, title)
    download = browser.get(f"/download/{key}/")
    assert download.body == data
    assert download.header("Content-Length") == str(size)


def test_pages_of_the_project(browser):
    browser.post(ADD, title="streamed-title", note="")
    assert re.fullmatch(r"\d+ documents", browser.get("/").text)
    response = browser.get("/stream/")
    assert response.framing == "chunked" and "streamed-title\n" in response.text
    assert browser.get("/nope/").status == 404


def test_many_browsers_at_once(site):
    def work(number: int) -> bool:
        browser = Browser(site)
        assert browser.log_in().status == 302
        title = f"of-browser-{number}"
        assert browser.post(ADD, title=title, note="x" * 1000).status == 302
        found = len(keys(browser, title))
        assert browser.get("/admin/").status == 200
        browser.client.close()
        return found == 1

    with ThreadPoolExecutor(8) as browsers:
        assert all(browsers.map(work, range(8), timeout=60))
