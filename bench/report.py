"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from .summary import median, number
from .workloads import WORKLOADS, Workload

# wrk has one thread; with so much of a core it sets the pace.
CLIENT_BOUND_US_PER_S = 9e5

Columns = tuple[tuple[str, str], ...]

COLUMNS: Columns = (
    ("req/s", "rps"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("CPU µs/req", "cpu_us"),
    ("with wrk's", "both_us"),
    ("k instr/req", "kinsn"),
)
OWN_COLUMNS: dict[str, Columns] = {
    "hello1-sleep": (
        ("req/s", "rps"),
        ("p50 ms", "p50_ms"),
        ("p99 ms", "p99_ms"),
        ("p50 ms alone", "alone_p50_ms"),
        ("added to p50, µs", "added_us"),
    ),
    "mixed": (
        ("req/s", "rps"),
        ("p50 ms", "p50_ms"),
        ("p99 ms", "p99_ms"),
        ("20 ms request p50", "bg_p50_ms"),
        ("its p99", "bg_p99_ms"),
    ),
}
IDLE_COLUMNS: Columns = (
    ("processes", "processes"),
    ("RSS MB", "rss_mb"),
    ("PSS MB", "pss_mb"),
    ("still open", "alive"),
    ("PSS MB with them", "pss_idle_mb"),
    ("bytes/connection", "bytes_per_conn"),
    ("idle CPU %", "idle_cpu_percent"),
    ("hello req/s", "hello_rps"),
    ("p99 ms", "hello_p99_ms"),
    ("errors", "hello_errors"),
)
SUMMARY: Columns = (
    ("requests/s", "rps"),
    ("p99 ms", "p99_ms"),
    ("CPU µs/request", "cpu_us"),
    ("CPU µs/request, server and wrk", "both_us"),
    ("thousand instructions/request", "kinsn"),
    ("µs that a sleeping request adds to p50", "added_us"),
)
FOOTNOTE = "\\* starves connections or ignores Connection: close: no comparison"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def cell(row: dict, key: str) -> str:
    found = row["summary"].get(key)
    if not found:
        return "-"
    text = f"{number(found['median'])} ({number(found['min'])}–{number(found['max'])})"
    ratio = row["ratio"].get(key)
    return text + f" ×{number(ratio)}" if ratio is not None else text


def unfair(name: str, row: dict) -> list[str]:
    """Why this row's figures are no comparison: not all of the load was served."""
    workload = WORKLOADS.get(name, Workload(""))
    answered = row.get("answered", workload.connections)
    found = []
    if answered < workload.connections:
        found.append(
            f"answers only {answered} of {workload.connections} kept connections"
        )
    if workload.close and not row.get("closes", True):
        found.append("ignores Connection: close")
    return found


def marks(name: str, row: dict, server: dict) -> list[str]:
    """What the reader must know before he compares this row."""
    workload = WORKLOADS.get(name, Workload(""))
    summary = row["summary"]
    client = (median(row, "client_us") or 0) * (median(row, "rps") or 0)
    slow = [summary[key] for key in ("slow_dropped", "slow_refused")]
    found = {
        "no keep-alive": not workload.close and not row.get("keepalive", True),
        "no threads": not server["threads"],
        "one process": not server["processes"],
        "client-bound": client > CLIENT_BOUND_US_PER_S,
        f"died {row.get('died')} times": bool(row.get("died")),
        "processes changed": summary["restarted"],
        "the sleeping request was not answered in time": not summary["slept"],
        f"slow clients dropped {slow[0]}, refused {slow[1]}": any(slow),
    }
    return unfair(name, row) + [text for text, holds in found.items() if holds]


def failure(row: dict) -> str:
    return str(row.get("failed") or row.get("error") or "no round")


def _by_rate(rows: dict[str, dict]) -> list[tuple[str, dict]]:
    return sorted(rows.items(), key=lambda item: -(median(item[1], "rps") or -1))


def _with_figures(columns: Columns, rows: Iterable[dict]) -> Columns:
    """Without those that no row can fill, such as instructions."""
    rows = list(rows)
    return tuple(c for c in columns if any(median(r, c[1]) is not None for r in rows))


def workload_table(name: str, rows: dict[str, dict], servers: dict) -> list[str]:
    columns = _with_figures(OWN_COLUMNS.get(name, COLUMNS), rows.values())
    lines = []
    for label, row in _by_rate(rows):
        if not row.get("summary"):
            lines.append([label, "failed: " + failure(row)] + [""] * len(columns))
            continue
        if notes := marks(name, row, servers[row["server"]]):
            label += f" [{'; '.join(notes)}]"
        cells = [cell(row, key) for _, key in columns]
        lines.append([label, *cells, str(row["summary"]["errors"])])
    return table(["server", *(title for title, _ in columns), "errors"], lines)


def idle_table(rows: dict[str, dict]) -> list[str]:
    lines = []
    for label, row in rows.items():
        if not row["rounds"]:
            blank = [""] * (len(IDLE_COLUMNS) - 1)
            lines.append([label, "failed: " + failure(row)] + blank)
            continue
        figures = row["rounds"][0]
        lines.append([label, *(number(figures[key]) for _, key in IDLE_COLUMNS)])
    return table(["server", *(title for title, _ in IDLE_COLUMNS)], lines)


def _summary_columns(results: dict) -> list[tuple[str, str, int]]:
    """(title, workload, threads) for each column of the summary."""
    columns = []
    for name, workload in results["workloads"].items():
        if name == "idle":
            continue
        for threads in workload["threads"]:
            several = len(workload["threads"]) > 1
            title = f"{name}/{threads}" if several else name
            columns.append((title, name, threads))
    return columns


def _row_of(results: dict, server: str, name: str, threads: int) -> dict:
    rows = results["workloads"][name]["rows"].values()
    own = (server, threads)
    return next((r for r in rows if (r["server"], r["threads"]) == own), {})


def _summary_cell(name: str, row: dict, key: str) -> str:
    text = number(median(row, key))
    return text + "\\*" if text != "-" and unfair(name, row) else text


def summary_table(results: dict, key: str) -> list[str]:
    """Servers down, workloads across, medians; empty if there are none."""
    columns = []
    for title, name, threads in _summary_columns(results):
        rows = [_row_of(results, s, name, threads) for s in results["servers"]]
        cells = [_summary_cell(name, row, key) for row in rows]
        if any(cell != "-" for cell in cells):
            columns.append([title, *cells])
    if not columns:
        return []
    head, *lines = zip(["server", *results["servers"]], *columns)
    return table(head, lines)


def summary(results: dict) -> str:
    lines = []
    for title, key in SUMMARY:
        if text := summary_table(results, key):
            lines += [f"### {title}", "", *text, ""]
    return "\n".join([*lines, FOOTNOTE, ""])


def _workload(name: str, results: dict) -> list[str]:
    workload = results["workloads"][name]
    rows = workload["rows"]
    threads = ", ".join(map(str, workload["threads"]))
    lines = [
        "",
        f"## {name}: {workload['text']}",
        "",
        f"{workload['workers']} worker(s) x {threads} threads"
        f" where the server has any",
        "",
    ]
    if name == "idle":
        return lines + idle_table(rows)
    return lines + workload_table(name, rows, results["servers"])


def markdown(results: dict) -> str:
    meta = results["meta"]
    servers = [
        [name, s["version"], s["note"]] for name, s in results["servers"].items()
    ]
    lines = [
        "# Benchmark",
        "",
        f"{meta['date']}; {meta['cpu']}; Linux {meta['kernel']};"
        f" Python {meta['python']}; {meta['wrk']}",
        "",
        f"{meta['rounds']} rounds of {meta['seconds']} s, the servers in turns. A"
        " figure is the median of the rounds (least–most); × is its ratio to"
        f" {meta['reference']}, or, where a server has several rows, to its own with"
        " the fewest threads. CPU is user and system time of all the server's"
        " processes.",
        "",
        *table(["server", "version", "what"], servers),
        "",
        "## Summary",
        "",
        summary(results),
    ]
    for name in results["workloads"]:
        lines += _workload(name, results)
    return "\n".join(lines) + "\n"
