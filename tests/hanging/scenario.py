"""What a scenario of `tests/hangs.py` is, and what the scenarios have in common.

A scenario is a function that is given a tool, and comes to its end or hangs. The first line of its docstring is its
row in the table. In each of them it is wrong

* to hand out two objects: all who touch the value get one, and so does who touches it afterwards;
* to raise what the initializer did not raise, or to lose, or to keep for a later call, what it did;
* to end the process.

What else is wrong in a scenario its docstring says. That the initializer runs twice is not wrong.

A tool may promise an error instead of a wait that would never end. Whose touch is told so goes on without the value,
as a user's code would have to; then that much is right, and the outcome is not "ok" but "told". A deadlock that is
seen is to be told in one place, and all others go on.
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
    """The tool went on, and broke a law."""


class HangsError(Exception):
    """The tool hangs in another process, whose own watchdog has seen it."""


class CannotError(Exception):
    """The scenario cannot be played on this interpreter or system: says why."""


class Told(NamedTuple):
    """What a touch comes to where the tool raises what it promises instead of a wait without end."""

    error: BaseException


class Scenario(NamedTuple):
    """One way to hang.

    Parameters:
        run: plays it with a tool.
        form: the name of the form of the tool that it needs.
        is_alone: whether it ends with the process, and says itself, by `report`, that all went well.
        is_unseen: whether no tool can see that its wait would never end, so that those that have a `timeout` are
            given one.
    """

    run: Callable[[Tool], None]
    form: str
    is_alone: bool
    is_unseen: bool

    @property
    def room(self) -> str:
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


#: How many seconds may pass until it counts as hanging; `hangs.py` sets it.
limit = 4.0


def go_on() -> None:
    """Let the watchdog begin anew: what it watches is a step of many."""
    faulthandler.dump_traceback_later(limit, exit=True)
    _told_in_this_step.clear()


#: The names of the errors that were told, in all and since the watchdog began.
told: dict[str, None] = {}
_told_in_this_step: list[str] = []


def telling(tool: Tool) -> Tool:
    """Return the tool with touches that return what it promises to raise."""
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
    """Raise WrongError if the tool believes that somebody is at work with it."""
    if tool.under_way():
        raise WrongError(f"left behind: {tool.under_way()}")


def report(outcome: str, detail: str = "") -> None:
    """Tell the parent process, in one line. Works until the very end of the interpreter."""
    os.write(1, f"{outcome} {detail}".replace("\n", " | ").encode() + b"\n")


class Value:
    """What the initializers make."""

    __slots__ = ("__weakref__",)


class First:
    """An initializer that does something more in its first run: later ones, nested ones too, just make a value."""

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
    """Run the actions, a thread each; return what each returned or raised. Who hangs is the watchdog's affair."""
    return [wait() for wait in [start(action) for action in actions]]


def settle(threads: Sequence[threading.Thread]) -> None:
    """Return when each of the threads has ended, or stands still: nothing tells that a thread waits for a lock."""
    still = 0
    before: list[Any] = []
    while still < 100:
        frames = sys._current_frames()
        now = [(id(frame), frame.f_lasti) for thread in threads if (frame := frames.get(thread.ident or 0))]
        still = still + 1 if now == before else 0
        before = now
        del frames
        # Lets the others run; how long does not matter.
        threading.Event().wait(1e-4)


def expect_one(got: Sequence[Any], at_least: int = 2, may_be_none: bool = False) -> None:
    """Raise WrongError unless all of them, but those who were told, are one value."""
    for outcome in got:
        if isinstance(outcome, BaseException):
            raise WrongError(f"raised {outcome!r}") from outcome
    if len(got) < at_least:
        raise WrongError(f"the value was touched {len(got)} times, not {at_least}: something did not run")
    handed_out = {id(outcome) for outcome in got if not isinstance(outcome, Told)}
    if len(handed_out) > 1:
        raise WrongError(f"{len(handed_out)} objects were handed out")
    # At the end of a process, whoever would provide one may be gone.
    if not handed_out and not may_be_none:
        raise WrongError("all were told, and nobody was given a value")


@contextlib.contextmanager
def handling(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Let `handler` handle a signal."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
