"""The cells of instances and classes, in plain Python: the claim that stands in for a `setdefault`.

These tests step in between the operations of that implementation, so they name its parts.
"""

from __future__ import annotations

import copy
import threading
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, race, run_threads


class Owner:
    """What has the place."""


class Place:
    """A slot's descriptor that lets a test step in after a read and before a write."""

    def __init__(self) -> None:
        self.values: dict[int, object] = {}
        self.before_write: Any = lambda: None
        self.after_write: Any = lambda: None
        self.after_read: Any = lambda: None

    def once_after_read(self, action: Any) -> None:
        def act() -> None:
            self.after_read = lambda: None
            action()

        self.after_read = act

    def once_before_write(self, action: Any) -> None:
        def act() -> None:
            self.before_write = lambda: None
            action()

        self.before_write = act

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
        self.after_write()

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
    """A function that makes a view of one and the same slot."""
    if gilonce.__implementation__ == "native":
        pytest.skip("in C, nothing comes between the look and the write, so there is no claim")
    bound = import_module("gilonce._storage.bound")
    definition = bound.Definition(Owner, None, "")
    owner = Owner()
    return lambda: bound.SlotCell(definition, owner, lambda _owner: place)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_nobody_waits_for_the_write_of_a_claim(make: Any, place: Place) -> None:
    """While the winner is about to write, others finish its claim and return its value."""
    claimed, write = threading.Event(), threading.Event()

    def pause() -> None:
        claimed.set()
        assert write.wait(WATCHDOG)

    place.once_before_write(pause)

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
    assert make()._claims == {}


def test_who_wrote_is_known_even_if_another_thread_did_the_writing(make: Any, place: Place) -> None:
    """A `set()` whose claim was finished by someone else has succeeded."""
    place.once_after_read(lambda: make().get())
    make().set("value")
    assert make().get() == "value"


def test_who_wrote_is_known_as_soon_as_it_is_written(make: Any, place: Place) -> None:
    """A `set()` has succeeded that finds its value written, also while who wrote it has not gone on yet."""

    class Claims(dict[Any, Any]):
        def setdefault(self, key: object, claim: object) -> Any:
            entered = super().setdefault(key, claim)
            # Another thread finishes the claim, and never comes back from the write.
            place.after_write = interrupt
            with pytest.raises(KeyboardInterrupt):
                other.get()
            place.after_write = lambda: None
            return entered

    cell, other = make(), make()
    cell._claims = other._claims = Claims()
    cell.set("value")
    assert cell.get() == "value"


def test_of_two_that_publish_at_once_both_have_the_value_of_one(make: Any, place: Place) -> None:
    """Both find the slot empty; the claim, entered before the look, says whose value it will be."""
    inner = []
    place.once_after_read(lambda: inner.append(make()._publish("inner")))
    assert make()._publish("outer") == ("outer", True)
    assert inner == [("outer", False)]
    assert make().get() == "outer"
    assert make()._claims == {}


def test_a_claim_that_came_too_late_decides_nothing(make: Any, place: Place) -> None:
    """A thread that meets a claim looks at the slot afterwards, and returns what is there."""
    make()._publish("published")
    cell = make()
    cell._claims[id(cell._owner)] = import_module("gilonce._storage.bound").Claim(cell._owner, "too late")
    assert cell.get() == "published"
    assert cell._claims == {}
    assert make()._publish("second") == ("published", False)
    assert cell._claims == {}


def test_an_interrupt_before_the_write_loses_nothing_and_leaves_nothing(make: Any, place: Place) -> None:
    """Others may have the value already, so the next reader finishes what was begun."""
    place.once_before_write(interrupt)
    with pytest.raises(KeyboardInterrupt):
        make().get_or_init(lambda: "claimed")
    assert make().get_or_init(lambda: "another") == "claimed"
    assert list(place.values.values()) == ["claimed"]
    assert make()._claims == {}


def test_an_interrupt_while_claiming_leaves_no_claim(make: Any) -> None:
    """A claim refers to its owner, and would keep it alive."""
    cell = make()

    class Interrupting(dict[Any, Any]):
        def setdefault(self, key: object, claim: object) -> Any:
            super().setdefault(key, claim)
            raise KeyboardInterrupt

    cell._claims = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        cell._publish("claimed")
    assert cell._claims == {}
    assert cell.get() == "claimed"


