"""once_property while an initializer, a key's `__eq__` or `__init__` changes what it works with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import drive, run_python, run_threads


def test_a_class_may_change_while_its_properties_are_looked_through(gilonce: ModuleType) -> None:
    """Two first reads, of a class and of its subclass, do not disturb each other."""
    for _ in range(50):
        base = type("Base", (), {"__slots__": ("_x",), "x": gilonce.once_property(slot="_x")(lambda self: 5)})
        for number in range(40):
            setattr(base, f"attribute_{number}", number)
        derived = type("Derived", (base,), {"__slots__": ()})

        def grow(base: Any = base) -> None:
            for number in range(40):
                setattr(base, f"more_{number}", number)

        got = run_threads(lambda base=base: base().x, lambda derived=derived: derived().x, grow)
        assert got == [5, 5, None]


@pytest.mark.parametrize(
    "names", [["once_property"], ["property_cases", "property_classes", "once_property"]], ids=["one", "all"]
)
def test_the_modules_may_be_executed_again(gilonce: ModuleType, names: list[str]) -> None:
    """What was imported before goes on working beside what is imported after; so for a subclass."""
    source = """
import importlib, asyncio, copy, sys
import gilonce, gilonce._surfaces.once_property
old = gilonce.once_property
class OldSub(old): pass
class OldOwnInit(old):
    def __init__(self, note, function, slot=None):
        super().__init__(function, slot=slot)
class Before:
    @old
    def x(self): return object()
before = Before()
value = before.x
for name in sys.argv[1:]:
    importlib.reload(getattr(gilonce._surfaces, name))
new = gilonce._surfaces.once_property.once_property
assert new is not old
class LateSub(old): pass
class NewSub(new): pass
class LateBoth(old, property): pass
def check(kind, *note, options=True):
    class Owner:
        __slots__ = ("__dict__", "_slotted")
        plain = kind(*note, lambda self: object())
        slotted = kind(*note, lambda self: object(), **{"slot": "_slotted"})
        of_class = kind(*note, classmethod(lambda cls: object()))
        of_all = kind(*note, staticmethod(object))
        async def awaited(self): return object()
        awaited = kind(*note, awaited)
        if not note:
            with_discard = kind(discard=len)(lambda self: [])
    it = Owner()
    for name in ("plain", "slotted", "of_class", "of_all", *(["with_discard"] if not note else [])):
        assert getattr(it, name) is getattr(it, name)
        prop = vars(Owner)[name]
        assert isinstance(prop, kind)
        assert isinstance(copy.copy(prop), kind)
    assert it.slotted is it._slotted
    assert it.plain is not Owner().plain
    assert asyncio.run(it.awaited) is asyncio.run(it.awaited)
for kind in (old, OldSub, LateSub, LateBoth, new, NewSub):
    check(kind)
