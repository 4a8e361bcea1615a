"""`@once` or `@once_per_args` on a class: the decorated name is still a class for `isinstance` and for subclasses."""

from __future__ import annotations

import functools
import types
import typing
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any

import pytest


class Base:
    pass


class AbstractBase(ABC):
    @abstractmethod
    def name(self) -> str: ...


BASES = ["plain", "abstract", "both", "dict"]


@pytest.fixture(params=["once", "once_per_args"])
def decorate(request: pytest.FixtureRequest, gilonce: ModuleType) -> Any:
    return getattr(gilonce, request.param)


def decorated_class(decorate: Any, bases: tuple[type, ...] = (Base,)) -> Any:
    @decorate
    class Settings(*bases):  # type: ignore[misc]
        kind = "settings"

        def name(self) -> str:
            return type(self).__name__

        @classmethod
        def create(cls) -> Any:
            return cls()

    return Settings


@pytest.mark.parametrize("bases", [(Base,), (AbstractBase,), (Base, AbstractBase), (dict,)], ids=BASES)
def test_a_decorated_class_is_a_class_for_isinstance(decorate: Any, bases: tuple[type, ...]) -> None:
    """Its one instance is one, others are too, alone and in tuples; and nothing else is."""
    settings = decorated_class(decorate, bases)
    one = settings()
    assert one is settings()
    assert isinstance(one, settings)
    assert isinstance(settings.create(), settings)
    assert isinstance(one, (int, (str, settings)))
    assert not isinstance(3, settings)
    assert not isinstance(3, (str, settings))
    assert not isinstance(settings, settings)
    assert all(isinstance(one, base) for base in bases)


@pytest.mark.parametrize("bases", [(Base,), (AbstractBase,), (Base, AbstractBase), (dict,)], ids=BASES)
def test_a_decorated_class_can_be_derived_from(decorate: Any, bases: tuple[type, ...]) -> None:
    """A subclass is an ordinary class: it derives from the real class, and its instances are its own."""
    settings = decorated_class(decorate, bases)

    class Sub(settings):  # type: ignore[misc,valid-type]
        def name(self) -> str:
            return f"sub of {super().name()}"

    class Mixed(Sub, typing.Generic[typing.TypeVar("T")]):  # type: ignore[misc]
        pass

    real = settings.__wrapped__
    assert Sub.__mro__[1] is real
    assert Sub.__orig_bases__ == (settings,)
    assert Sub().name() == "sub of Sub"
    assert Sub.create() is not Sub.create()
    assert isinstance(Sub(), settings)
    assert isinstance(Mixed(), settings)
    for cls in Sub, Mixed, real, settings:
        assert issubclass(cls, settings)
        assert issubclass(cls, (int, settings))
    assert not issubclass(Base, settings)
    assert not issubclass(int, (str, settings))
    assert issubclass(Sub, bases)
    if AbstractBase not in bases:  # an ABC takes nothing but a class as the first argument
        assert issubclass(settings, bases)
    # Beside other bases, and as the base of a class that is decorated itself.
    assert issubclass(decorate(types.new_class("Both", (settings, Other))), settings)


class Other:
    pass


def test_a_registered_subclass_of_a_decorated_abstract_class_is_one(decorate: Any) -> None:
    """`isinstance` asks the class that is behind the name, in its own way."""

    class Registry(ABC):  # noqa: B024 - any class that can be registered with
        pass

    decorated = decorate(Registry)
    decorated.register(int)
    assert isinstance(3, decorated)
    assert issubclass(int, decorated)
    assert not isinstance("", decorated)


def test_both_decorators_know_the_classes_of_each_other(gilonce: ModuleType) -> None:
    settings = decorated_class(gilonce.once)
    per_args = gilonce.once_per_args(types.new_class("Sub", (settings,)))
    assert issubclass(per_args, settings)
    assert not issubclass(settings, per_args)
    assert isinstance(per_args(), settings)


def test_what_is_not_a_class_behaves_as_the_undecorated_does(decorate: Any) -> None:
    """`isinstance` and `issubclass` refuse it, and a class statement says what is wrong."""

    class Owner:
        @decorate
        def method(self) -> None: ...

    for thing in decorate(functools.partial(Base)), Owner().method, Owner.method:
        with pytest.raises(TypeError, match=r"isinstance\(\) arg 2 must be a (class, )?type"):
            isinstance(3, thing)
        with pytest.raises(TypeError, match=r"issubclass\(\) arg 2 must be a class"):
            issubclass(int, thing)
        with pytest.raises(TypeError, match=r"is not a class, so no class can be derived from it"):
            types.new_class("Sub", (thing,))
