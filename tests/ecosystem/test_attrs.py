"""attrs: classes with `__slots__`, which `@attrs.define` makes, beside functools in the same place.

attrs takes the function of a `functools.cached_property` from the class body, and keeps the value in a slot. It does
the same with a `once_property`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import pickle
import sys
import threading
from types import MemberDescriptorType, ModuleType
from typing import Any, get_type_hints

import pytest
from support import WATCHDOG, drive, race, run_threads
from support.comparison import Case, Given, Tool, importable, meeting, race_for

ATTRS = Tool("attrs")


def make_class(given: Given, **options: Any) -> Any:
    """Return a slotted class with a field, and an attribute that is computed once."""
    import attrs

    @attrs.define(**options)
    class Point:
        size: int = 1

        @given.once_property
        def value(self) -> list[int]:
            """The docstring."""
            return [self.size]

    return Point


@ATTRS.case()
def value_is_in_a_slot(given: Given) -> None:
    """The value is in a slot that attrs makes, and no slot needs to be declared."""
    cls = make_class(given)
    point = cls(3)
    assert not hasattr(point, "__dict__")
    assert type(vars(cls)["value"]) is MemberDescriptorType
    assert point.value == [3]
    assert point.value is point.value
    assert cls.value.__get__(point) is point.value


@ATTRS.case()
def assignment_and_deletion(given: Given) -> None:
    """`obj.x = v` sets the value, and `del obj.x` forgets it."""
    point = make_class(given)(3)
    first = point.value
    del point.value
    assert point.value == first
    assert point.value is not first
    point.value = [0]
    assert point.value == [0]


@ATTRS.case()
def fields_only(given: Given) -> None:
    """`asdict`, `evolve`, `==`, `repr` and the order know the fields only."""
    import attrs

    cls = make_class(given, order=True, unsafe_hash=True)
    point = cls(3)
    assert point.value == [3]
    assert attrs.asdict(point) == {"size": 3}
    assert attrs.evolve(point, size=4).value == [4]
    assert point == cls(3)
    assert point < cls(4)
    assert hash(point) == hash(cls(3))
    assert repr(point).endswith("Point(size=3)")


@ATTRS.case()
def frozen(given: Given) -> None:
    """A frozen class computes the value, and refuses an assignment."""
    import attrs

    point = make_class(given, frozen=True)(3)
    assert point.value is point.value
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.value = [0]


@ATTRS.case()
def annotations(given: Given) -> None:
    """attrs takes the attribute's type from the function."""
    if sys.version_info >= (3, 14):
        pytest.skip("attrs looks for annotations elsewhere")
    assert get_type_hints(make_class(given))["value"] == list[int]


@ATTRS.case()
def copies(given: Given) -> None:
    """Copies and pickles work."""
    cls = make_class(given)
    importable(cls)
    point = cls(3)
    assert point.value == [3]
    for copied in copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point)):
        assert copied == point
        assert copied.value == [3]


@ATTRS.case()
def super_in_the_function(given: Given) -> None:
    """The function of the attribute may call `super()`."""
    import attrs

    class Base:
        __slots__ = ()

        def number(self) -> int:
            return 1

    @attrs.define
    class Point(Base):
        @given.once_property
        def value(self) -> int:
            return super().number() + 1

    assert Point().value == 2


@ATTRS.case()
def inheritance(given: Given) -> None:
    """A slotted subclass inherits the attribute or overrides it, and a plain subclass keeps the slot."""
    import attrs

    cls = make_class(given)

    @attrs.define
    class Same(cls):  # type: ignore[misc, valid-type]
        pass

    @attrs.define
    class Other(cls):  # type: ignore[misc, valid-type]
        @given.once_property
        def value(self) -> list[int]:
            return [0]

        @given.once_property
        def more(self) -> list[int]:
            return [*self.value, 1]

    class Plain(cls):  # type: ignore[misc, valid-type]
        pass

    for sub, expected in (Same, [3]), (Other, [0]), (Plain, [3]):
        point = sub(3)
        assert point.value == expected
        assert point.value is point.value
    assert Other(3).more == [0, 1]
    plain = Plain(3)
    assert plain.value
    assert vars(plain) == {}


