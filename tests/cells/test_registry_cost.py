"""What the registry costs, and that what registers late is isolated all the same."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

CPYTHON = sys.implementation.name == "cpython"
COUNT = 2000


def memory_of(objects: list[Any], use: Callable[[Any], object]) -> float:
    """Return how many bytes one use of each object leaves behind."""
    import tracemalloc  # PyPy has none

    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for it in objects:
            use(it)
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / len(objects)
    finally:
        tracemalloc.stop()


def fill(cell: Any) -> None:
    cell.set(None)


@pytest.mark.skipif(not CPYTHON, reason="PyPy cannot trace memory")
def test_to_register_costs_at_most_100_bytes(gilonce: ModuleType) -> None:
    """The first value of a decorated function, beyond that of a cell that nothing covers.

    Without a GIL a weak reference is larger, and it is a few bytes more.
    """
    limit = 100 if getattr(sys, "_is_gil_enabled", lambda: True)() else 110
    registered = memory_of([gilonce.once(lambda: None).cell for _ in range(COUNT)], fill)
    assert registered - memory_of([gilonce.GILOnceCell() for _ in range(COUNT)], fill) <= limit


def test_to_decorate_and_to_read_does_not_touch_the_registry(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So neither costs anything. What has no value is not registered."""
    registry = importlib.import_module("gilonce._cells.registry")
    # So that no dead references are removed meanwhile.
    monkeypatch.setattr(registry, "_limits", [10**9])

    class Owner:
        attribute = gilonce.once_property(classmethod(lambda cls: []))

    function = gilonce.once(lambda: None)
    kept = function, Owner, gilonce.lazy_global(list, reify=False)
    before = len(registry._registered)
    again = gilonce.once(lambda: None), gilonce.lazy_global(list, reify=False)
    assert len(registry._registered) == before
    function()
    assert len(registry._registered) == before + 1
    for _ in range(3):
        function()
    assert len(registry._registered) == before + 1
    assert len(kept) + len(again) == 5


def test_what_is_decorated_inside_an_isolation_is_covered(gilonce: ModuleType) -> None:
    """It registers with its first value, so the isolation finds it when it ends. What has none need not be found."""
    testing = importlib.import_module("gilonce.testing")
    discarded: list[str] = []

    with testing.isolated():

        class Owner:
            @gilonce.once_property(discard=discarded.append)
            @classmethod
            def attribute(cls) -> str:
                return "attribute"

            @gilonce.once(discard=discarded.append)
            @staticmethod
            def static() -> str:
                return "static"

            @gilonce.once_per_args(discard=discarded.append)
            @classmethod
            def keyed(cls, key: str) -> str:
                return key

        @gilonce.once(discard=discarded.append)
        def function() -> str:
            return "function"

        @gilonce.once_per_args(discard=discarded.append)
        def per_args(key: str) -> str:
            return key

        proxy = gilonce.lazy_global(lambda: "global", reify=False, discard=discarded.append)
        made = [function(), per_args("one"), Owner.attribute, str(proxy), Owner.static(), Owner.keyed("two")]
        made += [per_args("three")]
        unused = gilonce.once(lambda: "unused", discard=discarded.append)

    assert discarded == made[::-1]
    assert not function.cell.is_set()
    assert per_args.take_all() == Owner.keyed.take_all() == []
    assert not gilonce.cell_of(Owner, "attribute").is_set()
    assert unused() == "unused"
