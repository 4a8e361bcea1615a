"""`LoopOnceCell`: one value per event loop.

A value must be freed with its event loop, also where it refers to the loop, as an `asyncio.Queue` does. It must be
freed with its cell, also where it refers to the cell, as the client of an instance often does. If the loop held the
value, a value that refers to its cell would keep the cell and itself alive as long as the loop lives. So the cell holds
the value, and must learn when the loop has ended:

* asyncio does not tell. A weak reference tells when a loop was freed. For a loop that a value keeps alive, each use of
  any such cell asks the other loops whether they are closed. All cells then drop their values for a closed loop.
* trio calls `after_run` of an instrument at the end of a run.

The idea is that of `ThreadOnceCell` and of `trio.lowlevel.RunVar`. The cell of each event loop is pyo3's
`GILOnceCell`.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import count
from weakref import ref

from .event_loops import is_closed, is_in_trio, running_loop
from .public import public
from .racing import EMPTY, GILOnceCell
from .split import AllValues, Part, SplitCell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .override import Override

_next_key = count().__next__


class _Loop:
    """An event loop, and the containers that have a cell for it. It keeps neither of them alive."""

    __slots__ = ("holders", "loop")

    def __init__(self, loop: ref[Any]) -> None:
        self.loop = loop
        self.holders: dict[int, ref[_Cells]] = {}

    def add(self, cells: _Cells) -> None:
        key = _next_key()
        self.holders[key] = ref(cells, partial(self.holders.pop, key))

    def is_closed(self) -> bool:
        # trio tells by `after_run`.
        return is_closed(self.loop())

    def after_run(self) -> None:
        """Forget the event loop, and drop its values."""
        _loops.pop(self.loop, None)
        for cells in [reference() for reference in list(self.holders.values())]:
            if cells is not None:
                cells.pop(self, None)


class _Cells(dict[_Loop, GILOnceCell]):
    """The cells of all event loops. If `value` is not `EMPTY`, it is an override's: each cell begins with it."""

    __slots__ = ("__weakref__", "gone", "value")

    def __init__(self, value: object) -> None:
        self.value = value
        self.gone: list[bool] = []

    def all(self) -> list[GILOnceCell]:
        return list(self.values())


#: The event loops that some cell has been used in, by weak references to them.
_loops: dict[ref[Any], _Loop] = {}


def _find(loop: Any) -> _Loop:
    known = _loops.get(ref(loop))
    if known is None:
        reference = ref(loop, _forget)
        made = _Loop(reference)
        known = _loops.setdefault(reference, made)
        if known is made and is_in_trio():
            sys.modules["trio.lowlevel"].add_instrument(known)
    return known


def _drop_closed() -> None:
    for known in list(_loops.values()):
        if known.is_closed():
            known.after_run()


def _forget(reference: ref[Any]) -> None:
    """Drop the values of a loop that was freed."""
    known = _loops.get(reference)
    if known is not None:
        known.after_run()


@public
class LoopOnceCell(SplitCell):
    """A cell with one value per event loop: in each, it is empty at first.

    Use it for an object that belongs to the event loop in which it was made, such as a client of httpx, aiohttp or
    asyncpg, or an `asyncio.Queue`. Used in a second `asyncio.run`, such an object raises "Event loop is closed". It
    works with asyncio, with trio, and with anyio on either of them. Initializers may be synchronous or asynchronous.

    Inside, each event loop has its own `GILOnceCell`, with all the laws of that class. Its tasks share one value, and
    never wait for each other. The value is dropped after the event loop has ended, at the latest when some
    `LoopOnceCell` is used next. It is not closed: take it in the event loop, and close it there. The value is also
    dropped when this cell is freed.

    Outside an event loop there is no value: `is_set` returns False, and the methods that need one raise an error.
    `override` replaces the value of all event loops. A copy is a new cell with the value of the running event loop, if
    one runs. A pickle has no value.

    Parameters:
        discard: called with a value that lost to another value of the same event loop, for example to that of another
            task. If it returns an awaitable, the task that lost awaits it. See `GILOnceCell`. None, the default, drops
            such a value.

    Raises:
        TypeError: if `discard` is neither callable nor None.
        RuntimeError: from `get`, `get_or_init`, `aget_or_init`, `set` and `take`, if no event loop of asyncio or trio
            runs in the calling thread.

    >>> import asyncio
    >>> cell = LoopOnceCell()
    >>> async def main():
    ...     queue = cell.get_or_init(asyncio.Queue)
    ...     return queue is cell.get(), queue
    >>> is_one, queue = asyncio.run(main())
    >>> is_one, asyncio.run(main())[1] is queue
    (True, False)
    """

    __slots__ = ()

    @staticmethod
    def _no_cells(value: object) -> _Cells:
        return _Cells(value)

    def _mine(self) -> GILOnceCell:
        """Return the cell of the running event loop."""
        loop = running_loop()
        if loop is None:
            raise RuntimeError(
                f"{self._name()} has one value per event loop, and no event loop of asyncio or trio runs in this "
                "thread: use it in a coroutine, for example under asyncio.run(main()). Pass the value, not the cell, "
                "to code that runs in other threads"
            )
        known = _loops.get(ref(loop))
        if known is None or len(_loops) > 1:
            _drop_closed()
        cells: _Cells = self._cells
        return (known and cells.get(known)) or self._make_mine(cells, known or _find(loop))

    def _make_mine(self, cells: _Cells, known: _Loop) -> GILOnceCell:
        made = Part(self, cells)
        known.add(cells)
        # `setdefault`, because a signal handler may have made a cell meanwhile.
        cell = cells.setdefault(known, made)
        self._cover()
        return cell

    def is_set(self) -> bool:
        """Return whether the running event loop has a value, which may be None. Outside an event loop, return False.

        >>> LoopOnceCell().is_set()
        False
        """
        return running_loop() is not None and super().is_set()

    def override(self, value: Any, /) -> Override:
        """Replace the value of every event loop for a while, also of those that begin meanwhile.

        It can be entered and left anywhere, also outside an event loop. An initializer that is running at that moment
        is not replaced: its caller gets its value, which the event loop has again afterwards. Otherwise it works as
        `GILOnceCell.override`.

        Raises:
            RuntimeError: if the same override object is entered again before it is left.
            TypeError: if it decorates something else than a function or a `unittest.TestCase` class.

        >>> import asyncio
        >>> cell = LoopOnceCell()
        >>> async def read():
        ...     return cell.get()
        >>> with cell.override("a fake"):
        ...     asyncio.run(read())
        'a fake'
        """
        return super().override(value)

    def _to_override(self) -> AllValues:
        return AllValues(self)

    def _copied_value(self) -> Any:
        return EMPTY if running_loop() is None else super()._copied_value()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: no event loop runs here>" if running_loop() is None else super().__repr__()
