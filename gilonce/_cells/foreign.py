"""`ForeignCell`: a cell that a user has written, with what `gilonce.testing` needs of a cell."""

from __future__ import annotations

from .override import in_one_step, replace_layers
from .racing import EMPTY, CopiedAsItsCell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ForeignCell(CopiedAsItsCell):
    """A user's own cell. To replace its value, the value is taken out and another one is set: these are two steps."""

    _made = 0
    _discard = None
    _calls_user = True

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cell, name)

    def __repr__(self) -> str:
        return repr(self._cell)

    def _place(self) -> tuple[Any, ...]:
        return (self._cell,)

    def _load(self) -> Any:
        return self._cell.get(EMPTY)

    def _replace(self, _: Any, new: Any, stack: Any, before: Any, after: Any) -> bool:
        if not in_one_step(replace_layers, stack, before, after):  # pragma: no cover - another thread came in between
            return False
        self._cell.take(EMPTY)
        if new is not EMPTY:
            self._cell.set(new)
        return True

    def _wake(self) -> None:
        pass

    def _take_all(self) -> list[tuple[int, object]]:
        return self._values_in(0, self._cell.take(EMPTY))

    def _values_in(self, made: int, value: object) -> list[tuple[int, object]]:
        return [] if value is EMPTY else [(made, value)]


def no_override(cell: object) -> TypeError:
    """Return the error for an override of a user's own cell."""
    return TypeError(f"a {type(cell).__name__} has no override: let its class derive from one of gilonce's cells")
