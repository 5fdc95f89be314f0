"""Applications that misbehave, and those that do what a worker must bear."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from server import APPS, IS_TSAN, Client, Closed, Server, is_alive, processes, wait_until

HELLO = b"Hello, world!\n"


@pytest.fixture(scope="module")
def hostile(serve_module) -> Server:
    """One worker whose process must survive all that is done in this file."""
    server = serve_module("hostile:application", threads=2)
    before = server.workers()
    yield server
    assert server.workers() == before


def get_json(server: Server, target: str):
    response = server.get(target)
    assert response.status == 200, response
    return json.loads(response.body)


def cut(server: Server, target: str) -> bytes:
    """What comes as body of a reply that is cut."""
    with server.client() as client:
        client.send_request("GET", target)
        response = client.read_head()
        assert response.status == 200
        client.buffer, rest = b"", client.buffer
        try:
            while True:
                client._fill()
                client.buffer, rest = b"", rest + client.buffer
        except Closed:
            return rest


# ---- what is raised and returned

BEFORE_THE_HEAD = [
    ("/raise-before", "before the head"),
    ("/raise-after-start", "after start_response"),
    ("/raise-in-first-step", "in the first step"),
    ("/exit", "SystemExit"),
    ("/interrupt", "KeyboardInterrupt"),
    ("/returns-none", "NoneType"),
    ("/returns-int", "int"),
    ("/returns-str", "str"),
    ("/returns-strings", "str"),
    ("/returns-bytes", "bytes|int"),
    ("/no-start", "start_response"),
    ("/start-twice", "AssertionError"),
    ("/bad-head?status=abc", "the status is not .*'abc'"),
    ("/bad-head?status=200", "the status is not .*'200'"),
    ("/bad-head?status=200%20OK%0D%0AX:%20y", "status"),
    ("/bad-head?name=X%20Y", "name|field"),
    ("/bad-head?name=", "name|field"),
    ("/bad-head?name=X:", "name|field"),
    ("/bad-head?value=a%0D%0AX:%20y", "value|field"),
    ("/bad-head?value=a%0Ab", "value|field"),
    ("/bad-head?value=a%00b", "value|field"),
    ("/bad-head?value=%E2%82%AC", "value|latin|Latin"),
    ("/bad-head?name=Content-Length&value=x", "Content-Length"),
    ("/bad-head?name=Content-Length&value=-1", "Content-Length"),
]


def exceptions(lines: list[str]) -> list[str]:
    """The last lines of tracebacks: neither the request nor the source is in them."""
    pattern = r"(?: thread \d+| HTTP/1\.1): ([\w.]+(?:: .*)?)$"
    found = [re.search(pattern, line) for line in lines]
    return [match[1] for match in found if match]


@pytest.mark.parametrize("target, said", BEFORE_THE_HEAD)
def test_failure_before_the_head_is_500_and_a_traceback(hostile, target, said):
    before = len(hostile.log)
    with hostile.client() as client:
        response = client.request("GET", target)
        assert response.status == 500
        assert response.closes and client.closed()
    assert b"Traceback" not in response.body and b"Marked" not in response.body
    assert response.header("X-Old") is None
    wait_until(lambda: len(hostile.log) > before, "something in the log")
    path = re.escape(target.partition("?")[0])
    wait_until(
        lambda: any(re.search(f"GET {path}", x) for x in hostile.log[before:]),
        f"the request line in {hostile.log[before:]}",
    )
    wait_until(
        lambda: any(re.search(said, line) for line in exceptions(hostile.log[before:])),
        f"{said!r} in {hostile.log[before:]}",
    )
    assert hostile.get("/").body == HELLO


def test_traceback_names_file_line_and_function(hostile):
    hostile.get("/raise-before")
    hostile.wait_for_line(r"Traceback \(most recent call last\)")
    hostile.wait_for_line(r'File ".*hostile\.py", line \d+, in raise_before')
    hostile.wait_for_line(r"hostile\.Marked: before the head")


@pytest.mark.parametrize(
    "target, said",
    [
        ("/raise-after", "after the beginning"),
        ("/raise-after-known", "86 bytes missing"),
        ("/exit-in-generator", "SystemExit"),
        ("/start-again-too-late", "too late"),
    ],
)
def test_failure_after_the_head_cuts_the_reply(hostile, target, said):
    before = len(hostile.errors.find(said))
    rest = cut(hostile, target)
    assert b"the beginning\n" in rest
    assert not rest.endswith(b"0\r\n\r\n") and b"500" not in rest
    assert b"never" not in rest
    hostile.wait_for_line(said, count=before + 1)
    assert hostile.get("/").body == HELLO


def test_start_response_with_exc_info_replaces_all_of_the_head(hostile):
    response = hostile.get("/start-again")
    assert (response.status, response.body) == (202, b"new")
    assert response.header("X-Old") is None and response.header("X-New") == "1"
    assert response.header("Content-Length") in (None, "3")


def test_write_comes_before_the_iterable(hostile):
    assert hostile.get("/writer").body == b"one two three"


def test_start_response_may_be_called_at_the_first_step(hostile):
    assert hostile.get("/late-start").body == b"late"


def test_hop_by_hop_fields_are_the_servers(hostile):
    with hostile.client() as client:
        response = client.request("GET", "/hop-by-hop")
        assert response.body == b"body" and response.closes
        assert response.header("Keep-Alive") is None
        assert response.header("Trailer") is None
        assert client.closed()


# ---- close()


def close_count(server: Server, key: str) -> list[int]:
    """How often close() was called, and in how many threads of the request's."""
    wait_until(
        lambda: get_json(server, f"/closed?key={quote(key)}")[0] > 0,
        f"close() after {key!r}",
    )
    return get_json(server, f"/closed?key={quote(key)}")


