"""Counts what reaches it: a request with a bad body must not."""

import json

calls = []


def application(environ, start_response):
    """What it was asked, except for /calls: all that was asked before."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/calls":
        answer = calls
    else:
        calls.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        answer = {k: v for k, v in environ.items() if isinstance(v, str)}
        answer["body"] = body.decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
