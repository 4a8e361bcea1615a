"""`OnceLock`: the cell whose initializer runs exactly once, while other callers wait.

A caller that finds the cell empty registers an attempt, with one atomic `setdefault`. If that succeeds, the caller runs
its initializer. If another attempt is registered already, the caller waits until that one is over. Then it reads the
cell again, and if the cell is still empty, it registers the next attempt. No lock is held while an initializer runs:
the registered attempt is an object in a dict.

Two threads, A and B, that find the cell empty at the same time:

1. A registers its attempt. B finds A's attempt in the register and waits.
2. A reads the cell once more (still empty), runs its initializer, publishes the value, and removes its attempt.
3. B wakes up, reads the cell and returns A's value. If A's initializer raised, the cell is empty, and B goes to step 1.

The initializer runs once because of the order in step 2. The value is published before the attempt is removed, and
every caller reads the cell after it has registered. So a caller that registers after A's attempt was removed finds A's
value.

The idea is that of Rust's `OnceLock` and pyo3's `PyOnceLock`.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock, start_new_thread
from functools import partial
from time import monotonic

from .arguments import check_initializer, explain_misuse
from .callables import name_of
from .event_loops import gate_for_task
from .public import public
from .racing import EMPTY, GILOnceCell, Nameable
from .wait_graph import Attempt, Wait, current_task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from typing import Any


class ExclusiveInit:
    """A mixin that decides which caller may fill a cell.

    In the MRO it comes before a racing cell class, which stores the value. A subclass implements
    `_run_exclusively(initializer, compute)`, which calls `compute()` as soon as this caller may fill the cell, and
    returns the value.
    """

    __slots__ = ()

    def _fill(self: Any, initializer: Callable[[], Any]) -> Any:
        return self._run_exclusively(initializer, partial(self._compute, initializer))

    def _compute(self: Any, initializer: Callable[[], Any]) -> Any:
        """Return the value. Fill the cell first, unless another caller has filled it meanwhile."""
        value = self._load()
        return GILOnceCell._fill(self, initializer) if value is EMPTY else value

    def set(self: Any, value: Any, /) -> None:
        """Publish `value` into an empty cell. If an initializer is running, wait for it first.

        Parameters:
            value: any object, including None.

        Raises:
            AlreadySetError: if the cell holds a value. The error's `.value` is the rejected object.
            DeadlockError: if waiting would never end.
            TimeoutError: if the initializer is still running after `timeout` seconds.

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

        # The message of a DeadlockError shows this name.
        give.__qualname__ = "set"

        published = self._load()
        if published is EMPTY:
            published = self._run_exclusively(give, give)
        if not is_written:
            raise self._rejection(published, value)


