"""Which Python the application gets: versions, virtual environments, extensions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from server import (
    APPS,
    BUILD,
    IS_ASAN,
    IS_TSAN,
    PATIENCE,
    PROGRAM,
    PYTHON,
    ROOT,
    Server,
)

ASK = "import sys, json; print(json.dumps([%s]))"
TOLD = ["version", "prefix", "base_prefix", "executable"]
WORKER = "cgthread-worker-"


def ask(python: str, *questions: str) -> list:
    command = [python, "-c", ASK % ", ".join(questions)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


VERSION = ask(PYTHON, "'%d.%d' % sys.version_info[:2]")[0]


@dataclass
class Environment:
    """A virtual environment with a module that nobody else has."""

    path: Path

    @property
    def python(self) -> str:
        return f"{self.path}/bin/python3"

    @property
    def packages(self) -> Path:
        return self.path / "lib" / f"python{VERSION}" / "site-packages"

    def told(self) -> list[str]:
        return [VERSION, str(self.path), ask(PYTHON, "sys.base_prefix")[0], self.python]


@pytest.fixture(scope="module")
def venv(tmp_path_factory) -> Environment:
    made = Environment(tmp_path_factory.mktemp("python") / "venv")
    command = [PYTHON, "-m", "venv", "--without-pip", str(made.path)]
    subprocess.run(command, check=True)
    module = made.packages / "only_here.py"
    module.write_text("from interpreter import application\n")
    return made


def get(server: Server, query: str = ""):
    return json.loads(server.get(f"/?{query}").body)


def told(server: Server) -> list[str]:
    found = get(server)
    return [found[name] for name in TOLD]


def fails(*options, **more) -> str:
    """What a server that does not start says; its exit status has to be 1."""
    with Server("interpreter:application", *options, expect_exit=1, **more) as server:
        server.wait()
    return "\n".join(server.log)


# ---- virtual environments


def test_virtual_environment_is_the_options(serve, venv):
    server = serve("only_here:application", python=str(venv.path))
    assert told(server) == venv.told()
    assert get(server)["path"].count(str(venv.packages)) == 1


def test_virtual_environment_may_be_named_by_its_python(serve, venv):
    assert told(serve("only_here:application", python=venv.python)) == venv.told()


def test_virtual_environment_is_the_files(serve, venv):
    ini = f"[app]\nwsgi_app = only_here:application\npython = {venv.path}\n"
    assert told(serve(ini=ini, python=None)) == venv.told()


def test_virtual_environment_is_the_active_one(serve, venv):
    server = serve(
        "only_here:application", python=None, env={"VIRTUAL_ENV": str(venv.path)}
    )
    assert told(server) == venv.told()


def test_virtual_environment_is_that_of_env(serve, venv):
    server = serve(
        "only_here:application",
        "--env",
        f"VIRTUAL_ENV={venv.path}",
        python=None,
        env={"VIRTUAL_ENV": "/nonexistent"},
    )
    assert told(server) == venv.told()


def test_version_goes_before_the_active_environment(serve, venv):
    server = serve(
        "interpreter:application", python=VERSION, env={"VIRTUAL_ENV": "/nonexistent"}
    )
    assert get(server)["prefix"] == ask(PYTHON, "sys.prefix")[0]


OTHER_BUILD = "its Python is that of"


def test_environment_of_the_workers_python_is_no_other_builds(serve, venv):
    server = serve("only_here:application", python=str(venv.path))
    assert not server.errors.find(OTHER_BUILD)


@pytest.mark.skipif(
    int(VERSION.split(".")[1]) < 11, reason="it looks for its prefix elsewhere"
)
def test_environment_of_another_build_of_the_version_is_warned_of(serve, tmp_path):
    """The other build has the same modules, but another place."""
    other, environment = tmp_path / "other", tmp_path / "venv"
    modules = ask(PYTHON, "__import__('sysconfig').get_path('stdlib')")[0]
    (other / "lib").mkdir(parents=True)
    (other / "lib" / f"python{VERSION}").symlink_to(modules)
    for directory in (other, environment):
        (directory / "bin").mkdir(parents=True)
        (directory / "bin" / "python3").symlink_to("/bin/true")
    text = f"home = {other}/bin\nversion = {VERSION}.99\n"
    (environment / "pyvenv.cfg").write_text(text)
    server = serve("interpreter:application", python=str(environment))
    ours = ask(PYTHON, "sys.base_prefix")[0]
    said = server.wait_for_line(OTHER_BUILD).string
    assert f"python = {environment}: {OTHER_BUILD} {other}, this worker has" in said
    assert f"that of {ours}: extension modules may not load" in said
    assert said.endswith(f"make worker PYTHON={other}/bin/python{VERSION}")


def test_module_of_an_environment_is_nobody_elses(serve, venv):
    server = serve("only_here:application", expect_exit=3, wait=False)
    assert server.wait() == 3
    assert server.errors.find("ModuleNotFoundError: No module named 'only_here'")


def test_without_an_environment_all_is_as_in_python3(serve):
    server = serve("interpreter:application")
    wanted = ask(PYTHON, "sys.prefix", "sys.base_prefix", "sys.executable")
    assert told(server) == [VERSION, *wanted]


def test_spawned_process_is_of_the_environment(serve, venv):
    server = serve("only_here:application", python=str(venv.path))
    assert get(server, "child")["child"] == [str(venv.path), venv.python]


def test_check_imports_from_the_environment(venv):
    command = [PROGRAM, "-t", "--chdir", str(APPS), "--python", str(venv.path)]
    command.append("only_here:application")
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE * 2, text=True)
    assert (done.returncode, done.stdout) == (0, "configuration ok\n"), done.stderr


# ---- extension modules


def test_lock_of_the_interpreter_is_watched(serve):
    """Else threads are woken late, which nothing but the log would tell."""
    server = serve("interpreter:application")
    told = server.errors.find("the interpreter's lock cannot be watched")
    assert len(told) == (1 if IS_ASAN or IS_TSAN else 0)


def test_extension_modules_of_python_load(serve):
    names = ["_ctypes", "_sqlite3", "_decimal", "_ssl", "_multiprocessing"]
    server = serve("interpreter:application", python=PYTHON)
    files = get(server, "modules=" + ",".join(names))
    for file in files:
        assert file.endswith(".so") or file == "built in"
    assert any(file.endswith(".so") for file in files)


def test_extension_modules_of_packages_load(serve):
    try:
        (wanted,) = ask(PYTHON, "__import__('markupsafe._speedups')._speedups.__file__")
    except subprocess.CalledProcessError:
        pytest.skip(f"{PYTHON} has no markupsafe")
    assert get(serve("interpreter:application"), "modules=markupsafe._speedups") == [wanted]


def test_extension_modules_get_pythons_functions_and_not_the_servers(serve):
    exported = get(serve("interpreter:application"), "exported")["exported"]
    assert exported == ["PyObject_Call"]


PRELOADED = """
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

