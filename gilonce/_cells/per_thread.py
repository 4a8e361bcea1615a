"""`ThreadOnceCell`: one value per thread.

The idea is that of `threading.local`. The cell of each thread is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

from _thread import _local
from functools import partial
from itertools import count
from weakref import ref

from .public import public
from .racing import EMPTY, GILOnceCell
from .split import Part, SplitCell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .override import Override

_next_key = count().__next__


class _Cells(_local):
    """The cells of all threads. Each thread finds its own in `__dict__`, and `gilonce.testing` finds all in `alive`."""

    # All threads share the slots of a `threading.local`.
    __slots__ = ("alive", "gone")

    #: An override replaces the value of one thread, not of all.
    value = EMPTY

    #: Weak references to the cells. A thread's cell is freed when the thread ends.
    alive: dict[int, ref[GILOnceCell]]
    gone: list[bool]

    def all(self) -> list[GILOnceCell]:
        return [cell for cell in [reference() for reference in list(self.alive.values())] if cell is not None]


@public
class ThreadOnceCell(SplitCell):
    """A cell with one value per thread: each thread finds it empty and fills it for itself.

    Use it for an object that threads must not share, such as a session of a client that is not thread-safe. Inside,
    each thread has its own `GILOnceCell`, with all the laws of that class. The thread's cell and value are freed when
    the thread ends, or when this cell is freed. The asyncio tasks and greenlets of one thread share its value. `set`,
    `take` and `override` act on the calling thread's value alone.

    A copy is a new cell with the calling thread's value. A pickle has no value.

    Parameters:
        discard: called with a value that lost to another value of the same thread, for example to one that another
            task or a signal handler published. See `GILOnceCell`. None, the default, drops such a value.

    Raises:
        TypeError: if `discard` is neither callable nor None.

    >>> from threading import Thread
    >>> cell = ThreadOnceCell()
    >>> cell.get_or_init(lambda: "of the main thread")
    'of the main thread'
    >>> thread = Thread(target=lambda: print(cell.get_or_init(lambda: "of another")))
    >>> thread.start(); thread.join()
    of another
    >>> cell.get()
    'of the main thread'
    """

    __slots__ = ()

    @staticmethod
    def _no_cells(_: object) -> _Cells:
        cells = _Cells()
        cells.alive = {}
        cells.gone = []
        return cells

    def _mine(self) -> GILOnceCell:
        """Return the cell of the calling thread."""
        cells: _Cells = self._cells
        here: dict[str, GILOnceCell] = cells.__dict__
        return here.get("cell") or self._make_mine(cells, here)

    def _make_mine(self, cells: _Cells, here: dict[str, GILOnceCell]) -> GILOnceCell:
        # `setdefault`, because a signal handler of this thread may have made a cell meanwhile.
        cell = here.setdefault("cell", Part(self, cells))
        alive, key = cells.alive, _next_key()
        alive[key] = ref(cell, partial(alive.pop, key))
        self._cover()
        return cell

    def override(self, value: Any, /) -> Override:
        """Replace the value of one thread for a while: of the thread that enters the override.

        Other threads keep their values. If another thread leaves the override, it puts back the value of the thread
        that entered it. See `GILOnceCell.override` for everything else.

        Raises:
            RuntimeError: if the same override object is entered again before it is left.
            TypeError: if it decorates something else than a function or a `unittest.TestCase` class.

        >>> cell = ThreadOnceCell()
        >>> with cell.override("a fake"):
        ...     cell.get()
        'a fake'
        >>> cell.is_set()
        False
        """
        return super().override(value)

    def _to_override(self) -> GILOnceCell:
        return self._mine()
