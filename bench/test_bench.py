"""The harness's own arithmetic and reading; nothing is measured and nothing started."""

from __future__ import annotations

import json
import struct
from dataclasses import fields

import pytest

from bench import companions, counters, load, measure, processes, protocol
from bench import report, rounds, servers, summary
from bench.__main__ import beside, choose, load_results, parse_arguments, save
from bench.__main__ import settings_of
from bench.settings import HERE, Settings
from bench.workloads import WORKLOADS, Workload

WRK = (
    "Running 1s test\n"
    'BENCH {"requests": 2000, "duration_us": 1000000, "bytes": 5000000, "connect": 0,'
    ' "read": 3, "write": 0, "status": 0, "timeout": 1, "p50": 40, "p90": 50,'
    ' "p99": 900}\n'
)


def a_round(rps: float = 1000.0, **others) -> dict:
    zero = {key: None for key in summary.KEYS}
    return zero | {"rps": rps, "errors": 0, "restarted": False} | others


def a_row(server: str, threads: int, *rps: float, **others) -> dict:
    rows = [a_round(x, cpu_us=1e6 / x) for x in rps]
    return {"server": server, "threads": threads, "rounds": rows} | others


def some_results() -> dict:
    own = {"version": "1", "note": "a note", "threads": True, "processes": True}
    hello = {
        "ours": a_row("ours", 4, 900, 1000, 1200, keepalive=True, answered=64),
        "other": a_row("other", 4, 250, keepalive=True, answered=8, closes=False),
        "broken": {"server": "broken", "threads": 4, "rounds": [], "failed": "why"},
    }
    cpu = {
        "ours/1": a_row("ours", 1, 500),
        "ours/16": a_row("ours", 16, 490),
        "other/1": a_row("other", 1, 100),
        "other/16": a_row("other", 16, 50),
    }
    return {
        "meta": dict(
            date="today", cpu="cpu", kernel="6", python="3", wrk="wrk 4", rounds=3,
            seconds=2, reference="ours",
        ),
        "servers": {name: own for name in ("ours", "other", "broken")},
        "workloads": {
            "hello": {"text": "x", "workers": 2, "threads": [4], "rows": hello},
            "cpu": {"text": "y", "workers": 2, "threads": [1, 16], "rows": cpu},
        },
    }


# ---- what others say ----


def test_wrk_line_is_read():
    seen = load.parse(WRK)
    assert seen.rate == 2000
    assert (seen.p50, seen.p90, seen.p99) == (40, 50, 900)
    assert seen.errors == {"read": 3, "timeout": 1}


def test_wrk_without_its_line_is_an_error():
    with pytest.raises(load.NoFigures, match="unable to connect"):
        load.parse("unable to connect to 127.0.0.1")


def test_stat_of_a_process_with_a_mean_name():
    text = "71 (a) b) S 70 9 60 0 -1 0 0 0 0 0 150 50 7 7 20 0 1 0 5\n"
    process = processes.parse_stat(text)
    assert (process.pid, process.parent, process.session) == (71, 70, 60)
    assert process.cpu == 200 / processes.TICK


def test_family_is_the_session_and_all_descendants():
    table = {
        pid: processes.Process(pid, parent, session, 1.0)
        for pid, parent, session in (
            (10, 1, 10),  # the root
            (11, 10, 10),
            (12, 1, 10),  # its parent has gone
            (13, 12, 13),  # a session of its own
            (14, 13, 13),
            (20, 1, 20),
        )
    }
    assert sorted(processes.family(10, table)) == [10, 11, 12, 13, 14]


def test_cpu_leaves_out_who_has_gone():
    def at(cpu: dict[int, float]) -> dict[int, processes.Process]:
        return {pid: processes.Process(pid, 1, 1, x) for pid, x in cpu.items()}

    spent = processes.cpu_between(at({1: 5.0, 2: 9.0}), at({1: 6.0, 3: 0.5}))
    assert spent == pytest.approx(1.5)


# ---- figures ----


def test_figures_are_for_one_request():
    cost = measure.Cost(cpu=0.006, instructions=4e7, busy=1.0, steal=0.0)
    seen = load.parse(WRK)
    seen.client_cpu = 0.2
    found = measure.figures(seen, cost)
    assert found["cpu_us"] == pytest.approx(3.0)
    assert found["kinsn"] == pytest.approx(20.0)
    assert found["client_us"] == pytest.approx(100.0)
    assert found["both_us"] == pytest.approx(103.0)
    assert found["p99_ms"] == 0.9
    assert found["mb_s"] == 5.0
    assert found["errors"] == 4
    assert found["other_cpu_s"] == pytest.approx(0.794)


