"""`ThreadOnceCell`: one value per thread."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, drive, race, run_threads
from support.surfaces import SURFACES, Touch, With

#: The surfaces that take a cell which is not final.
SURFACES_THAT_ASK = [name for name in SURFACES if "slot" not in name]


class Value:
    """What can be seen to be freed."""


@pytest.fixture(params=SURFACES_THAT_ASK)
def surface(request: pytest.FixtureRequest, gilonce: ModuleType) -> Callable[[Any], Touch]:
    return lambda initializer: SURFACES[request.param](With(gilonce, gilonce.ThreadOnceCell), initializer, None)


def test_each_thread_has_a_value_of_its_own(surface: Any) -> None:
    """On every surface: within a thread one object, between threads none in common."""
    touch = surface(Value)
    got = race(lambda: [touch() for _ in range(3)])
    assert all(first is second is third for first, second, third in got)
    assert len({id(values[0]) for values in got}) == 8


def test_a_failure_is_that_threads_own(surface: Any) -> None:
    """Law 3, per thread: who raised tries again, and the others have their values."""
    failed: list[None] = []

    def initializer() -> str:
        if threading.current_thread() is threading.main_thread() and not failed:
            failed.append(None)
            raise ValueError("once")
        return "value"

    touch = surface(initializer)
    with pytest.raises(ValueError, match="once"):
        touch()
    assert run_threads(touch) == ["value"]
    assert touch() == "value"


def test_a_value_is_freed_when_its_thread_ends(gilonce: ModuleType, surface: Any) -> None:
    """Nothing is kept for a thread that is gone, and the others keep theirs."""
    touch = surface(Value)
    mine = touch()
    made: list[weakref.ref[Any]] = []

    def other() -> None:
        value = touch()
        made.append(weakref.ref(value))

    assert run_threads(other, other) == [None, None]
    gc.collect()
    assert [reference() for reference in made] == [None, None]
    assert touch() is mine


def test_a_value_is_freed_with_its_cell(gilonce: ModuleType) -> None:
    """A dropped cell takes its values along, those of other threads too."""
    cells = [gilonce.ThreadOnceCell()]
    made = [weakref.ref(cells[0].get_or_init(Value))]
    is_made, may_end = threading.Event(), threading.Event()

    def other() -> None:
        made.append(weakref.ref(cells[0].get_or_init(Value)))
        is_made.set()
        may_end.wait(WATCHDOG)

    thread = threading.Thread(target=other)
    thread.start()
    assert is_made.wait(WATCHDOG)
    cells.clear()
    gc.collect()
    assert [reference() for reference in made] == [None, None]
    may_end.set()
    thread.join(WATCHDOG)


def test_all_operations_speak_of_the_calling_thread(gilonce: ModuleType) -> None:
    """`set` and `take` in one thread are not seen in another."""
    cell = gilonce.ThreadOnceCell()
    cell.set("main")

    def other() -> list[Any]:
        seen = [cell.get("nothing"), cell.is_set(), cell.take("nothing"), repr(cell)]
        cell.set("other")
        with pytest.raises(gilonce.AlreadySetError):
            cell.set("again")
        return [*seen, cell.get(), repr(cell), cell.take(), cell.is_set()]

    assert run_threads(other) == [
        ["nothing", False, "nothing", "<ThreadOnceCell: empty>", "other", "<ThreadOnceCell: 'other'>", "other", False]
    ]
    assert cell.get() == "main"


def test_it_has_what_a_cell_has(gilonce: ModuleType) -> None:
    """The protocol, weak references, `ThreadOnceCell[int]`, and checks of its arguments."""
    cell = gilonce.ThreadOnceCell()
    assert cell.final is False
    assert isinstance(cell, gilonce.Cell)
    assert weakref.ref(cell)() is cell
    assert gilonce.ThreadOnceCell[int].__origin__ is gilonce.ThreadOnceCell
    with pytest.raises(TypeError, match=r"ThreadOnceCell\(discard=...\) takes a callable"):
        gilonce.ThreadOnceCell(discard=3)
    with pytest.raises(TypeError, match="the initializer must be callable"):
        cell.get_or_init(3)


def test_tasks_of_one_thread_share_a_value(gilonce: ModuleType) -> None:
    """They race as with GILOnceCell, and what loses is discarded."""
    discarded: list[object] = []
    cell = gilonce.ThreadOnceCell(discard=discarded.append)

    async def initialize() -> object:
        await asyncio.sleep(0)
        return object()

    async def main() -> list[object]:
        return await asyncio.gather(*[cell.aget_or_init(initialize) for _ in range(4)])

    got = asyncio.run(main())
    assert len(set(map(id, got))) == 1
    assert len(discarded) == 3


def test_a_coroutine_gives_the_value_of_the_thread_that_awaits_it(gilonce: ModuleType) -> None:
    """Not that of the thread in which it was made."""
    cell = gilonce.ThreadOnceCell()

    async def initialize() -> threading.Thread:
        return threading.current_thread()

    coroutine = cell.aget_or_init(initialize)
    (got,) = run_threads(lambda: drive(coroutine))
    assert got is not threading.main_thread()
    assert not cell.is_set()


def test_copies_have_this_threads_value_and_pickles_none(gilonce: ModuleType) -> None:
    """A copy is a cell of its own."""
    cell = gilonce.ThreadOnceCell(discard=print)
    assert not copy.copy(cell).is_set()
    assert not copy.deepcopy(cell).is_set()
    cell.set([1])
    assert copy.copy(cell).get() is cell.get()
    assert copy.deepcopy(cell).get() == [1]
    assert copy.deepcopy(cell).get() is not cell.get()
    pickled = pickle.loads(pickle.dumps(cell))
    assert not pickled.is_set()
    assert pickled._discard is print


def test_a_deep_copy_of_a_cell_that_refers_to_itself_refers_to_the_copy(gilonce: ModuleType) -> None:
    """By its value; and by an attribute, where a subclass has them."""
    cell = gilonce.ThreadOnceCell()
    cell.set([cell])
    copied = copy.deepcopy(cell)
    assert copied is not cell
    assert copied.get() == [copied]
    cell = type("Kind", (gilonce.ThreadOnceCell,), {})()
    cell.me = [cell]
    copied = copy.deepcopy(cell)
    assert copied is not cell
    assert copied.me == [copied]


def test_a_value_that_holds_its_cell_is_collected(gilonce: ModuleType) -> None:
    """The collector sees through the cell."""
    cell = gilonce.ThreadOnceCell()
    value = Value()
    value.cell = cell  # type: ignore[attr-defined]
    cell.set(value)
    reference = weakref.ref(value)
    del cell, value
    gc.collect()
    assert reference() is None


class Named:
    """What a user derives from the cell, with an `__init__` of its own; made for each implementation below."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def test_a_subclass_is_copied_with_what_it_has(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a subclass of the other cells is: its `__init__` is not asked, its attributes go along."""
    kind = type("Kind", (Named, gilonce.ThreadOnceCell), {"__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Kind", kind, raising=False)
    cell = kind("a name")
    cell.set([1])
    for copied, value in (
        (copy.copy(cell), [1]),
        (copy.deepcopy(cell), [1]),
        (pickle.loads(pickle.dumps(cell)), None),
    ):
        assert type(copied) is kind
        assert copied.name == "a name"
        assert copied.get() == value
    assert copy.copy(cell).get() is cell.get() is not copy.deepcopy(cell).get()
