"""Fixtures of the end-to-end tests: servers that end with the test, and time limits.

	serve           starts servers that live as long as one test
	serve_module    starts servers that live as long as one file's tests

Each checks at the server's end that it left with the right exit status, that no
process outlived it and that no sanitizer or assertion spoke up.  When a test fails,
the logs of its servers stand in the report.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import IS_ASAN, IS_TSAN, Meeting, Server

TEST_TIMEOUT = 60 * (3 if IS_ASAN or IS_TSAN else 1)


class Servers:
    """Starts servers and ends all of them."""

    def __init__(self) -> None:
        self.running: list[Server] = []

    def __call__(self, *args, wait: bool = True, **kwargs) -> Server:
        """A running server; with wait=False it may still be about to start."""
        server = Server(*args, **kwargs)
        self.running.append(server)
        return server.start() if wait else server

    def end(self, check: bool) -> None:
        errors = []
        for server in self.running:
            try:
                server.end(check)
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, "\n".join(errors)


_servers = pytest.StashKey[Servers]()
_failed = pytest.StashKey[bool]()


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Servers]:
    servers = Servers()
    request.node.stash[_servers] = servers
    yield servers
    servers.end(check=not request.node.stash.get(_failed, False))


@pytest.fixture(scope="module")
def serve_module(request: pytest.FixtureRequest) -> Iterator[Servers]:
    servers = Servers()
    request.node.stash[_servers] = servers
    yield servers
    servers.end(check=True)


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    meeting = Meeting(tmp_path)
    yield meeting
    meeting.close()


def _reports(item: pytest.Item) -> Iterator[str]:
    for node in (item, item.getparent(pytest.Module)):
        if node and (servers := node.stash.get(_servers, None)):
            for server in servers.running:
                yield server.report()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.stash[_failed] = True
        for text in _reports(item):
            report.sections.append((f"server ({report.when})", text))


# ---- no test may hang

def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "timeout(seconds): how long each phase of the test may take"
    )


def _on_alarm(number: int, frame) -> None:
    faulthandler.dump_traceback(sys.__stderr__)
    raise TimeoutError("the test took too long")


def _limit(item: pytest.Item):
    marker = item.get_closest_marker("timeout")
    before = signal.signal(signal.SIGALRM, _on_alarm)
    signal.setitimer(signal.ITIMER_REAL, marker.args[0] if marker else TEST_TIMEOUT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item: pytest.Item):
    yield from _limit(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item):
    yield from _limit(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item):
    yield from _limit(item)
