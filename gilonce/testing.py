"""Keep tests apart: `isolated()` and `reset()`.

Both cover the values that outlive a test: those of decorated functions (with `once_per_args`, for all arguments), of
classes, and of lazy globals. Values that belong to an instance go with the instance, and a single cell belongs to
the code that made it.

>>> from gilonce import once
>>> from gilonce.testing import isolated
>>> @once
... def get_settings():
...     return {"debug": False}
>>> settings = get_settings()
>>> with isolated():
...     get_settings() is settings
False
>>> get_settings() is settings
True
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import ref

from ._cells.decorating import Decorating
from ._cells.foreign import ForeignCell
from ._cells.override import (
    AtomicContext,
    Layer,
    discard_now,
    finish_discarding,
    is_overridden,
    report_unawaited,
)
from ._cells.public import hide_annotations
from ._cells.racing import EMPTY
from ._cells.registry import registered
from ._storage.bound import is_class
from ._storage.class_values import own_values
from ._storage.keyed import OwnedTable
from ._storage.keyed_cell_option import ForwardingNode, OverridablePlace
from ._surfaces.cell_of import cell_of_registered, code_of_cell

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from ._cells.arguments import Init

__all__ = ["isolated", "reset"]

#: The number of a value, the value, and its `discard`. A value that was made later has a higher number.
Made = tuple[int, object, "Callable[[Any], object] | None"]


def _places() -> list[Any]:
    """Return the places of all values that are to be isolated."""
    return [_place_of(cell) for it in registered() for cell in _cells_of(it)]


def _cells_of(it: Any) -> list[Any]:
    """Return the cells of what was registered: a cell, a lazy proxy, a table or a class."""
    if _is_table(it):
        return list(it.cells())
    if not is_class(it):
        return [cell_of_registered(it)]
    values = own_values(it)
    if values is None:
        return []
    tables = [value for value in values.copy().values() if _is_table(value)]
    return values.cells() + [cell for table in tables for cell in table.cells()]


def _is_table(it: object) -> TypeGuard[Any]:
    # By `type()`, because asking a lazy proxy for its class would touch it.
    return issubclass(type(it), OwnedTable)


def _place_of(cell: Any) -> Any:
    if type(cell) is ForwardingNode:
        return OverridablePlace(cell, _place_of(cell._cell))
    return cell._to_isolate() if hasattr(cell, "_to_isolate") else ForeignCell(cell)


def _take(place: Any) -> list[Made]:
    """Take the values out of a place, unless it is overridden: that value is not ours to discard."""
    if is_overridden(place):
        return []
    return [(made, value, place._discard) for made, value in place._take_all()]


def _in_order(made: list[Made]) -> list[Made]:
    """Return the values in the order in which they are discarded: the last made first."""
    return sorted(made, key=lambda one: one[0], reverse=True)


def _explain_arguments(reset: Callable[[], None]) -> Callable[[], None]:
    """Let `reset` raise an error that says what to write instead of `reset(f)` and `@reset`."""

    @wraps(reset)
    def explaining(*given: Any, **named: Any) -> None:
        if given or named:
            raise TypeError(
                f"reset() takes no arguments, because it empties everything: {_how_to_empty(*given)}. "
                "As a decorator, use @isolated()"
            )
        reset()

    return explaining


def _how_to_empty(it: object = None, *_: object) -> str:
    code = code_of_cell(it)
    if code is None:
        return "to empty one function, write f.cell.take(), or f.take_all() if it is under @once_per_args"
    function, per_args, _rest = code.partition(".cell(...)")
    return f"to empty this alone, write {function}.{'take_all' if per_args else 'take'}()"


@hide_annotations
@_explain_arguments
def reset() -> None:
    """Forget all values of decorated functions, classes and lazy globals, and discard them, the last made first.

    The next use computes each anew. A value whose function has no `discard=` is dropped. What `discard` raises
    goes to `sys.unraisablehook`, and so does an error if it returns a coroutine, because nothing here can await it.
    A value that is overridden at the moment stays.

    >>> from gilonce import once
    >>> from gilonce.testing import reset
    >>> @once(discard=lambda value: print("closing", value))
    ... def get_connection():
    ...     return "the connection"
    >>> get_connection()
    'the connection'
    >>> reset()
    closing the connection
    """
    made: list[Made] = []
    try:
        for place in _places():
            made += _take(place)
    finally:
        # Also if a user's cell raises: what was taken before is in no cell any more.
        for _, value, discard in _in_order(made):
            report_unawaited(discard, discard_now(discard, value), "take() the value from its cell, and close it")


def _explain_missing_parentheses(init: Init) -> Init:
    """Let `__init__` raise an error that says what to write instead of `@isolated`."""

    @wraps(init)
    def __init__(self: Any, *functions: object, **options: object) -> None:  # noqa: N807 - it becomes the method
        if functions or options:
            raise TypeError(
                "isolated() takes no arguments, because it covers everything: as a decorator, write @isolated() with "
                "the parentheses. To replace one value, use f.cell.override(...)"
            )
        init(self)

    return __init__  # type: ignore[return-value]


@hide_annotations
class isolated(AtomicContext, Decorating):  # noqa: N801 - a context manager, named as those of contextlib are
    """A context manager and decorator in which every decorated function, class and lazy global starts empty.

    Afterwards each has the value that it had before. What was made inside goes to `discard`, the last made
    first. Cells per thread start empty in every thread, and are restored in every thread.
    Overrides that are in force outside do not hold inside. An override that is entered inside must be left inside.

    `with`, `async with` and decorators work as with `GILOnceCell.override`. If `discard` is a coroutine function, use
    `async with`, or decorate a coroutine function: they await it, and a plain `with` reports an error to
    `sys.unraisablehook`. The whole process is isolated, not one thread: run tests at the same
    time in processes, as pytest-xdist does, not in threads.

    Not covered: values that belong to an instance, and single cells. Use `cell.override` for them.

    >>> from gilonce import once
    >>> from gilonce.testing import isolated
    >>> @once
    ... def get_settings():
    ...     return ["production"]
    >>> @isolated()
    ... def test_settings():
    ...     get_settings().append("test")
    >>> test_settings()
    >>> get_settings()
    ['production']
    """

    __slots__ = ("__weakref__", "_isolation")

    @_explain_missing_parentheses
    def __init__(self) -> None:
        self._isolation: _Isolation | None = None

    def _anew(self) -> isolated:
        return isolated()

    def _begin(self) -> None:
        if self._isolation is not None and self._isolation.is_in_force:
            raise RuntimeError("this isolated() is in force already: make another one to enter it within itself")
        isolation = _Isolation()
        isolation.guard = ref(self, isolation.leave_unheld)
        self._isolation = isolation

    def _enter(self) -> None:
        if self._isolation is not None:  # pragma: no branch - begun before
            self._isolation.enter()

    def _leave(self) -> None:
        if self._isolation is not None:
            self._isolation.leave()
            self._isolation.discard()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        isolation = self._isolation
        if isolation is not None:  # pragma: no branch - entered before
            try:
                isolation.leave()
            finally:
                isolation.leave()
                while isolation.made:
                    _, value, discard = isolation.made.pop()
                    await finish_discarding(discard, discard_now(discard, value))


class _Isolation:
    def __init__(self) -> None:
        self.layers = [Layer(place, EMPTY) for place in _places()]
        #: A weak reference that `isolated` sets. When `isolated` is dropped, its callback leaves this isolation.
        self.guard: object = None
        self.is_in_force = False
        #: What was made inside. The last to be discarded comes first.
        self.made: list[Made] = []

    def enter(self) -> None:
        self.is_in_force = True
        # The layers keep the weak reference, whose callback leaves an isolation that the user has dropped.
        for layer in self.layers:
            layer.guard = self.guard
            layer.enter()

    def leave(self) -> None:
        """Restore everything. May be called again after an interrupt."""
        if not self.is_in_force:
            return
        known = {layer.key for layer in self.layers}
        try:
            # If a key's `__eq__` or a user's cell raises, everything else is restored all the same.
            with ExitStack() as steps:
                for layer in reversed(self.layers):
                    steps.callback(self._leave_layer, layer)
                for it in registered():
                    steps.callback(self._take_new, it, known)
        except Exception:
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        self.made.sort(key=lambda one: one[0])
        self.is_in_force = False
        self.guard = None

    def _take_new(self, it: Any, known: set[tuple[object, ...]]) -> None:
        """Take the values out of places that did not exist when this was entered, and so have no layer."""
        for place in map(_place_of, _cells_of(it)):
            if Layer(place, EMPTY).key not in known:
                self.made += _take(place)

    def _leave_layer(self, layer: Layer) -> None:
        layer.leave()
        self.made += [(number, value, layer.cell._discard) for number, value in layer.take_replaced_values()]

    def discard(self) -> None:
        while self.made:
            _, value, discard = self.made.pop()
            report_unawaited(discard, discard_now(discard, value), "write 'async with isolated()'")

    def leave_unheld(self, _: object) -> None:
        try:
            self.leave()
        finally:
            self.discard()
