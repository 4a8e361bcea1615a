"""`cell=`: the surfaces with other cells than their own, those of users among them."""

from __future__ import annotations

import abc
import contextlib
import copy
import dataclasses
import functools
import gc
import itertools
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support import SURFACES, WATCHDOG, With, drive, race, run_threads

Make = Callable[[], Any]


class OwnCell:
    """A cell of a user's: final, with a lock that can be entered again, and no more than the protocol has."""

    final = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._values: list[Any] = []

    def get(self, default: Any = None) -> Any:
        return self._values[0] if self._values else default

    def is_set(self) -> bool:
        return bool(self._values)

    def get_or_init(self, initializer: Callable[[], Any]) -> Any:
        with self._lock:
            if not self._values:
                value = initializer()
                self._values = self._values or [value]
            return self._values[0]

    async def aget_or_init(self, initializer: Callable[[], Any]) -> Any:
        if not self._values:
            value = await initializer()
            self._values = self._values or [value]
        return self._values[0]

    def set(self, value: Any) -> None:
        with self._lock:
            if self._values:
                raise LookupError("there is a value")
            self._values = [value]

    def take(self, default: Any = None) -> Any:
        with self._lock:
            return self._values.pop() if self._values else default


KINDS: dict[str, Callable[[Any], Make]] = {
    "GILOnceCell": lambda gilonce: gilonce.GILOnceCell,
    "OnceLock": lambda gilonce: gilonce.OnceLock,
    "OnceLock with a timeout": lambda gilonce: functools.partial(gilonce.OnceLock, timeout=60),
    "one's own": lambda _: OwnCell,
    "ThreadOnceCell": lambda gilonce: gilonce.ThreadOnceCell,
    "ProcessOnceCell": lambda gilonce: gilonce.ProcessOnceCell,
}
FINAL = ["GILOnceCell", "OnceLock", "OnceLock with a timeout", "one's own"]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, gilonce: ModuleType) -> Make:
    return KINDS[request.param](gilonce)


@pytest.fixture(params=FINAL)
def make_final(request: pytest.FixtureRequest, gilonce: ModuleType) -> Make:
    return KINDS[request.param](gilonce)


# What is refused.


@pytest.mark.parametrize("surface", ["once", "once_property", "lazy_global"])
def test_what_makes_no_cell_is_refused(gilonce: ModuleType, surface: str) -> None:
    """The error names the surface, what was given, and what to do."""

    def use(**options: Any) -> Any:
        return (
            gilonce.lazy_global(list, **options) if surface == "lazy_global" else getattr(gilonce, surface)(**options)
        )

    with pytest.raises(TypeError, match=rf"{surface}\(cell=...\) takes a callable that makes a cell, not 3"):
        use(cell=3)
    with pytest.raises(TypeError, match=r"not <OnceLock: empty>: pass what makes one, such as OnceLock"):
        use(cell=gilonce.OnceLock())
    with pytest.raises(TypeError, match=r"makes a 'list' object, which has no get, is_set, .*, set, take, final"):
        use(cell=list)
    with pytest.raises(
        TypeError, match=r"is the cell's business. Give it discard, as in cell=functools.partial\(GILOnce"
    ):
        use(cell=gilonce.OnceLock, discard=print)
    with pytest.raises(ZeroDivisionError):
        use(cell=lambda: 1 / 0)


@pytest.mark.parametrize("kind", ["ThreadOnceCell", "ProcessOnceCell"])
def test_a_property_takes_only_cells_that_are_final(gilonce: ModuleType, kind: str) -> None:
    """Its value is a plain attribute, which every thread and process would see."""
    with pytest.raises(
        TypeError, match=rf"once_property\(cell=...\) keeps its value .* and the value of a {kind} is not"
    ):
        gilonce.once_property(cell=KINDS[kind](gilonce))


# The rules: per what.


def test_a_function_has_one_cell_of_the_kind_that_was_chosen(gilonce: ModuleType, make: Make) -> None:
    """`f.cell` is it."""
    runs: list[object] = []

    @gilonce.once(cell=make)
    def function() -> object:
        runs.append(object())
        return runs[-1]

    assert type(function.cell) is type(make())
    assert [function(), function()] == [function.cell.get()] * 2 == runs * 2
    assert function.cell.take() is runs[0]
    function.cell.set("given")
    assert function() == "given"


