"""`ProcessOnceCell`: one value per process, also after a fork."""

from __future__ import annotations

import sys
from _thread import get_ident
from functools import partial
from itertools import count
from types import FrameType, FunctionType, ModuleType
from weakref import finalize, ref

from ._cell import EMPTY, GILOnceCell
from ._fork import before, in_child, in_parent
from ._implementation import implementation, in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

    from ._cell import Discard


class ProcessOnceCell(GILOnceCell):
    """A `GILOnceCell` that is empty again in a forked child.

    For what must not cross a fork, such as a connection: parent and child would both speak
    on it. What the child inherited is not used there. It is kept alive there for ever, with
    all that it has, and never finalized, for to drop it would close the parent's connection.
    (What the program has registered with `atexit` runs at a child's end as well, as it does
    without a cell.)

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
        # In this order, for to set attributes may be to run somebody's code, which may fork.
        self._make_empty()
        _enter(self)
        super().__setstate__(state)

    def __copy__(self) -> ProcessOnceCell:
        copied = type(self).__new__(type(self))
        copied.__setstate__(self._state())
        return copied


#: All the cells of this process, each held weakly. (Not by `id`, which may be another's by
#: the time that PyPy tells of a cell's end.)
_cells: dict[int, ref[ProcessOnceCell]] = {}
_number = count().__next__

#: By the threads that are forking just now, the cells that are kept alive meanwhile. For
#: in a child, before any hook is called, the interpreter drops what its other threads had
#: in their `threading.local`s and contexts: a cell may be there, or the owner of one.
_held: dict[int, list[ProcessOnceCell | None]] = {}


def _enter(cell: ProcessOnceCell) -> None:
    number = _number()
    _cells[number] = ref(cell, partial(_cells.pop, number))
    # A fork that `_hold` has prepared without finding this cell was in `_held` before that.
    for held in list(_held.values()):
        held.append(cell)


def _hold() -> None:
    """Keep all cells alive in the thread that is about to fork."""
    held: list[ProcessOnceCell | None] = []
    _held[get_ident()] = held
    held.extend([reference() for reference in list(_cells.values())])


def _let_go() -> None:
    """In the parent, after the fork, drop what `_hold` held."""
    _held.pop(get_ident(), None)


@in_c
def keep_for_ever(value: object) -> None:
    """Let `value` never be finalized, not even when the interpreter ends.

    Until then `_inherited` would do; but at its end the interpreter drops what its modules
    have. (PyPy finalizes nothing at its end. Where there is neither the native core nor
    ctypes, that list must do.)
    """
    if _increment is not None:
        # One reference too many, so that the count never comes down to zero.
        _increment(value)


def _find_increment() -> Any:
    """Return what adds a reference to an object. Found before a fork: a child is no place to import in."""
    if implementation == "native" or sys.implementation.name != "cpython":
        return None
    try:
        from ctypes import py_object, pythonapi
    except ImportError:  # pragma: no cover - hidden from coverage, in an interpreter of its own, by the test
        # Python may be built without it; and 3.12's does not load in an interpreter with a GIL of its own.
        return None
    # By item, so that it is ours alone: what is got by attribute others may declare otherwise.
    increment = pythonapi["Py_IncRef"]
    increment.argtypes = [py_object]
    increment.restype = None
    return increment


_increment = _find_increment()

#: What this process inherited in its cells.
_inherited: list[object] = []


def _empty_all() -> None:
    """In a forked child, empty every cell, and keep what it held."""
    for reference in list(_cells.values()):
        cell = reference()
        if cell is not None and (value := cell._load()) is not EMPTY:
            # In this order, so that no interrupt comes between.
            keep_for_ever(value)
            _inherited.append(value)
            cell._clear()
    _disarm_finalizers()
    _held.clear()


def _disarm_finalizers() -> None:
    """Forbid `weakref.finalize` to finalize, at the end of the interpreter, what is kept or belongs to that."""
    armed = []
    for finalizer in list(getattr(finalize, "_registry", ())):
        alive = finalizer.peek()
        if alive is not None and finalizer.atexit:
            armed.append((finalizer, id(alive[0])))
    if armed:
        kept = set(map(id, _reachable(_inherited)))
        for finalizer, it in armed:
            if it in kept:
                finalizer.atexit = False


#: (A frame, on Python 3.10, leads to a module's globals.)
_OF_THE_PROGRAM = (ModuleType, type, FunctionType, FrameType)


def _reachable(roots: Iterable[object]) -> Iterator[object]:
    """Yield what the objects lead to, but for what is the program's own: its modules, classes and functions."""
    from gc import get_referents

    # All that is seen is kept, so that no `id` is used again.
    seen = {id(root): root for root in roots}
    queue = list(seen.values())
    while queue:
        it = queue.pop()
        yield it
        for referent in get_referents(it):
            if id(referent) not in seen and not issubclass(type(referent), _OF_THE_PROGRAM):
                seen[id(referent)] = referent
                queue.append(referent)


before.append(_hold)
in_parent.append(_let_go)
in_child.append(_empty_all)
