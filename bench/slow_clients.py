"""Slow clients: half of them drip a request's head, half a request's body.

	slow_clients.py PORT COUNT SECONDS

Each sends one byte every 100 ms and connects again when it is dropped.  Ends after
SECONDS or on SIGTERM, and then prints one line of JSON behind SLOW.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import sys
import time

PERIOD = 0.1

HEAD = b"GET / HTTP/1.1\r\nHost: bench\r\nX-Slow: "
BODY = (
    b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 100000\r\n\r\n"
)


class Client:
    """A place among the clients; its connection may change."""

    def __init__(self, begin: bytes, due: float) -> None:
        self.begin = begin
        self.due = due
        self.socket: socket.socket | None = None


class Clients:
    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.stat = {"opened": 0, "dropped": 0, "answered": 0, "refused": 0}
        now = time.monotonic()
        self._clients = [
            Client(BODY if i % 2 else HEAD, now + PERIOD * i / count)
            for i in range(count)
        ]
        for client in self._clients:
            self._connect(client)

    def _connect(self, client: Client) -> None:
        connection = socket.socket()
        connection.settimeout(0.5)
        try:
            connection.connect(("127.0.0.1", self._port))
            connection.sendall(client.begin)
        except OSError:
            self.stat["refused"] += 1
            connection.close()
            return
        connection.setblocking(False)
        self.stat["opened"] += 1
        client.socket = connection
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _drop(self, client: Client) -> None:
        self._selector.unregister(client.socket)
        client.socket.close()
        client.socket = None
        self.stat["dropped"] += 1

    def read(self) -> None:
        """Notices answers and ends; waits for a moment only."""
        for key, _ in self._selector.select(0.005):
            try:
                data = key.fileobj.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                self.stat["answered"] += 1
            else:
                self._drop(key.data)

    def drip(self) -> None:
        now = time.monotonic()
        for client in self._clients:
            if now < client.due:
                continue
            client.due += PERIOD
            if client.socket is None:
                self._connect(client)
                continue
            try:
                client.socket.send(b"b")
            except BlockingIOError:
                pass
            except OSError:
                self._drop(client)


def main() -> None:
    port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: stop.append(signum))
    clients = Clients(port, count)
    print("ready", flush=True)
    end = time.monotonic() + seconds
    while not stop and time.monotonic() < end:
        clients.read()
        clients.drip()
    print("SLOW " + json.dumps(clients.stat), flush=True)


if __name__ == "__main__":
    main()