@pytest.mark.parametrize("action", ["take", "assign"])
def test_a_claim_that_was_taken_or_assigned_over_is_not_written_any_more(make: Any, place: Place, action: str) -> None:
    """Between the look and the write, `take()` has the value, and an assignment stays."""
    taken = []

    def step_in() -> None:
        taken.append(make().take()) if action == "take" else make().assign("assigned")

    place.once_after_read(step_in)
    got, _ = make()._publish("claimed")
    assert make()._claims == {}
    if action == "take":
        assert (got, taken, make().get("empty")) == ("claimed", ["claimed"], "empty")
    else:
        assert (got, make().get()) == ("assigned", "assigned")


def test_a_claim_that_gave_way_to_another_is_not_written_any_more(make: Any, place: Place) -> None:
    """Taken, and followed by a new value on its way: the old one does not come back."""
    cell = make()
    newer = import_module("gilonce._storage.bound").Claim(cell._owner, "newer")
    place.once_after_read(lambda: cell._claims.update({id(cell._owner): newer}))
    assert cell._publish("claimed") == ("newer", False)
    assert make().get() == "newer"


def test_an_assignment_and_a_take_remove_a_claim_that_was_left(make: Any, place: Place) -> None:
    """What the user says afterwards counts, and nothing comes back."""
    for operation, expected in ((lambda: make().take(), "empty"), (lambda: make().assign("new"), "new")):
        place.once_before_write(interrupt)
        with pytest.raises(KeyboardInterrupt):
            make().get_or_init(lambda: "claimed")
        operation()
        assert make().get("empty") == expected
        assert make()._claims == {}


def test_of_two_that_take_at_once_one_has_the_value(make: Any, place: Place) -> None:
    """Both see it, and only one can delete it."""
    make().set("value")
    taken = []
    place.once_after_read(lambda: taken.append(make().take()))
    assert make().take("nothing") == "nothing"
    assert taken == ["value"]


def test_a_take_does_not_swallow_a_value_that_is_on_its_way(make: Any, place: Place) -> None:
    """Claimed while the old value was there, written after that was taken: both count."""
    make().set("old")
    cell = make()
    taken = []

    class Pausing(dict[Any, Any]):
        def setdefault(self, key: object, claim: object) -> Any:
            found = dict.setdefault(self, key, claim)
            if not taken:
                taken.append("going")
                taken[0] = make_on(self).take()
            return found

    def make_on(claims: Any) -> Any:
        view = make()
        view._claims = claims
        return view

    cell._claims = Pausing()
    cell.set("new")
    assert taken == ["old"]
    assert cell.get() == "new"
    assert cell._claims == {}


@pytest.mark.parametrize("action", ["assign", "take", "publish"])
def test_a_take_removes_only_what_it_returns(make: Any, place: Place, action: str) -> None:
    """What comes between its look and its deletion makes it look again."""
    make().set("old")
    other: list[object] = []

    def step_in() -> None:
        if action == "assign":
            make().assign("new")
        elif action == "take":
            other.append(make().take())
        else:
            other.append(make()._publish("new"))

    place.once_after_read(step_in)
    got = make().take("nothing")
    expected = {"assign": ("new", []), "take": ("nothing", ["old"]), "publish": ("old", [("old", False)])}
    assert (got, other) == expected[action]
    assert make().get("empty") == "empty"
    assert make()._claims == {}


def test_a_take_that_is_under_way_hides_nothing_from_readers(make: Any, place: Place) -> None:
    """Until it has deleted the value, the value is there."""
    make().set("value")
    seen = []
    place.once_after_read(lambda: seen.append(make().get()))
    assert make().take() == "value"
    assert seen == ["value"]


def test_a_publisher_that_meets_a_take_at_its_end_publishes(make: Any, place: Place) -> None:
    """The slot is empty already, only the claim of the taker still stands."""
    cell = make()
    claim = import_module("gilonce._storage.bound").Claim(cell._owner, import_module("gilonce._cells.racing").EMPTY)
    claim.is_written = True
    cell._claims[id(cell._owner)] = claim
    assert make()._publish("new") == ("new", True)
    assert make()._claims == {}


