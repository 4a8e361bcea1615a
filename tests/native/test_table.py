"""The tables of `once_per_args` in C: how much memory they need, and which bits of a hash they keep."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from support import IMPLEMENTATIONS, activate

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.fixture
def native() -> Iterator[ModuleType]:
    with activate("native") as package:
        yield package


def memory_of(cache: Callable[..., Any], keys: list[Any]) -> int:
    """Return how many bytes a function needs for its values, without the keys and values themselves."""
    import tracemalloc  # PyPy has none

    get = cache(lambda key: None)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for key in keys:
            get(key)
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.skipif(not GIL, reason="without a GIL, a table keeps the arrays that it has outgrown")
@pytest.mark.skipif(sys.maxsize < 2**32, reason="the limit is for pointers of 64 bits")
@pytest.mark.parametrize("kind", ["str", "int"])
def test_a_key_needs_little_more_memory_than_in_a_dict(native: ModuleType, kind: str) -> None:
    """At most 1.5 times as much as `functools.cache`, whose dict needs the least for strings.

    How full a table is depends on the number of keys, so the test adds up many numbers, at even ratios.
    """
    make: Callable[[int], Any] = str if kind == "str" else int
    keys = [make(number) for number in range(10_000, 20_000)]
    counts = [int(100 * 1.2**step) for step in range(25)]
    ours, theirs = [
        sum([memory_of(cache, keys[:count]) / count for count in counts])
        for cache in (native.once_per_args, functools.cache)
    ]
    assert ours / theirs <= 1.5


def hash_with(high: int, low: int) -> int:
    """Return the hash that `shorten` in `table.h` multiplies to a number with these 32 bits each."""
    product = (high << 32) | low
    bits = product * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64
    bits ^= bits >> 32
    return bits - 2**64 if bits >= 2**63 else bits


class Key:
    """A key that notes what it is compared with."""

    def __init__(self, hashed: int, compared: list[Any]) -> None:
        self.hashed = hashed
        self.compared = compared

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        self.compared.append(other)
        return self is other


@pytest.mark.skipif(sys.hash_info.width != 64, reason="a hash has 32 bits here")
def test_keys_that_share_the_kept_bits_of_their_hashes_are_different_keys(native: ModuleType) -> None:
    """A table keeps 32 bits of a hash. It compares keys that have the same, although a dict would not."""
    compared: list[Any] = []
    keys = [Key(hash_with(12_345, low), compared) for low in range(20)]
    assert len({hash(key) for key in keys}) == 20
    get = native.once_per_args(lambda key: [key])
    values = [get(key) for key in keys]
    assert compared
    assert [value[0] for value in values] == keys
    assert all(get(key) is value for key, value in zip(keys, values, strict=True))
    assert all(get.cell(key).take() is value for key, value in zip(keys, values, strict=True))
    assert get.take_all() == []


@pytest.mark.parametrize("high", [0, 2**31, 2**32 - 1])
def test_a_search_goes_on_at_the_start_of_the_array(native: ModuleType, high: int) -> None:
    """More keys than the first array holds, all of which begin at its end."""
    keys = [Key(hash_with(high, 7), []) for _ in range(30)]
    get = native.once_per_args(lambda key: [key])
    values = [get(key) for key in keys]
    assert all(get(key) is value for key, value in zip(keys, values, strict=True))
    for key in keys[::2]:
        get.cell(key).take()
    assert all(get(key) is value for key, value in zip(keys[1::2], values[1::2], strict=True))
    assert [get(key)[0] for key in keys[::2]] == keys[::2]
    assert len(get.take_all()) == 30


@pytest.mark.parametrize("user", ["initializer", "cell"])
def test_the_users_of_a_key_are_counted_while_the_table_grows(native: ModuleType, user: str) -> None:
    """A key is dropped with its last user, although many keys were added since the first came."""

    def initialize(key: Any) -> object:
        if type(key) is Key:
            grow()
            raise LookupError
        return object()

    def grow() -> None:
        for number in range(100):
            get(number)

    get = native.once_per_args(initialize)
    key = Key(3, [])
    kept = weakref.ref(key)
    if user == "initializer":
        with contextlib.suppress(LookupError):
            get(key)
    else:
        cell = get.cell(key)
        grow()
        assert get.cell(key) is cell
        del cell
    del key
    gc.collect()
    assert kept() is None
