"""Do something before a chosen bytecode of an action, so that a test can try every bytecode in turn."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any

from support import FACTOR

#: PyPy has no events for opcodes; there, every line has to do.
EVENT = "opcode" if hasattr(FrameType, "f_trace_opcodes") else "line"


def positions() -> Iterator[int]:
    """Yield the numbers of the bytecodes to try: all of them, or some in a search that is shorter."""
    return itertools.count(1, max(1, round(1 / FACTOR)))


class AtBytecode:
    """Calls `act` before the bytecode with that number, counted over everything that the action runs.

    Parameters:
        position: of the bytecode; the first is 1.
        act: called before that bytecode. Later bytecodes are not counted.
        files: prefixes of the files whose bytecodes count.
    """

    def __init__(self, position: int, act: Callable[[], object], files: tuple[str, ...] = ("",)) -> None:
        #: How many there were, up to that one.
        self.seen = 0
        self._position = position
        self._act = act
        self._files = files

    @property
    def has_acted(self) -> bool:
        return self.seen >= self._position

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self._files):
            return None
        if EVENT == "opcode":
            frame.f_trace_opcodes = True
        return self._trace_frame

    def _trace_frame(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == EVENT:
            self.seen += 1
            if self.seen == self._position:
                sys.settrace(None)
                self._act()
        elif event == "line":
            # Python 3.13 forgets what was asked for when the frame began, if its code was never traced before.
            frame.f_trace_opcodes = True
        return self._trace_frame

    def run(self, action: Callable[[], Any]) -> Any:
        # Python 3.12 sends opcode events only if a frame has asked for them before tracing begins.
        if EVENT == "opcode":
            sys._getframe().f_trace_opcodes = True
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return action()
        finally:
            sys.settrace(before)


def files_of(package: ModuleType) -> str:
    """Return what the names of the package's files begin with."""
    return os.path.dirname(str(package.__file__)) + os.sep
