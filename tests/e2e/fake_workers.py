"""Workers that are small scripts, so that the supervisor can be tested with any
misbehaviour: they exit, abort, hang, babble or ignore what they are told.
"""

from __future__ import annotations

import os
from pathlib import Path

# What every fake has.  -I -S: it starts fast and looks at nothing of the test's.
PRELUDE = """\
#!/usr/bin/python3 -IS
import os
import select
import signal
import sys

control = int(os.environ["CGTHREAD_CONTROL_FD"])
slot = int(os.environ["CGTHREAD_SLOT"])
listeners = [int(fd) for fd in os.environ["CGTHREAD_LISTEN_FDS"].split(",") if fd]


def say(text):
    os.write(1, text.encode() + b"\\n")


def on(number, action):
    signal.signal(number, lambda *_: action())


def leave(status=0):
    os._exit(status)


def ready():
    os.write(control, b"READY")
    assert os.read(control, 64) == b"ACTIVE"
    say("is active")


def wait():
    "Until a signal ends it, also one just before this sleeps, or the master is gone."
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    while True:
        readable = select.select([control, woken], [], [])[0]
        if woken in readable:
            os.read(woken, 1)
        if control in readable and not os.read(control, 64):
            return


def is_first(name):
    "Whether nobody has asked for this name before."
    try:
        os.close(os.open(os.path.join(DIRECTORY, name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

"""

# One that does all it should, as far as the master can tell.
GOOD = """
on(signal.SIGTERM, leave)
on(signal.SIGQUIT, leave)
ready()
wait()
"""


class FakeWorkers:
    """Makes worker programs in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.count = 0

    def program(self, text: str) -> Path:
        self.count += 1
        path = self.directory / f"fake-{self.count}"
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return path

    def __call__(self, body: str, **more: str) -> dict[str, str]:
        """The environment in which the master starts workers that do this."""
        where = f"DIRECTORY = {str(self.directory)!r}\n"
        return environment(self.program(PRELUDE + where + body), **more)


def environment(program: Path | str, **more: str) -> dict[str, str]:
    """A fake is no sanitized program, so the master can be held to its leaks."""
    return {
        "CGTHREAD_WORKER_PROGRAM": str(program),
        "ASAN_OPTIONS": "detect_leaks=1",
        **more,
    }


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
