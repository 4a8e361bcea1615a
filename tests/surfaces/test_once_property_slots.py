"""once_property with `slot=`: values in declared slots, and dataclasses."""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType
from typing import Any

import attrs
import pytest
from support import drive
from support.class_creation import class_creation_error, message_of


def test_a_slot_holds_the_value_instead(gilonce: ModuleType) -> None:
    """Computed, set and deleted through the property; the slot holds the plain value."""

    class Slotted:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def x(self) -> list[int]:
            return []

    it = Slotted()
    assert it.x is it.x is it._x
    it.x = None
    assert it.x is None
    del it.x
    assert it.x == []
    del it.x
    with pytest.raises(AttributeError, match="x"):
        del it.x


def test_a_private_slot_is_found_under_its_mangled_name(gilonce: ModuleType) -> None:
    """`slot="__x"` names what `__slots__ = ("__x",)` declares."""

    class Slotted:
        __slots__ = ("__x",)

        @gilonce.once_property(slot="__x")
        def x(self) -> list[int]:
            return []

    it = Slotted()
    assert it.x is it.x


@pytest.mark.parametrize("frozen", [True, False])
def test_slotted_dataclasses_have_lazy_attributes(gilonce: ModuleType, frozen: bool) -> None:
    """The class is made anew by the decorator, and the property with it; frozen does not matter."""

    class Lazy:
        __slots__ = ("_doubled",)

    @dataclasses.dataclass(slots=True, frozen=frozen)
    class Point(Lazy):
        x: int

        @gilonce.once_property(slot="_doubled")
        def doubled(self) -> list[int]:
            return [2 * self.x]

    point = Point(3)
    assert point.doubled is point.doubled
    assert point.doubled == [6]
    assert not hasattr(point, "__dict__")
    assert point == Point(3)


@pytest.mark.parametrize("frozen", [True, False])
def test_slotted_attrs_classes_have_lazy_attributes(gilonce: ModuleType, frozen: bool) -> None:
    """attrs makes the class anew too."""

    @attrs.define(frozen=frozen)
    class Point:
        x: int
        _doubled: Any = attrs.field(init=False, repr=False, eq=False)

        @gilonce.once_property(slot="_doubled")
        def doubled(self) -> list[int]:
            return [2 * self.x]

        @gilonce.once_property
        @classmethod
        def origin(cls) -> Point:
            return cls(0)

    point = Point(3)
    assert point.doubled is point.doubled
    assert point.doubled == [6]
    assert Point.origin is Point.origin
    assert not hasattr(point, "__dict__")


def test_an_async_property_may_live_in_a_slot(gilonce: ModuleType) -> None:
    """`slot=` on an `async def`: the slot holds the awaited value."""

    class Slotted:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        async def x(self) -> list[int]:
            return []

    it = Slotted()
    assert drive(it.x) is drive(it.x) is it._x


def test_a_mixin_uses_the_slot_of_the_class_that_declares_it(gilonce: ModuleType) -> None:
    """A property may stand in a base without slots of its own, used by several classes."""

    class Mixin:
        __slots__ = ()

        @gilonce.once_property(slot="_x")
        def x(self) -> list[str]:
            return [type(self).__name__]

    class One(Mixin):
        __slots__ = ("_x",)

    class Two(Mixin):
        __slots__ = ("_x",)

    one, two = One(), Two()
    assert one.x is one.x
    assert (one.x, two.x) == (["One"], ["Two"])


def test_an_override_with_a_slot_of_its_own_keeps_both_values_apart(gilonce: ModuleType) -> None:
    """Under another name, or the same name declared again."""
    calls: list[str] = []

    class Base:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def x(self) -> list[str]:
            calls.append("base")
            return ["base"]

    class Other(Base):
        __slots__ = ("_y",)

        @gilonce.once_property(slot="_y")
        def x(self) -> list[str]:
            return [*super().x, *super().x, "other"]

    class Again(Base):
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def x(self) -> list[str]:
            return [*super().x, *super().x, "again"]

    for cls in (Other, Again):
        calls.clear()
        it = cls()
        assert it.x is it.x
        assert it.x == ["base", "base", cls.__name__.lower()]
        assert calls == ["base"]


def test_what_a_base_gives_is_assigned_to_an_override_as_it_is(gilonce: ModuleType) -> None:
    """What was read stands for the value behind it only where it was read, and not in another slot of that name."""

    class Base:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        async def x(self) -> str:
            return "the base's"

    class Derived(Base):
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        async def x(self) -> str:
            return "its own"

    it: Any = Derived()
    of_base = Base.x.__get__(it)
    assert drive(of_base) == "the base's"
    it.x = of_base = Base.x.__get__(it)
    assert drive(it.x) is of_base


def test_an_override_that_shares_the_slot_and_calls_super_is_told_so(gilonce: ModuleType) -> None:
    """One slot cannot hold two values. Without `super()` it need not."""

    class Base:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def x(self) -> int:
            return 1

    class Plain(Base):
        __slots__ = ()

        @gilonce.once_property(slot="_x")
        def x(self) -> int:
            return 2

    class Calling(Base):
        __slots__ = ()

        @gilonce.once_property(slot="_x")
        def x(self) -> int:
            return super().x + 1

    assert Plain().x == 2
    with pytest.raises(
        TypeError,
        match=r"Base\.x\(\) and .*Calling\.x\(\) both name the slot '_x' of 'Base': each needs a slot of its own",
    ):
        Calling().x


