"""What tests give to `cell=`: every class of cells that gilonce has, and a user's own; and with which surfaces."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[[], Any]


class OwnCell:
    """A cell of a user's: final, with a lock that can be entered again, and no more than the protocol has."""

    final = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._values: list[Any] = []

    def get(self, default: Any = None) -> Any:
        return self._values[0] if self._values else default

    def is_set(self) -> bool:
        return bool(self._values)

    def get_or_init(self, initializer: Callable[[], Any]) -> Any:
        with self._lock:
            if not self._values:
                value = initializer()
                self._values = self._values or [value]
            return self._values[0]

    async def aget_or_init(self, initializer: Callable[[], Any]) -> Any:
        if not self._values:
            value = await initializer()
            self._values = self._values or [value]
        return self._values[0]

    def set(self, value: Any) -> None:
        with self._lock:
            if self._values:
                raise LookupError("there is a value")
            self._values = [value]

    def take(self, default: Any = None) -> Any:
        with self._lock:
            return self._values.pop() if self._values else default


#: For each kind of cell a function that is given the package, and returns what `cell=` takes.
CELLS: dict[str, Callable[[Any], Make]] = {
    "GILOnceCell": lambda gilonce: gilonce.GILOnceCell,
    "OnceLock": lambda gilonce: gilonce.OnceLock,
    "OnceLock with a timeout": lambda gilonce: functools.partial(gilonce.OnceLock, timeout=60),
    "one's own": lambda _: OwnCell,
    "ThreadOnceCell": lambda gilonce: gilonce.ThreadOnceCell,
    "ProcessOnceCell": lambda gilonce: gilonce.ProcessOnceCell,
}
#: The kinds of cells whose value, once set, is the value for everyone.
FINAL = ["GILOnceCell", "OnceLock", "OnceLock with a timeout", "one's own"]

#: One surface for each place that keeps the cells.
ONE_OF_EACH = [
    *("cell", "async_cell", "once_function", "once_method", "once_above_classmethod", "args_function", "args_method"),
    *("property_in_dict", "property_of_class", "static_property", "proxy"),
]


def others_slow(surfaces: list[str]) -> list[Any]:
    """Return names of surfaces as parameters. The tests with those that are not in `ONE_OF_EACH` are slow."""
    return [name if name in ONE_OF_EACH else pytest.param(name, marks=pytest.mark.slow) for name in surfaces]