__attribute__((constructor)) static void
begin(void)
{
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec past = {0, 0};

	pthread_cond_signal(&cond);
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&cond, &mutex, &past);
	pthread_mutex_unlock(&mutex);
}
"""


def compile_library(directory: Path, source: str) -> Path:
    """A shared library for LD_PRELOAD."""
    if BUILD != "release":
        pytest.skip("a sanitizer has to be the first library")
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    library = directory / "preloaded.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), "-xc", "-"]
    subprocess.run(command, input=source, text=True, check=True)
    return library


def test_preloaded_library_may_use_conditions_before_us(serve, tmp_path):
    """malloc replacements and profilers start threads when they are loaded."""
    library = compile_library(tmp_path, PRELOADED)
    server = serve("interpreter:application", env={"LD_PRELOAD": str(library)})
    assert told(server)[0] == VERSION
    (worker,) = server.workers()
    assert library.name in Path(f"/proc/{worker}/maps").read_text()


# ---- the worker program


def workers() -> list[str]:
    names = [path.name for path in Path(PROGRAM).parent.glob(WORKER + "*")]
    return sorted(name[len(WORKER) :] for name in names)


def test_missing_worker_is_told_with_those_that_are_there():
    said = fails(python="3.99")
    assert f"python = 3.99: no worker program {WORKER}3.99 in {Path(PROGRAM).parent}" in said
    there = said[said.index("there are workers for") :]
    assert there.endswith(f" in {Path(PROGRAM).parent}")
    for version in workers():
        assert f" {version}" in there


def test_missing_worker_of_an_environment_names_the_environment(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to("/bin/true")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.98.1.final.0\n")
    said = fails(python=None, env={"VIRTUAL_ENV": str(tmp_path)})
    assert f"VIRTUAL_ENV = {tmp_path}: no worker program {WORKER}3.98" in said


def test_no_worker_at_all_is_told(tmp_path):
    alone = shutil.copy(PROGRAM, tmp_path / "cgthread")
    said = fails(program=alone, python="3.99")
    installed = Path("/usr/local/libexec/cgthread").exists()
    assert installed or said.endswith("; there are workers for no Python")


def test_worker_that_cannot_be_run_is_none_of_those_that_are_there(tmp_path):
    alone = shutil.copy(PROGRAM, tmp_path / "cgthread")
    for version, mode in [("3.95", 0o644), ("3.96", 0o755), ("3.97", 0o644)]:
        (tmp_path / (WORKER + version)).touch(mode)
    said = fails(program=alone, python="3.97")
    assert f"; there are workers for 3.96 in {tmp_path}" in said


@pytest.mark.parametrize(
    "python, said",
    [
        ("/nonexistent", "python = /nonexistent: No such file"),
        ("/etc", "/etc/bin/python3: No such file"),
        ("/bin/true", "the name of /bin/true tells the version"),
    ],
)
def test_unusable_python_is_told(python, said):
    assert said in fails(python=python)


@pytest.mark.parametrize("python", ["2.7", "3", "3.11.2", "3.x", "python3", "venv"])
def test_malformed_python_is_an_error_of_the_settings(python):
    command = [PROGRAM, "--python", python, "interpreter:application"]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, text=True)
    assert done.returncode == 2
    assert "neither a version such as 3.11 nor an absolute path" in done.stderr


def test_changed_environment_is_refused_by_the_worker(tmp_path):
    """The version of the environment is not that of the worker."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to("/bin/true")
    (tmp_path / "pyvenv.cfg").write_text("version = 3.98.1\n")
    program = str(Path(PROGRAM).parent / (WORKER + VERSION))
    with Server(
        "interpreter:application",
        python=str(tmp_path),
        env={"CGTHREAD_WORKER_PROGRAM": program},
        expect_exit=None,
    ) as server:
        server.wait()
    assert server.errors.find(f"that is Python 3.98, this worker has {VERSION}")


