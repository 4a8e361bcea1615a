"""once with `slot=`: methods that keep their values in declared slots."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import pickle
import sys
import weakref
from types import ModuleType
from typing import Any

import attrs
import pytest
from support import drive, race, run_python
from support.class_creation import class_creation_error, message_of


def make_slotted(gilonce: ModuleType) -> Any:
    class Slotted:
        __slots__ = ("__private", "__weakref__", "_later", "_value")

        @gilonce.once(slot="_value")
        def value(self) -> list[object]:
            return []

        @gilonce.once(slot="__private")
        def private(self) -> list[object]:
            return []

        @gilonce.once(slot="_later")
        async def later(self) -> list[object]:
            return []

    return Slotted


def test_a_slot_keeps_the_value_of_a_method(gilonce: ModuleType) -> None:
    """There is one value per instance, however the method is called. A private name is mangled."""
    slotted = make_slotted(gilonce)
    one, two = slotted(), slotted()
    assert one.value() is one.value() is slotted.value(one) is one._value
    assert one.value() is not two.value()
    assert one.private() is one.private() is one._Slotted__private
    assert drive(one.later()) is drive(one.later()) is one._later
    assert not hasattr(one, "__dict__")


def test_the_cell_of_a_method_is_its_slot(gilonce: ModuleType) -> None:
    """Every method of the cell reads and writes the slot."""
    it = make_slotted(gilonce)()
    cell = it.value.cell
    assert not cell.is_set()
    assert cell.get("nothing") == "nothing"
    cell.set("set")
    assert it.value() == it._value == "set"
    with pytest.raises(gilonce.AlreadySetError):
        cell.set("again")
    with cell.override("other"):
        assert it.value() == it._value == "other"
    assert cell.take() == "set"
    assert not hasattr(it, "_value")
    with it.value.cell.override("other"):
        assert it.value() == "other"
    assert not cell.is_set()
    assert cell.get_or_init(lambda: "computed") == it.value() == "computed"
    assert gilonce.cell_of(it, "value").get() == "computed"
    it.value.cache_clear()
    assert it.value() == []
    assert drive(it.later.cell.aget_or_init(make_later)) == drive(it.later()) == "later"
    assert repr(it.later.cell) == "<GILOnceCell: 'later'>"
    assert copy.copy(it.later.cell).get() == "later"


async def make_later() -> str:
    return "later"


def test_none_in_a_slot_is_a_value(gilonce: ModuleType) -> None:
    calls: list[object] = []

    class Slotted:
        __slots__ = ("_value",)
        value = gilonce.once(lambda self: calls.append(self), slot="_value")

    it: Any = Slotted()
    assert it.value() is it.value() is None
    assert len(calls) == 1


def test_a_loser_goes_to_discard(gilonce: ModuleType) -> None:
    """The initializer's own call publishes first."""
    discarded: list[object] = []

    class Slotted:
        __slots__ = ("_value",)

        @gilonce.once(slot="_value", discard=discarded.append)
        def value(self) -> object:
            self.value.cell.set("first")
            return "second"

    assert Slotted().value() == "first"
    assert discarded == ["second"]


