"""once_property: where the value is kept, what has one value, overriding, and copies."""

from __future__ import annotations

import copy
import dataclasses
import gc
import itertools
import pickle
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections import UserDict
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support import drive, run_python


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


# Per class, and static


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


def test_an_instance_that_is_a_tuple_is_one_argument(gilonce: ModuleType) -> None:
    """A tuple must not be used as the arguments."""

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


def test_a_value_that_is_the_attributes_own_name_is_a_value(gilonce: ModuleType) -> None:
    """In a mapping that is not a dict, too, which is asked with a default."""
    runs: list[int] = []

    class Owner:
        def __init__(self) -> None:
            self.namespace: Any = UserDict()

        __slots__ = ("namespace",)
        __dict__ = property(lambda self: self.namespace)

        @gilonce.once_property
        def x(self) -> str:
            runs.append(1)
            return sys.intern("x")

    owner = Owner()
    assert (owner.x, owner.x, len(runs)) == ("x", "x", 1)
    cell = vars(Owner)["x"]._cell_of(owner)
    assert (cell.is_set(), cell.get(), cell.take(), cell.is_set()) == (True, "x", "x", False)
