"""The graph of who waits for whom, at moments that threads come to by luck only: entered here by hand."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest


@pytest.mark.parametrize("earlier", [0, 1])
def test_of_two_that_see_a_cycle_at_once_the_earlier_raises(gilonce: ModuleType, earlier: int) -> None:
    """Whichever that is; the other may wait, for the first lets it go on."""
    assert gilonce.OnceLock
    waits = sys.modules["gilonce._waits"]

    def of_thread(thread: int, it: Any) -> Any:
        it.thread = thread
        return it

    register: dict[int, Any] = {}
    attempts = [of_thread(thread, waits.Attempt(register, thread, int, None, None)) for thread in (-1, -2)]
    # Each thread waits for what the other one runs; and looks, before the other has raised.
    both = [of_thread(thread, waits.Wait(attempts[thread + 2], None, lambda: None)) for thread in (-1, -2)]
    entered = {wait: wait.attempt for wait in both}
    with pytest.raises(gilonce.DeadlockError):
        both[earlier]._raise_in_cycle(entered.copy())
    both[1 - earlier]._raise_in_cycle(entered.copy())
