"""`once_per_args` with `cell=`: other cells than its own."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, race, run_threads
from support.keys import Argument, settle


def test_with_once_lock_the_function_runs_once_for_each_key(gilonce: ModuleType) -> None:
    """Other threads wait for that key, and no other."""
    runs: list[object] = []

    @gilonce.once_per_args(cell=gilonce.OnceLock)
    def get(key: object) -> object:
        runs.append(key)
        threading.Event().wait(0.001)
        return object()

    got = race(lambda: [get(number) for number in (1, 2, 3)])
    assert len({tuple(map(id, one)) for one in got}) == 1
    assert sorted(runs) == [1, 2, 3]  # type: ignore[type-var]
    assert get.cell(1).get() is got[0][0]


def test_with_once_lock_a_value_may_need_that_of_other_arguments(gilonce: ModuleType) -> None:
    """A cycle of keys is an error that names the arguments."""

    @gilonce.once_per_args(cell=functools.partial(gilonce.OnceLock, timeout=WATCHDOG))
    def initialize(name: str, *, again: bool = False) -> Any:
        if name == "app":
            return ["app", initialize("storage")]
        return [initialize("b" if name == "a" else "a", again=True)] if name in ("a", "b") else [name]

    assert initialize("app") == ["app", ["storage"]]
    assert initialize("app")[1] is initialize("storage")
    with pytest.raises(gilonce.DeadlockError) as caught:
        initialize("a")
    assert "runs test_" in str(caught.value)
    assert "waits for" in str(caught.value)
    assert "initialize('b', again=True)." in str(caught.value)
    initialize.cell("b", again=True).set("given")
    assert initialize("a") == ["given"]
    initialize.take_all()
    assert initialize("storage") == ["storage"]


def test_a_deadlock_between_threads_names_all_arguments(gilonce: ModuleType) -> None:
    """One thread gets the error, and the other goes on."""
    both_inside = threading.Barrier(2)
    depth = threading.local()

    @gilonce.once_per_args(cell=gilonce.OnceLock)
    def get(name: str) -> Any:
        if not hasattr(depth, "inside"):
            depth.inside = True
            both_inside.wait(WATCHDOG)
        return [get({"a": "b", "b": "a"}[name])]

    outcomes = run_threads(lambda: get("a"), lambda: get("b"))
    told = [str(outcome) for outcome in outcomes if isinstance(outcome, gilonce.DeadlockError)]
    assert told
    assert any(".get('a')" in text and ".get('b')" in text for text in told)


def test_a_deadlock_names_arguments_whose_repr_is_long_or_fails(gilonce: ModuleType) -> None:
    """The error is reported all the same."""

    class Shy:
        def __repr__(self) -> str:
            raise ValueError("no repr")

    class Owner:
        @gilonce.once_per_args(cell=gilonce.OnceLock)
        def method(self, shy: Any, text: str) -> Any:
            return self.method(shy, text)

    with pytest.raises(gilonce.DeadlockError, match=r"Owner\.method\(<Shy instance at .*>, 'xxx") as caught:
        Owner().method(Shy(), "x" * 1000)
    assert len(str(caught.value)) < 1000


def test_thread_cells_give_each_thread_its_own_value_for_each_key(gilonce: ModuleType) -> None:
    """And take_all takes the caller's own."""
    get = gilonce.once_per_args(lambda key: object(), cell=gilonce.ThreadOnceCell)
    mine = get("x")
    assert get("x") is mine
    assert isinstance(get.cell("x"), gilonce.ThreadOnceCell)
    assert not get.cell("x").final
    other_threads, theirs_later = [], []
    done = threading.Event()

    def other() -> None:
        other_threads.append(get("x"))
        done.wait(WATCHDOG)
        theirs_later.append(get("x"))

    thread = threading.Thread(target=other)
    thread.start()
    while not other_threads:
        pass
    assert other_threads != [mine]
    assert get.take_all() == [mine]
    settle()
    done.set()
    thread.join()
    assert theirs_later == other_threads
    assert get("x") is not mine


def test_thread_cells_are_forgotten_when_no_thread_has_a_value(gilonce: ModuleType) -> None:
    """Taken by every thread that had one, or gone with it."""
    get = gilonce.once_per_args(lambda key: object(), cell=gilonce.ThreadOnceCell)

    def use(leave: Callable[[Any], Any]) -> weakref.ref[Any]:
        argument = Argument()
        get(argument)
        leave(argument)
        return weakref.ref(argument)

    uses = [use(lambda key: get.cell(key).take()), use(lambda _: get.take_all())]
    settle()
    assert [use() for use in uses] == [None, None]
    kept, other = Argument(), Argument()
    references = [weakref.ref(kept), weakref.ref(other)]
    value = get(kept)

    def use_elsewhere() -> None:
        first, second = [reference() for reference in references]
        get(first)
        get(second)
        get.cell(first).take()

    assert run_threads(use_elsewhere) == [None]
    assert get(kept) is value
    del kept, other
    settle()
    assert references[0]() is not None
    assert get.take_all() == [value]
    settle()
    assert [reference() for reference in references] == [None, None]


def test_process_cells_and_cells_of_ones_own(gilonce: ModuleType) -> None:
    """Whatever `cell=` makes is the cell of each key, and shows as it."""
    make = functools.partial(gilonce.ProcessOnceCell)
    get = gilonce.once_per_args(lambda key: [key], cell=make)
    assert get(1) is get(1) is get.cell(1).get()
    assert isinstance(get.cell(1), gilonce.ProcessOnceCell)
    assert repr(get.cell(1)) == "<ProcessOnceCell: [1]>"
    for copied in (copy.copy(get.cell(1)), copy.deepcopy(get.cell(1))):
        assert copied.get() == [1]
    assert not pickle.loads(pickle.dumps(get.cell(1))).is_set()
    assert get.cell(1).take() == [1]
    with pytest.raises(ZeroDivisionError):
        get.cell(2).get_or_init(lambda: 1 / 0)
    get.cell(3).set("three")
    assert get(3) == "three"
    with pytest.raises(gilonce.AlreadySetError):
        get.cell(3).set("four")
    assert get.take_all() == ["three"]
    held = get.cell(1)
    assert get.cell(1) is held
    assert isinstance(held, gilonce.Cell)


def test_what_is_imported_into_the_cell_of_a_key_is_the_value_of_calls(gilonce: ModuleType) -> None:
    """As with every other way to fill a cell, the key then keeps its cell."""
    for make in (gilonce.ProcessOnceCell, type("Derived", (gilonce.GILOnceCell,), {})):
        get = gilonce.once_per_args(lambda key: [key], cell=make)
        imported = get.cell(1).import_attr("decimal", "Decimal")
        gc.collect()
        assert get(1) is imported


def test_cells_of_ones_own_leave_nothing_behind_either(gilonce: ModuleType) -> None:
    """An empty cell is removed when nothing refers to it, in a method too."""

    class Own(gilonce.GILOnceCell):  # type: ignore[name-defined,misc]
        pass

    class Owner:
        @gilonce.once_per_args(cell=Own)
        def method(self, key: Any) -> Any:
            raise ValueError

    owner = Owner()
    argument = Argument()
    reference = weakref.ref(argument)
    with contextlib.suppress(ValueError):
        owner.method(argument)
    cell = owner.method.cell(argument)
    copied = copy.copy(owner)
    assert copied.method.cell(argument) is not cell
    del argument, cell
    settle()
    assert reference() is None
    held = owner.method.cell(1)
    del owner, copied
    settle()
    held.set(1)
    assert held.get() == 1
