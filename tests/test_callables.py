"""What gilonce asks of a callable before it wraps it, where the callable is not what it says."""

from __future__ import annotations

import functools
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any, ClassVar
from unittest import mock

import pytest
import wrapt

KINDS_OF_CALLABLES = [FunctionType, MethodType, functools.partial, type, property, classmethod, staticmethod]


@pytest.mark.parametrize("kind", KINDS_OF_CALLABLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", ["once", "once_property", "lazy_global"])
def test_what_passes_for_another_kind_of_callable_need_not_have_what_that_has(
    gilonce: ModuleType, name: str, kind: type
) -> None:
    """A `__class__` that lies is no reason for an AttributeError: the object is a callable like any other."""

    class Liar:
        __class__ = kind  # type: ignore[assignment]

        def __call__(self) -> str:
            return "value"

    made = getattr(gilonce, name)(Liar())
    if name == "once":
        assert made() is made() is made.cell.get() == "value"
    elif name == "lazy_global":
        assert made == "value"
    else:
        assert vars(type("Owner", (), {"thing": made}))["thing"] is made


@pytest.mark.parametrize("name", ["once", "once_property", "lazy_global"])
def test_a_mock_that_is_specified_by_a_function_is_a_factory(gilonce: ModuleType, name: str) -> None:
    """Its class passes for a function, and what should be its code is a mock, too."""
    factory = mock.Mock(spec=lambda: None, return_value="value")
    made = getattr(gilonce, name)(factory)
    if name != "once_property":
        assert (made() if name == "once" else made.__wrapped__) == "value"
        assert factory.call_count == 1


def test_what_says_that_it_wraps_for_ever_is_decorated(gilonce: ModuleType) -> None:
    """A made-up `__wrapped__` behind every `__wrapped__` is followed only so far."""

    class Endless:
        made: ClassVar[list[object]] = []

        def __call__(self) -> str:
            return "value"

        def __getattr__(self, name: str) -> Any:
            if name != "__wrapped__" or len(self.made) > 100_000:
                raise AttributeError(name)
            self.made.append(Endless())
            return self.made[-1]

    assert gilonce.once(Endless())() == "value"
    assert len(Endless.made) < 10_000


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy's partial sets the `func` that is a property here")
def test_a_partial_of_itself_is_no_coroutine_function(gilonce: ModuleType) -> None:
    """The search for what a call runs ends."""

    class Circle(functools.partial):  # type: ignore[type-arg]
        func = property(lambda self: self)  # type: ignore[assignment]
        __qualname__ = "Circle"

    assert gilonce.lazy_global(Circle(list)) == []


@pytest.mark.parametrize("name", ["once", "once_property"])
def test_a_kind_of_class_method_is_a_class_method(gilonce: ModuleType, name: str) -> None:
    """A subclass of `classmethod`, too, has one value per class."""

    class Special(classmethod):  # type: ignore[type-arg]
        pass

    class Base:
        @getattr(gilonce, name)
        @Special
        def thing(cls) -> type:  # noqa: N805 - it is a class method
            return cls

    class Derived(Base):
        pass

    for cls in (Base, Derived):
        assert (cls.thing() if name == "once" else cls.thing) is cls


@pytest.mark.parametrize("kind", ["method", "class method"])
def test_a_proxy_of_a_class_takes_the_place_of_none_of_its_values(gilonce: ModuleType, kind: str) -> None:
    """It passes for the class, but it is an owner of its own, and has no `__dict__` to write to."""

    class Owner:
        pass

    function = gilonce.once((lambda _: object()) if kind == "method" else classmethod(lambda _: object()))
    bind = function.__get__ if kind == "method" else functools.partial(function.__get__, None)
    value = bind(Owner)()
    with pytest.raises(TypeError, match="does not support item assignment"):
        bind(wrapt.ObjectProxy(Owner))()
    assert bind(Owner)() is value
