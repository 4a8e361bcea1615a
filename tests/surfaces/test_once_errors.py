"""@once: what it refuses when it decorates, and when it is called."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import pytest


@pytest.mark.parametrize("thing", [3, "name", property(len)])
def test_what_is_not_callable_is_refused(gilonce: ModuleType, thing: object) -> None:
    """The error comes at decoration and names the object. For a property, it names once_property."""
    with pytest.raises(TypeError, match=r"@once takes a callable, not .*" + type(thing).__name__):
        gilonce.once(thing)
    with pytest.raises(TypeError, match=r"@once takes a callable"):
        gilonce.once(discard=print)(thing)


def test_a_property_below_is_told_of_once_property(gilonce: ModuleType) -> None:
    """The message says what to use instead."""
    with pytest.raises(TypeError, match="use once_property"):
        gilonce.once(property(len))


def test_discard_must_be_callable(gilonce: ModuleType) -> None:
    """`once(discard=3)` is refused at once."""
    with pytest.raises(TypeError, match=r"once\(discard=\.\.\.\) takes a callable"):
        gilonce.once(discard=3)


def test_generator_functions_are_refused(gilonce: ModuleType) -> None:
    """Their one value would be an exhausted iterator."""

    def numbers() -> Any:
        yield 1

    async def letters() -> Any:
        yield "a"

    for function in (numbers, letters, functools.partial(numbers), staticmethod(numbers), classmethod(letters)):
        with pytest.raises(TypeError, match=r"generator function .*exhausts"):
            gilonce.once(function)


class TwoRequired:
    def __init__(self, a: int, b: int) -> None: ...


class OneRequired:
    def __init__(self, a: int) -> None: ...


class NewRequires:
    def __new__(cls, a: int, b: int) -> Any: ...


class CallRequires:
    def __call__(self, a: int, b: int) -> None: ...


def two(a: int, b: int) -> None: ...


def keyword(*, a: int) -> None: ...


def one_and_keyword(self: object, *, a: int) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        two,
        keyword,
        one_and_keyword,
        TwoRequired,
        OneRequired,
        NewRequires,
        CallRequires(),
        functools.partial(two),
        CallRequires().__call__,
        staticmethod(lambda a: a),
        classmethod(two),
        functools.wraps(two)(lambda *args: two(*args)),
    ],
)
def test_required_parameters_are_refused(gilonce: ModuleType, function: Any) -> None:
    """At decoration, naming them and once_per_args."""
    with pytest.raises(TypeError, match=r"@once cannot wrap .* requires '(a|b|self)'.*@once_per_args"):
        gilonce.once(function)


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (functools.partial(two, 1), "'b'"),
        (functools.partial(two, b=1), "'a'"),
        (functools.partial(one_and_keyword, a=1), "'self'"),
        (functools.partial(one_and_keyword, 1), "'a'"),
        (functools.partial(two, 1, 2), None),
        (functools.partial(two, a=1, b=2), None),
        (functools.partial(one_and_keyword, 1, a=1), None),
    ],
)
def test_a_partial_requires_what_it_leaves_open(gilonce: ModuleType, function: Any, left: str | None) -> None:
    """What the partial gives is not required any more; the rest is, for it becomes no method."""
    if left is None:
        assert gilonce.once(function)() is None
    else:
        with pytest.raises(TypeError, match=f"which requires {left}:"):
            gilonce.once(function)


def test_an_argument_beyond_the_instance_is_refused_by_name(gilonce: ModuleType) -> None:
    """At the call: one value per argument is what once_per_args is for."""

    @gilonce.once
    def function(x: int = 0) -> int:
        return x

    class Service:
        @gilonce.once
        def method(self, x: int = 0) -> int:
            return x

        @gilonce.once
        @classmethod
        def of_class(cls, x: int = 0) -> int:
            return x

    service = Service()
    for call in (lambda: function(1), lambda: function(x=1)):
        with pytest.raises(TypeError, match=r"function\(\) takes no arguments,.*@once_per_args"):
            call()
    for call in (lambda: service.method(1), lambda: service.method(x=1), lambda: Service.method(service, 1)):
        with pytest.raises(
            TypeError, match=r"Service\.method\(\) takes no arguments beyond the instance.*@once_per_args"
        ):
            call()
    with pytest.raises(TypeError, match=r"Service\.of_class\(\) takes no arguments beyond"):
        Service.of_class(1)
    with pytest.raises(TypeError, match=r"Service\.method\(\) is a method .*call it on one"):
        Service.method()


def test_an_instance_without_a_dict_is_told_what_to_add(gilonce: ModuleType) -> None:
    """A slotted class: the error names class and method, and both ways out."""

    class Slotted:
        __slots__ = ()

        @gilonce.once
        def m(self) -> int:
            return 1

    message = r"No '__dict__' attribute on 'Slotted' instance to cache the value of .*Slotted\.m\(\).*__slots__.*slot="
    for call in (lambda: Slotted().m(), lambda: Slotted().m.cell, lambda: Slotted.m(5)):
        with pytest.raises(TypeError, match=message.replace("Slotted' inst", "(Slotted|int)' inst")):
            call()


def test_what_was_never_initialized_says_so(gilonce: ModuleType) -> None:
    """`__new__` alone makes no once function, and no endless search for its attributes."""
    once_type = type(gilonce.once(list))
    # In C, every object has been initialized.
    with pytest.raises((AttributeError, TypeError), match=r"call once\(function\)|missing required argument"):
        once_type.__new__(once_type).anything


def test_a_cell_cannot_be_replaced(gilonce: ModuleType) -> None:
    """Another thread may be about to publish in it."""
    function = gilonce.once(list)
    with pytest.raises(AttributeError):
        function.cell = gilonce.GILOnceCell()
