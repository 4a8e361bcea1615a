"""`OnceLock`: the cell whose initializer runs exactly once, while everybody else waits.

Who wants to fill the cell enters an attempt, by one atomic `setdefault`. The one whose
attempt is entered runs its initializer; the others wait for that attempt to be over, and
then look again: at the value, or, if there is none, who enters the next attempt. Nothing
is held while the initializer runs but the entry, which is an object in a dict, no lock.

Why the initializer runs once: an attempt is dropped after its value was published. So who
looked before, and enters its own after that, finds the value when it looks again, as all
do who have entered.
"""

from __future__ import annotations

import sys
from _thread import TIMEOUT_MAX, allocate_lock, start_new_thread
from functools import partial
from time import monotonic

from ._callables import name_of
from ._cell import EMPTY, GILOnceCell, check_initializer
from ._waits import Attempt, UnknownTask, Wait, current_task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from typing import Any


class Exclusive:
    """How to fill a place where not everybody may. Stands before a cell that races, and takes only its place."""

    __slots__ = ()

    # Of its cell it asks `_in_turn(initializer, compute)`, which lets one, or all, of those do
    # `compute()` who come while the place is empty, and returns the value.

    def _fill(self: Any, initializer: Callable[[], Any]) -> Any:
        return self._in_turn(initializer, partial(self._compute, initializer))

    def _compute(self: Any, initializer: Callable[[], Any]) -> Any:
        """Return the value, filled in by who had the turn before, or now."""
        value = self._load()
        return GILOnceCell._fill(self, initializer) if value is EMPTY else value

    def set(self: Any, value: Any, /) -> None:
        """Publish `value` into an empty cell. If it is being initialized, wait for the outcome first.

        Parameters:
            value: any object, `None` too.

        Raises:
            AlreadySetError: the cell holds a value; the rejected object is the error's `.value`.
            DeadlockError, TimeoutError: as `get_or_init` raises them.

        Rust's `OnceLock::set`.

        >>> from gilonce import OnceLock
        >>> cell = OnceLock()
        >>> cell.set("configured at start-up")
        >>> cell.get()
        'configured at start-up'
        """
        is_written = False

        def give() -> Any:
            nonlocal is_written
            published, is_written = self._publish(value)
            return published

        # For the message of a deadlock.
        give.__qualname__ = "set"

        published = self._load()
        if published is EMPTY:
            published = self._in_turn(give, give)
        if not is_written:
            raise self._rejection(published, value)


class Turns(Exclusive):
    """How to fill a cell one at a time, while the others wait."""

    __slots__ = ()

    # Of its cell it asks `_register()`, which says where attempts are entered, under which
    # key, and what to keep alive meanwhile; and `_timeout()`.

    def _begin(self: Any, initializer: object, task: object = None) -> Attempt:
        register, key, owner = self._register()
        return Attempt(register, key, initializer, task, owner)

    def _in_turn(self: Any, initializer: object, compute: Callable[[], Any]) -> Any:
        started = monotonic()
        while True:
            mine = self._begin(initializer)
            try:
                try:
                    running = mine.enter()
                    if running is mine:
                        return compute()
                finally:
                    mine.end()
            finally:
                # Again, for Ctrl-C may have come before the first was done.
                mine.end()
            self._wait(running, started)
            value = self._load()
            if value is not EMPTY:
                return value

    async def aget_or_init(self: Any, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value; if the cell is empty, await `initializer()`, or wait for the task or thread that does.

        Tasks wait without blocking their event loop, which must be asyncio's; in one loop or
        several, in one thread or several. If the task that initializes is cancelled, one of
        those who wait goes on with its own initializer.

        Parameters:
            initializer: called without arguments, returns an awaitable.

        Returns:
            The published object.

        Raises:
            TypeError: `initializer` is not callable (even when the cell is full).
            DeadlockError, TimeoutError: see `OnceLock`.
            RuntimeError: it would have to wait, and the event loop is not asyncio's.
            BaseException: whatever `initializer` or awaiting its result raised.

        After `get_or_init`, for which neither Rust nor pyo3 has an asynchronous one.

        >>> import asyncio
        >>> from gilonce import OnceLock
        >>> cell = OnceLock()
        >>> async def connect():
        ...     return "connection"
        >>> asyncio.run(cell.aget_or_init(connect))
        'connection'
        """
        check_initializer(initializer)
        value = self._load()
        if value is not EMPTY:
            return value
        started = monotonic()
        while True:
            task = current_task()
            mine = self._begin(initializer, task)
            try:
                try:
                    running = mine.enter()
                    if running is mine:
                        value = self._load()
                        if value is EMPTY:
                            value, _ = self._publish(await initializer())
                        return value
                finally:
                    mine.end()
            finally:
                mine.end()
            await self._await(running, started, task)
            value = self._load()
            if value is not EMPTY:
                return value

    def _wait(self: Any, running: Attempt, started: float) -> None:
        """Block this thread until `running` is over."""
        gate = allocate_lock()
        gate.acquire()

        def wake() -> None:
            try:  # noqa: SIM105 - contextlib would have to be imported
                gate.release()
            except RuntimeError:  # pragma: no cover - only where Ctrl-C came while waking
                pass  # it was open: woken before

        timeout = self._timeout()
        wait = Wait(running, None, wake)
        try:
            try:
                # Can be interrupted: by Ctrl-C in the main thread.
                if wait.enter() and not gate.acquire(True, _remaining(timeout, started)):
                    raise self._too_late(timeout, running)
            finally:
                wait.leave()
        finally:
            # Again, as in `_in_turn`: a wait left behind would be followed and kept for ever.
            wait.leave()

    async def _await(self: Any, running: Attempt, started: float, task: object) -> None:
        """Wait until `running` is over, without blocking the event loop."""
        asyncio = sys.modules.get("asyncio")
        if task is UnknownTask or asyncio is None:
            raise RuntimeError(
                f"{self._name()} is being initialized by {name_of(running.initializer)}, and only tasks of asyncio "
                "can wait for that: on another event loop use GILOnceCell, which never waits, or call get_or_init() "
                "in a thread of its own"
            )
        loop = asyncio.get_running_loop()
        is_over = loop.create_future()
        wait: Wait

        def finish() -> None:
            if not is_over.done():  # pragma: no branch - only where Ctrl-C came while waking
                is_over.set_result(None)

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(finish)
            except RecursionError:
                # Who ran the initializer is deep in its stack. Another thread has room.
                start_new_thread(wake, ())
            except RuntimeError:
                # The loop is closed, and so the task, if there still is one, will not take this back.
                wait.leave()

        timeout = self._timeout()
        wait = Wait(running, task, wake)
        try:
            try:
                if wait.enter():
                    # `wait`, unlike `wait_for`, has one kind of timeout on every Python.
                    await asyncio.wait([is_over], timeout=None if timeout is None else _remaining(timeout, started))
                    if not is_over.done():
                        raise self._too_late(timeout, running)
            finally:
                wait.leave()
        finally:
            wait.leave()

    def _too_late(self: Any, timeout: float, running: Attempt) -> TimeoutError:
        return TimeoutError(
            f"waited {timeout} s for {name_of(running.initializer)}, which another thread or task runs to initialize "
            f"{self._name()}. It is still running, and the cell is as it was"
        )


def _remaining(timeout: float | None, started: float) -> float:
    """Return how long to wait yet, as locks take it: -1 is for ever."""
    return -1 if timeout is None else max(0.0, timeout - (monotonic() - started))


def check_timeout(timeout: Any, taker: str) -> float | None:
    """Return `timeout` as locks can take it."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{taker}(timeout=...) takes a number of seconds or None, not {timeout!r}")
    if not timeout >= 0:
        raise ValueError(f"{taker}(timeout=...) takes a number of seconds that is not negative, not {timeout!r}")
    return min(timeout, TIMEOUT_MAX)


