"""Who waits for whom: the graph in which `OnceLock` looks for deadlocks.

An attempt is somebody's running initializer. A wait is somebody's waiting for an attempt
to be over. A wait that would close a cycle never ends, so before anybody waits, it is
entered here and followed: to whoever runs the attempt, to what that one waits for, and on.

Why no deadlock is missed, and none is seen that is not there:

* A wait is entered before its cycle is looked for. So whoever enters last, of those in a
  cycle, finds all the others entered.
* What is followed is one copy of all the waits, made by one operation of the interpreter:
  they were entered all at the same moment. An attempt, once over, stays over, so one that
  is not over when it is looked at was not over at that moment. The cycle was there.
  (An initializer in which an event loop runs counts as one that waits for whatever that
  loop's tasks wait for. That it does not care for one of them is not to be seen.)

Several may see the same cycle; the first to enter its name in the cycle's claims raises.
The others look for another cycle, without that one's wait, and if there is none they wait
on, for it lets them go on.

Nothing is locked, so a signal handler or a finalizer may come in anywhere: all that is
shared is entered, copied and dropped by single operations of a dict.
"""

from __future__ import annotations

import sys
from _thread import _local, get_ident
from weakref import ref

from ._callables import name_of
from ._fork import in_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any


class DeadlockError(RuntimeError):
    """Raised by `OnceLock` instead of waiting for what would never come.

    The message names every function and thread in the cycle. Whose initializer gets this
    error and lets it pass leaves its cell empty, and the others in the cycle go on.

    (Rust's `OnceLock` panics or deadlocks where it is entered again.)

    >>> from gilonce import OnceLock
    >>> cell = OnceLock()
    >>> def needs_itself():
    ...     return cell.get_or_init(needs_itself)
    >>> cell.get_or_init(needs_itself)
    Traceback (most recent call last):
    ...
    gilonce._waits.DeadlockError: waiting would never end: thread 'MainThread' runs needs_itself() \
and in it waits for needs_itself(). One of them must do without the other, or use GILOnceCell, where nobody waits
    """