class WaitingInit(ExclusiveInit):
    """A mixin that runs one initializer at a time and makes the other callers wait.

    A subclass implements `_timeout()` and `_register()`. The latter returns the dict in which attempts are registered,
    the key to use there, and an object to keep alive until the attempt is over.
    """

    __slots__ = ()

    def _wake(self: Any) -> None:
        """Wake every waiter, so that it finds the value of an override while the initializer still runs."""
        register, key, _ = self._register()
        running = register.get(key)
        if running is not None:
            for wait in running.waiting.copy():
                wait.wake()

    def _begin(self: Any, initializer: object, task: object = None) -> Attempt:
        register, key, owner = self._register()
        return Attempt(register, key, initializer, task, owner)

    def _run_exclusively(self: Any, initializer: object, compute: Callable[[], Any]) -> Any:
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
                # A second time, because Ctrl-C may have interrupted the first call.
                mine.end()
            self._wait(running, started)
            value = self._load()
            if value is not EMPTY:
                return value

    async def aget_or_init(self: Any, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value. If the cell is empty, await `initializer()`, or wait for the task or thread that does.

        A task waits without blocking its event loop, which must be that of asyncio or trio. Tasks of several event
        loops, in several threads, can use one cell. If the task that initializes is cancelled, one waiting task runs
        its own initializer.

        Parameters:
            initializer: called without arguments, returns an awaitable.

        Returns:
            The published object.

        Raises:
            TypeError: if `initializer` is not callable, even when the cell is full.
            DeadlockError: if waiting would never end.
            TimeoutError: if another initializer is still running after `timeout` seconds.
            RuntimeError: if the task would have to wait, and the event loop is not that of asyncio or trio.
            BaseException: if `initializer` or its awaitable raises.

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
                pass  # a second call: the gate is open already

        timeout = self._timeout()
        wait = Wait(running, None, wake)
        try:
            try:
                # An override that came before `enter()` is seen here; one that comes after it wakes this thread.
                # Ctrl-C interrupts this in the main thread.
                if wait.enter() and self._load() is EMPTY and not gate.acquire(True, _remaining(timeout, started)):
                    raise self._too_late(timeout, running)
            finally:
                wait.leave()
        finally:
            # A second time, as in `_run_exclusively`: a wait that stays in the graph is never freed.
            wait.leave()

    async def _await(self: Any, running: Attempt, started: float, task: object) -> None:
        """Wait until `running` is over, without blocking the event loop."""
        gate = gate_for_task()
        if gate is None:
            raise RuntimeError(
                f"{self._name()} is being initialized by {name_of(running.initializer)}, and only tasks of asyncio "
                "and trio can wait for that. On another event loop use GILOnceCell, which never waits, or call "
                "get_or_init() in a thread of its own"
            )
        wait: Wait

        def wake() -> None:
            try:
                gate.open()
            except RecursionError:
                # This thread, which ran the initializer, is near its recursion limit. A new thread is not.
                start_new_thread(wake, ())
            except RuntimeError:
                # The loop is over, so the task will never run again and cannot leave by itself.
                wait.leave()

        timeout = self._timeout()
        wait = Wait(running, task, wake)
        try:
            try:
                if wait.enter() and self._load() is EMPTY:
                    is_over = await gate.wait(None if timeout is None else _remaining(timeout, started))
                    if not is_over:
                        raise self._too_late(timeout, running)
            finally:
                wait.leave()
        finally:
            wait.leave()

    def _too_late(self: Any, timeout: float, running: Attempt) -> TimeoutError:
        return TimeoutError(
            f"waited {timeout} s for {name_of(running.initializer)}, which another thread or task runs to initialize "
            f"{self._name()}. It is still running, and the cell has not changed"
        )


def _remaining(timeout: float | None, started: float) -> float:
    """Return how many seconds are left to wait, as `lock.acquire` expects them: -1 means without limit."""
    return -1 if timeout is None else max(0.0, timeout - (monotonic() - started))


def check_timeout(timeout: Any, taker: str) -> float | None:
    """Return `timeout`, or the longest that locks accept if it is longer; raise an error if it is not a duration."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"{taker}(timeout=...) takes a number of seconds or None, not {timeout!r}")
    if not timeout >= 0:
        raise ValueError(f"{taker}(timeout=...) takes a number of seconds that is not negative, not {timeout!r}")
    return min(timeout, TIMEOUT_MAX)


@public
class OnceLock(WaitingInit, Nameable, GILOnceCell):
    """A write-once cell whose initializer runs exactly once, while other callers wait for it.

    Use it for work that must not run twice, such as a migration. It has the methods of `GILOnceCell`. Threads and
    tasks wait here, so no value loses a race and there is no `discard`. There is one value per process, shared by its
    threads and event loops.

    * If the initializer raises, its caller gets the exception, and exactly one waiting caller runs its own initializer.
    * Deadlocks are detected before blocking, and raise `DeadlockError`: two cells that need each other, an initializer
      that reaches its own cell, a finalizer or signal handler that reaches the cell whose initializer it interrupted, a
      thread that would block for a task of its own event loop. (If an initializer runs an event loop, it counts as
      waiting for everything that the tasks of this loop wait for.)
    * Other waits are not seen: for the program's own locks, for the import lock, or if the initializer waits for a
      thread or another task. Limit these with `timeout`.
    * `set` waits for a running initializer. `get`, `is_set` and `take` never wait. Ctrl-C interrupts a waiting main
      thread.
    * In `aget_or_init`, tasks wait without blocking their event loop, which must be that of asyncio or trio (also
      under anyio). If the task that initializes is cancelled, one waiting task takes over.
    * A forked child forgets the initializers that other threads were running.

    Parameters:
        timeout: how many seconds one call waits, in all, for the initializers of other callers. None, the default,
            means without limit.

    Raises:
        TypeError: if `timeout` is not a number.
        ValueError: if `timeout` is negative.
        DeadlockError: from `get_or_init`, `aget_or_init` and `set`, if waiting would never end.
        TimeoutError: from the same methods, after `timeout` seconds. The cell has not changed.

    >>> migrated = OnceLock()
    >>> migrated.get_or_init(lambda: print("migrating") or "version 7")
    migrating
    'version 7'
    >>> migrated.get_or_init(lambda: print("migrating") or "version 7")
    'version 7'
    """

    __slots__ = ("_attempts", "_function", "timeout")

    @explain_misuse
    def __init__(self, *, timeout: float | None = None) -> None:
        super().__init__()
        self._function: object = None
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
        self._function = None
        super().__setstate__((None, held, attributes))