def test_methods_keep_the_rules_per_instance_class_and_process(gilonce: ModuleType, make: Make) -> None:
    """One value per instance, per class (a subclass has its own), and one for a static method."""

    class Base:
        @gilonce.once(cell=make)
        def method(self) -> list[Any]:
            return [self]

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> list[Any]:
            return [cls]

        @classmethod
        @gilonce.once(cell=make)
        def below(cls) -> list[Any]:
            return [cls]

        @gilonce.once(cell=make)
        @staticmethod
        def static() -> list[Any]:
            return []

    class Derived(Base):
        pass

    one, two = Base(), Derived()
    for first, second in [(one.method, two.method), (Base.of_class, Derived.of_class), (Base.below, Derived.below)]:
        assert first() is first()
        assert first() == [first.__self__]
        assert second() == [second.__self__]
    assert one.of_class() is Base.of_class()
    assert Base.method(one) is one.method()
    assert one.static() is Derived.static()


def test_the_cell_of_a_bound_method_reads_sets_and_takes(gilonce: ModuleType, make: Make) -> None:
    """It is the cell of that instance, or of that class, and behaves as the kind that was chosen."""

    class Owner:
        @gilonce.once(cell=make)
        def method(self) -> str:
            return "computed"

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> str:
            return "computed"

    for bound in (Owner().method, Owner.of_class):
        cell = bound.cell
        assert (cell.get("nothing"), cell.is_set()) == ("nothing", False)
        cell.set("given")
        with pytest.raises((gilonce.AlreadySetError, LookupError)):
            cell.set("again")
        assert bound() == bound.cell.get() == "given"
        assert (cell.take(), cell.take("empty")) == ("given", "empty")
        assert bound() == "computed"
        assert bound.cell.get_or_init(lambda: "another") == "computed"


def test_methods_keep_a_value_per_thread(gilonce: ModuleType) -> None:
    """Of an instance and of a class: what is not final is in no place that all threads read."""

    class Owner:
        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def method(self) -> int:
            return threading.get_ident()

        @gilonce.once(cell=gilonce.ThreadOnceCell)
        @classmethod
        def of_class(cls) -> int:
            return threading.get_ident()

    owner = Owner()
    for touch in (owner.method, Owner.of_class):
        assert touch() == threading.get_ident()
        assert run_threads(lambda touch=touch: touch() == threading.get_ident()) == [True]
        assert touch() == threading.get_ident()