def test_all_threads_get_one_object(gilonce: ModuleType) -> None:
    it = make_slotted(gilonce)()
    assert len({id(value) for value in race(it.value)}) == 1


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_copies_and_pickles_have_the_value(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    """They share nothing with the original afterwards."""
    slotted = make_slotted(gilonce)
    slotted.__qualname__ = "Slotted"
    monkeypatch.setattr(sys.modules[__name__], "Slotted", slotted, raising=False)
    it = slotted()
    value = it.value()
    it.private().append("private")
    assert copy.copy(it).value() is value
    for copied in copy.deepcopy(it), pickle.loads(pickle.dumps(it, protocol)):
        assert copied.value.cell.get() == value
        assert copied.value() is not value
        assert copied.private() == ["private"]
        copied.value.cell.take()
    assert it.value() is value
    assert not copy.copy(slotted()).value.cell.is_set()


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="where it has no GIL, 3.13 makes every class immortal once there has been a thread",
)
@pytest.mark.parametrize("kind", ["method", "property"])
def test_a_class_that_reaches_the_cell_of_a_slot_is_collected(gilonce: ModuleType, kind: str) -> None:
    """The cell refers to the descriptor of the slot, and that to the class."""

    def make() -> weakref.ref[Any]:
        class Owner:
            __slots__ = ("__weakref__", "_method", "_property")

            @gilonce.once(slot="_method")
            def method(self) -> object:
                return object()

            @gilonce.once_property(slot="_property")
            def property(self) -> object:
                return object()

            def of_closure(self) -> Any:
                return cell

        owner = Owner()
        cell = gilonce.cell_of(owner, kind)
        assert owner.of_closure() is cell
        return weakref.ref(Owner)

    reference = make()
    for _ in range(3):
        gc.collect()
    assert reference() is None


def test_a_value_that_refers_to_its_instance_is_collected(gilonce: ModuleType) -> None:
    class Slotted:
        __slots__ = ("__weakref__", "_value")

        @gilonce.once(slot="_value")
        def value(self) -> list[object]:
            return [self]

    it = Slotted()
    assert it.value()[0] is it
    reference = weakref.ref(it)
    del it
    gc.collect()
    assert reference() is None


def test_a_method_keeps_no_subclass_alive(gilonce: ModuleType) -> None:
    """Where the slot is, is remembered in the class.

    In a process of its own: free-threaded 3.13 makes classes immortal once a thread was started.
    """
    source = """
import gc, weakref
from gilonce import once
class Base:
    __slots__ = ("_x",)
    @once(slot="_x")
    def x(self): return type(self)
class Derived(Base): pass
assert Derived().x() is Derived
gone = weakref.ref(Derived)
del Derived
gc.collect()
assert gone() is None
"""
    run_python(gilonce, "-c", source)


# Subclasses.


def test_a_subclass_inherits_the_method_and_its_slot(gilonce: ModuleType) -> None:
    """A subclass may have a `__dict__`, or declare a slot of the same name again."""
    slotted = make_slotted(gilonce)
    for namespace in ({}, {"__slots__": ()}, {"__slots__": ("_value",)}):
        it: Any = type("Derived", (slotted,), dict(namespace))()
        assert it.value() is it.value() is slotted._value.__get__(it)


def test_an_override_with_a_slot_of_its_own_keeps_both_values_apart(gilonce: ModuleType) -> None:
    """The slot may have another name, or the same name declared again."""
    calls: list[str] = []

    class Base:
        __slots__ = ("_x",)

        @gilonce.once(slot="_x")
        def x(self) -> list[str]:
            calls.append("base")
            return ["base"]

    class Other(Base):
        __slots__ = ("_y",)

        @gilonce.once(slot="_y")
        def x(self) -> list[str]:
            return [*super().x(), *super().x(), "other"]

    class Again(Base):
        __slots__ = ("_x",)

        @gilonce.once(slot="_x")
        def x(self) -> list[str]:
            return [*super().x(), *super().x(), "again"]

    for cls in (Other, Again):
        calls.clear()
        it = cls()
        assert it.x() is it.x()
        assert it.x() == ["base", "base", cls.__name__.lower()]
        assert calls == ["base"]


def test_a_mixin_uses_the_slot_of_the_class_that_declares_it(gilonce: ModuleType) -> None:
    class Mixin:
        __slots__ = ()

        @gilonce.once(slot="_x")
        def x(self) -> list[str]:
            return [type(self).__name__]

    classes = [type(name, (Mixin,), {"__slots__": slots}) for name, slots in (("A", ("_x",)), ("B", ("_a", "_x")))]
    for it in [cls() for cls in classes] * 2:
        assert it.x() is it.x() is it._x  # type: ignore[attr-defined]
        assert it.x() == [type(it).__name__]  # type: ignore[attr-defined]


