"""What a worker does where a limit is reached: who waits, who is told, who is cut."""

from __future__ import annotations

import json
import os
import re
import socket
import time

import pytest

from server import IS_ASAN, PATIENCE, Client, Server, wait_until

HELLO = b"Hello, world!\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def rss(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spooled(pid: int) -> list[str]:
    """The files without a name that a process has open."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return [path for path in found if path.endswith("(deleted)") and "/#" in path]


# ---- the log


def test_refused_requests_are_told_of_so_many_each_second_and_counted(serve):
    server = serve("basic:application", workers=1, log_refused=1)
    count = 40  # those would take 40 s if each had a line
    for i in range(count):
        with server.client() as client:
            client.send(b"GET /%d HTTP/1.1\r\n\r\n" % i)
            assert client.read_response().status == 400

    def told() -> tuple[int, int]:
        text = "\n".join(server.log)
        lines = len(re.findall(r"400 Bad Request: no Host", text))
        others = re.findall(r"(\d+) more refused than log_refused tells of", text)
        return lines, sum(map(int, others))

    wait_until(lambda: sum(told()) == count, "each is told of or counted")
    assert told()[1] > 0
    wait_until(lambda: len(server.access_log) == count, "the access log has each")


# ---- the queue


def test_request_that_waits_too_long_for_a_thread_is_503(serve, meeting):
    server = serve("basic:application", threads=1, queue_timeout="300ms")
    running, waiting = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    began = time.monotonic()
    response = waiting.request("GET", "/who")
    assert response.status == 503 and time.monotonic() - began >= 0.29  # in whole ms
    assert re.fullmatch(r"[0-9]+", response.header("Retry-After") or "")
    server.wait_for_line(r"queue_timeout: no thread free for .* 1 refused")
    held.release()
    assert running.read_response().body == b"held\n"  # not concerned by it
    # The connection stays, and the request that was given up has not run.
    assert waiting.request("GET", "/").body == HELLO
    wait_until(lambda: len(server.access_log) == 3, "all are logged")
    assert sum('"GET /who HTTP/1.1" 503' in x for x in server.access_log) == 1


def test_request_that_runs_is_not_concerned_by_queue_timeout(serve):
    server = serve("basic:application", threads=1, queue_timeout="50ms")
    with server.client() as client:
        assert client.request("GET", "/sleep?ms=400").body == HELLO


def test_queue_timeout_0_is_none(serve, meeting):
    server = serve("basic:application", threads=1, queue_timeout="0")
    running, waiting = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    waiting.send_request("GET", "/")
    time.sleep(0.2)
    held.release()
    assert waiting.read_response().body == HELLO


def test_lasting_saturation_is_told_and_so_is_its_end(serve, meeting):
    server = serve("basic:application", threads=1)
    running, waiting = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    waiting.send_request("GET", "/")
    server.wait_for_line(r"saturated: no thread free for [1-9].* 1 request waiting")
    held.release()
    assert waiting.read_response().status == 200
    server.wait_for_line(r"a thread is free again after [1-9]")


# ---- progress


def test_body_that_drips_in_is_408(serve):
    server = serve("basic:application", body_timeout="600ms", min_rate="1k")
    with server.client() as client:
        client.send(POST % 100000 + b"x" * 20000)
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < began + 10:
                client.send(b"x")
                client.socket.settimeout(0.02)
                try:
                    if client.socket.recv(4096).startswith(b"HTTP/1.1 408"):
                        raise ConnectionError
                except TimeoutError:
                    pass
        assert 0.5 < time.monotonic() - began < 5
    server.wait_for_line("408 Request Timeout: body_timeout")


def test_body_that_goes_on_may_take_its_time(serve):
    server = serve("basic:application", body_timeout="300ms", min_rate="1k")
    with server.client() as client:
        client.send(POST % 10000)
        for _ in range(10):  # ten times the timeout, in all
            client.send(b"x" * 1000)
            time.sleep(0.1)
        assert client.read_response().body == b"x" * 10000


def slow_reader(server: Server, target: bytes, fields: bytes = b"") -> socket.socket:
    """A client with a small window, which has sent a request and reads nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(server.address)
    reader.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    return reader