@pytest.mark.parametrize(
    "how",
    [
        "normal",
        "204",
        "short",
        "long",
        "raises",
        "raises later",
        "str",
        "no start",
        "bad head",
        "not iterable",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_close_is_called_once_in_the_same_thread(hostile, how, method):
    key = f"{method} {how}"
    with hostile.client() as client:
        target = f"/closing?how={quote(how)}&key={quote(key)}"
        client.send_request(method, target)
        try:
            client.read_response(method)
        except Closed:
            pass
    assert close_count(hostile, key) == [1, 1]


def test_close_is_called_once_when_the_client_leaves(hostile):
    """Two of them: a thread that went on would be missed by the others."""
    keys = [f"left {i}" for i in range(4)]
    for key in keys:
        with hostile.client() as client:
            client.send_request("GET", f"/closing?how=endless&key={quote(key)}")
            assert client.read_head().status == 200
            client._fill()
    for key in keys:
        assert close_count(hostile, key) == [1, 1]


def test_close_that_raises_spoils_nothing(hostile):
    before = len(hostile.errors.find(r"in close\(\)"))
    assert hostile.get("/close-raises").body == b"all of it"
    hostile.wait_for_line(r"in close\(\)", count=before + 1)
    assert hostile.get("/").body == HELLO


# ---- workers that die


@pytest.mark.parametrize(
    "target, obituary",
    [
        ("/os-exit", r"\b7\b"),
        ("/os-abort", r"SIGABRT|Abort|signal 6"),
        ("/kill-self", r"SIGKILL|Killed|signal 9"),
    ],
)
def test_worker_that_dies_is_replaced_and_mourned(serve, target, obituary):
    server = serve("hostile:application", workers=2)
    before = server.workers()
    with server.client() as client:
        client.send_request("GET", target)
        with pytest.raises(Closed) as caught:
            client.read_response()
        assert caught.value.got == b""
    wait_until(
        lambda: len(server.workers()) == 2 and server.workers() != before,
        "a new worker",
    )
    dead = (set(before) - set(server.workers())).pop()
    server.wait_for_line(rf"{dead}.*({obituary})")
    wait_until(server.is_serving, "new requests are served")


# ---- processes


def test_forked_child_does_not_answer(hostile):
    with hostile.client() as client:
        response = client.request("GET", "/fork-through")
        parent, child = map(int, response.body.split())
        assert parent in hostile.workers() and child != 0
        wait_until(lambda: not is_alive(child), "the child leaves")
        assert client.request("GET", "/").body == HELLO
        assert not client.closed(0.1)


def test_forked_child_that_raises_does_not_answer(hostile):
    with hostile.client() as client:
        child = int(client.request("GET", "/fork-raises").body)
        wait_until(lambda: not is_alive(child), "the child leaves")
        assert client.request("GET", "/").body == HELLO


def test_forked_child_of_a_file_does_not_answer(hostile):
    with hostile.client() as client:
        for _ in range(3):
            body = client.request("GET", "/fork-in-file").body
            assert body == (APPS / "hostile.py").read_bytes()
        assert client.request("GET", "/").body == HELLO
    hostile.wait_for_line("forked has come back from it", count=3)


def test_forked_child_leaves_whatever_was_locked(serve):
    server = serve("hostile:application")
    with server.client() as client:
        client.request("GET", "/start-asking-for-time")
        children = []
        for _ in range(30):
            children.append(int(client.request("GET", "/fork-through").body.split()[1]))
    wait_until(lambda: not any(map(is_alive, children)), "the children leave")
    server.wait_for_line("forked has come back from it", count=len(children))


@pytest.mark.skipif(
    IS_TSAN, reason="ThreadSanitizer allows no thread in a child of a threaded process"
)
def test_multiprocessing_works_within_a_request(hostile):
    for _ in range(3):
        got = get_json(hostile, "/compute")
        assert got == {"value": 144, "same": False, "exit": 0}


def test_subprocess_works_within_a_request(hostile):
    for _ in range(3):
        assert get_json(hostile, "/run") == {"out": "cba", "exit": 0}


# 32 and 33 are the C library's own: whoever started us may ignore them, and no
# sigaction() of ours is let through to change that.
OURS = ~((1 << 31) | (1 << 32))


def test_subprocess_inherits_no_blocked_or_ignored_signals(hostile):
    signals = get_json(hostile, "/run-signals")
    assert {name: bits & OURS for name, bits in signals.items()} == {
        "SigBlk": 0,
        "SigIgn": 0,
    }


@pytest.mark.parametrize("wait", ["", "100"])
def test_terminating_a_child_does_not_end_the_worker(serve, wait):
    """Not even at once, when it has hardly been forked."""
    server = serve("hostile:application", threads=2, graceful_timeout="1s")
    before = server.workers()
    with server.client() as client:
        for _ in range(3 if wait else 20):
            response = client.request("GET", f"/terminate-child?wait={wait}")
            assert json.loads(response.body) == -signal.SIGTERM
            assert not response.closes
        response = client.request("GET", "/")
        assert response.body == HELLO and not response.closes
    assert server.workers() == before


@pytest.mark.parametrize("how", ["subprocess", "multiprocessing", "fork"])
def test_child_does_not_keep_the_clients_connection(serve, how):
    server = serve("hostile:application", allow_orphans=True, expect_exit=None)
    with server.client() as client:
        target = f"/sleeper?how={how}"
        child = json.loads(
            client.request("GET", target, [("Connection", "close")]).body
        )
        assert client.closed()
        assert is_alive(child)
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "how, end",
    [
        ("subprocess", "TERM"),
        ("fork", "TERM"),  # for multiprocessing's the interpreter waits: see below
        ("subprocess", "KILL"),
        ("fork", "KILL"),
        ("multiprocessing", "KILL"),
    ],
)
def test_child_does_not_keep_the_port(serve, how, end):
    server = serve(
        "hostile:application",
        allow_orphans=True,
        expect_exit=None,
        graceful_timeout="500ms",
    )
    address = server.address
    child = get_json(server, f"/sleeper?how={how}")
    if end == "TERM":
        assert server.terminate() == 0
    else:
        workers = server.workers()
        server.kill()
        wait_until(lambda: not any(map(is_alive, workers)), "the workers leave")
    assert is_alive(child)
    with socket.socket() as probe:
        with pytest.raises(ConnectionRefusedError):
            probe.connect(address)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen()
    os.kill(child, signal.SIGKILL)


def test_term_with_a_child_of_multiprocessing_is_bounded(serve):
    """The child would be waited for; graceful_timeout ends that."""
    server = serve(
        "hostile:application",
        allow_orphans=True,
        expect_exit=None,
        graceful_timeout="1s",
    )
    child = get_json(server, "/sleeper?how=multiprocessing")
    begin = time.monotonic()
    server.terminate()
    assert time.monotonic() - begin < 8
    if is_alive(child):
        os.kill(child, signal.SIGKILL)


# ---- threads and contexts


def test_thread_locals_are_kept_and_apart(serve):
    server = serve("hostile:application", threads=3)
    with ThreadPoolExecutor(6) as clients:
        results = clients.map(
            lambda _: get_json(server, "/thread-local"), range(60), timeout=60
        )
        counts: dict[int, list[int]] = {}
        for thread, count in results:
            counts.setdefault(thread, []).append(count)
    assert 1 <= len(counts) <= 3
    for count in counts.values():
        assert sorted(count) == list(range(1, len(count) + 1))
    assert sum(map(len, counts.values())) == 60


def test_thread_of_the_application_outlives_its_request(serve):
    server = serve("hostile:application")
    assert server.get("/start-thread").body == HELLO
    first = get_json(server, "/ticks")
    wait_until(lambda: get_json(server, "/ticks") > first + 3, "the thread runs on")
    assert server.terminate() == 0


def median_ms(client: Client, count: int = 40) -> float:
    """Of requests that come when the worker's threads are all asleep again."""
    took = []
    for _ in range(count):
        time.sleep(0.003)
        begin = time.monotonic()
        assert client.request("GET", "/").body == HELLO
        took.append(time.monotonic() - begin)
    return sorted(took)[count // 2] * 1000


def test_computing_thread_beside_a_sleeping_request_keeps_nobody_out(serve, meeting):
    """It is asked for the interpreter as if none were asleep: after 5 ms."""
    server = serve("hostile:application")
    with server.client() as client, server.client() as sleeper:
        client.request("GET", "/start-computing")
        alone = median_ms(client)
        sleeper.send_request("GET", "/hold" + meeting.query)
        held = meeting.wait()
        beside = median_ms(client)
        held.release()
        assert sleeper.read_response().status == 200
    assert beside < 2.5 * max(alone, 5), (beside, alone)


def test_thread_that_is_no_daemon_is_waited_for(serve, tmp_path):
    server = serve("hostile:application")
    path = tmp_path / "late"
    assert server.get(f"/finish-later?path={path}").body == HELLO
    assert server.terminate() == 0
    assert path.read_text() == "done"


def test_each_request_has_a_context_of_its_own(serve):
    server = serve("hostile:application", threads=1)
    with server.client() as client:
        for value in ("one", "two", "three"):
            response = client.request("GET", f"/context?set={value}")
            assert response.body == b"of the import," + value.encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_atexit_handlers_run(serve, tmp_path, number):
    path = tmp_path / "atexit"
    server = serve(
        "hostile:application", workers=2, env={"TEST_ATEXIT": str(path)}
    )
    workers = server.workers()
    assert server.get("/").body == HELLO
    server.signal(number)
    assert server.wait() == 0
    assert sorted(map(int, path.read_text().split())) == workers


# ---- logs


def test_what_the_application_says_is_in_the_error_log(hostile):
    (worker,) = hostile.workers()
    assert hostile.get("/talk").body == HELLO
    for said in (
        "WARNING:hostile:said by logging",
        "said by print",
        "said on stderr",
        "said to wsgi.errors",
        "said in pieces",
        "said to descriptor 1",
        "said to descriptor 2",
    ):
        line = hostile.wait_for_line(re.escape(said)).string
        assert str(worker) in line, line
    assert hostile.access.find("said") == []
    hostile.wait_for_line(r"forged \[critical\] \\x1b\[31mlines")
    assert not hostile.errors.find("^forged")


def test_no_child_is_left_running(hostile):
    """After all of the above; those that nobody waited for are the application's."""
    workers = hostile.workers()

    def left() -> list[int]:
        every = processes()
        return [p.pid for p in every if p.parent in workers and p.state not in "ZX"]

    wait_until(lambda: left() == [], "no children of the workers")


# ---- what a reply must not become


def test_start_response_in_close_cannot_change_the_500(hostile):
    for size in ("10", "20000"):
        with hostile.client() as client:
            response = client.request("GET", f"/head-in-close?size={size}")
            assert response.status == 500
            assert response.header("X-Late") is None
            assert response.body == b"500 Internal Server Error\n"
    hostile.wait_for_line("AssertionError: start_response")


def test_write_in_a_forked_child_ends_the_child(hostile):
    response = hostile.get("/fork-writes")
    assert response.status == 200
    assert response.body == b"1"  # its exit status: no abort, and no reply


def test_write_by_another_thread_is_refused(hostile):
    assert hostile.get("/write-elsewhere").body == b"RuntimeError"


@pytest.mark.parametrize("known", ["", "&known=1"])
def test_end_of_the_reply_does_not_wait_for_close(hostile, meeting, known):
    with hostile.client() as client:
        client.send_request("GET", "/hold-in-close" + meeting.query + known)
        assert client.read_response("GET").body == b"piece"
        meeting.wait().release()


def test_client_that_closes_its_half_is_answered(hostile):
    for _ in range(100):
        with hostile.client() as client:
            client.send_request("GET", "/")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_response("GET").body == HELLO
