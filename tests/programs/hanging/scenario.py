"""What a scenario of `tests/programs/hangs.py` is, and tools that the scenarios share.

A scenario is a function that takes a tool, and either returns or hangs. The first line of its docstring is its row in
the table. In every scenario it is wrong

* to hand out two objects: every touch must return the same object, later ones too;
* to raise an exception that the initializer did not raise, or to lose one, or to keep one for a later call;
* to end the process.

The docstring of a scenario says what else is wrong there. It is not wrong to run the initializer twice.

A tool may promise an error instead of an endless wait. A caller that gets this error goes on without the value, as a
user's code would have to. This is right, but the outcome is "told" instead of "ok". If a tool detects a deadlock,
exactly one caller must get the error, and all others must go on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .tools import AsyncTouch, Tool, Touch


class WrongError(Exception):
    """The tool went on and broke a law."""


class HangsError(Exception):
    """The tool hangs in another process, whose own watchdog has noticed it."""


class CannotError(Exception):
    """The scenario cannot be played on this interpreter or system. The message says why."""


class Told(NamedTuple):
    """The result of a touch that gets the error that the tool promises instead of an endless wait."""

    error: BaseException


class Scenario(NamedTuple):
    """One way to hang.

    Parameters:
        run: plays it with a tool.
        form: the name of the form of the tool that it needs.
        is_alone: whether the scenario ends the process, and so calls `report` itself when all went well.
        is_unseen: whether no tool can see that the wait would never end. Then tools with a `timeout=` get one.
    """

    run: Callable[[Tool], None]
    form: str
    is_alone: bool
    is_unseen: bool

    @property
    def module(self) -> str:
        return self.run.__module__.rpartition(".")[2]

    @property
    def title(self) -> str:
        return (self.run.__doc__ or "").partition("\n")[0].rstrip(".")


#: Every scenario, by its name.
SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *, form: str = "make", is_alone: bool = False, is_unseen: bool = False
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def enter(run: Callable[[Any], None]) -> Callable[[Any], None]:
        SCENARIOS[run.__name__] = Scenario(run, form, is_alone, is_unseen)
        return run

    return enter


#: The number of seconds after which a step counts as hanging; `hangs.py` sets it.
limit = 4.0


def go_on() -> None:
    """Restart the watchdog, which watches one step at a time."""
    faulthandler.dump_traceback_later(limit, exit=True)
    _told_in_this_step.clear()


#: The names of the promised errors that were raised: all of them, and those since the watchdog was restarted.
told: dict[str, None] = {}
_told_in_this_step: list[str] = []


def telling(tool: Tool) -> Tool:
    """Return the tool with touches that return the promised errors instead of raising them."""
    if not tool.tells:
        return tool
    forms: dict[str, Any] = {
        "make": lambda initializer: _Telling(tool, tool.make(initializer)),
        "make_each": lambda initializer: functools.partial(_new_telling, tool, tool.make_each(initializer)),
        "make_async": lambda initializer: functools.partial(_tell_async, tool, tool.make_async(initializer)),
    }
    return tool._replace(**{form: make for form, make in forms.items() if tool.has(form)})


class _Telling:
    def __init__(self, tool: Tool, touch: Touch) -> None:
        self._tool = tool
        self._touch = touch

    def __call__(self) -> Any:
        try:
            return self._touch()
        except Exception as error:
            return _tell(self._tool, error)


def _new_telling(tool: Tool, new: Callable[[], Touch]) -> Touch:
    return _Telling(tool, new())


async def _tell_async(tool: Tool, touch: AsyncTouch) -> Any:
    try:
        return await touch()
    except Exception as error:
        return _tell(tool, error)


def _tell(tool: Tool, error: Exception) -> Told:
    name = type(error).__name__
    if name not in tool.tells:
        raise error
    told[name] = None
    _told_in_this_step.append(name)
    if _told_in_this_step.count("DeadlockError") > 1:
        raise WrongError("a deadlock was told in two places") from error
    return Told(error)


def check_under_way(tool: Tool) -> None:
    """Raise WrongError if the tool believes that a thread or task still works on the value."""
    if tool.under_way():
        raise WrongError(f"left behind: {tool.under_way()}")


def report(outcome: str, detail: str = "") -> None:
    """Write one line to the parent process. This works until the very end of the interpreter."""
    os.write(1, f"{outcome} {detail}".replace("\n", " | ").encode() + b"\n")


class Value:
    """A value that an initializer makes."""

    __slots__ = ("__weakref__",)


class First:
    """An initializer with an action in its first run. Later runs, nested ones too, only make a value."""

    def __init__(self, inside: Callable[[], object]) -> None:
        self._inside = inside
        self._runs = itertools.count()
        self.made: list[Value] = []

    def __call__(self) -> Value:
        if next(self._runs) == 0:
            self._inside()
        value = Value()
        self.made.append(value)
        return value


def outcome_of(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except BaseException as error:
        return error


class start:
    """Run the action in a thread; called, wait for its end, and return what it returned or raised."""

    def __init__(self, action: Callable[[], Any]) -> None:
        self._action = action
        self._outcome: Any = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self._outcome = outcome_of(self._action)

    def __call__(self) -> Any:
        self.thread.join()
        return self._outcome


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions, each in a thread; return what each returned or raised. The watchdog ends a thread that hangs."""
    return [wait() for wait in [start(action) for action in actions]]


def settle(threads: Sequence[threading.Thread]) -> None:
    """Return when each thread has ended or stands still. (Python does not show that a thread waits for a lock.)"""
    still = 0
    before: list[Any] = []
    while still < 100:
        frames = sys._current_frames()
        now = [(id(frame), frame.f_lasti) for thread in threads if (frame := frames.get(thread.ident or 0))]
        still = still + 1 if now == before else 0
        before = now
        del frames
        # Lets the others run. The time does not matter.
        threading.Event().wait(1e-4)


def expect_one(got: Sequence[Any], at_least: int = 2, may_be_none: bool = False) -> None:
    """Raise WrongError unless all of them are one value, apart from promised errors."""
    for outcome in got:
        if isinstance(outcome, BaseException):
            raise WrongError(f"raised {outcome!r}") from outcome
    if len(got) < at_least:
        raise WrongError(f"the value was touched {len(got)} times, not {at_least}: something did not run")
    handed_out = {id(outcome) for outcome in got if not isinstance(outcome, Told)}
    if len(handed_out) > 1:
        raise WrongError(f"{len(handed_out)} objects were handed out")
    # At the end of a process, whatever provides values may be gone.
    if not handed_out and not may_be_none:
        raise WrongError("every caller got an error, and none got a value")


@contextlib.contextmanager
def handling(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Let `handler` handle a signal."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
