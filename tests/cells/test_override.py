"""`cell.override(value)`: another value for a while, on every cell and surface."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, run_python, run_threads
from support.overridable import CELLS, HAS_DISCARD, owner

pytestmark = pytest.mark.usefixtures("no_override_is_left")


def test_an_override_replaces_a_value_and_puts_it_back(cell: Any) -> None:
    """The value at entry, `None` and an empty cell included, is there again afterwards."""
    for value in [None, "value"]:
        with cell.override(value) as given:
            assert given is value
            assert (cell.get("empty"), cell.is_set()) == (value, True)
            assert cell.get_or_init(list) is value
        assert not cell.is_set()
    cell.set(None)
    with cell.override("fake"):
        assert cell.get_or_init(list) == "fake"
    assert cell.get("empty") is None


def test_an_override_ends_with_an_exception(cell: Any) -> None:
    with pytest.raises(ZeroDivisionError), cell.override("fake"):
        raise ZeroDivisionError
    assert not cell.is_set()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overrides_may_be_left_in_any_order(cell: Any, order: tuple[int, ...]) -> None:
    """One that is left removes only itself. When the last is left, the cell is as before the first."""
    cell.set("value")
    overrides = [cell.override(number) for number in range(3)]
    for override in overrides:
        override.__enter__()
    alive = [0, 1, 2]
    for number in order:
        assert cell.get() == alive[-1]
        overrides[number].__exit__(None, None, None)
        alive.remove(number)
    assert cell.get() == "value"


def test_overrides_of_one_object_are_told_apart(cell: Any) -> None:
    """A value may be overridden by itself, and twice by one object."""
    cell.set("value")
    first, second = cell.override("value"), cell.override("value")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cell.get() == "value"
    second.__exit__(None, None, None)
    assert cell.take() == "value"


def test_an_override_can_be_taken_and_the_value_returns_all_the_same(cell: Any) -> None:
    cell.set("value")
    with cell.override("fake"):
        assert (cell.take(), cell.take("empty")) == ("fake", "empty")
        cell.set("other")
    assert cell.get() == "value"


@pytest.mark.parametrize("name", HAS_DISCARD)
def test_a_value_that_replaced_the_override_is_discarded_and_no_other(gilonce: ModuleType, name: str) -> None:
    """Neither the override's value nor the one that is put back is ever discarded."""
    discarded: list[object] = []
    cell = CELLS[name](gilonce, discarded.append)
    cell.set("value")
    with cell.override("fake"):
        pass
    with cell.override("fake"):
        cell.take()
        cell.set("value")
    with cell.override("fake"):
        cell.take()
    assert discarded == []
    with cell.override("fake"):
        cell.take()
        assert cell.get_or_init(lambda: "made inside") == "made inside"
    assert discarded == ["made inside"]
    with cell.override("lower"):
        upper = cell.override("upper")
        cell.take()
        cell.set("under the upper")
        upper.__enter__()
    assert discarded == ["made inside", "under the upper"]
    upper.__exit__(None, None, None)
    assert (cell.get(), len(discarded)) == ("value", 2)


@pytest.mark.parametrize("name", [name for name in HAS_DISCARD if name not in ("per_thread", "per_loop")])
def test_an_initializer_that_is_running_loses_to_the_override(gilonce: ModuleType, name: str) -> None:
    """Its caller gets the override; its value is discarded, and not there afterwards.

    A cell per event loop is an exception; see the docstring of `LoopOnceCell.override`.
    """
    discarded: list[object] = []
    cell = CELLS[name](gilonce, discarded.append)
    begun, entered = threading.Event(), threading.Event()

    def initialize() -> str:
        begun.set()
        assert entered.wait(WATCHDOG)
        return "loser"

    def override() -> None:
        assert begun.wait(WATCHDOG)
        with cell.override("fake"):
            entered.set()
            assert done.wait(WATCHDOG)

    done = threading.Event()

    def initialize_and_tell() -> Any:
        try:
            return cell.get_or_init(initialize)
        finally:
            done.set()

    assert run_threads(initialize_and_tell, override) == ["fake", None]
    assert (discarded, cell.is_set()) == (["loser"], False)


