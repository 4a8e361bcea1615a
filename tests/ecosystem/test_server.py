"""ProcessOnceCell with a real server: PostgreSQL, and forked processes.

These tests need the server (Debian's package `postgresql`) and the clients (`pip install 'gilonce[server]'`). Without
them they are skipped. With GILONCE_TEST_SERVER=1 in the environment nothing is skipped: as root, the tests install
Debian's package, and anything else that is missing is a failure.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, environment, run_python, run_threads
from support.comparison import Tool

HERE = Path(__file__).parent
WORKERS = 3
#: Whether this must run.
INSISTS = os.environ.get("GILONCE_TEST_SERVER") == "1"
CLIENTS = ("psycopg", "gunicorn")
PSYCOPG = Tool("psycopg")
GUNICORN = Tool("gunicorn")
SHARED = "all processes share a connection, and mix up their answers"


def do_without(reason: str) -> None:
    if INSISTS:
        pytest.fail(f"GILONCE_TEST_SERVER=1, but {reason}")
    pytest.skip(reason)


def find_programs() -> Path | None:
    """Return the folder of the server's programs, which Debian keeps off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders = [folder for folder in [*on_path, *reversed(debian)] if (folder / "initdb").exists()]
    return folders[0] if folders else None


def install() -> None:
    """Install Debian's package, if we were told to and may."""
    if INSISTS and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", "-qq", *arguments], check=True, env=quiet, timeout=600)


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """A server of our own, in a temporary folder and behind a socket there; what libpq needs to find it."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    missing = [name for name in CLIENTS if importlib.util.find_spec(name) is None]
    if missing:
        do_without(f"not installed here: {', '.join(missing)} (pip install 'gilonce[server]')")
    programs = find_programs()
    if programs is None:
        install()
        programs = find_programs()
    if programs is None:
        do_without(
            "not installed here: PostgreSQL's server (apt-get install postgresql, or run this as root with "
            "GILONCE_TEST_SERVER=1 in the environment)"
        )
    assert programs is not None
    # In /tmp, for a socket's name is limited, and $TMPDIR may lie where the server's account may not go.
    with tempfile.TemporaryDirectory(prefix="gilonce-server-", dir="/tmp") as folder, running(programs, folder):
        yield {"PGHOST": folder, "PGUSER": "tester", "PGDATABASE": "postgres"}


@contextlib.contextmanager
def running(programs: Path, folder: str) -> Iterator[None]:
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        # The server refuses to be root's.
        import pwd  # not everywhere

        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = f"{folder}/data"
    settings = "--no-sync --auth=trust --username=tester --no-locale --encoding=UTF8"
    setup = [programs / "initdb", *settings.split(), data]
    made = subprocess.run(setup, cwd=folder, capture_output=True, text=True, timeout=WATCHDOG, check=False, **account)
    assert made.returncode == 0, made.stdout + made.stderr
    options = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "log_min_messages=log"]
    command = [programs / "postgres", "-D", data, *[part for option in options for part in ("-c", option)]]
    if shutil.which("setpriv"):
        # A server whose tests were killed goes, too.
        command = ["setpriv", "--pdeathsig", "INT", *command]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, **account)
    assert process.stderr is not None
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        with watched(process):
            said = []
            for line in process.stderr:
                said.append(line)
                if "ready to accept connections" in line:
                    break
            else:
                raise AssertionError("the server does not start: " + "".join(said))
        # What it says later is of no interest, but it must be able to say it.
        reader.start()
        yield
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth keeping
        with watched(process), process:
            if reader.is_alive():
                reader.join()


@contextlib.contextmanager
def watched(process: subprocess.Popen[str]) -> Iterator[None]:
    """End a process that hangs; who reads from it then reads its end."""
    timer = threading.Timer(WATCHDOG, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def program(
    gilonce: ModuleType, cell: str, server: dict[str, str], *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], Iterator[dict[str, Any]]]]:
    """Run Python with server_program.py at hand; give the process, and what it reports."""
    root = str(Path(gilonce.__file__ or "").parent.parent)
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=HERE,
        env={
            **environment(gilonce.__implementation__),
            **server,
            "CELL": cell,
            "PYTHONPATH": os.pathsep.join([str(HERE), root]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watched(process):
        assert process.stdout is not None
        try:
            yield process, map(json.loads, process.stdout)
        except BaseException:
            process.kill()
            print(process.communicate()[1], file=sys.stderr)
            raise
        _, errors = process.communicate()
        assert process.returncode == 0, errors


def run_program(gilonce: ModuleType, cell: str, server: dict[str, str], way: str) -> list[dict[str, Any]]:
    with program(gilonce, cell, server, "server_program.py", way) as (_, reports):
        return list(reports)


def run_gunicorn(gilonce: ModuleType, cell: str, server: dict[str, str]) -> list[dict[str, Any]]:
    """Let three workers serve a request each, and one of them go; return what all saw, the master as parent."""
    with program(gilonce, cell, server, "-m", "gunicorn", "-c", "python:server_program") as (master, reports):
        before, port = next(reports), next(reports)["port"]

        def request() -> dict[str, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WATCHDOG)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                return {"worker": json.loads(answer.read())}
            finally:
                connection.close()

        # A worker serves one at a time, and each waits for the others: so each has one.
        answers = run_threads(*[request] * WORKERS)
        master.send_signal(signal.SIGTTOU)  # one worker less
        after = next(reports)
        master.send_signal(signal.SIGTERM)
        return [before, *answers, after]


WAYS = ["multiprocessing", "ProcessPoolExecutor", "gunicorn"]


def run(gilonce: ModuleType, cell: str, server: dict[str, str], way: str) -> tuple[Any, list[Any], Any]:
    """Return what the parent saw before the forks, what the workers saw, and what the parent saw after them."""
    if way == "gunicorn":
        before, *workers, after = run_gunicorn(gilonce, cell, server)
    else:
        before, *workers, after = run_program(gilonce, cell, server, way)
    assert all(set(seen) == {"worker"} for seen in workers), workers
    assert len({seen["worker"]["process"] for seen in workers}) == WORKERS
    return before["parent"], [seen["worker"] for seen in workers], after["parent"]


@PSYCOPG.row("With `cell=ProcessOnceCell`, each forked process has a connection of its own to PostgreSQL", SHARED)
@GUNICORN.row("With `cell=ProcessOnceCell`, each worker has a connection of its own to PostgreSQL", SHARED)
@pytest.mark.parametrize("way", WAYS)
def test_each_process_has_a_connection_of_its_own(gilonce: ModuleType, server: dict[str, str], way: str) -> None:
    """As many sessions as processes, each told what is its own; and the parent's outlives the children."""
    before, workers, after = run(gilonce, "ProcessOnceCell", server, way)
    assert len({before["session"], *[seen["session"] for seen in workers]}) == 1 + WORKERS
    assert [seen["told"] for seen in workers] == [seen["process"] for seen in workers]
    assert after == before


