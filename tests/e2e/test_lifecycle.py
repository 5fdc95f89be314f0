"""Starting, stopping, dying: what an operator sees of the server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from server import (
    APPS,
    PATIENCE,
    PROGRAM,
    Client,
    Closed,
    Server,
    command_line,
    has_ipv6,
    is_alive,
    wait_until,
)

HELLO = b"Hello, world!\n"


def refuses(address) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


# ---- workers that die


class Load:
    """Keep-alive clients, each noting which worker answered and what failed."""

    def __init__(self, address, clients: int) -> None:
        self.address = address
        self.stop = threading.Event()
        self.answers: list[int] = []
        self.failures: list[int | None] = []  # the worker of that connection
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self) -> None:
        while not self.stop.is_set():
            worker = None
            try:
                with Client(self.address) as client:
                    for _ in range(200):
                        if self.stop.is_set():
                            return
                        body = client.request("GET", "/who").body
                        worker = json.loads(body)["pid"]
                        self.answers.append(worker)
            except (Closed, OSError):
                self.failures.append(worker)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)


def test_killed_worker_costs_its_own_connections_only(serve):
    server = serve("basic:application", workers=2, threads=2)
    first = server.workers()
    load = Load(server.address, clients=6)
    wait_until(lambda: set(load.answers) == set(first), "both workers answer")
    victim = first[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: set(load.answers) - set(first), "a new worker answers")
    load.end()
    assert first[1] in server.workers()
    assert len(set(load.answers)) == 3
    assert set(load.failures) <= {victim, None}
    assert len(load.failures) <= 6
    server.wait_for_line(rf"{victim}.*signal 9")


def test_workers_may_die_again_and_again(serve):
    server = serve("basic:application", workers=2, respawn_backoff="50ms")
    for _ in range(3):
        before = server.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: len(server.workers()) == 2
            and not set(server.workers()) & set(before),
            "both workers are replaced",
        )
        wait_until(server.is_serving, "they serve")


def test_workers_leave_when_the_master_is_killed(serve):
    server = serve("basic:application", workers=3, expect_exit=-signal.SIGKILL)
    workers = server.workers()
    idle = server.client()
    assert idle.request("GET", "/").status == 200
    address = server.address
    server.kill()
    wait_until(lambda: not any(map(is_alive, workers)), "the workers leave")
    assert idle.closed() and refuses(address)


# ---- stopping


def test_term_lets_running_requests_finish(serve, meeting):
    server = serve("basic:application", workers=2, threads=2)
    idle = [server.client() for _ in range(4)]
    for client in idle:
        assert client.request("GET", "/").status == 200
    fresh = server.client()
    running, streaming = server.client(), server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = [meeting.wait()]
    streaming.send_request("GET", "/hold-in-body" + meeting.query)
    held.append(meeting.wait())

    server.signal(signal.SIGTERM)
    for client in idle:
        assert client.closed(2), "an idle connection is closed at once"
    assert fresh.closed(2), "so is one that has not said anything"
    wait_until(lambda: refuses(server.address), "new connections are refused")
    assert server.process.poll() is None

    begin = time.monotonic()
    for each in held:
        each.release()
    response = running.read_response()
    assert response.body == b"held\n" and response.closes and running.closed()
    assert streaming.read_response().body == b"before\nafter\n"
    assert streaming.closed()
    assert server.wait() == 0
    assert time.monotonic() - begin < 2


def test_term_to_a_worker_is_no_error_and_it_is_replaced(serve):
    server = serve("basic:application", workers=2)
    first = server.workers()
    os.kill(first[0], signal.SIGTERM)
    server.wait_for_line(rf"\[info\].*{first[0]}\] exited with status 0 .*active")
    server.wait_for_line(r"\[info\].*worker \d\[\d+\] is ready")
    assert first[0] not in server.workers() and len(server.workers()) == 2
    assert server.errors.find(r"\[(warning|error|critical)\]") == []


def test_term_answers_a_request_that_is_half_way_in(serve, meeting):
    server = serve("basic:application")
    half = server.client()
    half.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    server.signal(signal.SIGTERM)
    wait_until(lambda: refuses(server.address), "new connections are refused")
    half.send(b"67890")
    response = half.read_response()
    assert response.body == b"1234567890" and response.closes
    held.release()
    assert running.read_response().body == b"held\n"
    assert server.wait() == 0


def test_term_with_idle_connections_only_is_fast(serve):
    server = serve("basic:application", workers=2)
    clients = [server.client() for _ in range(20)]
    for client in clients:
        assert client.request("GET", "/").status == 200
    begin = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - begin < 2
    assert all(client.closed(1) for client in clients)


def test_term_ends_a_request_that_never_ends(serve, meeting):
    server = serve("basic:application", graceful_timeout="500ms", expect_exit=None)
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    meeting.wait()
    begin = time.monotonic()
    server.terminate()
    assert 0.4 < time.monotonic() - begin < 5


def test_worker_told_to_leave_is_bounded_by_graceful_timeout(serve, meeting):
    server = serve("basic:application", graceful_timeout="300ms")
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    held = meeting.wait()
    os.kill(held.pid, signal.SIGTERM)
    server.wait_for_line(
        r"\[warning\] worker 1.*graceful_timeout: leaving with "
        "1 connection open, 1 request running, 0 waiting"
    )
    with pytest.raises((Closed, OSError)):
        running.read_response()


def test_connections_that_wait_to_be_accepted_are_served_on_term(serve):
    """They are in the kernel's queue: nobody may lose them."""
    server = serve("basic:application")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    queued = [server.client() for _ in range(5)]
    for client in queued:
        client.send_request("GET", "/")
    server.signal(signal.SIGTERM)
    server.wait_for_line("SIGTERM")
    os.kill(worker, signal.SIGCONT)
    for client in queued:
        assert client.read_response().body == HELLO
    assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_are_quick(serve, meeting, number):
    server = serve("basic:application", workers=2)
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    meeting.wait()
    begin = time.monotonic()
    server.signal(number)
    assert server.wait() == 0
    assert time.monotonic() - begin < 4
    assert running.closed(1)


