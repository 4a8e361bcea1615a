"""`once_property` with a cell that is not final: a data descriptor that asks its cell at each read.

The tests of the cells show on every surface, this one too, what has a value of its own, and the laws.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import sys
import weakref
from types import ModuleType
from typing import Any

import pytest
from support import drive, run_threads

NOT_FINAL = ["ThreadOnceCell", "LoopOnceCell", "ProcessOnceCell"]


def in_loop(action: Any) -> Any:
    """Return what a function returns that is called inside an event loop of its own."""

    async def main() -> Any:
        return action()

    return asyncio.run(main())


class Value:
    """What can be seen to be freed."""

    refers_to: Any = None


def owner_of(gilonce: ModuleType, cell: Any) -> Any:
    class Owner:
        @gilonce.once_property(cell=cell)
        def attribute(self) -> Any:
            """Document the attribute."""
            value = Value()
            value.refers_to = self
            return value

        @gilonce.once_property(cell=cell)
        @classmethod
        def of_class(cls) -> Any:
            return Value()

        @gilonce.once_property(cell=cell)
        @staticmethod
        def static() -> Any:
            return Value()

    return Owner()


@pytest.mark.parametrize("name", ["attribute", "of_class", "static"])
def test_each_thread_reads_a_value_of_its_own(gilonce: ModuleType, name: str) -> None:
    """Each read asks the cell, so it gives what the reading thread has. That is one object in each thread."""
    owner = owner_of(gilonce, gilonce.ThreadOnceCell)
    mine = getattr(owner, name)
    assert getattr(owner, name) is mine
    ((first, again),) = run_threads(lambda: [getattr(owner, name), getattr(owner, name)])
    assert first is again is not mine


@pytest.mark.parametrize("name", ["attribute", "of_class", "static"])
def test_each_event_loop_reads_a_value_of_its_own(gilonce: ModuleType, name: str) -> None:
    """Outside an event loop, a read raises an error that names the function."""
    owner = owner_of(gilonce, gilonce.LoopOnceCell)
    first, again = in_loop(lambda: [getattr(owner, name), getattr(owner, name)])
    other = in_loop(lambda: getattr(owner, name))
    assert first is again is not other
    with pytest.raises(RuntimeError, match=rf"the cell of .*Owner.{name}\(\) has one value per event loop"):
        getattr(owner, name)


@pytest.mark.parametrize("kind", NOT_FINAL)
def test_two_instances_share_nothing_and_two_subclasses_neither(gilonce: ModuleType, kind: str) -> None:
    """One value per instance, per class, or one for a static method, in each thread, event loop or process."""
    owner = owner_of(gilonce, getattr(gilonce, kind))
    cls = type(owner)
    other = type("Derived", (cls,), {})()

    def check() -> None:
        assert owner.attribute is not other.attribute
        assert owner.of_class is cls.of_class is not other.of_class
        assert owner.static is cls.static is other.static

    in_loop(check)


@pytest.mark.parametrize("kind", NOT_FINAL)
def test_it_is_assigned_and_deleted_as_an_attribute(gilonce: ModuleType, kind: str) -> None:
    """Both act on the caller's value. An empty attribute cannot be deleted."""
    owner = owner_of(gilonce, getattr(gilonce, kind))

    def check() -> None:
        with pytest.raises(AttributeError, match="'Owner' object has no attribute 'attribute'"):
            del owner.attribute
        owner.attribute = "assigned"
        assert owner.attribute == "assigned"
        owner.attribute = None
        assert owner.attribute is None
        assert gilonce.cell_of(owner, "attribute").get("empty") is None
        del owner.attribute
        assert isinstance(owner.attribute, Value)

    in_loop(check)


def test_assigning_in_one_thread_changes_nothing_in_another(gilonce: ModuleType) -> None:
    owner = owner_of(gilonce, gilonce.ThreadOnceCell)
    mine = owner.attribute

    def other() -> Any:
        owner.attribute = "other"
        return owner.attribute

    assert run_threads(other) == ["other"]
    assert owner.attribute is mine


def test_an_entry_under_its_name_does_not_hide_it(gilonce: ModuleType) -> None:
    """Such an entry may come from a pickle that was made before the class was given another cell."""
    owner = owner_of(gilonce, gilonce.ThreadOnceCell)
    vars(owner)["attribute"] = "old"
    assert owner.attribute != "old"
    assert inspect.isdatadescriptor(vars(type(owner))["attribute"])