def take(reader: socket.socket, count: int) -> None:
    """Reads so many bytes, and fails where the connection ends before."""
    reader.settimeout(PATIENCE)
    while count > 0:
        data = reader.recv(min(count, 1 << 20))
        assert data, f"{count} bytes are missing"
        count -= len(data)


def drain(reader: socket.socket, seconds: float, size: int, pause: float) -> int:
    """Bytes read until an error, the end, or so many seconds have passed."""
    count, began = 0, time.monotonic()
    try:
        while time.monotonic() < began + seconds:
            data = reader.recv(size)
            if not data:
                break
            count += len(data)
            time.sleep(pause)
    except OSError:
        pass
    return count


def test_reader_that_takes_a_little_now_and_then_is_cut(serve):
    server = serve(
        "basic:application", send_timeout="500ms", min_rate="1m", loglevel="debug"
    )
    with slow_reader(server, b"/big-known?mib=16") as reader:
        drain(reader, 20, 1024, 0.05)
    server.wait_for_line("connection cut: send_timeout")
    assert server.get("/").body == HELLO


def test_reader_that_is_slow_keeps_no_thread(serve):
    """It takes more than min_rate asks for, and less than a thread waits for."""
    server = serve("basic:application", threads=1, send_timeout="700ms", loglevel="debug")
    with slow_reader(server, b"/big?mib=64") as reader:
        drain(reader, 20, 4096, 0.02)
    server.wait_for_line("connection cut: send_timeout")
    assert server.get("/").body == HELLO


def test_pipelined_replies_are_taken_one_after_the_other(serve):
    """While earlier ones drain from the socket's buffer the last makes no progress."""
    server = serve("basic:application", send_timeout="600ms", min_rate="1k")
    count = 6
    with slow_reader(server, b"/big-known?mib=1") as reader:
        more = b"GET /big-known?mib=1 HTTP/1.1\r\nHost: a\r\n\r\n"
        reader.sendall(more * (count - 1))
        for _ in range(count * 16):  # a reply in about a second
            take(reader, 65536)
            time.sleep(0.06)


def test_slow_reader_that_goes_on_gets_all_of_it(serve):
    # What the socket's buffer holds lasts for longer than send_timeout.
    server = serve("basic:application", send_timeout="300ms", min_rate="10k")
    with slow_reader(server, b"/big-known?mib=4", b"Connection: close\r\n") as reader:
        count = drain(reader, 2, 16384, 0.01)
        count += drain(reader, 20, 1 << 20, 0)
    assert count > 4 << 20


# ---- connections


def test_idle_connection_makes_room_for_a_new_one(serve):
    server = serve("basic:application", max_connections="3")
    idle = [server.client() for _ in range(3)]
    for client in idle:
        assert client.request("GET", "/").body == HELLO
    with server.client() as client:
        assert client.request("GET", "/").body == HELLO
    assert idle[0].closed()  # the one that was idle for longest
    for client in idle[1:]:
        assert client.request("GET", "/").body == HELLO
    server.wait_for_line("max_connections reached: 3 open, idle ones are closed")


def test_connection_with_a_request_is_not_closed_for_a_new_one(serve, meeting):
    server = serve("basic:application", threads=2, max_connections="2")
    held, idle = server.client(), server.client()
    held.send_request("GET", "/hold" + meeting.query)
    release = meeting.wait()
    half = idle
    half.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    new = server.client()
    new.send_request("GET", "/")
    server.wait_for_line("max_connections reached: 2 open, the next ones wait")
    # As soon as one is idle it goes, and the new one is served.
    half.send(b"\r\n")
    assert half.read_response().body == HELLO
    assert half.closed()
    assert new.read_response().body == HELLO
    release.release()
    assert held.read_response().body == b"held\n"


# ---- memory


