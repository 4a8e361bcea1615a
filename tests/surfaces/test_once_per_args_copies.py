"""`once_per_args`: copies and pickles of instances, functions and methods."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from support import drive
from support.keys import move_dict, settle
from support.surfaces import Key

COPYING: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
}


class Copied:
    """Found by name, as pickle must."""

    method: Any


@pytest.fixture
def copied_class(gilonce: ModuleType) -> Iterator[Any]:
    def method(self: Any, x: Any) -> Any:
        return [x]

    method.__qualname__ = "Copied.method"
    Copied.method = gilonce.once_per_args(method)
    Copied.method.__set_name__(Copied, "method")
    yield Copied
    del Copied.method


@pytest.mark.parametrize("how", COPYING)
def test_a_copy_takes_the_values_along_and_shares_nothing(copied_class: Any, how: str) -> None:
    """It is detached when it is first used."""
    one = copied_class()
    value = one.method(1)
    one.method(Key(2))
    copied = COPYING[how](one)
    assert copied.method(1) == value
    assert (copied.method(1) is value) == (how == "copy")
    if how == "copy":
        assert copied.method(Key(2)) is one.method(Key(2))
    new = copied.method(3)
    assert one.method(3) is not new
    copied.method.take_all()
    assert one.method(1) is value
    again = COPYING[how](COPYING[how](one))
    assert again.method(1) == value
    # What the original gains after the copy was made, the copy may have.
    assert copied.method(1) is not value


def test_whose_a_table_is_does_not_depend_on_an_id(gilonce: ModuleType) -> None:
    """The `id` of a dead original may be that of the copy's own copy."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

    for _ in range(50):
        one = Owner()
        one.method(1)
        copies = [copy.copy(one) for _ in range(3)]
        del one
        copies += [copy.copy(copies[0]) for _ in range(3)]
        values = [copied.method(2) for copied in copies]
        assert len(set(map(id, values))) == len(copies)


def test_a_copy_whose_dict_is_where_the_originals_was_has_its_own_table(gilonce: ModuleType) -> None:
    """The original is alive, and has a new `__dict__`. It keeps its table."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

    for _ in range(20):
        one = Owner()
        one.__dict__ = {}
        cell = one.method.cell(1)
        copied = copy.copy(one)
        move_dict(one, copied)
        assert one.method.cell(1) is cell
        assert copied.method(1) is not one.method(1)
        assert cell.get() is one.method(1)


def test_a_table_whose_owner_is_gone_is_nobodys(gilonce: ModuleType) -> None:
    """A copy that has it then makes a table of its own."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return [x]

    one = Owner()
    value = one.method(1)
    copied = copy.copy(one)
    ((name, table),) = vars(copied).items()
    del one
    settle()
    assert copied.method(1) is value
    assert vars(copied)[name] is not table


def module_function(x: int) -> Any:
    """Found by name."""
    return [x]


@pytest.fixture
def pickled_function(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    decorated = gilonce.once_per_args(module_function)
    monkeypatch.setattr(sys.modules[__name__], "module_function", decorated)
    return decorated


def test_it_is_pickled_by_its_name(pickled_function: Any, copied_class: Any) -> None:
    """The other process has its own values."""
    assert pickle.loads(pickle.dumps(pickled_function)) is pickled_function
    bound = copied_class().method
    bound(1)
    again = pickle.loads(pickle.dumps(bound))
    assert again(1) == [1]
    assert again.__self__ is not bound.__self__


def test_what_is_not_a_function_is_copied_as_a_function_is(gilonce: ModuleType) -> None:
    """The copy is it."""
    for function in (functools.partial(int), int):
        decorated = gilonce.once_per_args(function)
        assert copy.copy(decorated) is decorated is copy.deepcopy(decorated)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(gilonce.once_per_args(int))


@pytest.mark.parametrize("cell", ["GILOnceCell", "OnceLock", "ProcessOnceCell"])
def test_a_method_with_cell_copies_and_pickles(gilonce: ModuleType, cell: str) -> None:
    """Values are taken along where they are for everyone. So are they by an async method's."""

    class Owner:
        @gilonce.once_per_args(cell=getattr(gilonce, cell))
        def method(self, x: int) -> Any:
            return [x]

        @gilonce.once_per_args(cell=getattr(gilonce, cell))
        async def amethod(self, x: int) -> Any:
            return [x]

    owner = Owner()
    value = owner.method(1)
    drive(owner.amethod(1))
    assert drive(owner.amethod(1)) is owner.amethod.cell(1).get()
    copied = copy.deepcopy(owner)
    assert copied.method.cell(1).is_set() == (cell != "ProcessOnceCell")
    assert copied.method(1) == value
    assert copied.method(1) is not value
    assert type(copy.copy(owner.method.cell(1))).__name__ == cell
