"""What reading an `async def` property returns."""

from __future__ import annotations

from .._cells.racing import EMPTY
from .._storage.bound import BoundCell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .._cells.racing import GILOnceCell


def to_assign(value: Any, cell: Any) -> Any:
    """Return what to store when `value` is assigned to the attribute whose cell is `cell`; `EMPTY` for nothing.

    monkeypatch reads an attribute, replaces it, and later assigns what it has read, to restore the value.
    """
    return value.when_read if type(value) is AwaitableValue and value.belongs_to(cell) else value


class AwaitableValue:
    """A value that can be awaited any number of times, or run as one task.

    It has the methods of a coroutine, so `asyncio.run` and `create_task` accept it. But nothing runs until it is
    awaited or sent to. So reading the attribute without awaiting it causes no "was never awaited" warning.
    """

    __slots__ = ("_cell", "_coroutine", "_initializer", "when_read")

    def __init__(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> None:
        #: The value when the attribute was read, or `EMPTY`. (`LoopOnceCell.get` raises outside an event loop.)
        self.when_read = cell.get(EMPTY) if cell.is_set() else EMPTY
        self._cell = cell
        self._initializer = initializer
        self._coroutine: Any = None

    def belongs_to(self, cell: Any) -> bool:
        """Return whether this was read from the attribute whose cell is `cell`."""
        return self._cell is cell or (isinstance(self._cell, BoundCell) and self._cell.is_same_place(cell))

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._cell.aget_or_init(self._initializer).__await__()

    def _started(self) -> Any:
        if self._coroutine is None:
            self._coroutine = self._cell.aget_or_init(self._initializer)
        return self._coroutine

    def send(self, value: Any) -> Any:
        return self._started().send(value)

    def throw(self, *error: Any) -> Any:
        return self._started().throw(*error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()
