"""beartype, typeguard and `unittest.mock.create_autospec`, on functions and classes that are decorated."""

from __future__ import annotations

import asyncio
import functools
import inspect
import warnings
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any
from unittest import mock

import pytest
from support.comparison import Case, Given, Tool

BEARTYPE = Tool("beartype")
TYPEGUARD = Tool("typeguard")
MOCK = Tool("unittest")


def beartype() -> Callable[[Any], Any]:
    return BEARTYPE.require().beartype  # type: ignore[no-any-return]


def typechecked(decorated: Any) -> Any:
    """Decorate as typeguard does. It warns that it does not look into decorated functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TYPEGUARD.require().typechecked(decorated)


def make_class(given: Given, decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @given.once_property
        def attribute(self) -> list[object]:
            return [self]

        @classmethod
        @given.once
        def below(cls) -> list[object]:
            return [cls]

        @staticmethod
        @given.once
        def static_below() -> list[object]:
            return [1]

        @given.once
        def method(self) -> list[object]:
            return [self]

    return decorate(Owner)


def use_class(given: Given, decorate: Callable[[Any], Any]) -> None:
    cls = make_class(given, decorate)
    owner, other = cls(), cls()
    assert owner.attribute is owner.attribute is not other.attribute
    assert owner.method() is owner.method() is not other.method()
    assert cls.below() is owner.below()
    assert cls.static_below() is owner.static_below()
    sub = type("Sub", (cls,), {})
    assert sub.below() == [sub]


def use_function(given: Given, decorate: Callable[[Any], Any]) -> None:
    @decorate
    @given.once
    def function() -> list[object]:
        """The docstring."""
        return [1]

    assert function() is function()
    assert function.__name__ == "function"
    assert function.__doc__ == "The docstring."


@BEARTYPE.case()
def checked_class(given: Given) -> None:
    """`@beartype` on a class: the methods and attributes still compute one value."""
    use_class(given, beartype())


@BEARTYPE.case()
def checked_function(given: Given) -> None:
    """`@beartype` above it."""
    use_function(given, beartype())


@BEARTYPE.case(functools="in a class, beartype does not look into it")
def checked_results(given: Given) -> None:
    """The result of a method is checked."""

    class Owner:
        @given.once
        def method(self) -> int:
            return "not an int"  # type: ignore[return-value]

    owner = beartype()(Owner)()
    with pytest.raises(BEARTYPE.require().roar.BeartypeCallHintReturnViolation):
        owner.method()


@BEARTYPE.case(functools="the one coroutine is kept, which can be awaited once")
def checked_later(given: Given) -> None:
    """`@beartype` above it on an `async def`."""

    @beartype()
    @given.once
    async def later() -> list[object]:
        return [1]

    async def twice() -> bool:
        return await later() is await later()

    assert inspect.iscoroutinefunction(later)
    assert asyncio.run(twice())


@TYPEGUARD.case()
def typechecked_class(given: Given) -> None:
    """`@typechecked` on a class: the methods and attributes still compute one value."""
    use_class(given, typechecked)


@TYPEGUARD.case()
def typechecked_function(given: Given) -> None:
    """`@typechecked` above it."""
    use_function(given, typechecked)


@MOCK.case(functools="any arguments are taken")
def autospec_of_a_function(given: Given) -> None:
    """`create_autospec` of a function takes its arguments only, and computes nothing."""

    @given.once
    def function() -> object:
        raise AssertionError("computed")

    made = mock.create_autospec(function, return_value=3)
    assert made() == 3
    made.assert_called_once_with()
    with pytest.raises(TypeError):
        made(1)
    assert hasattr(made, "cache_clear")


@MOCK.case(functools="any arguments are taken")
def autospec_of_a_class(given: Given) -> None:
    """`create_autospec` of a class computes nothing, and its methods take their arguments only."""
    made = mock.create_autospec(make_class(given, lambda cls: cls))
    made.below.return_value = 4
    assert made.below() == 4
    instance = made()
    instance.method.return_value = 3
    assert instance.method() == 3
    with pytest.raises(TypeError):
        instance.method(1)


@pytest.mark.parametrize(
    "case", [*BEARTYPE.cases, *TYPEGUARD.cases, *MOCK.cases], ids=lambda case: f"{case.tool.package}-{case}"
)
def test_a_checker_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)


@pytest.mark.parametrize("tool", ["beartype", "typeguard", "functools.wraps"])
@pytest.mark.parametrize("surface", ["once", "once_per_args"])
def test_class_and_static_methods_below_are_still_that(gilonce: ModuleType, tool: str, surface: str) -> None:
    """beartype unwraps a class method, and makes a new one of the result."""
    once = getattr(gilonce, surface)
    decorate: Any = {"beartype": beartype, "typeguard": lambda: typechecked, "functools.wraps": lambda: wrap_all}[
        tool
    ]()

    class Owner:
        @once
        @classmethod
        def of_class(cls) -> list[object]:
            return [cls]

        @once
        @staticmethod
        def of_all() -> list[object]:
            return [1]

    cls = decorate(Owner)
    sub = type("Sub", (cls,), {})
    for it in cls, cls():
        assert it.of_class() is cls.of_class()
        assert it.of_all() is sub.of_all()
    assert cls.of_class() == [cls]
    assert sub.of_class() == [sub]
    if surface == "once":
        assert gilonce.cell_of(cls, "of_class").get() is cls.of_class()
        assert gilonce.cell_of(sub(), "of_class").get() is sub.of_class()
        assert gilonce.cell_of(cls, "of_all").get() is cls.of_all()


def wrap_all(cls: Any) -> Any:
    """Replace each method by a function above it, as beartype does."""
    for name, entry in vars(cls).copy().items():
        if isinstance(entry, (classmethod, staticmethod)):
            wrapped = functools.wraps(entry.__func__)(lambda *args, _call=entry.__func__: _call(*args))
            setattr(cls, name, entry.__class__(wrapped))
        elif isinstance(entry, FunctionType) and not name.startswith("__"):
            setattr(cls, name, functools.wraps(entry)(lambda *args, _call=entry: _call(*args)))
    return cls


@pytest.mark.parametrize("tool", ["beartype", "functools.wraps"])
def test_the_cell_stays_reachable(gilonce: ModuleType, tool: str) -> None:
    """`cell_of` finds the cell below other decorators. That of a function is `f.__wrapped__.cell`, too."""
    decorate: Any = {"beartype": beartype, "functools.wraps": lambda: wrap_all}[tool]()

    class Owner:
        @gilonce.once
        def method(self) -> list[object]:
            return [self]

        @classmethod
        @gilonce.once
        def of_class(cls) -> list[object]:
            return [cls]

        @staticmethod
        @gilonce.once
        def of_all() -> list[object]:
            return [1]

    cls = decorate(Owner)
    owner = cls()
    cell = gilonce.cell_of(owner, "method")
    assert not cell.is_set()
    assert owner.method() is cell.get()
    with cell.override([0]):
        assert owner.method() == [0]
    assert gilonce.cell_of(cls, "of_class").take() is None
    assert cls.of_class() is gilonce.cell_of(owner, "of_class").get()
    assert cls.of_all() is gilonce.cell_of(cls, "of_all").get()
    with pytest.raises(TypeError, match=r"one value per instance: use cell_of\(instance, 'method'\)"):
        gilonce.cell_of(cls, "method")
    module: Any = ModuleType("module")
    module.function = functools.wraps(cls.of_all)(lambda: 3)
    assert gilonce.cell_of(module, "function").get() is cls.of_all()
    module.circle = functools.wraps(wrap_all)(lambda: 3)
    module.circle.__wrapped__ = module.circle
    with pytest.raises(TypeError, match=r"module\.circle has no cell"):
        gilonce.cell_of(module, "circle")


def test_inspect_sees_class_and_static_methods(gilonce: ModuleType) -> None:
    class Owner:
        @gilonce.once
        def method(self) -> int:
            return 1

        @gilonce.once
        @classmethod
        def of_class(cls) -> int:
            return 1

        @gilonce.once
        @staticmethod
        def of_all() -> int:
            return 1

        @gilonce.once_per_args
        @classmethod
        def of_class_and_arguments(cls, one: int) -> int:
            return one

        @gilonce.once_per_args
        @staticmethod
        def of_arguments(one: int) -> int:
            return one

        @gilonce.once
        @staticmethod
        async def later() -> int:
            return 1

    kinds = {entry.name: entry.kind for entry in inspect.classify_class_attrs(Owner)}
    assert kinds["method"] == "method"
    assert kinds["of_class"] == kinds["of_class_and_arguments"] == "class method"
    assert kinds["of_all"] == kinds["of_arguments"] == kinds["later"] == "static method"
    assert inspect.iscoroutinefunction(Owner.later)
    assert inspect.ismethod(Owner.of_class)
    assert isinstance(Owner.of_class, MethodType)
    assert str(inspect.signature(Owner.of_class)) == "() -> 'int'"
    assert str(inspect.signature(Owner.of_arguments)) == "(one: 'int') -> 'int'"
    for name in "of_class", "of_all", "of_class_and_arguments", "of_arguments":
        entry = vars(Owner)[name]
        func = entry.__func__
        assert isinstance(func, FunctionType)
        assert inspect.unwrap(func) is inspect.unwrap(entry)
        assert (func.__name__, func.__doc__, func.__module__) == (name, None, __name__)
        assert str(inspect.signature(func)) == str(inspect.signature(entry))
        assert inspect.isroutine(entry)
    assert func.__get__(None, Owner) is func
    assert isinstance(func.__get__(Owner(), Owner), MethodType)
    with pytest.raises(AttributeError, match="__func__"):
        vars(Owner)["method"].__func__
    with pytest.raises(AttributeError, match="__func__"):
        gilonce.once(dict).__func__


def test_dir_shows_the_cell(gilonce: ModuleType) -> None:
    class Owner:
        @gilonce.once
        def method(self) -> int:
            return 1

        @gilonce.once_per_args
        def per_args(self, one: int) -> int:
            return one

    for made in gilonce.once(lambda: 1), Owner().method:
        assert {"cell", "cache_clear", "__wrapped__", "__code__", "__name__"} <= set(dir(made))
    for made in vars(Owner)["per_args"], Owner().per_args:
        assert {"cell", "take_all", "cache_clear", "__code__"} <= set(dir(made))


def test_what_stands_for_the_function_below_takes_attributes(gilonce: ModuleType) -> None:
    """As a function does. beartype sets one if it looks at the parameters."""

    class Owner:
        @gilonce.once
        @classmethod
        def of_class(cls) -> str:
            return cls.__name__

    vars(Owner)["of_class"].__func__.mark = "a mark"
    assert vars(Owner)["of_class"].__func__.mark == "a mark"
    assert Owner.of_class() == "Owner"