SPELLINGS = ["plain", "field", "factory", "not in __init__"]


def field_with_default(module: Any, spelling: str) -> Any:
    """Return what stands behind `_total: float =`, where `module` is dataclasses or attrs."""
    default = {"factory" if module is attrs else "default_factory": list}
    return {
        "plain": None,
        "field": module.field(default=None),
        "factory": module.field(**default),
        "not in __init__": module.field(default=None, init=False),
    }[spelling]


def remedy(module: Any) -> str:
    compare = "eq" if module is attrs else "compare"
    return f"_total: Any = {module.__name__}.field(init=False, repr=False, {compare}=False)"


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("module", [dataclasses, attrs])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_field_with_a_default_is_no_slot_for_a_value(
    gilonce: ModuleType, module: Any, spelling: str, frozen: bool
) -> None:
    """The default would be there before the value; the error, when the class is made, says what to write."""
    make = attrs.define(frozen=frozen) if module is attrs else dataclasses.dataclass(slots=True, frozen=frozen)
    with class_creation_error() as caught:

        @make
        class Order:
            price: int
            _total: Any = field_with_default(module, spelling)

            @gilonce.once_property(slot="_total")
            def total(self) -> int:
                pytest.fail("must not run")

    message = message_of(caught)
    assert message.startswith("The field '_total' of 'Order' has a default, which fills the slot of 'total' property")
    assert f", {remedy(module)}, or" in message
    assert "declare '_total' in the __slots__ of a base class" in message


@pytest.mark.parametrize("module", [dataclasses, attrs])
def test_a_field_without_a_default_is_a_slot_like_any(gilonce: ModuleType, module: Any) -> None:
    """As the error says; and where `__init__` asks for the value, it is the caller's."""
    make = attrs.define if module is attrs else dataclasses.dataclass(slots=True)
    compare = {"eq" if module is attrs else "compare": False}

    @make
    class Order:
        price: int
        _total: Any = module.field(init=False, repr=False, **compare)

        @gilonce.once_property(slot="_total")
        def total(self) -> list[int]:
            return [self.price]

    order = Order(2)
    assert order.total is order.total is order._total
    assert order == Order(2)
    assert order.total == [2]

    class Lazy:
        __slots__ = ("_total",)

    @make
    class Derived(Lazy):
        price: int

        @gilonce.once_property(slot="_total")
        def total(self) -> list[int]:
            return [self.price]

    assert Derived(3).total == [3]

    @make
    class Given:
        _total: int

        @gilonce.once_property(slot="_total")
        def total(self) -> int:
            return 1

    given = Given(5)
    assert given.total == 5
    del given.total
    assert given.total == 1


@pytest.mark.parametrize("module", [dataclasses, attrs])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_inherited_field_with_a_default_is_no_slot_for_a_value(
    gilonce: ModuleType, module: Any, spelling: str
) -> None:
    """Made known when the class is made, or else at the first access."""
    make = attrs.define if module is attrs else dataclasses.dataclass(slots=True)

    def lazy() -> Any:
        return gilonce.once_property(slot="_total")(lambda self: pytest.fail("must not run"))

    @make
    class Base:
        _total: Any = field_with_default(module, spelling)

    with class_creation_error() as caught:
        make(type("Derived", (Base,), {"total": lazy()}))
    assert remedy(module) in message_of(caught)

    # It is not known whether a decorator will make this one anew.
    plain = type("Derived", (Base,), {"__slots__": (), "total": lazy()})()
    for act in (lambda: plain.total, lambda: setattr(plain, "total", 1)):
        with pytest.raises(TypeError, match="The field '_total' of 'Base' has a default") as refused:
            act()
        assert remedy(module) in str(refused.value)

    @make
    class Lazy:
        _total: Any = module.field(init=False)
        total = gilonce.once_property(slot="_total")(lambda self: "computed")

    # The property is not told of this class.
    @make
    class WithDefault(Lazy):
        _total: Any = field_with_default(module, spelling)

    if module is dataclasses and sys.version_info < (3, 11):
        # There, the slot of the new field is another one.
        assert WithDefault().total == "computed"
    else:
        with pytest.raises(TypeError, match="The field '_total' of 'WithDefault' has a default"):
            WithDefault().total


@pytest.mark.parametrize("module", [dataclasses, attrs])
def test_an_inherited_default_may_be_taken_back(gilonce: ModuleType, module: Any) -> None:
    """It is the field of the class itself that counts; a default that goes elsewhere does no harm."""
    make = attrs.define if module is attrs else dataclasses.dataclass(slots=True)

    @make
    class Base:
        _total: Any = None

    @make
    class Derived(Base):
        _total: Any = module.field(init=False)

        @gilonce.once_property(slot="_total")
        def total(self) -> list[int]:
            return [1]

    assert Derived().total == [1]

    class Lazy:
        __slots__ = ("__dict__", "_total")

        @gilonce.once_property(slot="_total")
        def total(self) -> list[int]:
            return [2]

    # Without slots of its own: the default is an attribute of the class, and the value of the field in the `__dict__`.
    @dataclasses.dataclass
    class Elsewhere(Lazy):
        _total: Any = None

    assert Elsewhere().total == [2]
