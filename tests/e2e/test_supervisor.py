"""The master, with scripts for workers: what it starts, watches, replaces and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from fake_workers import GOOD, FakeWorkers, descriptors, environment
from server import (
    IS_COV,
    NEVER_IN_LOG,
    PATIENCE,
    PROGRAM,
    Server,
    has_ipv6,
    is_alive,
    wait_until,
)

APP = "app:application"


@pytest.fixture
def fake(tmp_path: Path) -> FakeWorkers:
    return FakeWorkers(tmp_path)


def run(*arguments: str, env: dict[str, str] | None = None, **more):
    """One call of the program that ends by itself."""
    result = subprocess.run(
        [PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=Server._environment(env or {}),
        timeout=PATIENCE,
        encoding="utf-8",
        **more,
    )
    assert not NEVER_IN_LOG.search(result.stderr), result.stderr
    return result


def pid_of(server: Server, number: int = 1, count: int = 1) -> int:
    """The PID of the worker that is the count-th to be active in that slot."""
    pattern = rf"worker {number}\[(\d+)\] stdout: is active"
    return int(server.wait_for_line(pattern, count=count)[1])


def title(pid: int) -> str:
    # What follows is the room that the title has; some kernels show it, too.
    text = Path("/proc", str(pid), "cmdline").read_bytes()
    return text.partition(b"\0")[0].decode()


def time_of(line: str) -> float:
    return datetime.strptime(line[:29], "%Y-%m-%d %H:%M:%S.%f %z").timestamp()


def takes_connections(address) -> bool:
    try:
        socket.create_connection(address, PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


# ---- the first start


@pytest.mark.parametrize(
    "body, obituary",
    [
        ("leave(1)", r"exited with status 1 after [0-9.]+ s, while starting"),
        ("leave(0)", r"exited with status 0 after [0-9.]+ s, while starting"),
        ("os.abort()", r"killed by signal 6 \(Aborted\).*, while starting"),
        ("os.kill(os.getpid(), 9)", r"killed by signal 9 \(Killed\)"),
    ],
)
def test_a_worker_that_cannot_start_ends_the_first_start(serve, fake, body, obituary):
    server = serve(APP, workers=1, env=fake(body), wait=False, expect_exit=3)
    assert server.wait() == 3
    assert server.errors.find(r"\[error\] master\[\d+\]: worker 1\[\d+\] " + obituary)
    assert server.errors.find(r"\[critical\] .*worker 1 could not start")
    assert not server.errors.find("ready in")


def test_when_one_cannot_start_the_others_are_stopped(serve, fake):
    body = "if slot == 2:\n    leave(7)\n" + GOOD
    server = serve(APP, workers=4, env=fake(body), wait=False, expect_exit=3)
    assert server.wait() == 3
    assert len(server.errors.find(r"worker 2\[\d+\] exited with status 7")) == 1
    assert len(server.errors.find("could not start")) == 1
    for number in (1, 3, 4):
        assert server.errors.find(rf"worker {number}\[\d+\] .* while draining")


def test_a_worker_that_is_never_ready_is_killed_at_boot_timeout(serve, fake):
    server = serve(
        APP,
        boot_timeout="300ms",
        env=fake("on(signal.SIGTERM, int)\nwait()"),
        wait=False,
        expect_exit=3,
    )
    assert server.wait() == 3
    line = r"worker 1\[(\d+)\] was not ready within boot_timeout \(0\.[3-9] s\): killed"
    assert server.errors.find(line)
    assert server.errors.find(r"killed by signal 9 \(Killed\)")


def test_a_program_that_cannot_be_executed_is_named_with_the_reason(serve, tmp_path):
    program = tmp_path / "missing"
    env = environment(program)
    server = serve(APP, env=env, wait=False, expect_exit=3)
    assert server.wait() == 3
    reason = f"cannot execute {program}: No such file or directory"
    assert server.errors.find(r"worker 1\[\d+\]: " + re.escape(reason))


def test_all_workers_are_ready_before_the_server_says_so(serve, fake):
    server = serve(APP, workers=3, threads=5, env=fake(GOOD))
    assert server.errors.find(
        r"master\[\d+\]: cgthread [0-9.]+: 3 workers x 5 threads ready in [0-9.]+ s"
    )
    pids = {pid_of(server, number) for number in (1, 2, 3)}
    assert len(pids) == 3


def test_term_during_the_first_start_is_an_orderly_end(serve, fake):
    server = serve(APP, env=fake("say('imports')\nwait()"), wait=False)
    server.wait_for_line("imports")
    assert server.terminate() == 0
    assert server.errors.find(r"killed by signal 15 \(Terminated\).*while draining")
    assert not server.errors.find("could not start")


# ---- what a worker is given


def test_a_worker_has_the_heritage_and_no_other_descriptor(serve, fake, tmp_path):
    body = """
