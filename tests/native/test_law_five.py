"""Law 5: with the native core, an initializer that keeps the GIL runs exactly once."""

from __future__ import annotations

import functools
import gc
import itertools
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import IMPLEMENTATIONS, run_threads

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

THREADS = 8

RACES = 20_000


def count_of_runs(make: Callable[[Callable[[], int]], Callable[[], int]]) -> set[int]:
    """Race threads through many cells; return how often the initializers ran, one cell with another.

    The initializer is in C and keeps the GIL: it counts.
    """
    counters = [itertools.count() for _ in range(RACES)]
    touches = [make(counter.__next__) for counter in counters]
    # Together again every few cells, for otherwise one thread runs ahead of all the others.
    together = threading.Barrier(THREADS)

    def touch_all() -> None:
        for start in range(0, RACES, 50):
            together.wait()
            for touch in touches[start : start + 50]:
                touch()

    assert GIL
    assert run_threads(*[touch_all] * THREADS) == [None] * THREADS
    return {next(counter) for counter in counters}


def a_cell(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    cell = gilonce.GILOnceCell()
    return lambda: cell.get_or_init(initializer)


def a_once_function(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    return gilonce.once(initializer)


def a_lazy_global(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    proxy = gilonce.lazy_global(initializer)
    return lambda: proxy.__wrapped__


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("surface", [a_cell, a_once_function, a_lazy_global])
def test_an_initializer_that_keeps_the_gil_runs_exactly_once(native: ModuleType, surface: Any) -> None:
    """Law 5: between the check and the write the core executes no bytecode."""
    assert count_of_runs(lambda initializer: surface(native, initializer)) == {1}


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.xfail(reason="in Python, a thread switch can fall between the check and the write", strict=True)
def test_in_python_an_initializer_that_keeps_the_gil_may_run_more_often(python: ModuleType) -> None:
    """What law 5 is for: only the native core keeps it."""
    assert count_of_runs(lambda initializer: a_cell(python, initializer)) == {1}


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("kind", ["dict", "slot", "class", "static", "view"])
def test_law_five_holds_per_instance_and_class(native: ModuleType, kind: str) -> None:
    """An initializer in C that is given the instance or class runs once for each."""
    calls: list[object] = []  # `append` keeps the GIL, and returns None

    def make() -> Callable[[], object]:
        if kind == "slot":
            owner = type("Owner", (), {"__slots__": ("_x",), "x": native.once_property(calls.append, slot="_x")})()
        elif kind == "class":
            owner = type("Owner", (), {"x": native.once_property(classmethod(calls.append))})
        elif kind == "static":
            owner = type("Owner", (), {"x": native.once_property(staticmethod(functools.partial(calls.append, 1)))})
        elif kind == "dict":
            owner = type("Owner", (), {"x": native.once_property(calls.append)})()
            vars(owner)  # CPython 3.10 may give each of two threads another first `__dict__`
        else:
            cell = type("Owner", (), {"m": native.once(lambda _self: None)})().m.cell
            return lambda: cell.get_or_init(functools.partial(calls.append, 1))
        return lambda: owner.x

    touches = [make() for _ in range(1000)]

    def touch_all() -> None:
        for touch in touches:
            assert touch() is None

    assert run_threads(*[touch_all] * THREADS) == [None] * THREADS
    assert len(calls) == len(touches)


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("threshold", range(1, 9))
def test_the_collector_does_not_run_before_the_value_of_a_class_is_written(native: ModuleType, threshold: int) -> None:
    """Before 3.12, making a container may start it, and it runs finalizers and callbacks."""
    calls: list[object] = []
    owner: Any = type("Owner", (), {"m": native.once(classmethod(calls.append))})

    def run_bytecode(*_: object) -> None:
        if len(calls) == 1:
            owner.m()

    thresholds = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(run_bytecode)
    try:
        gc.set_threshold(threshold)
        owner.m()
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(run_bytecode)
    assert len(calls) == 1


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("kind", ["dict", "slot"])
def test_law_five_holds_for_methods(native: ModuleType, kind: str) -> None:
    """A method of C, such as `list.copy`, makes a new object at each run: there are no losers."""
    losers: list[object] = []
    slot = "_m" if kind == "slot" else None
    method = native.once(list.copy, slot=slot, discard=losers.append)
    owners: list[Any] = [
        type("Owner", (list,), {"m": method, **({"__slots__": (slot,)} if slot else {})})() for _ in range(1000)
    ]

    def touch_all() -> None:
        for owner in owners:
            assert owner.m() is owner.m.cell.get()

    assert run_threads(*[touch_all] * THREADS) == [None] * THREADS
    assert losers == []
