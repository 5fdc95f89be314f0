"""An application that does what applications should not, and some that they may."""

from __future__ import annotations

import atexit
import contextvars
import ctypes
import io
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qsl

import basic

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("hostile")

fork = multiprocessing.get_context("fork")


# ---- what is raised and returned


class Marked(Exception):
    """An error of the tests' own making."""


def raise_before(environ, query, start_response):
    raise Marked("before the head")


def raise_after_start(environ, query, start_response):
    start_response("200 OK", [("X-Old", "1"), ("Content-Length", "100")])
    raise Marked("after start_response")


def raise_in_first_step(environ, query, start_response):
    start_response("200 OK", [])
    raise Marked("in the first step")
    yield b""


def raise_after(environ, query, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"the beginning\n"
    raise Marked("after the beginning")


def raise_after_known(environ, query, start_response):
    start_response("200 OK", [("Content-Length", "100")])
    yield b"the beginning\n"
    raise Marked("after the beginning, 86 bytes missing")


def leave(environ, query, start_response):
    sys.exit(3)


def leave_in_generator(environ, query, start_response):
    start_response("200 OK", [])
    yield b"the beginning\n"
    sys.exit(3)


def interrupt(environ, query, start_response):
    raise KeyboardInterrupt


def returns(value):
    def page(environ, query, start_response):
        start_response("200 OK", [])
        return value

    return page


def no_start(environ, query, start_response):
    return [b"body"]


def start_twice(environ, query, start_response):
    start_response("200 OK", [])
    start_response("201 Created", [])
    return [b"body"]


def start_again(environ, query, start_response):
    start_response("200 OK", [("X-Old", "1"), ("Content-Length", "100")])
    try:
        raise Marked("replaced")
    except Marked:
        start_response("202 Accepted", [("X-New", "1")], sys.exc_info())
    return [b"new"]


def start_again_too_late(environ, query, start_response):
    start_response("200 OK", [])
    yield b"the beginning\n"
    try:
        raise Marked("too late")
    except Marked:
        start_response("500 Oops", [], sys.exc_info())
    yield b"never"


def bad_head(environ, query, start_response):
    headers = [(query.get("name", "X"), query.get("value", ""))]
    start_response(query.get("status", "200 OK"), headers)
    return [b"body"]


def writer(environ, query, start_response):
    write = start_response("200 OK", [])
    write(b"one ")
    write(b"")
    write(b"two ")
    return [b"three"]


def late_start(environ, query, start_response):
    start_response("200 OK", [])
    yield b""
    yield b"late"


def hop_by_hop(environ, query, start_response):
    headers = [("Connection", "close"), ("Keep-Alive", "x"), ("Trailer", "y")]
    start_response("200 OK", headers)
    return [b"body"]


# ---- close()


class Closing:
    """An iterable that counts its close() calls by the key of the request."""

    counts: dict[str, int] = {}
    threads: dict[str, set[int]] = {}

    def __init__(self, key: str, parts) -> None:
        self.key = key
        self.parts = iter(parts)
        self.threads[key] = {threading.get_ident()}
        self.counts[key] = 0

    def __iter__(self):
        return self.parts

    def close(self) -> None:
        self.counts[self.key] += 1
        self.threads[self.key].add(threading.get_ident())


def closing(environ, query, start_response):
    how, key = query["how"], query["key"]
    head = {"short": [("Content-Length", "3")], "long": [("Content-Length", "99")]}
    status = {"204": "204 No Content", "bad head": "2x0 OK"}.get(how, "200 OK")
    if how == "not iterable":
        result = Closing(key, [])
        result.parts = None
    else:
        result = Closing(key, closing_parts(how))
    if how != "no start":
        try:
            start_response(status, head.get(how, []))
        except Exception:
            if how != "bad head":
                raise
    return result


def closing_parts(how: str):
    if how == "raises":
        raise Marked("in the iteration")
    yield b"part one "
    if how == "raises later":
        raise Marked("later in the iteration")
    if how == "str":
        yield "text"
    if how == "endless":
        while True:
            yield b"x" * 65536
    yield b"part two"


def closed(environ, query, start_response):
    key = query["key"]
    count, threads = Closing.counts.get(key, -1), Closing.threads.get(key, ())
    return basic.answer_json(start_response, [count, len(threads)])


class CloseRaises(list):
    def close(self) -> None:
        raise Marked("in close()")


def close_raises(environ, query, start_response):
    start_response("200 OK", [])
    return CloseRaises([b"all of it"])


# ---- the process


def os_exit(environ, query, start_response):
    os._exit(7)


def os_abort(environ, query, start_response):
    os.abort()


def kill_self(environ, query, start_response):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(10)


def fork_through(environ, query, start_response):
    """Forks; the child comes back as if it had a request to answer."""
    pid = os.fork()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d %d" % (os.getpid(), pid)]


def ask_for_time() -> None:
    """Has the C library's time zone locked for most of the time."""
    library, now, result = ctypes.CDLL(None), ctypes.c_long(), bytes(128)
    while True:
        library.localtime_r(ctypes.byref(now), result)


def start_asking_for_time(environ, query, start_response):
    for _ in range(3):
        threading.Thread(target=ask_for_time, daemon=True).start()
    return basic.hello(environ, query, start_response)


class ForkingFile(io.FileIO):
    """Forks when it is asked what the server asks it."""

    def tell(self) -> int:
        os.fork()
        return super().tell()


def fork_in_file(environ, query, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](ForkingFile(__file__))


def fork_raises(environ, query, start_response):
    pid = os.fork()
    if pid == 0:
        raise Marked("in the child")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % pid]


