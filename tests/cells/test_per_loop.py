"""`LoopOnceCell`: one value per event loop.

Here the event loops are asyncio's, and a stand-in for trio. `tests/ecosystem/test_event_loops.py` has the real trio.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import test_laws
from support import WATCHDOG, run_threads
from support.cells import others_slow
from support.surfaces import SURFACES, Access, With
from support.trio_stand_in import Trio

#: The surfaces that take a cell which is not final.
SURFACES_THAT_ASK = [name for name in SURFACES if "slot" not in name]


class Value:
    """What can be seen to be freed, and can refer to its event loop."""

    refers_to: Any = None


def is_freed(*references: weakref.ref[Any]) -> bool:
    """Return whether the collector frees what is referred to. PyPy needs several collections for an event loop."""
    for _ in range(20):
        gc.collect()
        if all(reference() is None for reference in references):
            return True
    return False


def in_loop(action: Callable[[], Any]) -> Any:
    """Return what a function returns that is called inside an event loop of its own."""

    async def main() -> Any:
        return action()

    return asyncio.run(main())


@pytest.fixture(params=SURFACES_THAT_ASK)
def surface(request: pytest.FixtureRequest, gilonce: ModuleType) -> Callable[[Any], Access]:
    return lambda initializer: SURFACES[request.param](With(gilonce, gilonce.LoopOnceCell), initializer, None)


def test_each_event_loop_has_a_value_of_its_own(surface: Any) -> None:
    """On every surface: one object within an event loop, and another one in the next."""
    touch = surface(Value)
    first = in_loop(lambda: [touch(), touch()])
    second = in_loop(lambda: [touch(), touch()])
    assert first[0] is first[1] is not second[0]
    assert second[0] is second[1]


def test_event_loops_that_run_at_the_same_time_share_nothing(surface: Any) -> None:
    """Each thread runs an event loop, and all of them are in use when the values are made."""
    touch = surface(Value)
    inside = threading.Barrier(4)

    def use() -> Any:
        inside.wait(WATCHDOG)
        value = touch()
        inside.wait(WATCHDOG)
        assert touch() is value
        return value

    assert len(set(run_threads(*[lambda: in_loop(use)] * 4))) == 4


def test_a_value_is_found_again_when_its_event_loop_runs_again(gilonce: ModuleType) -> None:
    """`run_until_complete` may be called many times. The value is the loop's until the loop is closed."""
    get = gilonce.once(cell=gilonce.LoopOnceCell)(Value)

    async def main() -> Any:
        return get()

    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    try:
        first, second = [[loop.run_until_complete(main()) for loop in loops] for _ in range(2)]
    finally:
        for loop in loops:
            loop.close()
    assert first == second
    assert first[0] is not first[1]


def test_tasks_of_one_event_loop_share_a_value_and_losers_are_discarded(gilonce: ModuleType) -> None:
    """They race as with `GILOnceCell`. The task that lost awaits what `discard` returns."""
    discarded: list[object] = []

    async def discard(value: object) -> None:
        await asyncio.sleep(0)
        discarded.append(value)

    cell = gilonce.LoopOnceCell(discard=discard)

    async def initialize() -> object:
        await asyncio.sleep(0)
        return object()

    async def main() -> list[object]:
        return await asyncio.gather(*[cell.aget_or_init(initialize) for _ in range(4)])

    for _ in range(2):
        got = asyncio.run(main())
        assert len(set(map(id, got))) == 1
        assert len(discarded) == 3
        assert got[0] not in discarded
        discarded.clear()


def test_a_coroutine_gives_the_value_of_the_event_loop_that_awaits_it(gilonce: ModuleType) -> None:
    """Not that of the event loop in which it was made."""
    cell = gilonce.LoopOnceCell()

    async def initialize() -> Any:
        return asyncio.get_running_loop()

    async def wait_for(coroutine: Any) -> bool:
        return await coroutine is asyncio.get_running_loop()

    coroutine = in_loop(lambda: cell.aget_or_init(initialize))
    assert asyncio.run(wait_for(coroutine))


# What is freed when.


def test_a_value_is_freed_with_its_event_loop(surface: Any) -> None:
    """Nothing else has to happen, if the value does not refer to the event loop."""
    touch = surface(Value)
    value = weakref.ref(in_loop(touch))
    assert is_freed(value)


def test_a_value_that_refers_to_its_closed_event_loop_is_freed_at_the_next_use(surface: Any) -> None:
    """So is the event loop: a weak key alone would keep both for ever. The next use may be in a new event loop."""
    touch = surface(Value)

    def use() -> Any:
        value = touch()
        value.refers_to = asyncio.get_running_loop()
        return weakref.ref(value), weakref.ref(value.refers_to)

    value, loop = in_loop(use)
    in_loop(touch)
    assert is_freed(value, loop)