def test_a_cell_with_its_own_way_to_give_a_value_is_asked_each_time(gilonce: ModuleType) -> None:
    """Also one that derives from ours, and has its value where ours have it."""
    asked: list[None] = []

    class Counting(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
            asked.append(None)
            return super().get_or_init(initializer)

    function = gilonce.once(list, cell=Counting)
    assert function() is function()
    assert len(asked) == 2


def test_an_override_may_call_super(gilonce: ModuleType, make: Make) -> None:
    """The base's value is computed once, apart from the override's."""
    runs: list[str] = []

    class Base:
        @gilonce.once(cell=make)
        def method(self) -> str:
            runs.append("base")
            return "base"

    class Derived(Base):
        @gilonce.once(cell=make)
        def method(self) -> str:
            runs.append("derived")
            return f"derived from {super().method()}"

    owner = Derived()
    assert [owner.method(), owner.method()] == ["derived from base"] * 2
    assert runs == ["derived", "base"]
    assert Base.method(owner) == "base"
    assert len(runs) == 2


def test_an_async_function_gives_one_value(gilonce: ModuleType, make: Make) -> None:
    """Every call gives a coroutine, and every coroutine the value, per instance too."""
    from support import drive

    class Owner:
        @gilonce.once(cell=make)
        async def method(self) -> object:
            return object()

    @gilonce.once(cell=make)
    async def function() -> object:
        return object()

    owner = Owner()
    for ask in (function, owner.method):
        assert drive(ask()) is drive(ask())
        assert ask.cell.get() is drive(ask())
    assert drive(Owner().method()) is not drive(owner.method())


@pytest.mark.parametrize("name", [name for name in SURFACES if "async" not in name])
def test_no_surface_hands_out_two_objects(gilonce: ModuleType, make_final: Make, name: str) -> None:
    """Law 1, whoever keeps the value."""
    if make_final is OwnCell and name == "property_in_slot":
        pytest.skip("its owner has no place for the cell: a test of its own says what comes of that")
    got = race(SURFACES[name](With(gilonce, make_final), object, None))
    assert len(set(map(id, got))) == 1


# Properties.


def owner_of(gilonce: Any, make: Make, runs: list[str]) -> Any:
    class Base:
        __slots__ = ("__dict__", "__weakref__", "_slotted")

        @gilonce.once_property(cell=make)
        def attribute(self) -> object:
            runs.append("attribute")
            return object()

        @gilonce.once_property(cell=make, slot="_slotted")
        def slotted(self) -> object:
            runs.append("slotted")
            return object()

        @gilonce.once_property(cell=make)
        @classmethod
        def of_class(cls) -> list[Any]:
            runs.append("class")
            return [cls]

        @gilonce.once_property(cell=make)
        @staticmethod
        def static() -> object:
            runs.append("static")
            return object()

    return Base


@pytest.mark.parametrize("name", ["attribute", "slotted"])
def test_an_attribute_can_be_deleted_and_assigned(gilonce: ModuleType, make_final: Make, name: str) -> None:
    """The value is a plain attribute, whoever says who may compute it."""
    runs: list[str] = []
    owner = owner_of(gilonce, make_final, runs)()
    first = getattr(owner, name)
    assert getattr(owner, name) is first
    for _ in range(2):
        delattr(owner, name)
        assert getattr(owner, name) is not first
    setattr(owner, name, "assigned")
    assert getattr(owner, name) == "assigned"
    assert len(runs) == 3
    with pytest.raises(AttributeError):
        for _ in range(2):
            delattr(owner, name)
    assert getattr(owner, name) != "assigned"
    if name == "attribute":
        assert vars(owner)["attribute"] is owner.attribute


def test_a_failure_leaves_an_attribute_to_be_computed(gilonce: ModuleType, make_final: Make) -> None:
    """Law 3."""
    outcomes: list[Any] = [ValueError("once"), "value"]

    class Owner:
        __slots__ = ("__dict__", "_slotted")

        def compute(self) -> Any:
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        attribute = gilonce.once_property(compute, cell=make_final)
        slotted = gilonce.once_property(compute, cell=make_final, slot="_slotted")

    for name in ("attribute", "slotted"):
        outcomes[:] = [ValueError("once"), "value"]
        owner = Owner()
        with pytest.raises(ValueError, match="once"):
            getattr(owner, name)
        assert [getattr(owner, name), getattr(owner, name)] == ["value"] * 2


def test_who_finds_a_value_taken_that_another_has_computed_computes_one(gilonce: ModuleType) -> None:
    """A cell says that the value is there, and meanwhile somebody has taken it: the next turn is one's own."""
    first, others = {"method": True, "awaited": True}, []
    numbers = itertools.count()

    class Late(OwnCell):
        def get_or_init(self, initializer: Callable[[], Any]) -> Any:
            if first.pop("method", None):
                others.append(owner.method())
                owner.method.cell.take()
            return super().get_or_init(initializer)

        async def aget_or_init(self, initializer: Callable[[], Any]) -> Any:
            if first.pop("awaited", None):
                others.append(await owner.awaited())
                owner.awaited.cell.take()
            return await super().aget_or_init(initializer)

    class Owner:
        @gilonce.once(cell=Late)
        def method(self) -> int:
            return next(numbers)

        @gilonce.once(cell=Late)
        async def awaited(self) -> int:
            return next(numbers)

    owner = Owner()
    assert owner.method() == 1
    assert drive(owner.awaited()) == 3
    assert others == [0, 2]


def test_an_attribute_is_published_before_its_cell_lets_the_next_one_in(gilonce: ModuleType) -> None:
    """So who is let in next, by a cell that may know no better, finds it and computes nothing."""
    runs: list[object] = []
    seen: list[bool] = []

    class LetsTwoIn(OwnCell):
        def get_or_init(self, initializer: Callable[[], Any]) -> Any:
            for _ in range(2):
                it = initializer()
                seen.append(vars(owner)["attribute"])
            return it

    class Owner:
        @gilonce.once_property(cell=LetsTwoIn)
        def attribute(self) -> object:
            runs.append(object())
            return runs[-1]

    owner = Owner()
    assert owner.attribute is runs[0]
    assert seen == runs * 2
    assert len(runs) == 1


def test_a_cell_may_have_its_value_from_elsewhere(gilonce: ModuleType) -> None:
    """Then nothing is computed, and nothing is kept."""

    class Knows(OwnCell):
        def get_or_init(self, _: Callable[[], Any]) -> Any:
            return "known"

        async def aget_or_init(self, _: Callable[[], Any]) -> Any:
            return "known"

    class Owner:
        @gilonce.once_property(cell=Knows)
        def attribute(self) -> str:
            return "computed"

        @gilonce.once_property(cell=Knows)
        async def awaited(self) -> str:
            return "computed"

    owner = Owner()
    assert [owner.attribute, owner.attribute] == ["known"] * 2
    assert drive(get(owner)) == "known"
    assert vars(owner).keys().isdisjoint({"attribute", "awaited"})


async def get(owner: Any) -> Any:
    return await owner.awaited


def test_a_class_attribute_and_a_static_one_keep_their_rules(gilonce: ModuleType, make_final: Make) -> None:
    """One per class, a subclass having its own; and one for all."""
    runs: list[str] = []
    base = owner_of(gilonce, make_final, runs)
    derived = type("Derived", (base,), {})
    assert [base.of_class, base().of_class, derived.of_class] == [[base], [base], [derived]]
    assert base.static is derived.static is base().static
    assert runs == ["class", "class", "static"]


def test_a_property_may_be_overridden_with_super(gilonce: ModuleType, make_final: Make) -> None:
    """The base's value stays apart, under a key of its own."""

    class Base:
        @gilonce.once_property(cell=make_final)
        def attribute(self) -> str:
            return "base"

    class Derived(Base):
        @gilonce.once_property(cell=make_final)
        def attribute(self) -> str:
            return f"derived from {super().attribute}"

    owner = Derived()
    assert owner.attribute == "derived from base"
    assert vars(owner)["attribute"] == "derived from base"
    assert Base.attribute.__get__(owner) == "base"


def test_a_slot_needs_a_dict_only_for_a_cell_of_ones_own(gilonce: ModuleType, make_final: Make) -> None:
    """Where there is none, the error says what to add."""

    class Owner:
        __slots__ = ("_slotted",)

        @gilonce.once_property(cell=make_final, slot="_slotted")
        def slotted(self) -> str:
            return "value"

    if make_final is not OwnCell:
        assert [Owner().slotted, Owner().slotted] == ["value"] * 2
        return
    with pytest.raises(TypeError, match=r"to cache 'slotted' property\. Add '__dict__' to the __slots__ of its class"):
        _ = Owner().slotted


def test_a_copy_of_a_property_takes_the_cell_along(gilonce: ModuleType, make_final: Make) -> None:
    """It is another definition, with the same choice."""
    original = gilonce.once_property(lambda self: [self], cell=make_final)
    for copied in (copy.copy(original), copy.deepcopy(original)):
        owner = type("Owner", (), {"attribute": copied})()
        assert owner.attribute is owner.attribute
        assert copied._makes is make_final


def test_slotted_dataclasses_and_abstract_classes_are_served(gilonce: ModuleType, make_final: Make) -> None:
    """A class that is made anew has values of its own; one that is abstract is not read by abc."""

    class WithSlot:
        __slots__ = ("__dict__", "_norm")

    @dataclasses.dataclass(slots=True)
    class Vector(WithSlot):
        x: int

        @gilonce.once_property(slot="_norm", cell=make_final)
        def norm(self) -> int:
            return abs(self.x)

        @gilonce.once(cell=make_final)
        @classmethod
        def table(cls) -> list[type]:
            return [cls]

    assert Vector(-3).norm == 3
    assert Vector.table() == [Vector]

    class Abstract(abc.ABC):
        @gilonce.once(cell=make_final)
        @abc.abstractmethod
        def method(self) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Abstract()


# Owners: copies, pickles, leaks.


class Pickled:
    """At the top, so that pickle finds it."""

    method: Any

    def __eq__(self, other: object) -> bool:
        return type(other) is Pickled

    __hash__ = None  # type: ignore[assignment]


def test_copies_of_an_instance_share_nothing_with_it(gilonce: ModuleType, make: Make) -> None:
    """A final value is carried along, and each has a cell of its own; another value is not."""

    def method(self: Any) -> list[int]:
        return [1]

    Pickled.method = gilonce.once(method, cell=make)
    owner = Pickled()
    value = owner.method()
    is_final = make().final
    for copied, same in [
        (copy.copy(owner), True),
        (copy.deepcopy(owner), False),
        (pickle.loads(pickle.dumps(owner)), False),
        (copy.copy(copy.copy(owner)), True),
        (copy.copy(copy.deepcopy(owner)), False),
    ]:
        got = copied.method()
        assert got == [1]
        assert (got is value) == (same and is_final)
        assert copied.method() is got
        copied.method.cell.take()
        copied.method.cell.set("its own")
        assert copied.method() == "its own"
        assert owner.method() is value


@pytest.mark.parametrize("kind", ["ThreadOnceCell", "ProcessOnceCell"])
def test_a_copys_copy_does_not_take_over_the_cell_of_one_that_is_gone(gilonce: ModuleType, kind: str) -> None:
    """Though it may have that one's `id`, and finds in its own `__dict__` what that one left in its copy's."""

    class Owner:
        name = "original"

        @gilonce.once(cell=KINDS[kind](gilonce))
        def method(self) -> str:
            return f"of the {self.name}"

    for _ in range(20):
        original = Owner()
        assert original.method() == "of the original"
        copied = copy.copy(original)
        del original
        again = copy.copy(copied)
        again.name = "copy"
        assert again.method() == "of the copy"


@pytest.mark.parametrize("kind", [*KINDS])
def test_instances_that_share_a_dict_share_the_cell_in_it(gilonce: ModuleType, kind: str) -> None:
    """As they share a plain value there."""
    runs: list[object] = []
    shared: dict[str, Any] = {}

    class Owner:
        def __init__(self) -> None:
            self.__dict__ = shared

        @gilonce.once(cell=KINDS[kind](gilonce))
        def method(self) -> object:
            runs.append(object())
            return runs[-1]

    one, other = Owner(), Owner()
    assert [it.method() for it in (one, other, one, other)] == [runs[0]] * 4
    assert len(runs) == 1


def test_what_was_deleted_or_taken_is_kept_by_nothing(gilonce: ModuleType, make_final: Make) -> None:
    """Least of all by the cell that let it be computed."""

    class Owner:
        @gilonce.once_property(cell=make_final)
        def attribute(self) -> Pickled:
            return Pickled()

        @gilonce.once(cell=make_final)
        def method(self) -> Pickled:
            return Pickled()

    owner = Owner()
    references = weakref.ref(owner.attribute), weakref.ref(owner.method())
    del owner.attribute
    owner.method.cell.take()
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_an_empty_cell_in_an_instance_is_copied_empty(gilonce: ModuleType, make: Make) -> None:
    """A cell that was looked at and is empty ties a copy to nothing."""

    class Owner:
        @gilonce.once(cell=make)
        def method(self) -> object:
            return object()

    owner = Owner()
    assert not owner.method.cell.is_set()
    copied = copy.copy(owner)
    assert owner.method() is not copied.method()


def test_threads_that_make_the_cell_of_an_instance_at_once_agree_on_one(gilonce: ModuleType, make: Make) -> None:
    """The cell in the instance is published like a value."""

    class Owner:
        @gilonce.once(cell=make)
        def method(self) -> object:
            return object()

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> object:
            return object()

    for _ in range(50):
        owner = Owner()
        cells = race(lambda owner=owner: owner.method.cell, 4)
        assert make().final or len({id(cell) for cell in cells}) == 1
        owner.method.cell.set("value")
        assert owner.method() == "value"
        if not make().final:
            assert len({id(cell) for cell in race(lambda owner=owner: owner.method.cell, 4)}) == 1
    if make().final:
        assert len({id(value) for value in race(Owner.of_class)}) == 1


def test_threads_that_have_each_made_a_cell_for_an_instance_agree_on_one(gilonce: ModuleType) -> None:
    """All have found none there, and made one, before the first is kept."""
    everyone = threading.Barrier(4)
    are_here: list[None] = []

    def make() -> Any:
        if are_here:
            everyone.wait(30)
        return gilonce.ThreadOnceCell()

    owner = type("Owner", (), {"method": gilonce.once(lambda self: [], cell=make)})()
    are_here.append(None)
    assert len({id(cell) for cell in race(lambda: owner.method.cell, 4)}) == 1


def test_an_interrupt_while_a_cell_is_put_into_an_instance_leaves_no_claim(gilonce: ModuleType) -> None:
    """Whichever call is interrupted: a claim would keep the instance alive."""

    class Owner:
        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def method(self) -> str:
            return "value"

    definition = vars(Owner)["method"]._definition

    def is_interrupted_at(number: int) -> bool:
        calls = itertools.count(1)

        def profile(frame: Any, event: str, argument: object) -> None:
            # Where the interpreter looks for signals: when a function begins, and when it, or one in C, has returned.
            if event != "c_call" and frame.f_code.co_filename.endswith("_chosen.py") and next(calls) == number:
                sys.setprofile(None)
                raise KeyboardInterrupt

        owner = Owner()
        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            owner.method()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(before)
            assert definition.new == {}, f"interrupted at {number}"
            assert owner.method() == "value"
        return False

    assert len(list(itertools.takewhile(is_interrupted_at, itertools.count(1)))) > 10


def test_neither_instance_nor_class_is_kept_alive(gilonce: ModuleType, make: Make) -> None:
    """Also by a value that refers to it, and also after a failure."""

    class Owner:
        fail = False

        @gilonce.once(cell=make)
        def method(self) -> Any:
            return 1 / 0 if self.fail else [self]

        @gilonce.once(cell=make)
        @classmethod
        def of_class(cls) -> Any:
            return [cls]

    class Derived(Owner):
        pass

    owner, failed = Derived(), Derived()
    owner.method()
    Derived.of_class()
    failed.fail = True
    with pytest.raises(ZeroDivisionError):
        failed.method()
    references = [weakref.ref(owner), weakref.ref(failed)]
    if sys.version_info[:2] != (3, 13) or getattr(sys, "_is_gil_enabled", lambda: True)():
        # (Where it has no GIL, 3.13 makes every class immortal once there has been a thread.)
        references.append(weakref.ref(Derived))
    del owner, failed, Derived
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)


