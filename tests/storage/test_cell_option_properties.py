"""`cell=` on properties."""

from __future__ import annotations

import abc
import copy
import dataclasses
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import drive
from support.cells import Make, OwnCell


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
        assert copied._cell_factory is make_final


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
