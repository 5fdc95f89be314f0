"""What the kernel knows of the server's processes: who they are, time, memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """/proc/PID/stat, as far as it is needed here."""

    pid: int
    parent: int
    session: int
    cpu: float  # seconds, user and system


def parse_stat(text: str) -> Process:
    """A line of /proc/PID/stat; the name in it may hold anything."""
    pid = int(text.split(" ", 1)[0])
    fields = text.rpartition(")")[2].split()
    return Process(
        pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu=(int(fields[11]) + int(fields[12])) / TICK,
    )


def all_processes() -> dict[int, Process]:
    table = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            process = parse_stat((entry / "stat").read_text(errors="replace"))
        except OSError:
            continue
        table[process.pid] = process
    return table


def family(root: int, table: dict[int, Process]) -> dict[int, Process]:
    """Those of root's session and all their descendants."""
    pids = {p for p, x in table.items() if root in (p, x.session)}
    while more := {p for p, x in table.items() if x.parent in pids} - pids:
        pids |= more
    return {p: table[p] for p in pids}


def cpu_between(
    before: dict[int, Process], after: dict[int, Process]
) -> float:
    """Seconds of processor time; of a process that has gone, none."""
    begun = sum(p.cpu for pid, p in before.items() if pid in after)
    return sum(p.cpu for p in after.values()) - begun


def machine_cpu() -> tuple[float, float]:
    """Seconds that all processors were busy, and those stolen from them."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, idle, iowait, irq, softirq, steal = map(
        int, line.split()[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    return busy / TICK, steal / TICK


@dataclass
class Memory:
    """Bytes of several processes together."""

    rss: int = 0
    pss: int = 0
    processes: int = 0


def memory(pids: Iterable[int]) -> Memory:
    total = Memory()
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE))
        if "Rss" not in sizes:
            continue
        total.rss += int(sizes["Rss"]) * 1024
        total.pss += int(sizes["Pss"]) * 1024
        total.processes += 1
    return total
