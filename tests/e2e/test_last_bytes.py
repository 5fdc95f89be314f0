"""A reply that has left us for the system's buffers is not lost by what comes after.

The clients have small windows and read late, so that most of a reply is still with the
server's system when the server is through with it.  What a client then sends meets a
connection that the server wants to close: a plain close(2) would answer it with a
reset, which takes the rest of the reply back (RFC 9112 9.6).
"""

from __future__ import annotations

import signal
import socket
import time

import pytest

from server import PATIENCE, Server, wait_until

BODY = 1 << 20
# One piece of known length, of which the socket's buffer has room for all.
TARGET = b"/big-known?mib=1"
FOLLOWER = b"GET /follower HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def reader(serve):
    """Starts a server and asks it for a reply that is not read yet."""
    opened = []

    def start(fields: bytes = b"", **settings) -> tuple[Server, socket.socket]:
        server = serve("basic:application", workers=1, loglevel="debug", **settings)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE)
        client.connect(server.address)
        opened.append(client)
        client.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (TARGET, fields))
        # The line is written when all of the reply has left the server.
        wait_until(lambda: server.access_log, "the reply is over")
        assert f" 200 {BODY} " in server.access_log[0]
        return server, client

    yield start
    for client in opened:
        client.close()


def read_all(client: socket.socket) -> bytes:
    parts = []
    while data := client.recv(1 << 20):
        parts.append(data)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return body


def read_all_of(client: socket.socket, count: int) -> bytes:
    """So many bytes at least, of a connection that stays."""
    data = b""
    while len(data) < count:
        more = client.recv(1 << 20)
        assert more, "the reply is not whole"
        data += more
    return data


def connections(server: Server) -> int:
    return server.scoreboard()[0].connections


@pytest.mark.parametrize(
    "fields, settings",
    [(b"Connection: close\r\n", {}), (b"", {"keepalive": "0"})],
    ids=["client", "server"],
)
def test_last_reply_is_whole_though_the_client_sends_on(reader, fields, settings):
    server, client = reader(fields, **settings)
    client.sendall(FOLLOWER)
    assert len(read_all(client)) == BODY
    client.close()
    wait_until(lambda: connections(server) == 0, "the connection is gone")
    assert len(server.access_log) == 1  # the follower was not answered


def test_keepalive_that_ends_takes_no_reply_back(reader):
    server, client = reader(keepalive="200ms", linger_timeout="10s")
    # Its own half is closed: there is an end behind the reply.
    server.wait_for_line("debug.*connection lingers: keepalive")
    client.sendall(FOLLOWER)
    assert len(read_all(client)) == BODY


def test_new_connection_takes_no_reply_back(reader):
    server, client = reader(max_connections=1)
    with server.client() as second:
        second.send_request("GET", "/")
        server.wait_for_line("debug.*connection lingers: max_connections")
        client.sendall(FOLLOWER)
        assert len(read_all(client)) == BODY
        client.close()
        assert second.read_response().status == 200


def test_who_does_not_read_is_no_way_around_max_connections(reader):
    """What lingers counts, and for each that does not take its reply no other comes."""
    server, client = reader(max_connections=3)
    others = [socket.socket() for _ in range(20)]
    for other in others:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        other.connect(server.address)  # the kernel takes them all
        other.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % TARGET)
    server.wait_for_line("max_connections reached: 3 open, the next ones wait")
    wait_until(lambda: len(server.access_log) >= 3, "those that it has are answered")
    with pytest.raises(AssertionError):  # nor do more come by and by
        wait_until(lambda: connections(server) > 4, "more than one over", timeout=0.5)
    for other in others:
        other.close()
    assert len(read_all_of(client, BODY)) >= BODY


def test_graceful_stop_takes_no_reply_back(reader):
    server, client = reader()
    server.signal(signal.SIGTERM)
    server.wait_for_line("debug.*connection lingers: draining")
    client.sendall(FOLLOWER)
    assert len(read_all(client)) == BODY
    client.close()
    assert server.wait() == 0


def test_who_never_takes_the_last_reply_is_reset(reader):
    server, client = reader(
        b"Connection: close\r\n", linger_timeout="100ms", send_timeout="200ms"
    )
    server.wait_for_line("connection cut: send_timeout")
    wait_until(lambda: connections(server) == 0, "the connection is gone")
    with pytest.raises(ConnectionResetError):
        read_all(client)


def test_who_takes_the_last_reply_slowly_gets_all_of_it(reader):
    """For longer than linger_timeout and send_timeout together."""
    server, client = reader(
        b"Connection: close\r\n",
        linger_timeout="100ms",
        send_timeout="500ms",
        min_rate="1k",
    )
    got = b""
    while data := client.recv(20_000):
        got += data
        if len(got) < BODY // 2:
            time.sleep(0.02)
    assert len(got) > BODY