# Lazy globals.


def test_a_lazy_global_is_reified_only_if_its_cell_is_final(gilonce: ModuleType, make: Make) -> None:
    """Else every use asks the cell."""
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": make}
    exec("IT = lazy_global(list, cell=make)", namespace)
    proxy = namespace["IT"]
    proxy.append(1)
    assert (type(namespace["IT"]) is list) == make().final
    assert namespace["IT"] == [1]
    assert proxy._self_cell.get() == [1]
    assert type(proxy._self_cell) is type(make())


@pytest.mark.parametrize("kind", ["ThreadOnceCell", "ProcessOnceCell"])
def test_a_proxy_that_asks_does_everything_as_the_real_object(gilonce: ModuleType, kind: str) -> None:
    """It is one of wrapt's, too, with the same special methods added."""
    make = KINDS[kind](gilonce)
    numbers = gilonce.lazy_global(lambda: [3, 1, 2], cell=make)
    assert repr(numbers).startswith("<lazy_global: ")
    assert not numbers._self_cell.is_set()
    assert sorted(numbers) == [1, 2, 3]
    assert isinstance(numbers, list)
    assert (len(numbers), 3 in numbers, numbers[0], numbers * 2, numbers == [3, 1, 2], repr(numbers)) == (
        3,
        True,
        3,
        [3, 1, 2, 3, 1, 2],
        True,
        "[3, 1, 2]",
    )
    extended = numbers
    extended += [5]
    assert extended is numbers.__wrapped__
    assert copy.copy(numbers) == numbers
    assert pickle.loads(pickle.dumps(numbers)) == [3, 1, 2, 5]
    assert gilonce.lazy_global(lambda: lambda x: x + 1, cell=make)(1) == 2
    assert callable(gilonce.lazy_global(int, cell=make)) is False
    assert callable(gilonce.lazy_global(lambda: 3, cell=make, interface=int)) is False
    with gilonce.lazy_global(lambda: contextlib.nullcontext(3), cell=make) as entered:
        assert entered == 3
    with pytest.raises(RuntimeError, match="of a lazy_global raised AttributeError"):
        len(gilonce.lazy_global(lambda: None.nothing, cell=make))
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        iter(gilonce.lazy_global(lambda: 3, cell=make))


