"""The real server in a test's hands: start it, watch its logs, talk to it, end it.

Server runs build/$CGTHREAD_BUILD/cgthread (default: release) on a port that the
kernel chooses, so any number of them may run at once; the applications run in
$CGTHREAD_E2E_PYTHON (default: /usr/bin/python3).  Client speaks HTTP over a
plain socket and accepts only what RFC 9112 allows.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import scoreboard

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).resolve().parent / "apps"
BUILD = os.environ.get("CGTHREAD_BUILD", "release")
PROGRAM = os.environ.get("CGTHREAD_PROGRAM", str(ROOT / "build" / BUILD / "cgthread"))
DEFAULT_PYTHON = "/usr/bin/python3"
PYTHON = os.environ.get("CGTHREAD_E2E_PYTHON", DEFAULT_PYTHON)
IS_ASAN = "asan" in BUILD
IS_TSAN = "tsan" in BUILD
IS_COV = "cov" in BUILD

# How long anything that must happen may take.  Far more than it needs: only a
# failing test waits so long.
PATIENCE = 30.0 if IS_ASAN or IS_TSAN else 10.0

# No server may ever log one of these, whatever is done to it.
NEVER_IN_LOG = re.compile(
    r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|assertion failed"
    r"|WARNING: ThreadSanitizer"
    r"|Fatal Python error",
    re.IGNORECASE,
)

SECTION_OF = {
    name: section
    for section, names in {
        "server": "bind backlog socket_mode socket_owner workers threads"
        " thread_stack_size proc_name boot_timeout graceful_timeout"
        " respawn_backoff runtime_dir",
        "app": "wsgi_app python chdir pythonpath",
        "http": "header_timeout body_timeout keepalive send_timeout"
        " queue_timeout min_rate max_buffered health_path"
        " linger_timeout max_connections max_queue limit_request_line"
        " limit_request_fields limit_request_field_size max_head_size"
        " max_body_size body_buffer spool_dir outbuf_high_watermark"
        " server_header",
        "log": "errorlog loglevel log_refused accesslog access_log_format log_buffer"
        " syslog_facility syslog_prefix",
        "proxy": "forwarded_allow_ips forwarded_headers forwarded_hops"
        " remote_addr_from secure_scheme_headers forwarder_headers header_map"
        " clear_untrusted log_untrusted url_scheme url_prefix server_name"
        " proxy_protocol proxy_allow_ips",
    }.items()
    for name in names.split()
}


def needs(module: str) -> None:
    """Skips the file's tests where another Python than ours lacks the module."""
    if PYTHON == DEFAULT_PYTHON:
        return
    if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode:
        pytest.skip(f"{PYTHON} has no {module}", allow_module_level=True)


def make_ini(settings: dict[str, object]) -> str:
    """Settings as ini text; a list or tuple becomes one line for each item."""
    text: dict[str, list[str]] = {}
    for name, value in settings.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        lines = text.setdefault(SECTION_OF[name], [])
        lines.extend(f"{name} = {item}" for item in items)
    return "".join(
        f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in text.items()
    )


class Lines:
    """What a pipe delivers, line by line, gathered by a thread."""

    def __init__(self, pipe) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._ended = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self) -> None:
        for line in self._pipe:
            with self._change:
                self._lines.append(line.decode("utf-8", "backslashreplace").rstrip())
                self._change.notify_all()
        with self._change:
            self._ended = True
            self._change.notify_all()

    @property
    def lines(self) -> list[str]:
        with self._change:
            return list(self._lines)

    def find(self, pattern: str) -> list[re.Match[str]]:
        """A match for each line so far in which the pattern is found."""
        return [m for m in (re.search(pattern, line) for line in self.lines) if m]

    def wait_for(
        self, pattern: str, timeout: float = PATIENCE, count: int = 1
    ) -> re.Match[str]:
        """Waits until count lines match; the match of the last of them."""
        deadline = time.monotonic() + timeout
        with self._change:
            while True:
                found = [
                    m for m in (re.search(pattern, x) for x in self._lines) if m
                ]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "the pipe ended" if self._ended else f"{timeout} s passed"
                    raise AssertionError(
                        f"{why} without {count} x {pattern!r}; lines so far:\n"
                        + "\n".join(self._lines)
                    )
                self._change.wait(left)

    def wait_for_end(self, timeout: float = PATIENCE) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()


