"""The rounds of a workload: every server is started once, then they take turns."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, dataclass

from . import protocol
from .load import NoFigures
from .measure import measure, measure_idle
from .servers import Description, Port, Server, stop_all
from .settings import Settings, say, turn
from .summary import number
from .workloads import WORKLOADS, Workload

# A row of the results, as it stands in the JSON file.
Row = dict[str, object]


@dataclass
class Entrant:
    """A server with a number of threads: one row of the workload's table."""

    server: Server
    workload: Workload
    workers: int
    threads: int
    row: Row

    def start(self, ports: Port) -> bool:
        """Starts and checks the server; the row says what is wrong."""
        server, row = self.server, self.row
        port = ports.take()
        if not server.start(self.workload.app, self.workers, self.threads, port):
            row["failed"] = "does not start: " + server.last_words()[-120:]
            return False
        try:
            row["keepalive"] = protocol.verify(port, self.workload)
        except protocol.WrongAnswer as error:
            row["failed"] = str(error)
            return False
        if self.workload.has_probe:
            row |= asdict(protocol.probe(port, self.workload))
        return True

    def revive(self, ports: Port) -> bool:
        """Once more, where the server has died in an earlier round."""
        if self.server.is_alive():
            return True
        self.row["died"] = self.row.get("died", 0) + 1
        self.server.stop()
        return self.start(ports)


def row_name(description: Description, threads: int, workload: Workload) -> str:
    several = workload.threads is not None and len(workload.threads) > 1
    return f"{description.name}/{threads}" if several else description.name


def rotated(entrants: list[Entrant], number_of_round: int) -> list[Entrant]:
    """Nobody always runs behind the same other."""
    first = number_of_round % len(entrants) if entrants else 0
    return entrants[first:] + entrants[:first]


class Session:
    """One run: the chosen servers on one workload after the other."""

    def __init__(
        self, settings: Settings, descriptions: list[Description], results: dict
    ) -> None:
        self.settings = settings
        self.descriptions = descriptions
        self.results = results
        self._ports = Port(settings.port_base)

    def run(self, name: str) -> None:
        entrants = self._entrants(name)
        if name == "idle":
            with turn(self.settings.lock):
                self._run_idle(entrants)
            return
        try:
            started = self._start(name, entrants)
            for i in range(self.settings.rounds):
                with turn(self.settings.lock):
                    for entrant in rotated(started, i):
                        self._run_round(name, i, entrant)
                time.sleep(0.5)
        finally:
            stop_all(entrant.server for entrant in entrants)

    def _entrants(self, name: str) -> list[Entrant]:
        """Adds the workload and its rows to the results."""
        workload = WORKLOADS[name]
        workers = workload.workers or self.settings.workers
        counts = workload.threads or (self.settings.threads,)
        table = self.results["workloads"].setdefault(name, {"rows": {}})
        table |= {"text": workload.text, "workers": workers, "threads": counts}
        entrants = []
        for description in self.descriptions:
            if not description.takes(name):
                continue
            for threads in counts:
                row = table["rows"].setdefault(
                    row_name(description, threads, workload), {"rounds": []}
                )
                row |= {"server": description.name, "threads": threads}
                server = Server(description, self.settings)
                entrants.append(Entrant(server, workload, workers, threads, row))
        return entrants

    def _start(self, name: str, entrants: list[Entrant]) -> list[Entrant]:
        started = []
        for entrant in entrants:
            if entrant.start(self._ports):
                started.append(entrant)
            else:
                say(name, self._label(entrant), "FAILED", entrant.row["failed"])
                entrant.server.stop()
        return started

    @staticmethod
    def _label(entrant: Entrant) -> str:
        return row_name(entrant.server.description, entrant.threads, entrant.workload)

    def _run_round(self, name: str, i: int, entrant: Entrant) -> None:
        label = self._label(entrant)
        if not entrant.revive(self._ports):
            return
        try:
            result = measure(entrant.server, entrant.workload)
        except (NoFigures, OSError, subprocess.TimeoutExpired) as error:
            say(name, label, "ERROR", error)
            entrant.row["error"] = str(error)[:120]
            return
        entrant.row["rounds"].append(result)
        say(
            f"{name} r{i + 1} {label:16}"
            f" {result['rps']:9.0f} req/s  p50 {number(result['p50_ms'])}"
            f" p99 {number(result['p99_ms'])} ms  cpu {number(result['cpu_us'])} us"
            f"  errors {result['errors']} {result['error_kinds'] or ''}"
        )

    def _run_idle(self, entrants: list[Entrant]) -> None:
        """One server at a time: they would share memory."""
        for entrant in entrants:
            try:
                if entrant.start(self._ports):
                    result = measure_idle(entrant.server, entrant.workload)
                    entrant.row["rounds"] = [result]
                    say("idle", self._label(entrant), f"{result['alive']} kept")
                else:
                    say("idle", self._label(entrant), entrant.row["failed"])
            finally:
                stop_all([entrant.server])
