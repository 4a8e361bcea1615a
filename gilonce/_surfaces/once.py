"""`@once`: a callable that computes its value once.

A call asks a cell, and the cell calls the function. A function has one cell. A method has a cell for each instance, and
a class method one for each class.

A callable without required parameters is a function. One with a required parameter is taken for a method: each call
must pass an instance. But a user may decorate `def connect(config)`, where `config` is an argument. So the first call
with an object checks whether the function belongs to that object; see `check_owner`.

The cell is pyo3's `GILOnceCell`. The name is from Rust's `OnceCell`.
"""

from __future__ import annotations

import sys
from types import FunctionType, MethodType

from .._cells.callables import (
    attributes_of,
    binds,
    hides_parameters,
    is_coroutine_function,
    is_generator_function,
    is_outside_classes,
    method_type_of,
    name_of,
    required_parameters,
)
from .._cells.public import hide_annotations, public
from .._cells.racing import EMPTY, GILOnceCell, make_cell
from .._cells.registry import register_later
from .._native import replace_with_native
from .._storage.bound import Definition, is_class
from .._storage.class_values import own_values, prepare
from .disguise import (
    Derived,
    FunctionUnder,
    bound_dir,
    bound_eq,
    bound_hash,
    bound_reduce,
    get_behind,
    instance_check,
    leads_to,
    mro_entries,
    subclass_check,
    surface_dir,
)
from .pickling import class_for_callers, decorated, is_pickled_by_value, is_static_method, slot_for_pickler
from .slots import add_users, check_options, member_for, prepare_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._cells.racing import Discard


