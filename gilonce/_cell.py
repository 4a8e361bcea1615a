"""The cell: a place that is written once, raced for freely, and never waited at.

Every law of gilonce is kept here, by two rules about the order of operations:

* user code (an initializer, `discard`) runs with nothing held, so no thread can wait
  for another, whatever that code does;
* a value becomes *the* value in one atomic step, `_publish`. Everything that is handed
  out was read from the cell after that step, so all threads are handed one object.

The static types of the public names are in `__init__.pyi`.
"""

from __future__ import annotations

import sys
from reprlib import recursive_repr
from types import GenericAlias, SimpleNamespace

from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, ClassVar, Final

    Discard = Callable[[Any], object] | None


class _Empty:
    """The type of `EMPTY`, which stands for "no value": `None` is a value like any other."""


EMPTY: Final = _Empty()


class AlreadySetError(RuntimeError):
    """Raised by `GILOnceCell.set()` when the cell already holds a value.

    Parameters:
        message: what was full, and what to do instead.
        value: the rejected object, handed back to the caller.

    The idea is pyo3's, whose `GILOnceCell::set` returns the rejected value as its error.

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


@in_c
class GILOnceCell:
    """A write-once cell that never blocks.

    Threads that race to fill it may each run the initializer; the first to finish
    publishes its value, and every call, in every thread, returns that one object.
    A cell is a value per process; share it freely between threads and event loops.

    Parameters:
        discard: called with a value that lost the race (to close a connection, say).
            Without it such a value is dropped. What it raises goes to
            `sys.unraisablehook`; the caller still gets the value.

    Raises:
        TypeError: `discard` is neither callable nor `None`.

    The idea is pyo3's `GILOnceCell`.

    >>> cell = GILOnceCell()
    >>> cell
    <GILOnceCell: empty>
    >>> cell.get_or_init(list)
    []
    >>> cell.get_or_init(dict)
    []
    """

    __slots__ = ("__weakref__", "_discard", "_values")

    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    #: A value, once set, is the value for everyone: a surface may keep it elsewhere.
    final: ClassVar[bool] = True

    _discard: Discard
    _values: dict[str, tuple[Any]]

    def __init__(self, *, discard: Discard = None) -> None:
        if discard is not None:
            check_discard(discard, type(self).__name__)
        self._discard = discard
        self._make_empty()

    # The place. These three operations are all that knows where the value is kept, and
    # each is one atomic operation of the interpreter: `get`, `setdefault` and `pop` of a
    # dict whose only key is an exact `str`. Hashing and comparing such keys runs no
    # bytecode, so no other thread gets in between on a build with a GIL (CPython's or
    # PyPy's); without one, `setdefault` and `pop` hold the dict's own critical section,
    # and `get` sees the entry before or after, never half of it. The dict owns a
    # reference to the box and every reader takes its own, so `pop` frees nothing that
    # a reader still uses.
    #
    # The value sits in a tuple made for this one write: whether the tuple that
    # `setdefault` returns is ours says who wrote, even when two threads write the
    # same object.

    def _make_empty(self) -> None:
        self._values = {}

    def _load(self) -> Any:
        box = self._values.get("value")
        return EMPTY if box is None else box[0]

    def _publish(self, value: Any) -> tuple[Any, bool]:
        """Write `value` if the cell is empty; return what it now holds and whether we wrote."""
        box = (value,)
        published = self._values.setdefault("value", box)
        return published[0], published is box

    def _clear(self) -> Any:
        box = self._values.pop("value", None)
        return EMPTY if box is None else box[0]

    def get(self, default: Any = None) -> Any:
        """Return the value, or `default` while the cell is empty. Never runs anything.

        Parameters:
            default: what to return instead of a value.

        Returns:
            The published object, or `default`. pyo3's `get`.

        >>> GILOnceCell().get("nothing yet")
        'nothing yet'
        """
        value = self._load()
        return default if value is EMPTY else value

    def is_set(self) -> bool:
        """Return whether the cell holds a value, which may be `None`.

        Returns:
            True or False. Under a race with `set()` or `take()` the answer may be past.

        >>> GILOnceCell().is_set()
        False
        """
        return self._load() is not EMPTY

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        """Return the value; if the cell is empty, run `initializer` and publish what it returns.

        No thread waits for another: racing threads each run their initializer, the first
        to finish publishes, and all return the published object.

        Parameters:
            initializer: called without arguments, only when the cell is empty.

        Returns:
            The published object, which another thread's initializer may have made.

        Raises:
            TypeError: `initializer` is not callable (even when the cell is full).
            BaseException: whatever `initializer` raised, unchanged, and only to this
                caller. The cell stays empty and the next caller tries again.

        pyo3's `get_or_init` and `get_or_try_init` in one.

        >>> cell = GILOnceCell()
        >>> cell.get_or_init(lambda: 6 * 7)
        42
        """
        check_initializer(initializer)
        value = self._load()
        return self._fill(initializer) if value is EMPTY else value

    def _fill(self, initializer: Callable[[], Any]) -> Any:
        """Return what is published after `initializer` ran. Other cells than this one have other ways."""
        value = initializer()
        published, _ = self._publish(value)
        if published is not value and self._discard is not None:
            dispose(self._discard, value)
        return published

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        """Return the value; if the cell is empty, await `initializer()` and publish its result.

        The same laws as `get_or_init`: tasks never wait for each other, so it works on
        any event loop, across loops and threads, and cancelling one task cannot hurt
        another. An awaitable returned by `discard` is awaited by the task that lost.

        Parameters:
            initializer: called without arguments, returns an awaitable.

        Returns:
            The published object.

        Raises:
            TypeError: `initializer` is not callable (even when the cell is full).
            BaseException: whatever `initializer` or awaiting its result raised; and what
                ends this task while it awaits `discard`, such as its cancellation.

        After pyo3's `get_or_init`, for which there is no asynchronous one.

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
                # A cancellation of this task, unlike a failure to discard, is the
                # caller's own and must get through.
                try:
                    await discarding
                except Exception as error:
                    report_unraisable(error, self._discard)
        return published

    def set(self, value: Any, /) -> None:
        """Publish `value` into an empty cell.

        Parameters:
            value: any object, `None` too.

        Raises:
            AlreadySetError: the cell holds a value; the rejected object is the error's
                `.value`. `discard` is not called, for the caller has it back.

        pyo3's `set`.

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
            "or empty the cell with take() first; the rejected object is this error's .value",
            value,
        )

    def take(self, default: Any = None) -> Any:
        """Empty the cell and return what it held, or `default` if it was empty.

        Where Rust's compiler proves that no one else looks, here the caller promises it.
        A thread that races with `take()` sees the old value or an empty cell, never
        anything broken. What a surface has already handed out or kept stays there.

        Parameters:
            default: what to return instead of a value.

        Returns:
            The object that the cell held, or `default`. pyo3's `take`.

        >>> cell = GILOnceCell()
        >>> cell.set(1)
        >>> cell.take(), cell.take("empty")
        (1, 'empty')
        """
        value = self._clear()
        return default if value is EMPTY else value

    def import_attr(self, module: str, attr: str) -> Any:
        """Return the value; if the cell is empty, do `from module import attr` and publish it.

        Nothing of gilonce's is held while importing.

        Parameters:
            module: the absolute name of a module.
            attr: the name to import from it.

        Returns:
            The published object.

        Raises:
            ImportError: as the import statement raises it; the cell stays empty.

        pyo3's `import`.

        >>> GILOnceCell().import_attr("decimal", "Decimal")("1.5")
        Decimal('1.5')
        """

        def import_statement() -> Any:
            # With the name in `fromlist` the import system tries a submodule of that
            # name too. In a circular import the submodule is not yet an attribute.
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
        """Return what this cell is called in messages."""
        return "this cell"

    @recursive_repr("<GILOnceCell: ...>")
    def __repr__(self) -> str:
        value = self._load()
        shown = "empty" if value is EMPTY else repr(value)
        return f"<{type(self).__name__}: {shown}>"

    # Copies are cells of their own: the same value for `copy`, a copy of it for
    # `deepcopy`, what pickle makes of it for pickle. The value comes after the new cell
    # exists, because it may refer to that cell.

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
        # What it was made with stays: a copy of a method of a pool would close into a copy of the pool.
        settings, held, attributes = self._state()
        copied.__setstate__((settings, deepcopy(held, memo), deepcopy(attributes, memo)))
        return copied


def check_discard(discard: object, taker: str) -> None:
    if not callable(discard):
        raise TypeError(
            f"{taker}(discard=...) takes a callable that is given the value which lost the race, "
            f"not {discard!r} ({type(discard).__name__})"
        )


def check_initializer(initializer: object) -> None:
    if not callable(initializer):
        raise TypeError(
            f"the initializer must be callable, not {initializer!r} ({type(initializer).__name__}): "
            "to publish an object that exists already, use set()"
        )


def dispose(discard: Callable[[Any], object], value: object) -> None:
    """Give `discard` a value that lost the race."""
    try:
        discard(value)
    except BaseException as error:
        report_unraisable(error, discard)


def report_unraisable(error: BaseException, source: object) -> None:
    """Hand `error`, raised by `source`, to `sys.unraisablehook`, as the interpreter would."""
    try:
        sys.unraisablehook(_report(error, "Exception ignored in discard", source))
    except BaseException as failure:
        sys.__unraisablehook__(_report(failure, "Exception ignored in sys.unraisablehook", sys.unraisablehook))


def _report(error: BaseException, message: str, source: object) -> Any:
    values: Any = (type(error), error, error.__traceback__, message, source)
    # CPython's default hook insists on a type that `sys` uses and does not export. It is a
    # struct sequence, hence found among the subclasses of tuple. Other hooks, and PyPy's,
    # look at the attributes only.
    for subclass in tuple.__subclasses__():
        if (subclass.__module__, subclass.__name__) == ("builtins", "UnraisableHookArgs"):
            return subclass(values)
    fields = ("exc_type", "exc_value", "exc_traceback", "err_msg", "object")
    return SimpleNamespace(**dict(zip(fields, values, strict=True)), extra_line="")
