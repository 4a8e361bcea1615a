"""@once in a class: methods, class methods, overrides, and classes and instances that change."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import pydoc
import sys
import typing
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from support import drive


def test_a_method_has_one_value_per_instance(gilonce: ModuleType) -> None:
    """Two instances, two values; each its own, however it is called."""

    class Service:
        @gilonce.once
        def token(self) -> object:
            return object()

    one, two = Service(), Service()
    assert one.token() is one.token() is Service.token(one)
    assert one.token() is not two.token()


@pytest.mark.parametrize("above", [True, False])
def test_a_class_method_has_one_value_per_class(gilonce: ModuleType, above: bool) -> None:
    """A subclass has its own value, in either order of the decorators."""

    def name(cls: type) -> list[type]:
        return [cls]

    decorated = gilonce.once(classmethod(name)) if above else classmethod(gilonce.once(name))
    base = type("Base", (), {"name": decorated})
    derived = type("Derived", (base,), {})
    assert base.name() is base().name()
    assert base.name() == [base]
    assert derived.name() is derived().name()
    assert derived.name() == [derived]
    assert base.name() == [base]


def test_an_override_that_calls_super_has_a_value_of_its_own(gilonce: ModuleType) -> None:
    """The base's value is not frozen into the derived name, and is computed once."""
    calls: list[str] = []

    class Base:
        @gilonce.once
        def m(self) -> list[str]:
            calls.append("base")
            return ["base"]

        @gilonce.once
        @classmethod
        def c(cls) -> list[str]:
            return [cls.__name__]

    class Derived(Base):
        @gilonce.once
        def m(self) -> list[str]:
            calls.append("derived")
            return [*super().m(), "derived"]

        @gilonce.once
        @classmethod
        def c(cls) -> list[str]:
            return [*super().c(), "derived"]

    derived = Derived()
    assert derived.m() == derived.m() == ["base", "derived"]
    assert super(Derived, derived).m() == ["base"]
    assert calls == ["derived", "base"]
    assert Derived.c() == ["Derived", "derived"]
    assert Base.c() == ["Base"]


def test_definitions_that_share_a_qualified_name_share_no_value(gilonce: ModuleType) -> None:
    """A key is per definition: local classes of one function all have one qualname."""

    def make(base: type) -> type:
        class Local(base):  # type: ignore[misc, valid-type]
            @gilonce.once
            def m(self) -> int:
                return 1 + (super().m() if hasattr(super(), "m") else 0)

            @gilonce.once
            @classmethod
            def c(cls) -> int:
                return 1 + (super().c() if hasattr(super(), "c") else 0)

        return Local

    third = make(make(make(object)))
    assert third().m() == 3
    assert third.c() == 3


def test_a_method_behind_a_decorator_that_hides_its_parameters_is_still_a_method(gilonce: ModuleType) -> None:
    """`*args` in the way of `self` changes nothing, with `functools.wraps` or without."""

    def noisy(function: Any) -> Any:
        return lambda *args: function(*args)

    def polite(function: Any) -> Any:
        return functools.wraps(function)(lambda *args: function(*args))

    class Owner:
        @gilonce.once
        @noisy
        def hidden(self) -> list[object]:
            return [self]

        @gilonce.once
        @polite
        def shown(self) -> list[object]:
            return [self]

        @classmethod
        @gilonce.once
        @polite
        def of_class(cls) -> list[object]:
            return [cls]

    owner = Owner()
    assert owner.hidden() is owner.hidden() is Owner.hidden(owner)
    assert owner.shown() is owner.shown() is Owner.shown(owner)
    assert owner.hidden() == [owner]
    assert Owner().hidden() != [owner]
    assert Owner.of_class() is owner.of_class()
    assert owner.hidden.cell.get() == [owner]


@pytest.mark.parametrize("above", [True, False])
def test_a_class_method_that_hides_its_parameters_has_one_value_per_class(gilonce: ModuleType, above: bool) -> None:
    """In either order, although from 3.13 on classmethod no longer binds what it wraps."""

    def name(*args: type) -> list[type]:
        return [*args]

    base = type("Base", (), {"m": gilonce.once(classmethod(name)) if above else classmethod(gilonce.once(name))})
    derived = type("Derived", (base,), {})
    assert base.m() is base().m()
    assert (base.m(), derived.m()) == ([base], [derived])


