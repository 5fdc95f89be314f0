"""Instructions executed by a set of processes, counted by the processor.

Much steadier than time on a shared machine: a figure of this kind repeats within a
few per cent.  Needs perf_event_open(2) and a processor that lets itself be counted;
usable() says whether that is so.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable

SYSCALL = {"x86_64": 298, "aarch64": 241}.get(os.uname().machine)
HARDWARE, INSTRUCTIONS = 0, 1
TIMES_ENABLED_AND_RUNNING = 3
INHERIT = 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)


def _open(thread: int) -> int:
    # struct perf_event_attr, its first version: type, size, config, period,
    # sample_type, read_format, flags, and what is not used here.
    attr = struct.pack(
        "IIQQQQQ16x",
        HARDWARE,
        64,
        INSTRUCTIONS,
        0,
        0,
        TIMES_ENABLED_AND_RUNNING,
        INHERIT,
    )
    fd = _libc.syscall(SYSCALL, attr, thread, -1, -1, 0)
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


class Counter:
    """Counts from its creation, over all threads of pids and what they start."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._fds: list[int] = []
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    self._fds.append(_open(int(thread)))

    def read(self) -> float:
        """The sum, scaled where counters had to share the processor's."""
        total = 0.0
        for fd in self._fds:
            count, enabled, running = struct.unpack("QQQ", os.read(fd, 24))
            total += count * (enabled / running) if running else 0
        return total

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds = []


def usable() -> bool:
    if SYSCALL is None:
        return False
    try:
        fd = _open(0)
    except OSError:
        return False
    try:
        return struct.unpack("QQQ", os.read(fd, 24))[0] > 0
    finally:
        os.close(fd)
