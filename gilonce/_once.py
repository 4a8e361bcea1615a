"""`@once`: a callable that computes its value once.

A call asks the cell, and the cell asks the function. Which cell that is follows from how
the call was reached: the function's own, or, for a method, that of the instance or class.
"""

from __future__ import annotations

from types import FunctionType, MethodType

from ._bound import Definition, prepare
from ._callables import (
    binds,
    hides_parameters,
    is_coroutine_function,
    is_generator_function,
    kind_of_method,
    name_of,
    required_parameters,
)
from ._cell import EMPTY, GILOnceCell, check_discard
from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._cell import Discard


def once(function: Any = None, /, *, discard: Discard = None, cell: Callable[[], Any] | None = None) -> Any:
    """Make a callable compute its value once, without ever blocking.

    Threads that make the first call at the same time may each run the function; the first
    to finish publishes its value, and every call, in every thread, returns that object.

    One value is kept

    * per process for a function, for a static method, and for any other callable, such
      as a class or a `functools.partial`, which then works as a factory;
    * per instance for a method, in the instance's `__dict__`: copies carry the value;
    * per class for a class method, a subclass having its own.

    `@once` may stand above or below `@classmethod` and `@staticmethod`. Every call of an
    `async def` returns a coroutine, and all of them give the same value.

    Parameters:
        function: a callable without required parameters (a method's `self` aside).
        discard: called with a value that lost the race; see `GILOnceCell`.
        cell: makes the cells that keep the values, where they are to be others than
            `GILOnceCell`: `OnceLock`, `functools.partial(OnceLock, timeout=30)`,
            `ThreadOnceCell`, `ProcessOnceCell`, or your own (see `Cell`).

    Returns:
        An object that passes for `function`. Its `.cell` is the cell behind a function;
        for a bound method, `obj.m.cell` and `Cls.m.cell` are those of the instance and
        of the class. Without `function`, a decorator.

    Raises:
        TypeError: at decoration, for what cannot have one value: no callable, a generator
            function, two or more required parameters; for a `cell` that makes none, or
            together with `discard`, which belongs to the cell. At a call, for any argument beyond
            the instance, and for an instance that has no `__dict__`.
        BaseException: at a call, whatever `function` raised, unchanged; the next call tries again.

    Rust's `OnceCell` brought the idea to many; the cell is pyo3's `GILOnceCell`.

    >>> @once
    ... def answer():
    ...     print("computing")
    ...     return 42
    >>> answer(), answer()
    computing
    (42, 42)
    >>> answer.cell.take()
    42
    """
    if cell is not None:
        from ._chosen import choose

        choose(cell, discard, "once")
    elif discard is not None:
        check_discard(discard, "once")
    if function is None:
        return lambda function: Once(function, discard, cell)
    return Once(function, discard, cell)


class _Derived:
    """An attribute of an object that is made from it, until someone assigns another: no data descriptor."""

    def __init__(self, derive: Callable[[Any], Any], of_class: Any = None) -> None:
        self._derive = derive
        self._of_class = of_class

    def __get__(self, instance: Any, owner: type) -> Any:
        return self._of_class if instance is None else self._derive(instance)