def test_the_next_use_of_another_cell_in_an_event_loop_that_is_in_use_is_enough(gilonce: ModuleType) -> None:
    """The event loop, which runs for long, knows its cell already, and another thread's event loop has ended since."""
    ended, running = gilonce.LoopOnceCell(), gilonce.LoopOnceCell()

    def use_and_end() -> Any:
        value = ended.get_or_init(Value)
        value.refers_to = asyncio.get_running_loop()
        return weakref.ref(value)

    async def main() -> Any:
        running.get_or_init(Value)
        (value,) = run_threads(lambda: in_loop(use_and_end))
        assert value() is not None
        assert running.is_set()
        return is_freed(value)

    assert asyncio.run(main())


def test_a_value_is_freed_with_its_cell_while_the_event_loop_runs(gilonce: ModuleType) -> None:
    """Also one that refers to the cell, and to the event loop."""

    def use() -> Any:
        cell = gilonce.LoopOnceCell()
        value = cell.get_or_init(Value)
        value.refers_to = cell, asyncio.get_running_loop()
        reference = weakref.ref(value)
        del cell, value
        return is_freed(reference)

    assert in_loop(use)


@pytest.mark.parametrize("decorator", ["once", "once_per_args"])
def test_a_value_that_refers_to_its_instance_is_freed_with_it_while_the_event_loop_runs(
    gilonce: ModuleType, decorator: str
) -> None:
    """A client that belongs to an instance often refers to it."""

    class Owner:
        @getattr(gilonce, decorator)(cell=gilonce.LoopOnceCell)
        def client(self, *_: object) -> Any:
            value = Value()
            value.refers_to = self, asyncio.get_running_loop()
            return value

    def use() -> Any:
        owner = Owner()
        reference = weakref.ref(owner.client())
        assert owner.client() is reference()
        del owner
        return is_freed(reference)

    assert in_loop(use)


def test_nothing_is_kept_for_event_loops_that_are_gone(gilonce: ModuleType) -> None:
    """Neither in the list of event loops nor in the cell."""
    cell = gilonce.LoopOnceCell()
    loops = importlib.import_module("gilonce._cells.per_loop")._loops
    values = [weakref.ref(in_loop(lambda: cell.get_or_init(Value))) for _ in range(5)]
    assert is_freed(*values)
    assert in_loop(cell.is_set) is False
    # PyPy calls the callback of a weak reference some time after the object is gone.
    assert any(is_freed(*list(loops)) and len(cell._cells) == len(loops) == 0 for _ in range(20))


# Outside an event loop.


def outside(gilonce: ModuleType) -> dict[str, Callable[[], Any]]:
    cell = gilonce.LoopOnceCell()

    async def initialize() -> None: ...

    class Owner:
        @gilonce.once(cell=gilonce.LoopOnceCell)
        def client(self) -> None: ...

    @gilonce.once(cell=gilonce.LoopOnceCell)
    def get_client() -> None: ...

    @gilonce.once_per_args(cell=gilonce.LoopOnceCell)
    def get_client_of(region: str) -> None: ...

    def make_client() -> None: ...

    return {
        "this cell": lambda: cell.get_or_init(list),
        "this cell ": cell.get,
        "this cell  ": cell.take,
        "this cell   ": lambda: cell.set(1),
        "this cell    ": lambda: cell.aget_or_init(initialize).send(None),
        "the cell of outside.<locals>.get_client()": get_client,
        "the cell of outside.<locals>.Owner.client()": lambda: Owner().client(),
        "the cell of outside.<locals>.get_client_of()": lambda: get_client_of("eu"),
        "the cell of outside.<locals>.make_client()": lambda: (
            gilonce.lazy_global(make_client, cell=gilonce.LoopOnceCell).__wrapped__
        ),
    }


@pytest.mark.parametrize("name", outside(importlib.import_module("gilonce")))
def test_outside_an_event_loop_an_error_names_the_cell_and_says_what_to_do(gilonce: ModuleType, name: str) -> None:
    """A value that belongs to no event loop would be the very mistake that this cell prevents."""
    with pytest.raises(RuntimeError) as caught:
        outside(gilonce)[name]()
    assert str(caught.value) == (
        f"{name.strip()} has one value per event loop, and no event loop of asyncio or trio runs in this thread: use "
        "it in a coroutine, for example under asyncio.run(main()). Pass the value, not the cell, to code that runs in "
        "other threads"
    )