def test_an_initializer_may_change_the_class_of_its_instance(gilonce: ModuleType) -> None:
    """The value goes to the slot that the instance has afterwards."""

    class Base:
        __slots__ = ()

        @gilonce.once(slot="_x")
        def x(self) -> str:
            self.__class__ = {One: Two, Two: One}[type(self)]
            return "value"

    class One(Base):
        __slots__ = ("_w", "_x")

    # The slots have the same layout and other names.
    class Two(Base):
        __slots__ = ("_w", "_x")

    it = One()
    for _ in range(2):
        before = type(it)
        assert it.x() == "value"
        assert type(it) is not before
        assert it.x.cell.take() == "value"


def test_a_method_may_be_under_a_decorator(gilonce: ModuleType) -> None:
    """Its class is found through `functools.wraps`, and also if the decorator hides it."""

    def polite(function: Any) -> Any:
        return functools.wraps(function)(lambda self: function(self))

    def rude(function: Any) -> Any:
        return lambda self: function(self)

    class Base:
        __slots__ = ("_hidden", "_shown", "_x")

        @polite
        @gilonce.once(slot="_shown")
        def shown(self) -> list[object]:
            return []

        @rude
        @gilonce.once(slot="_hidden")
        def hidden(self) -> list[object]:
            return []

        @property
        @gilonce.once(slot="_x")
        def x(self) -> list[object]:
            return []

    class Derived(Base):
        __slots__ = ("_shown", "_x")

    for cls in Base, Derived:
        it: Any = cls()
        assert it.shown() is it.shown() is Base._shown.__get__(it)  # type: ignore[attr-defined]
        assert it.hidden() is it.hidden() is it._hidden
        assert it.x is it.x is Base._x.__get__(it)  # type: ignore[attr-defined]
    assert gilonce.cell_of(it, "shown").get() is it.shown()


def test_a_function_that_is_put_into_a_class_keeps_its_value_in_a_slot(gilonce: ModuleType) -> None:
    """Its argument is an instance there, and an argument elsewhere."""

    @gilonce.once(slot="_value")
    def value(self: object) -> list[object]:
        return []

    owner = type("Owner", (), {"__slots__": ("_value",), "value": value})
    other: Any = type("Other", (), {"__slots__": ("_value",)})()
    it: Any = owner()
    assert value(it) is it.value() is value(it) is it._value
    for _ in range(2):
        with pytest.raises(TypeError, match=r"value\(\) takes no arguments.* not a method of 'Other'"):
            value(other)
    # As the error says.
    assert value.__get__(other)() is value(other) is other._value


@pytest.mark.parametrize("cell", ["GILOnceCell", "OnceLock"])
def test_another_cell_keeps_the_value_in_the_slot_too(gilonce: ModuleType, cell: str) -> None:
    class Slotted:
        __slots__ = ("_later", "_value")

        @gilonce.once(slot="_value", cell=getattr(gilonce, cell))
        def value(self) -> list[object]:
            return []

        @gilonce.once(slot="_later", cell=getattr(gilonce, cell))
        async def later(self) -> list[object]:
            return []

    it: Any = Slotted()
    assert it.value() is it.value() is it._value is it.value.cell.get()
    assert drive(it.later()) is drive(it.later()) is it._later
    it.value.cell.take()
    assert it.value() is it._value


def test_a_lock_in_a_slot_finds_deadlocks(gilonce: ModuleType) -> None:
    class Slotted:
        __slots__ = ("_value",)

        @gilonce.once(slot="_value", cell=gilonce.OnceLock)
        def value(self) -> object:
            return self.value()

    with pytest.raises(gilonce.DeadlockError, match=r"Slotted\.value\(\)"):
        Slotted().value()


