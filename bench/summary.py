"""From rounds to medians and ratios."""

from __future__ import annotations

import statistics

KEYS = (
    "rps",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "cpu_us",
    "kinsn",
    "client_us",
    "both_us",
    "mb_s",
    "alone_p50_ms",
    "added_us",
    "bg_rps",
    "bg_p50_ms",
    "bg_p99_ms",
    "other_cpu_s",
    "steal_s",
)
RATIOS = ("rps", "p50_ms", "p99_ms", "cpu_us", "both_us", "kinsn")


def number(value: float | None) -> str:
    """Three digits are all that a round can tell."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(rounds: list[dict], key: str) -> dict[str, float] | None:
    values = [r[key] for r in rounds if r.get(key) is not None]
    if not values:
        return None
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def median(row: dict | None, key: str) -> float | None:
    found = ((row or {}).get("summary") or {}).get(key)
    return found["median"] if found else None


def of_rounds(rounds: list[dict]) -> dict[str, object]:
    return {key: spread(rounds, key) for key in KEYS} | {
        "errors": sum(r["errors"] for r in rounds),
        "restarted": any(r["restarted"] for r in rounds),
        "slept": all(r.get("slept", True) for r in rounds),
        "slow_dropped": sum(r.get("slow_dropped", 0) for r in rounds),
        "slow_refused": sum(r.get("slow_refused", 0) for r in rounds),
    }


def base_row(rows: dict[str, dict], row: dict, reference: str) -> dict | None:
    """What a row is compared with: its own server with the fewest threads where
    there are several rows of it, else the reference."""
    own = [r for r in rows.values() if r["server"] == row["server"]]
    if len(own) > 1:
        return min(own, key=lambda r: r["threads"])
    return rows.get(reference)


def ratios(row: dict, base: dict | None) -> dict[str, float]:
    found = {}
    for key in RATIOS:
        ours, theirs = median(row, key), median(base, key)
        if ours is not None and theirs:
            found[key] = ours / theirs
    return found


def summarize(results: dict, reference: str) -> None:
    """Adds "summary" and "ratio" to each row that has rounds of load."""
    for name, table in results["workloads"].items():
        rows = table["rows"]
        if name == "idle":
            continue
        for row in rows.values():
            if row["rounds"]:
                row["summary"] = of_rounds(row["rounds"])
        for row in rows.values():
            if row["rounds"]:
                row["ratio"] = ratios(row, base_row(rows, row, reference))
