"""Clients that drip, stall, do not read, or leave in crowds: nobody else is to notice.

Afterwards the worker's process is the same, its descriptors are closed, and its
memory is what it was.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from server import IS_ASAN, IS_COV, IS_TSAN, Client, Closed, Server, wait_until

HELLO = b"Hello, world!\n"
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /digest HTTP/1.1\r\nHost: a\r\n"
PAGE = os.sysconf("SC_PAGE_SIZE")
KIB, MIB = 1 << 10, 1 << 20
IS_SANITIZED = IS_ASAN or IS_TSAN  # it keeps what is freed, and slows all down

CROWD = 200
IDLE = 1000 if IS_SANITIZED else 10_000
IDLE_COST = 4 * KIB  # of resident memory, for each idle connection

# What the median of a normal client may become beside a crowd.  One thread held, or
# the loop blocked, for a moment would make it worse by far.
FACTOR, SLACK = 5, 0.003

# Of resident memory: to what it was before.  Some MiB may lie in the allocator's
# arenas, which give back whole pages only.
GROWTH, ARENAS = 1.10, 8 << 20


def worker(server: Server) -> int:
    (pid,) = server.workers()
    return pid


def rss(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def latency(server: Server, between: Callable[[], None] = lambda: None) -> float:
    """Median of the requests of one client, after each of which others act."""
    times = []
    with server.client() as client:
        for _ in range(CROWD):
            between()
            begin = time.perf_counter()
            assert client.request("GET", "/").body == HELLO
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


@dataclass
class Figures:
    pid: int
    descriptors: int
    memory: int


@pytest.fixture(scope="module")
def warm(serve_module) -> Iterator[tuple[Server, Figures]]:
    """All that is done to it below has been done to it once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = serve_module(
        "basic:application",
        header_timeout="120s",
        send_timeout="2s",
        max_queue=str(2 * CROWD),
        outbuf_high_watermark="2m",
        max_connections=str(IDLE + 1000),
    )
    pid = worker(server)
    first = Figures(pid, descriptors(pid), rss(pid))
    for gather in CROWDS:
        with gather(server) as act:
            latency(server, act)
    for when in RESETS:
        reset(server, when)
    pipeline(server)
    wait_until(lambda: descriptors(pid) <= first.descriptors, "they have left")
    if not IS_SANITIZED:
        wait_until(
            lambda: rss(pid) < first.memory + 10 * MIB, "memory is given back", 30
        )
    yield server, Figures(pid, first.descriptors, rss(pid))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def server(warm) -> Iterator[Server]:
    """Process, descriptors and memory are afterwards what they were when warm."""
    server, before = warm
    yield server
    pid = before.pid
    wait_until(
        lambda: descriptors(pid) <= before.descriptors, "its descriptors are closed"
    )
    assert server.workers() == [pid]
    assert server.get("/").body == HELLO
    # What a peak has left is given back with the next tick; the counts of lines that
    # were reached for the first time are not.
    if not IS_SANITIZED and not IS_COV:
        wait_until(
            lambda: rss(pid) <= before.memory * GROWTH + ARENAS,
            f"memory: {rss(pid) // KIB} KiB, when warm {before.memory // KIB}",
            30,
        )
    print(f"resident memory {rss(pid) // KIB} KiB, when warm {before.memory // KIB}")


# ---- crowds beside a normal client


@contextmanager
def crowd(server: Server, *firsts: bytes) -> Iterator[list[Client]]:
    """Each client has sent one of these."""
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(CROWD)]
        for client, first in zip(clients, itertools.cycle(firsts)):
            client.send(first)
        yield clients


def in_turn(clients: list[Client], *pieces: bytes) -> Callable[[], None]:
    """With each call the next of them sends the next piece."""
    turns = zip(itertools.cycle(clients), itertools.cycle(pieces))

    def send_next() -> None:
        client, piece = next(turns)
        client.send(piece)

    return send_next


@contextmanager
def dripping_heads(server: Server) -> Iterator[Callable[[], None]]:
    with crowd(server, HEAD + b"X-Drip: ", b"G", HEAD) as clients:
        yield in_turn(clients, b"a")


@contextmanager
def stalled_uploads(server: Server) -> Iterator[Callable[[], None]]:
    """Half of them with a length, and half of those in a file by now."""
    with crowd(
        server,
        POST + b"Content-Length: 10000000\r\n\r\n" + bytes(1000),
        POST + b"Transfer-Encoding: chunked\r\n\r\n989680\r\n" + bytes(1000),
        POST + b"Content-Length: 10000000\r\n\r\n" + bytes(600 * KIB),
        POST + b"Transfer-Encoding: chunked\r\n\r\n989680\r\n" + bytes(600 * KIB),
    ) as clients:
        yield in_turn(clients, b"a")


@contextmanager
def stopped_readers(server: Server) -> Iterator[Callable[[], None]]:
    """Each has read the beginning of its reply, whose rest the server has."""
    with crowd(server, b"GET /big-known?mib=1 HTTP/1.1\r\nHost: a\r\n\r\n") as clients:
        for client in clients:
            assert client.read_head().status == 200
        yield lambda: None