# Classes that a decorator makes anew.


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("module", [dataclasses, attrs])
def test_slotted_dataclasses_and_attrs_classes_have_once_methods(
    gilonce: ModuleType, module: Any, frozen: bool
) -> None:
    """The slot is declared in a base class, or as a field without a default. `super()` works in attrs classes."""
    make = attrs.define(frozen=frozen) if module is attrs else dataclasses.dataclass(slots=True, frozen=frozen)
    compare = {"eq" if module is attrs else "compare": False}

    class Lazy:
        __slots__ = ("_doubled",)

        def shown(self) -> str:
            return "of the base"

    @make
    class Point(Lazy):
        x: int
        _tripled: Any = module.field(init=False, repr=False, **compare)

        @gilonce.once(slot="_doubled")
        def doubled(self) -> list[int]:
            return [2 * self.x]

        @gilonce.once(slot="_tripled")
        def tripled(self) -> list[Any]:
            return [3 * self.x, super().shown() if module is attrs else "of the base"]

    point = Point(3)
    assert point.doubled() is point.doubled()
    assert point.doubled() == [6]
    assert point.tripled() is point.tripled()
    assert point.tripled() == [9, "of the base"]
    assert not hasattr(point, "__dict__")
    assert point == Point(3)
    assert repr(point).endswith("Point(x=3)")


@pytest.mark.parametrize("default", [None, "factory"])
@pytest.mark.parametrize("module", [dataclasses, attrs])
def test_a_field_with_a_default_is_no_slot_for_a_value(gilonce: ModuleType, module: Any, default: Any) -> None:
    """The default would be there before the value. The error says what to write."""
    make = attrs.define if module is attrs else dataclasses.dataclass(slots=True)
    factory = {"factory" if module is attrs else "default_factory": list}
    field = module.field(**factory) if default else default
    with class_creation_error() as caught:

        @make
        class Order:
            price: int
            _total: Any = field

            @gilonce.once(slot="_total")
            def total(self) -> int:
                pytest.fail("must not run")

    message = message_of(caught)
    assert message.startswith("The field '_total' of 'Order' has a default, which fills the slot of the value of ")
    assert "Order.total() before it is computed. Declare the field without a default, _total: Any = " in message
    assert f"{module.__name__}.field(init=False, repr=False" in message


def test_a_default_of_a_subclass_is_found_at_the_first_call(gilonce: ModuleType) -> None:
    @attrs.define
    class Order:
        _total: Any = attrs.field(init=False)
        total = gilonce.once(lambda self: "computed", slot="_total")

    @attrs.define
    class WithDefault(Order):
        _total: Any = None

    assert Order().total() == "computed"
    with pytest.raises(TypeError, match="The field '_total' of 'WithDefault' has a default"):
        WithDefault().total()


# Errors.


class Thing:
    """A class, for the error that says that it has no instance to which the value belongs."""


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: classmethod(len), r"the class method len\(\)"),
        (lambda: staticmethod(len), r"the static method len\(\)"),
        (lambda: Thing, r"the class Thing"),
        (lambda: no_instance, r"no_instance\(\), which requires no instance"),
        (lambda: functools.partial(no_instance), r"<partial of no_instance>\(\), which requires no instance"),
    ],
)
def test_what_has_no_instance_takes_no_slot(gilonce: ModuleType, make: Any, shown: str) -> None:
    """The error is raised at decoration, and names the function."""
    message = rf"@once\(slot='_x'\) cannot wrap {shown}: a slot belongs to an instance.* Leave slot out"
    with pytest.raises(TypeError, match=message):
        gilonce.once(slot="_x")(make())
    with pytest.raises(TypeError, match=message):
        gilonce.once(make(), slot="_x")


def no_instance() -> None: ...


