"""once_property: where the value is kept, per what, overriding, and the errors."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import gc
import itertools
import pickle
import sys
import threading
import warnings
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import attrs
import pytest
from support import drive, run_python, run_threads


@pytest.fixture
def circle(gilonce: ModuleType) -> Any:
    """A class with a lazy attribute, which counts how often it is computed."""

    class Circle:
        computed = 0

        @gilonce.once_property
        def area(self) -> list[int]:
            """The area."""
            type(self).computed += 1
            return [314]

    return Circle


def test_get_may_be_called_by_its_name(gilonce: ModuleType) -> None:
    """`descriptor.__get__(None)` is the descriptor, as with functools; also in a subclass, and by `super()`."""

    class Inherits(gilonce.once_property):
        pass

    class Overrides(gilonce.once_property):
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            return super().__get__(instance, owner)

    class Late(gilonce.once_property):
        pass

    Late.__get__ = lambda *_: "late"  # type: ignore[method-assign]
    for kind, slot in itertools.product((gilonce.once_property, Inherits, Overrides), (None, "_slot")):

        class Owner:
            __slots__ = ("__dict__", "_slot")

            attribute = kind(lambda self: [self], slot=slot)

        descriptor = vars(Owner)["attribute"]
        assert descriptor.__get__(None) is descriptor.__get__(None, None) is descriptor
        assert descriptor.__get__(None, Owner) is descriptor.__get__(owner=Owner, instance=None) is descriptor
        it = Owner()
        assert it.attribute is it.attribute
        assert descriptor.__get__(it) is descriptor.__get__(it, owner=Owner)
        assert it.attribute == [it]
        for arguments, keywords in (((), {}), ((it, Owner, 1), {}), ((it,), {"instance": it}), ((it,), {"cls": Owner})):
            with pytest.raises(TypeError, match="__get__"):
                descriptor.__get__(*arguments, **keywords)

    class Last:
        attribute = Late(lambda _: "inherited")

    assert Last().attribute == "late"


# Per instance, in the `__dict__`


def test_the_value_is_an_attribute_under_its_own_name(circle: Any) -> None:
    """After the first read the instance has a plain attribute, and nothing else."""
    it = circle()
    area = it.area
    assert vars(it) == {"area": area}
    assert it.area is area
    assert circle.computed == 1


def test_del_forgets_and_assignment_sets(circle: Any) -> None:
    """As with `functools.cached_property`."""
    it = circle()
    it.area = 3
    assert it.area == 3
    del it.area
    assert it.area == [314]
    del it.area
    with pytest.raises(AttributeError, match="area"):
        del it.area


def test_the_class_gives_the_descriptor_with_the_functions_documentation(gilonce: ModuleType, circle: Any) -> None:
    """`Cls.x` is the once_property, as `functools.cached_property` would be."""
    assert isinstance(circle.area, gilonce.once_property)
    assert circle.area.__doc__ == "The area."
    assert circle.area.__module__ == __name__
    assert circle.area.attrname == "area"
    assert circle.area.func(circle()) == [314]
    assert gilonce.once_property[int, str].__origin__ is gilonce.once_property


def test_an_explicit_get_reads_what_is_there(circle: Any) -> None:
    """`__get__` on an instance that has the value computes nothing."""
    it = circle()
    assert circle.area.__get__(it, circle) is it.area
    assert circle.computed == 1


def test_an_attribute_with_a_mangled_name_is_kept_under_it(gilonce: ModuleType) -> None:
    """`__x` in a class body is `_Cls__x`, here as everywhere."""

    class Private:
        @gilonce.once_property
        def __secret(self) -> object:
            return object()

        def read(self) -> object:
            return self.__secret

    it = Private()
    assert it.read() is it.read() is vars(it)["_Private__secret"]


def test_patching_an_attribute_puts_everything_back(circle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mock.patch.object` and `monkeypatch.setattr`, on the instance and on the class."""
    descriptor = vars(circle)["area"]
    it = circle()
    with mock.patch.object(it, "area", "patched"):
        assert it.area == "patched"
    assert it.area == [314]
    with mock.patch.object(circle, "area", "patched"):
        assert circle().area == "patched"
    assert vars(circle)["area"] is descriptor
    with monkeypatch.context() as patch:
        patch.setattr(it, "area", "patched")
        assert it.area == "patched"
    with monkeypatch.context() as patch:
        patch.setattr(circle, "area", "patched")
        assert circle().area == "patched"
    assert vars(circle)["area"] is descriptor
    assert it.area == circle().area == [314]


