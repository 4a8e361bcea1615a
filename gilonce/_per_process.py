"""`ProcessOnceCell`: one value per process, also after a fork."""

from __future__ import annotations

import sys
from weakref import ref

from ._cell import EMPTY, GILOnceCell
from ._fork import in_child
from ._implementation import implementation, in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from ._cell import Discard


class ProcessOnceCell(GILOnceCell):
    """A `GILOnceCell` that is empty again in a forked child.

    For what must not cross a fork, such as a connection: parent and child would both speak
    on it. What the child inherited is not used there. It is kept alive there for ever and
    never finalized, for to drop it would close the parent's connection.

    It obeys the laws of `GILOnceCell`, with one value per process. A copy has the value too;
    pickled, the cell is empty.

    Parameters:
        discard: called with a value that lost the race; see `GILOnceCell`.

    Raises:
        TypeError: `discard` is neither callable nor `None`.

    The idea is that of `os.register_at_fork` handlers; the cell is pyo3's `GILOnceCell`.

    >>> import os
    >>> cell = ProcessOnceCell()
    >>> cell.get_or_init(os.getpid) == os.getpid()
    True
    >>> cell.is_set()
    True
    """

    __slots__ = ()

    #: A value is not that of a forked child, so a surface must ask here each time.
    final: ClassVar[bool] = False

    def __init__(self, *, discard: Discard = None) -> None:
        super().__init__(discard=discard)
        _enter(self)

    def __getstate__(self) -> tuple[Any, ...]:
        discard, _, attributes = self._state()
        return discard, (), attributes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        super().__setstate__(state)
        _enter(self)

    def __copy__(self) -> ProcessOnceCell:
        copied = type(self).__new__(type(self))
        copied.__setstate__(self._state())
        return copied


#: All the cells of this process, each held weakly, by `id`: the callback comes before the `id` can be another's.
_cells: dict[int, ref[ProcessOnceCell]] = {}


def _enter(cell: ProcessOnceCell) -> None:
    key = id(cell)
    _cells[key] = ref(cell, lambda _: _cells.pop(key, None))


@in_c
def keep_for_ever(value: object) -> None:
    """Let `value` never be finalized, not even when the interpreter ends.

    Until then a list would do; but at its end the interpreter drops what its modules have.
    (PyPy finalizes nothing at its end.)
    """
    if _increment is None:
        _kept.append(value)
    else:
        # One reference too many, so that the count never comes down to zero.
        _increment(value)


_kept: list[object] = []


def _find_increment() -> Any:
    """Return what adds a reference to an object. Found before a fork: a child is no place to import in."""
    if implementation == "native" or sys.implementation.name != "cpython":
        return None
    from ctypes import py_object, pythonapi

    increment = pythonapi.Py_IncRef
    increment.argtypes = [py_object]
    increment.restype = None
    return increment


_increment = _find_increment()


def _empty_all() -> None:
    """In a forked child, empty every cell, and keep what it held."""
    for reference in list(_cells.values()):
        cell = reference()
        value = EMPTY if cell is None else cell._clear()
        if value is not EMPTY:
            keep_for_ever(value)


in_child.append(_empty_all)
