"""How much memory the native core needs, for cells, functions and instances."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import IMPLEMENTATIONS

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


def test_a_cell_is_small(native: ModuleType) -> None:
    assert sys.getsizeof(native.GILOnceCell()) <= 64


def test_a_once_function_costs_little_beyond_the_function(native: ModuleType) -> None:
    """At most 250 bytes, with its cell and all."""
    import tracemalloc

    functions = [lambda: None for _ in range(1000)]
    kept = [None] * 1000
    native.once(functions[0])
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index, function in enumerate(functions):
        kept[index] = native.once(function)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / 1000 <= 250


def test_a_function_that_is_decorated_is_given_no_dict(native: ModuleType) -> None:
    """One that has no attributes has no `__dict__` either, until somebody asks for it."""

    def function() -> None: ...

    before = gc.get_referents(function)
    native.once(function)
    assert gc.get_referents(function) == before
    assert vars(function) == {}
    assert gc.get_referents(function) != before


def test_a_call_with_anything_unusual_leaves_no_memory_behind(native: ModuleType) -> None:
    """What Python is asked instead is given the arguments in an array made for that."""
    cell = native.GILOnceCell()
    cell.get(default=1)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        cell.get(default=1)
    assert sys.getallocatedblocks() - before < 500


def memory_of_reads(cls: Any, touch: Callable[[Any], object]) -> int:
    """Return how many bytes a thousand instances take on when each is touched once."""
    import tracemalloc

    for _ in range(100):
        touch(cls())
    owners = [cls() for _ in range(1000)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for owner in owners:
        touch(owner)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


@pytest.mark.skipif(not GIL or sys.version_info < (3, 11), reason="attributes are kept inline from 3.11 on, with a GIL")
def test_an_instance_pays_for_the_entry_of_a_method_only(native: ModuleType) -> None:
    """A call makes no dict where the interpreter keeps attributes inline."""

    class Owner:
        @native.once
        def method(self) -> None:
            """Return the value."""

    assert memory_of_reads(Owner, lambda owner: owner.method()) < 40 * 1000  # a dict alone takes 64 bytes


def test_an_instance_pays_for_an_attribute_as_with_cached_property(native: ModuleType) -> None:
    """A first read makes the instance's dict, if it is not there yet, and adds one entry. Nothing else is kept."""

    class Ours:
        @native.once_property
        def attribute(self) -> None:
            """Return the value."""

    class Theirs:
        @functools.cached_property
        def attribute(self) -> None:
            """Return the value."""

    def touch(owner: Any) -> None:
        owner.attribute

    assert memory_of_reads(Ours, touch) <= memory_of_reads(Theirs, touch) + 1000