@pytest.mark.parametrize("way", WAYS)
def test_a_plain_cell_corrupts_what_they_are_told(gilonce: ModuleType, server: dict[str, str], way: str) -> None:
    """With a plain cell, all processes share one session, mix up their answers, and lose it when one of them ends."""
    before, workers, after = run(gilonce, "GILOnceCell", server, way)
    assert {seen["session"] for seen in workers} == {before["session"]}
    assert len({seen["told"] for seen in workers}) == 1
    assert sum(seen["told"] != seen["process"] for seen in workers) == WORKERS - 1
    assert after is None


def test_parent_and_child_are_answered_what_each_has_asked(gilonce: ModuleType, server: dict[str, str]) -> None:
    """Whose question comes first does not matter to two connections."""
    child, parent = run_program(gilonce, "ProcessOnceCell", server, "swap")
    assert (child, parent) == ({"child": "for the child"}, {"parent": "for the parent"})


def test_a_plain_cell_gives_the_child_the_parents_answer(gilonce: ModuleType, server: dict[str, str]) -> None:
    """On one connection the first to read has the first answer, whoever asked."""
    assert run_program(gilonce, "GILOnceCell", server, "swap") == [{"child": "for the parent"}]


@PSYCOPG.row(
    "`examples/cluster.py`: processes that share a table in PostgreSQL have one value",
    "each process has a value of its own",
)
def test_processes_that_share_a_table_share_a_value(gilonce: ModuleType, server: dict[str, str]) -> None:
    """`examples/cluster.py` with PostgreSQL in place of SQLite."""
    cluster = str(HERE.parent.parent / "examples" / "cluster.py")
    url = f"postgresql://{server['PGUSER']}@/{server['PGDATABASE']}?host={server['PGHOST']}"
    *_, cached, first, later, verdict = run_python(gilonce, cluster, url).splitlines()
    assert cached.split() == ["functools.cache", "8", "8", "0"]
    assert first.split() == ["once(cell=ClusterCell)", "1", "8", "7"]
    assert later.split()[-3:] == ["1", "0", "0"]
    assert verdict == "It has the same value."
