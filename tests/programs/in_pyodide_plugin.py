"""A pytest plugin for CPython compiled to WebAssembly: `pytest -p in_pyodide_plugin`, for `in_pyodide.py`.

Pyodide has neither threads nor processes. A test that tries to start one is skipped, even if it passes, because it no
longer tests what its name says. The plugin does not know such tests by name: it listens to the interpreter's audit
events, and looks at the test's error.

The loop of Pyodide belongs to JavaScript, and cannot run a coroutine to its end while Python waits. The plugin gives
the tests a loop that is asyncio's own, without what it has for sockets, pipes and other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import json
import selectors
import sys
import time
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest

#: What is raised before a new thread or process would begin.
STARTS = {
    "_thread.start_new_thread": "threads",
    "_thread.start_joinable_thread": "threads",
    "os.fork": "processes",
    "os.forkpty": "processes",
    "os.posix_spawn": "processes",
    "os.exec": "processes",
    "os.system": "processes",
    "subprocess.Popen": "processes",
}

tried: set[str] = set()


def listen(event: str, arguments: tuple[object, ...]) -> None:
    """Note what a test tries to start."""
    if event in STARTS:
        tried.add(STARTS[event])


class NoFiles(selectors.BaseSelector):
    """Waits for the time of the next callback, and for nothing else."""

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the loop would wait forever: no callback is due, and there are no other threads")
        time.sleep(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        raise NotImplementedError

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise NotImplementedError

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class Loop(asyncio.BaseEventLoop):
    """asyncio's loop, which calls back at a time or at once."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = NoFiles()

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        """Do nothing: it would wake the loop from another thread."""


@contextlib.contextmanager
def our_loop() -> Iterator[None]:
    """Make `asyncio.run` and `asyncio.new_event_loop` use `Loop`, outside of Pyodide's own loop."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        outer_policy = asyncio.get_event_loop_policy()
        policy: Any = asyncio.DefaultEventLoopPolicy()
        policy._loop_factory = Loop
        asyncio.set_event_loop_policy(policy)
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(outer_policy)
        asyncio._set_running_loop(outer)


class NoWatch:
    """Replaces the watch over tests that hang, which needs a thread. `in_pyodide.py` ends a run that takes too long."""

    def __init__(self, config: pytest.Config) -> None:
        pass


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


#: The types and messages of errors that say what is missing. A fixture may keep such an error from an earlier test.
MISSING: list[tuple[type[Exception], str, str]] = [
    (RuntimeError, "can't start new thread", "threads"),
    (OSError, "does not support processes", "processes"),
    (NotImplementedError, "lacks multiprocessing.synchronize", "processes"),
    # The npm packages of Pyodide before Python 3.14 lack it.
    (ModuleNotFoundError, "No module named 'sqlite3'", "sqlite3"),
]


def needs(error: BaseException | None) -> set[str]:
    """Return what an error says is missing."""
    return {
        what
        for cause in causes(error)
        for kind, message, what in MISSING
        if isinstance(cause, kind) and message in str(cause)
    }


#: How the reason begins why this plugin skips a test.
NEEDS = "Skipped: needs "

#: The outcome of each test.
outcomes: dict[str, str] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Replace the watch before the conftest imports it. Its package imports gilonce, of which pytest warns earlier."""
    from support import hang_watch

    hang_watch.HangWatch = NoWatch  # type: ignore[assignment,misc]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a test module that imports sqlite3 where it is missing."""
    report = yield
    if report.failed and "No module named 'sqlite3'" in str(report.longrepr):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"{NEEDS}sqlite3")
        outcomes[collector.nodeid] = "whole modules need sqlite3"
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart() -> None:
    tried.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that has tried to start something, also where it has passed."""
    report = yield
    missing = tried | needs(call.excinfo.value if call.excinfo else None)
    if not missing or report.skipped:
        return report
    if report.when == "teardown":
        report.outcome = "passed"  # the test was skipped before
    elif report.when == "call" or report.failed:
        report.outcome = "skipped"
        report.longrepr = (str(report.fspath), 0, f"{NEEDS}{max(missing)}")
    return report


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Delete what a test has left that was cut off: coroutines, loops and sockets would complain in a later test."""
    if not outcomes.get(nodeid, "").startswith("needs "):
        return
    for name in ("last_exc", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        for _ in range(3):
            gc.collect()
    finally:
        sys.unraisablehook = hook


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep one outcome of each test."""
    if report.failed:
        outcome = "failed"
    elif hasattr(report, "wasxfail"):
        outcome = "xfailed"
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        outcome = reason.removeprefix("Skipped: ") if reason.startswith(NEEDS) else "skipped"
    elif report.when == "call":
        outcome = "passed"
    else:
        return
    outcomes[report.nodeid] = outcome


def run(arguments: list[str]) -> str:
    """Run pytest; return its exit status and the numbers of outcomes, in JSON."""
    sys.addaudithook(listen)
    # Some tests limit their time by it, and it needs a thread.
    faulthandler.dump_traceback_later = lambda *_, **__: None
    with our_loop():
        status = pytest.main(arguments, plugins=[sys.modules[__name__]])
    import gilonce  # not before pytest, which warns of it

    counts = Counter(outcomes.values())
    return json.dumps({"status": int(status), "counts": counts, "implementation": gilonce.__implementation__})
