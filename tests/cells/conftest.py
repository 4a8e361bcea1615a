"""Fixtures of several tests of cells."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from support.overridable import CELLS


@pytest.fixture
def nothing_is_left(gilonce: ModuleType) -> Iterator[None]:
    """Check that after the test no thread or task is still registered as waiting or running."""
    yield
    assert gilonce.OnceLock
    waits = sys.modules["gilonce._cells.wait_graph"]
    assert waits._running == {}
    assert waits._waits == {}


@pytest.fixture
def no_override_is_left(gilonce: ModuleType) -> Iterator[None]:
    """Check that after the test nothing is overridden."""
    yield
    from gilonce._cells.override import _lock, _stacks

    # An interrupt just before the release, where no interpreter looks for signals, leaves it held.
    while _lock._is_owned():  # type: ignore[attr-defined]
        _lock.release()
    if _stacks:
        gc.collect()
    assert not _stacks


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest, gilonce: ModuleType) -> Any:
    """An empty cell of every kind that can be overridden."""
    return CELLS[request.param](gilonce, None)
