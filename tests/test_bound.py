"""The cells of instances and classes: the claim that stands in for a `setdefault`."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, race, run_threads


class Owner:
    """What has the place."""


class Place:
    """A slot's descriptor that lets a test step in before and after each operation."""

    def __init__(self) -> None:
        self.values: dict[int, object] = {}
        self.before_write = lambda: None
        self.after_read = lambda: None

    def __get__(self, owner: object, cls: type | None = None) -> Any:
        found = id(owner) in self.values
        value = self.values.get(id(owner))
        self.after_read()
        if not found:
            raise AttributeError
        return value

    def __set__(self, owner: object, value: object) -> None:
        self.before_write()
        self.values[id(owner)] = value

    def __delete__(self, owner: object) -> None:
        try:
            del self.values[id(owner)]
        except KeyError:
            raise AttributeError from None


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def make(gilonce: ModuleType, place: Place) -> Any:
    """A function that makes a view of one and the same place."""
    bound = sys.modules["gilonce._bound"]
    definition = bound.Definition(Owner, None)
    owner = Owner()
    return lambda: bound.SlotCell(definition, owner, place)


def test_nobody_waits_for_the_write_of_a_claim(make: Any, place: Place) -> None:
    """While the winner is about to write, others know its value and return it."""
    claimed, write = threading.Event(), threading.Event()

    def before_write() -> None:
        claimed.set()
        assert write.wait(WATCHDOG)

    place.before_write = before_write

    def winner() -> object:
        return make().get_or_init(lambda: "winner")

    def others() -> list[object]:
        assert claimed.wait(WATCHDOG)
        seen = [
            make().get(),
            make().is_set(),
            make().get_or_init(lambda: pytest.fail("must not run")),
            make()._publish("late"),
        ]
        write.set()
        return seen

    assert run_threads(winner, others) == ["winner", ["winner", True, "winner", ("winner", False)]]
    assert make().get() == "winner"


def test_a_claim_that_came_too_late_decides_nothing(make: Any, place: Place) -> None:
    """A reader that saw the place empty, and then a void claim, looks at the place again."""
    cell = make()
    claims = cell._claims

    def publish_and_leave_a_void_claim() -> None:
        place.after_read = lambda: None
        assert make()._publish("published") == ("published", True)
        claims[id(cell._owner)] = (cell._owner, "too late")

    place.after_read = publish_and_leave_a_void_claim
    assert cell.get() == "published"


def test_a_value_published_between_claim_and_look_is_the_value(make: Any, place: Place) -> None:
    """Who finds the place full after claiming returns what is there, and writes nothing."""
    make()._publish("first")
    assert make()._publish("second") == ("first", False)
    assert make()._claims == {}


def test_an_interrupt_between_claim_and_write_leaves_the_claim_as_the_value(make: Any, place: Place) -> None:
    """Others may have returned it already; `take` empties that, too."""

    def interrupt() -> None:
        place.before_write = lambda: None
        raise KeyboardInterrupt

    place.before_write = interrupt
    with pytest.raises(KeyboardInterrupt):
        make().get_or_init(lambda: "claimed")
    assert place.values == {}
    assert make().get() == "claimed"
    assert make().get_or_init(list) == "claimed"
    assert make().take() == "claimed"
    assert make().take("nothing") == "nothing"
    assert make().get_or_init(lambda: "again") == "again"


def test_an_assignment_overrides_a_claim_that_was_left(make: Any, place: Place) -> None:
    """What the user assigns is the value, and forgetting it forgets all."""

    def interrupt() -> None:
        place.before_write = lambda: None
        raise KeyboardInterrupt

    place.before_write = interrupt
    with pytest.raises(KeyboardInterrupt):
        make().get_or_init(lambda: "claimed")
    make().assign("assigned")
    assert make().get() == "assigned"
    assert make().take() == "assigned"
    assert not make().is_set()


def test_of_two_that_take_at_once_one_has_the_value(make: Any, place: Place) -> None:
    """Both see it, and only one can erase it."""
    make().set("value")

    def take_first() -> None:
        place.after_read = lambda: None
        assert make().take() == "value"

    place.after_read = take_first
    assert make().take("nothing") == "nothing"


@pytest.mark.parametrize("kind", ["SlotCell", "ClassCell", "InstanceCell"])
def test_many_threads_publish_one_value_to_any_place(gilonce: ModuleType, kind: str) -> None:
    """Law 1 under a race for the write itself, hundreds of times, and no claim stays behind."""
    bound = sys.modules["gilonce._bound"]

    class Slotted:
        __slots__ = ("_x",)

    class Plain:
        pass

    definition = bound.Definition(Owner, None)
    for _ in range(200):
        owner: Any = {"SlotCell": Slotted, "ClassCell": lambda: type("C", (), {}), "InstanceCell": Plain}[kind]()

        def make(owner: Any = owner) -> Any:
            if kind == "SlotCell":
                return bound.SlotCell(definition, owner, Slotted._x)  # type: ignore[attr-defined]
            return definition.cell_of(owner)

        got = race(lambda make=make: make()._publish(object()), 4)
        assert len({id(value) for value, _ in got}) == 1
        assert sum(written for _, written in got) == 1
        assert make().get() is got[0][0]
    assert definition.claims == {}


def test_the_primitives_of_a_place_are_left_to_its_kind(gilonce: ModuleType) -> None:
    """The classes that share the protocol have no place of their own."""
    bound = sys.modules["gilonce._bound"]
    cell = bound.ClaimedCell(bound.Definition(Owner, None), Owner())
    for operation in (cell._read, cell._erase, lambda: cell._write(1), lambda: bound.BoundCell.assign(cell, 1)):
        with pytest.raises(NotImplementedError):
            operation()
