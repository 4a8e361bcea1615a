"""`cell=` on lazy globals."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
from support import run_threads
from support.cells import CELLS, Make


def test_a_lazy_global_is_reified_only_if_its_cell_is_final(gilonce: ModuleType, make: Make) -> None:
    """Else every use asks the cell."""
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": make}
    exec("IT = lazy_global(list, cell=make)", namespace)
    proxy = namespace["IT"]
    proxy.append(1)
    assert (type(namespace["IT"]) is list) == make().final
    assert namespace["IT"] == [1]
    assert proxy._self_cell.get() == [1]
    assert type(proxy._self_cell) is type(make())


@pytest.mark.parametrize("kind", ["ThreadOnceCell", "ProcessOnceCell"])
def test_a_proxy_that_asks_does_everything_as_the_real_object(gilonce: ModuleType, kind: str) -> None:
    """It is one of wrapt's, too, with the same special methods added."""
    make = CELLS[kind](gilonce)
    numbers = gilonce.lazy_global(lambda: [3, 1, 2], cell=make)
    assert repr(numbers).startswith("<lazy_global: ")
    assert not numbers._self_cell.is_set()
    assert sorted(numbers) == [1, 2, 3]
    assert isinstance(numbers, list)
    assert (len(numbers), 3 in numbers, numbers[0], numbers * 2, numbers == [3, 1, 2], repr(numbers)) == (
        3,
        True,
        3,
        [3, 1, 2, 3, 1, 2],
        True,
        "[3, 1, 2]",
    )
    extended = numbers
    extended += [5]
    assert extended is numbers.__wrapped__
    assert copy.copy(numbers) == numbers
    assert pickle.loads(pickle.dumps(numbers)) == [3, 1, 2, 5]
    assert gilonce.lazy_global(lambda: lambda x: x + 1, cell=make)(1) == 2
    assert callable(gilonce.lazy_global(int, cell=make)) is False
    assert callable(gilonce.lazy_global(lambda: 3, cell=make, interface=int)) is False
    with gilonce.lazy_global(lambda: contextlib.nullcontext(3), cell=make) as entered:
        assert entered == 3
    with pytest.raises(RuntimeError, match="of a lazy_global raised AttributeError"):
        len(gilonce.lazy_global(lambda: None.nothing, cell=make))
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        iter(gilonce.lazy_global(lambda: 3, cell=make))


@pytest.mark.parametrize("kind", [*CELLS])
def test_a_proxy_is_iterable_only_where_the_real_object_is(gilonce: ModuleType, kind: str) -> None:
    """Whatever kind of cell it asks: to have a `__getitem__` for those that do does not count."""

    class Plain:
        pass

    it = gilonce.lazy_global(Plain, cell=CELLS[kind](gilonce), reify=False)
    assert not isinstance(it, Iterable)
    with pytest.raises(TypeError, match="object is not iterable"):
        iter(it)
    with pytest.raises(TypeError, match="object is not iterable"):
        list(it)
    assert list(gilonce.lazy_global(lambda: [1, 2], cell=CELLS[kind](gilonce), reify=False)) == [1, 2]


def test_a_proxy_that_asks_gives_each_thread_its_own(gilonce: ModuleType) -> None:
    """Also after it was touched."""
    it = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)
    it.append("main")
    assert run_threads(lambda: [it == [], it.append("other"), list(it)]) == [[True, None, ["other"]]]
    assert it == ["main"]


def test_a_lazy_global_may_be_emptied_where_its_cell_is_not_final(gilonce: ModuleType) -> None:
    """The proxy keeps nothing."""
    it = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)
    it.append(1)
    assert it._self_cell.take() == [1]
    assert it == []


def test_no_object_can_be_assigned_to_a_proxy_that_asks_its_cell(gilonce: ModuleType) -> None:
    """It stands for another object in each thread."""
    proxy = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)
    with pytest.raises(AttributeError):
        proxy.__wrapped__ = ["another"]
    assert proxy == []