def test_bodies_go_to_files_once_the_workers_memory_is_used_up(serve, tmp_path):
    server = serve(
        "basic:application", max_buffered="1m", body_buffer="400k", spool_dir=tmp_path
    )
    (pid,) = server.workers()
    clients = [server.client() for _ in range(8)]
    body = os.urandom(300_000)
    for client in clients:
        client.send(POST % len(body) + body[:-1])
    # Two or three of them fit into what bodies may have of it.
    wait_until(lambda: len(spooled(pid)) >= 5, "the others are in files")
    for client in clients:
        client.send(body[-1:])
        assert client.read_response().body == body
    wait_until(lambda: not spooled(pid), "all files are gone")
    # What was counted has been given back.
    for client in clients:
        assert client.request("POST", "/echo", body=body).body == body
        assert not spooled(pid)


def test_heads_beyond_the_workers_memory_are_503(serve):
    server = serve(
        "basic:application",
        max_buffered="1m",
        max_head_size="256k",
        limit_request_field_size="256k",
    )
    clients = [server.client() for _ in range(12)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 120_000)
    server.wait_for_line("503 Service Unavailable: max_buffered")
    for client in clients:
        client.close()
    wait_until(
        lambda: server.get("/", **{"X-Long": "x" * 120_000}).status == 200,
        "there is room again",
    )


def test_promised_bodies_leave_room_for_others(serve):
    server = serve("basic:application", workers=1, max_buffered="1m", body_buffer="512k")
    clients = [server.client() for _ in range(40)]
    for client in clients:
        client.send(POST % (512 << 10))
    assert server.get("/").body == HELLO
    for client in clients:  # and bodies that have come, of which most are in files
        client.send(b"x" * (100 << 10))
    for _ in range(10):
        assert server.get("/").body == HELLO
    for client in clients[:3]:
        client.send(b"x" * (412 << 10))
        assert client.read_response().body == b"x" * (512 << 10)


def test_slowest_reader_is_cut_when_replies_fill_the_memory(serve, tmp_path):
    server = serve(
        "basic:application",
        workers=1,
        threads=8,
        max_buffered="8m",
        outbuf_high_watermark="4m",
        loglevel="debug",
    )
    path = tmp_path / "file"
    path.write_bytes(b"x" * (16 << 20))
    with slow_reader(server, b"/file?path=" + bytes(path)) as downloading:
        take(downloading, 100)
        readers = [slow_reader(server, b"/big?mib=16") for _ in range(6)]
        server.wait_for_line("max_buffered reached: the slowest reader is cut")
        server.wait_for_line("connection cut: max_buffered", count=3)
        assert server.get("/").body == HELLO
        take(downloading, 16 << 20)  # a file is not in memory: it is not concerned
    for reader in readers:
        reader.close()


def test_reader_that_reads_is_not_the_slowest(serve):
    """It has waited for longest, but goes on taking more than min_rate."""
    server = serve(
        "basic:application",
        workers=1,
        threads=8,
        max_buffered="8m",
        outbuf_high_watermark="4m",
        send_timeout="20s",
        loglevel="debug",
    )
    left = 64 << 20
    with slow_reader(server, b"/big?mib=64") as reading:
        take(reading, 1 << 20)
        others = [slow_reader(server, b"/big?mib=16") for _ in range(5)]
        while left > 0 and len(server.errors.find("connection cut: max_buffered")) < 3:
            take(reading, 65536)
            left -= 65536
            time.sleep(0.01)  # so that its reply waits, too
        take(reading, left - (1 << 20))
    server.wait_for_line("connection cut: max_buffered", count=3)
    for reader in others:
        reader.close()


def test_half_heads_cost_no_reader_his_connection(serve):
    server = serve(
        "basic:application", workers=1, max_buffered="4m", outbuf_high_watermark="64k"
    )
    with slow_reader(server, b"/big?mib=16") as reading:
        take(reading, 1 << 20)
        field = b"X: " + b"x" * 7000 + b"\r\n"
        clients = [server.client() for _ in range(120)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + field * 8)
        server.wait_for_line("503 Service Unavailable: max_buffered", count=5)
        take(reading, 15 << 20)
        for client in clients:
            client.close()
    assert not server.errors.find("reader is cut")