def wait_until(condition, what: str, timeout: float = PATIENCE):
    """Waits for a state of the system that nobody announces; its true value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)
    return value


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@dataclass
class Process:
    """One line of /proc/PID/stat, as far as it is needed here."""

    pid: int
    name: str
    state: str
    parent: int
    session: int


def processes() -> list[Process]:
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = Path("/proc", entry, "stat").read_text("utf-8", "replace")
        except OSError:
            continue  # gone meanwhile
        head, _, tail = text.rpartition(")")
        fields = tail.split()
        found.append(
            Process(
                int(entry),
                head.partition("(")[2],
                fields[0],
                int(fields[1]),
                int(fields[3]),
            )
        )
    return found


def is_alive(pid: int) -> bool:
    return any(p.pid == pid and p.state not in "ZX" for p in processes())


def command_line(pid: int) -> str:
    text = Path("/proc", str(pid), "cmdline").read_bytes()
    return text.replace(b"\0", b" ").decode("utf-8", "replace").strip()


class Server:
    """One running server.  A context manager; leaving it ends the server.

    settings become an ini file, unless ini gives its whole text.  python is that
    of the command line, None for none.  expect_exit is the exit status that the end
    must have, None for any.
    """

    def __init__(
        self,
        app: str | None = None,
        *options: str,
        workers: int | None = 1,
        threads: int | None = 4,
        python: str | None = PYTHON if PYTHON != DEFAULT_PYTHON else None,
        bind: Sequence[str] = ("127.0.0.1:0",),
        chdir: Path | str | None = APPS,
        ini: str | None = None,
        env: dict[str, str] | None = None,
        stdout: int = subprocess.PIPE,
        expect_exit: int | None = 0,
        allow_orphans: bool = False,
        program: str = PROGRAM,
        cwd: Path | str | None = None,
        pass_fds: Sequence[int] = (),
        **settings: object,
    ) -> None:
        self.expect_exit = expect_exit
        self.allow_orphans = allow_orphans
        self._ended = False
        self._files = tempfile.TemporaryDirectory(prefix="cgthread-e2e-")
        self.runtime_dir = Path(self._files.name, "run")
        if ini is None and settings:
            ini = make_ini(settings)
        command = [program]
        if ini is not None:
            self.ini_path = Path(self._files.name, "server.ini")
            self.ini_path.write_text(ini, "utf-8")
            command += ["-c", str(self.ini_path)]
        if python is not None:
            command += ["--python", python]
        if "runtime_dir" not in settings and not (ini and "runtime_dir" in ini):
            command += ["--runtime-dir", str(self.runtime_dir)]
        for address in bind:
            command += ["-b", address]
        if workers is not None:
            command += ["-w", str(workers)]
        if threads is not None:
            command += ["--threads", str(threads)]
        if chdir is not None:
            command += ["--chdir", str(chdir)]
        command += options
        if app is not None:
            command.append(app)
        named = re.search(r"^errorlog\s*=\s*(.*\S)", ini or "", re.MULTILINE)
        directory = Path(cwd or self._files.name)
        self.error_file = directory / named[1] if named else None
        self.command = command
        self.workers_wanted = workers
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self._environment(env or {}),
            cwd=cwd or self._files.name,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self.pid = self.process.pid
        self.errors = Lines(self.process.stderr)
        self.access = Lines(self.process.stdout) if self.process.stdout else None

    @staticmethod
    def _environment(extra: dict[str, str]) -> dict[str, str]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CGTHREAD_")
        }
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment.pop("PYTHONPATH", None)
        environment.pop("VIRTUAL_ENV", None)
        if IS_TSAN:  # children of multiprocessing are forked from a thread
            environment["TSAN_OPTIONS"] = "die_after_fork=0"
        if IS_ASAN:
            environment["ASAN_OPTIONS"] = "detect_leaks=0"
            environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
        environment.update(extra)
        return environment

    # ---- its life

    def start(self, timeout: float = 3 * PATIENCE) -> Server:
        """Waits until all workers are ready."""
        self.errors.wait_for(r"listening on ", timeout)
        self.errors.wait_for(r"ready in", timeout)
        return self

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for its own end; the exit status (negative: by that signal)."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {timeout} s") from None
        # A process of the application's may live on and hold the pipe.
        self.errors.wait_for_end(0.2 if self.allow_orphans else timeout)
        return status

    def terminate(self, timeout: float = PATIENCE) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait(timeout)
        for lines in (self.errors, self.access):
            if lines:  # the last ones may still be on their way to us
                lines.wait_for_end(2)
        return status

    def kill(self) -> None:
        """The master, at once; see to it that the workers leave."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.end(check=kind is None)

    def end(self, check: bool = True) -> None:
        """Ends it if need be and checks that it left as it should."""
        if self._ended:
            return
        self._ended = True
        try:
            status = self.terminate()
        except AssertionError:
            self._remove_rest()
            if check:
                raise
            return
        lines = self.log + self._error_file()
        rest = self._remove_rest()
        if check:
            self._check_end(status, rest, lines)

    def _remove_rest(self) -> list[str]:
        """Kills what is left of its session; gives their titles."""
        rest = []
        deadline = time.monotonic() + (0 if self.allow_orphans else PATIENCE / 2)
        while True:
            left = [
                p for p in processes() if p.session == self.pid and p.state not in "ZX"
            ]
            if not left or time.monotonic() >= deadline:
                break
            time.sleep(0.01)
        for process in left:
            try:
                rest.append(f"{process.pid} {command_line(process.pid)}")
                os.kill(process.pid, signal.SIGKILL)
            except OSError:
                pass  # it left by itself after all
        self.process.wait(PATIENCE)
        self._files.cleanup()
        return rest

    def _error_file(self) -> list[str]:
        """The lines of the error log where that is a file."""
        if self.error_file is None or not self.error_file.is_file():
            return []
        return self.error_file.read_text("utf-8", "backslashreplace").splitlines()

    def _check_end(self, status: int, rest: list[str], lines: list[str]) -> None:
        bad = [line for line in lines if NEVER_IN_LOG.search(line)]
        assert not bad, "in the error log: " + "\n".join(bad)
        if self.expect_exit is not None:
            assert status == self.expect_exit, f"exit status {status}"
        if not self.allow_orphans:
            assert not rest, f"processes outlived the server: {rest}"

    # ---- what can be seen of it

    @property
    def log(self) -> list[str]:
        """The lines of the error log (standard error) so far."""
        return self.errors.lines

    @property
    def access_log(self) -> list[str]:
        """The lines of the access log (standard output) so far."""
        return self.access.lines if self.access else []

    def wait_for_line(
        self, pattern: str, timeout: float = PATIENCE, count: int = 1
    ) -> re.Match[str]:
        return self.errors.wait_for(pattern, timeout, count)

    @property
    def urls(self) -> list[str]:
        return [m[1] for m in self.errors.find(r"listening on (\S+)")]

    @property
    def port(self) -> int:
        pattern = r"listening on http://\S*:(\d+)"
        return int(self.errors.wait_for(pattern)[1])

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def scoreboard(self) -> list[scoreboard.Line]:
        return scoreboard.read(self.runtime_dir / "scoreboard")

    def workers(self) -> list[int]:
        """PIDs of the worker processes that live now."""
        return sorted(
            p.pid
            for p in processes()
            if p.parent == self.pid and p.state not in "ZX" and self._is_worker(p.pid)
        )

    @staticmethod
    def _is_worker(pid: int) -> bool:
        try:
            return "worker" in os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            return False

    def report(self) -> str:
        parts = ["$ " + " ".join(self.command), f"exit: {self.process.poll()}"]
        parts += self.log
        if self.access_log:
            parts += ["--- access log (last 50)"] + self.access_log[-50:]
        return "\n".join(parts)

    # ---- talking to it

    def client(self, timeout: float = PATIENCE) -> Client:
        return Client(self.address, timeout)

    def get(self, target: str = "/", **fields: str) -> Response:
        """One GET on a connection of its own."""
        with self.client() as client:
            return client.request("GET", target, fields.items())

    def is_serving(self) -> bool:
        try:
            return self.get("/").status == 200
        except OSError:
            return False