def test_int_hastens_a_term(serve, meeting):
    server = serve("basic:application")
    running = server.client()
    running.send_request("GET", "/hold" + meeting.query)
    meeting.wait()
    server.signal(signal.SIGTERM)
    wait_until(lambda: refuses(server.address), "new connections are refused")
    begin = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert time.monotonic() - begin < 4


def catches(pid: int, number: int) -> bool:
    text = Path("/proc", str(pid), "status").read_text()
    return bool(int(re.search(r"SigCgt:\s+(\w+)", text)[1], 16) >> number - 1 & 1)


@pytest.mark.parametrize("name", "HUP USR1 USR2 TTIN TTOU PIPE XFSZ".split())
def test_workers_ignore_what_is_for_the_master(serve, name):
    server = serve("basic:application", workers=2)
    before = server.workers()
    with server.client() as client:
        assert client.request("GET", "/").status == 200
        number = getattr(signal, f"SIG{name}")
        for pid in before:
            assert catches(pid, number)  # without a terminal TTIN would do nothing
            os.kill(pid, number)
        for _ in range(5):
            assert client.request("GET", "/").status == 200
    assert server.workers() == before


# ---- starts that fail


@pytest.mark.parametrize(
    "app, said",
    [
        ("broken_import:application", ["in deep", "RuntimeError: broken at import"]),
        ("no_such_module:application", ["ModuleNotFoundError", "no_such_module"]),
        ("basic:no_such_name", ["basic", "no_such_name"]),
        ("factory:not_callable", ["not_callable", "callable"]),
        ("factory:fail()", ["LookupError: the factory failed"]),
        ("basic:ANSWER", ["not an application, but of type int, which cannot be"]),
        ("basic:ANSWER()", ["not a factory, but of type int, which cannot be"]),
        ("basic:ANSWER.x", ['there is no "x" in an object of type int']),
    ],
)
def test_application_that_cannot_be_imported_is_exit_3(serve, app, said):
    server = serve(app, workers=2, wait=False, expect_exit=3)
    assert server.wait() == 3
    for pattern in said:
        assert server.errors.find(pattern), pattern
    assert not server.errors.find("importlib")
    assert not server.errors.find("ready in")


