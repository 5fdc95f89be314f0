#!/usr/bin/python3
"""Minutes of mixed load; then memory, descriptors and references must be as before.

    tests/e2e/soak.py [--seconds 600] [--clients 8] [--workers 2] [--threads 4]

Hellos, requests that sleep, errors, uploads, streams, large bodies that are sent from
the application's own bytes or out of a file, bad requests, and clients that leave in
the middle of all this.  Prints for the master and each worker the resident memory and
the open descriptors; for each worker also what malloc has given out and what Python
has: allocated blocks, objects that the collector knows, references to the bytes that
all requests share.  It does so at the start (after a warm-up of a tenth of the time),
in the middle and at the end.  Exit status 1: a worker died, something grew, a reply was
not what it should be, a connection was refused, or a kind of request was never made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from apps.basic import big_block
from server import Client, Closed, Server, wait_until

PAGE = os.sysconf("SC_PAGE_SIZE")
BIG = b"".join(big_block(i) for i in range(16))

# ---- the load: each returns whether its reply was right


def hello(client: Client, chance: random.Random) -> bool:
    return client.request("GET", "/").body == b"Hello, world!\n"


def sleep(client: Client, chance: random.Random) -> bool:
    """Another thread has to be woken for the requests behind it."""
    target = f"/sleep?ms={chance.randrange(1, 20)}"
    return client.request("GET", target).body == b"Hello, world!\n"


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


def upload_expecting(client: Client, chance: random.Random) -> bool:
    body = chance.randbytes(chance.randrange(1, 50_000))
    fields = [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    client.send_request("POST", "/echo", fields)
    if client.read_response().status != 100:
        return False
    client.send(body)
    return client.read_response().body == body


def big(target: str):
    def step(client: Client, chance: random.Random) -> bool:
        return client.request("GET", target).body == BIG

    return step


def leave(client: Client, chance: random.Random) -> bool:
    chance.choice([client.close, client.reset])()
    return True


def leave_in_reply(client: Client, chance: random.Random) -> bool:
    targets = ["/big?mib=8", "/big-fresh?mib=8", "/kept-pieces?times=8"]
    client.send_request("GET", chance.choice(targets))
    client.read_head()
    return leave(client, chance)


def leave_in_known_reply(client: Client, chance: random.Random) -> bool:
    client.send_request("GET", chance.choice(["/kept", "/wrapped", "/big-known"]))
    if chance.random() < 0.5:
        client.read_head()
    return leave(client, chance)


def leave_in_endless_reply(client: Client, chance: random.Random) -> bool:
    client.send_request("GET", "/closing?how=endless&key=soak")
    client.read_head()
    return leave(client, chance)


def leave_in_request(client: Client, chance: random.Random) -> bool:
    request = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n1234"
    client.send(request[: chance.randrange(1, len(request))])
    return leave(client, chance)


def leave_while_it_runs(client: Client, chance: random.Random) -> bool:
    client.send_request("GET", f"/sleep?ms={chance.randrange(1, 20)}")
    return leave(client, chance)


def leave_expecting(client: Client, chance: random.Random) -> bool:
    fields = [("Expect", "100-continue"), ("Content-Length", "9999")]
    client.send_request("POST", "/echo", fields)
    return client.read_response().status == 100 and leave(client, chance)


def bad_request(client: Client, chance: random.Random) -> bool:
    client.send(chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n")
    status = client.read_response().status
    client.close()
    return status in (400, 505)


def close(client: Client, chance: random.Random) -> bool:
    response = client.request("GET", "/", [("Connection", "close")])
    return response.status == 200 and client.closed()


@dataclass
class Kind:
    step: object
    weight: int
    stays: bool = True  # the connection is good for more


LOAD = {
    "hello": Kind(hello, 60),
    "sleep": Kind(sleep, 6),
    "pipeline": Kind(pipeline, 5),
    "error": Kind(error, 5, stays=False),
    "late error": Kind(late_error, 2, stays=False),
    "upload": Kind(upload, 4),
    "chunked upload": Kind(upload_chunked, 4),
    "100-continue": Kind(upload_expecting, 3),
    "stream": Kind(big("/big?mib=1"), 2),
    "fresh large pieces": Kind(big("/big-fresh?mib=1"), 2),
    "kept large pieces": Kind(big("/kept-pieces"), 2),
    "kept large body": Kind(big("/kept"), 3),
    "file": Kind(big("/wrapped"), 3),
    "leave in reply": Kind(leave_in_reply, 2, stays=False),
    "leave in known reply": Kind(leave_in_known_reply, 2, stays=False),
    "leave in endless reply": Kind(leave_in_endless_reply, 1, stays=False),
    "leave in request": Kind(leave_in_request, 4, stays=False),
    "leave while it runs": Kind(leave_while_it_runs, 2, stays=False),
    "leave expecting 100": Kind(leave_expecting, 2, stays=False),
    "bad request": Kind(bad_request, 4, stays=False),
    "close": Kind(close, 6, stays=False),
}
WEIGHTS = [kind.weight for kind in LOAD.values()]


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
            try:
                client = Client(self.address)
            except OSError as problem:
                print(f"connect: {problem!r}", file=sys.stderr)
                self.wrong["connect"] += 1
                return  # one is enough to fail
            for _ in range(self.chance.randrange(1, 50)):
                if not self.act(client) or time.monotonic() >= self.end:
                    break
            client.close()

    def act(self, client: Client) -> bool:
        """One step; whether the connection is still good for another."""
        (name,) = self.chance.choices(list(LOAD), WEIGHTS)
        try:
            right = LOAD[name].step(client, self.chance)
        except (AssertionError, OSError) as problem:
            right = False
            if not self.wrong[name]:
                print(f"{name}: {problem!r}", file=sys.stderr)
        (self.done if right else self.wrong)[name] += 1
        return right and LOAD[name].stays


# ---- what is watched

# What may be more at the end than in the middle.  By then the caches, which are of
# bounded size, have nearly filled.  What is lost with each request of one kind, however
# rare, would be more after some minutes.  Of the resident memory some is free: how much
# malloc keeps is chance, and what it has given out is known better.
GROWTH = {
    "resident KiB": 8192,
    "descriptors": 2,
    "malloc KiB": 128,
    "blocks": 300,
    "objects": 50,
    "references": 0,
}

Figures = dict[str, int]


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE // 1024


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def of_python(server: Server) -> dict[int, Figures]:
    """Of each worker.  Connections that stay open go to one after the other."""
    found: dict[int, Figures] = {}
    wanted = set(server.workers())
    with ExitStack() as stack:
        for _ in range(64):
            client = stack.enter_context(server.client())
            answer = json.loads(client.request("GET", "/figures").body)
            found[answer.pop("pid")] = answer
            if found.keys() >= wanted:
                break
    return found


def watch(server: Server, name: str) -> dict[int, Figures]:
    pids = [server.pid, *server.workers()]
    now = {
        pid: {"resident KiB": resident(pid), "descriptors": descriptors(pid)}
        for pid in pids
    }
    python = of_python(server)
    for pid, each in now.items():
        each |= python.get(pid, {})
        who = "master" if pid == server.pid else f"{pid}"
        text = ", ".join(f"{value} {what}" for what, value in each.items())
        print(f"{name:7} {who:>7} {text}", flush=True)
    return now


def compare(seen: list[dict[int, Figures]], master: int) -> list[str]:
    first, middle, last = seen
    if not first.keys() == middle.keys() == last.keys():
        return [f"workers changed: {sorted(first)} to {sorted(last)}"]
    problems = []
    for pid, before in middle.items():
        after = last[pid]
        if pid != master and not before.keys() & after.keys() >= GROWTH.keys():
            problems.append(f"{pid}: did not answer")
        for what in before.keys() & after.keys() & GROWTH.keys():
            if after[what] > before[what] + GROWTH[what]:
                problems.append(f"{pid}: {what} {before[what]} to {after[what]}")
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
    most = 1 + max(idle[pid]["descriptors"] for pid in idle if pid != server.pid)
    try:
        wait_until(
            lambda: all(descriptors(pid) <= most for pid in server.workers()),
            "connections are closed",
        )
    except AssertionError:
        pass  # compare() will tell


def soak(server: Server, options: argparse.Namespace) -> list[str]:
    """The problems that there were."""
    seen: list[dict[int, Figures]] = []
    visitors: list[Visitor] = []
    idle = watch(server, "idle")
    for i, (share, name) in enumerate([(0.1, "start"), (0.45, "middle"), (0.45, "end")]):
        seed = options.seed + 1000 * i
        seconds = options.seconds * share
        visitors += load(server.address, options.clients, seconds, seed)
        settle(server, idle)
        seen.append(watch(server, name))
    done = sum((v.done for v in visitors), Counter())
    wrong = sum((v.wrong for v in visitors), Counter())
    print("requests:", ", ".join(f"{name} {done[name]}" for name in LOAD))
    problems = compare(seen, server.pid)
    problems += [f"wrong: {name} {count}" for name, count in wrong.items()]
    problems += [f"never right: {name}" for name in LOAD if not done[name]]
    return problems


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    options = parse()
    with Server(
        "soaking:application",
        workers=options.workers,
        threads=options.threads,
        accesslog="off",
        body_buffer="256k",
    ) as server:
        problems = soak(server.start(), options)
    for problem in problems:
        print("PROBLEM", problem)
    if problems:
        print("exit:", server.process.returncode)
        print("\n".join(server.log[-50:]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
