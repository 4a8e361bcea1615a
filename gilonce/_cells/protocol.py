"""`Cell`: the methods that a surface needs of a cell, so that users can write their own.

The methods are those of pyo3's `GILOnceCell`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from .public import public

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@public
@runtime_checkable
class Cell(Protocol[T]):
    """The protocol of the cells that `cell=` makes.

    Any class with these methods and a `final` attribute can be used. It need not derive from anything. Each method must
    do what the `GILOnceCell` method of that name does. Cells differ in what shares a value: the process, a thread, or
    something else. `isinstance(x, Cell)` checks that the names exist.

    Such a cell has no `override`. Derive from one of gilonce's cells to have it.

    Attributes:
        final: True if a value, once set, is the value for every caller. Only then may a value also be stored
            elsewhere: in an instance's `__dict__`, or as a global of a module.

    >>> from gilonce import GILOnceCell, ThreadOnceCell
    >>> isinstance(GILOnceCell(), Cell), isinstance(ThreadOnceCell(), Cell), isinstance([], Cell)
    (True, True, False)
    """

    @property
    def final(self) -> bool:
        """Whether a value, once set, is the value for every caller."""
        ...

    def get(self, default: Any = None, /) -> Any:
        """Return the value, or `default` if there is none. Never runs an initializer."""
        ...

    def is_set(self) -> bool:
        """Return whether there is a value."""
        ...

    def get_or_init(self, initializer: Callable[[], T], /) -> T:
        """Return the value. If there is none, call `initializer` and publish its result."""
        ...

    async def aget_or_init(self, initializer: Callable[[], Awaitable[T]], /) -> T:
        """Return the value. If there is none, await `initializer()` and publish the result."""
        ...

    def set(self, value: T, /) -> None:
        """Publish `value`. Raise an error if there is a value already."""
        ...

    def take(self, default: Any = None, /) -> Any:
        """Return the value and forget it, or return `default` if there is none."""
        ...
