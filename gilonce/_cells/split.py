"""`SplitCell`: what the cells with one value per thread, or per event loop, have in common.

Such a cell has a `GILOnceCell` for each thread or event loop. Each call goes to the one that belongs to its caller.

These cells are in a container. An isolation, and an override of all values, replace the container for a while. An
initializer may begin inside and publish afterwards, when the container is gone. Its value would be lost, without a
`discard`. So who drops a container for good first appends an item to its list `gone`. A part looks at that after it has
published, and moves its value to the container that is there now. The list is filled before the values are taken out of
the container. So each value is either found there, or moved.
"""

from __future__ import annotations

from types import GenericAlias
from weakref import ref

from .arguments import check_discard, explain_misuse
from .discarding import dispose
from .racing import EMPTY, GILOnceCell, Nameable, NamedCell
from .registry import register_now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, ClassVar

    from .override import Layers, Override, Stack
    from .racing import Discard


class SplitCell(Nameable):
    """A cell with several values.

    A subclass has two methods. `_mine()` returns the caller's cell, and makes it if there is none. `_no_cells(value)`
    returns a container for cells. Its `all()` returns the cells in it. If `value` is not `EMPTY`, every cell that is
    made in the container begins with this value. Its `gone` is a list, which is empty as long as the container is used.
    """

    __slots__ = ("__weakref__", "_cells", "_discard", "_function", "_made")

    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    #: False, because each thread or event loop has another value: a surface must ask the cell each time.
    final: ClassVar[bool] = False

    @explain_misuse
    def __init__(self, *, discard: Discard = None) -> None:
        if discard is not None:
            check_discard(discard, type(self).__name__)
        self._discard = discard
        self._function: object = None
        self._cells: Any = self._no_cells(EMPTY)
        self._made = 0

    if TYPE_CHECKING:

        def _mine(self) -> GILOnceCell: ...

        @staticmethod
        def _no_cells(value: object) -> Any: ...

    def get(self, default: Any = None) -> Any:
        """Return the caller's value, or `default` if it has none. No initializer runs.

        >>> from gilonce import ThreadOnceCell
        >>> ThreadOnceCell().get("nothing yet")
        'nothing yet'
        """
        return self._mine().get(default)

    def is_set(self) -> bool:
        """Return whether the caller has a value, which may be None.

        >>> from gilonce import ThreadOnceCell
        >>> ThreadOnceCell().is_set()
        False
        """
        return self._mine().is_set()

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        """Return the caller's value. If it has none, run `initializer`. See `GILOnceCell.get_or_init`.

        Raises:
            TypeError: if `initializer` is not callable, or if it would run and is a coroutine function.
            BaseException: if `initializer` raises. The next call tries again.

        >>> from gilonce import ThreadOnceCell
        >>> ThreadOnceCell().get_or_init(lambda: 6 * 7)
        42
        """
        return self._mine().get_or_init(initializer)

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value of the thread or event loop in which this is awaited. See `GILOnceCell.aget_or_init`.

        Raises:
            TypeError: if `initializer` is not callable.
            BaseException: if `initializer` or its awaitable raises.

        >>> import asyncio
        >>> from gilonce import ThreadOnceCell
        >>> async def connect():
        ...     return "connection"
        >>> asyncio.run(ThreadOnceCell().aget_or_init(connect))
        'connection'
        """
        return await self._mine().aget_or_init(initializer)

    def set(self, value: Any, /) -> None:
        """Publish `value` as the caller's value.

        Raises:
            AlreadySetError: if the caller has a value.

        >>> from gilonce import ThreadOnceCell
        >>> cell = ThreadOnceCell()
        >>> cell.set(1)
        >>> cell.get()
        1
        """
        self._mine().set(value)

    def take(self, default: Any = None) -> Any:
        """Remove the caller's value and return it. Return `default` if there was none.

        >>> from gilonce import ThreadOnceCell
        >>> ThreadOnceCell().take("empty")
        'empty'
        """
        return self._mine().take(default)

    def override(self, value: Any, /) -> Override:
        """Replace a value for a while. See `GILOnceCell.override`."""
        from .override import Override

        return Override(self, value)

    def _is_set_anywhere(self) -> bool:
        return any([cell.is_set() for cell in self._cells.all()])  # noqa: C419 - no generator to drop

    def _cover(self) -> None:
        """Let isolations cover this cell, which is about to get a value."""
        register_now(self)

    def _to_isolate(self) -> AllValues:
        return AllValues(self)

    def __repr__(self) -> str:
        shown = repr(self._mine()).partition(": ")[2]
        return f"<{type(self).__name__}: {shown}"

    def _new(self) -> SplitCell:
        """Return an empty cell of this class. It does not call the `__init__` of a subclass, which may differ."""
        return _empty(type(self), self._discard)

    def _copied_value(self) -> Any:
        """Return the value that a copy has: the caller's."""
        return self.get(EMPTY)

    def __copy__(self) -> SplitCell:
        copied = self._new()
        if hasattr(self, "__dict__"):
            copied.__dict__.update(self.__dict__)
        value = self._copied_value()
        if value is not EMPTY:
            copied.set(value)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> SplitCell:
        from copy import deepcopy

        copied = memo[id(self)] = self._new()
        if hasattr(self, "__dict__"):
            copied.__dict__.update(deepcopy(self.__dict__, memo))
        value = self._copied_value()
        if value is not EMPTY:
            copied.set(deepcopy(value, memo))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return _empty, (type(self), self._discard), getattr(self, "__dict__", None) or None