@pytest.mark.parametrize("name", ["lock", "locked", "locked_in_slot", "locked_of_class"])
def test_threads_that_wait_for_an_initializer_return_the_override_at_once(gilonce: ModuleType, name: str) -> None:
    """The initializer goes on, and no other begins while it runs."""
    cell = CELLS[name](gilonce, None)
    running, overridden = threading.Event(), threading.Event()
    runs = []

    def initialize() -> str:
        runs.append(1)
        running.set()
        assert overridden.wait(WATCHDOG)
        return "value"

    def wait() -> Any:
        assert running.wait(WATCHDOG)
        return cell.get_or_init(initialize)

    def override() -> None:
        assert running.wait(WATCHDOG)
        with cell.override("fake"):
            for thread in waiters:
                thread.join(WATCHDOG)
            overridden.set()
            first.join(WATCHDOG)

    got: list[Any] = []
    first = threading.Thread(target=lambda: got.append(cell.get_or_init(initialize)), daemon=True)
    waiters = [threading.Thread(target=lambda: got.append(wait()), daemon=True) for _ in range(3)]
    for thread in [first, *waiters]:
        thread.start()
    override()
    assert (got, runs, cell.is_set()) == (["fake"] * 4, [1], False)


def test_a_task_that_waits_for_an_initializer_returns_the_override(gilonce: ModuleType) -> None:
    async def main() -> Any:
        cell = gilonce.OnceLock()
        go_on = asyncio.Event()

        async def initialize() -> str:
            await go_on.wait()
            return "value"

        first = asyncio.create_task(cell.aget_or_init(initialize))
        second = asyncio.create_task(cell.aget_or_init(initialize))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        async with cell.override("fake") as given:
            assert given == "fake"
            assert await second == "fake"
            go_on.set()
            assert await first == "fake"
        return cell.get("empty")

    assert asyncio.run(main()) == "empty"


@pytest.mark.parametrize("cell", [None, "OnceLock", "ThreadOnceCell", "ProcessOnceCell"])
@pytest.mark.parametrize("key", ["text", (1, 2.0), frozenset([1])])
def test_a_call_finds_the_override_of_its_key_whatever_holds_the_cell(
    gilonce: ModuleType, cell: str | None, key: object
) -> None:
    """Only the override holds the cell of the key; the calls with that key get the override's value, and no others."""

    @gilonce.once_per_args(cell=None if cell is None else getattr(gilonce, cell))
    def get(key: object) -> object:
        return ["made", key]

    for _ in range(2):
        with get.cell(key).override("a fake"):
            gc.collect()
            assert get(key) == "a fake"
            assert get("another") == ["made", "another"]
            with get.cell(key).override("a second"):
                assert get(key) == "a second"
            assert get(key) == "a fake"
        assert get(key) == ["made", key]
        taken = get.take_all()
        assert len(taken) == 2
        assert ["made", "another"] in taken
        assert ["made", key] in taken
        with get.cell(key).override("a fake"):
            assert get.take_all() == ["a fake"]
        assert get.take_all() == []


def test_the_cell_of_a_key_that_has_no_override_says_so(gilonce: ModuleType) -> None:
    """A cell of a user's own class may have no `override`."""

    class Mine:
        final = True

        def __init__(self) -> None:
            cell = gilonce.GILOnceCell()
            for name in ("get", "is_set", "get_or_init", "aget_or_init", "set", "take"):
                setattr(self, name, getattr(cell, name))

    @gilonce.once_per_args(cell=Mine)
    def get(key: object) -> object: ...

    with pytest.raises(TypeError, match="a Mine has no override: let its class derive from one of gilonce's cells"):
        get.cell(1).override("a fake")


