"""An application between wsgiref.validate and the server: each sees the other's
every breach of PEP 3333."""

import json
from urllib.parse import parse_qsl
from wsgiref.validate import validator

import basic


def read_body(environ, how):
    """The body by one of the ways that PEP 3333 has to read it."""
    stream = environ["wsgi.input"]
    if how == "lines":
        return b"".join(stream)
    if how == "readline":
        return b"".join(iter(stream.readline, b""))
    if how == "readlines":
        return b"".join(b"".join(few) for few in iter(lambda: stream.readlines(10), []))
    if how == "pieces":
        return b"".join(iter(lambda: stream.read(7), b""))
    if how == "none":
        return b""
    return stream.read(int(environ.get("CONTENT_LENGTH") or 0))


def application(environ, start_response):
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    body = read_body(environ, query.get("read"))
    code = query.get("code", "200")
    about = json.dumps(
        {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "body": body.decode("latin-1"),
            "length": environ.get("CONTENT_LENGTH", ""),
            "type": environ.get("CONTENT_TYPE", ""),
            "x": environ.get("HTTP_X_TEST", ""),
        }
    ).encode()
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    headers = [("Content-Type", "application/json"), ("X-App", "yes")]
    if code in ("204", "304"):
        start_response(code + " Nothing", headers[1:])
        return []
    how = query.get("reply", "list")
    if how == "length":
        headers.append(("Content-Length", str(len(about))))
    write = start_response(code + " Fine", headers)
    if how == "write":
        write(about[:10])
        write(about[10:])
        return []
    if how == "generator":
        return (about[i : i + 20] for i in range(0, len(about), 20))
    if how == "gaps":
        return [b"", about[:5], b"", about[5:], b""]
    return [about]


application = validator(application)
basic_application = validator(basic.application)
