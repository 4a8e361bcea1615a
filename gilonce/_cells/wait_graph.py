"""The graph of threads and tasks that wait for each other, in which `OnceLock` detects deadlocks.

An `Attempt` is a running initializer. A `Wait` is a thread or task that waits for an attempt to end. Before a thread
blocks, it adds its wait to the graph and follows it: to the thread or task that runs the attempt, to the attempt that
this one waits for, and so on. If the path comes back to the start, the wait would never end.

Two threads whose initializers need each other:

1. Thread A runs `a()`, thread B runs `b()`. Both attempts are registered.
2. `a()` needs B's cell. A adds the wait "A for `b()`" and follows it: B runs `b()` and waits for nothing. A blocks.
3. `b()` needs A's cell. B adds the wait "B for `a()`" and follows it: A runs `a()` and waits for `b()`, and B runs
   `b()`. This is a cycle, so B raises `DeadlockError`, its attempt ends, and A wakes up.

Why no deadlock is missed, and none is reported that does not exist:

* A wait is added before its cycle is searched for. The last thread of a cycle to add its wait finds all the others.
* The search uses one copy of all waits, made by one atomic dict operation, so they all existed at the same moment. An
  attempt that is over stays over. An attempt that the search finds running was therefore running at that moment too.
  (If an initializer runs an event loop, it counts as waiting for everything that the tasks of the loop wait for. We
  cannot know that it does not need one of these tasks, so this can be a false positive.)

Several threads may find the same cycle. Only one of them raises: the first that writes itself into the `raising` dict
that they agree on. The others search again without the wait of that thread. If they find no other cycle they block,
because the thread that raises ends its attempt and so wakes one of them.

Nothing here is locked, so a signal handler or a finalizer may run at any point. All shared data is added, copied and
removed by single atomic dict operations.

(Rust's `OnceLock` panics or deadlocks where `OnceLock` here raises `DeadlockError`.)
"""

from __future__ import annotations

from _thread import _local, get_ident
from weakref import ref

from .callables import name_of
from .event_loops import is_closed, running_loop_of_asyncio, running_task
from .fork import in_child
from .public import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any


@public
class DeadlockError(RuntimeError):
    """Raised by `OnceLock` instead of waiting forever.

    The message names every function and every thread in the cycle. If the initializer does not catch the error, its
    cell stays empty, and the other threads in the cycle continue.

    >>> from gilonce import OnceLock
    >>> cell = OnceLock()
    >>> def needs_itself():
    ...     return cell.get_or_init(needs_itself)
    >>> cell.get_or_init(needs_itself)
    Traceback (most recent call last):
    ...
    gilonce.DeadlockError: waiting would never end: thread 'MainThread' runs needs_itself() \
and in it waits for needs_itself(). Make one of them work without the other, or use GILOnceCell, which never waits
    """


class Attempt:
    """A running initializer, and the waits for its end.

    Parameters:
        register: the dict in which a cell registers its attempts, one at a time.
        key: the key of the cell in `register`.
        initializer: the callable, for messages.
        task: the task that runs the initializer, or None if a thread does. Referenced weakly: a task whose event loop
            is gone never continues, and must not be kept alive.
        owner: an object to keep alive, because `key` may be its `id`.
    """

    __slots__ = ("initializer", "is_over", "key", "number", "owner", "register", "task", "thread", "waiting")

    def __init__(
        self, register: dict[Any, Attempt], key: Hashable, initializer: object, task: object, owner: object
    ) -> None:
        self.register = register
        self.key = key
        self.initializer = initializer
        self.task = None if task is None else ref(task)
        self.owner = owner
        self.thread = get_ident()
        self.number = _next_number()
        self.is_over = False
        self.waiting: dict[Wait, None] = {}

    def enter(self) -> Attempt:
        """Register this attempt, unless the cell has one. Return the registered attempt.

        A fork may happen at any point. `_running` is written first, so that a forked child finds there every
        registered attempt, and can end the attempts of threads that do not exist in the child.
        """
        _running[self] = None
        running = self.register.setdefault(self.key, self)
        if running is not self:
            _running.pop(self, None)
        return running

    def end(self) -> None:
        """Remove the attempt from the register and wake everything that waits for it.

        May be called twice, and for an attempt that was never registered.

        A wait may be added at the same time. It writes itself into `waiting` and then reads `is_over`; this method
        writes `is_over` and then copies `waiting`. So the wait is in the copy, or it reads that the attempt is over:
        the dict operations order the two, also without a GIL.
        """
        if self.register.get(self.key) is self:
            self.register.pop(self.key, None)
        _running.pop(self, None)
        self.is_over = True
        for wait in self.waiting.copy():
            wait.wake()
            # A second call should not wake it again: the waiting thread may have acquired its lock by then.
            self.waiting.pop(wait, None)

    def is_held_up_by(self, wait: Wait) -> bool:
        """Return whether this attempt cannot end before `wait` does.

        A thread is held up by the waits that it began after the attempt: by one that blocks the thread, or one of a
        task in an event loop that the initializer runs. A wait that began before the attempt does not hold it up. It
        was interrupted by a signal handler or a finalizer, in which the attempt runs.

        A task is held up by its own waits, and by what blocks its event loop, in whatever thread this loop runs. If
        the loop is not running, we assume that the thread which began the attempt will run it again. A task of trio
        does not tell its run, which never changes the thread.
        """
        is_above = wait.thread == self.thread and wait.number > self.number
        if self.task is None:
            return is_above
        if wait.task is not None:
            return wait.task is self.task()
        loop = _loop_of(self.task())
        return wait.loop is loop if loop is not None and loop.is_running() else is_above

    def is_abandoned(self) -> bool:
        """Return whether the attempt belongs to a task that can never continue: it or its event loop is gone."""
        if self.task is None:
            return False
        task = self.task()
        return task is None or is_closed(_loop_of(task))


