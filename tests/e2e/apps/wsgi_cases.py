"""One small application for each row of what PEP 3333 asks of a server."""

from __future__ import annotations

import gc
import gzip
import io
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qsl

JSON = [("Content-Type", "application/json")]
FILE = b"".join(b"line %05d\n" % i for i in range(30000))
kept: dict[str, object] = {}
counts: dict[str, int] = {}
saw_gone: list[bool] = []


def answer(start_response, value) -> list[bytes]:
    start_response("200 OK", JSON)
    return [json.dumps(value).encode()]


# ---- what is returned


class Bytes(bytes):
    pass


class Text(str):
    def __repr__(self):
        raise ValueError("no repr")


def generator(*items):
    yield from items


RESULTS = {
    "one": lambda: [b"hi"],
    "tuple": lambda: (b"hi", b"", b"there"),
    "several": lambda: [b"a", b"bc", b"def"],
    "none": lambda: [],
    "only empty": lambda: [b"", b""],
    "subclass": lambda: [Bytes(b"sub"), b"class"],
    "generator": lambda: generator(b"a", b"bc", b"def"),
    "generator of one": lambda: generator(b"abc"),
    "empty generator": lambda: generator(),
    "generator of empty": lambda: generator(b"", b"", b""),
    "empty items between": lambda: generator(b"", b"a", b"", b"b", b""),
    "iterator": lambda: iter([b"a", b"b"]),
    "map": lambda: map(bytes.upper, [b"a", b"b"]),
    "set": lambda: {b"abc"},
    "str": lambda: ["text"],
    "late str": lambda: [b"bytes", "text"],
    "str in generator": lambda: generator("text"),
    "bytearray": lambda: [bytearray(b"abc")],
    "memoryview": lambda: [memoryview(b"abc")],
    "number in generator": lambda: generator(3),
}


def result(environ, query, start_response):
    headers = [tuple(h.split(":", 1)) for h in query.get("headers", "").split("|") if h]
    start_response(query.get("status", "200 OK"), headers)
    return RESULTS[query["of"]]()


# ---- start_response

HEADS = {
    "status of bytes": (b"200 OK", []),
    "status of int": (200, []),
    "status beyond latin-1": ("200 \u20ac", []),
    "status without phrase": ("200", []),
    "status is a word": ("abc", []),
    "status too small": ("099 Low", []),
    "status too large": ("1000 High", []),
    "interim status": ("103 Early Hints", []),
    "status with two lines": ("200 OK\r\nX: y", []),
    "status with NUL": ("200 OK\0", []),
    "status with a tab": ("200 O\tK", []),
    "headers of None": ("200 OK", None),
    "headers of tuple": ("200 OK", ()),
    "headers of dict": ("200 OK", {"X": "y"}),
    "field of list": ("200 OK", [["X", "y"]]),
    "field of three": ("200 OK", [("X", "y", "z")]),
    "field of str": ("200 OK", ["Xy"]),
    "name of bytes": ("200 OK", [(b"X", "y")]),
    "value of bytes": ("200 OK", [("X", b"y")]),
    "value of int": ("200 OK", [("X", 1)]),
    "name with space": ("200 OK", [("X Y", "z")]),
    "name with colon": ("200 OK", [("X:", "z")]),
    "no name": ("200 OK", [("", "z")]),
    "name beyond latin-1": ("200 OK", [("X\u20ac", "z")]),
    "name that has no repr": ("200 OK", [(Text("X Y"), "z")]),
    "name with CR LF": ("200 OK", [("X: y\r\nZ", "1")]),
    "value with CR LF": ("200 OK", [("X", "y\r\nZ: 1")]),
    "value with CR": ("200 OK", [("X", "y\rZ")]),
    "value with LF": ("200 OK", [("X", "y\nZ: 1")]),
    "value with LF behind it": ("200 OK", [("X", "y\n")]),
    "value with a folded line": ("200 OK", [("X", "y\r\n z")]),
    "value with DEL": ("200 OK", [("X", "y\x7f")]),
    "value with NUL": ("200 OK", [("X", "y\0")]),
    "value beyond latin-1": ("200 OK", [("X", "\u20ac")]),
    "two lengths": ("200 OK", [("Content-Length", "2"), ("Content-Length", "2")]),
    "length of a word": ("200 OK", [("Content-Length", "two")]),
    "length with a sign": ("200 OK", [("Content-Length", "+2")]),
    "two numbers for a length": ("200 OK", [("Content-Length", "2, 2")]),
    "length empty": ("200 OK", [("Content-Length", "")]),
    "length superscript": ("200 OK", [("Content-Length", "\xb2")]),
    "negative length": ("200 OK", [("Content-Length", "-2")]),
    "length too large": ("200 OK", [("Content-Length", "9" * 30)]),
}


