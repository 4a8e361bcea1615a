"""A model of `OnceLock` whose steps are atomic: how a cell that makes threads wait must look from outside."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from support.interleaving.scenario import InitializerError, Model

Step = Callable[[], bool] | None
Steps = Generator[Step, None, str]


class DeadlockError(Exception):
    """Stands for gilonce's."""


class WaitingModel(Model):
    """Two cells. The model knows which thread initializes each, and which attempt each thread waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        #: An attempt is a list with the thread that makes it; it is over when that is taken out.
        self.running: dict[str, list[str]] = {}
        self.waits: dict[str, list[str]] = {}

    def get_or_fill(self, thread: str, cell: str, make: Callable[[], Steps]) -> Steps:
        yield None
        if cell in self.values:
            return self.values[cell]
        while True:
            yield None
            attempt = self.running.setdefault(cell, [thread])
            if attempt == [thread] and cell not in self._entered_by(thread):
                return (yield from self._initialize(thread, cell, make))
            yield from self._wait(thread, attempt, cell)
            yield None
            if cell in self.values:
                return self.values[cell]

    def _entered_by(self, thread: str) -> list[str]:
        """Return the cells that the thread is initializing."""
        return self.inside.setdefault(thread, [])

    @property
    def inside(self) -> dict[str, list[str]]:
        inside: dict[str, list[str]] = self.__dict__.setdefault("entered", {})
        return inside

    def _initialize(self, thread: str, cell: str, make: Callable[[], Steps]) -> Steps:
        self._entered_by(thread).append(cell)
        failure: Exception | None = None
        value = ""
        yield None
        if cell in self.values:
            value = self.values[cell]
        else:
            try:
                value = yield from make()
            except (InitializerError, DeadlockError) as error:
                failure = error
            else:
                yield None
                value = self._publish(cell, value)
        yield None
        self._entered_by(thread).remove(cell)
        self.running.pop(cell).clear()
        if failure is not None:
            raise failure
        return value

    def _publish(self, cell: str, value: str) -> str:
        # Callers come in turns. So the cell is full only if an isolation has put its value back.
        published = self.values.setdefault(cell, value)
        if cell == "first":
            self.value = published
        return published

    def _wait(self, thread: str, attempt: list[str], cell: str) -> Generator[Step, None, None]:
        yield None
        if not attempt:
            return
        self.waits[thread] = attempt
        yield None
        if self._is_in_cycle(thread):
            del self.waits[thread]
            raise DeadlockError
        yield lambda: not attempt or cell in self.values
        del self.waits[thread]

    def _is_in_cycle(self, thread: str) -> bool:
        other = thread
        while attempt := self.waits.get(other):
            (other,) = attempt
            if other == thread:
                return True
        return False

    def _ask(self, label: str, cell: str, make: Callable[[], Steps]) -> Iterator[Any]:
        try:
            self.got = yield from self.get_or_fill(label.partition(".")[0], cell, make)
        except (InitializerError, DeadlockError) as error:
            self.got = type(error).__name__

    # The actions.

    def touch(self, label: str) -> Iterator[Any]:
        yield from self._ask(label, "first", lambda: _give(label))

    def fail(self, label: str) -> Iterator[Any]:
        yield from self._ask(label, "first", _fail)

    def set(self, label: str) -> Iterator[Any]:
        yield from self._ask(label, "first", lambda: _give(label))
        self.got = "None" if self.got == label else "AlreadySetError"

    def take(self, label: str) -> Iterator[Any]:
        yield from super().take(label)
        self.values.pop("first", None)

    def isolated(self, _: str) -> Iterator[Any]:
        yield None
        found = self.value
        self._replace(None)
        yield None
        seen = str(self.value)
        yield None
        self._replace(found)
        self.got = seen

    def _replace(self, value: str | None) -> None:
        super()._replace(value)
        self.values.pop("first", None)
        if value is not None:
            self.values["first"] = value

    def _across(self, label: str, outer: str, inner: str) -> Iterator[Any]:
        thread = label.partition(".")[0]

        def make() -> Steps:
            got = yield from self.get_or_fill(thread, inner, lambda: _give(f"base {label}"))
            return f"{label}({got})"

        yield from self._ask(label, outer, make)

    def cross_first(self, label: str) -> Iterator[Any]:
        yield from self._across(label, "first", "second")

    def cross_second(self, label: str) -> Iterator[Any]:
        yield from self._across(label, "second", "first")


def _give(value: str) -> Steps:
    return value
    yield None


def _fail() -> Steps:
    raise InitializerError
    yield None
