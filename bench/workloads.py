"""The workloads: which application, which load on it, and which answer is right."""

from __future__ import annotations

from dataclasses import dataclass

HELLO = b"Hello, world!"
JSON_PATH = "/user/42?q=abc"
MIB = 1 << 20


@dataclass(frozen=True)
class Workload:
    """One application under one load.

    Several thread counts make several rows of each server, measured in turns; their
    ratios are then to the server's own row with the fewest threads.
    """

    text: str
    app: str = "hello"
    path: str = "/"
    connections: int = 64
    # The body that must come, or its length; None: any.
    expect: bytes | int | None = HELLO
    # None: as on the command line.
    workers: int | None = None
    threads: tuple[int, ...] | None = None
    # What wrk does: load.lua has the modes.
    mode: tuple[str, ...] = ("get",)
    upload: int = 0
    close: bool = False
    # What goes on at the same time: the names are companions.START's.
    companion: str = ""
    # Rounds of this one are longer, by this factor.
    longer: int = 1

    @property
    def has_probe(self) -> bool:
        """Is the server asked first how it treats kept connections?"""
        return not self.upload


WORKLOADS = {
    "hello": Workload("hello, keep-alive, c=64"),
    "hello16": Workload("hello with 16 threads against 4, c=64", threads=(4, 16)),
    "hello1-sleep": Workload(
        "hello c=1 beside a request that sleeps in a second thread, one worker",
        app="hello_sleep",
        connections=1,
        workers=1,
        threads=(4,),
        companion="sleeper",
    ),
    "hello-close": Workload("hello, Connection: close, c=64", close=True),
    "flask": Workload(
        "Flask, JSON, c=32",
        app="flask_app",
        path=JSON_PATH,
        connections=32,
        expect=None,
    ),
    "django": Workload(
        "Django, JSON, c=32",
        app="django_app",
        path=JSON_PATH,
        connections=32,
        expect=None,
    ),
    "io": Workload(
        "sleep of 10 ms, 16 threads, c=64",
        app="io_wait",
        threads=(16,),
        expect=b"waited",
    ),
    "cpu": Workload(
        "2 ms of Python with 1, 4 and 16 threads, c=16",
        app="cpu",
        connections=16,
        threads=(1, 4, 16),
        expect=None,
    ),
    "mixed": Workload(
        "hello at 350/s (these figures) beside 20 ms of Python at 40/s",
        app="mixed",
        connections=16,
        mode=("think", "45"),
        companion="computing",
        longer=2,
    ),
    "big": Workload(
        "1 MiB from memory, c=16", app="big", connections=16, expect=MIB
    ),
    "file": Workload(
        "wsgi.file_wrapper, 16 MiB, c=8",
        app="file_wrap",
        connections=8,
        expect=16 * MIB,
    ),
    "upload": Workload(
        "POST of 1 MiB that the application reads, c=16",
        app="upload",
        connections=16,
        expect=b"%d" % MIB,
        mode=("upload", str(MIB)),
        upload=MIB,
    ),
    "slow": Workload(
        "hello c=16 beside 200 dripping clients",
        app="hello_read",
        connections=16,
        companion="slow",
    ),
    "idle": Workload("memory, and 5000 idle connections", connections=16),
}