def test_a_call_without_an_instance_says_what_to_write(gilonce: ModuleType) -> None:
    """It is an error to give a class instead of an instance, at the call."""
    slotted = make_slotted(gilonce)
    message = r"Slotted\.value\(\) keeps its value in the slot '_value' of an instance: call it on one, obj\.value\(\)$"
    with pytest.raises(TypeError, match=message):
        slotted.value()

    class Owner:
        __slots__ = ("_x",)

        @classmethod
        @gilonce.once(slot="_x")
        def of_class(cls) -> None: ...

        @staticmethod
        @gilonce.once(slot="_x")
        def static(it: object) -> None: ...

        @gilonce.once(slot="_x")
        def hidden(*args: object) -> None: ...  # type: ignore[misc]

    for use in (Owner.of_class, Owner().of_class, lambda: slotted.value(Owner)):
        with pytest.raises(TypeError, match=r"'Owner' is a class: call it on an instance, obj\..* leave slot out"):
            use()
    for use in (Owner.static, Owner.hidden):
        with pytest.raises(TypeError, match=r"keeps its value in the slot '_x' of an instance: call it on one"):
            use()
    assert Owner().hidden() is None
    with pytest.raises(AttributeError, match=r"use obj\.m\.cell"):
        _ = slotted.value.cell
    with pytest.raises(TypeError, match=r"has one value per instance: use cell_of\(instance, 'value'\)"):
        gilonce.cell_of(slotted, "value")
    with pytest.raises(TypeError, match=r"value\(\) takes no arguments beyond the instance"):
        slotted().value(1)


def test_a_slot_that_is_not_there_is_named(gilonce: ModuleType) -> None:
    """As by once_property; so is another attribute under that name."""

    class Plain:
        taken = 1

        @gilonce.once(slot="_missing")
        def missing(self) -> None: ...

        @gilonce.once(slot="taken")
        def no_slot(self) -> None: ...

    message = (
        r"No slot '_missing' on 'Plain' instance to cache the value of .*Plain\.missing\(\)\. "
        r"Add '_missing' to the __slots__ of 'Plain'$"
    )
    for use in (Plain().missing, lambda: Plain().missing.cell, lambda: Plain.missing(Plain())):
        with pytest.raises(TypeError, match=message):
            use()
    with pytest.raises(TypeError, match=r"No slot 'taken' on 'Plain' instance .* write slot='_taken', and add that to"):
        Plain().no_slot()
    with pytest.raises(TypeError, match="No slot '_missing' on 'int' instance"):
        Plain.missing(1)  # type: ignore[arg-type]


def test_a_class_that_is_made_from_its_fields_is_told_to_inherit_its_slots(gilonce: ModuleType) -> None:
    for make in attrs.define, dataclasses.dataclass(slots=True):
        point = make(type("Point", (), {"m": gilonce.once(lambda self: 1, slot="_x")}))()
        with pytest.raises(TypeError, match="Add '_x' to the __slots__ of a base class, because those of 'Point' are"):
            point.m()


@pytest.mark.parametrize("slot", [3, b"_x", ["_x"]])
def test_the_name_of_a_slot_is_a_str(gilonce: ModuleType, slot: Any) -> None:
    with pytest.raises(TypeError, match=r"once\(slot=\.\.\.\) takes the name of a slot, not"):
        gilonce.once(slot=slot)
    with pytest.raises(TypeError, match=r"once\(slot=\.\.\.\) takes the name of a slot, not"):
        gilonce.once(no_instance, slot=slot)


@pytest.mark.parametrize("cell", ["ThreadOnceCell", "LoopOnceCell"])
def test_a_cell_that_is_not_final_takes_no_slot(gilonce: ModuleType, cell: str) -> None:
    message = rf"once\(slot=\.\.\., cell=\.\.\.\) cannot keep the values of a {cell} in a slot.*: leave slot out"
    with pytest.raises(TypeError, match=message):
        gilonce.once(slot="_x", cell=getattr(gilonce, cell))


