"""`Cell`: what a surface asks of a cell, so that users can bring their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@runtime_checkable
class Cell(Protocol[T]):
    """What `cell=` makes: the methods by which `once`, `once_property` and `lazy_global` use a cell.

    Any class that has them will do; there is nothing to derive from. What each must do is
    told by the method of that name of `GILOnceCell`; how far a value reaches (per process,
    thread, or something else) is what cells differ in. `isinstance(x, Cell)` looks whether
    the names are there.

    Attributes:
        final: True if a value, once set, is the value for everyone who asks. Only then may
            a surface keep it elsewhere: in the instance, or as a module's global.

    After the interface of pyo3's `GILOnceCell`.

    >>> from gilonce import GILOnceCell, ThreadOnceCell
    >>> isinstance(GILOnceCell(), Cell), isinstance(ThreadOnceCell(), Cell), isinstance([], Cell)
    (True, True, False)
    """

    @property
    def final(self) -> bool:
        """Whether a value, once set, is the value for everyone."""
        ...

    def get(self, default: Any = None, /) -> Any:
        """Return the value, or `default` if there is none. Runs nothing."""
        ...

    def is_set(self) -> bool:
        """Return whether there is a value."""
        ...

    def get_or_init(self, initializer: Callable[[], T], /) -> T:
        """Return the value; if there is none, that which `initializer` makes."""
        ...

    async def aget_or_init(self, initializer: Callable[[], Awaitable[T]], /) -> T:
        """Return the value; if there is none, that which awaiting `initializer()` gives."""
        ...

    def set(self, value: T, /) -> None:
        """Publish `value`; raise an error if there is one."""
        ...

    def take(self, default: Any = None, /) -> Any:
        """Return the value and forget it, or return `default`."""
        ...