import stat
names = "CONFIG CONTROL ERRORLOG ACCESSLOG SCOREBOARD HANDOVER_SEND".split()
names.append("HANDOVER_RECEIVE")
own = {int(os.environ[f"CGTHREAD_{name}_FD"]) for name in names} | {0, 1, 2}
have = {int(fd) for fd in os.listdir("/proc/self/fd")}
have = {fd for fd in have if os.path.exists(f"/proc/self/fd/{fd}")}
say(f"too many: {sorted(have - own - set(listeners))}")
say(f"too few: {sorted((own | set(listeners)) - have)}")
say(f"listeners: {len(listeners)}")
say(f"master: {int(os.environ['CGTHREAD_MASTER_PID']) == os.getppid()}")
say(f"stdin: {os.fstat(0).st_rdev == os.stat('/dev/null').st_rdev}")
config = os.pread(int(os.environ["CGTHREAD_CONFIG_FD"]), 65536, 0).decode()
say(f"threads: {'threads = 7' in config.splitlines()}")
"""
    more = os.open("/etc/passwd", os.O_RDONLY)  # what our starter left open
    server = serve(
        APP,
        bind=("127.0.0.1:0", f"unix:{tmp_path}/s"),
        threads=7,
        accesslog="-",
        env=fake(body + GOOD),
        pass_fds=[more],
    )
    os.close(more)
    for line in (
        r"too many: \[\]$",
        r"too few: \[\]$",
        "listeners: 2$",
        "master: True$",
        "stdin: True$",
        "threads: True$",
    ):
        server.wait_for_line(line)


def test_a_worker_has_no_signal_blocked_or_ignored(serve, tmp_path):
    # bash lists what was ignored when it began; Python ignores SIGPIPE itself.
    script = tmp_path / "signals"
    script.write_text(
        "#!/bin/bash\n"
        "trap -p | sed 's/^/ignored: /'\n"
        "/usr/bin/python3 -ISc 'import signal; print(\"blocked:\","
        " len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))'\n"
        "trap 'exit 0' TERM\n"
        "printf READY >&$CGTHREAD_CONTROL_FD\n"
        "while :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    server = serve(APP, env=environment(script))
    server.wait_for_line("blocked: 0$")
    assert not server.errors.find("ignored: ")


def test_a_worker_has_the_environment_with_that_of_env(serve, fake):
    body = """
for name in ("FROM_US", "FROM_INI", "FROM_LINE", "BOTH", "LISTEN_FDS", "LISTEN_PID"):
    say(f"{name} is {os.environ.get(name)}")
