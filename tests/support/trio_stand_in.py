"""What stands for trio in tests that run where trio is not installed: as much as gilonce asks of it.

`tests/ecosystem/test_event_loops.py` has the real trio. Here, a test runs the tasks by hand: it says which task is the
running one, and sends into its coroutine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any


class Task:
    def __init__(self, name: str) -> None:
        self.name = name


class Token:
    """What stands for one run of trio."""

    def __init__(self) -> None:
        self.is_over = False

    def run_sync_soon(self, function: Callable[[], None]) -> None:
        if self.is_over:
            raise RuntimeError("run finished")
        function()


class TooLong(BaseException):
    """A test throws this into a task whose time is over."""


class Suspended:
    def __await__(self) -> Generator[None, None, None]:
        yield


class Event:
    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        while not self._is_set:
            await Suspended()


class Trio:
    """The package, and its module `lowlevel`, in a thread in which a run is going on. `task` is the running task."""

    Event = Event

    def __init__(self) -> None:
        self.lowlevel = self
        self.task: Task | None = Task("the first")
        self.token = Token()
        self.instruments: list[Any] = []
        #: The time limits for which tasks wait.
        self.limits: list[float] = []

    def current_task(self) -> Task:
        if self.task is None:
            raise RuntimeError("must be called from async context")
        return self.task

    def current_trio_token(self) -> Token:
        return self.token

    def add_instrument(self, instrument: Any) -> None:
        self.instruments.append(instrument)

    @contextlib.contextmanager
    def move_on_after(self, seconds: float) -> Iterator[None]:
        self.limits.append(seconds)
        with contextlib.suppress(TooLong):
            yield

    def end(self) -> None:
        """End the run."""
        for instrument in self.instruments:
            instrument.after_run()
        self.task = None
        self.token.is_over = True