@pytest.mark.parametrize("kind", [*KINDS])
def test_a_proxy_is_iterable_only_where_the_real_object_is(gilonce: ModuleType, kind: str) -> None:
    """Whatever kind of cell it asks: to have a `__getitem__` for those that do does not count."""

    class Plain:
        pass

    it = gilonce.lazy_global(Plain, cell=KINDS[kind](gilonce), reify=False)
    assert not isinstance(it, Iterable)
    with pytest.raises(TypeError, match="object is not iterable"):
        iter(it)
    with pytest.raises(TypeError, match="object is not iterable"):
        list(it)
    assert list(gilonce.lazy_global(lambda: [1, 2], cell=KINDS[kind](gilonce), reify=False)) == [1, 2]


def test_a_proxy_that_asks_gives_each_thread_its_own(gilonce: ModuleType) -> None:
    """Also after it was touched."""
    it = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)
    it.append("main")
    assert run_threads(lambda: [it == [], it.append("other"), list(it)]) == [[True, None, ["other"]]]
    assert it == ["main"]


def test_a_lazy_global_may_be_emptied_where_its_cell_is_not_final(gilonce: ModuleType) -> None:
    """The proxy keeps nothing."""
    it = gilonce.lazy_global(list, cell=gilonce.ThreadOnceCell)
    it.append(1)
    assert it._self_cell.take() == [1]
    assert it == []