def nap() -> None:
    time.sleep(120)


def sleeper(environ, query, start_response):
    """Starts a process that sleeps for long; its PID."""
    how = query["how"]
    if how == "subprocess":
        pid = subprocess.Popen(["sleep", "120"]).pid
    elif how == "multiprocessing":
        process = fork.Process(target=nap)
        process.start()
        pid = process.pid
    else:
        pid = os.fork()
        if pid == 0:
            nap()
            os._exit(0)
    return basic.answer_json(start_response, pid)


def work(queue, number: int) -> None:
    queue.put((os.getpid(), number * number))


def compute(environ, query, start_response):
    """Lets a process of multiprocessing compute something."""
    queue = fork.Queue()
    process = fork.Process(target=work, args=(queue, 12))
    process.start()
    pid, value = queue.get(timeout=20)
    process.join(20)
    same = pid == os.getpid()
    result = {"value": value, "same": same, "exit": process.exitcode}
    return basic.answer_json(start_response, result)


def run(environ, query, start_response):
    """Runs a program, with input and output."""
    program = [sys.executable, "-c", "import sys; print(sys.stdin.read()[::-1])"]
    done = subprocess.run(program, input="abc", capture_output=True, text=True)
    result = {"out": done.stdout.strip(), "exit": done.returncode}
    return basic.answer_json(start_response, result)


def run_signals(environ, query, start_response):
    """The signals that a program run from here has blocked or ignored."""
    command = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    done = subprocess.run(
        command, capture_output=True, text=True, restore_signals=False
    )
    masks = dict(line.split(":") for line in done.stdout.splitlines())
    result = {name: int(mask, 16) for name, mask in masks.items()}
    return basic.answer_json(start_response, result)


def terminate_child(environ, query, start_response):
    """Process.terminate() on a child that runs."""
    process = fork.Process(target=nap)
    process.start()
    if query.get("wait"):
        time.sleep(int(query["wait"]) / 1000)
    process.terminate()
    process.join(20)
    return basic.answer_json(start_response, process.exitcode)


# ---- threads and contexts

local = threading.local()


def thread_local(environ, query, start_response):
    time.sleep(0.005)  # so that more than one thread gets something to do
    local.count = getattr(local, "count", 0) + 1
    return basic.answer_json(start_response, [threading.get_native_id(), local.count])


ticks = 0


def tick_on() -> None:
    global ticks
    while True:
        time.sleep(0.01)
        ticks += 1


def start_thread(environ, query, start_response):
    threading.Thread(target=tick_on, daemon=True).start()
    return basic.hello(environ, query, start_response)


def compute_on() -> None:
    while True:
        pass


def start_computing(environ, query, start_response):
    """A thread that never lets go of the interpreter unless it is asked to."""
    threading.Thread(target=compute_on, daemon=True).start()
    return basic.hello(environ, query, start_response)


def count_ticks(environ, query, start_response):
    return basic.answer_json(start_response, ticks)


def late_writer(path: str) -> None:
    time.sleep(0.3)
    with open(path, "w") as file:
        file.write("done")