def test_no_request_has_no_figures():
    seen = load.parse(WRK.replace('"requests": 2000', '"requests": 0'))
    found = measure.figures(seen, measure.Cost(cpu=1.0))
    keys = ("p50_ms", "p99_ms", "cpu_us", "kinsn", "client_us", "both_us")
    assert [found[key] for key in keys] == [None] * 6
    assert found["rps"] == 0


def test_a_sleeper_is_judged_by_what_it_adds():
    added = measure.beside_sleeper({"p50_ms": 0.040}, {"p50_ms": 0.055})
    assert added["added_us"] == pytest.approx(15.0)
    assert measure.beside_sleeper({"p50_ms": None}, {"p50_ms": 1})["added_us"] is None


@pytest.mark.parametrize(
    "value, text",
    [(None, "-"), (0.0123, "0.0123"), (3.14159, "3.14"), (99.96, "100"),
     (123.6, "124"), (417000.2, "417000"), (-5.0, "-5")],
)
def test_number_shows_three_digits(value, text):
    assert summary.number(value) == text


def test_spread_skips_rounds_without_the_figure():
    found = summary.spread([{"a": 5}, {"a": None}, {}, {"a": 1}, {"a": 2}], "a")
    assert found == {"median": 2, "min": 1, "max": 5}
    assert summary.spread([{}], "a") is None


def test_ratio_is_to_the_reference_or_to_the_own_fewest_threads():
    results = some_results()
    summary.summarize(results, "ours")
    hello = results["workloads"]["hello"]["rows"]
    assert hello["ours"]["ratio"]["rps"] == 1.0
    assert hello["other"]["ratio"] == {"rps": 0.25, "cpu_us": 4.0}
    cpu = results["workloads"]["cpu"]["rows"]
    assert cpu["ours/16"]["ratio"]["rps"] == pytest.approx(0.98)
    assert cpu["other/16"]["ratio"]["rps"] == 0.5


# ---- the report ----


def test_report_warns_of_rows_that_cannot_be_compared():
    results = some_results()
    summary.summarize(results, "ours")
    text = report.markdown(results)
    assert "| other [answers only 8 of 64 kept connections] |" in text
    assert "| broken | failed: why |" in text
    assert "| 1000 (900–1200) ×1 |" in text


def test_only_a_workload_that_closes_minds_who_does_not_close():
    row = {"closes": False}
    assert report.unfair("hello-close", row) == ["ignores Connection: close"]
    assert report.unfair("hello", row) == []


def test_every_table_has_as_many_cells_as_titles():
    results = some_results()
    summary.summarize(results, "ours")
    widths = [
        line.count("|") if line.startswith("|") else 0
        for line in report.markdown(results).splitlines()
    ]
    for above, below in zip(widths, widths[1:]):
        assert above == below or 0 in (above, below)


def test_figures_that_nobody_has_are_no_column():
    results = some_results()
    summary.summarize(results, "ours")
    text = report.markdown(results)
    assert "CPU µs/req" in text
    assert "instr" not in text


def test_summary_has_a_column_for_each_number_of_threads():
    results = some_results()
    summary.summarize(results, "ours")
    assert report.summary_table(results, "rps") == [
        "| server | hello | cpu/1 | cpu/16 |",
        "| --- | --- | --- | --- |",
        "| ours | 1000 | 500 | 490 |",
        "| other | 250\\* | 100 | 50 |",
        "| broken | - | - | - |",
    ]
    assert report.summary_table(results, "kinsn") == []


def test_idle_has_its_own_table():
    figures = {key: 1 for _, key in report.IDLE_COLUMNS}
    rows = {"ours": {"rounds": [figures]}, "broken": {"rounds": [], "error": "why"}}
    lines = report.idle_table(rows)
    assert len({line.count("|") for line in lines}) == 1
    assert "failed: why" in lines[-1]


def test_saved_results_give_the_same_report(tmp_path):
    out = tmp_path / "new" / "v1.2"
    save(some_results(), out, "ours")
    first = beside(out, ".md").read_text()
    save(load_results(out), out, "ours")
    assert beside(out, ".md").read_text() == first
    assert sorted(p.name for p in out.parent.iterdir()) == ["v1.2.json", "v1.2.md"]


# ---- descriptions and order ----


def test_fill_leaves_what_it_does_not_know():
    values = {"port": 80, "app": "a:b"}
    text = servers.fill("x:{port}/{app} %{GLOBAL} {unknown} {}", values)
    assert text == "x:80/a:b %{GLOBAL} {unknown} {}"


