"""Calls that the interpreter makes in the middle of an initializer, and a fork or an exit during an initializer."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from . import scenario as settings
from .scenario import (
    CannotError,
    First,
    HangsError,
    Value,
    WrongError,
    expect_one,
    handling,
    outcome_of,
    report,
    scenario,
    start,
)
from .tools import Tool, Touch


@scenario()
def signal_handler(tool: Tool) -> None:
    """A signal handler that touches the value, inside its initializer."""
    seen: list[Any] = []
    touch = tool.make(First(lambda: signal.raise_signal(signal.SIGINT)))
    with handling(signal.SIGINT, lambda number, frame: seen.append(touch())):
        seen += [touch(), touch()]
    expect_one(seen, 3)


@scenario()
def finalizer(tool: Tool) -> None:
    """A finalizer that touches the value, run by the garbage collector inside its initializer."""
    seen: list[Any] = []

    class Garbage:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            seen.append(outcome_of(touch))

    def inside() -> None:
        Garbage()
        gc.collect()

    touch = tool.make(First(inside))
    seen += [touch(), touch()]
    expect_one(seen, 3)


@scenario()
def weak_reference_callback(tool: Tool) -> None:
    """A weak reference's callback that touches the value, inside its initializer."""
    seen: list[Any] = []
    kept = [Value()]
    reference = weakref.ref(kept[0], lambda reference: seen.append(outcome_of(touch)))

    def inside() -> None:
        kept.clear()
        gc.collect()

    touch = tool.make(First(inside))
    seen += [touch(), touch()]
    expect_one(seen, 3)
    if reference() is not None:
        raise WrongError("the object is still there")


# Forks, and the end.


def _park(tool: Tool) -> tuple[Touch, threading.Event, Callable[[], Any]]:
    """Start a thread that stays in the initializer; return functions that touch, release it, and join it."""
    entered, leave = threading.Event(), threading.Event()

    def inside() -> None:
        entered.set()
        leave.wait()

    touch = tool.make(First(inside))
    wait = start(touch)
    entered.wait()
    return touch, leave, wait


@scenario()
def fork(tool: Tool) -> None:
    """A fork while another thread is in the initializer: the child touches the value.

    Wrong, too: the child does not end with status 0.
    """
    if not hasattr(os, "fork"):
        raise CannotError("this system cannot fork")
    touch, leave, wait = _park(tool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that a fork leaves behind, which is the point
        child = os.fork()
    if not child:
        # The watchdog is a thread, and not in the child. This signal has been registered to dump all stacks, too; then
        # it ends the child, before the parent's watchdog strikes.
        signal.setitimer(signal.ITIMER_REAL, 0.75 * settings.limit)
        outcome = outcome_of(lambda: expect_one([touch(), touch()]))
        os.write(2, f"in the child: {outcome!r}\n".encode() if outcome else b"")
        os._exit(1 if outcome else 0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        raise HangsError("the forked child")
    if status:
        raise WrongError(f"the child ended with status {status}")
    leave.set()
    expect_one([wait(), touch()])


@scenario(is_alone=True)
def end(tool: Tool) -> None:
    """The interpreter's end, with a daemon thread in the initializer."""
    atexit.register(report, "ok")
    _park(tool)


def _judge_at_the_end(touch: Touch) -> None:
    outcome = outcome_of(lambda: expect_one([touch(), touch()], may_be_none=True))
    if outcome is not None:
        report("wrong", repr(outcome))
    else:
        report("told" if settings.told else "ok", ", ".join(settings.told))


@scenario(is_alone=True, is_unseen=True)
def at_exit(tool: Tool) -> None:
    """An `atexit` function that touches the value, with a daemon thread in the initializer."""
    atexit.register(_judge_at_the_end, _park(tool)[0])


@scenario(is_alone=True, is_unseen=True)
def finalizer_at_the_end(tool: Tool) -> None:
    """A finalizer that touches the value at the interpreter's end, with a daemon thread in the initializer."""
    if sys.implementation.name != "cpython":
        raise CannotError("finalizers are not run at the end here")
    if sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise CannotError("without a GIL, 3.13 makes classes immortal: at the end, modules go before what is in them")
    touch = _park(tool)[0]

    class Kept:
        def __del__(self, judge: Callable[[Touch], None] = _judge_at_the_end) -> None:
            judge(touch)

    sys.modules["__main__"].kept = Kept()  # type: ignore[attr-defined]
