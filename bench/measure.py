"""One round on one server: the load, and what it cost the server's processes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from . import companions, counters, load, processes
from .servers import Server
from .workloads import HELLO, Workload

Figures = dict[str, object]


@dataclass
class Cost:
    """Of the server's processes, while the load was on."""

    cpu: float = 0.0  # seconds
    instructions: float | None = None
    busy: float = 0.0  # seconds, of the whole machine
    steal: float = 0.0
    same_processes: bool = True


@contextlib.contextmanager
def metered(server: Server) -> Iterator[Cost]:
    cost = Cost()
    before = server.family()
    counter = None
    if server.settings.counts_instructions:
        counter = counters.Counter(before)
    busy, steal = processes.machine_cpu()
    try:
        yield cost
        after = server.family()
        busy_after, steal_after = processes.machine_cpu()
        if counter:
            cost.instructions = counter.read()
    finally:
        if counter:
            counter.close()
    cost.cpu = processes.cpu_between(before, after)
    cost.busy, cost.steal = busy_after - busy, steal_after - steal
    cost.same_processes = before.keys() == after.keys()


def figures(seen: load.Load, cost: Cost) -> Figures:
    """A round's figures, each for one request where its name says so."""
    n = seen.requests
    per_request = (lambda x: x / n if n else None)
    times = {
        f"{name}_ms": us / 1e3 if n else None
        for name, us in (("p50", seen.p50), ("p90", seen.p90), ("p99", seen.p99))
    }
    return times | {
        "requests": n,
        "seconds": seen.duration_us / 1e6,
        "rps": seen.rate,
        "mb_s": seen.bytes / seen.duration_us,
        "cpu_us": per_request(cost.cpu * 1e6),
        "kinsn": per_request(cost.instructions / 1e3) if cost.instructions else None,
        "client_us": per_request(seen.client_cpu * 1e6),
        "both_us": per_request((cost.cpu + seen.client_cpu) * 1e6),
        "errors": sum(seen.errors.values()),
        "error_kinds": seen.errors,
        "restarted": not cost.same_processes,
        "other_cpu_s": max(0.0, cost.busy - cost.cpu - seen.client_cpu),
        "steal_s": cost.steal,
    }


def _command(server: Server, workload: Workload, seconds: int) -> list[str]:
    return load.command(
        server.settings,
        f"http://127.0.0.1:{server.port}{workload.path}",
        workload.connections,
        seconds,
        workload.mode,
        workload.close,
    )


def _warm_up(server: Server, workload: Workload) -> None:
    if not server.is_warm:
        with contextlib.suppress(load.NoFigures):
            load.run(_command(server, workload, 1), 1)
    server.is_warm = True


def _loaded(server: Server, workload: Workload, seconds: int) -> Figures:
    with metered(server) as cost:
        seen = load.run(_command(server, workload, seconds), seconds)
    return figures(seen, cost)


def beside_sleeper(alone: Figures, beside: Figures) -> Figures:
    """What a sleeping request does to the others."""
    own: Figures = {"alone_p50_ms": alone["p50_ms"], "added_us": None}
    if alone["p50_ms"] is not None and beside["p50_ms"] is not None:
        own["added_us"] = (beside["p50_ms"] - alone["p50_ms"]) * 1e3
    return own


def measure(server: Server, workload: Workload) -> Figures:
    """One round; raises load.NoFigures where wrk got none."""
    seconds = server.settings.seconds * workload.longer
    start = companions.START[workload.companion]
    alone = None
    _warm_up(server, workload)
    if workload.companion == "sleeper":
        alone = _loaded(server, workload, seconds)
    with start(server.settings, server.port, seconds) as own:
        result = _loaded(server, workload, seconds)
    if alone is not None:
        result |= beside_sleeper(alone, result)
    if workload.companion == "computing":
        # The companion's requests are in the sum: it is not for one hello.
        result["cpu_us"] = result["both_us"] = result["kinsn"] = None
    return result | own


# ---- idle connections ----


def _open_kept(port: int) -> socket.socket:
    """A connection that has been answered once."""
    client = socket.create_connection(("127.0.0.1", port), 2)
    try:
        client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        answer = b""
        while HELLO not in answer:
            data = client.recv(4096)
            if not data:
                raise OSError("closed early")
            answer += data
    except OSError:
        client.close()
        raise
    return client


def _open_many(port: int, count: int) -> tuple[list[socket.socket], str]:
    """As many as the server takes; why it were not more."""
    kept: list[socket.socket] = []
    deadline = time.monotonic() + 60
    while len(kept) < count and time.monotonic() < deadline:
        try:
            kept.append(_open_kept(port))
        except OSError as error:
            return kept, str(error)
    return kept, "" if len(kept) == count else "too slow"


def _is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _idle_cpu(server: Server, seconds: float) -> float:
    before = server.family()
    time.sleep(seconds)
    return processes.cpu_between(before, server.family()) / seconds


def measure_idle(server: Server, workload: Workload) -> Figures:
    """Memory at the start and with many kept connections; hello beside them."""
    time.sleep(1.0)  # what the start still does
    fresh = processes.memory(server.family())
    kept, why = _open_many(server.port, server.settings.idle_connections)
    time.sleep(1.5)  # a server may regret
    alive = sum(_is_open(client) for client in kept)
    full = processes.memory(server.family())
    idle_cpu = _idle_cpu(server, 2.0)
    hello = None
    with contextlib.suppress(load.NoFigures, subprocess.TimeoutExpired):
        hello = load.run(_command(server, workload, 2), 2)
    for client in kept:
        client.close()
    return {
        "processes": fresh.processes,
        "rss_mb": fresh.rss / 1e6,
        "pss_mb": fresh.pss / 1e6,
        "alive": alive,
        "trouble": why,
        "pss_idle_mb": full.pss / 1e6,
        "bytes_per_conn": (full.pss - fresh.pss) / alive if alive >= 100 else None,
        "idle_cpu_percent": idle_cpu * 100,
        "hello_rps": hello.rate if hello else None,
        "hello_p99_ms": hello.p99 / 1e3 if hello else None,
        "hello_errors": sum(hello.errors.values()) if hello else None,
    }
