"""`OnceLock` and a fork at any moment: in the child nobody waits for who is not there."""

from __future__ import annotations

import itertools
import sys
import threading
from types import FrameType, ModuleType
from typing import Any

from forks import in_child, needs_fork
from support import WATCHDOG

#: PyPy has no events for opcodes; there, every line has to do.
EVENT = "opcode" if hasattr(FrameType, "f_trace_opcodes") else "line"


class Stops:
    """Stops a thread before a bytecode of gilonce's, by its number, until it is let go on."""

    def __init__(self, position: int) -> None:
        self.seen = 0
        self.has_stopped, self.go_on = threading.Event(), threading.Event()
        self._position = position

    def run(self, action: Any) -> None:
        if EVENT == "opcode":
            sys._getframe().f_trace_opcodes = True  # wanted by Python 3.12 before tracing begins
        sys.settrace(self._trace)
        try:
            action()
        finally:
            sys.settrace(None)
            self.has_stopped.set()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if "gilonce" not in frame.f_code.co_filename:
            return None
        if EVENT == "opcode":
            frame.f_trace_opcodes = True
        if event == EVENT:
            self.seen += 1
            if self.seen == self._position:
                self.has_stopped.set()
                assert self.go_on.wait(WATCHDOG)
        return self._trace


@needs_fork
def test_a_fork_before_any_bytecode_of_another_thread_leaves_nobody_to_wait_for(gilonce: ModuleType) -> None:
    """From before an attempt to its end: in the child, the next caller runs its own initializer, or has a value."""
    for position in itertools.count(1):
        cell = gilonce.OnceLock(timeout=WATCHDOG)
        stops = Stops(position)
        thread = threading.Thread(target=stops.run, args=(lambda cell=cell: cell.get_or_init(lambda: "parent"),))
        thread.start()
        assert stops.has_stopped.wait(WATCHDOG)
        if stops.seen == position:

            def work(cell: Any = cell) -> Any:
                return cell.get_or_init(lambda: "child"), len(sys.modules["gilonce._waits"]._running)

            assert in_child(work) in ("('child', 0)", "('parent', 0)")
        stops.go_on.set()
        thread.join(WATCHDOG)
        assert cell.get() == "parent"
        if stops.seen < position:
            break
    assert position > 20
