"""The command line: python3 -m bench run|report, from the root of the source."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import counters, report
from .rounds import Session
from .servers import Description, Server, parse_description, read_descriptions
from .settings import HERE, Settings, say
from .summary import summarize
from .workloads import WORKLOADS

REFERENCE = "cgthread"


def names(known: dict | None = None):
    """A list with commas; of known names, if there are any."""

    def parse(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if known is not None and name not in known:
                raise argparse.ArgumentTypeError(
                    f"{name!r} is none of: {', '.join(known)}"
                )
        return found

    return parse


def description(text: str) -> Description:
    try:
        return parse_description(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_run(commands, common: argparse.ArgumentParser) -> None:
    defaults = Settings()
    run = commands.add_parser("run", help="measure", parents=[common])
    run.add_argument("--workloads", type=names(WORKLOADS), default=list(WORKLOADS))
    run.add_argument("--only", type=names(), metavar="SERVER,...")
    run.add_argument("--skip", type=names(), metavar="SERVER,...", default=[])
    run.add_argument(
        "--servers", type=Path, action="append", default=[], help="more descriptions"
    )
    run.add_argument(
        "--add",
        type=description,
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more server; the command may hold {port} {app} {workers} ...",
    )
    run.add_argument("--rounds", type=int, default=defaults.rounds)
    run.add_argument("--seconds", type=int, default=defaults.seconds)
    run.add_argument("--workers", type=int, default=defaults.workers)
    run.add_argument("--threads", type=int, default=defaults.threads)
    run.add_argument("--slow-clients", type=int, default=defaults.slow_clients)
    run.add_argument(
        "--idle-connections", type=int, default=defaults.idle_connections
    )
    run.add_argument("--build", type=Path, default=defaults.build, metavar="DIR")
    run.add_argument("--python", default=defaults.python)
    run.add_argument("--wrk", default=defaults.wrk)
    run.add_argument(
        "--lock", default=defaults.lock, help="file to lock for each round"
    )
    run.add_argument("--port-base", type=int, default=defaults.port_base)
    run.add_argument("--keep-tmp", action="store_true")
    run.add_argument(
        "--merge", action="store_true", help="keep the other workloads of OUT.json"
    )
    run.add_argument(
        "--append", action="store_true", help="add the rounds to those of OUT.json"
    )


def parse_arguments(words: list[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--out", type=Path, required=True, help="the results, without .json and .md"
    )
    common.add_argument(
        "--reference", default=REFERENCE, help="the server of all ratios"
    )
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_run(commands, common)
    commands.add_parser("report", help="write OUT.md again", parents=[common])
    return parser.parse_args(words)


def settings_of(args: argparse.Namespace, unit: int) -> Settings:
    chosen = {
        name: getattr(args, name)
        for name in Settings.__dataclass_fields__
        if hasattr(args, name)
    }
    chosen["build"] = args.build.resolve()
    # As a path: cgthread takes no name.
    chosen["python"] = shutil.which(args.python) or args.python
    return Settings(**chosen, counts_instructions=counters.usable(), unit=unit)


def choose(args: argparse.Namespace, settings: Settings) -> list[Description]:
    """The servers that are wanted and can be started here."""
    known = read_descriptions([HERE / "servers.json", *args.servers]) + args.add
    listed = [server.name for server in known]
    for name in [*(args.only or []), *args.skip]:
        if name not in listed:
            raise SystemExit(f"no server {name!r}; there are: {', '.join(listed)}")
    chosen = []
    for server in known:
        if server.name in args.skip or server.name not in (args.only or [server.name]):
            continue
        if why := Server(server, settings).why_unusable():
            say("skipping", server.name + ":", why)
        else:
            chosen.append(server)
    return chosen


def _first_line(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return (done.stdout.splitlines() or [""])[0]


def surroundings(settings: Settings, reference: str) -> dict[str, object]:
    cpu = re.search(
        r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    )
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": f"{cpu[1] if cpu else os.uname().machine}, {os.cpu_count()} cores",
        "kernel": os.uname().release,
        "python": _first_line(settings.python, "-V").removeprefix("Python "),
        "wrk": _first_line(settings.wrk, "-v").partition(" Copyright")[0],
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "reference": reference,
        "unit": settings.unit,
    }


def beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def load_results(out: Path) -> dict:
    return json.loads(beside(out, ".json").read_text())


def previous_results(args: argparse.Namespace) -> dict:
    """What is kept of an earlier run."""
    if (args.merge or args.append) and beside(args.out, ".json").exists():
        return load_results(args.out)
    return {"meta": {}, "servers": {}, "workloads": {}}


def save(results: dict, out: Path, reference: str) -> None:
    summarize(results, reference)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = beside(out, ".json.tmp")
    unfinished.write_text(json.dumps(results, indent=1))
    unfinished.rename(beside(out, ".json"))
    beside(out, ".md").write_text(report.markdown(results))


def run(args: argparse.Namespace) -> int:
    results = previous_results(args)
    # Rounds that are added must compute as long as those before.
    unit = results["meta"].get("unit") or int(
        _first_line(args.python, str(HERE / "apps" / "burn.py"))
    )
    settings = settings_of(args, unit)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    chosen = choose(args, settings)
    if not chosen:
        say("no server to measure")
        return 1
    results["meta"] = surroundings(settings, args.reference)
    for server in chosen:
        results["servers"][server.name] = {
            "version": Server(server, settings).version(),
            "note": server.note,
            "threads": server.threads,
            "processes": server.processes,
        }
    session = Session(settings, chosen, results)
    for name in args.workloads:
        if not args.append:
            results["workloads"].pop(name, None)
        session.run(name)
        save(results, args.out, args.reference)
    return 0


def main(words: list[str]) -> int:
    args = parse_arguments(words)
    # Servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.command == "run":
        if status := run(args):
            return status
    else:
        results = load_results(args.out)
        results["meta"]["reference"] = args.reference
        save(results, args.out, args.reference)
    print(report.summary(load_results(args.out)))
    print(f"The rest is in {beside(args.out, '.md')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
