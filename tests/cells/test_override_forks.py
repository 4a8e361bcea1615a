"""Overrides in a forked child."""

from __future__ import annotations

import importlib
import threading
from types import ModuleType
from typing import Any

from support import WATCHDOG
from support.forks import in_child, needs_fork


@needs_fork
def test_a_child_does_not_wait_for_a_step_of_a_thread_that_is_gone(gilonce: ModuleType) -> None:
    """Without a GIL and on PyPy, a lock makes the steps atomic. The fork may fall into one of another thread."""
    override: Any = importlib.import_module("gilonce._cells.override")
    cell = gilonce.GILOnceCell()
    is_held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with override._lock:
            is_held.set()
            assert go_on.wait(WATCHDOG)

    def use() -> list[Any]:
        with cell.override("fake"):
            seen = [cell.get()]
        return [*seen, cell.is_set()]

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(WATCHDOG)
    assert in_child(use) == "['fake', False]"
    go_on.set()
    thread.join(WATCHDOG)
    assert use() == ["fake", False]
