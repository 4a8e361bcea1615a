"""`ThreadOnceCell`: one value per thread."""

from __future__ import annotations

from _thread import _local
from types import GenericAlias

from ._cell import EMPTY, GILOnceCell, check_discard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, ClassVar

    from ._cell import Discard


class ThreadOnceCell:
    """A cell with one value per thread: each thread finds it empty, and fills it for itself.

    For what must not be shared between threads, such as a session of a client that is not
    thread-safe. Every thread has a `GILOnceCell` of its own in here, with all its laws; it
    goes, with its value, when the thread ends or this cell goes. Greenlets and asyncio
    tasks of one thread share its value. `set` and `take` speak of the calling thread alone.

    A copy is a cell of its own that has the calling thread's value; pickled, it is empty.

    Parameters:
        discard: called with a value that lost to another of the same thread (to one of another
            task, say, or of a signal handler); see `GILOnceCell`.

    Raises:
        TypeError: `discard` is neither callable nor `None`.

    The idea is that of `threading.local`; the cell is pyo3's `GILOnceCell`.

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

    __slots__ = ("__weakref__", "_discard", "_threads")

    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    #: A value is no other thread's value, so a surface must ask here each time.
    final: ClassVar[bool] = False

    def __init__(self, *, discard: Discard = None) -> None:
        if discard is not None:
            check_discard(discard, type(self).__name__)
        self._discard = discard
        self._threads = _local()

    def _mine(self) -> GILOnceCell:
        """Return the cell of the calling thread."""
        here: dict[str, GILOnceCell] = self._threads.__dict__
        # `setdefault`, for a signal handler may come in between.
        return here.get("cell") or here.setdefault("cell", GILOnceCell(discard=self._discard))

    def get(self, default: Any = None) -> Any:
        """Return the calling thread's value, or `default` while it has none. Never runs anything.

        >>> ThreadOnceCell().get("nothing yet")
        'nothing yet'
        """
        return self._mine().get(default)

    def is_set(self) -> bool:
        """Return whether the calling thread has a value, which may be `None`.

        >>> ThreadOnceCell().is_set()
        False
        """
        return self._mine().is_set()

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        """Return the calling thread's value; if it has none, run `initializer`. See `GILOnceCell.get_or_init`.

        Raises:
            TypeError: `initializer` is not callable.
            BaseException: whatever `initializer` raised; the next call of this thread tries again.

        >>> ThreadOnceCell().get_or_init(lambda: 6 * 7)
        42
        """
        return self._mine().get_or_init(initializer)

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value of the thread in which this is awaited. See `GILOnceCell.aget_or_init`.

        Raises:
            TypeError: `initializer` is not callable.
            BaseException: whatever `initializer` or awaiting its result raised.

        >>> import asyncio
        >>> async def connect():
        ...     return "connection"
        >>> asyncio.run(ThreadOnceCell().aget_or_init(connect))
        'connection'
        """
        return await self._mine().aget_or_init(initializer)

    def set(self, value: Any, /) -> None:
        """Publish `value` as the calling thread's.

        Raises:
            AlreadySetError: the calling thread has a value.

        >>> cell = ThreadOnceCell()
        >>> cell.set(1)
        >>> cell.get()
        1
        """
        self._mine().set(value)

    def take(self, default: Any = None) -> Any:
        """Forget the calling thread's value and return it, or `default` if there was none.

        >>> ThreadOnceCell().take("empty")
        'empty'
        """
        return self._mine().take(default)

    def __repr__(self) -> str:
        shown = repr(self._mine()).partition(": ")[2]
        return f"<{type(self).__name__}: {shown}"

    def _new(self) -> ThreadOnceCell:
        """Return an empty cell of this class, whose `__init__` may take anything."""
        return _empty(type(self), self._discard)

    def __copy__(self) -> ThreadOnceCell:
        copied = self._new()
        if hasattr(self, "__dict__"):
            copied.__dict__.update(self.__dict__)
        value = self.get(EMPTY)
        if value is not EMPTY:
            copied.set(value)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> ThreadOnceCell:
        from copy import deepcopy

        copied = memo[id(self)] = self._new()
        if hasattr(self, "__dict__"):
            copied.__dict__.update(deepcopy(self.__dict__, memo))
        value = self.get(EMPTY)
        if value is not EMPTY:
            copied.set(deepcopy(value, memo))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return _empty, (type(self), self._discard), getattr(self, "__dict__", None) or None


def _empty(cls: type[ThreadOnceCell], discard: Discard) -> ThreadOnceCell:
    made = cls.__new__(cls)
    ThreadOnceCell.__init__(made, discard=discard)
    return made