@public
def once(
    function: Any = None,
    /,
    *,
    slot: str | None = None,
    discard: Discard = None,
    cell: Callable[[], Any] | None = None,
) -> Any:
    """Make a callable compute its value once, without ever blocking.

    Threads that make the first call at the same time may each run the function. The first to finish publishes its
    value, and every call, in every thread, returns that object.

    The number of values depends on what is decorated:

    * A function has one value per process. So does a static method, and any other callable, such as a class or
      a `functools.partial`.
    * A method has one value per instance. It is stored in the instance's `__dict__`, or in a slot with `slot=`. So
      a copy of the instance has it too.
    * A class method has one value per class. A subclass has its own.

    `@once` may stand above or below `@classmethod` and `@staticmethod`. Every call of an `async def` returns a
    coroutine, and all coroutines give the same value.

    Parameters:
        function: a callable without required parameters, apart from a method's `self`.
        slot: for a method, the name of a slot, declared in `__slots__`. It stores the value instead of the `__dict__`.
        discard: called with a value that lost the race; see `GILOnceCell`.
        cell: a callable that makes the cells which keep the values, instead of `GILOnceCell`: `OnceLock`,
            `functools.partial(OnceLock, timeout=30)`, `ThreadOnceCell`, `LoopOnceCell`, `ProcessOnceCell`, or your own
            (see `Cell`).

    Returns:
        An object that looks like `function`. Its `.cell` is the cell of a function. For a method, `obj.m.cell` is the
        cell of the instance. For a class method, `Cls.m.cell` is the cell of the class. Without `function`, a
        decorator.

    Raises:
        TypeError: at decoration, if `function` is not callable, is a generator function, or has two or more required
            parameters; if `cell` does not make cells, or is given together with `discard`; if there is a `slot`, and
            `function` is not a method or `cell` makes cells that are not final. When the class is created, if `slot`
            names a dataclass or attrs field with a default (before Python 3.12 as the cause of a RuntimeError). At
            a call, if there are arguments besides the instance, if the instance has no `__dict__` and no such slot, if
            another method or property uses the slot, or if the function is not a method of the object it is called
            with.
        BaseException: at a call, if `function` raises. The caller gets the exception unchanged, and the next call tries
            again.

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
    check_options("once", slot, discard, cell)
    if function is None:
        return lambda function: Once(function, discard, cell, slot)
    return Once(function, discard, cell, slot)


@replace_with_native
@hide_annotations
class Once:
    """The object that `once` returns. It looks like the function that it wraps."""

    # The `__dict__` is for attributes that users and other decorators set.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_binds_to",
        "_cell",
        "_definition",
        "_function",
        "_is_async",
        "_is_outside_classes",
        "_may_take_owner",
        "_needs_owner",
        "_slot",
    )

    def __init__(
        self, function: Any, discard: Discard, cell: Callable[[], Any] | None, slot: str | None = None
    ) -> None:
        wrapped, binds_to, needs_owner, may_take_owner, outside_classes = classify_callable(function, slot)
        self._function = wrapped
        self._binds_to: str = binds_to
        self._needs_owner: bool = needs_owner
        self._may_take_owner: bool = may_take_owner
        self._is_outside_classes: bool = outside_classes
        self._is_async = is_coroutine_function(wrapped)
        self._slot = slot
        made = make_cell(wrapped, discard, cell)
        self._definition = define(wrapped, discard, cell, made)
        self._cell: Any = None if needs_owner else made
        if not needs_owner:
            register_later(made)
        attributes = attributes_of(function)
        if attributes is not None:
            self.__dict__.update(attributes)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs and not self._needs_owner:
            return self._ask(self._cell, self._function)
        # `Cls.m(obj)`. From Python 3.13 on, also `Cls.m()` of a method with @classmethod above @once.
        if len(args) == 1 and not kwargs and self._may_take_owner:
            if self._is_outside_classes and not self._is_known_to(args[0]):
                check_owner(self, args[0])
            return self._ask_for(args[0])
        name = name_of(self._function)
        if not args and not kwargs:
            advice = f". {_PER_ARGUMENTS}" if self._is_outside_classes else ""
            if self._slot is not None:
                raise TypeError(
                    f"{name}() keeps its value in the slot {self._slot!r} of an instance: call it on one, "
                    f"obj.{name.rpartition('.')[2]}(){advice}"
                )
            raise TypeError(f"{name}() is a method with one value per instance or class: call it on one{advice}")
        raise TypeError(
            f"{name}() takes no arguments{' beyond the instance' if self._may_take_owner else ''}, "
            f"because @once computes one value. {_PER_ARGUMENTS}"
        )

    def cache_clear(self) -> None:
        """Forget the value, as `functools.cache` does: `.cell.take()`, which calls no `discard`."""
        self.cell.take()

    @property
    def cell(self) -> GILOnceCell:
        cell: GILOnceCell | None = self._cell
        if cell is None:
            raise AttributeError("cell")  # then the interpreter calls `__getattr__`
        return cell

    def _ask_for(self, owner: object) -> Any:
        if not self._is_async and self._slot is None:
            value = self._definition.find(owner)
            if value is not EMPTY:
                return value
        return self._ask(self._cell_of(owner), MethodType(self._function, owner))

    def _cell_of(self, owner: object) -> Any:
        """Return the cell of `owner`, an instance or a class."""
        if self._slot is None:
            return self._definition.cell_of(owner)
        return self._definition.cell_in_slot(owner, self._member_for)

    def _is_known_to(self, owner: object) -> bool:
        """Return whether `owner` stores a value of this method, or its cell. This makes neither."""
        if self._slot is None:
            return self._definition.is_known_to(owner)
        values = own_values(type(owner))
        is_found = values is not None and self._definition.key in values
        return is_found and self._cell_of(owner).is_set()

    def _member_for(self, owner: object) -> Any:
        """Return the descriptor of the slot. The native core calls this, too."""
        if is_class(owner):
            name = name_of(self._function)
            raise TypeError(
                f"{name}() keeps its value in the slot {self._slot!r} of an instance, and {owner.__name__!r} is "
                f"a class: call it on an instance, obj.{name.rpartition('.')[2]}(). For one value per class leave slot "
                "out: @once, then @classmethod"
            )
        return member_for(self, owner)

    # `slots.py` calls these two. The method may be under another decorator.

    def _home_in(self, cls: type) -> type | None:
        for leads in (_is, leads_to):
            for base in cls.__mro__:
                # A copy, because another thread may set an attribute of the class meanwhile.
                for entry in base.__dict__.copy().values():
                    if leads(entry, self):
                        return base
        return None

    def _is_attribute_of(self, home: type, name: str) -> bool:
        return leads_to(home.__dict__.get(name), self)

    def _ask(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> Any:
        if not self._is_async:
            return cell.get_or_init(initializer)
        coroutine: Any = cell.aget_or_init(initializer)
        # The warning that a coroutine "was never awaited" shows this name.
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
        elif self._slot is not None:
            prepare_class(self, owner)

    # `__getattr__` looks up in the function what this class lacks. No class lacks these three, so they need an entry.

    __doc__ = Derived(lambda once: getattr(once._function, "__doc__", None), __doc__)
    __module__ = Derived(lambda once: getattr(once._function, "__module__", ""))
    __wrapped__ = Derived(lambda once: once._function)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":
            raise AttributeError("once was not initialized: call once(function)", name=name, obj=self)
        if name == "cell":
            raise AttributeError(
                f"{name_of(self._function)}() has one cell per instance or class, and this is neither: "
                "use obj.m.cell or Cls.m.cell. From Python 3.13 on, a class method has a .cell "
                "only if @once stands above @classmethod",
                name=name,
                obj=self,
            )
        if name == "__func__" and (self._binds_to == "class" or is_static_method(self)):
            return FunctionUnder.of(self)
        return get_behind(self, self._function, name, ".cell")

    __dir__ = surface_dir

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return class_for_callers(self)

    __instancecheck__ = instance_check
    __subclasscheck__ = subclass_check
    __mro_entries__ = mro_entries

    def __repr__(self) -> str:
        return f"<once {name_of(self._function)}>"

    def __reduce__(self) -> Any:
        # The process that reads the pickle has a value of its own.
        if is_pickled_by_value(self):
            arguments = decorated(self), *self._definition.options, slot_for_pickler(self._slot)
            return once_with, arguments, self.__dict__ or None
        return self.__qualname__


add_users("once", lambda cls: issubclass(cls, Once))


@replace_with_native
@hide_annotations
class BoundOnce:
    # The result of `obj.m` and `Cls.m`. Like a bound method, it is made anew at each lookup.

    __slots__ = ("__func__", "__self__", "__weakref__")

    __doc__ = Derived(lambda bound: bound.__func__.__doc__)
    __module__ = Derived(lambda bound: bound.__func__.__module__)

    def __init__(self, function: Once, owner: object) -> None:
        self.__func__ = function
        self.__self__ = owner

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return self.__func__(self.__self__, *args, **kwargs)
        return self.__func__._ask_for(self.__self__)

    def cache_clear(self) -> None:
        """Forget the value of this instance or class: `.cell.take()`, which calls no `discard`."""
        self.cell.take()

    @property
    def cell(self) -> Any:
        return self.__func__._cell_of(self.__self__)

    def __getattr__(self, name: str) -> Any:
        return get_behind(self, self.__func__, name, ".cell")

    __dir__ = bound_dir
    __eq__ = bound_eq
    __hash__ = bound_hash
    __reduce__ = bound_reduce

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return MethodType if isinstance(self.__func__._function, FunctionType) else BoundOnce

    def __repr__(self) -> str:
        return f"<once {name_of(self.__func__)} of {self.__self__!r}>"


_PER_ARGUMENTS = "For one value per argument use @once_per_args"

_NO_INSTANCE = f". If it is not meant as an instance: {_PER_ARGUMENTS[0].lower()}{_PER_ARGUMENTS[1:]}"

_ADVICE = (
    "Declare a slot for it in the __slots__ of {owner_of_slots}, and name that: @once(slot='_name'). "
    f"Or add '__dict__' there{_NO_INSTANCE}"
)

#: The same for a user's cell, which each instance stores in its `__dict__`, with `slot=` too.
_ADVICE_FOR_CELL = f"Add '__dict__' to the __slots__ of {{owner_of_slots}}{_NO_INSTANCE}"


def check_owner(once: Once, owner: object) -> None:
    """Raise TypeError if the function of `once` does not belong to `owner`, which then was meant as an argument.

    The function is defined outside classes. It belongs to `owner`, an instance or class, if a class of `owner` has it
    as an attribute, if `owner` has a value already, or if the call came through a bound method.
    """
    definition = once._definition
    # The native core calls this when it finds no value in `owner`. With `cell=` that is every call, because the value
    # is in the cell. Without `cell=` it is only the first call, and then the classes are searched first: `is_known_to`
    # reads the `__dict__`, after which an instance takes more memory and, on 3.11, attribute reads are slower.
    is_known = not definition.races and once._is_known_to(owner)
    if is_known or _belongs_to(once, owner) or once._is_known_to(owner) or _is_called_bound(once, owner):
        return
    name = name_of(once._function)
    cls = owner if is_class(owner) else type(owner)
    raise TypeError(
        f"{name}() takes no arguments, because @once computes one value, and it is not a method of "
        f"{cls.__name__!r}. {_PER_ARGUMENTS}. If it is a method there, under a decorator that hides it, "
        f"use functools.wraps in that decorator, or call {name}.__get__(obj)()"
    )


def _belongs_to(once: Once, owner: object) -> bool:
    """Return whether a class of `owner` has an attribute that is `once` or leads to it; see `leads_to`."""
    classes = type(owner).__mro__ + (owner.__mro__ if is_class(owner) else ())
    # Copies, because another thread may set an attribute of the class meanwhile.
    entries = [entry for cls in classes for entry in cls.__dict__.copy().values()]
    return any(entry is once for entry in entries) or any(leads_to(entry, once) for entry in entries)


def _is(entry: object, once: Once) -> bool:
    return entry is once


def _is_called_bound(once: Once, owner: object) -> bool:
    """Return whether the running call of `once` came through a bound method of `owner`.

    `MethodType(once, owner)()` calls `once(owner)`, as a call with an argument does. Two things tell them apart. If the
    bytecode of the caller is a plain call, it says that no argument was passed. For a call such as `f(*args)`, and for
    a caller written in C, a bound method of `owner` exists while the call runs.
    """
    from gc import get_referrers
    from opcode import opname

    frame = sys._getframe(1)
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    code, at = frame.f_code.co_code, frame.f_lasti
    if opname[code[at]] in ("CALL", "CALL_FUNCTION", "CALL_METHOD") and code[at + 1] == 0:
        return True
    return any(
        type(method) is MethodType and method.__func__ is once and method.__self__ is owner
        for method in get_referrers(once)
    )


def classify_callable(function: Any, slot: str | None = None) -> tuple[Any, str, bool, bool, bool]:
    """Return what @once must know about `function`. Raise TypeError if it cannot wrap it.

    Parameters:
        function: what is decorated.
        slot: the argument of `slot=`.

    Returns:
        the callable itself; what it binds to ("instance", "class" or "nothing"); whether a call needs an instance or
        class; whether a call may bring one; whether a call may and the function is defined outside classes.
    """
    method_type = method_type_of(function)
    wrapped = function if method_type is None else function.__func__
    if not callable(wrapped):
        hint = ": for a lazy attribute use once_property" if isinstance(function, property) else ""
        raise TypeError(f"@once takes a callable, not {function!r} ({type(function).__name__}){hint}")
    if method_type is classmethod:
        binds_to = "class"
    elif method_type is None and binds(wrapped):
        binds_to = "instance"
    else:
        binds_to = "nothing"
    required = _check(wrapped, owners=0 if binds_to == "nothing" else 1)
    needs_owner = binds_to == "class" or required == 1
    may_take_owner = needs_owner or (binds_to == "instance" and hides_parameters(wrapped))
    if slot is not None:
        if binds_to != "instance" or not may_take_owner:
            raise TypeError(
                f"@once(slot={slot!r}) cannot wrap {_described(function, wrapped)}: a slot belongs to an instance, and "
                "this value does not. Leave slot out"
            )
        needs_owner = True
    return wrapped, binds_to, needs_owner, may_take_owner, may_take_owner and is_outside_classes(wrapped)


def _described(function: object, wrapped: Any) -> str:
    """Return what was decorated, for a message: "the class method C.m()"."""
    name = f"{name_of(wrapped)}()"
    if function is not wrapped:
        return f"the {'class' if method_type_of(function) is classmethod else 'static'} method {name}"
    if isinstance(wrapped, type):
        return f"the class {name[:-2]}"
    return f"{name}, which requires no instance"


def define(function: object, discard: Discard, cell: Callable[[], Any] | None, made: Any) -> Definition:
    """Return the `Definition` of a method: what the cells of its owners have in common.

    `made` is a cell that `cell` has made.
    """
    if cell is None:
        return Definition(function, discard, _ADVICE)
    from .._storage.cell_option import CellPerOwnerDefinition, definition_of

    definition = definition_of(function, cell, made, _ADVICE)
    if isinstance(definition, CellPerOwnerDefinition):
        definition.advice = _ADVICE_FOR_CELL
    definition.options = None, cell
    return definition


def once_with(function: Any, discard: Discard, cell: Callable[[], Any] | None, slot: str | None = None) -> Any:
    """Return `function`, decorated with these options. A pickle by value refers to this by its name."""
    return once(function, discard=discard, cell=cell, slot=slot)


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
            f"it computes one value, and passes nothing but a method's instance or class. {_PER_ARGUMENTS}"
        )
    return len(positional)