# The protocol.


def test_what_has_the_names_is_a_cell(gilonce: ModuleType) -> None:
    """Users' cells derive from nothing."""
    assert isinstance(OwnCell(), gilonce.Cell)
    for kind in KINDS:
        assert isinstance(KINDS[kind](gilonce)(), gilonce.Cell)
    assert not isinstance(threading.Lock(), gilonce.Cell)


def test_a_discard_is_given_to_the_cell(gilonce: ModuleType) -> None:
    """`cell=partial(GILOnceCell, discard=...)` does what `discard=` does."""
    discarded: list[Any] = []
    make = functools.partial(gilonce.GILOnceCell, discard=discarded.append)
    inside = threading.Barrier(4)

    def compute(*_: object) -> object:
        inside.wait(30)
        return object()

    class Owner:
        attribute = gilonce.once_property(compute, cell=make)
        method = gilonce.once(lambda self: compute(), cell=make)

    owner = Owner()
    for touch in (gilonce.once(compute, cell=make), owner.method, lambda: owner.attribute):
        discarded.clear()
        got = race(touch, 4)
        assert len(set(map(id, got))) == 1
        assert len(discarded) == 3
        assert got[0] not in discarded


@pytest.mark.parametrize("name", ["once_method", "property_in_dict", "async_property"])
def test_what_loses_in_a_cell_derived_from_ours_is_discarded(gilonce: ModuleType, name: str) -> None:
    """In a method or an attribute too, where the race is for a place beside the cell."""

    class Derived(gilonce.GILOnceCell):
        pass

    discarded: list[Any] = []
    make = functools.partial(Derived, discard=discarded.append)
    made: list[Any] = []
    both_run = threading.Barrier(2)

    def initializer() -> object:
        value = object()
        made.append(value)
        both_run.wait(WATCHDOG)
        return value

    touch = SURFACES[name](With(gilonce, make), initializer, None)
    values = run_threads(touch, touch)
    assert values[0] is values[1]
    assert [value for value in made if value is not values[0]] == discarded
    assert len(discarded) == 1


