"""The tables of `once_per_args` in Python: what is seen between two steps of another thread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from support import activate


@pytest.fixture
def python() -> Iterator[ModuleType]:
    with activate("python") as package:
        yield package


@pytest.mark.parametrize("cell", ["GILOnceCell", "OnceLock", "ThreadOnceCell"])
def test_a_value_without_a_pin_is_found(python: ModuleType, cell: str) -> None:
    """Two threads that note one change each may remove a pin and set it again, while one of them uses the node."""
    get = python.once_per_args(lambda key: [key], cell=getattr(python, cell))
    table = getattr(get, "_gilonce", get)._table
    values = [get(key) for key in range(3)]
    used = get.cell(1)
    del table.pins[id(used)]
    assert used.get() is values[1]
    assert get.take_all() == [values[0], values[2], values[1]]
    assert get.take_all() == []
    assert not used.is_set()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_has_a_value_without_a_pin(python: ModuleType, duplicate: Callable[[Any], Any]) -> None:
    class Owner:
        @python.once_per_args
        def method(self, key: int) -> list[int]:
            return [key]

    owner = Owner()
    value = owner.method(1)
    used = owner.method.cell(1)
    table = owner.method.__func__._definition.table_of(owner)
    del table.pins[id(used)]
    copied = duplicate(owner)
    assert copied.method.cell(1).get() == value