def test_a_class_that_is_made_anew_takes_no_values_from_the_first(gilonce: ModuleType) -> None:
    """`dataclass(slots=True)` copies the namespace of a class that may have computed already."""

    class Base:
        __slots__ = ()

        def __init_subclass__(cls) -> None:
            cls.table()

        @gilonce.once
        @classmethod
        def table(cls) -> list[type]:
            return [cls]

    @dataclasses.dataclass(slots=True)
    class Derived(Base):
        x: int = 0

    assert Derived.table() == [Derived]
    assert Derived.table() is Derived.table()


def test_a_class_of_which_the_metaclass_is_written_in_c_has_values(gilonce: ModuleType) -> None:
    """ctypes insists on its own way of setting attributes."""

    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_int),)

        @gilonce.once
        @classmethod
        def origin(cls) -> object:
            return cls()

    assert Point.origin() is Point.origin()


def test_a_class_that_takes_no_attributes_is_refused_before_anything_runs(gilonce: ModuleType) -> None:
    """`int` cannot keep a value; the error names it and the function."""

    @gilonce.once
    def of(cls: type) -> None:
        pytest.fail("must not run")

    for _ in range(2):
        with pytest.raises(TypeError, match=r"'int' takes no attributes, so it cannot keep the value of .*of\(\)"):
            of.__get__(int)()
        assert sys.modules["gilonce._storage.class_values"]._candidates == {}


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy's ctypes is written in Python")
def test_a_metaclass_that_refuses_attributes_is_named(gilonce: ModuleType) -> None:
    """Written in C and guarded in Python, it has the last word; nothing stays behind."""

    class Guarded(type(ctypes.Structure)):  # type: ignore[misc]
        def __setattr__(cls, name: str, value: object) -> None:
            raise ValueError("frozen")

    class Point(ctypes.Structure, metaclass=Guarded):
        @gilonce.once
        @classmethod
        def origin(cls) -> object:
            return pytest.fail("must not run")

    for _ in range(2):
        with pytest.raises(TypeError, match=r"'Point' takes no attributes, so it cannot keep .*origin\(\)"):
            Point.origin()
        assert sys.modules["gilonce._storage.class_values"]._candidates == {}


def test_what_is_kept_in_a_class_does_not_show(gilonce: ModuleType) -> None:
    """Neither `help` nor a runtime protocol takes the values for attributes of the program."""

    @typing.runtime_checkable
    class Named(typing.Protocol):
        @gilonce.once
        @classmethod
        def name(cls) -> str:
            return cls.__name__

    class Thing(Named):
        pass

    class Other:
        name = "other"

    assert Thing.name() == "Thing"
    assert Named.name() == "Named"
    assert isinstance(Other(), Named)
    assert "gilonce" not in pydoc.render_doc(Thing).replace(gilonce.once.__module__, "")


def test_a_method_of_a_metaclass_has_one_value_per_class(gilonce: ModuleType) -> None:
    """A class is an instance of its metaclass, and cannot lend its `__dict__`."""

    class Meta(type):
        @gilonce.once
        def registry(cls) -> dict[str, object]:
            return {}

        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError(f"{cls.__name__} is frozen")

    class Base(metaclass=Meta):
        pass

    class Derived(Base):
        pass

    assert Base.registry() is Base.registry()
    assert Derived.registry() is not Base.registry()


def test_what_an_instance_says_of_other_attributes_is_not_taken_for_a_value(gilonce: ModuleType) -> None:
    """A mock, or a proxy, has an answer to every name."""

    class Base:
        @gilonce.once
        def method(self) -> str:
            return "computed"

        @gilonce.once_property
        def x(self) -> str:
            return "computed"

    class Answering(Base):
        x = "an override"

        def __getattr__(self, name: str) -> str:
            return "an answer"

    class AnsweringAll(Base):
        x = "an override"

        def __getattribute__(self, name: str) -> Any:
            try:
                return super().__getattribute__(name)
            except AttributeError:
                return "an answer"

    owner: Any
    for owner in Answering(), AnsweringAll():
        assert owner.anything == "an answer"
        assert owner.method() == owner.method() == "computed"
        assert super(type(owner), owner).x == "computed"


