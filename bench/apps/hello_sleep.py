"""hello; /sleep?SECONDS waits without the GIL before it answers."""
import time

HELLO = b"Hello, world!"
SLEPT = b"slept"


def application(environ, start_response):
    body = HELLO
    if environ.get("PATH_INFO") == "/sleep":
        time.sleep(float(environ["QUERY_STRING"]))
        body = SLEPT
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("Content-Length", str(len(body)))])
    return [body]