def finish_later(environ, query, start_response):
    """A thread that is no daemon: the process is to wait for it."""
    threading.Thread(target=late_writer, args=(query["path"],)).start()
    return basic.hello(environ, query, start_response)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
variable.set("of the import")


def context(environ, query, start_response):
    """What the request found, what it set, and what its generator then saw."""
    found = variable.get("nothing")
    variable.set(query["set"])
    start_response("200 OK", [])
    return context_parts(found)


def context_parts(found: str):
    yield found.encode() + b","
    yield variable.get("nothing").encode()


# ---- logs


def talk(environ, query, start_response):
    log.warning("said by logging")
    print("said by print")
    print("said on stderr", file=sys.stderr)
    environ["wsgi.errors"].write("said to wsgi.errors\n")
    environ["wsgi.errors"].writelines(["said in ", "pieces\n"])
    environ["wsgi.errors"].flush()
    os.write(1, b"said to descriptor 1\n")
    os.write(2, b"said to descriptor 2\n")
    environ["wsgi.errors"].write("two\nforged [critical] \x1b[31mlines\n")
    return basic.hello(environ, query, start_response)


if path := os.environ.get("TEST_ATEXIT"):

    @atexit.register
    def note() -> None:
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")


class LateHead:
    """Fails, and sends a head when it is closed."""

    def __init__(self, start_response, size):
        self.start_response = start_response
        self.size = size

    def __iter__(self):
        return self

    def __next__(self):
        raise RuntimeError("no piece")

    def close(self):
        self.start_response("200 OK", [("X-Late", "y" * self.size)])


def head_in_close(environ, query, start_response):
    return LateHead(start_response, int(query["size"]))


def fork_writes(environ, query, start_response):
    """write() in a child; answers with the child's exit status."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    child = os.fork()
    if child == 0:
        write(b"x" * 100)
        os._exit(99)
    _, status = os.waitpid(child, 0)
    return [b"%d" % (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1)]


def write_elsewhere(environ, query, start_response):
    """The name of what write() raises in a thread of the application's."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    raised = []

    def run():
        try:
            write(b"elsewhere")
        except Exception as e:
            raised.append(type(e).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return [raised[0].encode()]


class HeldClose:
    def __init__(self, at):
        self.at = at

    def __iter__(self):
        return iter([b"piece"])

    def close(self):
        basic.hold_at(self.at)


def hold_in_close(environ, query, start_response):
    known = [("Content-Length", "5")] if "known" in query else []
    start_response("200 OK", [("Content-Type", "text/plain")] + known)
    return HeldClose(query["at"])


PAGES = {
    **basic.PAGES,
    "/head-in-close": head_in_close,
    "/fork-writes": fork_writes,
    "/write-elsewhere": write_elsewhere,
    "/hold-in-close": hold_in_close,
    "/raise-before": raise_before,
    "/raise-after-start": raise_after_start,
    "/raise-in-first-step": raise_in_first_step,
    "/raise-after": raise_after,
    "/raise-after-known": raise_after_known,
    "/exit": leave,
    "/exit-in-generator": leave_in_generator,
    "/interrupt": interrupt,
    "/returns-none": returns(None),
    "/returns-int": returns(7),
    "/returns-str": returns("text"),
    "/returns-strings": returns(["text"]),
    "/returns-bytes": returns(b"bytes"),
    "/no-start": no_start,
    "/start-twice": start_twice,
    "/start-again": start_again,
    "/start-again-too-late": start_again_too_late,
    "/bad-head": bad_head,
    "/writer": writer,
    "/late-start": late_start,
    "/hop-by-hop": hop_by_hop,
    "/closing": closing,
    "/closed": closed,
    "/close-raises": close_raises,
    "/os-exit": os_exit,
    "/os-abort": os_abort,
    "/kill-self": kill_self,
    "/fork-through": fork_through,
    "/fork-raises": fork_raises,
    "/fork-in-file": fork_in_file,
    "/start-asking-for-time": start_asking_for_time,
    "/sleeper": sleeper,
    "/compute": compute,
    "/run": run,
    "/run-signals": run_signals,
    "/terminate-child": terminate_child,
    "/thread-local": thread_local,
    "/start-thread": start_thread,
    "/start-computing": start_computing,
    "/ticks": count_ticks,
    "/finish-later": finish_later,
    "/context": context,
    "/talk": talk,
}


def application(environ, start_response):
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    page = PAGES.get(environ["PATH_INFO"], basic.hello)
    return page(environ, query, start_response)