def test_assigning_wins_over_a_value_that_is_published_meanwhile(gilonce: ModuleType) -> None:
    """By another task of the event loop, or a signal handler, between taking the old value and setting the new one."""
    taken: list[object] = []

    class Cell(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        final = False

        def take(self, default: Any = None) -> Any:
            value = super().take(default)
            taken.append(value)
            if len(taken) == 1:
                self.set("meanwhile")
            return value

    owner = owner_of(gilonce, Cell)
    owner.attribute = "assigned"
    assert owner.attribute == "assigned"
    assert taken == [None, "meanwhile"]


@pytest.mark.parametrize("kind", NOT_FINAL)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_of_the_instance_begins_anew(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str, duplicate: Any
) -> None:
    """It shares no cell with the original."""
    owner = owner_of(gilonce, getattr(gilonce, kind))
    type(owner).__qualname__ = "Owner"
    monkeypatch.setattr(sys.modules[__name__], "Owner", type(owner), raising=False)

    def check() -> None:
        value = owner.attribute
        copied = duplicate(owner)
        assert not gilonce.cell_of(copied, "attribute").is_set()
        assert copied.attribute is not value
        assert copied.attribute is copied.attribute
        assert owner.attribute is value

    in_loop(check)


@pytest.mark.parametrize("kind", ["ThreadOnceCell", "LoopOnceCell"])
def test_a_value_that_refers_to_its_instance_is_freed_with_it(gilonce: ModuleType, kind: str) -> None:
    def check() -> None:
        owner = owner_of(gilonce, getattr(gilonce, kind))
        reference = weakref.ref(owner.attribute)
        del owner
        for _ in range(10):
            gc.collect()
        assert reference() is None

    in_loop(check)


def test_an_override_that_calls_super_has_a_cell_of_its_own(gilonce: ModuleType) -> None:
    """Neither finds the other's value."""

    class Base:
        @gilonce.once_property(cell=gilonce.ThreadOnceCell)
        def attribute(self) -> Any:
            return ["base"]

    class Derived(Base):
        @gilonce.once_property(cell=gilonce.ThreadOnceCell)
        def attribute(self) -> Any:
            return [*super().attribute, "derived"]

    owner = Derived()
    assert owner.attribute == ["base", "derived"]
    assert owner.attribute is owner.attribute
    assert Base.attribute.__get__(owner) == ["base"]


@pytest.mark.parametrize("kind", NOT_FINAL)
def test_a_slot_is_refused_with_advice(gilonce: ModuleType, kind: str) -> None:
    """The cell cannot be in a slot, because the copy of an instance would share it. The advice works."""
    with pytest.raises(TypeError) as caught:
        gilonce.once_property(slot="_attribute", cell=getattr(gilonce, kind))
    assert str(caught.value) == (
        f"once_property(slot=..., cell=...) cannot keep the values of a {kind} in a slot, because they are not the "
        "same for everyone: leave slot out. The cell is stored in the instance's __dict__, so a class with __slots__ "
        "needs '__dict__' among them"
    )

    class Owner:
        __slots__ = ("__dict__",)

        @gilonce.once_property(cell=getattr(gilonce, kind))
        def attribute(self) -> Any:
            return Value()

    owner = Owner()
    assert in_loop(lambda: owner.attribute is owner.attribute)


def test_an_instance_without_a_dict_is_refused_with_advice(gilonce: ModuleType) -> None:
    class Owner:
        __slots__ = ()

        @gilonce.once_property(cell=gilonce.ThreadOnceCell)
        def attribute(self) -> Any: ...

    with pytest.raises(TypeError, match="Add '__dict__' to the __slots__ of"):
        _ = Owner().attribute


def test_it_looks_like_a_once_property(gilonce: ModuleType) -> None:
    """To `isinstance`, `help` and whoever reads it from the class; and a property without a name is refused."""
    owner = owner_of(gilonce, gilonce.ThreadOnceCell)
    attribute = type(owner).attribute
    assert isinstance(attribute, gilonce.once_property)
    assert (attribute.__doc__, attribute.__name__) == ("Document the attribute.", "attribute")
    assert type(copy.copy(attribute)) is type(attribute)
    with pytest.raises(TypeError, match="without calling __set_name__ on it"):
        gilonce.once_property(lambda self: 1, cell=gilonce.ThreadOnceCell).__get__(owner)
    both = type("Both", (gilonce.once_property, property), {})
    made = both(lambda self: Value(), cell=gilonce.ThreadOnceCell)
    cls = type("Owner", (), {"attribute": made})
    made.__set_name__(cls, "attribute")
    it: Any = cls()
    assert it.attribute is it.attribute
    assert run_threads(lambda: it.attribute)[0] is not it.attribute


def test_an_override_of_its_cell_replaces_the_attribute(gilonce: ModuleType) -> None:
    owner = owner_of(gilonce, gilonce.LoopOnceCell)
    with gilonce.cell_of(owner, "attribute").override("fake"):
        assert in_loop(lambda: owner.attribute) == "fake"
    assert in_loop(lambda: owner.attribute) != "fake"


def async_owner(gilonce: ModuleType, cell: Any) -> Any:
    class Owner:
        @gilonce.once_property(cell=cell)
        async def attribute(self) -> Any:
            await asyncio.sleep(0)
            return Value()

    return Owner()


def test_an_async_attribute_can_be_read_outside_the_event_loop_that_awaits_it(gilonce: ModuleType) -> None:
    """`asyncio.run(obj.x)` reads it first, and runs it then."""
    owner = async_owner(gilonce, gilonce.LoopOnceCell)

    async def wait() -> Any:
        value = await owner.attribute
        assert await owner.attribute is value
        return value

    first = asyncio.run(owner.attribute)
    assert isinstance(first, Value)
    assert asyncio.run(wait()) is not first


@pytest.mark.parametrize("was_computed", [False, True])
def test_monkeypatch_restores_an_async_attribute(gilonce: ModuleType, was_computed: bool) -> None:
    """It reads an awaitable, and later assigns that. It means the value, or that there is none."""
    owner = async_owner(gilonce, gilonce.ThreadOnceCell)
    before = asyncio.run(owner.attribute) if was_computed else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, "attribute", "fake")
        assert drive(owner.attribute.__await__()) == "fake"
    cell = gilonce.cell_of(owner, "attribute")
    assert cell.is_set() == was_computed
    assert cell.get() is before
