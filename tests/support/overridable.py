"""Every kind of cell that can be overridden."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

Make = Callable[[Any, Any], Any]

#: Every kind of cell that can be overridden: given the package and a discard, makes it.
CELLS: dict[str, Make] = {}


def kind(make: Make) -> Make:
    CELLS[make.__name__] = make
    return make


@kind
def own(gilonce: Any, discard: Any) -> Any:
    return gilonce.GILOnceCell(discard=discard)


@kind
def lock(gilonce: Any, discard: Any) -> Any:
    return gilonce.OnceLock()


@kind
def per_thread(gilonce: Any, discard: Any) -> Any:
    return gilonce.ThreadOnceCell(discard=discard)


@kind
def per_process(gilonce: Any, discard: Any) -> Any:
    return gilonce.ProcessOnceCell(discard=discard)


class Loop:
    """Stands for an event loop, and has no sockets that must be closed."""


class InLoop:
    """A cell whose methods run as in a running event loop, without one that runs."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._loop: Any = Loop()

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self._call, getattr(self._cell, name))

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self._loop)
        try:
            return method(*arguments)
        finally:
            asyncio._set_running_loop(outer)


@kind
def per_loop(gilonce: Any, discard: Any) -> Any:
    return InLoop(gilonce.LoopOnceCell(discard=discard))


def lazy_global(gilonce: Any, discard: Any, reify: bool = True) -> Any:
    """Return the cell of a lazy global that was used, and then emptied."""
    namespace = {"gilonce": gilonce, "discard": discard, "reify": reify}
    code = "X = ALIAS = gilonce.lazy_global(lambda: 'used', discard=discard, reify=reify)\nPROXY = [X]\nstr(X)"
    exec(code, namespace)
    (proxy,) = namespace["PROXY"]
    cell = gilonce.cell_of(type("Holder", (), {"X": proxy}), "X")
    cell.take()
    return cell


def assert_consistent(cell: Any) -> None:
    """Assert that the proxy of a lazy global, and the names where it was replaced, agree with its cell."""
    proxy = getattr(cell, "_proxy", None)
    if proxy is not None:
        value = cell.get(proxy)
        # `get_or_init` of the cell, unlike a touch, leaves the proxy under the names.
        assert all(
            any(namespace[name] is it for it in (value, proxy))
            for namespace, name, *_ in (proxy._self_names or {}).values()
        )
        assert not cell.is_set() or str(proxy) == str(value)
        assert cell.is_set() or not proxy._self_is_made


CELLS["lazy global"] = lazy_global
CELLS["lazy global that stays a proxy"] = functools.partial(lazy_global, reify=False)


def owner(gilonce: Any, discard: Any) -> Any:
    """Return an instance whose class has a surface of every kind."""

    class Owner:
        __slots__ = ("__dict__", "__weakref__", "_kept", "_locked")

        @gilonce.once(discard=discard)
        def method(self) -> Any: ...

        @gilonce.once(discard=discard)
        @classmethod
        def of_class(cls) -> Any: ...

        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any: ...

        @gilonce.once_property(discard=discard, slot="_kept")
        def in_slot(self) -> Any: ...

        @gilonce.once_property(discard=discard)
        @classmethod
        def class_attribute(cls) -> Any: ...

        @gilonce.once_property(discard=discard)
        @staticmethod
        def static_attribute() -> Any: ...

        @gilonce.once_property(cell=gilonce.OnceLock)
        def locked(self) -> Any: ...

        @gilonce.once_property(cell=gilonce.OnceLock, slot="_locked")
        def locked_in_slot(self) -> Any: ...

        @gilonce.once(cell=gilonce.OnceLock)
        @classmethod
        def locked_of_class(cls) -> Any: ...

        @gilonce.once(cell=gilonce.ThreadOnceCell)
        def per_thread(self) -> Any: ...

    return Owner()


for _name in [
    "method",
    "attribute",
    "in_slot",
    "of_class",
    "class_attribute",
    "static_attribute",
    "locked",
    "locked_in_slot",
    "locked_of_class",
    "per_thread",
]:
    CELLS[f"{_name} of an instance" if _name == "per_thread" else _name] = lambda gilonce, discard, name=_name: (
        gilonce.cell_of(owner(gilonce, discard), name)
    )


def key_of_function(gilonce: Any, discard: Any, cell: Any = None) -> Any:
    @gilonce.once_per_args(discard=discard, cell=cell)
    def get(key: object) -> Any: ...

    return get.cell("a key")


def key_of_method(gilonce: Any, discard: Any) -> Any:
    class Owner:
        @gilonce.once_per_args(discard=discard)
        def get(self, key: object) -> Any: ...

    return Owner().get.cell("a key")


CELLS["key"] = key_of_function
CELLS["key of a method"] = key_of_method
for _name in ["GILOnceCell", "OnceLock", "ThreadOnceCell", "ProcessOnceCell"]:
    CELLS[f"key with {_name}"] = lambda gilonce, discard, name=_name: key_of_function(
        gilonce, None, getattr(gilonce, name)
    )

#: The names of those that give a loser to their discard.
HAS_DISCARD = [
    name for name in CELLS if "lock" not in name and " with " not in name and name != "per_thread of an instance"
]