def test_a_frozen_dataclass_has_lazy_attributes(gilonce: ModuleType) -> None:
    """Frozen is what the program may not assign; a lazy value is none of its assignments."""

    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int

        @gilonce.once_property
        def doubled(self) -> list[int]:
            return [2 * self.x]

    point = Point(3)
    assert point.doubled is point.doubled
    assert point == Point(3)
    assert hash(point) == hash(Point(3))


@pytest.mark.parametrize("above", [True, False])
def test_an_abstract_property_stays_abstract(gilonce: ModuleType, above: bool) -> None:
    """`@abstractmethod` counts, above and below; an override makes the class concrete."""

    def x(self: object) -> int:
        return 1

    decorated = gilonce.once_property(abstractmethod(x)) if above else abstractmethod(gilonce.once_property(x))
    base = type("Base", (ABC,), {"x": decorated})
    with pytest.raises(TypeError, match="abstract"):
        base()
    assert type("Concrete", (base,), {"x": gilonce.once_property(lambda self: 1)})().x == 1


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_an_abstract_value_of_a_class_is_not_computed_and_stays_abstract(gilonce: ModuleType, kind: Any) -> None:
    """ABCMeta reads inherited names to see whether they are abstract."""
    calls: list[object] = []
    base = type("Base", (ABC,), {"x": gilonce.once_property(kind(abstractmethod(lambda *args: calls.append(1))))})
    derived = type("Derived", (base,), {})
    with pytest.raises(TypeError, match="abstract"):
        derived()
    assert calls == []
    assert type("Concrete", (base,), {"x": gilonce.once_property(kind(lambda *args: 1))})().x == 1


def test_a_bound_method_is_called_as_it_is_bound(gilonce: ModuleType) -> None:
    """`once_property(helper.compute)`: the helper keeps its place, the instance is the argument."""

    class Helper:
        def compute(self, instance: object) -> tuple[object, object]:
            return self, instance

    helper = Helper()
    owner = type("Owner", (), {"x": gilonce.once_property(helper.compute)})()
    assert owner.x == (helper, owner)


def test_a_copy_of_the_descriptor_is_a_descriptor(gilonce: ModuleType, circle: Any) -> None:
    """What copies the attributes of a class gets a property that works."""
    copied = copy.copy(circle.area)
    assert type(copied) is gilonce.once_property
    assert type("Other", (), {"computed": 0, "area": copied})().area == [314]


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", ["plain", "slot", "async", "class", "static"])
def test_a_copy_of_the_descriptor_has_values_of_its_own(gilonce: ModuleType, make: Any, kind: str) -> None:
    """It is another definition, and goes on discarding into the one pool."""
    pool = threading.Lock()

    async def later(self: object) -> object:
        return object()

    function: Any = {
        "async": later,
        "class": classmethod(lambda cls: object()),
        "static": staticmethod(lambda: object()),
    }.get(kind, lambda self: object())
    original = gilonce.once_property(slot="_x" if kind == "slot" else None, discard=pool.acquire)(function)
    copied = make(original)
    assert type(copied) is type(original)
    assert copied._definition.key != original._definition.key
    assert copied._definition.discard == pool.acquire
    one, two = (type("C", (), {"__slots__": ("__dict__", "_x"), "x": it})() for it in (original, copied))
    values = [drive(it.x) if kind == "async" else it.x for it in (one, two, one, two)]
    assert values[0] is values[2] is not values[1] is values[3]