"""
    server = serve(
        APP,
        "--env",
        "FROM_LINE=a b=c",
        ini="[env]\nFROM_INI = yes\nBOTH = ini\n",
        env=fake(body + GOOD, FROM_US="1", BOTH="us", LISTEN_FDS="1", LISTEN_PID="5"),
    )
    for line in ("FROM_US is 1$", "FROM_INI is yes$", "FROM_LINE is a b=c$"):
        server.wait_for_line(line)
    server.wait_for_line("BOTH is ini$")
    server.wait_for_line("LISTEN_FDS is None$")
    server.wait_for_line("LISTEN_PID is None$")


# ---- replacement


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 127, 255])
def test_no_exit_status_of_a_worker_ends_the_master_later(serve, fake, status):
    body = f"ready()\nif is_first('x'):\n    leave({status})\n"
    server = serve(APP, env=fake("on(signal.SIGTERM, leave)\n" + body + "wait()"))
    first, second = pid_of(server), pid_of(server, count=2)
    assert first != second
    level = "error" if status != 0 else "info"  # as when a signal asked it to
    assert server.errors.find(
        rf"\[{level}\] .*worker 1\[{first}\] exited with status {status} "
        r"after [0-9.]+ s, while active"
    )
    assert is_alive(second)


def test_the_obituary_names_the_signal(serve, fake):
    server = serve(APP, workers=2, env=fake(GOOD))
    pid = pid_of(server, 2)
    os.kill(pid, signal.SIGSEGV)
    server.wait_for_line(
        rf"worker 2\[{pid}\] killed by signal 11 \(Segmentation fault\)"
        r"(, core dumped)? after [0-9.]+ s, while active"
    )
    assert pid_of(server, 2, count=2) != pid  # the same slot, at once
    assert not server.errors.find("keeps dying")


def test_one_that_keeps_dying_is_replaced_after_growing_pauses(serve, fake):
    server = serve(
        APP, env=fake("ready()\nleave(1)"), respawn_backoff="300ms", expect_exit=0
    )
    server.wait_for_line("the next one starts in", count=5)
    pauses = [int(m[1]) for m in server.errors.find(r"starts in (\d+) ms")][:5]
    assert pauses == [100, 200, 300, 300, 300]

    # And it does wait: the n-th pause lies between two signs of life.
    server.wait_for_line("exited with status 1", count=7)
    deaths = [time_of(m.string) for m in server.errors.find("exited with status 1")]
    for pause, before, after in zip(pauses, deaths[1:], deaths[2:]):
        assert after - before >= pause / 1000 - 0.02


def test_a_replacement_that_is_never_ready_is_killed_and_replaced(serve, fake):
    body = "if is_first('a'):\n    ready()\n    leave(1)\n" + (
        "if is_first('b'):\n    wait()\n"
    )
    server = serve(APP, env=fake(body + GOOD), boot_timeout="1s")
    server.wait_for_line("was not ready within boot_timeout")
    pid = pid_of(server, count=2)
    server.wait_for_line(rf"worker 1\[{pid}\] is ready after")
    assert server.process.poll() is None


def test_respawning_leaks_no_descriptor(serve, fake):
    server = serve(APP, env=fake("ready()\nleave(1)"), respawn_backoff="1ms")
    server.wait_for_line("exited with status 1", count=3)
    server.signal(signal.SIGSTOP)
    before = descriptors(server.pid)
    server.signal(signal.SIGCONT)
    server.wait_for_line("exited with status 1", count=30)
    server.signal(signal.SIGSTOP)
    after = descriptors(server.pid)
    server.signal(signal.SIGCONT)
    assert after <= before + 8  # one worker's, coming or going


def test_children_that_are_no_workers_are_reaped(serve, fake):
    wrapper = fake.program(f'#!/bin/sh\nsleep 0.2 &\nexec {PROGRAM} "$@"\n')
    server = serve(APP, env=fake(GOOD), program=str(wrapper), loglevel="debug")
    server.wait_for_line("is no worker of ours: reaped")
    assert is_alive(pid_of(server))


def test_what_a_worker_says_besides_ready_is_logged_and_ignored(serve, fake):
    body = """