def _empty(cls: type[SplitCell], discard: Discard) -> SplitCell:
    made = cls.__new__(cls)
    SplitCell.__init__(made, discard=discard)
    return made


class Part(NamedCell):
    """The cell of one thread or event loop.

    Parameters:
        split: the cell of which this is a part.
        cells: the container that this is to be in. It is not kept alive, because it keeps this alive.
    """

    __slots__ = ("_gone", "_split")

    def __init__(self, split: SplitCell, cells: Any) -> None:
        super().__init__(split._function, split._discard)
        self._split = ref(split)
        self._gone: list[bool] = cells.gone
        if cells.value is not EMPTY:
            super()._publish(cells.value)

    def _publish(self, value: Any) -> tuple[Any, bool]:
        published: tuple[Any, bool] = super()._publish(value)
        if published[1] and self._gone:
            split = self._split()
            # The value may be taken already. Then it is discarded, as everything that was made inside.
            mine = EMPTY if split is None else self._clear()
            if split is not None and mine is not EMPTY:  # pragma: no branch - otherwise another thread has taken it
                return split._mine()._publish(mine)
        return published

    # In C, these two write the value without `_publish`.

    def _fill(self, initializer: Callable[[], Any]) -> Any:
        value = initializer()
        published, _ = self._publish(value)
        if published is not value and self._discard is not None:
            dispose(self._discard, value)
        return published

    def set(self, value: Any, /) -> None:
        published, is_written = self._publish(value)
        if not is_written:
            raise self._rejection(published, value)


# The name that messages and `repr` show.
Part.__name__ = GILOnceCell.__name__


class AllValues:
    """All values of a `SplitCell` as one place, for overrides and for `gilonce.testing`. It holds a container."""

    _made = 0
    _calls_user = False

    def __init__(self, cell: SplitCell) -> None:
        self._cell = cell
        self._discard = cell._discard

    def _place(self) -> tuple[Any, ...]:
        return (self._cell,)

    def _cover(self) -> None:
        self._cell._cover()

    def _load(self) -> Any:
        return self._cell._cells

    def _replace(self, old: Any, new: Any, stack: Stack, before: Layers, after: Layers) -> bool:
        """As `GILOnceCell._replace`, where `new` is a container, the value of an override, or `EMPTY`."""
        cell = self._cell
        cells = new if type(new) is type(old) else cell._no_cells(new)
        # One atomic step, as in `replace_entry`.
        if cell._cells is old and stack.layers is before:
            stack.layers = after
            cell._cells = cells
            return True
        return False  # pragma: no cover - another thread came in between

    def _wake(self) -> None:
        pass

    def _take_all(self) -> list[tuple[int, object]]:
        return self._values_in(0, self._cell._cells)

    def _values_in(self, _: int, cells: Any) -> list[tuple[int, object]]:
        """Take the values out of a container, but not those of overrides; return them with their numbers.

        A value that is also in another container of this cell is not returned: it is in use, or will be again.
        """
        from .override import is_overridden, layers_of

        if cells is not self._cell._cells:
            # It was replaced, and will not be used again.
            cells.gone.append(True)
        others = [it for it in [self._cell._cells, *[found for _, found in layers_of(self)]] if it is not cells]
        in_use = {id(cell.get(EMPTY)) for other in others for cell in other.all()}
        taken = [
            (cell._made, cell.take(EMPTY))
            for cell in cells.all()
            if not is_overridden(cell) and (cells.value is EMPTY or cell.get(EMPTY) is not cells.value)
        ]
        return [(made, value) for made, value in taken if value is not EMPTY and id(value) not in in_use]
