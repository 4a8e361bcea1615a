"""The native core: no object is used after it is freed, and long chains end."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref
from types import ModuleType
from typing import Any

import pytest
from support import IMPLEMENTATIONS, run_python, run_threads

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


def test_readers_that_race_with_take_never_touch_a_freed_object(native: ModuleType) -> None:
    """Readers get the old value, the new one, or none; each is whole."""
    cell = native.GILOnceCell()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for _ in range(200):
                value = cell.get()
                assert value is None or value[0] == "whole"

    def take() -> None:
        for _ in range(1500):
            cell.get_or_init(lambda: ["whole", object()])
            cell.take()
        stop.set()

    assert run_threads(read, read, read, take) == [None] * 4


@pytest.mark.skipif(GIL, reason="needs a free-threaded build")
def test_a_freed_object_would_be_noticed(native: ModuleType) -> None:
    """The same where what is freed is overwritten at once, so that who touches it crashes or sees what is no value."""
    source = """
import gilonce, sys, threading
sys.setswitchinterval(1e-6)
cell = gilonce.GILOnceCell()
stop = threading.Event()
wrong = []
size = 100
whole = bytes(size)
def read():
    while not stop.is_set():
        for _ in range(200):
            value = cell.get()
            if value is not None and value != whole:
                wrong.append(1)
readers = [threading.Thread(target=read) for _ in range(3)]
for reader in readers:
    reader.start()
for _ in range(50_000):
    cell.set(bytes(size))  # of a type that keeps no free ones
    cell.take()
stop.set()
for reader in readers:
    reader.join()
print(len(wrong))
"""
    assert run_python(native, "-X", "dev", "-c", source) == "0\n"


def link_by_cell(native: Any, chain: object) -> object:
    cell = native.GILOnceCell()
    cell.set(chain)
    return cell


def link_by_discard(native: Any, chain: object) -> object:
    return native.GILOnceCell(discard=functools.partial(print, chain))


def link_by_function(native: Any, chain: object) -> object:
    function = native.once(list)
    function.cell.set(chain)
    return function


def link_by_method(native: Any, chain: object) -> object:
    class Owner:
        method = native.once(lambda _self: None)

    return vars(Owner)["method"].__get__(link_by_cell(native, chain))


def link_by_property(native: Any, chain: object) -> object:
    prop = native.once_property(list)
    prop.func = chain
    return prop


@pytest.mark.slow
@pytest.mark.parametrize("link", [link_by_cell, link_by_discard, link_by_function, link_by_method, link_by_property])
@pytest.mark.parametrize("weakly", [False, True])
def test_a_long_chain_ends(native: ModuleType, link: Any, weakly: bool) -> None:
    """Objects that hold each other are dropped without a C stack frame for each.

    The stack of the thread that drops them has 42 bytes for each, too few for a frame; more for those that are slow
    to make. (It is no smaller, because CPython 3.13 does let ten thousand be dropped one inside the other.)
    """
    chain = None
    kept = []
    for _ in range({link_by_method: 10_000, link_by_property: 30_000}.get(link, 100_000)):
        chain = link(native, chain)
        if weakly:
            kept.append(weakref.ref(chain))
    chains = [chain]
    del chain
    usual = threading.stack_size(4 * 1024**2)
    try:
        assert run_threads(chains.clear) == [None]
    finally:
        threading.stack_size(usual)
    gc.collect()
    assert all(ref() is None for ref in kept)


def test_the_collector_sees_no_once_function_that_is_half_made(native: ModuleType) -> None:
    """Up to Python 3.11, any allocation may run it, and with it a program's callbacks."""
    once_type = type(native.once(list))
    seen = []

    def look(_phase: str, _info: object) -> None:
        seen.extend([it() for it in gc.get_objects() if type(it) is once_type and it._function is list])

    threshold = gc.get_threshold()
    gc.callbacks.append(look)
    gc.set_threshold(1, 1, 1)
    try:
        kept = [native.once(list) for _ in range(20)]
        gc.collect()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(look)
    assert seen.count([]) == len(seen) >= len(kept)


def test_who_watches_a_bound_method_is_told_of_its_end(native: ModuleType) -> None:
    ended: list[object] = []
    method = native.once(lambda _self: None).__get__(1)
    reference = weakref.ref(method, ended.append)
    del method
    assert ended == [reference]
    assert reference() is None