def test_servers_json_holds_only_known_fields_and_placeholders():
    listed = servers.read_descriptions([HERE / "servers.json"])
    names = [server.name for server in listed]
    assert len(set(names)) == len(names)
    assert {"cgthread", "responder", "gunicorn", "waitress", "uwsgi"} <= set(names)
    for server in listed:
        known = servers.Server(server, Settings())._values()
        for word in [*server.cmd, *server.check, *server.version]:
            assert "{" not in servers.fill(word, known), (server.name, word)
        for name in server.workloads or []:
            assert name in WORKLOADS, (server.name, name)


def test_every_workload_can_be_loaded():
    for name, workload in WORKLOADS.items():
        assert (HERE / "apps" / f"{workload.app}.py").exists(), name
        assert workload.companion in companions.START, name


@pytest.mark.parametrize("text", ["", "name", "=command", "name=", "name= "])
def test_a_server_to_add_needs_a_name_and_a_command(text):
    with pytest.raises(ValueError, match="NAME=COMMAND"):
        servers.parse_description(text)


def test_ports_are_used_once():
    ports = servers.Port(18900)
    taken = [ports.take() for _ in range(3)]
    assert taken == sorted(set(taken)) and taken[0] > 18900


def test_rows_are_named_by_threads_where_there_are_several():
    server = servers.Description("s", ["s"])
    assert rounds.row_name(server, 4, Workload("x")) == "s"
    assert rounds.row_name(server, 16, Workload("x", threads=(16,))) == "s"
    assert rounds.row_name(server, 16, Workload("x", threads=(4, 16))) == "s/16"


def test_nobody_always_runs_behind_the_same_other():
    order = [rounds.rotated(list("abc"), i) for i in range(4)]
    assert order == [list("abc"), list("bca"), list("cab"), list("abc")]
    assert rounds.rotated([], 3) == []


@pytest.mark.parametrize("body, expect", [(b"x", b"y"), (b"x", 2), (b"", b"y")])
def test_a_wrong_body_is_noticed(body, expect):
    with pytest.raises(protocol.WrongAnswer):
        protocol.check_body(body, expect)
    protocol.check_body(body, None)


def test_command_line_reaches_the_settings(tmp_path):
    words = ["run", "--out", "x", "--rounds", "5", "--build", str(tmp_path)]
    settings = settings_of(parse_arguments(words), 7)
    assert (settings.rounds, settings.build, settings.unit) == (5, tmp_path, 7)
    unchanged = {f.name for f in fields(Settings)} - {"rounds", "build", "unit"}
    unchanged.remove("counts_instructions")  # is the machine's to say
    for name in unchanged:
        assert getattr(settings, name) == getattr(Settings(), name), name


def test_an_unknown_workload_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["run", "--out", "x", "--workloads", "hello,helo"])
    assert "'helo' is none of" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_an_unknown_server_is_refused(option):
    args = parse_arguments(["run", "--out", "x", option, "responder,cgtread"])
    with pytest.raises(SystemExit, match="no server 'cgtread'; there are: cgthread, "):
        choose(args, Settings())


def test_a_server_whose_check_fails_says_why():
    check = ["sh", "-c", "echo first; echo {python} is too old; exit 1"]
    server = servers.Server(servers.Description("s", ["s"], check=check), Settings())
    assert server.why_unusable() == f"its check failed: {Settings().python} is too old"


def test_what_a_check_warns_of_is_passed_on(capsys):
    check = ["sh", "-c", "echo '[info] well'; echo '[warning] another build'"]
    server = servers.Server(servers.Description("s", ["s"], check=check), Settings())
    assert server.why_unusable() == ""
    assert capsys.readouterr().err.endswith("s: [warning] another build\n")


def test_all_servers_that_run_python_run_the_same():
    listed = servers.read_descriptions([HERE / "servers.json"])
    (ours,) = [server for server in listed if server.name == "cgthread"]
    assert ours.cmd[ours.cmd.index("--python") + 1] == "{python}"


def test_wrk_gets_the_mode_behind_the_url():
    words = load.command(Settings(), "http://x/", 8, 2, ("upload", "5"), close=True)
    assert words[-4:] == ["http://x/", "--", "upload", "5"]
    assert "Connection: close" in words and "-c8" in words and "-d2s" in words


def test_shared_counters_are_scaled(monkeypatch):
    counter = counters.Counter([])
    counter._fds = [1, 2]
    read = {1: struct.pack("QQQ", 100, 10, 5), 2: struct.pack("QQQ", 7, 0, 0)}
    monkeypatch.setattr(counters.os, "read", lambda fd, size: read[fd])
    assert counter.read() == 200.0


def test_results_are_plain_json():
    results = some_results()
    summary.summarize(results, "ours")
    assert json.loads(json.dumps(results)) == results
