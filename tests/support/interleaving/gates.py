"""Waiting in an exploration of interleavings: gates replace the locks on which `OnceLock` makes threads wait.

The thread that makes such a lock closes it, then waits until another thread opens it. So it is a gate for one thread. A
thread at a closed gate is not chosen to run until the gate is opened. If no thread can be chosen and some are not done,
the cell has missed a deadlock, and the exploration fails.

Opening a gate and passing it are turns that depend on each other. A gate is always opened before it is passed, so the
explorer does not try those two turns in the other order; see `Order`.
"""

from __future__ import annotations

from typing import Any

from frontrun._cooperative import get_context
from frontrun._deadlock import SchedulerAbort


class Stuck(Exception):  # noqa: N818 - it is a state
    """Nobody can go on."""


class Gates:
    """Makes gates; given in place of `allocate_lock`.

    Parameters:
        observer: decides which thread runs next; see `explorer.AccessObserver`.
    """

    def __init__(self, observer: Any) -> None:
        self._observer = observer
        #: Whether anybody was stuck, as a message.
        self.stuck = ""

    def __call__(self) -> Gate:
        return Gate(self)

    def take_turn(self, gate: Gate, *, is_passing: bool) -> Any:
        """Begin a turn of the calling thread that is about `gate`; return what notes the turns, and None at the end."""
        context = get_context()
        if context is None:
            return None
        scheduler, thread = context
        if is_passing and not gate.is_open:
            gate.waiter = thread
            with scheduler._engine_lock:
                scheduler.execution.block_thread(thread)
        if not self._observer.wait_for_turn(scheduler, thread):
            if isinstance(scheduler._error, Stuck):
                self.stuck = self.stuck or str(scheduler._error)
            raise SchedulerAbort("the run is off")
        with scheduler._engine_lock:
            scheduler.engine.report_access(scheduler.execution, thread, hash(gate.number), "write")
            if is_passing:
                scheduler.engine.report_enabled(gate.opened_at)
            elif not gate.is_open:
                gate.opened_at = scheduler.engine.path_position - 1
                if gate.waiter is not None:
                    scheduler.execution.unblock_thread(gate.waiter)
        return scheduler

    def number(self, gate: Gate) -> Any:
        """Return a number that the gate has in every run."""
        context = get_context()
        return self._observer.number(gate, -2 if context is None else context[1])


class Gate:
    """A lock that one thread acquires twice, the second time when another has released it."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.is_open = True
        self.waiter: int | None = None
        self.opened_at = -1
        self.number = gates.number(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        assert blocking, "no thread only looks whether a gate is open"
        assert timeout == -1, "time has no place among interleavings"
        if self.is_open:
            # By its maker: no other thread knows it yet.
            self.is_open = False
            return True
        self._gates.take_turn(self, is_passing=True)
        assert self.is_open
        # Ending an attempt twice opens the gate again. Then it wakes no thread.
        self.is_open, self.waiter = False, None
        return True

    def release(self) -> None:
        self._gates.take_turn(self, is_passing=False)
        if self.is_open:
            raise RuntimeError("release unlocked lock")
        self.is_open = True
