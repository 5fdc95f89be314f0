"""Is it fair to measure this server?  One checked request, and two questions.

A closed loop of requests hides waiting: a server that answers 8 of 64 connections
and starves the others shows excellent figures.
"""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import time
from dataclasses import dataclass

from .workloads import Workload

ATTEMPTS = 40
PROBE_TIMEOUT = 2


class WrongAnswer(Exception):
    """The server runs, but not this application."""


@dataclass
class Probe:
    """What a server does with connections."""

    answered: int = 0  # of those that are all kept open
    closes: bool = False  # after a request with Connection: close


def _exchange(connection: http.client.HTTPConnection, workload: Workload) -> bytes:
    connection.request(
        "POST" if workload.upload else "GET",
        workload.path,
        b"u" * workload.upload if workload.upload else None,
    )
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise OSError(f"status {response.status}")
    return body


def check_body(body: bytes, expect: bytes | int | None) -> None:
    if isinstance(expect, bytes) and body != expect:
        raise WrongAnswer(f"wrong body {body[:40]!r}")
    if isinstance(expect, int) and len(body) != expect:
        raise WrongAnswer(f"{len(body)} bytes instead of {expect}")


def _is_kept(connection: http.client.HTTPConnection, workload: Workload) -> bool:
    """Does the connection take a second request?"""
    if connection.sock is None:
        return False
    connection.auto_open = 0
    try:
        _exchange(connection, workload)
    except (OSError, http.client.HTTPException):
        return False
    return True


def verify(port: int, workload: Workload) -> bool:
    """Waits for the application's right answer; is the connection kept then?"""
    trouble: Exception = OSError("no answer")
    for _ in range(ATTEMPTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            try:
                check_body(_exchange(connection, workload), workload.expect)
                return _is_kept(connection, workload)
            except (OSError, http.client.HTTPException) as error:
                trouble = error
        time.sleep(0.1)
    raise WrongAnswer(f"{type(trouble).__name__}: {trouble}")


def _get(path: str, *fields: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *fields, "", ""]
    return "\r\n".join(lines).encode()


def _count_answered(port: int, path: str, connections: int) -> int:
    """How many of so many connections, all kept, are answered in time."""
    answered = 0
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(connections):
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", port), PROBE_TIMEOUT)
            )
            client.sendall(_get(path))
            selector.register(client, selectors.EVENT_READ)
        deadline = time.monotonic() + PROBE_TIMEOUT
        while answered < connections and time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                selector.unregister(key.fileobj)
                with contextlib.suppress(OSError):
                    answered += bool(key.fileobj.recv(4096))
    return answered


def _obeys_close(port: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", port), 1) as client:
            client.sendall(_get(path, "Connection: close"))
            while client.recv(65536):
                pass
            return True
    return False


def probe(port: int, workload: Workload) -> Probe:
    return Probe(
        _count_answered(port, workload.path, workload.connections),
        _obeys_close(port, workload.path),
    )