def test_a_cell_of_ones_own_needs_a_dict_beside_the_slot(gilonce: ModuleType) -> None:
    """The advice names what works: a slot alone would not."""
    make = type("OwnCell", (gilonce.GILOnceCell,), {})
    for slots, options in ((("_x",), {"slot": "_x"}), ((), {})):
        namespace = {"__slots__": slots, "m": gilonce.once(lambda self: [1], cell=make, **options)}
        with pytest.raises(TypeError, match=r"Add '__dict__' to the __slots__ of its class\. If it is not meant"):
            type("Owner", (), namespace)().m()
    method = gilonce.once(lambda self: [1], slot="_x", cell=make)
    it: Any = type("Owner", (), {"__slots__": ("_x", "__dict__"), "m": method})()
    assert it.m() is it.m() is it._x


def test_two_users_of_one_slot_are_told_so(gilonce: ModuleType) -> None:
    """A method and a property, or two methods, whichever is used first."""

    def make(**entries: Any) -> Any:
        return type("Owner", (), {"__slots__": ("_x", "_y"), **entries})()

    def method(self: object) -> str:
        return "method"

    def other(self: object) -> str:
        return "other"

    def once(function: Any) -> Any:
        return gilonce.once(function, slot="_x")

    def lazy(function: Any) -> Any:
        return gilonce.once_property(slot="_x")(function)

    for it in make(a=once(method), b=once(other)), make(a=once(method), b=lazy(other)):
        with pytest.raises(TypeError, match=r"both name the slot '_x' of 'Owner': each needs a slot of its own"):
            it.a()
    with pytest.raises(TypeError, match=r"method\(\) and .*other\(\) both name the slot '_x' of 'Owner'"):
        _ = make(a=lazy(method), b=once(other)).a
    both = once(method)
    it = make(a=both, b=both, c=gilonce.once(other))
    assert it.a() is it.b() == "method"


def test_an_override_that_shares_the_slot_and_calls_super_is_told_so(gilonce: ModuleType) -> None:
    """One slot cannot hold two values. Without `super()` it need not."""

    class Base:
        __slots__ = ("_x",)

        @gilonce.once(slot="_x")
        def x(self) -> int:
            return 1

    class Plain(Base):
        __slots__ = ()

        @gilonce.once(slot="_x")
        def x(self) -> int:
            return 2

    class Calling(Base):
        __slots__ = ()

        @gilonce.once(slot="_x")
        def x(self) -> int:
            return super().x() + 1

    assert Plain().x() == 2
    with pytest.raises(TypeError, match=r"Base\.x\(\) and .*Calling\.x\(\) both name the slot '_x' of 'Base'"):
        Calling().x()


def test_the_advice_for_a_class_without_a_dict_works(gilonce: ModuleType) -> None:
    """The error of `@once` names `@once(slot=...)`."""

    class Slotted:
        __slots__ = ()

        @gilonce.once
        def m(self) -> list[object]:
            return []

        @gilonce.once(cell=gilonce.OnceLock)
        def locked(self) -> list[object]:
            return []

    for use in Slotted().m, Slotted().locked:
        with pytest.raises(
            TypeError,
            match=r"Declare a slot for it in the __slots__ of its class, and name that: @once\(slot='_name'\)\. "
            r"Or add '__dict__' there",
        ):
            use()


@pytest.mark.parametrize("decorator", ["once", "once_property"])
def test_a_class_without_room_for_a_slot_gets_other_advice(gilonce: ModuleType, decorator: str) -> None:
    """A NamedTuple cannot declare slots, and a struct of msgspec is known by its configuration."""
    body = {"__slots__": (), "m": getattr(gilonce, decorator)(slot="_x")(lambda self: [1])}
    struct = type("Point", (), {**body, "__struct_config__": None})
    named = type("Point", (tuple,), {**body, "_fields": ()})
    for it, advice in (
        (struct(), r"Write class Point\(msgspec\.Struct, dict=True\), and leave slot out$"),
        (named(), r"to a subclass: class \.\.\.\(Point\), without __slots__, and leave slot out$"),
    ):
        with pytest.raises(TypeError, match=advice):
            _ = it.m() if decorator == "once" else it.m
