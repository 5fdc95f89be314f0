"""What the command line chose, for all modules."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Settings:
    python: str = sys.executable
    wrk: str = "wrk"
    build: Path = ROOT / "build" / "release"
    apps: Path = HERE / "apps"
    workers: int = 2
    threads: int = 4
    rounds: int = 3
    seconds: int = 2
    slow_clients: int = 200
    idle_connections: int = 5000
    lock: str = ""
    port_base: int = 18100
    keep_tmp: bool = False
    counts_instructions: bool = False
    # Turns of apps/burn.py's loop in a millisecond.
    unit: int = 20000


@contextlib.contextmanager
def turn(lock: str) -> Iterator[None]:
    """Holds the lock file, if one is given: two measurers take turns."""
    if not lock:
        yield
        return
    with open(lock, "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(*words: object) -> None:
    """Progress, for whoever waits."""
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)
