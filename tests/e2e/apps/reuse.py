"""What an application may notice of objects that serve more than one request."""

from __future__ import annotations

import json
import os
import sys
import threading

JSON = [("Content-Type", "application/json")]
kept: dict[str, object] = {}


def answer(start_response, value) -> list[bytes]:
    start_response("200 OK", JSON)
    return [json.dumps(value).encode()]


def texts(environ) -> dict[str, str]:
    return {k: v for k, v in environ.items() if isinstance(v, str)}


def echo(environ, start_response):
    return answer(start_response, texts(environ))


def objects(environ):
    return environ["wsgi.input"], environ["cgthread.client_disconnected"]


def identities(environ, start_response):
    found = [id(start_response), *map(id, objects(environ))]
    return answer(start_response, found + [threading.get_ident()])


def keep(environ, start_response):
    """Keeps all of this request; tells what it is."""
    kept.update(environ=environ, texts=texts(environ), start_response=start_response)
    kept["input"], kept["gone"] = objects(environ)
    return identities(environ, start_response)


def keep_write(environ, start_response):
    kept["write"] = start_response("200 OK", JSON)
    return [b"[]"]


def error_of(function, *args) -> str | None:
    try:
        function(*args)
    except Exception as error:
        return type(error).__name__
    return None


def compare(environ, start_response):
    """While this request runs: is the kept one dead, and as it was?"""
    found = {
        "same": [
            kept["start_response"] is start_response,
            kept["input"] is environ["wsgi.input"],
            kept["gone"] is environ["cgthread.client_disconnected"],
            kept["environ"] is environ,
        ],
        "start_response": error_of(kept["start_response"], "500 Wrong", []),
        "input": error_of(kept["input"].read),
        "gone": [kept["gone"](), environ["cgthread.client_disconnected"]()],
        "changed": kept["texts"] != texts(kept["environ"]),
        "body": environ["wsgi.input"].read().decode(),
    }
    return answer(start_response, found)


def compare_write(environ, start_response):
    write = start_response("200 OK", JSON)
    found = [kept["write"] is write, error_of(kept["write"], b"wrong")]
    return [json.dumps(found).encode()]


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
