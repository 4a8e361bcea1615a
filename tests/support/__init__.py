"""Tools that most tests need: the implementations, threads that start together, and processes of their own."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

#: Every test runs on each of these: the value of `gilonce.__implementation__`.
IMPLEMENTATIONS = ["python", "native"] if importlib.util.find_spec("gilonce._native.core") else ["python"]

#: How many seconds pass before a thread counts as hanging.
WATCHDOG = 30.0

#: How long searches are, compared with a whole one: how many examples they try, and how many of the bytecodes. Part of
#: one, such as 0.2, is for the interpreters after the first.
FACTOR = float(os.environ.get("GILONCE_SEARCH", "1"))

#: What a recursion without end raises. PyPy can raise a TypeError because it cannot attach the context to a
#: RecursionError.
RECURSION_ERRORS: tuple[type[Exception], ...] = (
    (RecursionError, TypeError) if sys.implementation.name == "pypy" else (RecursionError,)
)

_loaded: dict[str, dict[str, ModuleType]] = {}


def survives_interrupts(gilonce: ModuleType) -> bool:
    """Return whether an exception may be raised between any two bytecodes.

    CPython 3.10 sometimes crashes later, also where no code in C but its own runs.
    """
    return gilonce.__implementation__ == "native" or sys.version_info >= (3, 11)


def has_proxies_in_python(gilonce: ModuleType) -> bool:
    """Return whether lazy globals are in Python. With the native core they are, too, if wrapt is."""
    import wrapt

    return gilonce.__implementation__ == "python" or "__wrapped__" not in vars(wrapt.BaseObjectProxy)


def clean_testing(gilonce: ModuleType) -> Any:
    """Return `gilonce.testing`, after a reset of what other tests have left, whatever their `discard` raises."""
    testing = importlib.import_module(f"{gilonce.__name__}.testing")
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        testing.reset()
    finally:
        sys.unraisablehook = hook
    return testing


def environment(implementation: str) -> dict[str, str]:
    """Return the environment in which a subprocess uses `implementation`."""
    return {**os.environ, "GILONCE_PURE_PYTHON": "1" if implementation == "python" else ""}


def run_python(gilonce: ModuleType, *arguments: str) -> str:
    """Run Python in a process of its own, on the same implementation; return what it prints.

    All warnings are shown, and nothing may appear on stderr. (Not `-X dev`, for asyncio's
    debug mode complains of a machine that is slow.)
    """
    done = subprocess.run(
        [sys.executable, "-W", "default", *arguments],
        env=environment(gilonce.__implementation__),
        capture_output=True,
        text=True,
        timeout=2 * WATCHDOG,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _ours() -> dict[str, ModuleType]:
    # This runs twice for each test, and there are hundreds of modules.
    return {name: sys.modules[name] for name in [*sys.modules] if name == "gilonce" or name.startswith("gilonce.")}


@contextlib.contextmanager
def activate(implementation: str) -> Iterator[ModuleType]:
    """Make `import gilonce` give `implementation`, each being loaded once."""
    outside = _ours()
    for name in outside:
        del sys.modules[name]
    sys.modules.update(_loaded.get(implementation, {}))
    variable = os.environ.get("GILONCE_PURE_PYTHON")
    os.environ["GILONCE_PURE_PYTHON"] = environment(implementation)["GILONCE_PURE_PYTHON"]
    try:
        package = importlib.import_module("gilonce")
        assert package.__implementation__ == implementation
        for name in package.__all__:
            getattr(package, name)  # this imports the name's module, for tests of what is behind it
        yield package
    finally:
        _loaded[implementation] = ours = _ours()
        for name in ours:
            del sys.modules[name]
        sys.modules.update(outside)
        os.environ.pop("GILONCE_PURE_PYTHON")
        if variable is not None:
            os.environ["GILONCE_PURE_PYTHON"] = variable


def run_threads(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions, a thread each, released together; return what each returned or raised.

    A thread that hangs ends the test, with the stacks of all threads on stderr.
    """
    outcomes: list[Any] = [None] * len(actions)
    start = threading.Barrier(len(actions))

    def run(index: int, action: Callable[[], Any]) -> None:
        start.wait(WATCHDOG)
        try:
            outcomes[index] = action()
        except BaseException as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
        if thread.is_alive():
            faulthandler.dump_traceback()
            raise AssertionError(f"{thread.name} hangs")
    return outcomes


def race(action: Callable[[], Any], threads: int = 8) -> list[Any]:
    """Run one action in many threads at once; see `run_threads`."""
    return run_threads(*[action] * threads)


def drive(coroutine: Any) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    finally:
        # A coroutine that never began, because the recursion was too deep, must not warn.
        coroutine.close()
    raise AssertionError("the coroutine waits for something")
