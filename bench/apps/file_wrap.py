"""16 MiB file through wsgi.file_wrapper, or in pieces where there is none."""
import tempfile

SIZE = 16 << 20

# It has no name, so it goes with the process; each request opens it anew.
_file = tempfile.TemporaryFile()
for _ in range(SIZE >> 20):
    _file.write(b"fedcba9876543210" * 65536)
_file.flush()
PATH = "/proc/self/fd/%d" % _file.fileno()


def application(environ, start_response):
    f = open(PATH, "rb")
    start_response("200 OK", [("Content-Type", "application/octet-stream"),
                              ("Content-Length", str(SIZE))])
    wrap = environ.get("wsgi.file_wrapper")
    if wrap is not None:
        return wrap(f, 65536)
    return iter(lambda: f.read(65536), b"")