def test_outside_an_event_loop_nothing_is_set_and_everything_has_a_repr(gilonce: ModuleType) -> None:
    """A debugger shows cells and proxies wherever it stops."""
    cell = gilonce.LoopOnceCell()
    proxy = gilonce.lazy_global(list, cell=gilonce.LoopOnceCell)
    assert (cell.is_set(), repr(cell)) == (False, "<LoopOnceCell: no event loop runs here>")
    assert repr(proxy) == "<lazy_global: list() not yet called>"
    assert in_loop(lambda: repr(cell)) == "<LoopOnceCell: empty>"
    assert in_loop(lambda: cell.set(1) or repr(cell)) == "<LoopOnceCell: 1>"  # type: ignore[func-returns-value]


def test_it_has_what_a_cell_has(gilonce: ModuleType) -> None:
    """The protocol, weak references, `LoopOnceCell[int]`, and checks of its arguments."""
    cell = gilonce.LoopOnceCell()
    assert cell.final is False
    assert isinstance(cell, gilonce.Cell)
    assert weakref.ref(cell)() is cell
    assert gilonce.LoopOnceCell[int].__origin__ is gilonce.LoopOnceCell
    with pytest.raises(TypeError, match=r"LoopOnceCell\(discard=...\) takes a callable"):
        gilonce.LoopOnceCell(discard=3)
    with pytest.raises(TypeError, match=r"LoopOnceCell\(\) takes no timeout, because it never waits"):
        gilonce.LoopOnceCell(timeout=3)
    with pytest.raises(TypeError, match="the initializer must be callable"):
        in_loop(lambda: cell.get_or_init(3))


def test_set_and_take_act_on_the_running_event_loop(gilonce: ModuleType) -> None:
    """What one event loop has is not seen in another."""
    cell = gilonce.LoopOnceCell()

    def use() -> list[Any]:
        cell.set("first")
        with pytest.raises(gilonce.AlreadySetError):
            cell.set("again")
        other = run_threads(lambda: in_loop(lambda: [cell.get("nothing"), cell.is_set(), cell.take("nothing")]))
        return [*other, cell.take(), cell.is_set()]

    assert in_loop(use) == [["nothing", False, "nothing"], "first", False]


# Copies.


def duplicates(cell: Any) -> list[Any]:
    return [copy.copy(cell), copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))]


def test_copies_have_the_value_of_the_running_event_loop_and_pickles_none(gilonce: ModuleType) -> None:
    """Outside an event loop, a copy is empty in each."""
    cell = gilonce.LoopOnceCell(discard=print)

    def use() -> None:
        cell.set([1])
        copied, deep, pickled = duplicates(cell)
        assert copied.get() is cell.get()
        assert deep.get() == [1]
        assert deep.get() is not cell.get()
        assert not pickled.is_set()
        assert pickled._discard is print

    in_loop(use)
    assert [in_loop(copied.is_set) for copied in duplicates(cell)] == [False] * 3


# Overrides and isolation.


def test_an_override_holds_in_every_event_loop(gilonce: ModuleType) -> None:
    """A test enters it outside the event loop that the test then runs. Afterwards everything is as before."""
    cell = gilonce.LoopOnceCell()

    def use() -> list[Any]:
        cell.set("real")
        with cell.override("fake"):
            seen = [cell.get(), *run_threads(lambda: in_loop(cell.get))]
            with cell.override("inner"):
                seen += [cell.get(), *run_threads(lambda: in_loop(cell.get))]
            seen.append(cell.get())
        return [*seen, cell.get()]

    assert in_loop(use) == ["fake", "fake", "inner", "inner", "fake", "real"]
    with cell.override("fake"):
        assert in_loop(lambda: [cell.get(), cell.get_or_init(list), cell.is_set()]) == ["fake", "fake", True]
    assert not in_loop(cell.is_set)
    decorated = cell.override(None)(lambda: in_loop(lambda: cell.get("empty")))
    assert decorated() is None


def test_a_value_that_replaced_that_of_an_override_is_discarded(gilonce: ModuleType) -> None:
    """What `take()` has removed is not, nor the override's, nor what was there before."""
    discarded: list[object] = []
    cell = gilonce.LoopOnceCell(discard=discarded.append)

    def use() -> None:
        cell.set("real")
        with cell.override("fake"):
            assert cell.take() == "fake"
            assert cell.get_or_init(lambda: "made inside") == "made inside"
        with cell.override("fake"):
            assert cell.get() == "fake"
        assert discarded == ["made inside"]
        assert cell.get() == "real"

    in_loop(use)


def test_async_with_awaits_what_discards_the_values_of_every_event_loop(gilonce: ModuleType) -> None:
    """A plain `with` cannot, and reports that."""
    discarded: list[object] = []

    async def discard(value: object) -> None:
        await asyncio.sleep(0)
        discarded.append(value)

    cell = gilonce.LoopOnceCell(discard=discard)

    def replace(value: object) -> None:
        assert cell.take() == "fake"
        cell.set(value)

    async def main() -> None:
        async with cell.override("fake"):
            replace("one")
            run_threads(lambda: in_loop(lambda: replace("another")))

    asyncio.run(main())
    # The other event loop has ended, and its value was dropped with it, or is discarded here if it has not been freed.
    assert discarded[0] == "one"
    assert discarded[1:] in ([], ["another"])