@ATTRS.case()
def own_getattr(given: Given) -> None:
    """A class with its own `__getattr__` keeps it for other names."""
    import attrs

    @attrs.define
    class Point:
        def __getattr__(self, name: str) -> str:
            if name.startswith("any_"):
                return name
            raise AttributeError(name)

        @given.once_property
        def value(self) -> list[int]:
            return [1]

    point = Point()
    assert point.value is point.value
    assert point.any_name == "any_name"
    with pytest.raises(AttributeError):
        point.other  # type: ignore[attr-defined]


@ATTRS.case()
def without_slots(given: Given) -> None:
    """With `slots=False` the value is in the instance's `__dict__`."""
    point = make_class(given, slots=False)(3)
    assert point.value is point.value
    assert vars(point)["value"] is point.value


@ATTRS.case(functools="a classmethod is not callable, so `functools.cached_property` cannot wrap it")
def class_level(given: Given) -> None:
    """An attribute with one value per class, or for all, stays what it is, and may call `super()`."""
    import attrs

    class Base:
        @classmethod
        def number(cls) -> int:
            return 1

    @attrs.define
    class Point(Base):
        @given.once_property
        @classmethod
        def of_class(cls) -> list[int]:
            return [super().number()]

        @given.once_property
        @staticmethod
        def of_all() -> object:
            return object()

    assert Point.of_class is Point().of_class
    assert Point.of_class == [1]
    assert Point.of_all is Point().of_all


@pytest.mark.parametrize("case", ATTRS.cases, ids=str)
def test_a_slotted_class_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)


@pytest.mark.parametrize("base_has_dict", [False, True])
def test_all_threads_get_one_object_from_a_slotted_class(gilonce: ModuleType, base_has_dict: bool) -> None:
    """Eight threads compute, one publishes, and the losers are discarded."""
    attrs = ATTRS.require()
    meet = meeting()
    discarded: list[object] = []

    class Base:
        __slots__ = ("__dict__",) if base_has_dict else ()

    @attrs.define  # type: ignore[misc]
    class Point(Base):
        @gilonce.once_property
        def value(self) -> object:
            meet()
            return object()

        @gilonce.once_property(discard=discarded.append)
        def discards(self) -> object:
            meet()
            return object()

    point = Point()
    race_for(lambda: point.value)
    race_for(lambda: point.discards)
    assert len({id(loser) for loser in discarded} - {id(point.discards)}) == 7


def test_a_failure_leaves_the_slot_empty(gilonce: ModuleType) -> None:
    attrs = ATTRS.require()
    outcomes = [ValueError("first"), "second"]

    @attrs.define  # type: ignore[misc]
    class Point:
        @gilonce.once_property
        def value(self) -> object:
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    point = Point()
    with pytest.raises(ValueError, match="first"):
        point.value
    assert point.value == "second"


def test_the_cell_is_not_lost(gilonce: ModuleType) -> None:
    """With `cell=OnceLock` the initializer runs once, also in the slot that attrs makes."""
    attrs = ATTRS.require()
    running = threading.Event()
    ran = []

    @attrs.define  # type: ignore[misc]
    class Point:
        @gilonce.once_property(cell=functools.partial(gilonce.OnceLock, timeout=WATCHDOG))
        def value(self) -> object:
            ran.append(self)
            running.set()
            return object()

    point = Point()
    race_for(lambda: point.value)
    assert ran == [point]
    assert not any(isinstance(found, BaseException) for found in race(lambda: point.value))

    @attrs.define  # type: ignore[misc]
    class Circle:
        @gilonce.once_property(cell=gilonce.OnceLock)
        def value(self) -> object:
            return self.value

    with pytest.raises(gilonce.DeadlockError):
        Circle().value


@pytest.mark.parametrize("has_dict", [False, True])
def test_a_cell_of_ones_own_says_where_it_can_live(gilonce: ModuleType, has_dict: bool) -> None:
    """It is stored in the instance's `__dict__`, so there must be one."""
    attrs = ATTRS.require()

    class MyCell(gilonce.GILOnceCell):  # type: ignore[misc, name-defined]
        pass

    class Base:
        __slots__ = ("__dict__",) if has_dict else ()

    @attrs.define  # type: ignore[misc]
    class Point(Base):
        @gilonce.once_property(cell=MyCell)
        def value(self) -> object:
            return object()

    point = Point()
    if has_dict:
        assert point.value is point.value
    else:
        with pytest.raises(TypeError, match="Add '__dict__' to the __slots__ of a base class"):
            point.value


