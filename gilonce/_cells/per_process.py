"""`ProcessOnceCell`: one value per process, also after a fork.

All cells of a process are listed in `_cells`, which refers to them weakly. In a forked child, one hook empties them
all. The child keeps the values that it inherited alive for ever, because a finalizer would close what belongs to the
parent.

Before any hook is called in the child, the interpreter frees what other threads had in their `threading.local`s and
contexts. If a cell was there, or the owner of a cell, the value would be finalized. So the thread that forks keeps all
cells alive from before the fork until after it, in `_held`.

The idea is that of `os.register_at_fork` handlers. The cell is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from functools import partial
from itertools import count
from types import FrameType, FunctionType, ModuleType
from weakref import finalize, ref

from .._native import implementation, replace_with_native
from .arguments import explain_misuse
from .fork import before, in_child, in_parent
from .public import public
from .racing import EMPTY, GILOnceCell, Nameable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

    from .racing import Discard


@public
class ProcessOnceCell(Nameable, GILOnceCell):
    """A `GILOnceCell` that is empty again in a forked child.

    Use it for an object that must not cross a fork, such as a connection, which parent and child would both use. The
    child does not use the value that it inherited. It keeps that value and everything that belongs to it alive for
    ever, and never finalizes it, because a finalizer would close the parent's connection. (A function that the program
    has registered with `atexit` also runs at the end of the child, as it does without a cell.)

    The laws of `GILOnceCell` hold, with one value per process. An override ends at a fork: in the child the cell is
    empty, and leaving the override changes nothing. A copy of the cell has the same value. A pickle has no value.

    Parameters:
        discard: called with a value that lost the race; see `GILOnceCell`. None, the default, drops such a value.

    Raises:
        TypeError: if `discard` is neither callable nor None.

    >>> import os
    >>> cell = ProcessOnceCell()
    >>> cell.get_or_init(os.getpid) == os.getpid()
    True
    >>> cell.is_set()
    True
    """

    __slots__ = ("_function",)

    #: False, because a forked child has another value: a surface must ask the cell each time.
    final: ClassVar[bool] = False

    @explain_misuse
    def __init__(self, *, discard: Discard = None) -> None:
        super().__init__(discard=discard)
        self._function: object = None
        _enter(self)

    def __getstate__(self) -> tuple[Any, ...]:
        discard, _, attributes = self._state()
        return discard, (), attributes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # In this order, because setting the attributes may run user code, which may fork.
        self._make_empty()
        self._function = None
        _enter(self)
        super().__setstate__(state)

    def __copy__(self) -> ProcessOnceCell:
        copied = type(self).__new__(type(self))
        copied.__setstate__(self._state())
        return copied


#: Weak references to all cells of this process. The keys are not `id`s, because PyPy may call the callback of a weak
#: reference when another cell has the same `id` already.
_cells: dict[int, ref[ProcessOnceCell]] = {}
_number = count().__next__

#: By thread that is forking: the cells that it keeps alive meanwhile.
_held: dict[int, list[ProcessOnceCell | None]] = {}


def _enter(cell: ProcessOnceCell) -> None:
    number = _number()
    _cells[number] = ref(cell, partial(_cells.pop, number))
    # `_hold` writes its list into `_held` before it reads `_cells`. So if it has not found this cell in `_cells`, its
    # list is found here.
    for held in list(_held.values()):
        held.append(cell)


def _hold() -> None:
    """Keep all cells alive in the thread that is about to fork."""
    held: list[ProcessOnceCell | None] = []
    _held[get_ident()] = held
    held.extend([reference() for reference in list(_cells.values())])


def _let_go() -> None:
    """Drop the list of `_hold`, in the parent, after the fork."""
    _held.pop(get_ident(), None)


@replace_with_native
def keep_for_ever(value: object) -> None:
    """Keep `value` alive for ever, so it is not finalized even at the end of the interpreter.

    `_inherited` keeps it alive only until the interpreter clears all modules at its end. An extra reference keeps it
    alive after that. (PyPy finalizes nothing at its end. Without the native core and without ctypes, CPython has
    nothing better than `_inherited`.)
    """
    if _increment is not None:
        # One reference too many: the count never becomes zero.
        _increment(value)


def _find_increment() -> Any:
    """Return a function that adds a reference to an object. This imports ctypes, which a child should not do."""
    if implementation == "native" or sys.implementation.name != "cpython":
        return None
    try:
        from ctypes import py_object, pythonapi
    except ImportError:  # pragma: no cover - hidden from coverage, in an interpreter of its own, by the test
        # Python may be built without ctypes, and that of 3.12 does not load in an interpreter with its own GIL.
        return None
    # The item is a new object each time. Other code may set other `argtypes` on the object that is the attribute.
    increment = pythonapi["Py_IncRef"]
    increment.argtypes = [py_object]
    increment.restype = None
    return increment


_increment = _find_increment()

#: The values that this process inherited in its cells.
_inherited: list[object] = []


def _empty_all() -> None:
    """Empty every cell, in a forked child, and keep the values alive."""
    # An override that is in force holds the value that it has replaced. As long as the module is not imported, there is
    # no override.
    override = sys.modules.get(f"{__package__}.override")
    for reference in list(_cells.values()):
        cell = reference()
        if cell is None:  # pragma: no cover - gone since the list was made
            continue
        values = [cell._load()]
        if override is not None:  # pragma: no branch - the tests import it
            values += [found for _, found in override.layers_of(cell)]
        for value in values:
            if value is not EMPTY:
                keep_for_ever(value)
                _inherited.append(value)
        # Last, because Ctrl-C may interrupt this. The second call then finds the value in the cell again.
        cell._clear()
        if override is not None:  # pragma: no branch - as above
            override.abandon(cell)
    _disarm_finalizers()
    _held.clear()


def _disarm_finalizers() -> None:
    """Stop every `weakref.finalize` that would finalize, at the interpreter's end, an inherited value or its parts."""
    armed = []
    for finalizer in list(getattr(finalize, "_registry", ())):
        alive = finalizer.peek()
        if alive is not None and finalizer.atexit:
            armed.append((finalizer, id(alive[0])))
    if armed:
        kept = set(map(id, _reachable(_inherited)))
        for finalizer, identity in armed:
            if identity in kept:
                finalizer.atexit = False


#: The types of objects that belong to the program, and to no value. (On Python 3.10, a frame leads to the globals.)
_OF_THE_PROGRAM = (ModuleType, type, FunctionType, FrameType)


def _reachable(roots: Iterable[object]) -> Iterator[object]:
    """Yield `roots` and all objects to which they lead, but no modules, classes, functions and frames."""
    from gc import get_referents

    # The dict keeps every object alive that was seen, so no `id` is used again.
    seen = {id(root): root for root in roots}
    queue = list(seen.values())
    while queue:
        current = queue.pop()
        yield current
        for referent in get_referents(current):
            if id(referent) not in seen and not issubclass(type(referent), _OF_THE_PROGRAM):
                seen[id(referent)] = referent
                queue.append(referent)


before.append(_hold)
in_parent.append(_let_go)
in_child.append(_empty_all)