@in_c
class Once:
    """What `once` returns: the function's disguise over its cells."""

    # The `__dict__` is for what users and other decorators put there.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_binds_to",
        "_cell",
        "_definition",
        "_function",
        "_is_async",
        "_may_take_owner",
        "_needs_owner",
    )

    def __init__(self, function: Any, discard: Discard, cell: Callable[[], Any] | None) -> None:
        self._function, self._binds_to, self._needs_owner, self._may_take_owner = examine(function)
        self._is_async = is_coroutine_function(self._function)
        made = GILOnceCell(discard=discard) if cell is None else cell()
        self._definition = define(self._function, discard, cell, made)
        self._cell: Any = None if self._needs_owner else made

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs and not self._needs_owner:
            return self._ask(self._cell, self._function)
        # `Cls.m(obj)`; and, from Python 3.13 on, `Cls.m()` with @classmethod above.
        if len(args) == 1 and not kwargs and self._may_take_owner:
            return self._ask_for(args[0])
        name = name_of(self._function)
        if not args and not kwargs:
            raise TypeError(f"{name}() is a method with one value per instance or class: call it on one")
        raise TypeError(
            f"{name}() takes no arguments{' beyond the instance' if self._may_take_owner else ''}, "
            "because @once computes one value: one value per argument is what functools.cache is for"
        )

    @property
    def cell(self) -> GILOnceCell:
        cell: GILOnceCell | None = self._cell
        if cell is None:
            raise AttributeError("cell")  # goes on in `__getattr__`
        return cell

    def _ask_for(self, owner: object) -> Any:
        if not self._is_async:
            value = self._definition.find(owner)
            if value is not EMPTY:
                return value
        return self._ask(self._definition.cell_of(owner), MethodType(self._function, owner))

    def _ask(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> Any:
        if not self._is_async:
            return cell.get_or_init(initializer)
        coroutine: Any = cell.aget_or_init(initializer)
        # So that "was never awaited" says which.
        coroutine.__name__ = coroutine.__qualname__ = name_of(self._function)
        return coroutine

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if self._binds_to == "class":
            return BoundOnce(self, type(instance) if owner is None else owner)
        if self._binds_to == "instance" and instance is not None:
            return BoundOnce(self, instance)
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        if self._binds_to == "class":
            prepare(owner)

    # The disguise. What is not here is looked up in the function; these three, found in
    # the class, would not be.

    __doc__ = _Derived(lambda once: getattr(once._function, "__doc__", None), __doc__)
    __module__ = _Derived(lambda once: getattr(once._function, "__module__", ""))
    __wrapped__ = _Derived(lambda once: once._function)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":
            raise AttributeError("once was not initialized: call once(function)", name=name, obj=self)
        if name == "cell":
            raise AttributeError(
                f"{name_of(self._function)}() has one cell per instance or class, and this is neither: "
                "use obj.m.cell or Cls.m.cell (from Python 3.13 on, a class method has a .cell "
                "only where @once stands above @classmethod)",
                name=name,
                obj=self,
            )
        return getattr(self._function, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return FunctionType if isinstance(self._function, FunctionType) else Once

    def __repr__(self) -> str:
        return f"<once {name_of(self._function)}>"

    def __reduce__(self) -> Any:
        # By name, as functions are pickled: the other process has its own value.
        return self.__qualname__


@in_c
class BoundOnce:
    # What a lookup of a once method gives: a view, made anew each time, as a bound method is.

    __slots__ = ("__func__", "__self__", "__weakref__")

    __doc__ = _Derived(lambda bound: bound.__func__.__doc__)
    __module__ = _Derived(lambda bound: bound.__func__.__module__)

    def __init__(self, function: Once, owner: object) -> None:
        self.__func__ = function
        self.__self__ = owner

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return self.__func__(self.__self__, *args, **kwargs)
        return self.__func__._ask_for(self.__self__)

    @property
    def cell(self) -> Any:
        return self.__func__._definition.cell_of(self.__self__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return MethodType if isinstance(self.__func__._function, FunctionType) else BoundOnce

    def __eq__(self, other: object) -> bool:
        if type(other) is not BoundOnce:
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __repr__(self) -> str:
        return f"<once {name_of(self.__func__)} of {self.__self__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.__self__, self.__func__.__name__)


_ADVICE = (
    "Add '__dict__' to the __slots__ of its class, or use once_property(slot=...) instead of @once. "
    "If it is not meant as an instance: one value per argument is what functools.cache is for"
)


def examine(function: Any) -> tuple[Any, str, bool, bool]:
    """Return what `function` wraps, what that binds to, and whether it needs, or may take, an instance or class.

    Raises TypeError if @once cannot wrap it.
    """
    kind = kind_of_method(function)
    wrapped = function if kind is None else function.__func__
    if not callable(wrapped):
        hint = ": for a lazy attribute use once_property" if isinstance(function, property) else ""
        raise TypeError(f"@once takes a callable, not {function!r} ({type(function).__name__}){hint}")
    if kind is classmethod:
        binds_to = "class"
    elif kind is None and binds(wrapped):
        binds_to = "instance"
    else:
        binds_to = "nothing"
    required = _check(wrapped, owners=0 if binds_to == "nothing" else 1)
    needs_owner = binds_to == "class" or required == 1
    return wrapped, binds_to, needs_owner, needs_owner or (binds_to == "instance" and hides_parameters(wrapped))


def define(function: object, discard: Discard, cell: Callable[[], Any] | None, made: Any) -> Definition:
    """Return what the cells of a method's instances or classes have in common; `made` is one that `cell` made."""
    if cell is None:
        return Definition(function, discard, _ADVICE)
    from ._chosen import definition_of

    return definition_of(function, cell, made, _ADVICE)


def _check(function: object, owners: int) -> int:
    """Return how many parameters `function` requires; raise TypeError if @once cannot wrap it."""
    name = name_of(function)
    if is_generator_function(function):
        raise TypeError(
            f"@once cannot wrap the generator function {name}(): its one value would be an iterator "
            "that the first caller exhausts. Return a list or a tuple instead"
        )
    positional, keyword_only = required_parameters(function)
    if keyword_only or len(positional) > owners:
        raise TypeError(
            f"@once cannot wrap {name}(), which requires {', '.join(map(repr, positional + keyword_only))}: "
            "it computes one value, from no argument but a method's instance or class. "
            "One value per argument is what functools.cache is for"
        )
    return len(positional)