class Attempt:
    """Somebody's running initializer, and who waits for its end.

    Parameters:
        register: the dict in which the attempts of a cell are entered, one at a time.
        key: of the cell in it.
        initializer: for messages.
        task: the task that runs it, or None if a thread does. Not kept alive, for one whose event
            loop is gone never goes on.
        owner: kept alive, for the key may be its `id`.
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
        """Return the attempt that is now under way for the cell: this one, or the one that was there.

        A fork may come in anywhere. In this order, the child finds among the running all that
        are in a register, and ends those of threads which it does not have.
        """
        _running[self] = None
        running = self.register.setdefault(self.key, self)
        if running is not self:
            _running.pop(self, None)
        return running

    def end(self) -> None:
        """Let the next one begin, and wake all who wait. Does nothing where it never began; may be called again.

        Who comes to wait meanwhile enters itself in `waiting` and then looks whether this
        is over. Either it is in the copy, or its entering comes after the copy, hence after
        `is_over`: the two operations on the dict put the rest in order, on every build.
        """
        if self.register.get(self.key) is self:
            self.register.pop(self.key, None)
        _running.pop(self, None)
        self.is_over = True
        for wait in self.waiting.copy():
            wait.wake()
            # Not again by the second call, as a rule: a lock that was opened is the waiter's by then.
            self.waiting.pop(wait, None)

    def is_held_up_by(self, wait: Wait) -> bool:
        """Return whether this can only end after `wait` does.

        What a thread began since, it has on top of this: a wait that blocks it, or a task of
        an event loop that the initializer runs. What it waited for before is under this,
        interrupted by a signal or a finalizer.

        A task is held up by what it waits for itself, and by what blocks its event loop,
        whichever thread that runs in. One that runs nowhere just now is taken for one
        that its thread would go on with.
        """
        is_above = wait.thread == self.thread and wait.number > self.number
        if self.task is None:
            return is_above
        if wait.task is not None:
            return wait.task is self.task()
        loop = _loop_of(self.task())
        return wait.loop is loop if loop is not None and loop.is_running() else is_above

    def is_abandoned(self) -> bool:
        """Return whether it is that of a task which can never go on: it is gone, or its event loop is closed."""
        if self.task is None:
            return False
        task = self.task()
        loop = _loop_of(task)
        return task is None or (loop is not None and loop.is_closed())


class Wait:
    """Somebody's waiting for an attempt.

    Parameters:
        attempt: what is waited for.
        task: who waits, or None if it is the whole thread.
        wake: called, perhaps more than once and from any thread, when the attempt is over.
    """

    __slots__ = ("attempt", "claims", "loop", "number", "task", "thread", "thread_name", "wake")

    def __init__(self, attempt: Attempt, task: object, wake: Callable[[], None]) -> None:
        self.attempt = attempt
        self.task = task
        self.wake = wake
        #: The event loop that is blocked, if a thread waits in which one runs.
        self.loop = None if task is not None else _running_loop()
        self.thread = get_ident()
        self.thread_name = _name_of_this_thread()
        self.number = _next_number()
        self.claims: dict[frozenset[int], Wait] = {}

    def enter(self) -> bool:
        """Return whether there is something to wait for; raise DeadlockError if it would never come."""
        if self.attempt.is_abandoned():
            self.attempt.end()
        _waits[self] = self.attempt
        self.attempt.waiting[self] = None
        if self.attempt.is_over:
            return False
        waits = _waits.copy()
        # Who holds up nothing that anybody waits for is in no cycle. That is most, where many wait for one.
        if any([attempt.is_held_up_by(self) for attempt in set(waits.values())]):  # noqa: C419 - no generator to drop
            self._raise_in_cycle(waits)
        return True

    def _raise_in_cycle(self, waits: dict[Wait, Attempt]) -> None:
        while True:
            cycle = self._find_cycle(waits)
            if not cycle:
                return
            # All who see this cycle ask the same claims.
            lowest = min(cycle, key=id)
            first = lowest.claims.setdefault(frozenset(map(id, cycle)), self)
            if first is self:
                raise DeadlockError(_describe(cycle))
            # That one gives up. There may be another cycle, in which it is not.
            waits.pop(first, None)

    def leave(self) -> None:
        """Take back what `enter` did."""
        _waits.pop(self, None)
        self.attempt.waiting.pop(self, None)

    def _find_cycle(self, waits: dict[Wait, Attempt]) -> list[Wait]:
        """Return those of `waits` in a cycle that this one closes, beginning with this one; none if it closes none."""
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


#: All that is under way: each is entered and dropped by who runs it, or waits.
_running: dict[Attempt, None] = {}
_waits: dict[Wait, Attempt] = {}

_numbers = _local()


def _next_number() -> int:
    """Return a number that is higher than those which this thread was given before and still uses."""
    number: int = getattr(_numbers, "last", 0) + 1
    _numbers.last = number
    return number


def _name_of_this_thread() -> str:
    try:
        from threading import current_thread
    except ImportError:  # pragma: no cover - coverage has ended by then
        # At the interpreter's end, a finalizer finds no module any more.
        return str(get_ident())
    return current_thread().name


def _describe(cycle: list[Wait]) -> str:
    parts = []
    before = cycle[-1].attempt
    for wait in cycle:
        who = f"thread {wait.thread_name!r}"
        if wait.task is not None:
            get_name = getattr(wait.task, "get_name", None)
            who = f"task {get_name() if callable(get_name) else wait.task!r} of {who}"
        parts.append(f"{who} runs {_call(before)} and in it waits for {_call(wait.attempt)}")
        before = wait.attempt
    return (
        f"waiting would never end: {', '.join(parts)}. "
        "One of them must do without the other, or use GILOnceCell, where nobody waits"
    )


def _call(attempt: Attempt) -> str:
    name = name_of(attempt.initializer)
    return name if name.startswith("<") and name.endswith(" object>") else f"{name}()"


class UnknownTask:
    """Stands for any task that is none of asyncio's."""


def current_task() -> Any:
    """Return the task of asyncio that runs in this thread, or `UnknownTask`."""
    return _ask_asyncio("current_task") or UnknownTask


def _running_loop() -> Any:
    """Return the event loop of asyncio that runs in this thread, or None."""
    return _ask_asyncio("get_running_loop")


def _ask_asyncio(name: str) -> Any:
    # Where it is not imported yet, or only in part, nothing of it runs.
    ask = getattr(sys.modules.get("asyncio"), name, None)
    if ask is None:
        return None
    try:
        return ask()
    except RuntimeError:
        # No event loop of asyncio's runs here.
        return None


def _loop_of(task: Any) -> Any:
    """Return the event loop of a task, or None if that is not to be known."""
    get_loop = getattr(task, "get_loop", None)
    return None if get_loop is None else get_loop()


def _forget_the_dead() -> None:
    """In a forked child, end what other threads and tasks were at: they are not in it."""
    survivor = get_ident()
    for wait in _waits.copy():
        if wait.thread != survivor or wait.task is not None:
            wait.leave()
    for attempt in _running.copy():
        if attempt.thread != survivor or attempt.task is not None:
            attempt.end()


in_child.append(_forget_the_dead)
