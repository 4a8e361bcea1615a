"""A test that hangs ends the run, which says which test it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CONFTEST = """
from support.hang_watch import HangWatch
def pytest_configure(config):
    config.pluginmanager.register(HangWatch(config))
"""


def run(folder: Path, test: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file that contains `test`."""
    # pytest's own watchdog only shows stacks here, so that on a slow machine it cannot be the first to end the run.
    (folder / "pytest.ini").write_text("[pytest]\nfaulthandler_exit_on_timeout = false\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(f"import threading\n{test}\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest", "-o", f"faulthandler_timeout={timeout}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("threading.Event().wait()", "the collection of the tests"),
        ("def test_that_waits(): threading.Event().wait()", "test_it.py::test_that_waits"),
        (
            "def test_that_waits(): threading.Thread(target=threading.Event().wait).start()",
            "the end of the run, after test_it.py::test_that_waits,",
        ),
    ],
    ids=["a module", "a test", "a thread that a test leaves behind"],
)
def test_what_hangs_is_named_in_the_last_line(tmp_path: Path, test: str, name: str) -> None:
    """Whoever reads only the end of a log sees which test to look at, and above it where each thread stands."""
    done = run(tmp_path, test, timeout=1)
    assert done.returncode == 1
    *stacks, last = done.stderr.splitlines()
    assert last == f"{name} hangs; the stacks of all threads are above"
    # PyPy shows the stack of the watch alone.
    assert any(("in _watch" if sys.implementation.name == "pypy" else "in wait") in line for line in stacks)


def test_a_timeout_of_0_turns_the_watch_off(tmp_path: Path) -> None:
    """Whoever debugs a test, or ends it by other means, needs no watch."""
    assert run(tmp_path, "def test_that_waits(): threading.Event().wait(1)", timeout=0).returncode == 0