def test_reading_lazy_attributes_does_not_change_what_vars_shows(gilonce: ModuleType) -> None:
    """A loop over `vars(cls)` may read each of them."""

    class Settings:
        __slots__ = ("_x",)

        @gilonce.once_property
        @classmethod
        def of_class(cls) -> int:
            return 1

        @gilonce.once_property(slot="_x")
        def of_instance(self) -> int:
            return 2

        @gilonce.once
        @classmethod
        def method(cls) -> int:
            return 3

    settings = Settings()
    values = {name: getattr(settings, name) for name in vars(Settings) if not name.startswith("_")}
    assert (values["of_class"], values["of_instance"], values["method"]()) == (1, 2, 3)
    for _ in vars(Settings):
        Settings.method()


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


# Overriding


def test_an_override_that_calls_super_keeps_both_values_apart(gilonce: ModuleType) -> None:
    """The base's value is not frozen into the derived name, and is computed once per instance."""
    calls: list[str] = []

    class Base:
        @gilonce.once_property
        def x(self) -> list[str]:
            calls.append("base")
            return ["base"]

    class Derived(Base):
        @gilonce.once_property
        def x(self) -> list[str]:
            calls.append("derived")
            return [*super().x, *super().x, "derived"]

    it = Derived()
    assert it.x is it.x
    assert it.x == ["base", "base", "derived"]
    assert super(Derived, it).x is super(Derived, it).x
    assert calls == ["derived", "base"]
    plain = Base()
    assert plain.x == ["base"]
    assert vars(plain) == {"x": ["base"]}


def test_an_override_by_another_kind_of_property_leaves_the_base_lazy(gilonce: ModuleType) -> None:
    """Overridden by `property`, the base's value is still computed once per instance."""
    calls: list[str] = []

    class Base:
        @gilonce.once_property
        def x(self) -> int:
            calls.append("base")
            return 1

    class Derived(Base):
        @property
        def x(self) -> int:
            return super().x + 1

    it = Derived()
    assert [it.x, it.x] == [2, 2]
    assert calls == ["base"]


def test_three_levels_and_a_diamond_each_keep_their_own(gilonce: ModuleType) -> None:
    """Every definition along the MRO has a value of its own."""

    def make(name: str, *bases: type) -> type:
        class Local(*bases):  # type: ignore[misc]
            @gilonce.once_property
            def x(self) -> list[str]:
                return [name, *getattr(super(), "x", [])]

        return Local

    base = make("base")
    left, right = make("left", base), make("right", base)
    assert make("bottom", left, right)().x == ["bottom", "left", "right", "base"]


# Per class, static, async


def test_a_classmethod_is_a_lazy_class_attribute(gilonce: ModuleType) -> None:
    """One value per class, read from the class or an instance; a subclass has its own."""

    class Base:
        @gilonce.once_property
        @classmethod
        def table(cls) -> list[type]:
            return [cls]

    class Derived(Base):
        pass

    class Overriding(Base):
        @gilonce.once_property
        @classmethod
        def table(cls) -> list[Any]:
            return ["own", *super().table]

    assert Base.table is Base.table is Base().table
    assert (Base.table, Derived.table) == ([Base], [Derived])
    assert Overriding.table == ["own", Overriding]
    assert Overriding.table is Overriding().table


def test_a_base_class_keeps_no_subclass_alive(gilonce: ModuleType) -> None:
    """Even where the value per class refers to the class.

    In a process of its own: free-threaded 3.13 makes classes immortal once a thread was started.
    """
    source = """
import gc, weakref
from gilonce import once_property
class Base:
    __slots__ = ("_x",)
    @once_property
    @classmethod
    def me(cls): return cls
    @once_property(slot="_x")
    def x(self): return type(self)
class Derived(Base): pass
assert Derived.me is Derived is Derived().x
gone = weakref.ref(Derived)
del Derived
gc.collect()
assert gone() is None
"""
    run_python(gilonce, "-c", source)


