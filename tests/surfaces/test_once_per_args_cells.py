"""`once_per_args`: the one cell of each key."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
import sys
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, run_threads
from support.keys import KEYS, Argument, Same, settle, without_collector

CPYTHON = sys.implementation.name == "cpython"


def make_function(gilonce: ModuleType, **options: Any) -> Any:
    return gilonce.once_per_args(lambda key: object(), **options)


def make_method(gilonce: ModuleType, **options: Any) -> Any:
    class Owner:
        @gilonce.once_per_args(**options)
        def method(self, key: Any) -> object:
            return object()

    return Owner().method


@pytest.fixture(params=[make_function, make_method])
def get(request: pytest.FixtureRequest, gilonce: ModuleType) -> Any:
    return request.param(gilonce)


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> Any:
    return KEYS[request.param]()


def test_the_cell_is_the_one_that_calls_use(get: Any, key: Any) -> None:
    """It is the same object for as long as somebody has it, and whatever is done to it is done for the calls."""
    cell = get.cell(key)
    assert get.cell(key) is cell
    assert not cell.is_set()
    value = get(key)
    assert cell.get() is value
    assert get.cell(key) is cell
    assert cell.take() is value
    assert get(key) is not value
    assert cell.get() is get(key)
    cell.take()
    cell.set("set")
    assert get(key) == "set"
    del cell
    settle()
    assert get(key) == "set"
    assert get.cell(key).get() == "set"


def test_a_cell_of_one_key_is_not_that_of_another(get: Any) -> None:
    """Not even where the hashes are the same."""
    get.cell(Same(1)).set("one")
    get.cell(Same(2)).set("two")
    assert (get(Same(1)), get(Same(2))) == ("one", "two")
    get.cell(Same(1)).take()
    assert get(Same(2)) == "two"
    assert get(Same(1)) not in ("one", "two")


def test_an_empty_cell_leaves_nothing_behind(get: Any) -> None:
    """Asked for and dropped, or emptied, it takes its key with it."""

    def use(leave: Callable[[Any], Any]) -> weakref.ref[Any]:
        argument = Argument()
        leave(argument)
        return weakref.ref(argument)

    uses = [
        use(get.cell),
        use(lambda key: get.cell(key).set(1) or get.cell(key).take()),
        use(lambda key: (get(key), get.cell(key).take())),
        use(lambda key: (get(key), get.take_all())),
        use(lambda key: (get(key), get.cache_clear())),
    ]
    settle()
    assert [use() for use in uses] == [None] * len(uses)


def test_an_initializer_that_fails_leaves_nothing_behind(gilonce: ModuleType) -> None:
    """Neither an entry nor the key."""

    @gilonce.once_per_args
    def get(key: object) -> None:
        raise ValueError

    keys = []
    for _ in range(3):
        argument = Argument()
        with contextlib.suppress(ValueError):
            get(argument)
        keys.append(weakref.ref(argument))
        del argument
    same = [Same(number) for number in range(20)]
    for argument_of_same_hash in same:
        with contextlib.suppress(ValueError):
            get(argument_of_same_hash)
    keys += [weakref.ref(one) for one in same]
    del same, argument_of_same_hash
    settle()
    assert [key() for key in keys] == [None] * len(keys)
    assert get.take_all() == []


@pytest.mark.skipif(not CPYTHON, reason="only CPython frees what nothing holds at once")
def test_values_are_freed_as_soon_as_they_are_taken(get: Any) -> None:
    """No cycle leads through a table."""
    with without_collector():
        argument = Argument()
        value = weakref.ref(argument)
        get.cell("x").set(argument)
        get.cell(argument).set("y")
        del argument
        assert value() is not None
        get.take_all()
        assert value() is None


@pytest.mark.parametrize("emptied", ["take", "take_all", "nothing"])
def test_a_running_initializer_keeps_its_cell(gilonce: ModuleType, key: Any, emptied: str) -> None:
    """A call that comes while it runs uses the same cell, also after this was filled and emptied."""
    entered, leave = threading.Event(), threading.Event()
    first = threading.local()
    discarded: list[object] = []

    @gilonce.once_per_args(discard=discarded.append)
    def get(key: object) -> object:
        if getattr(first, "me", False):
            entered.set()
            assert leave.wait(WATCHDOG)
        return object()

    def slow() -> object:
        first.me = True
        return get(key)

    def fast() -> list[object]:
        assert entered.wait(WATCHDOG)
        values = [get(key)]
        if emptied == "take":
            get.cell(key).take()
        elif emptied == "take_all":
            assert get.take_all() == values
        settle()
        values.append(get(key))
        leave.set()
        return values

    late, values = run_threads(slow, fast)
    assert late is values[-1] is get(key)
    assert (values[0] is values[1]) == (emptied == "nothing")
    assert len(discarded) == 1


def test_a_running_initializer_keeps_its_cell_when_another_fails(gilonce: ModuleType, key: Any) -> None:
    """Law 3 and law 1 together: the failure of one leaves the cell to the others."""
    entered, leave = threading.Event(), threading.Event()
    first = threading.local()

    @gilonce.once_per_args
    def get(key: object) -> object:
        if not getattr(first, "me", False):
            raise ValueError
        entered.set()
        assert leave.wait(WATCHDOG)
        return object()

    def slow() -> object:
        first.me = True
        return get(key)

    def fast() -> Any:
        assert entered.wait(WATCHDOG)
        with contextlib.suppress(ValueError):
            get(key)
        settle()
        cell = get.cell(key)
        leave.set()
        return cell

    value, cell = run_threads(slow, fast)
    assert cell.get() is value is get(key)


def test_a_cell_outlives_its_function_and_its_instance(gilonce: ModuleType) -> None:
    """It keeps neither alive, and stays a cell."""
    get = make_method(gilonce)
    owner = weakref.ref(get.__self__)
    cell = get.cell("x")
    value = get("x")
    del get
    settle()
    assert owner() is None
    assert cell.take() is value
    assert cell.get_or_init(lambda: 1) == 1


def test_a_cell_shows_and_copies_as_a_cell_of_its_own(gilonce: ModuleType, get: Any) -> None:
    """As the cells of methods do."""
    cell = get.cell("x")
    assert repr(cell) == "<GILOnceCell: empty>"
    cell.set([1])
    for copied in (copy.copy(cell), copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert type(copied) is gilonce.GILOnceCell
        assert copied.take() == [1]
    assert get("x") == [1]
    with pytest.raises(gilonce.AlreadySetError, match=r"the cell of the value of .* already holds a 'list' object"):
        cell.set(2)


def test_take_all_returns_the_values_in_the_order_in_which_they_came(get: Any) -> None:
    """It empties the cells, and forgets those that nothing else refers to."""
    values = [get(number) for number in (5, 3, 8, "x", None, Same(1))]
    values.append(get(0))
    kept = get.cell(3)
    assert get.take_all() == values
    assert get.take_all() == []
    assert not kept.is_set()
    assert get(3) is kept.get() not in values
    assert get.cache_clear() is None
    assert get.take_all() == []


def test_discard_is_for_losers_only(gilonce: ModuleType) -> None:
    """Neither take_all nor cache_clear calls it."""
    discarded: list[object] = []
    get = make_function(gilonce, discard=discarded.append)
    get(1)
    assert len(get.take_all()) == 1
    get(1)
    get.cache_clear()
    assert discarded == []


def test_a_running_once_lock_keeps_its_cell(gilonce: ModuleType, key: Any) -> None:
    """The one cell of a key is what single flight depends on."""
    entered, leave = threading.Event(), threading.Event()
    runs: list[None] = []

    @gilonce.once_per_args(cell=gilonce.OnceLock)
    def get(key: object) -> object:
        runs.append(None)
        entered.set()
        assert leave.wait(WATCHDOG)
        return object()

    def wait_for_it() -> object:
        assert entered.wait(WATCHDOG)
        settle()
        threading.Timer(0.05, leave.set).start()
        return get(key)

    one, other = run_threads(lambda: get(key), wait_for_it)
    assert one is other
    assert len(runs) == 1


def test_many_keys_come_and_go(gilonce: ModuleType) -> None:
    """The table grows, shrinks, and finds every key on the way."""
    get = gilonce.once_per_args(lambda key: [key])
    source = random.Random(3)
    expected: dict[Any, Any] = {}
    for step in range(3000):
        key = source.choice([source.randrange(400), str(source.randrange(400)), (source.randrange(20), "x")])
        action = source.random()
        if action < 0.6:
            assert expected.setdefault(key, get(key)) is get(key)
        elif action < 0.95:
            assert get.cell(key).take() is expected.pop(key, None)
        else:
            assert get.cell(key).get() is expected.get(key)
        if step % 1000 == 999:
            assert {id(value) for value in get.take_all()} == {id(value) for value in expected.values()}
            expected.clear()
