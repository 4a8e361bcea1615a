"""`cell=`: cells in instances and classes, with copies, pickles, races and leaks."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import pickle
import sys
import threading
import weakref
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support import WATCHDOG, race, run_threads
from support.cells import CELLS, Make
from support.keys import move_dict


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

        @gilonce.once(cell=CELLS[kind](gilonce))
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


@pytest.mark.parametrize("slots", [("__dict__", "__weakref__"), ("__dict__",)])
@pytest.mark.parametrize("kind", ["ThreadOnceCell", "ProcessOnceCell"])
def test_whose_a_cell_is_does_not_depend_on_the_id_of_a_dict(
    gilonce: ModuleType, kind: str, slots: tuple[str, ...]
) -> None:
    """The program may replace a `__dict__`, and that of a copy may then be where the first one was."""

    class Owner:
        __slots__ = slots

        @gilonce.once(cell=CELLS[kind](gilonce))
        def method(self) -> object:
            return object()

    for _ in range(20):
        owner = Owner()
        owner.__dict__ = {}
        cell, value = owner.method.cell, owner.method()
        copied = copy.copy(owner)
        move_dict(owner, copied)
        assert owner.method.cell is cell
        assert owner.method() is value
        assert copied.method() is not value


@pytest.mark.parametrize("kind", [*CELLS])
def test_instances_that_share_a_dict_share_the_cell_in_it(gilonce: ModuleType, kind: str) -> None:
    """As they share a plain value there."""
    runs: list[object] = []
    shared: dict[str, Any] = {}

    class Owner:
        def __init__(self) -> None:
            self.__dict__ = shared

        @gilonce.once(cell=CELLS[kind](gilonce))
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


def test_an_interrupt_while_a_cell_is_stored_in_an_instance_leaves_no_candidate(gilonce: ModuleType) -> None:
    """Whichever call is interrupted: a candidate would keep the instance alive."""

    class Owner:
        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def method(self) -> str:
            return "value"

    definition = vars(Owner)["method"]._definition

    def is_interrupted_at(number: int) -> bool:
        calls = itertools.count(1)

        def profile(frame: Any, event: str, argument: object) -> None:
            # Where the interpreter looks for signals: when a function begins, and when it, or one in C, has returned.
            if (
                event != "c_call"
                and frame.f_code.co_filename.endswith(("_storage/cell_option.py", "_storage/entries.py"))
                and next(calls) == number
            ):
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
            assert definition.candidates == {}, f"interrupted at {number}"
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

    wait_class: Any = sys.modules["gilonce._cells.wait_graph"].Wait
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