def test_a_staticmethod_has_one_value_for_all(gilonce: ModuleType) -> None:
    """Class, subclass and instance read the same object."""

    class Base:
        @gilonce.once_property
        @staticmethod
        def pool() -> object:
            return object()

    class Derived(Base):
        pass

    assert Base.pool is Derived.pool is Base().pool


def test_an_async_property_is_awaited_as_often_as_one_likes(gilonce: ModuleType) -> None:
    """Computed once per instance; the attribute itself may be kept and awaited again."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            await asyncio.sleep(0)
            return object()

        @gilonce.once_property
        @classmethod
        async def pool(cls) -> list[type]:
            return [cls]

    async def main() -> None:
        client = Client()
        kept = client.session
        one = await kept
        assert one is await kept is await client.session is await asyncio.create_task(client.session)
        assert one is not await Client().session
        assert await Client.pool is await client.pool

    asyncio.run(main())
    client = Client()
    assert asyncio.run(client.session) is asyncio.run(client.session)


def test_looking_at_an_async_property_leaves_no_coroutine_behind(gilonce: ModuleType) -> None:
    """`hasattr` begins nothing, so nothing complains of never having been awaited."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            return object()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hasattr(Client(), "session")
        Client().session.close()
        gc.collect()


def test_an_async_property_may_be_thrown_into_and_closed_as_a_coroutine(gilonce: ModuleType) -> None:
    """Run as a task, it can be cancelled, and leaves nothing set."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            await asyncio.Event().wait()
            return object()

    async def main() -> None:
        client = Client()
        task = asyncio.create_task(client.session)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        begun = client.session
        begun.send(None)
        begun.close()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            begun.send(None)
        client.session = "assigned"
        assert await client.session == "assigned"

    asyncio.run(main())


def test_what_is_thrown_into_an_async_property_before_it_has_begun_ends_it(gilonce: ModuleType) -> None:
    """As with any coroutine; nothing has run."""

    class Client:
        @gilonce.once_property
        async def session(self) -> None:
            pytest.fail("must not run")

    client = Client()
    session = client.session
    with pytest.raises(ValueError, match="thrown"):
        session.throw(ValueError("thrown"))
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        session.send(None)
    assert vars(client) == {}


def test_an_async_property_is_assigned_and_deleted_like_any(gilonce: ModuleType) -> None:
    """`obj.x = v` is what awaiting gives; `del obj.x` forgets it."""

    class Client:
        @gilonce.once_property
        async def session(self) -> str:
            return "computed"

    client = Client()
    client.session = "assigned"
    assert drive(client.session) == "assigned"
    del client.session
    assert drive(client.session) == "computed"
    del client.session
    with pytest.raises(AttributeError, match="session"):
        del client.session


def test_monkeypatch_puts_an_async_property_back(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before and is assigned again means the value, or that there was none."""

    class Client:
        __slots__ = ("__dict__", "_slotted")

        @gilonce.once_property
        async def session(self) -> object:
            return object()

        @gilonce.once_property(slot="_slotted")
        async def slotted(self) -> object:
            return object()

    client = Client()
    for name in ("session", "slotted"):
        with monkeypatch.context() as patch:
            patch.setattr(client, name, "patched")
            assert drive(getattr(client, name)) == "patched"
        value = drive(getattr(client, name))
        assert value != "patched"
        with monkeypatch.context() as patch:
            patch.setattr(client, name, "patched")
        assert drive(getattr(client, name)) is value

    async def shared() -> object:
        return object()

    # Any other awaitable is a value like any.
    for foreign in (Client().session, Client().slotted, gilonce.once_property(staticmethod(shared)).__get__(None)):
        client.session = client.slotted = foreign
        assert drive(client.session) is drive(client.slotted) is foreign


# In a slot


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
    """There is no room for two values in one slot; without `super()` there is no need."""

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