os.write(control, b"NONSENSE\\n")
on(signal.SIGTERM, leave)
ready()
os.write(control, b"READY")
wait()
"""
    server = serve(APP, env=fake(body))
    server.wait_for_line(r'says "NONSENSE\\x0a" while starting: not understood')
    server.wait_for_line('says "READY" while active: not understood')
    assert is_alive(pid_of(server))


# ---- the end


def test_term_asks_the_workers_to_leave(serve, fake):
    body = "on(signal.SIGTERM, lambda: (say('got TERM'), leave()))\nready()\nwait()"
    server = serve(APP, workers=2, env=fake(body))
    assert server.terminate() == 0
    assert len(server.errors.find("stdout: got TERM")) == 2
    assert len(server.errors.find(r"\[info\].* exited with status 0 .*draining")) == 2


def test_who_ignores_term_is_killed_at_graceful_timeout(serve, fake):
    body = "on(signal.SIGTERM, lambda: say('got TERM'))\nready()\nwait()"
    server = serve(APP, workers=2, env=fake(body), graceful_timeout="400ms")
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGTERM)  # a second one changes nothing
    assert server.wait() == 0
    killed = r"worker \d\[\d+\] has not left within graceful_timeout: killed"
    assert len(server.errors.find(killed)) == 2
    begin = time_of(server.wait_for_line("SIGTERM: stopping").string)
    end = time_of(server.wait_for_line(killed).string)
    assert 0.38 <= end - begin < 5
    assert len(server.errors.find("got TERM")) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_the_workers_at_once(serve, fake, number):
    body = (
        "on(signal.SIGTERM, int)\n"
        "on(signal.SIGQUIT, lambda: (say('got QUIT'), leave()))\n"
        "ready()\nwait()"
    )
    server = serve(APP, workers=2, env=fake(body))
    server.signal(number)
    assert server.wait() == 0
    assert len(server.errors.find("got QUIT")) == 2


def test_control_c_reaches_the_workers_too_and_is_no_failure(serve, fake):
    body = "signal.signal(signal.SIGINT, signal.SIG_DFL)\nready()\nwait()"
    server = serve(APP, workers=2, env=fake(body))
    server.wait_for_line("is active", count=2)
    os.killpg(server.pid, signal.SIGINT)
    assert server.wait() == 0
    assert not server.errors.find(r"could not start|\[(error|critical)\]")


def test_int_after_term_is_quick(serve, fake):
    body = (
        "on(signal.SIGTERM, lambda: say('got TERM'))\n"
        "on(signal.SIGQUIT, leave)\nready()\nwait()"
    )
    server = serve(APP, workers=2, env=fake(body), graceful_timeout="1h")
    server.signal(signal.SIGTERM)
    server.wait_for_line("got TERM", count=2)
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert not server.errors.find("killed")


def test_who_ignores_quit_is_killed_soon(serve, fake):
    body = "on(signal.SIGTERM, int)\non(signal.SIGQUIT, int)\nready()\nwait()"
    server = serve(APP, env=fake(body), graceful_timeout="1h")
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert server.errors.find(r"has not left at once: killed")


def test_nobody_is_queued_behind_workers_that_leave(serve, fake):
    # A worker closes its copies of the listeners and goes on with its requests.
    body = """
def drain():
    for fd in listeners:
        os.close(fd)
    say("drains")
on(signal.SIGTERM, drain)
on(signal.SIGQUIT, leave)
ready()
wait()
"""
    server = serve(APP, env=fake(body), graceful_timeout="1h")
    assert takes_connections(server.address)
    server.signal(signal.SIGTERM)
    server.wait_for_line("drains")
    assert not takes_connections(server.address)
    server.signal(signal.SIGINT)
    assert server.wait() == 0


def test_other_signals_are_survived(serve, fake):
    server = serve(APP, env=fake(GOOD))
    for name in "HUP USR1 USR2 TTIN TTOU WINCH PIPE".split():
        server.signal(getattr(signal, f"SIG{name}"))
        if name not in ("WINCH", "PIPE"):
            line = rf"\[warning\] .*SIG{name}: not supported by this version"
            server.wait_for_line(line)
    assert is_alive(pid_of(server))
    assert len(server.errors.find("is active")) == 1


def test_workers_see_the_masters_death(serve, fake, tmp_path):
    body = GOOD + "is_first('saw the end')\n"
    server = serve(APP, env=fake(body), expect_exit=-signal.SIGKILL)
    pid = pid_of(server)
    server.kill()
    wait_until((tmp_path / "saw the end").exists, "the worker sees EOF")
    wait_until(lambda: not is_alive(pid), "the worker is gone")


# ---- what the workers print


def test_what_workers_print_is_logged_with_their_name_and_pid(serve, fake):
    body = 'os.write(2, b"to stderr\\n")\nos.write(1, b"to stdout\\x1b[0m\\n")\n'
    server = serve(APP, env=fake(body + GOOD))
    pid = pid_of(server)
    assert server.errors.find(
        rf"\[warning\] master\[{server.pid}\]: worker 1\[{pid}\] stderr: to stderr$"
    )
    assert server.errors.find(
        rf"\[info\] master\[{server.pid}\]: "
        rf"worker 1\[{pid}\] stdout: to stdout\\x1b\[0m$"
    )


def test_the_last_words_of_a_worker_are_logged_before_its_obituary(serve, fake):
    body = 'os.write(1, b"out of")\nos.write(2, b"words")\nos.abort()'
    server = serve(APP, env=fake(body), wait=False, expect_exit=3)
    assert server.wait() == 3
    kinds = [m[1] for m in server.errors.find("(out of$|words$|killed by signal 6)")]
    assert sorted(kinds[:2]) == ["out of", "words"]
    assert kinds[2:] == ["killed by signal 6"]


def test_nothing_that_a_worker_prints_is_lost(serve, fake, tmp_path):
    body = """
