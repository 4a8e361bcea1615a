"""What uses the whole `__dict__` of an instance sees the values of its methods there."""

from __future__ import annotations

import copy
import json
import pickle
import types
from types import ModuleType
from typing import Any

import pytest
from support.comparison import Case, Given, Tool, importable

JSON = Tool("json")
TYPES = Tool("types")
PICKLE = Tool("pickle")

IN_DICT = "the values are in the instance's `__dict__`, with the instance"


def make_class(given: Given, *bases: type) -> Any:
    class Owner(*bases):  # type: ignore[misc]
        @given.once
        def method(self) -> list[int]:
            return [1]

        @given.once_per_args
        def per_args(self, one: int) -> list[int]:
            return [one]

    return Owner


@JSON.case(gilonce=IN_DICT + ": leave out the names with a dot")
def encoded_after_a_call(given: Given) -> None:
    """`json.dumps(vars(obj))` of an instance whose `@once` method was called."""
    owner = make_class(given)()
    owner.size = 3
    owner.method()
    assert json.dumps(vars(owner)) == '{"size": 3}'


@JSON.case(gilonce=IN_DICT + ", in a table that json does not know: leave out the names with a dot")
def encoded_after_a_call_with_arguments(given: Given) -> None:
    """`json.dumps(vars(obj))` of an instance whose `@once_per_args` method was called."""
    owner = make_class(given)()
    owner.size = 3
    owner.per_args(1)
    assert json.dumps(vars(owner)) == '{"size": 3}'


@TYPES.case(functools="a SimpleNamespace cannot be hashed")
def compared_after_a_call(given: Given) -> None:
    """`==` of two SimpleNamespaces, which compares the `__dict__`, after the same calls of `@once` methods."""
    cls = make_class(given, types.SimpleNamespace)
    one, other = cls(size=3), cls(size=3)
    assert one.method() == other.method()
    assert one == other


@TYPES.case(
    functools="a SimpleNamespace cannot be hashed",
    gilonce=IN_DICT + ", in a table, and two tables are not equal: compare the fields",
)
def compared_after_a_call_with_arguments(given: Given) -> None:
    """The same after calls of `@once_per_args` methods."""
    cls = make_class(given, types.SimpleNamespace)
    one, other = cls(size=3), cls(size=3)
    assert one.per_args(1) == other.per_args(1)
    assert one == other


@PICKLE.case(functools="the values are in a cache of the function, so a copy does not have them")
def copied(given: Given) -> None:
    """Copies and pickles of an instance have the values of its methods."""
    cls = make_class(given)
    importable(cls)
    owner = cls()
    values = owner.method(), owner.per_args(1)
    shallow = copy.copy(owner)
    assert shallow.method() is values[0]
    assert shallow.per_args(1) is values[1]
    loaded = pickle.loads(pickle.dumps(owner))
    assert loaded.method.cell.get() == values[0]
    assert loaded.per_args.cell(1).get() == values[1]


@pytest.mark.parametrize(
    "case", [*JSON.cases, *TYPES.cases, *PICKLE.cases], ids=lambda case: f"{case.tool.package}-{case}"
)
def test_an_instance_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)