class Wait:
    """A thread or task that waits for an attempt to end.

    Parameters:
        attempt: the attempt.
        task: the waiting task, or None if the whole thread waits.
        wake: called when the attempt is over, perhaps more than once, from any thread.
    """

    __slots__ = ("attempt", "loop", "number", "raising", "task", "thread", "thread_name", "wake")

    def __init__(self, attempt: Attempt, task: object, wake: Callable[[], None]) -> None:
        self.attempt = attempt
        self.task = task
        self.wake = wake
        #: The event loop of asyncio that this wait blocks: the one that runs in a waiting thread.
        self.loop = None if task is not None else running_loop_of_asyncio()
        self.thread = get_ident()
        self.thread_name = _name_of_this_thread()
        self.number = _next_number()
        #: By cycle (the ids of its waits), the wait that raises DeadlockError for it.
        self.raising: dict[frozenset[int], Wait] = {}

    def enter(self) -> bool:
        """Add this wait to the graph. Return False if the attempt is over; raise DeadlockError if it can never be."""
        if self.attempt.is_abandoned():
            self.attempt.end()
        _waits[self] = self.attempt
        self.attempt.waiting[self] = None
        if self.attempt.is_over:
            return False
        waits = _waits.copy()
        # A wait that holds up no attempt that others wait for is in no cycle. This settles the usual case quickly, in
        # which many threads wait for one attempt.
        if any([attempt.is_held_up_by(self) for attempt in set(waits.values())]):  # noqa: C419 - no generator to drop
            self._raise_in_cycle(waits)
        return True

    def _raise_in_cycle(self, waits: dict[Wait, Attempt]) -> None:
        while True:
            cycle = self._find_cycle(waits)
            if not cycle:
                return
            # All threads that find this cycle use the dict of the same wait.
            lowest = min(cycle, key=id)
            first = lowest.raising.setdefault(frozenset(map(id, cycle)), self)
            if first is self:
                raise DeadlockError(_describe(cycle))
            # `first` raises and so leaves the graph. There may be another cycle without it.
            waits.pop(first, None)

    def leave(self) -> None:
        """Remove this wait from the graph."""
        _waits.pop(self, None)
        self.attempt.waiting.pop(self, None)

    def _find_cycle(self, waits: dict[Wait, Attempt]) -> list[Wait]:
        """Return a cycle that contains this wait, as a list that begins with it, or an empty list."""
        paths = [[self]]
        seen = {self}
        while paths:
            path = paths.pop()
            attempt = path[-1].attempt
            if attempt.is_over:
                continue
            for wait in waits:
                if not attempt.is_held_up_by(wait):
                    continue
                if wait is self:
                    return path
                if wait not in seen:
                    seen.add(wait)
                    paths.append([*path, wait])
        return []


#: All attempts that run and all waits. The thread or task that runs or waits adds and removes them.
_running: dict[Attempt, None] = {}
_waits: dict[Wait, Attempt] = {}

_numbers = _local()


def _next_number() -> int:
    """Return a number that is higher than the number of everything that this thread has begun and not ended."""
    number: int = getattr(_numbers, "last", 0) + 1
    _numbers.last = number
    return number


def _name_of_this_thread() -> str:
    try:
        from threading import current_thread
    except ImportError:  # pragma: no cover - coverage has ended by then
        # A finalizer at interpreter shutdown cannot import modules any more.
        return str(get_ident())
    return current_thread().name


def _describe(cycle: list[Wait]) -> str:
    parts = []
    before = cycle[-1].attempt
    for wait in cycle:
        who = f"thread {wait.thread_name!r}"
        if wait.task is not None:
            who = f"task {_name_of_task(wait.task)!r} of {who}"
        parts.append(f"{who} runs {_call(before)} and in it waits for {_call(wait.attempt)}")
        before = wait.attempt
    return (
        f"waiting would never end: {', '.join(parts)}. "
        "Make one of them work without the other, or use GILOnceCell, which never waits"
    )


def _name_of_task(task: Any) -> Any:
    """Return the name of a task of asyncio or trio."""
    get_name = getattr(task, "get_name", None)
    return get_name() if callable(get_name) else getattr(task, "name", task)


def _call(attempt: Attempt) -> str:
    name = name_of(attempt.initializer)
    # A call that names its arguments is complete.
    return name if name.endswith((" object>", ")")) else f"{name}()"


class UnknownTask:
    """Stands for any task of a library that is neither asyncio nor trio."""


def current_task() -> Any:
    """Return the task of asyncio or trio that runs in this thread, or `UnknownTask`."""
    return running_task() or UnknownTask


def _loop_of(task: Any) -> Any:
    """Return the event loop of a task, or None if the task does not tell."""
    get_loop = getattr(task, "get_loop", None)
    return None if get_loop is None else get_loop()


def _forget_the_dead() -> None:
    """End the attempts and waits of threads and tasks that do not exist in a forked child."""
    survivor = get_ident()
    for wait in _waits.copy():
        if wait.thread != survivor or wait.task is not None:
            wait.leave()
    for attempt in _running.copy():
        if attempt.thread != survivor or attempt.task is not None:
            attempt.end()


in_child.append(_forget_the_dead)
