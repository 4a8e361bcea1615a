"""How gilonce classifies a callable before it wraps it, for callables that are not what they seem."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any, ClassVar
from unittest import mock

import pytest
import wrapt
from support import drive, run_threads

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
    """Its class looks like a function, and its code object is a mock too."""
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


def test_what_wraps_itself_is_decorated(gilonce: ModuleType) -> None:
    """The search for what is behind it ends."""
    asked = itertools.count()

    class Circle:
        def __call__(self) -> str:
            return "value"

        @property
        def __wrapped__(self) -> Any:
            assert next(asked) < 100_000
            return self

    assert gilonce.once(Circle())() == "value"


def test_a_name_that_is_no_string_is_none(gilonce: ModuleType) -> None:
    """In messages, the class's name stands for it."""

    class Odd:
        def __init__(self) -> None:
            self.__qualname__ = 7

        def __call__(self) -> str:
            return "value"

    assert repr(gilonce.once(Odd())).endswith(".Odd object>>")


def test_a_parameter_with_a_default_is_not_required(gilonce: ModuleType) -> None:
    """Of either kind; the function is called without."""

    @gilonce.once
    def function(a: int = 1, *, b: int = 2, **more: int) -> tuple[int, int, dict[str, int]]:
        return a, b, more

    assert function() == (1, 2, {})


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy's partial sets the `func` that is a property here")
def test_a_partial_of_itself_is_no_coroutine_function(gilonce: ModuleType) -> None:
    """The search for what a call runs ends."""
    asked = itertools.count()

    class Circle(functools.partial):  # type: ignore[type-arg]
        __qualname__ = "Circle"

        @property
        def func(self) -> Any:
            assert next(asked) < 100_000
            return self

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
    """It looks like the class, but it is an owner of its own, and has no writable `__dict__`."""

    class Owner:
        pass

    function = gilonce.once((lambda _: object()) if kind == "method" else classmethod(lambda _: object()))
    bind = function.__get__ if kind == "method" else functools.partial(function.__get__, None)
    value = bind(Owner)()
    with pytest.raises(TypeError, match="does not support item assignment"):
        bind(wrapt.ObjectProxy(Owner))()
    assert bind(Owner)() is value


def test_a_partial_that_makes_no_cell_is_shown(gilonce: ModuleType) -> None:
    """It has no name to go by."""
    for take in (gilonce.once, gilonce.once_property):
        with pytest.raises(
            TypeError, match=r"functools\.partial\(<class 'int'>\) makes a 'int' object, which has no get"
        ):
            take(cell=functools.partial(int))


def test_a_partial_that_initializes_is_described_to_those_who_cannot_wait_for_it(gilonce: ModuleType) -> None:
    """It has no name to go by, which is no reason for another error."""
    cell = gilonce.OnceLock(timeout=0)
    told: list[Exception] = []

    async def initializer() -> None:
        pytest.fail("must not run")

    def initialize(value: str) -> str:
        told.extend(
            run_threads(
                lambda: cell.get_or_init(int),
                lambda: asyncio.run(cell.aget_or_init(initializer)),
                # On an event loop that is not asyncio's.
                lambda: drive(cell.aget_or_init(initializer)),
            )
        )
        return value

    assert cell.get_or_init(functools.partial(initialize, "value")) == "value"
    assert [type(error) for error in told] == [TimeoutError, TimeoutError, RuntimeError]
    for error in told:
        assert "<partial of test_a_partial_that_initializes" in str(error)
