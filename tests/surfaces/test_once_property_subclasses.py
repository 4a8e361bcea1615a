"""Subclasses of once_property."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import re
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any

import pytest
from support import drive, run_python
from support.class_creation import class_creation_error, message_of


def test_a_subclass_keeps_its_own_methods_for_every_kind(gilonce: ModuleType) -> None:
    """A user's subclass is the type of what its decorator makes, and its `__get__` is asked first."""

    class Loud(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            value = super().__get__(instance, owner)
            return value if value is self else ("loud", value)

    class Owner:
        __slots__ = ("__dict__", "_slotted")

        @Loud
        def plain(self) -> int:
            return 1

        @Loud(slot="_slotted")
        def slotted(self) -> int:
            return 2

        @Loud
        @classmethod
        def of_class(cls) -> int:
            return 3

    it = Owner()
    assert (it.plain, it.plain) == (("loud", 1), 1)
    assert it.slotted == it.slotted == ("loud", 2)
    it.slotted = 5
    assert it.slotted == ("loud", 5)
    assert Owner.of_class == ("loud", 3)
    for name in ("plain", "slotted", "of_class"):
        assert isinstance(vars(Owner)[name], Loud)
    assert type(vars(Owner)["slotted"]).__qualname__ == Loud.__qualname__


def test_a_subclass_may_have_parameters_of_its_own(gilonce: ModuleType) -> None:
    """As with `functools.cached_property`: what it decorates is said by its call of our `__init__`."""

    class Settable(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, fget: Any, fset: Any = None, *, note: str = "") -> None:
            super().__init__(fget)
            self.fset = fset
            self.note = note

        def __set__(self, instance: Any, value: Any) -> None:
            instance.__dict__[self.attrname] = self.fset(instance, value)

        def setter(self, fset: Any) -> Any:
            return type(self)(self.func, fset, note="with a setter")

    class Constant(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__(lambda instance: object())

    class Owner:
        @Settable
        def plain(self) -> int:
            return 1

        @plain.setter
        def plain(self, value: int) -> int:
            return value * 10

        constant = Constant()

    it, another = Owner(), Owner()
    assert (it.plain, it.plain) == (1, 1)
    it.plain = 5
    assert (it.plain, another.plain) == (50, 1)
    assert it.constant is it.constant is not another.constant
    assert type(vars(Owner)["plain"]) is Settable

    class Slotting(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, function: Any, *, slot: str) -> None:
            super().__init__(function, slot=slot)

    slotted = type("Slotted", (), {"__slots__": ("_x",), "x": Slotting(slot="_x")(lambda self: [1])})()
    assert slotted.x is slotted._x

    made_anew = copy.copy(vars(Owner)["plain"])
    assert (made_anew.attrname, made_anew.note, made_anew.fset(None, 2)) == ("plain", "with a setter", 20)


def test_a_subclass_with_its_own_init_is_of_every_kind(gilonce: ModuleType) -> None:
    """Slots, classes, static and coroutine functions: what our `__init__` is given counts, not what its own is."""

    class Noted(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, note: str, function: Any, where: str | None = None) -> None:
            super().__init__(function, slot=where)
            self.note = note

    class Owner:
        __slots__ = ("__dict__", "_slotted")
        plain = Noted("", lambda self: object())
        slotted = Noted("", lambda self: object(), "_slotted")
        of_class = Noted("", classmethod(lambda cls: object()))
        of_all = Noted("a note", staticmethod(object))

        @functools.partial(Noted, "")
        async def awaited(self) -> object:
            return object()

    class Derived(Owner):
        pass

    it = Owner()
    for name in ("plain", "slotted"):
        assert getattr(it, name) is getattr(it, name) is not getattr(Owner(), name)
    assert it._slotted is it.slotted
    it.slotted = 5
    assert it.slotted == 5
    assert Owner.of_class is it.of_class is not Derived.of_class
    assert Owner.of_all is Derived.of_all

    async def await_twice() -> bool:
        return await it.awaited is await it.awaited

    assert asyncio.run(await_twice())
    assert vars(Owner)["of_all"].note == copy.copy(vars(Owner)["of_all"]).note == "a note"
    for name in ("plain", "slotted", "of_class", "of_all", "awaited"):
        assert isinstance(vars(Owner)[name], Noted)


def test_a_class_may_derive_from_property_too(gilonce: ModuleType) -> None:
    """It is both: computed once, like any `once_property`, and to be read only, like any `property`."""

    class Both(gilonce.once_property, property):  # type: ignore[name-defined, misc]
        pass

    class Owner:
        __slots__ = ("__dict__", "_slotted")

        @Both
        def plain(self) -> object:
            """The documentation."""
            return object()

        @Both(slot="_slotted")
        def slotted(self) -> object:
            return object()

        @Both
        @classmethod
        def of_class(cls) -> object:
            return object()

        @Both
        @staticmethod
        def of_all() -> object:
            return object()

        @Both
        async def awaited(self) -> object:
            return object()

    it, another = Owner(), Owner()
    assert it.plain is it.plain is vars(it)["plain"] is not another.plain
    assert it.slotted is it.slotted is it._slotted is not another.slotted
    assert Owner.of_class is it.of_class is not type("Derived", (Owner,), {}).of_class  # type: ignore[attr-defined]
    assert Owner.of_all is it.of_all
    assert drive(it.awaited) is drive(it.awaited)
    for name in ("plain", "slotted", "of_class", "of_all", "awaited"):
        prop = vars(Owner)[name]
        assert isinstance(prop, Both)
        assert isinstance(prop, property)
        assert isinstance(prop, gilonce.once_property)
        assert prop.fget is prop.func
        assert prop.__name__ == name
    assert issubclass(Both, gilonce.once_property)
    assert {cls.__module__ for cls in Both.__mro__ if cls.__name__ == "once_property"} == {"gilonce"}
    assert not issubclass(property, gilonce.once_property)
    assert not isinstance(property(), gilonce.once_property)
    assert not issubclass(Both, type(vars(Owner)["slotted"]))
    assert vars(Owner)["plain"].__doc__ == "The documentation."
    with pytest.raises(AttributeError):
        it.plain = 1  # type: ignore[misc]
    it.slotted = 1
    assert it.slotted == 1
    copied = copy.copy(vars(Owner)["plain"])
    assert type(copied) is Both
    assert type("Other", (), {"plain": copied})().plain is not None
    assert copied._definition.key != vars(Owner)["plain"]._definition.key


def test_a_slot_is_not_shared_by_properties_in_python(gilonce: ModuleType) -> None:
    """A class that derives from `property`, too, is in Python in both implementations."""

    class Both(gilonce.once_property, property):  # type: ignore[name-defined, misc]
        pass

    class Owner:
        __slots__ = ("_slotted",)
        one = Both(lambda self: 1, slot="_slotted")
        other = Both(lambda self: 2, slot="_slotted")

    with pytest.raises(TypeError, match="both name the slot '_slotted'"):
        assert Owner().one


def test_a_class_may_derive_from_property_and_more(gilonce: ModuleType) -> None:
    """From that class again, with parameters of its own; from one with slots; from an abstract one."""

    class Both(gilonce.once_property, property):  # type: ignore[name-defined, misc]
        pass

    class Noted(Both):
        def __init__(self, note: str, function: Any, slot: str | None = None) -> None:
            super().__init__(function, slot=slot)
            self.note = note

    class Slots:
        __slots__ = ("more",)

    class WithSlots(gilonce.once_property, Slots):  # type: ignore[name-defined, misc]
        pass

    class Abstract(gilonce.once_property, ABC):  # type: ignore[name-defined, misc]
        @abstractmethod
        def more(self) -> None: ...

    class Concrete(Abstract):
        def more(self) -> None: ...

    class Owner:
        __slots__ = ("__dict__", "_x")
        noted = Noted("a note", lambda self: object())
        slotted = Noted("a note", lambda self: object(), "_x")
        with_slots = WithSlots(lambda self: object())
        concrete = Concrete(lambda self: object())

    it = Owner()
    for name in ("noted", "slotted", "with_slots", "concrete"):
        prop = vars(Owner)[name]
        assert getattr(it, name) is getattr(it, name) is not getattr(Owner(), name)
        assert isinstance(prop, gilonce.once_property)
    vars(Owner)["with_slots"].more = 1
    assert vars(Owner)["noted"].note == vars(Owner)["slotted"].note == "a note"
    with pytest.raises(TypeError, match="abstract"):
        Abstract(len)


@pytest.mark.parametrize("above", [True, False])
def test_a_property_that_is_abstract_stays_so(gilonce: ModuleType, above: bool) -> None:
    """Also where `property`, whose own mark cannot be assigned, is a base."""

    class Both(gilonce.once_property, property):  # type: ignore[name-defined, misc]
        pass

    def x(self: object) -> int:
        return 1

    decorated: Any = Both(abstractmethod(x)) if above else abstractmethod(Both(x))
    base = type("Base", (ABC,), {"x": decorated})
    with pytest.raises(TypeError, match="abstract"):
        base()
    assert type("Concrete", (base,), {"x": Both(lambda self: 1)})().x == 1


def test_of_a_subclass_and_property_only_python_can_make_one_class(gilonce: ModuleType) -> None:
    """The subclass is based on C already; the error says from what to derive."""

    class Sub(gilonce.once_property):  # type: ignore[name-defined, misc]
        pass

    if gilonce.__implementation__ == "python":
        assert type("Both", (Sub, property), {})(len)
    else:
        with pytest.raises(
            TypeError, match=r"Both cannot derive from Sub .*Derive from once_property, .* instead of from Sub"
        ):
            type("Both", (Sub, property), {})


def test_the_signature_is_that_of_init(gilonce: ModuleType) -> None:
    """`help` and editors show what may be given."""

    class Noted(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, note: str, function: Any) -> None: ...

    assert list(inspect.signature(gilonce.once_property).parameters) == ["function", "slot", "discard", "cell"]
    assert list(inspect.signature(Noted).parameters) == ["note", "function"]


def test_a_subclass_that_does_not_call_our_init_is_told_so(gilonce: ModuleType) -> None:
    """When the class is made, or where that did not happen, at every use."""

    class Forgetful(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, function: Any) -> None:
            self.function = function

    rule = r"Forgetful has no function to call: Forgetful\.__init__\(\) must call super\(\)\.__init__\(function\)"
    with class_creation_error() as caught:
        type("Owner", (), {"x": Forgetful(len)})
    assert re.match(rule, message_of(caught))

    class Owner:
        pass

    prop: Any = Forgetful(len)
    Owner.x = prop  # type: ignore[attr-defined]
    assert Owner.x is prop  # type: ignore[attr-defined]
    owner: Any = Owner()
    for act in (lambda: owner.x, lambda: prop.__set_name__(Owner, "x"), lambda: copy.copy(prop)):
        with pytest.raises(TypeError, match=rule):
            act()
    assert not hasattr(prop, "__name__")
    assert prop.__isabstractmethod__ is False


def test_our_init_may_be_called_later(gilonce: ModuleType) -> None:
    """As a decorator does that first takes its parameters."""

    class Noted(gilonce.once_property):  # type: ignore[name-defined, misc]
        def __init__(self, *, note: str, where: str | None = None) -> None:
            self.note = note
            self.where = where

        def __call__(self, function: Any) -> Any:
            super().__init__(function, slot=self.where)
            return self

    class Owner:
        __slots__ = ("__dict__", "_x")

        @Noted(note="a note")
        def x(self) -> object:
            return object()

        @Noted(note="a note", where="_x")
        def y(self) -> object:
            return object()

    it = Owner()
    assert (it.x, it.y) == (it.x, it._x)
    assert vars(Owner)["x"].note == "a note"


def test_a_subclass_that_discards_by_its_own_method_is_collected(gilonce: ModuleType) -> None:
    """The property and its bound method refer to each other."""
    source = """
import gc, gilonce
class Property(gilonce.once_property):
    def __init__(self, function):
        super().__init__(function, discard=self.dispose)
        self.func = self.compute
    def __new__(cls, function):
        return super().__new__(cls, function)
    def compute(self, owner): pass
    def dispose(self, value): pass
for _ in range(10):
    Property(len)
gc.collect()
print(sum(type(it) is Property for it in gc.get_objects()))
"""
    assert run_python(gilonce, "-c", source) == "0\n"
