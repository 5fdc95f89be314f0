"""The load: wrk with load.lua, and what its line of figures says."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from dataclasses import dataclass

from .settings import HERE, Settings

ERRORS = ("connect", "read", "write", "status", "timeout")


class NoFigures(Exception):
    """wrk ended without its line."""


@dataclass
class Load:
    """What wrk has seen of the server; times in microseconds."""

    requests: int
    duration_us: int
    bytes: int
    p50: int
    p90: int
    p99: int
    errors: dict[str, int]
    client_cpu: float = 0.0  # seconds

    @property
    def rate(self) -> float:
        return self.requests / (self.duration_us / 1e6)


def parse(output: str) -> Load:
    found = re.search(r"^BENCH (\{.*\})$", output, re.MULTILINE)
    if not found:
        raise NoFigures("no figures from wrk: " + output[-300:])
    line = json.loads(found[1])
    return Load(
        errors={kind: line[kind] for kind in ERRORS if line[kind]},
        **{k: line[k] for k in ("requests", "duration_us", "bytes")},
        **{k: line[k] for k in ("p50", "p90", "p99")},
    )


def command(
    settings: Settings,
    url: str,
    connections: int,
    seconds: int,
    mode: tuple[str, ...] = ("get",),
    close: bool = False,
) -> list[str]:
    return [
        settings.wrk,
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "5s",
        "-s",
        str(HERE / "load.lua"),
        *(["-H", "Connection: close"] if close else []),
        url,
        "--",
        *mode,
    ]


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(words: list[str], seconds: int) -> Load:
    before = _children_cpu()
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 30,
    )
    load = parse(done.stdout)
    load.client_cpu = _children_cpu() - before
    return load
