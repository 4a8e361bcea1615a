"""Keys and arguments for tests of `once_per_args`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

from support.surfaces import Key


class Argument:
    """An argument that is itself alone, and can be watched."""


class Same:
    """A key that has the hash of all of its kind, so that every lookup compares."""

    def __init__(self, name: object, compare: Callable[[], object] = lambda: None, hashed: int = 7) -> None:
        self.name = name
        self.compare = compare
        self.hashed = hashed

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        self.compare()
        return isinstance(other, Same) and self.name == other.name


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settle() -> None:
    """Let everything go that nothing holds, on every interpreter."""
    for _ in range(3):
        gc.collect()


def move_dict(one: Any, other: Any) -> None:
    """Give `one` a new `__dict__`, and `other` one at the address that it frees, if the interpreter reuses addresses.

    The contents stay the same.
    """
    mine, others = dict(vars(one)), dict(vars(other))
    address = id(vars(one))
    one.__dict__ = mine
    made: list[dict[str, Any]] = [{}]
    while id(made[-1]) != address and len(made) < 200:
        made.append({})
    made[-1].update(others)
    other.__dict__ = made[-1]


#: Makers of keys: by identity, by a hash that is exact, or by an `__eq__` that runs code.
KEYS: dict[str, Callable[[], Any]] = {
    "str": lambda: "key",
    "int": lambda: 12345,
    "tuple": lambda: ("key", (1, 2)),
    "instance": Argument,
    "class with eq": lambda: Key("key"),
    "same hash": lambda: Same("key"),
}
