"""Broken cells, each with one mistake that an exploration of interleavings must find.

Each keeps its value in a dict in a slot, as gilonce's cells do. Each mistake spans several lines, because on PyPy a
thread can only be stopped between lines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from support.surfaces import Access


class Broken:
    """A correct cell, which the subclasses break."""

    __slots__ = ("_claims", "_discard", "_lock", "_values")

    def __init__(self, discard: Any) -> None:
        self._values: dict[str, Any] = {}
        self._claims: dict[str, Any] = {}
        self._discard = discard
        self._lock = threading.Lock()

    def get(self) -> Any:
        return self._values.get("value")

    def get_or_init(self, initializer: Any) -> Any:
        if self.get() is not None:
            return self.get()
        value = initializer()
        published = self._values.setdefault("value", value)
        if published is not value:
            self._discard(value)
        return published

    def take(self) -> Any:
        return self._values.pop("value", None)


class ChecksThenSets(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if "value" not in self._values:
            self._values["value"] = initializer()
        return self._values["value"]


class LastWriteWins(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        value = self.get()
        if value is None:
            value = self._values["value"] = initializer()
        return value


class ChecksAgainThenSets(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        value = self.get() or initializer()
        published = self.get() or value
        self._values["value"] = published
        if published is not value:
            self._discard(value)
        return published


class ChecksOutsideTheClaim(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        value = self.get()
        if value is not None:
            return value
        value = initializer()
        if self.get() is None:
            claimed = self._claims.setdefault("value", value)
            self._values["value"] = claimed
            self._claims.pop("value", None)
        published = self.get()
        if published is not value:
            self._discard(value)
        return published


class Locks(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        with self._lock:
            return super().get_or_init(initializer)


class DropsTheLoser(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if self.get() is not None:
            return self.get()
        value = initializer()
        return self._values.setdefault("value", value)


class DiscardsTheWinner(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if self.get() is not None:
            return self.get()
        value = initializer()
        published = self._values.setdefault("value", value)
        if published is not value:
            self._discard(published)
        return published


class KeepsTheError(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        try:
            value = super().get_or_init(initializer)
        except Exception as error:
            value = self._values.setdefault("value", error)
        if isinstance(value, Exception):
            raise value
        return value


class LooksThenReads(Broken):
    def get(self) -> Any:
        if "value" not in self._values:
            return None
        return self._values["value"]


class LooksThenRemoves(Broken):
    def take(self) -> Any:
        value = self._values.get("value")
        self._values.pop("value", None)
        return value


class SetsInTwoSteps(Broken):
    def set(self, value: Any) -> None:
        if self.get() is None:
            self._values["value"] = value


def surface_of(broken: type[Broken]) -> Callable[[Any, Any, Any], Access]:
    """Return what builds the surface of such a cell, as the functions in `support/surfaces.py` do."""

    def build(_: Any, initializer: Any, discard: Any) -> Access:
        it = broken(discard)
        return Access(lambda: it.get_or_init(initializer), lambda: it)

    return build
