"""What a scenario of `tests/hangs.py` is, and what the scenarios have in common.

A scenario is a function that is given a tool, and comes to its end or hangs. The first line of its docstring is its
row in the table. In each of them it is wrong

* to hand out two objects: all who touch the value get one, and so does who touches it afterwards;
* to raise what the initializer did not raise, or to lose, or to keep for a later call, what it did;
* to end the process.

What else is wrong in a scenario its docstring says. That the initializer runs twice is not wrong.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .tools import Tool


class WrongError(Exception):
    """The tool went on, and broke a law."""


class HangsError(Exception):
    """The tool hangs in another process, whose own watchdog has seen it."""


class CannotError(Exception):
    """The scenario cannot be played on this interpreter or system: says why."""


class Scenario(NamedTuple):
    """One way to hang.

    Parameters:
        run: plays it with a tool.
        form: the name of the form of the tool that it needs.
        is_alone: whether it ends with the process, and says itself, by `report`, that all went well.
    """

    run: Callable[[Tool], None]
    form: str
    is_alone: bool

    @property
    def room(self) -> str:
        return self.run.__module__.rpartition(".")[2]

    @property
    def title(self) -> str:
        return (self.run.__doc__ or "").partition("\n")[0].rstrip(".")


#: Every scenario, by its name.
SCENARIOS: dict[str, Scenario] = {}


def scenario(*, form: str = "make", is_alone: bool = False) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def enter(run: Callable[[Any], None]) -> Callable[[Any], None]:
        SCENARIOS[run.__name__] = Scenario(run, form, is_alone)
        return run

    return enter


#: How many seconds may pass until it counts as hanging; `hangs.py` sets it.
limit = 4.0


def go_on() -> None:
    """Let the watchdog begin anew: what it watches is a step of many."""
    faulthandler.dump_traceback_later(limit, exit=True)


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


def start(action: Callable[[], Any]) -> Callable[[], Any]:
    """Run the action in a thread; return what waits for its end and gives what it returned or raised."""
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(outcome_of(action)), daemon=True)
    thread.start()

    def wait() -> Any:
        thread.join()
        return outcomes[0]

    return wait


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions, a thread each; return what each returned or raised. Who hangs is the watchdog's affair."""
    return [wait() for wait in [start(action) for action in actions]]


def expect_one(got: Sequence[Any], at_least: int = 2) -> None:
    """Raise WrongError unless all of them are one value."""
    for outcome in got:
        if isinstance(outcome, BaseException):
            raise WrongError(f"raised {outcome!r}") from outcome
    if len(got) < at_least:
        raise WrongError(f"the value was touched {len(got)} times, not {at_least}: something did not run")
    if len({id(outcome) for outcome in got}) != 1:
        raise WrongError(f"{len({id(outcome) for outcome in got})} objects were handed out")


@contextlib.contextmanager
def handling(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Let `handler` handle a signal."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
