"""What makes calls of the Python implementation of `once_per_args` fast: functions that are generated.

A call that is warm should find its value in a table's `front` (see `keyed`) by the arguments as they are given, before
it makes a key, a cell or an initializer. So `Binding.generate_call` generates a function for the decorated function:

* A function outside a class is replaced by the generated function.
* Any other callable, for example a static method, an `async def` or a class, is an object. The interpreter looks
  up `__call__` in the type of an object. There it finds the descriptor of a slot, in which each object has its own
  generated function.
* The bound methods of one function have a class of their own, whose `__call__` is generated.
"""

from __future__ import annotations

from types import MethodType

from .._cells.callables import name_of
from .._storage.class_values import CLASS_VALUES
from .._storage.keyed import Table
from .binding import is_called_as_shown
from .once_per_args import BoundOncePerArgs, OncePerArgs, _doc, _module
from .pickling import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

# How to find the `front` of an owner's table. The Python code that does the same is in `keyed.py` and `bound.py`. A
# copy of an instance has the original's table in its `__dict__`, and a class may have inherited that of its base class.
_IN_INSTANCE = "{found}.front if ({found} := {owner}.__dict__[{name}]).owner() is {owner} else {nothing}"
_IN_CLASS = "{found}[{name}].front if ({found} := {owner}.__dict__[{attribute}]).owner() is {owner} else {nothing}"

_new: Any = object.__new__


class Generated(OncePerArgs):
    # The object that `once_per_args` makes in Python. Where a plain function can replace it, the user gets that.

    __slots__ = ("_bound_class", "_generated", "_replacement")

    _generated: Any

    __doc__ = _doc
    __module__ = _module

    def __new__(cls, *_: object) -> Generated:
        new = super().__new__(cls)
        new._call_slowly()
        return new

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._bound_class: Any = BoundOncePerArgs
        self._replacement: Any = None
        if self._is_replaceable():
            self._generated = _generate(self, False)
            self._replacement = _replace(self)
        elif type(self._table) is Table:
            # A table of cells that are not final has no `front`. Generating takes longer than all else here, so the
            # first call does it.
            # Under another decorator in a class, the first argument may be an owner, which `key=` must not get.
            if self._takes_owner is False or (self._takes_owner is None and self._key_function is None):
                # Not that of a builtin: if a program has replaced `builtins.len` by then, generating would call it.
                is_builtin = getattr(self._function, "__module__", None) == "builtins"
                self._generated = _generate(self, False) if is_builtin else self._generate_and_call
            if self._takes_owner is not False:
                self._bound_class = _class_of_bound(self)

    def _generate_and_call(self, /, *args: Any, **kwargs: Any) -> Any:
        self._generated = generated = _generate(self, False)
        return generated(*args, **kwargs)

    def _call_slowly(self) -> None:
        """Make calls without the generated function, which would take an owner for an argument."""
        self._generated = MethodType(OncePerArgs.__call__, self)

    def _public(self) -> Any:
        """Return what the user gets: the plain function that replaces this, or this."""
        return self._replacement or self

    def _is_replaceable(self) -> bool:
        return (
            is_called_as_shown(self._function)
            and self._takes_owner is False
            and self._binds_to == "instance"
            and not self._is_async
            and self._key_function is None
            and type(self._table) is Table
        )

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None or self._binds_to != "instance":
            if self._binds_to != "class":
                return self
            instance = type(instance) if owner is None else owner
        # Faster than calling the class.
        bound = _new(self._bound_class)
        bound.__func__ = self
        bound.__self__ = instance
        return bound

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        if self._binds_to == "instance":
            self._call_slowly()

    def _check_pickled_by_value(self) -> None:
        if self._replacement is not None:
            refuse(self)


# The interpreter's messages show the name.
Generated.__name__ = OncePerArgs.__name__
# Assigned now, because in the class body the slot's descriptor does not exist yet.
Generated.__call__ = Generated.__dict__["_generated"]  # type: ignore[method-assign]


def _class_of_bound(once: Generated) -> Any:
    """Return a class for the bound methods of `once`."""

    def generate_and_call(bound: Any, /, *args: Any, **kwargs: Any) -> Any:
        cls.__call__ = _generate(once, True)
        return cls.__call__(bound, *args, **kwargs)

    body = {"__slots__": (), "__call__": generate_and_call, "__doc__": _doc, "__module__": _module}
    cls: Any = type("BoundOncePerArgs", (BoundOncePerArgs,), body)
    return cls


def _generate(once: Generated, is_bound: bool) -> Any:
    """Return the function that serves the calls of `once`, or of its bound methods."""
    keys = once._owned_keys if is_bound else once._keys
    names: dict[str, Any] = {"make": keys.make}

    def ask(key: Hashable, /, *args: Any, **kwargs: Any) -> Any:
        if is_bound:
            return once._ask_key(once._definition.table_of(args[0]), keys, key, args, kwargs)
        if once._has_owner(args):
            if once._replacement is not None:
                # `obj.m.cell` is the attribute of a plain function, which does not know of `obj`.
                once._owned_keys.lost_owner = "instance", "put @once_per_args on a function in the body of the class"
            return once._ask_for(args[0], args, kwargs)
        return once._ask_key(once._table, keys, key, args, kwargs)

    if once._is_async:
        names["give"] = _make_give(once, ask)
    find_front = make_key = ""
    if not is_bound:
        names["front"] = once._table.front
    else:
        names.update(name=once._definition.key, attribute=CLASS_VALUES)
        find_front = _IN_CLASS if once._binds_to == "class" else _IN_INSTANCE
    has_key = once._key_function is not None
    if has_key or not keys.binding.is_respelled_safely:
        first = "{owner}, " if is_bound and not has_key else ""
        # A call without `**` is faster.
        make_key = f"{{make}}({first}*{{args}}, **{{kwargs}}) if {{kwargs}} else {{make}}({first}*{{args}})"
    return keys.binding.generate_call(find_front, make_key, is_async=once._is_async, ask=ask, **names)


def _make_give(once: Generated, ask: Callable[..., Any]) -> Callable[..., Any]:
    async def give(values: dict[str, tuple[Any]], key: Hashable, /, *args: Any, **kwargs: Any) -> Any:
        held = values.get("value")
        # The cell may have been emptied since the call.
        return await ask(key, *args, **kwargs) if held is None else held[0]

    # The warning that a coroutine "was never awaited" shows this name.
    give.__name__ = give.__qualname__ = name_of(once._function)
    return give


def _replace(once: Generated) -> Any:
    """Return a plain function that replaces `once`, because calling it is faster."""
    from functools import update_wrapper

    wrapper: Any = update_wrapper(once._generated, once._function)
    wrapper._gilonce = once
    for name in ("cell", "take_all", "cache_clear"):
        setattr(wrapper, name, getattr(once, name))
    return wrapper
