"""Reads a server's scoreboard by what its header says of itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

HEADER = struct.Struct("=8sIIQIIIIIII")
COUNTER = struct.Struct("=24sII")
VERSION = 1

EMPTY, STARTING, READY, ACTIVE, DRAINING = range(5)


@dataclass
class Line:
    """What one worker is doing; the names are the file's."""

    pid: int
    state: int
    heartbeat_ms: int
    connections: int
    queued: int
    running: int
    handed_out: int
    handed_in: int
    accepted: int
    requests: int


def read(path: Path) -> list[Line]:
    """A line for each worker's slot."""
    data = path.read_bytes()
    (
        magic,
        version,
        _size,
        file_size,
        counters_at,
        counter_size,
        ncounters,
        lines_at,
        line_size,
        nlines,
        ready,
    ) = HEADER.unpack_from(data)
    assert magic == b"cgthread" and version == VERSION and ready == 1
    assert file_size == len(data)
    offsets = {}
    for i in range(ncounters):
        name, offset, _kind = COUNTER.unpack_from(data, counters_at + i * counter_size)
        offsets[name.rstrip(b"\0").decode()] = offset
    return [
        Line(
            **{
                name: struct.unpack_from("=Q", data, lines_at + i * line_size + offset)[0]
                for name, offset in offsets.items()
            }
        )
        for i in range(nlines)
    ]