CROWDS = [dripping_heads, stalled_uploads, stopped_readers]


@pytest.mark.parametrize("gather", CROWDS, ids=[each.__name__ for each in CROWDS])
def test_crowd_costs_a_normal_client_nothing(server, gather):
    idle = latency(server)
    with gather(server) as act:
        beside = latency(server, act)
    print(f"median {idle * 1e6:.0f} us alone, {beside * 1e6:.0f} us beside {CROWD}")
    if not IS_SANITIZED:
        assert beside < FACTOR * idle + SLACK


def test_dripped_request_is_answered_in_the_end(server):
    with dripping_heads(server), server.client() as client:
        for byte in HEAD + b"\r\n":
            client.send(bytes([byte]))
            assert server.get("/").body == HELLO
        assert client.read_response().body == HELLO


def test_reader_that_never_reads_is_cut_and_costs_little(server):
    """Of 50 MiB: what outbuf_high_watermark allows, and not for ever."""
    pid = worker(server)
    before, most = rss(pid), 0
    lines = len(server.access.find("GET /big-fresh"))
    with server.client() as client:
        begin = time.monotonic()
        client.send(b"GET /big-fresh?mib=50 HTTP/1.1\r\nHost: a\r\n\r\n")
        while len(server.access.find("GET /big-fresh")) == lines:
            most = max(most, rss(pid))
            assert server.get("/").body == HELLO
            assert time.monotonic() - begin < 20
        assert 1.5 < time.monotonic() - begin < 10  # send_timeout = 2s
        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    print(f"{(most - before) // KIB} KiB more")
    if not IS_SANITIZED:
        assert most - before < 10 * MIB


# ---- many


def test_ten_thousand_idle_connections(server):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 200:
        pytest.skip(f"the hard limit on descriptors is {hard}")
    pid, before = worker(server), rss(worker(server))
    idle = latency(server)
    with ExitStack() as stack:
        clients = []
        for i in range(IDLE):
            clients.append(stack.enter_context(server.client()))
            if i % 2 == 0:  # the other half never says a word
                assert clients[-1].request("GET", "/").body == HELLO
        wait_until(lambda: descriptors(pid) > IDLE, "all are accepted")
        each = (rss(pid) - before) / IDLE
        beside = latency(server)
        print(f"{each:.0f} bytes each; median {idle * 1e6:.0f}, {beside * 1e6:.0f} us")
        if not IS_SANITIZED:
            assert each < IDLE_COST
            assert beside < FACTOR * idle + SLACK
        for client in clients[:: IDLE // 100]:
            assert client.request("GET", "/").body == HELLO


def pipeline(server: Server) -> None:
    requests = b"".join(
        b"GET /status?code=200&body=%d HTTP/1.1\r\nHost:a\r\n\r\n" % i
        for i in range(1000)
    )
    assert len(requests) < 65000
    with server.client() as client:
        client.send(requests)
        for i in range(1000):
            assert client.read_response().body == b"%d" % i
        assert client.request("GET", "/").body == HELLO


def test_thousand_pipelined_requests_in_one_segment_are_answered_in_order(server):
    pipeline(server)


# ---- resets


def nothing(client: Client) -> None:
    pass


def in_head(client: Client) -> None:
    client.send(HEAD)


def in_body(client: Client) -> None:
    client.send(POST + b"Content-Length: 100000\r\n\r\n" + bytes(50_000))


def in_chunk(client: Client) -> None:
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + bytes(50_000))


def behind_request(client: Client) -> None:
    client.send(HEAD + b"\r\n")


def in_reply(client: Client) -> None:
    client.send(b"GET /big?mib=4 HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read_head()


def behind_refusal(client: Client) -> None:
    client.send(b"rubbish\r\n\r\n" * 100)


def between_requests(client: Client) -> None:
    assert client.request("GET", "/").body == HELLO


RESETS = [
    nothing,
    in_head,
    in_body,
    in_chunk,
    behind_request,
    in_reply,
    behind_refusal,
    between_requests,
]


def reset(server: Server, when: Callable[[Client], None]) -> None:
    for _ in range(50 if when is in_reply else 300):
        client = server.client()
        when(client)
        client.reset()


@pytest.mark.parametrize("when", RESETS, ids=[when.__name__ for when in RESETS])
def test_storm_of_resets_leaves_nothing(server, when):
    reset(server, when)


def test_storm_of_resets_all_at_once_leaves_nothing(server):
    """They come while others are being served, in one turn of the loop."""
    for _ in range(5):
        clients = [server.client() for _ in range(CROWD)]
        for client, when in zip(clients, itertools.cycle(RESETS[:5])):
            when(client)
        for client in clients:
            client.reset()
        assert json.loads(server.get("/memory").body) > 0


def test_ends_of_both_halves_in_any_order_leave_nothing(server):
    for how in itertools.product((socket.SHUT_RD, socket.SHUT_WR), (in_head, in_body)):
        for _ in range(CROWD):
            with server.client() as client:
                how[1](client)
                client.socket.shutdown(how[0])