def test_syntax_error_is_shown_with_its_place(serve, tmp_path):
    (tmp_path / "broken.py").write_text("def application(a, b)\n    return []\n")
    server = serve("broken:application", chdir=tmp_path, wait=False, expect_exit=3)
    assert server.wait() == 3
    assert server.errors.find(r"broken\.py\", line 1")
    assert server.errors.find("SyntaxError")
    assert not server.errors.find("importlib")


def test_factory_makes_the_application(serve):
    assert serve("factory:make()").get("/").body == HELLO


def test_import_that_takes_too_long_is_exit_3(serve, tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    server = serve(
        "slow:application",
        chdir=tmp_path,
        boot_timeout="300ms",
        wait=False,
        expect_exit=3,
    )
    assert server.wait() == 3
    server.wait_for_line("boot_timeout")


def run(*arguments: str, ini: str | None = None, tmp_path: Path | None = None):
    command = [PROGRAM]
    if ini is not None and tmp_path is not None:
        path = tmp_path / "server.ini"
        path.write_text(ini)
        command += ["-c", str(path)]
    return subprocess.run(
        command + list(arguments),
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env=Server._environment({}),
        cwd=APPS,
    )


def test_bad_ini_is_exit_2_with_every_error_and_its_line(tmp_path):
    ini = (
        "[server]\n"
        "bind = 127.0.0.1:0\n"
        "worker = 3\n"
        "threads = many\n"
        "[http]\n"
        "max_body_size = 10 elephants\n"
        "keepalive = 5\n"
        "nonsense\n"
        "[sever]\n"
        "threads = 4\n"
    )
    done = run("basic:application", ini=ini, tmp_path=tmp_path)
    assert done.returncode == 2
    path = re.escape(str(tmp_path / "server.ini"))
    for line, said in ((3, "workers"), (4, "many"), (6, "elephants"), (8, ""), (9, "")):
        assert re.search(rf"^{path}:{line}: .*{said}", done.stderr, re.M), line
    assert "listening" not in done.stderr and done.stdout == ""


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--no-such-option"], "--no-such-option"),
        (["--threads", "0", "basic:application"], "threads"),
        (["-w", "x", "basic:application"], "workers"),
        (["-b", "nowhere", "basic:application"], "bind"),
        (["-c", "/no/such/file.ini"], "/no/such/file.ini"),
        ([], "module:callable"),
        (["not-a-module"], "wsgi_app"),
    ],
)
def test_bad_command_line_is_exit_2(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2, done
    assert said in done.stderr and done.stdout == ""


def test_port_in_use_is_exit_1_and_names_it(serve):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("-b", f"127.0.0.1:{port}", "basic:application")
    assert done.returncode == 1
    pattern = rf"127\.0\.0\.1:{port}.*Address already in use"
    assert re.search(pattern, done.stderr), done.stderr


def test_check_tells_of_the_application_and_starts_nothing():
    done = run("--check", "basic:application")
    assert (done.returncode, "ok" in done.stdout) == (0, True), done
    done = run("--check", "broken_import:application")
    assert done.returncode == 3 and "broken at import" in done.stderr


def test_printed_config_is_read_again(tmp_path):
    first = run("--print-config", "-w", "3", "--max-body-size=16k", "basic:application")
    assert first.returncode == 0 and "workers = 3" in first.stdout
    again = run("--print-config", ini=first.stdout, tmp_path=tmp_path)
    assert again.stdout == first.stdout


def test_command_line_goes_before_the_file(serve):
    server = serve("basic:application", "--server-header=mine", server_header="its")
    assert server.get("/").header("Server") == "mine"


def test_empty_server_header_sends_none(serve):
    server = serve("basic:application", server_header="")
    assert server.get("/").header("Server") is None


def test_environment_of_the_ini_reaches_the_application(serve, tmp_path):
    (tmp_path / "envapp.py").write_text(
        "import os\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    names = sorted(n for n in os.environ if n.startswith('CGTHREAD'))\n"
        "    value = os.environ['GREETING'] + ',' + os.environ['OTHER']\n"
        "    return [(value + ','.join(names)).encode()]\n"
    )
    server = serve(
        "envapp:application",
        "--env",
        "OTHER=b c",
        ini="[env]\nGREETING = hello there\n",
        chdir=tmp_path,
    )
    assert server.get("/").body == b"hello there,b c"


def test_pythonpath_is_searched_first(serve, tmp_path):
    (tmp_path / "elsewhere.py").write_text("from basic import application\n")
    server = serve("elsewhere:application", pythonpath=[tmp_path, APPS], chdir=None)
    assert server.get("/").body == HELLO


# ---- addresses and names


def test_process_titles(serve):
    server = serve("basic:application", workers=2, proc_name="shop")
    assert command_line(server.pid) == "cgthread: master [shop]"
    titles = sorted(map(command_line, server.workers()))
    assert titles == ["cgthread: worker 1 [shop]", "cgthread: worker 2 [shop]"]


@pytest.mark.parametrize("mode", ["0600", "0666"])
def test_unix_socket_has_its_mode_and_goes_with_the_server(serve, tmp_path, mode):
    path = tmp_path / "app.sock"
    server = serve("basic:application", bind=[f"unix:{path}"], socket_mode=mode)
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
    with Client(path) as client:
        for _ in range(2):
            assert client.request("GET", "/").body == HELLO
        host = ("Host", "example.org:8080")
        got = json.loads(client.request("GET", "/environ", [host]).body)
    assert got["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in got
    assert (got["SERVER_NAME"], got["SERVER_PORT"]) == ("example.org", "8080")
    assert server.terminate() == 0
    assert not path.exists()


def test_unix_socket_has_its_owner(serve, tmp_path):
    # Only root may give it away; others may name what they are.
    owner = (1, 2) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    path = tmp_path / "app.sock"
    serve(
        "basic:application",
        bind=[f"unix:{path}"],
        socket_owner="%d:%d" % owner,
        socket_mode="0604",
    )
    found = path.stat()
    assert (found.st_uid, found.st_gid) == owner
    assert stat.S_IMODE(found.st_mode) == 0o604


def test_stale_unix_socket_is_replaced_and_a_live_one_is_not(serve, tmp_path):
    path = tmp_path / "app.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    serve("basic:application", bind=[f"unix:{path}"])
    done = run("-b", f"unix:{path}", "basic:application")
    assert done.returncode == 1 and str(path) in done.stderr
    with Client(path) as client:
        assert client.request("GET", "/").body == HELLO


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_tcp6(serve):
    server = serve("basic:application", bind=["[::1]:0"])
    (url,) = server.urls
    port = int(re.fullmatch(r"http://\[::1\]:(\d+)", url)[1])
    with Client(("::1", port)) as client:
        got = json.loads(client.request("GET", "/environ").body)
    assert got["REMOTE_ADDR"] == "::1"
    assert (got["SERVER_NAME"], got["SERVER_PORT"]) == ("[::1]", str(port))


def test_two_addresses_at_once(serve, tmp_path):
    path = tmp_path / "app.sock"
    bind = ["127.0.0.1:0", "127.0.0.2:0", f"unix:{path}"]
    server = serve("basic:application", bind=bind, workers=2)
    assert len(server.urls) == 3
    ports = [int(url.rpartition(":")[2]) for url in server.urls[:2]]
    for address in (("127.0.0.1", ports[0]), ("127.0.0.2", ports[1]), path):
        with Client(address) as client:
            assert client.request("GET", "/").body == HELLO


def test_inherited_socket(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        os.set_inheritable(listener.fileno(), True)
        address = listener.getsockname()
        process = subprocess.Popen(
            [PROGRAM, "-b", f"fd://{listener.fileno()}", "basic:application"],
            cwd=APPS,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=Server._environment({}),
        )
    try:
        with Client(address, 3 * PATIENCE) as client:
            assert client.request("GET", "/").body == HELLO
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
