"""`OnceLock` and a fork at any moment: in the child, no thread waits for a thread that is gone."""

from __future__ import annotations

import itertools
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG
from support.bytecodes import AtBytecode, files_of
from support.forks import in_child, needs_fork


def fork_before(position: int, gilonce: Any) -> bool:
    """Fork while another thread stands before that bytecode of an attempt; return whether it came so far."""
    cell = gilonce.OnceLock(timeout=WATCHDOG)
    has_stopped, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        has_stopped.set()
        assert go_on.wait(WATCHDOG)

    stops = AtBytecode(position, stop, (files_of(gilonce),))

    def initialize() -> None:
        try:
            stops.run(lambda: cell.get_or_init(lambda: "parent"))
        finally:
            has_stopped.set()

    def work_in_child() -> Any:
        return cell.get_or_init(lambda: "child"), len(sys.modules["gilonce._cells.wait_graph"]._running)

    thread = threading.Thread(target=initialize)
    thread.start()
    assert has_stopped.wait(WATCHDOG)
    if stops.has_acted:
        assert in_child(work_in_child) in ("('child', 0)", "('parent', 0)")
    go_on.set()
    thread.join(WATCHDOG)
    assert cell.get() == "parent"
    return stops.has_acted


@needs_fork
@pytest.mark.slow
def test_a_fork_before_any_bytecode_of_another_thread_leaves_nobody_to_wait_for(gilonce: ModuleType) -> None:
    """From before an attempt to its end: in the child, the next caller runs its own initializer, or has a value."""
    positions = itertools.takewhile(lambda position: fork_before(position, gilonce), itertools.count(1))
    assert sum(1 for _ in positions) >= 20