check(OldOwnInit, "a note")
assert before.x is value
assert Before().x is not value
"""
    run_python(gilonce, "-c", source, *names)


def test_what_it_was_made_of_can_be_replaced(gilonce: ModuleType) -> None:
    """As with `functools.cached_property`, its function and its name are attributes like others."""

    class Owner:
        @gilonce.once_property
        def x(self) -> str:
            return "first"

        @gilonce.once_property(slot="_y")
        def y(self) -> str:
            return "first"

        __slots__ = ("__dict__", "_y")

    assert (Owner().x, Owner().y) == ("first", "first")
    for prop in Owner.x, Owner.y:
        prop.func = lambda _self: "second"
    assert (Owner().x, Owner().y) == ("second", "second")
    owner = Owner()
    Owner.x.attrname = "z"
    assert owner.x == "second"
    assert "z" not in vars(owner)  # another attribute's name, as far as the class goes
    with pytest.raises(TypeError, match="to two different names \\('z' and 'x'\\)"):
        Owner.x.__set_name__(Owner, "x")


def test_it_can_be_initialized_again(gilonce: ModuleType) -> None:
    """Which makes it another definition."""
    prop = gilonce.once_property(lambda _self: 1)
    for _ in range(3):
        prop.__init__(lambda _self: 2, discard=len)
    prop.__set_name__(type, "x")
    assert type("Owner", (), {"x": prop})().x == 2


@pytest.mark.parametrize("slot", [None, "_x"])
def test_it_can_be_initialized_again_without_a_discard(gilonce: ModuleType, slot: str | None) -> None:
    """The former `discard` is no longer called."""

    class Owner:
        __slots__ = ("__dict__", "_x")

    def lose(owner: Any) -> str:
        owner.x = "first"
        return "second"

    prop = gilonce.once_property(lose, slot=slot, discard=lambda value: pytest.fail("must not be asked"))
    prop.__init__(lose, slot=slot)
    prop.__set_name__(Owner, "x")
    Owner.x = prop  # type: ignore[attr-defined]
    assert Owner().x == "first"  # type: ignore[attr-defined]


def test_it_can_be_initialized_again_for_another_slot(gilonce: ModuleType) -> None:
    """The new slot is the place from then on, the old one is left as it was."""

    class Owner:
        __slots__ = ("_new", "_old")

        @gilonce.once_property(slot="_old")
        def x(self) -> str:
            return "old"

    owner: Any = Owner()
    assert owner.x == "old"
    prop: Any = Owner.x
    prop.__init__(lambda _self: "new", slot="_new")
    prop.__set_name__(Owner, "x")
    assert owner.x == "new"
    assert (owner._old, owner._new) == ("old", "new")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_initializer_may_change_the_class_of_a_slot(gilonce: ModuleType, kind: str) -> None:
    """Its slot there is another's place, and keeps that one's value."""

    class Other:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def y(self) -> str:
            return "the other's"

    def compute(self: Any) -> str:
        self.__class__ = Other
        return "value"

    async def compute_async(self: Any) -> str:
        return compute(self)

    class Owner:
        __slots__ = ("_x",)
        x = gilonce.once_property(compute_async if kind == "async" else compute, slot="_x")

    owner: Any = Owner()
    with pytest.raises(TypeError, match="_x"):
        drive(owner.x) if kind == "async" else owner.x
    assert type(owner) is Other
    assert owner.y == "the other's"


def test_a_slot_is_not_looked_for_in_one_class_and_read_in_another(gilonce: ModuleType) -> None:
    """While it is looked for, which is done in Python, another thread may change the class of the instance."""

    class Other:
        __slots__ = ("_x",)

    class Property(gilonce.once_property):
        def _member_for(self, instance: object) -> Any:
            member = super()._member_for(instance)
            instance.__class__ = Other
            return member

    class Owner:
        __slots__ = ("_x",)
        x = Property(lambda self: "value", slot="_x")

    owner: Any = Owner()
    with pytest.raises(TypeError, match="_x"):
        owner.x
    assert type(owner) is Other
    assert not hasattr(owner, "_x")


def test_an_initializer_may_make_of_its_property_a_data_descriptor(gilonce: ModuleType) -> None:
    """What was asked for is kept as it would have been."""

    class Property(gilonce.once_property):
        pass

    class Owner:
        @Property
        def x(self) -> str:
            Property.__set__ = lambda *_: pytest.fail("must not be asked")
            return "value"

    owner = Owner()
    assert owner.x == "value"
    assert vars(owner) == {"x": "value"}


@pytest.mark.parametrize("change", ["class", "dict", "attribute replaced", "attribute deleted"])
@pytest.mark.parametrize("kind", ["property", "async", "overridden"])
def test_a_name_is_decided_before_the_initializer_runs_and_the_dict_found_after_it(
    gilonce: ModuleType, change: str, kind: str
) -> None:
    """An initializer may change its own instance, or its class: the value is where it is looked for from then on."""
    runs: list[object] = []

    class Bare:
        pass

    def compute(self: Any) -> object:
        runs.append(object())
        if change == "class":
            self.__class__ = Bare
        elif change == "dict":
            self.__dict__ = {}
        elif change == "attribute replaced":
            Owner.x = "replaced"  # type: ignore[assignment]
        else:
            del Owner.x
        return runs[-1]

    async def compute_async(self: Any) -> object:
        return compute(self)

    class Owner:
        x = gilonce.once_property(compute_async if kind == "async" else compute)

    class Override(Owner):
        @gilonce.once_property
        def x(self) -> object:
            return super().x

    owner: Any = Override() if kind == "overridden" else Owner()
    prop = vars(Owner)["x"]
    value = owner.x
    if kind == "async":
        value = drive(value)
    assert value is runs[0]
    key = "x" if kind == "property" else prop._definition.key
    assert vars(owner)[key] is value
    again = owner.x if kind == "property" else prop.__get__(owner)
    assert (drive(again) if kind == "async" else again) is value
    assert len(runs) == 1


def test_the_slot_is_found_after_the_initializer_too(gilonce: ModuleType) -> None:
    """Each class that shares the property has a slot of that name, of its own."""
    runs: list[object] = []

    class Base:
        __slots__ = ()

        @gilonce.once_property(slot="_x")
        def x(self) -> object:
            self.__class__ = Other  # type: ignore[assignment]
            runs.append(object())
            return runs[-1]

        @gilonce.once_property(slot="_y")
        async def y(self) -> object:
            self.__class__ = Other  # type: ignore[assignment]
            runs.append(object())
            return runs[-1]

    class Owner(Base):
        __slots__ = ("_x", "_y")

    class Other(Base):
        __slots__ = ("_x", "_y")

    owner: Any = Owner()
    assert owner.x is owner.x is Other._x.__get__(owner) is runs[0]  # type: ignore[attr-defined]
    owner = Owner()
    waiting = owner.y
    assert drive(waiting) is drive(owner.y) is Other._y.__get__(owner) is runs[1]  # type: ignore[attr-defined]
    assert len(runs) == 2


class ForeignKey:
    """A key of a dict which is not a string, and has the hash of one: it is compared with that, and acts meanwhile."""

    def __init__(self, name: str, act: Callable[[int], object]) -> None:
        self.hash = hash(name)
        self.act = act
        self.comparisons = 0

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        self.comparisons += 1
        self.act(self.comparisons)
        return False


#: PyPy allows only strings as keys of a class's dict.
WHERE = ["instance", "class"] if sys.implementation.name == "cpython" else ["instance"]


@pytest.mark.parametrize("comparison", range(1, 9))
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("field", ["func", "attrname", "_definition", "__init__"])
@pytest.mark.filterwarnings("ignore:non-string key in the __dict__ of class")
def test_what_a_property_works_with_may_be_replaced_while_a_foreign_key_is_compared(
    gilonce: ModuleType, field: str, where: str, comparison: int
) -> None:
    """Its fields, held while they are used, stay alive: the read gives the value, or says what is missing."""

    def act(count: int) -> None:
        if count != comparison or not is_armed:
            return
        if field == "__init__":
            prop.__init__(lambda _self: [42])
        else:
            setattr(prop, field, None if field == "func" else "y" if field == "attrname" else other._definition)

    is_armed = False
    other = gilonce.once_property(lambda _self: [42])
    prop = gilonce.once_property(lambda _self: [42])
    prop.__set_name__(type, "x")
    key: Any = ForeignKey("x", act)
    owner: Any = type("Owner", (), {key: 1, "x": prop} if where == "class" else {"x": prop})()
    if where == "instance":
        vars(owner)[key] = 1
    is_armed = True
    key.comparisons = 0
    try:
        read = str(owner.x)
    except TypeError as error:
        read = str(error)
    # PyPy makes a method of None, and says what CPython says when that is called.
    not_callable = ("first argument must be callable", "'NoneType' object is not callable")
    missing: dict[str, Any] = {"func": not_callable, "__init__": "Cannot use once_property instance without"}
    assert read == "[42]" or read.startswith(missing.get(field, "nothing may be missing"))


@pytest.mark.parametrize("comparison", range(1, 9))
@pytest.mark.parametrize("surface", ["property", "method", "async property"])
def test_a_read_while_a_foreign_key_is_compared_gives_the_one_value(
    gilonce: ModuleType, surface: str, comparison: int
) -> None:
    """Law 1, for who reads the attribute in the midst of a read of it."""
    seen: list[object] = []

    class Owner:
        @gilonce.once_property
        def x(self) -> object:
            return object()

        @gilonce.once
        def m(self) -> object:
            return object()

        @gilonce.once_property
        async def y(self) -> object:
            return object()

    def read() -> object:
        return {"property": lambda: owner.x, "method": lambda: owner.m(), "async property": lambda: drive(owner.y)}[
            surface
        ]()

    def act(count: int) -> None:
        if count == comparison:
            seen.append(read())

    owner = Owner()
    definitions = {"method": vars(Owner)["m"]._definition, "async property": vars(Owner)["y"]._definition}
    vars(owner)[ForeignKey("x" if surface == "property" else definitions[surface].key, act)] = 1
    seen.append(read())
    seen.append(read())
    assert set(map(id, seen)) == {id(seen[0])}
    assert seen[0] is not None
