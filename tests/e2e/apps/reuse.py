"""What an application may notice of objects that serve more than one request."""

from __future__ import annotations

import json
import os
import sys

JSON = [("Content-Type", "application/json")]


def answer(start_response, value) -> list[bytes]:
    start_response("200 OK", JSON)
    return [json.dumps(value).encode()]


def texts(environ) -> dict[str, str]:
    return {k: v for k, v in environ.items() if isinstance(v, str)}


def echo(environ, start_response):
    return answer(start_response, texts(environ))


def references(environ, start_response):
    """How many hold each value, beyond this environ."""
    other = {"key": os.urandom(20).hex()}
    alone = sys.getrefcount(other["key"])
    names = list(texts(environ))
    found = {k: sys.getrefcount(environ[k]) - alone for k in names}
    return answer(start_response, found)


def spoil(environ, start_response):
    """What an application does to its environ is its own business."""
    environ.clear()
    environ["PATH_INFO"] = environ["HTTP_HOST"] = "spoilt"
    return answer(start_response, 0)


def resident(environ, start_response):
    pages = int(open("/proc/self/statm").read().split()[1])
    return answer(start_response, pages * os.sysconf("SC_PAGESIZE") // 1024)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/").replace("-", "_")
    return globals().get(name, echo)(environ, start_response)
