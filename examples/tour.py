"""A tour of what a WSGI server does, one page for each thing.

    cgthread -b 127.0.0.1:8000 --chdir examples tour:application

Needs nothing but the standard library and runs under any WSGI server; what only
cgthread tells (the keys "cgthread.*" of the environ) is shown where it is there.
"""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import hashlib
import itertools
import mimetypes
import os
import threading
import time
from html import escape
from typing import Callable, Dict, Iterable, Iterator
from urllib.parse import parse_qsl
from wsgiref.util import FileWrapper

Environ = Dict[str, object]
StartResponse = Callable[..., object]
Page = Callable[[Environ, StartResponse], Iterable[bytes]]

MAX_UPLOAD = 64 * 1024 * 1024
STREAM_LINES = 15
STREAM_PAUSE = 0.2

LAYOUT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - cgthread</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; --link: #06c; }}
@media (prefers-color-scheme: dark) {{ :root {{ --link: #6bf; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem;
       margin: 2rem auto; padding: 0 1rem; }}
nav {{ border-bottom: 1px solid var(--line); padding-bottom: .5rem; }}
nav a {{ margin-right: .8rem; white-space: nowrap; }}
a {{ color: var(--link); text-decoration: none; }}
a:hover {{ text-decoration: underline; }}
h1 {{ font-size: 1.5rem; font-weight: 600; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
         border-bottom: 1px solid var(--line); }}
th {{ font-weight: 600; white-space: nowrap; }}
td {{ overflow-wrap: anywhere; }}
code, pre, td.value {{ font-family: ui-monospace, monospace; font-size: .875rem; }}
input, textarea, button {{ font: inherit; padding: .3rem .5rem; margin: .2rem 0; }}
textarea {{ width: 100%; box-sizing: border-box; }}
dt {{ font-weight: 600; margin-top: .6rem; }}
dd {{ margin-left: 0; }}
.note {{ background: var(--soft); padding: .6rem .9rem; border-radius: .3rem; }}
</style>
</head>
<body>
<nav>{links}</nav>
<h1>{title}</h1>
{content}
</body>
</html>
"""


# ---- replies ----------------------------------------------------------------


def page(
    environ: Environ,
    start_response: StartResponse,
    title: str,
    content: str,
    status: str = "200 OK",
    headers: Iterable[tuple[str, str]] = (),
) -> list[bytes]:
    """A whole HTML page.  title is text, content is HTML."""
    root = url(environ, "/")
    links = f'<a href="{root}">cgthread</a>' + "".join(
        f'<a href="{url(environ, path)}">{escape(path[1:])}</a>' for path, _ in TOUR
    )
    body = LAYOUT.format(title=escape(title), links=links, content=content).encode()
    start_response(
        status,
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ],
    )
    return [body]


def url(environ: Environ, path: str) -> str:
    """The path below where the application is mounted, for an HTML attribute."""
    return escape(str(environ.get("SCRIPT_NAME", "")) + path)


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values as an HTML table, all escaped."""
    body = "".join(
        f'<tr><th>{escape(name)}</th><td class="value">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<table>{body}</table>"


def not_found(environ: Environ, start_response: StartResponse) -> list[bytes]:
    path = str(environ.get("PATH_INFO", "")).encode("latin-1")
    shown = escape(path.decode("utf-8", "replace"))
    content = f"<p>There is no page <code>{shown}</code>.</p>"
    return page(environ, start_response, "Not found", content, "404 Not Found")


def not_allowed(
    environ: Environ, start_response: StartResponse, methods: tuple[str, ...]
) -> list[bytes]:
    allow = ", ".join(methods)
    method = escape(str(environ["REQUEST_METHOD"]))
    return page(
        environ,
        start_response,
        "Method not allowed",
        f"<p>This page knows {escape(allow)}, not <code>{method}</code>.</p>",
        "405 Method Not Allowed",
        [("Allow", allow)],
    )


def refuse(
    environ: Environ, start_response: StartResponse, status: str, why: str
) -> list[bytes]:
    content = f"<p>{escape(why)}</p>"
    return page(environ, start_response, status.partition(" ")[2], content, status)


# ---- the request's body -------------------------------------------------------


def read_body(environ: Environ) -> bytes:
    """All of the body, as far as CONTENT_LENGTH goes."""
    length = int(str(environ.get("CONTENT_LENGTH") or 0))
    return environ["wsgi.input"].read(length)  # type: ignore[attr-defined]


def multipart(content_type: str, body: bytes) -> list[email.message.EmailMessage]:
    """The parts of a multipart/form-data body; none if it is no such thing."""
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(head + body)
    if message.get_content_type() != "multipart/form-data":
        return []
    return list(message.iter_parts())


# ---- the pages ----------------------------------------------------------------


def index(environ: Environ, start_response: StartResponse) -> list[bytes]:
    items = "".join(
        f'<dt><a href="{url(environ, path)}">{escape(path)}</a></dt>'
        f"<dd>{escape(about)}</dd>"
        for path, about in TOUR
    )
    software = escape(str(environ.get("SERVER_SOFTWARE", "a WSGI server")))
    content = (
        f"<p>This small application is served by <code>{software}</code>. Each page"
        f" shows one thing that a WSGI server does.</p><dl>{items}</dl>"
    )
    return page(environ, start_response, "A tour of cgthread", content)


def show_environ(environ: Environ, start_response: StartResponse) -> list[bytes]:
    rows = sorted(
        (key, value if isinstance(value, str) else repr(value))
        for key, value in environ.items()
    )
    return page(environ, start_response, "The environ of this request", table(rows))


def form(environ: Environ, start_response: StartResponse) -> list[bytes]:
    content = (
        '<form method="post">'
        '<p><label>Name<br><input name="name" value="Ada"></label></p>'
        '<p><label>Message<br><textarea name="message" rows="4">Grüße &amp;'
        " &lt;b&gt;not bold&lt;/b&gt;</textarea></label></p>"
        "<p><button>Send</button></p></form>"
    )
    if environ["REQUEST_METHOD"] == "POST":
        text = read_body(environ).decode("utf-8", "replace")
        try:
            fields = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            why = "A form of more than 100 fields."
            return refuse(environ, start_response, "400 Bad Request", why)
        content = f"<h2>Received</h2>{table(fields)}<h2>Once more</h2>{content}"
    return page(environ, start_response, "A form", content)


def upload(environ: Environ, start_response: StartResponse) -> list[bytes]:
    content = (
        '<form method="post" enctype="multipart/form-data">'
        '<p><input type="file" name="file" multiple></p>'
        "<p><button>Upload</button></p></form>"
    )
    if environ["REQUEST_METHOD"] == "POST":
        if int(str(environ.get("CONTENT_LENGTH") or 0)) > MAX_UPLOAD:
            why = f"More than {MAX_UPLOAD} bytes."
            return refuse(environ, start_response, "413 Content Too Large", why)
        content_type = str(environ.get("CONTENT_TYPE", ""))
        parts = multipart(content_type, read_body(environ))
        if not parts:
            why = "The body is not multipart/form-data."
            return refuse(environ, start_response, "400 Bad Request", why)
        content = "".join(map(describe_part, parts)) + content
    return page(environ, start_response, "An upload", content)


def describe_part(part: email.message.EmailMessage) -> str:
    name = part.get_param("name", "", "content-disposition")
    data = part.get_payload(decode=True) or b""
    rows: list[tuple[str, object]] = [
        ("field", name),
        ("file name", part.get_filename() or "-"),
        ("type", part.get_content_type()),
        ("size", f"{len(data)} bytes"),
        ("SHA-256", hashlib.sha256(data).hexdigest()),
    ]
    return table(rows) + "<br>"


def stream(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else stream_lines()


def stream_lines() -> Iterator[bytes]:
    begin = time.monotonic()
    for number in range(1, STREAM_LINES + 1):
        seconds = time.monotonic() - begin
        yield f"line {number:2} of {STREAM_LINES}, {seconds:.1f} s\n".encode()
        if number < STREAM_LINES:
            time.sleep(STREAM_PAUSE)


per_thread = threading.local()
all_requests = itertools.count(1)


def who(environ: Environ, start_response: StartResponse) -> list[bytes]:
    per_thread.count = getattr(per_thread, "count", 0) + 1
    rows: list[tuple[str, object]] = [
        ("worker", environ.get("cgthread.worker", "-")),
        ("process", os.getpid()),
        ("thread", environ.get("cgthread.thread", "-")),
        ("thread's native id", threading.get_native_id()),
        ("visits to this thread", per_thread.count),
        ("visits to this process", next(all_requests)),
    ]
    content = table(rows) + (
        '<p class="note">Reload the page: another process or another thread may'
        " answer. The counters are the process's and the thread's own.</p>"
    )
    return page(environ, start_response, "Who answered", content)


def send_file(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    source = open(__file__, "rb")
    size = os.fstat(source.fileno()).st_size
    kind = mimetypes.guess_type(__file__)[0] or "text/plain"
    start_response(
        "200 OK",
        [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(size))],
    )
    return environ.get("wsgi.file_wrapper", FileWrapper)(source)  # type: ignore


# ---- which page ---------------------------------------------------------------

PAGES: dict[str, tuple[Page, tuple[str, ...]]] = {
    "/": (index, ("GET", "HEAD")),
    "/environ": (show_environ, ("GET", "HEAD")),
    "/form": (form, ("GET", "HEAD", "POST")),
    "/upload": (upload, ("GET", "HEAD", "POST")),
    "/stream": (stream, ("GET", "HEAD")),
    "/who": (who, ("GET", "HEAD")),
    "/file": (send_file, ("GET", "HEAD")),
}

TOUR = [
    ("/environ", "All that the application is told about a request."),
    ("/form", "A form, and what comes when it is sent."),
    ("/upload", "Files sent to the server: their names, sizes and checksums."),
    ("/stream", "A reply that is made while it is sent: a line every 200 ms."),
    ("/who", "Which worker process and which of its threads answered."),
    ("/file", "The source of this application, sent through wsgi.file_wrapper."),
]


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path = str(environ.get("PATH_INFO") or "/")
    if path not in PAGES:
        return not_found(environ, start_response)
    function, methods = PAGES[path]
    if environ["REQUEST_METHOD"] not in methods:
        return not_allowed(environ, start_response, methods)
    return function(environ, start_response)