def test_what_a_view_of_a_derived_cell_refuses_to_set_is_not_discarded(gilonce: ModuleType) -> None:
    """The caller has it back; what an initializer made, and lost, is."""

    class Derived(gilonce.GILOnceCell):
        pass

    class Owner:
        @gilonce.once(cell=functools.partial(Derived, discard=lambda value: discarded.append(value)))
        def method(self) -> str:
            owner.method.cell.set("another's")
            return "mine"

    discarded: list[Any] = []
    owner = Owner()
    assert owner.method() == "another's"
    assert discarded == ["mine"]
    assert owner.method.cell.take() == "another's"

    def publish(value: str) -> None:
        both.wait(WATCHDOG)
        owner.method.cell.set(value)

    for _ in range(20):
        both = threading.Barrier(2)
        refused = [it for it in run_threads(lambda: publish("a"), lambda: publish("b")) if it is not None]
        assert [type(error) for error in refused] == [gilonce.AlreadySetError]
        assert {refused[0].value, owner.method.cell.take()} == {"a", "b"}
    assert discarded == ["mine"]


def test_a_cell_that_counts_as_false_is_made_once(gilonce: ModuleType) -> None:
    """A cell may have a length, or a truth of its own."""

    class Falsy(gilonce.GILOnceCell):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            Falsy.made += 1

        def __len__(self) -> int:
            return 0

    class Owner:
        @classmethod
        @gilonce.once(cell=Falsy)
        def of_class(cls) -> object:
            return object()

        @gilonce.once(cell=Falsy)
        def of_instance(self) -> object:
            return object()

    it = Owner()
    values = Owner.of_class(), it.of_instance()
    made = Falsy.made
    assert (Owner.of_class(), it.of_instance()) == values
    assert Falsy.made == made


