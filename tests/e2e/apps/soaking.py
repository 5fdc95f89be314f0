"""What soak.py asks for beside hostile.py: large bodies, a file, and what is counted."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
from urllib.parse import parse_qsl

import basic
import hostile

# Two objects that every request for them shares: a reference too many shows.
KEPT = b"".join(basic.big_block(i) for i in range(16))
PIECES = [KEPT[i : i + (256 << 10)] for i in range(0, len(KEPT), 256 << 10)]

FILE = tempfile.TemporaryFile()
FILE.write(KEPT)
FILE.flush()



class Mallinfo(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks"
        " fordblks keepcost".split()
    ]


LIBC = ctypes.CDLL(None)
LIBC.mallinfo2.restype = Mallinfo


def allocated() -> int:
    """Bytes that malloc has given out, of all arenas and mapped."""
    info = LIBC.mallinfo2()
    return info.uordblks + info.hblkhd


def kept(environ, query, start_response):
    """One piece of known length, too large to be copied."""
    start_response("200 OK", [("Content-Length", str(len(KEPT)))])
    return [KEPT]


def kept_pieces(environ, query, start_response):
    """The same in pieces, each too large to be copied; again and again if asked."""
    start_response("200 OK", [])
    for _ in range(int(query.get("times", 1))):
        yield from PIECES


def wrapped(environ, query, start_response):
    """The same out of a file, with a description of its own."""
    file = open(f"/proc/self/fd/{FILE.fileno()}", "rb")
    start_response("200 OK", [("Content-Length", str(len(KEPT)))])
    return environ["wsgi.file_wrapper"](file)


def figures(environ, query, start_response):
    """What this process has now; reference cycles are no leak."""
    gc.collect()
    counted = {
        "pid": os.getpid(),
        "malloc KiB": allocated() // 1024,
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "references": sys.getrefcount(KEPT)
        + sum(sys.getrefcount(piece) for piece in PIECES)
        + sys.getrefcount(application),
    }
    return basic.answer_json(start_response, counted)


PAGES = {
    "/kept": kept,
    "/kept-pieces": kept_pieces,
    "/wrapped": wrapped,
    "/figures": figures,
}


def application(environ, start_response):
    page = PAGES.get(environ["PATH_INFO"])
    if page is None:
        return hostile.application(environ, start_response)
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    return page(environ, query, start_response)
