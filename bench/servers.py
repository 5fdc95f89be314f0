"""The servers: their descriptions, and one of them from its start to its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from . import processes
from .settings import HERE, Settings, say

START_TIMEOUT = 15
STOP_TIMEOUT = 3


@dataclass(frozen=True)
class Description:
    """An entry of servers.json; README.md says what each field means."""

    name: str
    cmd: list[str]
    note: str = ""
    check: list[str] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    threads: bool = True
    processes: bool = True
    # None: all of them.
    workloads: list[str] | None = None

    def takes(self, workload: str) -> bool:
        return self.workloads is None or workload in self.workloads


def read_descriptions(paths: Iterable[Path]) -> list[Description]:
    return [
        Description(**entry) for path in paths for entry in json.loads(path.read_text())
    ]


def parse_description(text: str) -> Description:
    """NAME=COMMAND, as --add has it."""
    name, equals, command = text.partition("=")
    if not equals or not name or not command.split():
        raise ValueError(f"{text!r} is not NAME=COMMAND")
    return Description(name, command.split(), note="from the command line")


def fill(text: str, values: dict[str, object]) -> str:
    """Replaces {name}; braces around anything that has no value stay."""
    return re.sub(
        r"\{([a-z_]+)\}",
        lambda found: str(values.get(found[1], found[0])),
        text,
    )


class Port:
    """Ports below those that the kernel gives to clients, each used once."""

    def __init__(self, base: int) -> None:
        self._next = base

    def take(self) -> int:
        while True:
            self._next += 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", self._next))
                    return self._next


class Server:
    """One server, which runs one application; stop() ends all that it started."""

    def __init__(self, description: Description, settings: Settings) -> None:
        self.description = description
        self.settings = settings
        self.port = 0
        self.is_warm = False
        self._process: subprocess.Popen | None = None
        self._tmp = ""

    # ---- what the description says ----

    def _values(
        self, module: str = "hello", workers: int = 1, threads: int = 1
    ) -> dict[str, object]:
        return {
            "python": self.settings.python,
            "build": self.settings.build,
            "appdir": self.settings.apps,
            "benchdir": HERE,
            "tmp": self._tmp,
            "port": self.port,
            "module": module,
            "app": f"{module}:application",
            "workers": workers,
            "threads": threads,
            "total": workers * threads,
        }

    def _environment(self, values: dict[str, object]) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
        own = {k: fill(v, values) for k, v in self.description.env.items()}
        path = [own.pop("PYTHONPATH", ""), str(self.settings.apps)]
        return env | own | {
            "PYTHONPATH": ":".join(filter(None, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BENCH_UNIT": str(self.settings.unit),
        }

    def _ask(self, command: list[str]) -> subprocess.CompletedProcess:
        values = self._values()
        return subprocess.run(
            [fill(word, values) for word in command],
            env=self._environment(values),
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
        )

    def why_unusable(self) -> str:
        """Empty if the server can be started here; what it warns of is passed on."""
        if not self.description.check:
            return ""
        try:
            done = self._ask(self.description.check)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        lines = done.stdout.splitlines()
        if done.returncode:
            return ": ".join(["its check failed", *lines[-1:]])
        for line in lines:
            if "[warning]" in line:
                say(f"{self.description.name}: {line}")
        return ""

    def version(self) -> str:
        if not self.description.version:
            return ""
        try:
            lines = self._ask(self.description.version).stdout.split("\n")
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return lines[0].strip()[:60]

    # ---- start and stop ----

    def start(self, module: str, workers: int, threads: int, port: int) -> bool:
        """True as soon as the port accepts connections."""
        self.port = port
        self.is_warm = False
        self._tmp = tempfile.mkdtemp(prefix=f"bench-{self.description.name}-")
        os.chmod(self._tmp, 0o755)  # a server may change its user
        values = self._values(module, workers, threads)
        for path, lines in self.description.files.items():
            text = "".join(line + "\n" for line in lines)
            Path(fill(path, values)).write_text(fill(text, values))
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [fill(word, values) for word in self.description.cmd],
                env=self._environment(values),
                cwd=self.settings.apps,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._wait_for_port()

    def _wait_for_port(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        while self.is_alive() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            time.sleep(0.05)
        return False

    @property
    def _log_path(self) -> Path:
        return Path(self._tmp) / "out.log"

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self._log_path.read_bytes()[-600:].decode("utf-8", "replace")
        return ""

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def family(self) -> dict[int, processes.Process]:
        assert self._process is not None
        return processes.family(self._process.pid, processes.all_processes())

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what is left of the server's own session."""
        if self._process is None:
            return
        started = set(self.family())
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        for pid, left in processes.all_processes().items():
            if pid in started and left.session == self._process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        if not self.settings.keep_tmp:
            shutil.rmtree(self._tmp, ignore_errors=True)


def stop_all(servers: Iterable[Server]) -> None:
    """Not to be interrupted: a second Ctrl-C would leave servers behind."""
    signals = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        for server in servers:
            server.stop()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