def test_reader_that_never_reads_costs_bounded_memory(serve):
    server = serve(
        "basic:application", workers=1, send_timeout="1s", loglevel="debug"
    )
    (pid,) = server.workers()
    assert server.get("/big?mib=8").status == 200
    before = rss(pid)
    with slow_reader(server, b"/big?mib=50"):
        most = 0
        for _ in range(40):
            most = max(most, rss(pid))
            time.sleep(0.02)
        server.wait_for_line("connection cut: send_timeout")
    if not IS_ASAN:  # which keeps what was freed
        assert most - before < 8 << 20


# ---- health


def health(client: Client) -> tuple[int, dict]:
    response = client.request("GET", "/-/health?now")
    assert response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store"
    return response.status, json.loads(response.body)


def test_health_is_answered_while_all_threads_are_busy(serve, meeting):
    server = serve(
        "basic:application", workers=1, threads=1, health_path="/-/health"
    )
    asking = server.client()
    status, idle = health(asking)
    assert status == 200
    assert idle == {
        "state": "ok",
        "worker": 1,
        "threads": 1,
        "running": 0,
        "queued": 0,
        "saturated_ms": 0,
        "connections": 1,
    }
    running, waiting = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    waiting.send_request("GET", "/")
    wait_until(lambda: health(asking)[1]["saturated_ms"] > 0, "it is saturated")
    status, busy = health(asking)
    assert status == 200 and busy["state"] == "saturated"
    assert (busy["running"], busy["queued"], busy["connections"]) == (1, 1, 3)
    held.release()
    assert waiting.read_response().body == HELLO
    wait_until(lambda: health(asking)[1]["state"] == "ok", "it is well again")


def test_health_path_is_the_servers_alone(serve):
    server = serve("basic:application", workers=1, health_path="/-/health")
    with server.client() as client:
        assert client.request("HEAD", "/-/health").status == 200
        refused = client.request("POST", "/-/health", body=b"x")
        assert refused.status == 405 and refused.header("Allow") == "GET, HEAD"
        assert not refused.closes
        for target in ("/-/healthy", "/-/healt", "/-/health/", "/x/-/health"):
            assert client.request("GET", target).status == 404
        client.send(b"GET /-/health HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        for _ in range(3):
            assert client.read_response().status == 200
    wait_until(lambda: len(server.access_log) == 9, "all are logged")


def test_health_is_503_while_the_worker_drains(serve, meeting):
    server = serve(
        "basic:application", workers=1, threads=1, health_path="/-/health"
    )
    running, asking = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    asking.send(b"GET /-/health HTTP/1.1\r\nHost: a\r\n")
    wait_until(lambda: server.scoreboard()[0].connections == 2, "both are there")
    os.kill(server.process.pid, 15)
    wait_until(lambda: server.scoreboard()[0].state == 4, "it drains")
    asking.send(b"\r\n")
    response = asking.read_response()
    assert response.status == 503 and response.closes
    assert json.loads(response.body)["state"] == "draining"
    held.release()
    assert running.read_response().body == b"held\n"
    assert server.wait() == 0


# ---- clients that leave, files that shrink


@pytest.mark.parametrize("how", ["close", "reset"])
def test_waiting_request_whose_client_has_left_is_dropped_at_once(serve, meeting, how):
    server = serve("basic:application", workers=1, threads=1)
    running, leaving = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    leaving.send_request("GET", "/who")
    wait_until(lambda: server.scoreboard()[0].queued == 1, "it waits")
    getattr(leaving, how)()
    # The only thread is still busy.
    wait_until(lambda: server.scoreboard()[0].queued == 0, "it waits no more")
    wait_until(lambda: server.scoreboard()[0].connections == 1, "it is closed")
    wait_until(lambda: len(server.access_log) == 1, "it is logged")
    held.release()
    assert running.read_response().body == b"held\n"


def test_file_that_shrinks_while_it_is_sent_is_told_and_cut(serve, tmp_path):
    server = serve("basic:application", workers=1)
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    with slow_reader(server, b"/file?path=" + bytes(path)) as reader:
        assert reader.recv(1024)
        os.truncate(path, 0)
        assert drain(reader, 20, 1 << 20, 0) < 64 << 20
    server.wait_for_line(r"a file ended before the length .*: \"GET /file\?path=")
    assert server.get("/").body == HELLO
