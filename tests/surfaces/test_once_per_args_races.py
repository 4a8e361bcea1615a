"""`once_per_args` under races: one value for each key, and no value lost."""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import sys
import threading
from collections import Counter
from types import ModuleType
from typing import Any

import pytest
from support import race, run_threads
from support.keys import KEYS, Argument, Same

CPYTHON = sys.implementation.name == "cpython"

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.mark.parametrize("kind", KEYS)
def test_racing_threads_get_one_value_for_each_key(gilonce: ModuleType, kind: str) -> None:
    """Law 1 for every sort of key, many keys at once, each thread in an order of its own."""
    make = KEYS[kind]
    shared = Argument()

    def key(number: int) -> Any:
        if kind == "instance":
            return (shared, number)
        return (make(), number) if kind in ("str", "int", "tuple") else type(make())(number)

    made: list[object] = []

    @gilonce.once_per_args
    def get(key: Any) -> object:
        value = object()
        made.append(value)
        return value

    seeds = iter(range(8))

    def act() -> dict[int, object]:
        numbers = list(range(40))
        random.Random(next(seeds)).shuffle(numbers)
        return {number: get(key(number)) for number in numbers}

    outcomes = race(act)
    for number in range(40):
        assert len({id(outcome[number]) for outcome in outcomes}) == 1
    assert len(get.take_all()) == 40


@pytest.mark.parametrize("kind", ["str", "class with eq", "same hash"])
@pytest.mark.parametrize("take", ["take", "take_all", "both"])
def test_no_value_is_lost_and_none_is_there_twice(gilonce: ModuleType, kind: str, take: str) -> None:
    """Calls race with take(), take_all(), failures and set(): each value made is taken, discarded or there, once."""
    made: list[int] = []
    ended: list[object] = []
    numbers = iter(range(10**9))
    lock = threading.Lock()

    class PlannedError(Exception):
        pass

    @gilonce.once_per_args(discard=ended.append)
    def get(key: Any) -> object:
        with lock:
            number = next(numbers)
        if number % 5 == 0:
            raise PlannedError
        value = object()
        made.append(id(value))
        kept.append(value)
        return value

    kept: list[object] = []
    nothing = object()

    def act() -> None:
        source = random.Random()
        for _ in range(150):
            key = KEYS[kind]() if source.random() < 0.5 else Same(source.randrange(3))
            action = source.random()
            with contextlib.suppress(PlannedError):
                if action < 0.6:
                    get(key)
                elif action < 0.7:
                    get.cell(key).get_or_init(lambda: get.__wrapped__(None))
                elif take != "take_all" and action < 0.9:
                    value = get.cell(key).take(nothing)
                    if value is not nothing:
                        ended.append(value)
                elif take != "take":
                    ended.extend(get.take_all())

    failures = [outcome for outcome in race(act, 6) if outcome is not None]
    assert failures == []
    ended.extend(get.take_all())
    assert Counter(map(id, ended)) == Counter(made)
    assert get.take_all() == []


@pytest.mark.parametrize("kind", ["str", "same hash"])
def test_overrides_that_race_with_calls_lose_no_value(gilonce: ModuleType, kind: str) -> None:
    """A call gets the override's value or one that is not discarded; each value made is taken, discarded or there."""
    make = KEYS[kind]
    made: list[object] = []
    ended: list[object] = []
    fake = object()
    is_over = threading.Event()

    @gilonce.once_per_args(discard=ended.append)
    def get(key: object) -> object:
        if random.randrange(7) == 0:
            raise ValueError
        value = object()
        made.append(value)
        return value

    def call() -> set[int]:
        got = []
        while not is_over.is_set():
            with contextlib.suppress(ValueError):
                got.append(get(make()))
        return {id(value) for value in got if value is not fake}

    def override() -> None:
        try:
            for _ in range(100):
                with contextlib.suppress(ValueError), get.cell(make()).override(fake):
                    get(Same("another"))
        finally:
            is_over.set()

    def take() -> None:
        # In Python and without a GIL, an override may undo a take() that comes in the middle of it.
        while has_steps and not is_over.is_set():
            ended.extend(value for value in get.take_all() if value is not fake)

    has_steps = gilonce.__implementation__ == "native" or (CPYTHON and GIL)
    outcomes = run_threads(call, call, override, take)
    ended.extend(get.take_all())
    assert outcomes[2:] == [None, None]
    assert outcomes[0] | outcomes[1] <= set(map(id, made))
    assert Counter(map(id, ended)) == Counter(map(id, made))


def test_two_threads_that_hold_and_drop_a_cell_never_have_two(gilonce: ModuleType) -> None:
    """A cell that a thread has is the one that another thread gets."""
    get = gilonce.once_per_args(lambda key: object())

    def act() -> list[Any]:
        wrong = []
        for _ in range(300):
            cell = get.cell("x")
            cell.set(threading.current_thread()) if not cell.is_set() else None
            if get.cell("x") is not cell:
                wrong.append(cell)
            cell.take()
        return wrong

    def act_safely() -> list[Any]:
        try:
            return act()
        except gilonce.AlreadySetError:
            return []

    assert race(act_safely, 4) == [[]] * 4


def test_racing_threads_agree_on_the_table_of_an_instance(gilonce: ModuleType) -> None:
    """One that is new, and one that was copied."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: Any) -> Any:
            return object()

    first = Owner()
    kept = first.method("kept")
    for _ in range(30):
        for owner in (Owner(), copy.copy(first)):
            getattr(owner, "__dict__", None)
            got = race(lambda owner=owner: (owner.method(1), owner.method(2)), 4)  # type: ignore[misc]
            assert len({tuple(map(id, pair)) for pair in got}) == 1
        assert owner.method("kept") is kept


@pytest.mark.skipif(not GIL, reason="law 5 needs a GIL")
@pytest.mark.parametrize("options", ["", "key", "cell", "partial"])
def test_a_function_in_c_runs_once_for_each_key(gilonce: ModuleType, options: str) -> None:
    """Law 5 per key: with the native core, and a function that keeps the GIL."""
    if gilonce.__implementation__ != "native":
        pytest.skip("law 5 needs the native core")
    chosen: dict[str, Any] = {
        "key": {"key": lambda key: key},
        "cell": {"cell": gilonce.GILOnceCell},
        "partial": {"cell": functools.partial(gilonce.GILOnceCell, discard=list)},
    }
    for _ in range(100):
        runs: list[Any] = []
        get = gilonce.once_per_args(runs.append, **chosen.get(options, {}))
        race(lambda get=get: [get(key) for key in (1, "x", (1, 2), Argument)], 4)  # type: ignore[misc]
        assert len(runs) == 4
