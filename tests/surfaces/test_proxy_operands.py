"""lazy_global: operations on a proxy give what they give on the object, and own the object while user code runs."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import pytest


class Integer(int):
    """Its operations are not those of int."""

    def __neg__(self) -> str:  # type: ignore[override]
        return "negated"

    def __radd__(self, other: object) -> str:  # type: ignore[override]
        return "added"

    def __bool__(self) -> bool:
        return False


class Sized(list[int]):
    """Its length and its items are not those of list."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: Any) -> Any:
        return "item", index


#: Objects whose operations the native core calls directly, their neighbours, and objects of classes derived from these.
OPERANDS = [
    *(0, 3, -(10**30), True, 0.0, 2.5, float("nan"), 1j, None),
    *("", "text", b"text", [], [1, 2], (), (1, 2), {}, {1: 2}),
    *(Integer(4), Sized([1])),
]
UNARY: list[Callable[[Any], Any]] = [
    *(operator.neg, operator.pos, operator.abs, operator.invert, operator.not_, len, hash),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    *(operator.add, operator.sub, operator.mul, operator.and_),
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
]


#: Here only the first operand may be a proxy: containers look at the type of the second one.
ITEMS: list[Callable[[Any, Any], Any]] = [operator.getitem, operator.contains]


def outcome(operate: Callable[..., Any], *operands: Any) -> Any:
    """Return the result in a form that compares: what it shows and its type, or the type of the exception."""
    try:
        result = operate(*operands)
    except Exception as error:
        return type(error)
    return repr(result), type(result)


@pytest.mark.parametrize("operate", UNARY, ids=lambda it: it.__name__)
def test_an_operation_with_one_operand_gives_what_it_gives_on_the_object(
    gilonce: ModuleType, operate: Callable[[Any], Any]
) -> None:
    """Whether the proxy is touched or not."""
    for it in OPERANDS:
        proxy = gilonce.lazy_global(lambda it=it: it, reify=False)
        expected = outcome(operate, it)
        assert [outcome(operate, proxy), outcome(operate, proxy)] == [expected] * 2, it


@pytest.mark.parametrize("operate", BINARY, ids=lambda it: it.__name__)
def test_an_operation_with_two_operands_gives_what_it_gives_on_the_objects(
    gilonce: ModuleType, operate: Callable[[Any, Any], Any]
) -> None:
    """Whether one of them is a proxy or both are, and whether these are touched or not."""

    def lazy(it: object) -> Any:
        return gilonce.lazy_global(lambda: it, reify=False)

    for left in OPERANDS:
        for right in OPERANDS:
            expected = outcome(operate, left, right)
            first, second = lazy(left), lazy(right)
            found = [
                *(outcome(operate, lazy(left), right), outcome(operate, left, lazy(right))),
                *(outcome(operate, first, second), outcome(operate, first, second)),
            ]
            assert found == [expected] * 4, (left, right)


@pytest.mark.parametrize("operate", ITEMS, ids=lambda it: it.__name__)
def test_items_are_found_as_in_the_object(gilonce: ModuleType, operate: Callable[[Any, Any], Any]) -> None:
    """Whether the proxy is touched or not."""
    for left in OPERANDS:
        for right in [*OPERANDS, -1, -2, -3, 10**30, slice(1)]:
            proxy = gilonce.lazy_global(lambda it=left: it, reify=False)
            expected = outcome(operate, left, right)
            assert [outcome(operate, proxy, right), outcome(operate, proxy, right)] == [expected] * 2, (left, right)


class Element:
    """Runs a function when it is hashed or compared. It can be referred to weakly, which its container cannot."""

    react: Callable[[], object] | None = None

    def __hash__(self) -> int:
        return self.run()

    def __eq__(self, other: object) -> bool:
        return bool(self.run())

    def __lt__(self, other: object) -> bool:
        return bool(self.run())

    def run(self) -> int:
        if self.react is not None:
            self.react()
        return 0


@pytest.mark.parametrize(
    ("container", "operate"),
    [
        (list, lambda proxy: 1 in proxy),
        (list, lambda proxy: proxy == [1, 2]),
        (list, lambda proxy: operator.eq([1, 2], proxy)),
        (list, lambda proxy: proxy < [1, 2]),
        (tuple, hash),
        (dict.fromkeys, lambda proxy: 0 in proxy),
        (dict.fromkeys, lambda proxy: proxy[0]),
        (dict.fromkeys, lambda proxy: proxy == {0: 1, 2: 3}),
    ],
)
def test_an_operation_owns_the_object_while_user_code_runs(
    gilonce: ModuleType, container: Callable[..., Any], operate: Callable[[Any], Any]
) -> None:
    """An element that is compared empties the cell. The object lives on until the operation has ended."""
    owner: Any = ModuleType("owner")
    first = Element()
    witness: weakref.ref[Element] | None = None
    alive = []

    def make() -> Any:
        nonlocal witness
        second = Element()
        witness = weakref.ref(second)
        return container([first, second])

    def empty() -> None:
        first.react = None
        cell.take()
        alive.append(witness is not None and witness() is not None)

    owner.PROXY = gilonce.lazy_global(make, reify=False)
    cell = gilonce.cell_of(owner, "PROXY")
    assert len(owner.PROXY) == 2
    first.react = empty
    with suppress(KeyError):
        operate(owner.PROXY)
    assert alive == [True]


def test_touching_one_operand_may_empty_the_cell_of_the_other(gilonce: ModuleType) -> None:
    """The object of the first operand is owned before the factory of the second one runs."""
    owner: Any = ModuleType("owner")

    def make() -> int:
        cell.take()
        return 1

    owner.LARGE = gilonce.lazy_global(lambda: 10**30, reify=False)
    cell = gilonce.cell_of(owner, "LARGE")
    for operate, expected in (operator.add, 10**30 + 1), (operator.sub, 10**30 - 1), (operator.gt, True):
        assert owner.LARGE == 10**30
        assert operate(owner.LARGE, gilonce.lazy_global(make, reify=False)) == expected