@pytest.mark.parametrize("is_keyed", [False, True])
def test_isolated_and_reset_reach_every_event_loop(gilonce: ModuleType, is_keyed: bool) -> None:
    """Inside, all event loops start empty. Afterwards each loop has its own again, and the new ones are discarded."""
    testing = importlib.import_module("gilonce.testing")
    discarded: list[object] = []

    def make_cell() -> Any:
        return gilonce.LoopOnceCell(discard=discarded.append)

    get: Any = gilonce.once(cell=make_cell)(Value)
    if is_keyed:
        keyed = gilonce.once_per_args(cell=make_cell)(lambda key: Value())

        def get() -> Any:
            return keyed("a key")

        get.cell = keyed.cell("a key")

    def use() -> None:
        value = get()
        with get.cell.override("fake"), testing.isolated():
            assert not get.cell.is_set()
            inside = get()
            assert inside is not value
        assert discarded == [inside]
        assert get() is value
        with get.cell.override("fake"):
            testing.reset()
            assert get() == "fake"
        testing.reset()
        assert discarded == [inside, value]
        assert not get.cell.is_set()

    in_loop(use)


def test_take_all_takes_the_values_of_the_running_event_loop(gilonce: ModuleType) -> None:
    """As `take` does for a single cell."""
    get = gilonce.once_per_args(cell=gilonce.LoopOnceCell)(lambda key: [key])

    def use() -> Any:
        get("a")
        get("b")
        return get.take_all(), get.take_all(), get.cell("a").is_set()

    assert in_loop(use) == ([["a"], ["b"]], [], False)


# The laws.


@pytest.mark.parametrize(
    "law",
    [
        name
        for name, test in vars(test_laws).items()
        if name.startswith("test_") and set(inspect.signature(test).parameters) == {"gilonce", "surface"}
    ],
)
@pytest.mark.parametrize("surface_name", others_slow(SURFACES_THAT_ASK))
def test_the_laws_hold(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, law: str, surface_name: str) -> None:
    """Within one event loop it obeys the laws of a `GILOnceCell`. Here all threads seem to run in the same one."""
    loop = Value()
    assert gilonce.LoopOnceCell
    monkeypatch.setattr(sys.modules["gilonce._cells.per_loop"], "running_loop", lambda: loop)
    getattr(test_laws, law)(With(gilonce, gilonce.LoopOnceCell), SURFACES[surface_name])


# trio.


@pytest.fixture
def trio(monkeypatch: pytest.MonkeyPatch) -> Trio:
    made = Trio()
    monkeypatch.setitem(sys.modules, "trio.lowlevel", made)  # type: ignore[misc]
    return made


def test_a_run_of_trio_has_a_value_that_is_dropped_at_its_end(gilonce: ModuleType, trio: Trio) -> None:
    """Even if the value refers to what stands for the run. A cell that is gone by then does no harm."""
    cell, gone = gilonce.LoopOnceCell(), gilonce.LoopOnceCell()
    value = cell.get_or_init(Value)
    value.refers_to = trio.token
    reference = weakref.ref(value)
    gone.get_or_init(Value)
    assert cell.get_or_init(Value) is value
    assert len(trio.instruments) == 1
    del value, gone
    trio.end()
    assert is_freed(reference)
    with pytest.raises(RuntimeError, match="no event loop of asyncio or trio runs in this thread"):
        cell.get()
    assert in_loop(lambda: cell.get("empty")) == "empty"


def test_a_task_of_asyncio_counts_where_both_libraries_run_in_a_thread(gilonce: ModuleType, trio: Trio) -> None:
    """With trio-asyncio, a task of asyncio runs in one of trio's. Where trio is a guest, trio's task counts."""
    cell = gilonce.LoopOnceCell()
    cell.set("trio's")
    assert in_loop(lambda: cell.get("asyncio's")) == "asyncio's"

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        seen: Any = loop.create_future()
        loop.call_soon(lambda: seen.set_result(cell.get()))
        return await seen

    assert asyncio.run(main()) == "trio's"


def test_a_library_that_is_being_imported_runs_nothing(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module is there, and its functions are not yet."""
    monkeypatch.setitem(sys.modules, "trio.lowlevel", ModuleType("trio.lowlevel"))
    cell = gilonce.LoopOnceCell()
    assert in_loop(lambda: cell.get_or_init(list)) == []