# Copies


def test_copies_carry_the_value_and_nothing_shared(
    gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`copy`, `deepcopy` and pickle see plain values: in the `__dict__`, and the base's too."""
    source = """
from gilonce import once_property
class Base:
    @once_property
    def x(self): return ["base"]
    @once_property
    async def y(self): return ["awaited"]
class Derived(Base):
    @once_property
    def x(self): return [*super().x, "derived"]
"""
    name = f"properties_in_a_module_{next(serial)}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(name)
    it = module.Derived()
    assert (it.x, drive(it.y)) == (["base", "derived"], ["awaited"])
    assert vars(it) == {"x": it.x, f"{name}.Base.x()": ["base"], f"{name}.Base.y()": ["awaited"]}
    for copied in (copy.copy(it), copy.deepcopy(it), pickle.loads(pickle.dumps(it))):
        assert vars(copied) == vars(it)
        del copied.x
        assert "x" in vars(it)
    del sys.modules[name]


#: A second import of one module would be a second definition of its functions.
serial = itertools.count()


def test_a_value_that_refers_to_its_instance_is_collected_with_it(gilonce: ModuleType) -> None:
    """A plain cycle, which the garbage collector knows."""

    class Node:
        @gilonce.once_property
        def me(self) -> Node:
            return self

    node = Node()
    assert node.me is node
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


# Subclasses of once_property


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


# Errors


@pytest.mark.parametrize("thing", [3, "name"])
def test_what_is_not_callable_is_refused(gilonce: ModuleType, thing: object) -> None:
    """At decoration, by name."""
    with pytest.raises(TypeError, match=r"once_property takes a callable, not .* \((int|str)\)"):
        gilonce.once_property(thing)


def test_wrong_arguments_to_the_decorator_are_refused(gilonce: ModuleType) -> None:
    """`slot` is a name, `discard` a callable, and both are checked before any function comes."""
    with pytest.raises(TypeError, match=r"once_property\(slot=\.\.\.\) takes the name of a slot, not 3"):
        gilonce.once_property(slot=3)
    with pytest.raises(TypeError, match=r"once_property\(discard=\.\.\.\) takes a callable"):
        gilonce.once_property(discard=3)


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_slot_is_for_values_of_instances(gilonce: ModuleType, kind: Any) -> None:
    """A value per class or process does not fit into an instance's slot."""
    with pytest.raises(TypeError, match=rf"slot='_x'\) cannot wrap a {kind.__name__}"):
        gilonce.once_property(slot="_x")(kind(lambda *args: 1))


def test_a_class_without_a_dict_is_told_to_name_a_slot(gilonce: ModuleType) -> None:
    """The error says what to add, and the function has not run."""

    class Slotted:
        __slots__ = ()

        @gilonce.once_property
        def x(self) -> int:
            raise AssertionError("must not run")

    with pytest.raises(TypeError, match=r"No '__dict__' attribute on 'Slotted' instance to cache 'x' property.*slot='"):
        Slotted().x


def test_a_dict_that_cannot_be_written_is_a_type_error(gilonce: ModuleType) -> None:
    """A metaclass's instances have one; the message points to classmethod."""

    class Meta(type):
        @gilonce.once_property
        def x(cls) -> int:
            raise AssertionError("must not run")

    class Owner(metaclass=Meta):
        pass

    with pytest.raises(TypeError, match=r"__dict__' attribute on 'Meta' instance does not support item assignment"):
        Owner.x


@pytest.mark.parametrize("declared", ["nothing", "a plain attribute"])
def test_a_slot_that_is_not_there_is_a_type_error(gilonce: ModuleType, declared: str) -> None:
    """The error names slot, class and attribute."""

    class Owner:
        if declared == "a plain attribute":
            _x = 1

        @gilonce.once_property(slot="_x")
        def x(self) -> int:
            raise AssertionError("must not run")

    with pytest.raises(TypeError, match=r"No slot '_x' on 'Owner' instance to cache 'x' property.*__slots__"):
        Owner().x


def class_creation_error() -> Any:
    """Expect a TypeError, which before 3.12 arrives as the cause of a RuntimeError."""
    return pytest.raises((TypeError, RuntimeError))


def message_of(caught: Any) -> str:
    return str(caught.value if isinstance(caught.value, TypeError) else caught.value.__cause__)


def test_two_names_are_a_type_error(gilonce: ModuleType) -> None:
    """As with `functools.cached_property`; the same name in two classes is fine."""
    shared = gilonce.once_property(lambda self: 1)
    with class_creation_error() as caught:
        type("Owner", (), {"a": shared, "b": shared})
    assert message_of(caught) == "Cannot assign the same once_property to two different names ('a' and 'b')."
    one, two = type("One", (), {"a": shared}), type("Two", (), {"a": shared})
    assert one().a == two().a == 1


@pytest.mark.parametrize("how", ["one class", "two mixins", "base and derived", "private name"])
def test_two_properties_on_one_slot_are_a_type_error(gilonce: ModuleType, how: str) -> None:
    """Each would read the other's value."""

    def lazy(slot: str = "_v") -> Any:
        return gilonce.once_property(slot=slot)(lambda self: 1)

    if how == "one class":
        cls = type("C", (), {"__slots__": ("_v",), "a": lazy(), "b": lazy()})
    elif how == "two mixins":
        first, second = (type("M", (), {"__slots__": (), name: lazy()}) for name in "ab")
        cls = type("C", (first, second), {"__slots__": ("_v",)})
    elif how == "base and derived":
        cls = type("D", (type("B", (), {"__slots__": ("_v",), "a": lazy()}),), {"__slots__": (), "b": lazy()})
    else:
        cls = type("C", (), {"__slots__": ("_C__v",), "a": lazy("__v"), "b": lazy("_C__v")})
    for name in "ab":
        with pytest.raises(TypeError, match=r"both name the slot '_(C_)?_?v' of '\w': each needs a slot of its own"):
            getattr(cls(), name)


@pytest.mark.parametrize("slot", [None, "_x"])
def test_no_name_is_a_type_error_that_says_what_to_call(gilonce: ModuleType, slot: str | None) -> None:
    """Assigned to a class after the fact, the property does not know its name."""

    class Owner:
        __slots__ = ("__dict__", "_x")

    Owner.x = gilonce.once_property(functools.partial(lambda self: 1), slot=slot)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="Cannot use once_property instance without calling __set_name__ on it") as hit:
        Owner().x  # type: ignore[attr-defined]
    assert "__set_name__(cls, name)" in str(hit.value)
    Owner.x.__set_name__(Owner, "x")  # type: ignore[attr-defined]
    assert Owner().x == 1  # type: ignore[attr-defined]


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
    """Who was to close the losers before is not asked any more."""

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


def test_an_instance_that_is_a_tuple_is_one_argument(gilonce: ModuleType) -> None:
    """A tuple is not to be taken for arguments."""

    class Owner(tuple[int, ...]):
        @gilonce.once_property
        def x(self) -> object:
            return object()

        y = gilonce.once_property(lambda self: self, slot="_y")

        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    owner = Owner((1, 2))
    assert owner.x is owner.x
    with pytest.raises(TypeError, match="No slot '_y' on 'Owner' instance"):
        owner.y


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


def test_an_initializer_may_change_the_class_of_a_slot(gilonce: ModuleType) -> None:
    """Its slot there is another's place, and keeps that one's value."""

    class Other:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def y(self) -> str:
            return "the other's"

    class Owner:
        __slots__ = ("_x",)

        @gilonce.once_property(slot="_x")
        def x(self) -> str:
            self.__class__ = Other  # type: ignore[assignment]
            return "value"

    owner: Any = Owner()
    with pytest.raises(TypeError, match="_x"):
        owner.x
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
