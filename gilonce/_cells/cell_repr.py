"""The `repr` of a cell. It has a module of its own because it needs `reprlib`, and importing gilonce does not."""

from __future__ import annotations

from reprlib import recursive_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@recursive_repr("<GILOnceCell: ...>")
def cell_repr(cell: Any) -> str:
    """Return the `repr` of a cell, whose value may lead back to the cell."""
    shown: str = cell._repr()
    return shown