@pytest.mark.parametrize("name", ["method", "attribute"])
def test_instances_that_share_a_dict_initialize_its_value_once(gilonce: ModuleType, name: str) -> None:
    """As in the Borg pattern: it is one place, whoever asks for it."""
    ran: list[int] = []
    begun, finish = threading.Event(), threading.Event()

    shared: dict[str, Any] = {}

    class Borg:
        def __init__(self) -> None:
            self.__dict__ = shared

        @gilonce.once(cell=gilonce.OnceLock)
        def method(self) -> object:
            return run()

        @gilonce.once_property(cell=gilonce.OnceLock)
        def attribute(self) -> object:
            return run()

    def run() -> object:
        ran.append(1)
        if len(ran) == 2:
            finish.set()
        begun.set()
        assert finish.wait(WATCHDOG)
        return object()

    def ask() -> object:
        found = getattr(Borg(), name)
        return found() if name == "method" else found

    wait_class: Any = sys.modules["gilonce._waits"].Wait
    enter = wait_class.enter

    def entered(wait: Any) -> Any:
        finish.set()
        return enter(wait)

    def ask_later() -> object:
        assert begun.wait(WATCHDOG)
        return ask()

    with mock.patch.object(wait_class, "enter", entered):
        values = run_threads(ask, ask_later)
    assert len(ran) == 1
    assert values[0] is values[1]


def test_a_copy_of_a_view_is_a_cell_of_the_kind_that_was_chosen(gilonce: ModuleType) -> None:
    """With what that was made with: it was a `GILOnceCell` whose discard was the lock's timeout."""

    class Owner:
        @gilonce.once(cell=functools.partial(gilonce.OnceLock, timeout=30))
        def method(self) -> int:
            return 42

    view = Owner().method.cell
    assert view.get_or_init(int) == 0
    for copied in (copy.copy(view), copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
        assert type(copied) is gilonce.OnceLock
        assert (copied.timeout, copied.get()) == (30, 0)