def head(environ, query, start_response):
    """A bad head; with "again" the application catches it and tries again."""
    try:
        start_response(*HEADS[query["of"]])
    except (TypeError, ValueError) as error:
        if "again" not in query:
            raise
        start_response("200 OK", [("X-Error", type(error).__name__)])
    return [b"hi"]


def latin1(environ, query, start_response):
    start_response("200 Tr\xe8s bien", [("X-Name", "caf\xe9"), ("X-Empty", "")])
    return [b""]


def own_fields(environ, query, start_response):
    headers = [("Server", "mine"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")]
    start_response("200 OK", headers + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b""]


def calls(environ, query, start_response):
    """Wrong calls of start_response and write; the errors that they raise."""
    errors = []

    def call(function, *args, **kwargs):
        try:
            function(*args, **kwargs)
        except BaseException as error:
            errors.append(type(error).__name__)
        else:
            errors.append(None)

    call(start_response)
    call(start_response, "200 OK")
    call(start_response, "200 OK", [], None, None)
    call(start_response, "200 OK", [], headers=[])
    call(start_response, "200 OK", [], other=1)
    call(start_response, "200 OK", [], (1, 2))
    call(start_response, "200 OK", [], 5)
    call(start_response, status="404 Nowhere", headers=[], exc_info=None)
    call(start_response, "200 OK", [])
    call(start_response, "200 OK", JSON, (None, None, None))
    write = start_response("200 OK", JSON, exc_info=(None, None, None))
    call(write)
    call(write, "text")
    call(write, b"a", b"b")
    call(write, data=b"a")
    call(write, b"")
    return [json.dumps(errors).encode()]


def keep_exception(environ, query, start_response):
    """Holds on to the start_response call's arguments as frameworks do."""
    try:
        raise LookupError("for exc_info")
    except LookupError:
        start_response("500 Mine", [("Content-Length", "4")], sys.exc_info())
    return [b"mine"]


def reraise(environ, query, start_response):
    """After the head, start_response raises the very exception it is given."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"begun ")
    try:
        raise LookupError("the very one")
    except LookupError as error:
        try:
            start_response("500 Oops", [], sys.exc_info())
        except LookupError as again:
            return [b"same" if again is error else b"other"]
    return [b"nothing raised"]


def written(environ, query, start_response):
    headers = [("Content-Length", query["length"])] if "length" in query else []
    write = start_response("200 OK", headers)
    write(b"one ")
    write(b"two ")
    return RESULTS[query.get("of", "one")]()


class WritesInClose:
    """Writes when its reply is over, a byte and nothing."""

    def __init__(self, write) -> None:
        self.write = write

    def __iter__(self):
        return iter([b"hi"])

    def close(self) -> None:
        for data in (b"more", b""):
            try:
                self.write(data)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                counts[said] = counts.get(said, 0) + 1


def write_in_close(environ, query, start_response):
    counts.clear()
    headers = [("Content-Length", query["length"])] if "length" in query else []
    return WritesInClose(start_response(query["status"], headers))


def written_only(environ, query, start_response):
    start_response("200 OK", [])(b"only")
    return []


def write_as_we_go(environ, query, start_response):
    """What is written arrives before the application goes on."""
    write = start_response("200 OK", [])
    write(b"first ")
    wait_for(query["path"])
    return [b"second"]


def wait_for(path: str) -> None:
    deadline = time.monotonic() + 20
    while not os.path.exists(path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def no_start_late(environ, query, start_response):
    yield b""


# ---- what is kept when the request is over


def keep(environ, query, start_response):
    kept.update(environ=environ, start_response=start_response)
    kept["write"] = start_response("200 OK", [])
    kept["input"] = environ["wsgi.input"]
    kept["gone"] = environ["cgthread.client_disconnected"]
    return [b"kept"]


class Stubborn:
    """Uses all that it was given when it is let go of, after its request."""

    def __init__(self, environ, start_response) -> None:
        self.everything = environ, start_response

    def __iter__(self):
        return iter([b"kept"])

    def __del__(self) -> None:
        environ, start_response = self.everything
        kept["at the end"] = use(environ["wsgi.input"], start_response, None)


def keep_stubbornly(environ, query, start_response):
    start_response("200 OK", [])
    return Stubborn(environ, start_response)


def use(body, start_response, write):
    found = {}
    uses = {
        "read": lambda: body.read(),
        "readline": lambda: body.readline(),
        "readlines": lambda: body.readlines(),
        "readinto": lambda: body.readinto(bytearray(5)),
        "seek": lambda: body.seek(0),
        "tell": lambda: body.tell(),
        "next": lambda: next(body),
        "start_response": lambda: start_response("200 OK", []),
    }
    if write is not None:
        uses["write"] = lambda: write(b"late")
    for name, function in uses.items():
        try:
            function()
        except Exception as error:
            found[name] = type(error).__name__
        else:
            found[name] = None
    return found


def use_kept(environ, query, start_response):
    if "at the end" in query:
        return answer(start_response, kept.pop("at the end"))
    found = use(kept["input"], kept["start_response"], kept["write"])
    found["gone"] = kept["gone"]()
    found["closed"] = kept["input"].closed
    kept.clear()
    return answer(start_response, found)


# ---- environ and its objects


def show_environ(environ, query, start_response):
    shown = {k: v for k, v in environ.items() if isinstance(v, (str, bool, int))}
    shown["types"] = {k: type(v).__name__ for k, v in environ.items()}
    shown["type"] = type(environ).__name__
    shown["version"] = environ["wsgi.version"] == (1, 0)
    shown["gone"] = environ["cgthread.client_disconnected"]()
    return answer(start_response, shown)


def read_as_bytesio(environ, query, start_response):
    """Random calls on wsgi.input, each compared with those on a BytesIO."""
    body = environ["wsgi.input"]
    model = io.BytesIO(body.read())
    body.seek(0)
    length, chance = len(model.getvalue()), random.Random(query["seed"])
    for i in range(400):
        size = chance.choice([None, -1, 0, 1, 2, 7, 100, chance.randint(0, length + 9)])
        buffers = bytearray(chance.randint(0, 50)), bytearray(50)
        method, args = chance.choice(
            [
                ("read", ()),
                ("read", (size,)),
                ("read1", (size,)),
                ("readline", ()),
                ("readline", (size,)),
                ("readlines", ()),
                ("readlines", (size,)),
                ("readinto", (buffers[0],)),
                ("seek", (chance.randint(0, length),)),
                ("seek", (chance.randint(0, length), 0)),
                ("seek", (-chance.randint(0, length), 2)),
                ("seek", (0, 1)),
                ("tell", ()),
                ("readable", ()),
                ("seekable", ()),
                ("__next__", ()),
            ]
        )
        if method == "__next__":
            got, wanted = next(body, "end"), next(model, "end")
        else:
            got, wanted = getattr(body, method)(*args), getattr(model, method)(*args)
        assert got == wanted, (i, method, args, got, wanted)
        assert body.tell() == model.tell(), (i, method, args)
    for wrong in (("read", ("1",)), ("read", (1, 2)), ("seek", (-1,)), ("seek", (0, 3))):
        try:
            getattr(body, wrong[0])(*wrong[1])
        except (TypeError, ValueError):
            continue
        raise AssertionError(wrong)
    body.seek(0)
    assert io.BufferedReader(body).read() == model.getvalue()
    body.seek(0)
    assert list(body) == list(io.BytesIO(model.getvalue()))
    return answer(start_response, length)


class Index:
    """A number that is had by a call."""

    def __init__(self, number: int, call) -> None:
        self.number = number
        self.call = call

    def __index__(self) -> int:
        self.call()
        return self.number


def read_while_asked(environ, query, start_response):
    """How many bytes, of a body of which the number asked for is read first."""
    body = environ["wsgi.input"]
    number = int(query["number"])
    got = getattr(body, query["method"])(Index(number, lambda: body.read(10)))
    return answer(start_response, len(b"".join(got) if isinstance(got, list) else got))


def read_past_the_end(environ, query, start_response):
    """A thread asks for bytes while the request is there, and gets them later."""
    body = environ["wsgi.input"]

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not body.closed and time.monotonic() < deadline:
            time.sleep(0.001)

    def read() -> None:
        try:
            getattr(body, query["method"])(Index(5, wait))
        except ValueError as error:
            kept["raised"] = str(error)

    kept["reader"] = threading.Thread(target=read)
    kept["reader"].start()
    start_response("200 OK", [])
    return [b""]


def show_raised(environ, query, start_response):
    kept.pop("reader").join()
    return answer(start_response, kept.pop("raised"))


def complain(environ, query, start_response):
    """Lines to wsgi.errors, whole and in pieces."""
    errors = environ["wsgi.errors"]
    key = query["key"]
    assert errors.write(f"{key} begins ") == len(key) + 8
    errors.write("and ends\n")
    errors.writelines([f"{key} two\n{key} th", "ree\n"])
    print(key, "printed", "\udc80", "\xe9", file=errors)
    errors.write(f"{key} flushed")
    errors.flush()
    errors.write(f"{key} " + "x" * 9000 + f" {key} long\n")
    for wrong in (b"bytes", None):
        try:
            errors.write(wrong)
        except TypeError:
            errors.write(f"{key} refused\n")
    errors.write(f"{key} left over")
    start_response("200 OK", [])
    return [b""]


def complain_together(environ, query, start_response):
    for i in range(50):
        environ["wsgi.errors"].write(f"<{query['key']} ")
        time.sleep(0.0002)
        environ["wsgi.errors"].write(f"{query['key']}>\n")
    start_response("200 OK", [])
    return [b""]


# ---- wsgi.file_wrapper


class NoClose:
    """Like a file as PEP 3333 asks for it: it has read() and nothing else."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


class Outer:
    """An object around a file, as Django's File is."""

    def __init__(self, file) -> None:
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)


class Counting(io.FileIO):
    def close(self):
        counts["close"] = counts.get("close", 0) + (not self.closed)
        super().close()

    def read(self, *args):
        counts["read"] = counts.get("read", 0) + 1
        return super().read(*args)


class LateClose(io.BufferedRandom):
    """Closed when its reader has all that he gets."""

    until = ""

    def close(self):
        if self.until and not self.closed:
            wait_for(self.until)
        super().close()


class Broken(Counting):
    def tell(self):
        raise OSError("no position")


def in_file(data: bytes, kind=None):
    file = tempfile.NamedTemporaryFile()
    file.write(data)
    file.seek(0)
    return file if kind is None else kind(os.dup(file.fileno()))


def zipped():
    file = tempfile.TemporaryFile()
    with gzip.GzipFile(fileobj=file, mode="wb") as packed:
        packed.write(FILE)
    file.seek(0)
    return gzip.GzipFile(fileobj=file)


def piped():
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    return os.fdopen(reader, "rb")


def at(file, offset: int):
    file.seek(offset)
    return file


def write_only(data: bytes):
    with in_file(data) as file:
        return io.FileIO(os.open(file.name, os.O_WRONLY), "w")


FILES = {
    "file": lambda: in_file(FILE),
    "counting": lambda: in_file(FILE, Counting),
    "empty": lambda: in_file(b""),
    "offset": lambda: at(in_file(FILE), 299_990),
    "read ahead": lambda: (f := in_file(FILE), f.read(11))[0],
    "behind the end": lambda: at(in_file(FILE), 10_000_000),
    "memory": lambda: io.BytesIO(FILE),
    "empty memory": lambda: io.BytesIO(),
    "only read": lambda: NoClose(FILE),
    "zipped": zipped,
    "outer zipped": lambda: Outer(zipped()),
    "outer": lambda: Outer(in_file(FILE)),
    "pipe": piped,
    "no position": lambda: in_file(FILE, Broken),
    "text": lambda: io.TextIOWrapper(in_file(b"text").file),
    "closed": lambda: (f := in_file(FILE), f.close())[0],
    "write-only": lambda: write_only(FILE),
    "write-only, empty": lambda: write_only(b""),
    "sparse": lambda: (f := in_file(b""), f.truncate(5000))[0],
}


def wrapped(environ, query, start_response):
    headers = [tuple(h.split(":", 1)) for h in query.get("headers", "").split("|") if h]
    counts.clear()
    write = start_response("200 OK", headers)
    if "path" in query:
        file = open(query["path"], "rb", buffering=int(query["buffering"]))
    else:
        file = FILES[query["of"]]()
    if "write" in query:
        write(b"written ")
    if "block" in query:
        return environ["wsgi.file_wrapper"](file, int(query["block"]))
    return environ["wsgi.file_wrapper"](file)


def wrapped_late_close(environ, query, start_response):
    """Has bytes in its buffer that no seek() has written."""
    start_response("200 OK", [])
    file = in_file(FILE, lambda fd: LateClose(io.FileIO(fd, "r+")))
    file.read(10)
    file.write(b"B" * 10)
    file.seek(0)
    file.until = query["path"]
    return environ["wsgi.file_wrapper"](file)


def wrapped_without_start(environ, query, start_response):
    return environ["wsgi.file_wrapper"](in_file(FILE))


def wrapper_by_hand(environ, query, start_response):
    wrapper = environ["wsgi.file_wrapper"]
    file = io.BytesIO(b"abcdefg")
    by_hand = wrapper(file, 3)
    found = [b.decode() for b in by_hand]
    by_hand.seek(2)
    found += [by_hand.tell(), by_hand.seekable(), next(by_hand).decode()]
    by_hand.close()
    found += [file.closed, hasattr(wrapper(NoClose(b"")), "seek")]
    wrapper(NoClose(b"")).close()
    for wrong in ((), (file, 0), (file, "x"), (file, 1, 2)):
        try:
            wrapper(*wrong)
        except (TypeError, ValueError) as error:
            found.append(type(error).__name__)
    cycle = Outer(file)
    cycle.wrapper = wrapper(cycle)
    return answer(start_response, found)


def show_counts(environ, query, start_response):
    return answer(start_response, counts)


# ---- clients that leave


class Pages:
    """Goes on until the server gives up; counts what happens at the end."""

    def __init__(self, environ) -> None:
        self.gone = environ["cgthread.client_disconnected"]
        counts.clear()

    def __iter__(self):
        return self

    def __next__(self):
        time.sleep(0.001)
        return b"x" * 10000

    def close(self):
        counts["closed"] = counts.get("closed", 0) + 1
        counts["gone"] = self.gone()


def endless(environ, query, start_response):
    start_response("200 OK", [])
    return Pages(environ)


def endless_write(environ, query, start_response):
    counts.clear()
    write = start_response("200 OK", [])
    try:
        while True:
            time.sleep(0.001)
            write(b"x" * 10000)
    except OSError as error:
        counts[type(error).__name__] = 1
        raise


def await_departure(environ, query, start_response):
    """Computes until its client has left."""
    counts.clear()
    counts["begun"] = 1
    deadline = time.monotonic() + 20
    while not environ["cgthread.client_disconnected"]():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    counts["left"] = 1
    start_response("200 OK", [])
    return [b"nobody reads this"]


# ---- the interpreter


def show_interpreter(environ, query, start_response):
    signals = multiprocessing.get_context("spawn")
    with signals.Pool(1) as pool:
        spawned = pool.map(abs, [-3])
    return answer(
        start_response,
        {
            "argv": sys.argv,
            "executable": sys.executable,
            "path": sys.path,
            "utf8": sys.flags.utf8_mode,
            "encoding": sys.getfilesystemencoding(),
            "spawned": spawned,
            "thread": threading.current_thread().name,
            "main": threading.main_thread().name,
        },
    )


def memory_error(environ, query, start_response):
    raise MemoryError


class Silent(Exception):
    def __str__(self):
        raise ValueError("no text")


def silent_error(environ, query, start_response):
    raise Silent


def surrogate_error(environ, query, start_response):
    raise ValueError("a \udc80 surrogate\nand \x1b[31m a line")


def deep_error(environ, query, start_response):
    return deep_error(environ, query, start_response)


def leaks(environ, query, start_response):
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    return answer(start_response, [len(gc.get_objects()), pages * 4])


PAGES = {
    name.replace("_", "-"): function
    for name, function in list(globals().items())
    if callable(function)
}


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    page = PAGES.get(name, show_environ)
    return page(environ, query, start_response)