class OnceLock(Turns, GILOnceCell):
    """A write-once cell whose initializer runs exactly once: all who come meanwhile wait for it.

    For what must not run twice, such as a migration. It has the methods of `GILOnceCell`,
    and its laws except two: threads and tasks do wait here, and so nothing loses and
    there is no `discard`. A cell is a value per process, shared between threads and event loops.

    * If the initializer raises, the exception goes to its own caller, and exactly one of
      those who wait goes on with its own initializer.
    * Waiting that would never end is found before it begins, and raises `DeadlockError`:
      two cells that need each other, an initializer that reaches its own cell, a
      finalizer or a signal handler that reaches the cell which it interrupted, a thread
      that would block for a task of its own event loop. (An initializer that runs an event
      loop counts as one that waits for whatever the tasks in it wait for.)
    * What cannot be seen (a lock of somebody else's, the import lock, a thread or another
      task that the initializer itself waits for) is what `timeout` is for.
    * `set` waits for the outcome of an initializer that is running; `get`, `is_set` and
      `take` never wait. Ctrl-C interrupts a main thread that waits.
    * Tasks wait in `aget_or_init` without blocking their event loop, which must be
      asyncio's. One that is cancelled passes the work on to another that waits.
    * In a forked child, an initializer that another thread ran is forgotten.

    Parameters:
        timeout: how many seconds a caller waits, in all, for others' initializers; `None` is for ever.

    Raises:
        TypeError: `timeout` is no number.
        ValueError: `timeout` is negative.
        DeadlockError: at `get_or_init`, `aget_or_init` and `set`, instead of waiting for ever.
        TimeoutError: there, after `timeout` seconds. The cell is as it was.

    The idea is Rust's `OnceLock`, and pyo3's `PyOnceLock`.

    >>> migrated = OnceLock()
    >>> migrated.get_or_init(lambda: print("migrating") or "version 7")
    migrating
    'version 7'
    >>> migrated.get_or_init(lambda: print("migrating") or "version 7")
    'version 7'
    """

    __slots__ = ("_attempts", "timeout")

    def __init__(self, *, timeout: float | None = None) -> None:
        super().__init__()
        self.timeout = check_timeout(timeout, type(self).__name__)
        self._attempts: dict[Any, Attempt] = {}

    def _register(self) -> tuple[dict[Any, Attempt], Hashable, object]:
        return self._attempts, "attempt", self

    def _timeout(self) -> float | None:
        return self.timeout

    def _state(self) -> tuple[Any, ...]:
        _, held, attributes = super()._state()
        return self.timeout, held, attributes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.timeout, held, attributes = state
        self._attempts = {}
        super().__setstate__((None, held, attributes))