def test_an_override_finishes_a_claim_that_it_meets(make: Any, place: Place) -> None:
    """The claimed value was there first, so it is what the override puts back."""
    cell = make()
    claim = import_module("gilonce._storage.bound").Claim(cell._owner, "claimed")
    # After the override has found that the slot is empty, and before it has a claim of its own.
    place.once_after_read(lambda: cell._claims.update({id(cell._owner): claim}))
    with make().override("fake"):
        assert make().get() == "fake"
    assert make().get() == "claimed"
    assert cell._claims == {}


def test_an_override_looks_again_after_an_assignment_in_its_midst(make: Any, place: Place) -> None:
    """The assignment removes the claim of the override, which then replaces what was assigned."""
    make().set("old")
    layer = make().override("fake")
    # The first read finds what is to be replaced. The second one is made under the claim.
    place.once_after_read(lambda: place.once_after_read(lambda: make().assign("assigned")))
    with layer:
        assert make().get() == "fake"
    assert make().get() == "assigned"
    assert make()._claims == {}


def test_without_a_gil_a_value_may_be_deleted_between_check_and_deletion(make: Any, place: Place) -> None:
    """Then the deletion fails, and the taker looks again."""
    make().set("old")
    delete = place.__class__.__delete__

    class Gone(Place):
        def __delete__(self, owner: object) -> None:
            self.values.clear()
            delete(self, owner)

    gone = Gone()
    gone.values = place.values
    cell = make()
    cell._found = gone
    assert cell.take("nothing") == "nothing"
    assert cell._claims == {}


def test_a_set_that_races_with_take_knows_that_it_wrote(gilonce: ModuleType) -> None:
    """A value that was there before does not make ours rejected."""
    bound = import_module("gilonce._storage.bound")

    class Racing(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            return self.pop(key, default)

    cell = bound.DictCell(bound.Definition(Owner, None, ""), Owner, "key", Racing(key="old"))
    assert cell._publish("new") == ("new", True)


@pytest.mark.parametrize("kind", ["slot", "class", "instance"])
def test_many_threads_publish_one_value_to_any_place(gilonce: ModuleType, kind: str) -> None:
    """Law 1 under a race for the write itself, hundreds of times, and no claim stays behind."""
    bound = import_module("gilonce._storage.bound")

    class Slotted:
        __slots__ = ("_x",)

    class Plain:
        pass

    definition = bound.Definition(Owner, None, "")
    for _ in range(200):
        owner: Any = {"slot": Slotted, "class": lambda: type("C", (), {}), "instance": Plain}[kind]()

        def make(owner: Any = owner) -> Any:
            if kind == "slot":
                return bound.SlotCell(definition, owner, lambda _owner: Slotted._x)  # type: ignore[attr-defined]
            return definition.cell_of(owner)

        got = race(lambda make=make: make()._publish(object()), 4)
        assert len({id(value) for value, _ in got}) == 1
        assert sum(written for _, written in got) == 1
        assert make().get() is got[0][0]
    assert definition.claims == import_module("gilonce._storage.class_values")._candidates == {}


def test_the_primitives_of_a_place_are_left_to_its_kind(gilonce: ModuleType) -> None:
    """What all views share has no place of its own."""
    bound = import_module("gilonce._storage.bound")
    cell = bound.BoundCell(bound.Definition(Owner, None, ""))
    for operation in (lambda: cell.assign(1), lambda: cell.is_same_place(cell)):
        with pytest.raises(NotImplementedError):
            operation()


def test_a_copy_of_a_cell_discards_as_the_original_does(gilonce: ModuleType) -> None:
    discarded: list[str] = []

    class Owner:
        @gilonce.once(discard=discarded.append)
        def m(self) -> str:
            return "value"

    cell = copy.copy(Owner().m.cell)

    def lose() -> str:
        cell.set("winner")
        return "loser"

    assert cell.get_or_init(lose) == "winner"
    assert discarded == ["loser"]
