"""What goes on beside the load that is measured."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from . import load
from .settings import HERE, Settings

# What apps/hello_sleep.py answers then.
SLEPT = b"slept"

# A sleeper that ends so much later has not had a thread from the beginning.
LATE = 0.5

# Each yields a dictionary that holds its own figures when the context has ended.
Figures = dict[str, object]
Companion = Callable[[Settings, int, int], AbstractContextManager[Figures]]


@contextlib.contextmanager
def sleeper(_: Settings, port: int, seconds: int) -> Iterator[Figures]:
    """One request whose application sleeps as long as the load lasts."""
    figures: Figures = {"slept": False}
    length = seconds + 1.0
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(
            b"GET /sleep?%.1f HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
            % length
        )
        began = time.monotonic()
        time.sleep(0.3)  # nothing announces that a thread has it
        yield figures
        due = max(time.monotonic(), began + length)
        client.settimeout(length + 5)
        answer = b""
        with contextlib.suppress(OSError):
            while SLEPT not in answer and (data := client.recv(4096)):
                answer += data
    figures["slept"] = SLEPT in answer and time.monotonic() - due < LATE


@contextlib.contextmanager
def computing(settings: Settings, port: int, seconds: int) -> Iterator[Figures]:
    """Requests that compute for 20 ms, 40 of them in a second."""
    figures: Figures = {}
    url = f"http://127.0.0.1:{port}/cpu"
    process = subprocess.Popen(
        load.command(settings, url, 4, seconds + 1, ("think", "75")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        time.sleep(0.5)  # they are under way
        yield figures
    finally:
        output, _ = process.communicate(timeout=60)
    with contextlib.suppress(load.NoFigures):
        own = load.parse(output)
        figures["bg_rps"] = own.rate
        figures["bg_p50_ms"] = own.p50 / 1e3
        figures["bg_p99_ms"] = own.p99 / 1e3


@contextlib.contextmanager
def slow(settings: Settings, port: int, seconds: int) -> Iterator[Figures]:
    """Clients that send a byte now and then: slow_clients.py."""
    figures: Figures = {}
    process = subprocess.Popen(
        [
            sys.executable,
            str(HERE / "slow_clients.py"),
            str(port),
            str(settings.slow_clients),
            str(seconds + 12),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdout.readline()  # all are connected
        time.sleep(1.0)
        yield figures
    finally:
        process.terminate()
        try:
            output, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    if found := re.search(r"^SLOW (\{.*\})$", output, re.MULTILINE):
        own = json.loads(found[1])
        figures["slow_dropped"] = own["dropped"]
        figures["slow_refused"] = own["refused"]


@contextlib.contextmanager
def nobody(_: Settings, port: int, seconds: int) -> Iterator[Figures]:
    yield {}


START: dict[str, Companion] = {
    "": nobody,
    "sleeper": sleeper,
    "computing": computing,
    "slow": slow,
}