class Meeting:
    """Where a request of apps/basic.py's /hold is awaited and let go again."""

    def __init__(self, directory: Path) -> None:
        self.path = tempfile.mktemp(prefix="meet", dir=directory)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.listener.settimeout(PATIENCE)
        self.held: list[Held] = []

    @property
    def query(self) -> str:
        return f"?at={self.path}"

    def wait(self) -> Held:
        """Until a request is running."""
        line, _ = self.listener.accept()
        line.settimeout(PATIENCE)
        self.held.append(Held(line, int(line.recv(32))))
        return self.held[-1]

    def close(self) -> None:
        self.listener.close()
        for held in self.held:
            held.release()


@dataclass
class Held:
    line: socket.socket
    pid: int  # of the worker that runs it

    def release(self) -> None:
        self.line.close()


class BadReply(AssertionError):
    """What came is no HTTP as RFC 9112 has it."""


class Closed(BadReply, EOFError):
    """The connection ended before the reply did; .got is what there was of it."""

    def __init__(self, got: bytes) -> None:
        super().__init__(f"closed after {len(got)} bytes: {got[-200:]!r}")
        self.got = got


@contextmanager
def _adding(parts: list[bytes]) -> Iterator[None]:
    """Adds what was read before to what Closed says that it got."""
    try:
        yield
    except Closed as closed:
        raise Closed(b"".join(parts) + closed.got) from None


@dataclass
class Response:
    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    framing: str = "none"  # none, length, chunked, close
    chunks: int = 0

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        return "close" in (self.header("Connection") or "").lower()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9]{2}) ([\t -~\x80-\xff]*)")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*"
    rb"((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)


