"""`GILOnceCell`: a cell that is written once, and at which no thread waits.

Two rules about the order of operations keep the laws:

* User code (an initializer, `discard`) runs while nothing is held, so no thread can wait for another, whatever that
  code does.
* A value becomes the cell's value in one atomic step, `_publish`. Every value that a caller gets was read
  from the cell after that step, so all callers get the same object.

Two threads, A and B, that find the cell empty at the same time:

1. Each runs its own initializer.
2. A publishes first. The cell now holds A's value.
3. B publishes, finds A's value in the cell, gives its own value to `discard` and returns A's.

Only `_load`, `_publish` and `_clear` know where the value is. Each is one atomic operation of a dict: `get`,
`setdefault` and `pop`, with an exact `str` as the key. With a GIL, hashing and comparing such keys runs no bytecode, so
no other thread can run meanwhile. Without a GIL, `setdefault` and `pop` hold the dict's own lock. Each publication puts
its value into a new tuple. So if `setdefault` returns that tuple, this call has written, even if another thread
publishes the same object.

The idea is pyo3's `GILOnceCell`, which has the same methods, and whose `set` also gives back the rejected value. The
static types of the public names are in `__init__.pyi`.
"""

from __future__ import annotations

import sys
from itertools import count
from types import GenericAlias

from .._native import replace_with_native
from .arguments import check_discard, check_initializer, check_synchronous, explain_misuse
from .callables import name_of
from .discarding import dispose, report_unraisable
from .public import public
from .registry import register, register_now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any, ClassVar, Final

    from .override import Layers, Override, Stack

    Discard = Callable[[Any], object] | None


class _Empty:
    """The type of `EMPTY`, which says that there is no value, because `None` is a value."""


EMPTY: Final = _Empty()


@public
class AlreadySetError(RuntimeError):
    """Raised by a cell's `set()` if the cell holds a value already.

    Parameters:
        message: which cell is full, and what to do instead.
        value: the rejected object, which the caller gets back as `.value`.

    >>> cell = GILOnceCell()
    >>> cell.set("first")
    >>> try:
    ...     cell.set("second")
    ... except AlreadySetError as error:
    ...     print(error.value)
    second
    """

    def __init__(self, message: str, value: object) -> None:
        super().__init__(message, value)

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def value(self) -> object:
        """The object that `set()` rejected."""
        return self.args[1]


_next_number = count(1).__next__


@replace_with_native
def next_number() -> int:
    """Return a number higher than all before. Each published value has one, so the last made can be discarded first."""
    return _next_number()


def replace_entry(
    entries: MutableMapping[str, Any], key: str, old: Any, new: Any, stack: Stack, before: Layers, after: Layers
) -> bool:
    """Replace the entry `old` of a dict by `new`, and the layers `before` of `stack` by `after`, or neither of them.

    `EMPTY` stands for no entry. On CPython with a GIL this is one step. Threads switch only after calls and at
    backward jumps, and in Python 3.10 also at forward jumps. When something is written, no jump was taken since the
    first check, and the only call comes last. Nothing is allocated there that could start the garbage collector, and no
    last reference is dropped.

    On other interpreters, a lock keeps other overrides out (see `override.py`), and `setdefault` detects an entry that
    is published meanwhile. A `take()` that comes in between may be undone.
    """
    empty = EMPTY
    try:
        if old is empty:
            if key not in entries and stack.layers is before:
                stack.layers = after
                if new is not empty and entries.setdefault(key, new) is not new:
                    stack.layers = before  # pragma: no cover - published in between, without a GIL
                    return False  # pragma: no cover
                return True
        elif new is empty:
            if key in entries and entries[key] is old and stack.layers is before:
                stack.layers = after
                entries.pop(key, None)
                return True
        elif key in entries and entries[key] is old and stack.layers is before:
            stack.layers = after
            entries[key] = new
            return True
    except KeyError:  # pragma: no cover - taken in between, without a GIL
        pass
    return False


