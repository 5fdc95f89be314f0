"""Runs a server of one process in several, forked around one listening socket, so
that it can stand beside servers that do so by themselves.

	prefork.py waitress|cheroot PORT WORKERS THREADS MODULE
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys

BACKLOG = 2048
CONNECTIONS = 20000
IDLE_SECONDS = 300


def run_waitress(sock: socket.socket, threads: int, app) -> None:
    import waitress

    sock.setblocking(False)
    waitress.serve(
        app,
        sockets=[sock],
        threads=threads,
        asyncore_use_poll=True,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
    )


def run_cheroot(sock: socket.socket, threads: int, app) -> None:
    from cheroot import wsgi

    # It takes descriptor 3 if it believes that systemd has opened it.
    os.dup2(sock.fileno(), 3)
    os.environ["LISTEN_PID"] = str(os.getpid())
    server = wsgi.Server(
        sock.getsockname(),
        app,
        numthreads=threads,
        request_queue_size=BACKLOG,
        timeout=IDLE_SECONDS,
    )
    server.keep_alive_conn_limit = CONNECTIONS
    server.start()


SERVERS = {"waitress": run_waitress, "cheroot": run_cheroot}


def listen(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(BACKLOG)
    return sock


def main() -> None:
    kind, port, workers, threads, module = sys.argv[1:6]
    sys.path.insert(0, os.getcwd())
    sock = listen(int(port))
    children = []
    for _ in range(int(workers)):
        pid = os.fork()
        if pid == 0:
            app = importlib.import_module(module).application
            SERVERS[kind](sock, int(threads), app)
            os._exit(0)
        children.append(pid)

    def stop(*_) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    os.wait()
    stop()


if __name__ == "__main__":
    main()