class Client:
    """One connection, byte by byte.  address: (host, port) or a unix path."""

    def __init__(self, address, timeout: float = PATIENCE) -> None:
        if isinstance(address, (str, Path)):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Closes so that the peer gets a RST."""
        linger = b"\1\0\0\0\0\0\0\0"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        version: str = "HTTP/1.1",
    ) -> None:
        """A well-formed request; Host and Content-Length are added if missing."""
        fields = list(headers)
        names = {name.lower() for name, _ in fields}
        if "host" not in names and version == "HTTP/1.1":
            fields.insert(0, ("Host", "test"))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(body))))
        lines = [f"{method} {target} {version}"]
        lines += [f"{name}: {value}" for name, value in fields]
        head = "\r\n".join(lines) + "\r\n\r\n"
        self.send(head.encode("latin-1") + (body or b""))

    def request(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        version: str = "HTTP/1.1",
    ) -> Response:
        self.send_request(method, target, headers, body, version)
        return self.read_response(method)

    # ---- reading

    def _fill(self) -> None:
        try:
            data = self.socket.recv(262144)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def _read_line(self, limit: int = 65536) -> bytes:
        while (end := self.buffer.find(b"\n")) == -1:
            if len(self.buffer) > limit:
                raise BadReply(f"a line of more than {limit} bytes")
            self._fill()
        line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
        if not line.endswith(b"\r"):
            raise BadReply(f"a line without CR: {line!r}")
        return line[:-1]

    def _read_exactly(self, count: int) -> bytes:
        parts, have = [], 0
        while have < count:
            if not self.buffer:
                with _adding(parts):
                    self._fill()
            part = self.buffer[: count - have]
            self.buffer = self.buffer[len(part) :]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def read_head(self) -> Response:
        """Status line and fields, up to the empty line."""
        line = self._read_line()
        match = _STATUS_LINE.fullmatch(line)
        if not match:
            raise BadReply(f"status line {line!r}")
        version, status, reason = (part.decode("latin-1") for part in match.groups())
        response = Response(version, int(status), reason)
        while line := self._read_line():
            match = _FIELD.fullmatch(line)
            if not match:
                raise BadReply(f"field {line!r}")
            name, value = (part.decode("latin-1") for part in match.groups())
            response.headers.append((name, value))
        for once in ("Content-Length", "Transfer-Encoding", "Date", "Server"):
            response.header(once)
        return response

    def read_response(self, method: str = "GET") -> Response:
        """One whole reply; an interim one (1xx) is a reply of its own here."""
        response = self.read_head()
        length = response.header("Content-Length")
        coding = response.header("Transfer-Encoding")
        if length is not None and not re.fullmatch(r"[0-9]+", length):
            raise BadReply(f"Content-Length {length!r}")
        if length is not None and coding is not None:
            raise BadReply("both Content-Length and Transfer-Encoding")
        if response.status < 200 or response.status in (204, 304):
            if coding is not None:
                raise BadReply(f"Transfer-Encoding with {response.status}")
            if length is not None and response.status != 304:
                raise BadReply(f"Content-Length with {response.status}")
        elif method == "HEAD":
            pass
        elif coding is not None:
            if coding.lower() != "chunked" or response.version != "HTTP/1.1":
                raise BadReply(f"Transfer-Encoding {coding!r} in {response.version}")
            self._read_chunked(response)
        elif length is not None:
            response.framing = "length"
            response.body = self._read_exactly(int(length))
        else:
            self._read_to_end(response)
        return response

    def _read_chunked(self, response: Response) -> None:
        response.framing = "chunked"
        parts: list[bytes] = []
        while True:
            line = self._read_line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
                raise BadReply(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            with _adding(parts):
                parts.append(self._read_exactly(size))
                if self._read_exactly(2) != b"\r\n":
                    raise BadReply("no CRLF behind a chunk")
        if trailer := self._read_line():
            raise BadReply(f"trailer {trailer!r}")
        response.body = b"".join(parts)
        response.chunks = len(parts)

    def _read_to_end(self, response: Response) -> None:
        response.framing = "close"
        parts = [self.buffer]
        while data := self.socket.recv(262144):
            parts.append(data)
        self.buffer = b""
        response.body = b"".join(parts)

    def closed(self, timeout: float = PATIENCE) -> bool:
        """Whether the peer closes within the timeout; bytes of it are a failure."""
        if self.buffer:
            raise BadReply(f"bytes that nobody asked for: {self.buffer[:200]!r}")
        before = self.socket.gettimeout()
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(before)
        if data:
            raise BadReply(f"bytes that nobody asked for: {data[:200]!r}")
        return True