@replace_with_native
@public
class GILOnceCell:
    """A cell that is written once, and that never blocks.

    Threads that find the cell empty at the same time may each run their initializer. The first to finish publishes
    its value, and every call, in every thread, returns that object. A cell holds one value per process. Threads and
    event loops may share it.

    Parameters:
        discard: called with a value that lost the race, for example to close a connection. Without it, such a value
            is dropped. If `discard` raises, the exception goes to `sys.unraisablehook` and the caller still gets
            the published value.

    Raises:
        TypeError: if `discard` is neither callable nor None.

    >>> cell = GILOnceCell()
    >>> cell
    <GILOnceCell: empty>
    >>> cell.get_or_init(list)
    []
    >>> cell.get_or_init(dict)
    []
    """

    __slots__ = ("__weakref__", "_discard", "_made", "_values")

    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    #: Whether a value, once set, is the value for every caller. Then a surface may keep it elsewhere too.
    final: ClassVar[bool] = True

    _discard: Discard
    #: The `next_number()` of the value that was published last.
    _made: int
    _values: dict[str, tuple[Any]]

    @explain_misuse
    def __init__(self, *, discard: Discard = None) -> None:
        if discard is not None:
            check_discard(discard, type(self).__name__)
        self._discard = discard
        self._make_empty()

    def _make_empty(self) -> None:
        self._values = {}
        self._made = 0

    def _load(self) -> Any:
        box = self._values.get("value")
        return EMPTY if box is None else box[0]

    def _publish(self, value: Any) -> tuple[Any, bool]:
        """Write `value` if the cell is empty. Return what the cell now holds, and whether this call wrote it."""
        if self._made < 0:
            # Before the value is published, so that an isolation covers every value that another thread may have seen.
            register(self)
        box = (value,)
        published = self._values.setdefault("value", box)
        if published is box:
            self._made = next_number()
        return published[0], published is box

    def _clear(self) -> Any:
        box = self._values.pop("value", None)
        return EMPTY if box is None else box[0]

    # These let an override replace the value; see `override.py`.

    #: Whether `_replace` calls code of the user's.
    _calls_user: ClassVar[bool] = False

    def _place(self) -> tuple[Any, ...]:
        """Return the place of the value as a tuple: the object that holds it, then where it is in that object."""
        return (self,)

    def _replace(self, old: Any, new: Any, stack: Stack, before: Layers, after: Layers) -> bool:
        """Write `new` and `after` if the place holds `old` and the stack holds `before`. Return whether they did.

        `EMPTY` stands for no value.
        """
        values = self._values
        box: Any = values.get("value", EMPTY)
        if (EMPTY if box is EMPTY else box[0]) is not old:
            return False
        return replace_entry(values, "value", box, EMPTY if new is EMPTY else (new,), stack, before, after)

    def _to_override(self) -> GILOnceCell:
        """Return the cell whose value an override replaces if it is entered now."""
        return self

    # The next four methods are for `gilonce.testing`.

    def _cover(self) -> None:
        """Let isolations cover this cell, because an override may write its first value."""
        register_now(self)

    def _to_isolate(self) -> GILOnceCell:
        """Return a place that holds this cell's values in all threads."""
        return self

    def _take_all(self) -> list[tuple[int, object]]:
        """Take all values; return them with their numbers."""
        return self._values_in(self._made, self._clear())

    def _values_in(self, made: int, value: object) -> list[tuple[int, object]]:
        """Return the values behind `value`, which `_load` has returned, each with its number."""
        return [] if value is EMPTY else [(made, value)]

    def _wake(self) -> None:
        """Wake the threads and tasks that wait for a value. Here there are none."""

    def override(self, value: Any, /) -> Override:
        """Replace the value for a while: `with cell.override(fake): ...`, or as a decorator.

        Entering writes `value` into the cell by one atomic step, whether or not the cell holds a value. Leaving puts
        back what was there before, even if the cell was empty. The whole process sees the override: it belongs to no
        thread and no context. Under pytest-xdist each worker is a process of its own. Tests that run in threads of one
        process, as under pytest-run-parallel, share the override.

        * `with` and `async with` work. An override object may be entered again after it was left.
        * As a decorator it takes functions, coroutine functions, generator functions, asynchronous generator functions
          (such as fixtures), and `unittest.TestCase` classes, where it covers the whole run of each test, including
          `setUp` and `tearDown`. Each call enters a new override. If a base class has overrides too, they are entered
          first.
        * Overrides of one cell form a stack. If one is left while others lie over it, it removes only itself. When the
          last is left, the cell is as it was before the first.
        * An initializer that is running meanwhile loses: its caller gets the override's value, and its own value goes
          to `discard`. The override's value is never discarded. If `take()` removes it and another value is published,
          leaving the override discards that other value.
        * Ctrl-C does not prevent an override from being left, with these exceptions, and only if the program keeps the
          override object: with `async with`, at the very end of `__aenter__` or the very beginning of `__aexit__`;
          without the native core, at the last bytecode of `__enter__` or the very beginning of `__exit__`.
        * An override object that is freed before it is left is left then.

        Parameters:
            value: any object, including None.

        Returns:
            A context manager. `with ... as x` sets `x` to `value`.

        Raises:
            RuntimeError: if the same override object is entered again before it is left.
            TypeError: if it decorates something else than a function or a `unittest.TestCase` class.

        >>> cell = GILOnceCell()
        >>> with cell.override("a fake"):
        ...     cell.get_or_init(list)
        'a fake'
        >>> cell.is_set()
        False
        """
        from .override import Override

        return Override(self, value)

    def get(self, default: Any = None) -> Any:
        """Return the value, or `default` if the cell is empty. No initializer runs.

        Parameters:
            default: what to return if there is no value.

        Returns:
            The published object or `default`.

        >>> GILOnceCell().get("nothing yet")
        'nothing yet'
        """
        value = self._load()
        return default if value is EMPTY else value

    def is_set(self) -> bool:
        """Return whether the cell holds a value, which may be None.

        Returns:
            True or False. If another thread calls `set()` or `take()` meanwhile, the answer may be out of date.

        >>> GILOnceCell().is_set()
        False
        """
        return self._load() is not EMPTY

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        """Return the value. If the cell is empty, run `initializer` and publish its result first.

        No thread waits for another: threads that find the cell empty each run their initializer, the first to
        finish publishes its result, and all return the published object.

        Parameters:
            initializer: called without arguments, and only if the cell is empty.

        Returns:
            The published object, which may be the result of another thread's initializer.

        Raises:
            TypeError: if `initializer` is not callable, whether or not the cell is empty; if the cell is empty and
                `initializer` is a coroutine function, whose coroutine could be awaited only once. Await
                `aget_or_init` instead.
            BaseException: if `initializer` raises. Only this caller gets the exception, unchanged. The cell
                stays empty, and the next caller tries again.

        >>> cell = GILOnceCell()
        >>> cell.get_or_init(lambda: 6 * 7)
        42
        """
        check_initializer(initializer)
        value = self._load()
        if value is EMPTY:
            check_synchronous(initializer)
            # The check may run user code, in which another caller may fill the cell.
            value = self._load()
        return self._fill(initializer) if value is EMPTY else value

    def _fill(self, initializer: Callable[[], Any]) -> Any:
        """Run `initializer`, publish its result, and return what the cell holds. Subclasses do it in other ways."""
        value = initializer()
        published, _ = self._publish(value)
        if published is not value and self._discard is not None:
            dispose(self._discard, value)
        return published

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value. If the cell is empty, await `initializer()` and publish the result first.

        No task waits for another, so this works with every event loop, and across loops and threads. Cancelling one
        task does not affect another. If `discard` returns an awaitable, the task that lost awaits it.

        Parameters:
            initializer: called without arguments, and only if the cell is empty. It returns an awaitable.

        Returns:
            The published object.

        Raises:
            TypeError: if `initializer` is not callable, whether or not the cell is empty.
            BaseException: if `initializer` or its awaitable raises, or if this task is cancelled while it awaits
                `discard`.

        >>> import asyncio
        >>> cell = GILOnceCell()
        >>> async def connect():
        ...     return "connection"
        >>> asyncio.run(cell.aget_or_init(connect))
        'connection'
        """
        check_initializer(initializer)
        value = self._load()
        if value is not EMPTY:
            return value
        value = await initializer()
        published, _ = self._publish(value)
        if published is not value and self._discard is not None:
            try:
                discarding: Any = self._discard(value)
                must_wait = hasattr(discarding, "__await__")
            except BaseException as error:
                report_unraisable(error, self._discard)
                return published
            if must_wait:
                # A failure to discard is reported, but a cancellation of this task must reach its caller.
                try:
                    await discarding
                except Exception as error:
                    report_unraisable(error, self._discard)
        return published

    def set(self, value: Any, /) -> None:
        """Publish `value` in an empty cell.

        Parameters:
            value: any object, including None.

        Raises:
            AlreadySetError: if the cell holds a value. The error's `.value` is the rejected object, which is not
                given to `discard`, because the caller still has it.

        >>> cell = GILOnceCell()
        >>> cell.set("configured at start-up")
        >>> cell.get()
        'configured at start-up'
        """
        published, written = self._publish(value)
        if not written:
            raise self._rejection(published, value)

    def _rejection(self, published: object, value: object) -> AlreadySetError:
        return AlreadySetError(
            f"{self._name()} already holds a {type(published).__name__!r} object: read it with get(), "
            "or empty the cell with take() first. The rejected object is this error's .value",
            value,
        )

    def take(self, default: Any = None) -> Any:
        """Empty the cell and return its value, or `default` if it was empty.

        Other threads see the old value or an empty cell. Callers that got the value before keep it, and so does
        whatever has stored it elsewhere.

        Parameters:
            default: what to return if there is no value.

        Returns:
            The object that the cell held, or `default`.

        >>> cell = GILOnceCell()
        >>> cell.set(1)
        >>> cell.take(), cell.take("empty")
        (1, 'empty')
        """
        value = self._clear()
        return default if value is EMPTY else value

    def import_attr(self, module: str, attr: str) -> Any:
        """Return the value. If the cell is empty, do `from module import attr` and publish the result first.

        gilonce holds no lock during the import.

        Parameters:
            module: the absolute name of a module.
            attr: the name to import from it.

        Returns:
            The published object.

        Raises:
            ImportError: if the import statement would raise it. The cell stays empty.

        >>> GILOnceCell().import_attr("decimal", "Decimal")("1.5")
        Decimal('1.5')
        """

        def import_statement() -> Any:
            # With `fromlist`, the import system also tries a submodule of that name. In a circular import, the
            # submodule is not an attribute yet.
            imported = __import__(module, fromlist=(attr,))
            missing = object()
            value = getattr(imported, attr, missing)
            if value is missing:
                value = sys.modules.get(f"{imported.__name__}.{attr}", missing)
            if value is missing:
                path = getattr(imported, "__file__", None)
                started = getattr(getattr(imported, "__spec__", None), "_initializing", False)
                whence = f"partially initialized module {module!r} (most likely due to a circular import)"
                raise ImportError(
                    f"cannot import name {attr!r} from {whence if started else repr(module)} "
                    f"({path or 'unknown location'})",
                    name=module,
                    path=path,
                )
            return value

        return self.get_or_init(import_statement)

    def _name(self) -> str:
        """Return the words for this cell in messages."""
        return "this cell"

    def __repr__(self) -> str:
        from .cell_repr import cell_repr

        return cell_repr(self)

    def _repr(self) -> str:
        value = self._load()
        return f"<{type(self).__name__}: {'empty' if value is EMPTY else repr(value)}>"

    # A copy is a new cell: `copy` gives it the same value, `deepcopy` a copy of the value, and pickle what it makes
    # of the value. The new cell exists before it gets its value, because the value may refer to it.

    def _state(self) -> tuple[Any, ...]:
        value = self._load()
        held = () if value is EMPTY else (value,)
        return self._discard, held, getattr(self, "__dict__", None)

    def __getstate__(self) -> tuple[Any, ...]:
        return self._state()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._discard, held, attributes = state
        self._make_empty()
        for value in held:
            self._publish(value)
        for name, attribute in (attributes or {}).items():
            setattr(self, name, attribute)

    def __deepcopy__(self, memo: dict[int, Any]) -> GILOnceCell:
        from copy import deepcopy

        copied = memo[id(self)] = type(self).__new__(type(self))
        # `discard` is not copied: `pool.close` would become a method of a copy of the pool.
        settings, held, attributes = self._state()
        copied.__setstate__((settings, deepcopy(held, memo), deepcopy(attributes, memo)))
        return copied


class Nameable:
    """A mixin for cells whose messages name the function whose value they keep. A surface sets `_function`."""

    __slots__ = ()

    #: The function, or None as long as the cell serves no surface.
    _function: object

    def _name(self) -> str:
        return "this cell" if self._function is None else f"the cell of {name_of(self._function)}()"


def name_cell(cell: Any, function: object) -> Any:
    """Let the messages of `cell` name `function`, and return the cell. A cell keeps the first name that it gets."""
    if isinstance(cell, Nameable) and cell._function is None:
        cell._function = function  # type: ignore[misc] # each class of its own has the slot
    return cell


class NamedCell(Nameable, GILOnceCell):
    """The cell of a once function. A copy of it is a plain `GILOnceCell`."""

    __slots__ = ("_function",)

    def __init__(self, function: object, discard: Discard) -> None:
        super().__init__(discard=discard)
        self._function = function

    def __reduce_ex__(self, protocol: Any) -> Any:
        return GILOnceCell, (), self._state()

    def __deepcopy__(self, memo: dict[int, Any]) -> GILOnceCell:
        from copy import deepcopy

        copied = memo[id(self)] = GILOnceCell(discard=self._discard)
        for value in self._state()[1]:
            copied.set(deepcopy(value, memo))
        return copied


# The name that messages and `repr` show.
NamedCell.__name__ = GILOnceCell.__name__


class CopiedAsItsCell:
    """A mixin for what forwards to the cell in `_cell`. Its copies and pickles are those of the cell."""

    __slots__ = ()

    def __copy__(self: Any) -> Any:
        from copy import copy

        return copy(self._cell)

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        from copy import deepcopy

        return deepcopy(self._cell, memo)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        # As for `BoundCell`: `getitem((cell,), 0)` is a way to return any object.
        from operator import getitem

        return getitem, ((self._cell,), 0)


def make_cell(function: object, discard: Discard, cell: Callable[[], Any] | None) -> Any:
    """Return a cell for the value of `function`. Its messages name the function."""
    if cell is None:
        return NamedCell(function, discard)
    return name_cell(cell(), function)