@pytest.mark.parametrize("cell", [None, "OnceLock"])
def test_instances_that_share_a_dict_share_an_override(gilonce: ModuleType, cell: str | None) -> None:
    """Their overrides form one stack, so that they may be left in any order."""

    class Borg:
        shared: dict[str, object] = {}  # noqa: RUF012 - shared on purpose

        def __init__(self) -> None:
            self.__dict__ = self.shared

        @gilonce.once(cell=None if cell is None else getattr(gilonce, cell))
        def method(self) -> object:
            return "made"

    one, other = Borg(), Borg()
    first, second = one.method.cell.override("first"), other.method.cell.override("second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert one.method() == other.method() == "second"
    second.__exit__(None, None, None)
    assert one.method() == "made"


def test_an_override_follows_the_dict_of_its_instance(gilonce: ModuleType) -> None:
    """An instance whose `__dict__` is replaced meanwhile is as before when the override is left."""

    class Owner:
        @gilonce.once
        def method(self) -> object:
            return ["made"]

    instance = Owner()
    made = instance.method()
    with instance.method.cell.override("a fake"):
        instance.__dict__ = instance.__dict__.copy()
        gc.collect()
        assert instance.method() == "a fake"
    assert instance.method() is made


def test_an_override_of_a_cell_per_thread_is_for_the_thread_that_enters(gilonce: ModuleType) -> None:
    cell = gilonce.ThreadOnceCell()
    override = cell.override("fake")
    with override:
        assert run_threads(lambda: cell.get("empty")) == ["empty"]
        assert cell.get() == "fake"

    def enter_elsewhere() -> Any:
        override.__enter__()
        return cell.get()

    assert run_threads(enter_elsewhere) == ["fake"]
    assert cell.get("empty") == "empty"
    override.__exit__(None, None, None)


# Misuse, and overrides that were dropped without being left.


def test_an_override_is_entered_once_at_a_time(cell: Any) -> None:
    """The error leaves it in force; once it is left, it can be entered again."""
    override = cell.override("fake")
    override.__exit__(None, None, None)
    for _ in range(2):
        with override:
            with pytest.raises(RuntimeError, match=r"in force already.*cell\.override\(value\)"), override:
                pass
            assert cell.get() == "fake"
        assert not cell.is_set()
    assert repr(override).endswith("by 'fake'>")


def test_an_override_that_is_dropped_is_left(gilonce: ModuleType) -> None:
    """What has replaced its value is discarded then."""
    discarded: list[object] = []
    cell = gilonce.GILOnceCell(discard=discarded.append)
    override = cell.override("fake")
    override.__enter__()
    cell.take()
    cell.set("made inside")
    del override
    gc.collect()
    assert (cell.is_set(), discarded) == (False, ["made inside"])


def test_an_owner_is_not_kept_alive(gilonce: ModuleType) -> None:
    import weakref

    it = owner(gilonce, None)
    reference = weakref.ref(it)
    override = it.method.cell.override("fake")
    override.__enter__()
    del it, override
    for _ in range(3):  # on PyPy, what a callback drops goes with the next collection
        gc.collect()
    assert reference() is None


def test_a_discard_may_be_awaited(gilonce: ModuleType) -> None:
    """`async with` awaits what `discard` returns, and reports what that raises."""
    discarded: list[object] = []

    async def discard(value: object) -> None:
        await asyncio.sleep(0)
        discarded.append(value)
        raise ZeroDivisionError

    cell = gilonce.GILOnceCell(discard=discard)

    async def main() -> None:
        async with cell.override("fake"):
            cell.take()
            cell.set("made inside")

    reports: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda report: reports.append(report.exc_type)
    try:
        asyncio.run(main())
    finally:
        sys.unraisablehook = before
    assert (discarded, reports) == (["made inside"], [ZeroDivisionError])


def test_what_a_discard_raises_is_reported(gilonce: ModuleType) -> None:
    def discard(_: object) -> None:
        raise ZeroDivisionError

    cell = gilonce.GILOnceCell(discard=discard)
    reports: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda report: reports.append(report.exc_type)
    try:
        with cell.override("fake"):
            cell.take()
            cell.set("made inside")
    finally:
        sys.unraisablehook = before
    assert (reports, cell.is_set()) == ([ZeroDivisionError], False)


# Forks.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_an_override_of_a_cell_per_process_does_not_hold_in_a_child(gilonce: ModuleType) -> None:
    """Leaving it there leaves the cell alone; what it has replaced is not finalized there."""
    program = """
import os, sys
import gilonce

class Connection:
    def __del__(self):
        if os.getpid() != parent:
            os.write(1, b"finalized in the child\\n")

parent = os.getpid()
cell = gilonce.ProcessOnceCell()
cell.set(Connection())
real = id(cell.get())
with cell.override("fake"):
    child = os.fork()
    if child == 0:
        assert not cell.is_set()
        cell.set("the child's")
    else:
        assert cell.get() == "fake"
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
if child == 0:
    assert cell.get() == "the child's"
    with cell.override("another"):
        assert cell.get() == "another"
    assert cell.get() == "the child's"
    sys.exit()
assert id(cell.get()) == real
print("done")
"""
    assert run_python(gilonce, "-c", program) == "done\n"