def test_a_method_of_an_instance_with_hooks_runs_once(gilonce: ModuleType) -> None:
    """Wherever the instance has its `__dict__`: behind a `__getattribute__`, or in a property."""
    calls: list[object] = []

    class Hooked:
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

        @gilonce.once
        def method(self) -> None:
            calls.append(self)

    class Elsewhere:
        __slots__ = ("namespace",)
        __dict__ = property(lambda self: self.namespace)

        def __init__(self) -> None:
            self.namespace: dict[str, object] = {}

        @gilonce.once
        def other(self) -> None:
            calls.append(self)

    hooked, elsewhere = Hooked(), Elsewhere()
    for _ in range(3):
        assert hooked.method() is None
        assert elsewhere.other() is None
    assert calls == [hooked, elsewhere]


def test_an_initializer_may_change_where_its_instance_keeps_attributes(gilonce: ModuleType) -> None:
    """From then on there is one value, and calls, cell and copies agree about it."""

    class Elsewhere:
        namespace: dict[str, object]
        __dict__ = property(lambda self: self.namespace)

    class Owner:
        @gilonce.once
        def method(self) -> object:
            self.__class__ = Elsewhere  # type: ignore[assignment]
            return object()

    owner: Any = Owner()
    owner.namespace = {}
    method = vars(Owner)["method"].__get__(owner)
    value = method()
    assert type(owner) is Elsewhere
    assert value is method() is method.cell.get()
    assert list(owner.__dict__.values()) == [value]


@pytest.mark.parametrize("how", ["another class", "a __getattribute__ of its own"])
def test_a_call_and_its_cell_agree_after_the_class_has_changed(gilonce: ModuleType, how: str) -> None:
    """Where an instance keeps its values is asked of the class that it has by now."""

    class Owner:
        @gilonce.once
        def method(self) -> object:
            return object()

    class Elsewhere(Owner):
        __dict__ = property(lambda self: namespace)

    namespace: dict[str, object] = {}
    owner = Owner()
    first = owner.method()
    assert owner.method() is owner.method.cell.get() is first
    if how == "another class":
        owner.__class__ = Elsewhere
    else:
        Owner.__getattribute__ = (  # type: ignore[method-assign]
            lambda self, name: namespace if name == "__dict__" else object.__getattribute__(self, name)
        )
    second = owner.method()
    assert owner.method() is owner.method.cell.get() is second is not first
    assert list(namespace.values()) == [second]


@pytest.mark.parametrize("change", ["class", "dict", "attribute"])
@pytest.mark.parametrize("cell", [None, "OnceLock"])
def test_an_initializer_may_change_its_instance(gilonce: ModuleType, change: str, cell: str | None) -> None:
    """The key is decided before it runs, and the dict is looked up after it."""
    runs: list[object] = []

    class Bare:
        pass

    class Owner:
        @gilonce.once(cell=cell and getattr(gilonce, cell))
        def method(self) -> object:
            runs.append(object())
            if change == "class":
                self.__class__ = Bare  # type: ignore[assignment]
            elif change == "dict":
                self.__dict__ = {}
            else:
                del Owner.method
            return runs[-1]

    owner = Owner()
    method = owner.method
    assert method() is method() is method.cell.get() is runs[0]
    assert list(vars(owner).values()) == runs


class Pair(NamedTuple):
    first: Any
    second: Any


def test_an_instance_that_is_a_tuple_is_one_argument(gilonce: ModuleType) -> None:
    """A tuple must not be used as the arguments."""

    class WithDict(tuple[Any, ...]):
        @gilonce.once
        def method(self) -> object:
            return object()

        @gilonce.once
        async def coroutine(self) -> object:
            return object()

    class Watched(WithDict):
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    for cls in WithDict, Watched:
        one, other = cls((1, 2)), cls((1, 2))
        assert one.method() is one.method() is not other.method()
        assert drive(one.coroutine()) is drive(one.coroutine()) is not drive(other.coroutine())
    without = gilonce.once(lambda self: object())
    for pair in Pair(1, 2), (Watched(),), ():
        with pytest.raises(TypeError, match=r"No '__dict__' attribute on '(Pair|tuple)' instance"):
            without.__get__(pair)()
