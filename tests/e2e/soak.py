#!/usr/bin/python3
"""Minutes of mixed load; then memory, descriptors and workers must be as before.

    tests/e2e/soak.py [--seconds 300] [--clients 8] [--workers 2] [--threads 4]

Hellos, errors, uploads, streams, bad requests and clients that leave in the middle.
Prints each worker's resident memory and open descriptors at the start (after a
warm-up of a tenth of the time), in the middle and at the end.  Exit status 1: a
worker died, memory grew by more than 10 %, descriptors by more than 2, or a reply
was not what it should be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from apps.basic import big_block
from server import Client, Closed, Server, wait_until

RSS_GROWTH = 1.10
FD_GROWTH = 2
PAGE = os.sysconf("SC_PAGE_SIZE")


# ---- the load: each returns whether its reply was right


def hello(client: Client, chance: random.Random) -> bool:
    return client.request("GET", "/").body == b"Hello, world!\n"


def pipeline(client: Client, chance: random.Random) -> bool:
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
    return all(client.read_response().status == 200 for _ in range(10))


def error(client: Client, chance: random.Random) -> bool:
    target = chance.choice(["/raise-before", "/returns-none", "/exit", "/start-twice"])
    return client.request("GET", target).status == 500


def late_error(client: Client, chance: random.Random) -> bool:
    try:
        client.request("GET", "/raise-after")
    except Closed:
        return True
    return False


def upload(client: Client, chance: random.Random) -> bool:
    body = big_block(chance.randrange(1000)) * chance.randrange(1, 32)
    want = hashlib.sha256(body).hexdigest().encode()
    return want in client.request("POST", "/digest", body=body).body


def upload_chunked(client: Client, chance: random.Random) -> bool:
    body = chance.randbytes(chance.randrange(1, 50_000))
    client.send_request("POST", "/echo", [("Transfer-Encoding", "chunked")])
    client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    return client.read_response().body == body


def stream(client: Client, chance: random.Random) -> bool:
    return len(client.request("GET", "/big?mib=1").body) == 1 << 20


def leave_in_reply(client: Client, chance: random.Random) -> bool:
    client.send_request("GET", "/big?mib=8")
    client.read_head()
    chance.choice([client.close, client.reset])()
    return True


def leave_in_endless_reply(client: Client, chance: random.Random) -> bool:
    client.send_request("GET", "/closing?how=endless&key=soak")
    client.read_head()
    chance.choice([client.close, client.reset])()
    return True


def leave_in_request(client: Client, chance: random.Random) -> bool:
    request = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n1234"
    client.send(request[: chance.randrange(1, len(request))])
    chance.choice([client.close, client.reset])()
    return True


def bad_request(client: Client, chance: random.Random) -> bool:
    client.send(chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n")
    status = client.read_response().status
    client.close()
    return status in (400, 505)


def close(client: Client, chance: random.Random) -> bool:
    response = client.request("GET", "/", [("Connection", "close")])
    return response.status == 200 and client.closed()


LOAD = {
    hello: 60,
    pipeline: 5,
    error: 5,
    late_error: 2,
    upload: 4,
    upload_chunked: 4,
    stream: 3,
    leave_in_reply: 2,
    leave_in_endless_reply: 1,
    leave_in_request: 4,
    bad_request: 4,
    close: 6,
}


class Visitor(threading.Thread):
    """One client after the other, each for some requests."""

    def __init__(self, address, seed: int, end: float) -> None:
        super().__init__()
        self.address, self.end = address, end
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def run(self) -> None:
        while time.monotonic() < self.end:
            client = Client(self.address)
            for _ in range(self.chance.randrange(1, 50)):
                if not self.act(client) or time.monotonic() >= self.end:
                    break
            client.close()

    def act(self, client: Client) -> bool:
        """One step; whether the connection is still good for another."""
        (step,) = self.chance.choices(list(LOAD), LOAD.values())
        try:
            right = step(client, self.chance)
        except (AssertionError, OSError) as problem:
            right = False
            print(f"{step.__name__}: {problem!r}", file=sys.stderr)
        self.done[step.__name__] += 1
        if not right:
            self.wrong[step.__name__] += 1
        return right and step in (hello, pipeline, upload, upload_chunked, stream)


# ---- what is watched


@dataclass
class Figures:
    rss: int  # KiB
    descriptors: int


def figures(pid: int) -> Figures:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Figures(pages * PAGE // 1024, len(os.listdir(f"/proc/{pid}/fd")))


def watch(server: Server, name: str) -> dict[int, Figures]:
    now = {pid: figures(pid) for pid in server.workers()}
    master = figures(server.pid)
    print(f"{name:7} master rss {master.rss:7} KiB, {master.descriptors:3} descriptors")
    for pid, each in now.items():
        print(f"        {pid:6} rss {each.rss:7} KiB, {each.descriptors:3} descriptors")
    sys.stdout.flush()
    return now | {server.pid: master}


def compare(first: dict[int, Figures], last: dict[int, Figures]) -> list[str]:
    if first.keys() != last.keys():
        return [f"workers changed: {sorted(first)} to {sorted(last)}"]
    problems = []
    for pid, before in first.items():
        after = last[pid]
        if after.rss > before.rss * RSS_GROWTH:
            problems.append(f"{pid}: rss {before.rss} to {after.rss} KiB")
        if after.descriptors > before.descriptors + FD_GROWTH:
            problems.append(
                f"{pid}: descriptors {before.descriptors} to {after.descriptors}"
            )
    return problems


def load(address, clients: int, seconds: float, seed: int) -> list[Visitor]:
    end = time.monotonic() + seconds
    visitors = [Visitor(address, seed + i, end) for i in range(clients)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return visitors


def settle(server: Server, idle: dict[int, Figures]) -> None:
    """Waits until the connections of the load are closed, if they ever are."""
    most = max(each.descriptors for each in idle.values()) + FD_GROWTH
    try:
        wait_until(
            lambda: all(figures(p).descriptors <= most for p in server.workers()),
            "connections are closed",
        )
    except AssertionError:
        pass  # compare() will tell


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    options = parse()
    shares = [(0.1, "start"), (0.45, "middle"), (0.45, "end")]
    seen: list[dict[int, Figures]] = []
    visitors: list[Visitor] = []
    with Server(
        "hostile:application",
        workers=options.workers,
        threads=options.threads,
        accesslog="off",
        body_buffer="256k",
    ) as server:
        address = server.start().address
        idle = watch(server, "idle")
        for i, (share, name) in enumerate(shares):
            seconds = options.seconds * share
            seed = options.seed + 1000 * i
            visitors += load(address, options.clients, seconds, seed)
            settle(server, idle)
            seen.append(watch(server, name))
        done = sum((v.done for v in visitors), Counter())
        wrong = sum((v.wrong for v in visitors), Counter())
        problems = compare(seen[0], seen[-1])
    print("requests:", ", ".join(f"{name} {count}" for name, count in done.items()))
    problems += [f"wrong: {name} {count}" for name, count in wrong.items()]
    for problem in problems:
        print("PROBLEM", problem)
    if problems:
        print("exit:", server.process.returncode)
        print("\n".join(server.log[-50:]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