text = b"".join(b"line %05d of many\\n" % i for i in range(20000))
while text:
    text = text[os.write(1, text):]
os.abort()
"""
    # To a file: of a pipe's reader the log does not wait.
    log = tmp_path / "error.log"
    server = serve(APP, env=fake(body), errorlog=log, wait=False, expect_exit=3)
    assert server.wait(3 * PATIENCE) == 3
    lines = re.findall(r"stdout: line (\d+) of many$", log.read_text(), re.M)
    assert [int(number) for number in lines] == list(range(20000))


def test_a_process_that_holds_the_pipes_delays_nobody(serve, fake):
    # A grandchild outlives its worker.  It is logged for as long as it prints, and
    # neither the replacement nor the end of the server waits for it.
    body = """
if is_first("x"):
    line, theirs = os.pipe()
    if os.fork() == 0:
        os.close(theirs)
        os.close(control)
        os.read(line, 1)  # until its parent is gone
        say("grandchild is on its own")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()
    ready()
    leave(5)
"""
    server = serve(APP, env=fake(body + GOOD), allow_orphans=True)
    server.wait_for_line("grandchild is on its own")
    assert is_alive(pid_of(server, count=2))
    server.signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0


# ---- sockets


def test_a_port_in_use_is_named_and_nothing_starts(fake):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        result = run("-b", "127.0.0.1:0", "-b", address, APP, env=fake(GOOD))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"cannot listen on {address}: Address already in use")


def test_a_unix_socket_has_its_mode_and_is_removed(serve, fake, tmp_path):
    path = tmp_path / "app.sock"
    server = serve(APP, bind=(f"unix:{path}",), socket_mode="0620", env=fake(GOOD))
    assert server.urls == [f"unix:{path}"]
    mode = path.lstat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o620
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert server.terminate() == 0
    assert not path.exists()


def test_the_socket_of_a_killed_server_is_replaced(serve, fake, tmp_path):
    bind = (f"unix:{tmp_path}/app.sock",)
    first = serve(APP, bind=bind, env=fake(GOOD), expect_exit=-signal.SIGKILL)
    pid = pid_of(first)
    result = run("-b", bind[0], APP, env=fake(GOOD))
    assert result.returncode == 1  # the first one lives
    assert "another server answers there" in result.stderr
    first.kill()
    wait_until(lambda: not is_alive(pid), "its worker is gone")
    second = serve(APP, bind=bind, env=fake(GOOD))
    assert second.terminate() == 0


def test_both_families_share_a_port(serve, fake):
    server = serve(APP, bind=("*:0",), env=fake(GOOD))
    ports = {url.rpartition(":")[2] for url in server.urls}
    assert len(ports) == 1
    port = int(ports.pop())
    assert takes_connections(("127.0.0.1", port))
    if has_ipv6():
        assert len(server.urls) == 2
        assert takes_connections(("::1", port))


def test_a_socket_can_be_given(fake, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as given:
        given.set_inheritable(True)
        process = subprocess.Popen(
            [PROGRAM, "-b", f"fd://{given.fileno()}", APP],
            stderr=subprocess.PIPE,
            env={**os.environ, **fake(GOOD)},
            pass_fds=[given.fileno()],
            encoding="utf-8",
        )
        address = given.getsockname()
    try:
        lines = iter(process.stderr.readline, "")
        line = next(line for line in lines if "listening on" in line)
        assert line.rstrip().endswith("http://127.0.0.1:%d" % address[1])
        assert takes_connections(address)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


# ---- the surroundings


def test_the_title_names_the_server(serve, fake):
    named = serve(APP, proc_name="shop", env=fake(GOOD))
    assert title(named.pid).rstrip() == "cgthread: master [shop]"
    unnamed = serve(APP, env=fake(GOOD))
    assert title(unnamed.pid).rstrip() == "cgthread: master"


def test_logs_are_relative_to_where_the_server_was_started(serve, fake, tmp_path):
    log = tmp_path / "error.log"
    server = serve(
        APP,
        errorlog="error.log",
        accesslog="access.log",
        env=fake(GOOD),
        cwd=tmp_path,
        wait=False,
    )
    wait_until(lambda: log.exists() and "ready in" in log.read_text(), "it is ready")
    assert server.terminate() == 0
    assert server.log == []
    assert (tmp_path / "access.log").exists()
    assert "while draining" in log.read_text()


@pytest.mark.skipif(IS_COV, reason="the counts may not grow either")
def test_a_log_that_may_not_grow_ends_nobody(serve, fake, tmp_path):
    log = tmp_path / "error.log"
    wrapper = fake.program(f'#!/bin/bash\nulimit -f 16\nexec {PROGRAM} "$@"\n')
    body = "for i in range(600):\n    say('much to tell')\n"
    server = serve(
        APP, errorlog=log, env=fake(body + GOOD), program=str(wrapper), wait=False
    )
    wait_until(lambda: log.exists() and log.stat().st_size == 16384, "it is full")
    assert server.terminate() == 0


@pytest.mark.parametrize("name", ["errorlog", "accesslog"])
def test_a_log_that_cannot_be_opened_ends_the_start(fake, name):
    result = run(f"--{name}", "/no/such/dir/log", "-b", ":0", APP, env=fake(GOOD))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert f"{name} = /no/such/dir/log" in line
    assert line.endswith("No such file or directory")


def test_signals_that_were_blocked_at_the_start_are_heard(serve, fake):
    blocked = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        server = serve(APP, env=fake(GOOD))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.kill(pid_of(server), signal.SIGKILL)
    pid_of(server, count=2)
    assert server.terminate() == 0


def test_closed_standard_descriptors_do_no_harm(serve, fake, tmp_path):
    wrapper = fake.program(f'#!/bin/sh\nexec {PROGRAM} "$@" 0<&- 1>&- 2>&-\n')
    log = tmp_path / "error.log"
    server = serve(
        APP, errorlog=log, env=fake(GOOD), program=str(wrapper), wait=False
    )
    said = "stdout: is active"
    wait_until(lambda: log.exists() and said in log.read_text(), "it is active")
    assert server.terminate() == 0


# ---- the command line


def test_bad_settings_are_all_listed_and_nothing_starts(fake, tmp_path):
    ini = tmp_path / "server.ini"
    ini.write_text(
        "[server]\nworkers = many\nthread = 4\n[app]\nwsgi_app = app:application\n"
        "[http]\nkeepalive = 5 parsecs\n[nonsense]\n"
    )
    result = run("-c", str(ini), "--threads", "0", env=fake(GOOD))
    assert result.returncode == 2
    for line in (2, 3, 7, 8):
        assert re.search(rf"server\.ini:{line}: ", result.stderr), result.stderr
    assert "--threads: " in result.stderr
    assert "listening" not in result.stderr


@pytest.mark.parametrize(
    "arguments, line",
    [
        ([], "-c FILE"),
        (["--wrokers", "2", APP], "--wrokers: no such option"),
        (["-w", "none", APP], "--workers: "),
        (["-c", "/no/such/server.ini"], "/no/such/server.ini"),
        (["-c", "/tmp"], "/tmp: Is a directory"),
        (["a:b("], "a:b("),
    ],
)
def test_bad_usage_names_what_is_wrong(arguments, line):
    result = run(*arguments)
    assert result.returncode == 2
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_version_and_help():
    version = run("-V")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(r"cgthread \d+\.\d+\.\d+\n", version.stdout)
    usage = run("--help")
    assert usage.returncode == 0
    assert "--header-timeout DURATION" in usage.stdout


def test_print_config_shows_what_is_in_effect(tmp_path):
    ini = tmp_path / "server.ini"
    ini.write_text("[server]\nthreads = 6\nworkers = 3\n[env]\nA = 1\n")
    result = run("-c", str(ini), "-w", "4", "--print-config", APP)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    for line in ("threads = 6", "workers = 4", "keepalive = 75s"):
        assert line in lines
    # It is a file to start from: reading it gives the same again.
    ini.write_text(result.stdout)
    assert run("-c", str(ini), "--print-config").stdout == result.stdout


@pytest.mark.parametrize("option", ["--print-config", "--help", "-V", "-t"])
def test_what_cannot_be_printed_is_exit_1(fake, option):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [PROGRAM, option, APP],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **fake(GOOD)},
            timeout=PATIENCE,
            encoding="utf-8",
        )
    assert result.returncode == 1
    assert "standard output: No space left on device" in result.stderr


# ---- --check


def test_check_starts_one_worker_and_binds_nothing(fake):
    body = "say(f'listeners: {listeners}')\nis_first(f'slot {slot}')\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        result = run("-t", "-b", address, "-w", "8", APP, env=fake(body + GOOD))
    assert (result.returncode, result.stdout) == (0, "configuration ok\n")
    assert result.stderr == ""
    assert [p.name for p in fake.directory.glob("slot*")] == ["slot 1"]


def test_check_shows_why_the_application_cannot_be_imported(fake, tmp_path):
    body = "os.write(2, b'ImportError: no such thing\\n')\nleave(3)"
    log = tmp_path / "error.log"
    result = run("--check", "--errorlog", str(log), APP, env=fake(body))
    assert (result.returncode, result.stdout) == (3, "")
    assert "ImportError: no such thing" in result.stderr
    assert "exited with status 3" in result.stderr
    assert not log.exists()


def test_check_is_bounded_by_boot_timeout(fake):
    result = run("-t", "--boot-timeout", "200ms", APP, env=fake("wait()"))
    assert (result.returncode, result.stdout) == (3, "")
    assert "was not ready within boot_timeout" in result.stderr


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_names_of_what_is_outside_are_looked_up_at_once(fake, tmp_path, check):
    file, missing = tmp_path / "file", tmp_path / "missing"
    file.touch()
    for options, said in (
        (["--socket-owner", "nosuch"], ['socket_owner: no user "nosuch"']),
        (["--socket-owner", ":nosuch"], ['socket_owner: no group "nosuch"']),
        (["--spool-dir", missing], [f"spool_dir = {missing}", "No such file"]),
        (["--spool-dir", file], [f"spool_dir = {file}", "Not a directory"]),
        (["--spool-dir", "/proc"], ["spool_dir = /proc", "ermi"]),
    ):
        if options[1] == "/proc" and os.geteuid() == 0:
            continue  # nothing is denied to root
        result = run("-b", ":0", *check, *map(str, options), APP, env=fake(GOOD))
        assert (result.returncode, result.stdout) == (1, "")
        (line,) = result.stderr.splitlines()
        assert all(part in line for part in said), line


def test_a_relative_spool_dir_is_that_of_chdir(fake, tmp_path):
    (tmp_path / "spool").mkdir()
    options = ["--spool-dir", "spool", "-t", APP]
    assert run(*options, env=fake(GOOD)).returncode == 1
    options += ["--chdir", str(tmp_path)]
    assert run(*options, env=fake(GOOD)).returncode == 0


def test_check_refuses_bad_settings(fake):
    result = run("-t", "-w", "none", APP, env=fake(GOOD))
    assert (result.returncode, result.stdout) == (2, "")