def test_worker_of_another_version_of_the_server_is_refused(tmp_path):
    """As the worker sees it: a master that says so."""
    worker = Path(PROGRAM).parent / (WORKER + VERSION)
    old = tmp_path / "old"
    old.write_text(f'#!/bin/sh\nCGTHREAD_MASTER_VERSION=0.0.7 exec {worker} "$@"\n')
    old.chmod(0o755)
    env = {"CGTHREAD_WORKER_PROGRAM": str(old)}
    with Server("interpreter:application", env=env, expect_exit=3) as server:
        server.wait()
    (ours,) = re.findall(r"\d+\.\d+\.\d+", subprocess.check_output([PROGRAM, "-V"], text=True))
    (said,) = server.errors.find(f"{WORKER}.*")
    assert said[0] == (
        f"{WORKER}{VERSION} is of version {ours}, cgthread of 0.0.7: build and install it again"
    )


def is_current(version: str) -> bool:
    """Whether the worker was built from the source as it now is."""
    built = Path(PROGRAM).with_name(WORKER + version).stat().st_mtime
    return all(path.stat().st_mtime <= built for path in ROOT.glob("src/*/*.[ch]"))


@pytest.mark.parametrize("version", workers())
def test_workers_stand_beside_each_other(serve, version):
    if not is_current(version):
        pytest.skip(f"the worker for {version} is of an older source")
    server = serve("interpreter:application", python=version)
    assert get(server)["version"] == version
    (worker,) = server.workers()
    assert os.readlink(f"/proc/{worker}/exe").endswith(WORKER + version)


# ---- which Pythons "make check PYTHONS=" tests


def pythons(*names: str, path: str = "") -> subprocess.CompletedProcess:
    command = ["sh", str(ROOT / "tests" / "pythons.sh"), *names]
    env = {"PATH": f"{path}:/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(command, capture_output=True, text=True, env=env)


def test_python_to_test_is_found_in_the_path(tmp_path):
    name = tmp_path / "python3.98"
    name.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    name.chmod(0o755)
    done = pythons("python3.98", PYTHON, path=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(name), PYTHON]


@pytest.mark.parametrize(
    "names, said",
    [
        ([], "no Python to test"),
        (["python3.99"], "not python3.99: no such program"),
        ([PYTHON, "/nonexistent/python3.11"], "not /nonexistent/python3.11: no such"),
        ([PYTHON, "/bin/true"], "not /bin/true: it does not answer"),
    ],
)
def test_python_to_test_that_is_unusable_is_an_error(names, said):
    done = pythons(*names)
    assert done.returncode == 1
    assert said in done.stderr
