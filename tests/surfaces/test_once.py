"""@once on functions and other callables: what has one value."""

from __future__ import annotations

import functools
import inspect
import itertools
import textwrap
import threading
from types import ModuleType
from typing import Any
from unittest import mock

import pytest


@pytest.mark.parametrize("above", [True, False])
def test_a_static_method_has_one_value(gilonce: ModuleType, above: bool) -> None:
    """Class, subclass and instance share it, in either order of the decorators."""
    decorated = gilonce.once(staticmethod(object)) if above else staticmethod(gilonce.once(object))
    base = type("Base", (), {"make": decorated})
    derived = type("Derived", (base,), {})
    assert base.make() is base().make() is derived.make() is derived().make()
    assert base.make.cell.get() is base.make()


@pytest.mark.parametrize("factory", [threading.Lock, dict, functools.partial(list, "ab"), itertools.count().__next__])
def test_any_callable_is_a_factory_and_does_not_become_a_method(gilonce: ModuleType, factory: Any) -> None:
    """A callable that is not a function has one value, also in a class body."""
    get = gilonce.once(factory)
    owner = type("Owner", (), {"get": get})
    assert get() is get() is owner.get() is owner().get()
    assert get.cell.get() is get()
    assert inspect.unwrap(get) is factory


def test_a_bound_method_is_a_factory(gilonce: ModuleType) -> None:
    """`once(obj.method)` has one value, in a class too; whatever `obj` is written in."""

    class Maker:
        def make(self) -> list[object]:
            return [self]

    for method in ([1, 2].copy, Maker().make):
        get = gilonce.once(method)
        assert get() is get()
        owner = type("Owner", (), {"get": get})
        assert owner().get is owner.get is get


def test_two_definitions_of_one_module_level_name_share_no_value(gilonce: ModuleType) -> None:
    """A class redefined under its own name, deriving from its former self."""
    source = textwrap.dedent(
        """
        class C(base):
            @once
            def m(self):
                return ["redefined", *super().m()] if hasattr(super(), "m") else ["first"]
        """
    )
    namespace: dict[str, Any] = {"__name__": "redefining", "once": gilonce.once, "base": object}
    exec(source, namespace)
    namespace["base"] = namespace["C"]
    exec(source, namespace)
    assert namespace["C"]().m() == ["redefined", "first"]


def test_naming_a_function_in_a_class_leaves_the_function_alone(gilonce: ModuleType) -> None:
    """It keeps its value, its cell and its callers, wherever else it is put."""

    @gilonce.once
    def shared() -> object:
        return object()

    value = shared()

    class Owner:
        factory = shared

    assert shared() is Owner.factory() is shared.cell.get() is value
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        Owner().factory()


def test_decorating_asks_no_argument_of_a_partial_for_its_repr(gilonce: ModuleType) -> None:
    """It may be long, or run a query."""

    class Shy:
        def __repr__(self) -> str:
            pytest.fail("was asked")

    get = gilonce.once(functools.partial(list, Shy.__subclasses__()), discard=None)
    assert get() == []
    assert gilonce.once(functools.partial(id, Shy())).cell.is_set() is False


def test_a_mock_is_a_factory_like_any_other(gilonce: ModuleType) -> None:
    """What answers to every attribute is not taken for a coroutine function."""
    assert gilonce.once(mock.MagicMock(return_value=3))() == 3
