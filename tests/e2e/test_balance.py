"""Who serves a connection: the workers share them, and none gets lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import scoreboard
from server import Client, Server, is_alive, wait_until

STALE_S = 2


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A worker that is there and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def active(server: Server) -> list[int]:
    """The PIDs of the workers, by slot, once all accept connections."""
    wait_until(
        lambda: all(x.state == scoreboard.ACTIVE for x in server.scoreboard()),
        "all are active",
    )
    return [line.pid for line in server.scoreboard()]


def connections(server: Server) -> list[int]:
    return [line.connections for line in server.scoreboard()]


def under_way(server: Server) -> int:
    lines = server.scoreboard()
    return sum(x.handed_out for x in lines) - sum(x.handed_in for x in lines)


def total(server: Server, name: str) -> int:
    return sum(getattr(line, name) for line in server.scoreboard())


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_kept_connections_are_shared_evenly(serve, tmp_path, kind):
    path = tmp_path / "app.sock"
    # A second listener: the right one has to be told along with a connection.
    binds = ["127.0.0.1:0", f"unix:{path}"]
    server = serve("basic:application", workers=4, bind=binds)
    active(server)
    clients = []
    for _ in range(64):
        client = Client(server.address if kind == "tcp" else path)
        clients.append(client)
        seen = json.loads(client.request("GET", "/environ").body)
        if kind == "tcp":
            host, port = client.socket.getsockname()
            assert (seen["REMOTE_ADDR"], seen["REMOTE_PORT"]) == (host, str(port))
            assert seen["SERVER_PORT"] == str(server.port)
        else:
            assert seen["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in seen
    wait_until(lambda: sum(connections(server)) == 64, "all are shown")
    assert all(14 <= n <= 18 for n in connections(server)), connections(server)
    assert total(server, "accepted") == 64
    assert total(server, "handed_out") == total(server, "handed_in") > 0
    for client in clients:
        assert client.request("GET", "/").status == 200
        client.close()
    wait_until(lambda: connections(server) == [0, 0, 0, 0], "all are closed")
    wait_until(lambda: total(server, "requests") == 128, "all are counted")


def test_connections_that_come_at_once_are_shared_evenly(serve):
    server = serve("basic:application", workers=4)
    active(server)
    seen = []
    # A worker that is not given a processor for long gets less: not each time.
    for _ in range(5):
        clients = [server.client() for _ in range(64)]
        for _ in range(3):  # connections for one request are not counted
            for client in clients:
                client.send_request()
            for client in clients:
                assert client.read_response().status == 200
        wait_until(lambda: sum(connections(server)) == 64, "all are shown")
        seen.append(connections(server))
        assert max(seen[-1]) <= 32, seen
        for client in clients:
            client.close()
        wait_until(lambda: sum(connections(server)) == 0, "all are closed")
    assert any(all(14 <= n <= 18 for n in counts) for counts in seen), seen


def test_stopped_worker_stalls_nobody(serve):
    server = serve("basic:application", workers=2)
    first, second = active(server)
    clients = []
    with stopped(second):
        began = time.monotonic()
        while time.monotonic() < began + STALE_S + 1:
            sent = time.monotonic()
            clients.append(server.client())
            who = json.loads(clients[-1].request("GET", "/who").body)["pid"]
            assert who == first
            assert time.monotonic() - sent < 0.5
            time.sleep(0.05)
        assert server.scoreboard()[0].handed_out > 0  # before it was stale
        before = total(server, "handed_out")
        for _ in range(20):
            clients.append(server.client())
            assert clients[-1].request("GET", "/").status == 200
        assert total(server, "handed_out") == before
    # Awake again, it gets what comes next.
    wait_until(
        lambda: clients.append(server.client())
        or json.loads(clients[-1].request("GET", "/who").body)["pid"] == second,
        "the other one answers",
    )


def test_full_queue_is_no_reason_to_wait(serve):
    count = 600
    server = serve("basic:application", workers=2, max_queue=count)
    first, second = active(server)
    with stopped(second):
        with stopped(first):
            clients = [server.client() for _ in range(count)]
            for client in clients:
                client.send_request()
        for client in clients:
            assert client.read_response().status == 200
        lines = server.scoreboard()
        assert lines[0].accepted == count
        assert lines[0].handed_in == lines[0].handed_out >= 100
        assert lines[0].handed_out < count - 100
    for client in clients:
        client.close()


def test_stop_loses_no_connection_that_is_being_handed_over(serve):
    server = serve("basic:application", workers=2)
    first, second = active(server)
    with stopped(second):
        with stopped(first):
            clients = [server.client() for _ in range(64)]
            for client in clients:
                client.send_request()
        wait_until(lambda: under_way(server) >= 20, "the queue fills")
        with stopped(first):
            assert under_way(server) > 0
            server.signal(signal.SIGTERM)
            server.wait_for_line("SIGTERM")
        for client in clients:
            assert client.read_response().status == 200
        wait_until(lambda: not is_alive(first), "the first one leaves")
    assert server.wait() == 0


def test_killed_worker_leaves_an_empty_line(serve):
    server = serve("basic:application", workers=2, respawn_backoff="50ms")
    active(server)
    clients = [server.client() for _ in range(8)]
    for client in clients:
        client.request("GET", "/")
    wait_until(lambda: sum(connections(server)) == 8, "all are shown")
    victim = server.scoreboard()[0]
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(
        lambda: (line := server.scoreboard()[0]).pid != victim.pid
        and line.state == scoreboard.ACTIVE,
        "another one is in the slot",
    )
    line = server.scoreboard()[0]
    assert line.connections == 0
    assert line.requests == victim.requests > 0  # totals go on


def test_scoreboard_is_there_while_the_server_is(serve):
    server = serve("basic:application", workers=2)
    path = server.runtime_dir / "scoreboard"
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(active(server)) == server.workers()
    before = [line.heartbeat_ms for line in server.scoreboard()]
    wait_until(
        lambda: all(
            line.heartbeat_ms > old for line, old in zip(server.scoreboard(), before)
        ),
        "the hearts beat",
    )
    assert server.terminate() == 0
    assert not path.exists() and (server.runtime_dir / "lock").exists()


def test_second_server_of_a_name_does_without(serve, tmp_path):
    first = serve("basic:application", runtime_dir=tmp_path / "run")
    second = serve("basic:application", runtime_dir=tmp_path / "run")
    second.wait_for_line("another server's, which runs")
    assert first.get("/").status == second.get("/").status == 200
    assert second.terminate() == 0
    assert (tmp_path / "run" / "scoreboard").exists()


def test_directory_that_cannot_be_had_ends_the_start(serve, tmp_path):
    (tmp_path / "file").write_text("")
    server = serve(
        "basic:application", runtime_dir=tmp_path / "file", wait=False, expect_exit=1
    )
    assert server.wait() == 1
    server.wait_for_line("runtime_dir .*file")