@pytest.mark.skipif(sys.version_info < (3, 12), reason="these classes do not have the same layout before 3.12")
def test_an_initializer_may_change_the_class_of_its_instance(gilonce: ModuleType) -> None:
    """The value goes to the slot of the new class, where attrs then looks for it."""
    attrs = ATTRS.require()

    class Base:
        __slots__ = ()

    @attrs.define(eq=False)  # type: ignore[misc]
    class First(Base):
        @gilonce.once_property
        def value(self) -> object:
            self.__class__ = Second  # type: ignore[assignment]
            return object()

    @attrs.define(eq=False)  # type: ignore[misc]
    class Second(Base):
        @gilonce.once_property
        def value(self) -> object:
            raise AssertionError("there is a value")

    it = First()
    value = it.value
    assert type(it) is Second
    assert it.value is value


@pytest.mark.parametrize("kind", ["slot", "async", "method", "method in a slot"])
def test_other_values_keep_their_place_in_a_slotted_class(gilonce: ModuleType, kind: str) -> None:
    """With `slot=`, on an `async def` and for a method, attrs does not take the function. `super()` works in it."""
    attrs = ATTRS.require()

    class Base:
        __slots__ = ("__dict__", "_value")

        def number(self) -> int:
            return 1

    # A class body for each, because all functions of one share the variable that `super()` uses.
    if kind == "slot":

        @attrs.define  # type: ignore[misc]
        class Point(Base):
            @gilonce.once_property(slot="_value")
            def value(self) -> list[int]:
                return [super().number()]

        point: Any = Point()
        assert point.value is point.value
        assert point.value == point._value == [1]
    elif kind == "async":

        @attrs.define  # type: ignore[misc]
        class Later(Base):
            @gilonce.once_property
            async def value(self) -> list[int]:
                return [super().number()]

        point = Later()
        first, second = drive(awaited(point)), drive(awaited(point))
        assert first is second
        assert first == [1]
    elif kind == "method in a slot":

        @attrs.define  # type: ignore[misc]
        class InSlot(Base):
            @gilonce.once(slot="_value")
            def value(self) -> list[int]:
                return [super().number()]

        point = InSlot()
        assert point.value() is point.value() is point._value
        assert point.value() == [1]
    else:

        @attrs.define  # type: ignore[misc]
        class Method(Base):
            @gilonce.once
            def value(self) -> list[int]:
                return [super().number()]

        point = Method()
        assert point.value() is point.value()
        assert point.value() == [1]


async def awaited(point: Any) -> Any:
    return await point.value


def test_the_advice_for_a_method_of_a_slotted_class_works(gilonce: ModuleType) -> None:
    """The error names a base class, whose `__slots__` the user can write, and `once(slot=...)`."""
    attrs = ATTRS.require()

    @attrs.define  # type: ignore[misc]
    class Point:
        @gilonce.once
        def value(self) -> object:
            return object()

    with pytest.raises(TypeError, match=r"slot for it in the __slots__ of a base class, .* @once\(slot='_name'\)\."):
        Point().value()

    class Lazy:
        __slots__ = ("_name",)

    @attrs.define  # type: ignore[misc]
    class Advised(Lazy):
        @gilonce.once(slot="_name")
        def value(self) -> object:
            return object()

    point = Advised()
    assert len({id(value) for value in race(point.value)}) == 1
    assert not hasattr(point, "__dict__")


def test_an_async_attribute_says_where_it_can_live(gilonce: ModuleType) -> None:
    attrs = ATTRS.require()

    @attrs.define  # type: ignore[misc]
    class Point:
        @gilonce.once_property
        async def later(self) -> object:
            return object()

    with pytest.raises(TypeError, match=r"No '__dict__' .* of a base class, .*once_property\(slot='_name'\)"):
        Point().later


def test_deleting_and_reading_race_without_an_error(gilonce: ModuleType) -> None:
    """Every read gets a value of the initializer, whatever the other threads do."""
    attrs = ATTRS.require()
    made = []

    @attrs.define  # type: ignore[misc]
    class Point:
        @gilonce.once_property
        def value(self) -> list[int]:
            value = [1]
            made.append(value)
            return value

    point = Point()

    def read() -> None:
        for _ in range(200):
            found = point.value
            assert any(found is value for value in made)

    def delete() -> None:
        for _ in range(200):
            with contextlib.suppress(AttributeError):
                del point.value

    assert run_threads(read, read, delete, delete) == [None] * 4
