"""`cell_of`: the cell behind an attribute of an instance, a class or a module.

The cell is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from .._cells.callables import name_of
from .._cells.public import public
from .._storage.bound import is_class
from .disguise import FunctionUnder
from .once import BoundOnce, Once
from .once_property import once_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _explain_misuse(function: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Let `cell_of` raise an error that says what to write instead, if it does not get an owner and a name."""

    def cell_of(*arguments: Any, **named: Any) -> Any:
        if named or len(arguments) != 2:
            raise TypeError(_advice(*arguments, **named))
        return function(*arguments)

    # `help()` and `inspect.signature` show the signature of the function behind `__wrapped__`.
    cell_of.__wrapped__ = function  # type: ignore[attr-defined]
    cell_of.__doc__ = function.__doc__
    cell_of.__qualname__ = function.__qualname__
    return public(cell_of)


@_explain_misuse
@public
def cell_of(owner: Any, name: str, /) -> Any:
    """Return the cell behind an attribute, for attributes that are values and so have no `.cell`.

    Parameters:
        owner: an instance, for a `once_property` or a once method; a class, for an attribute with one value per
            class or one value for all; a module, for a `lazy_global` (used before or not) or a once function.
        name: the name of the attribute.

    Returns:
        The cell, with `get`, `set`, `take`, `override` and the other methods of `GILOnceCell`. A change to the cell of
        a lazy global also reaches its proxy, and the modules in which the object has replaced the name.

    Raises:
        TypeError: if the attribute has no cell. The message says what was found.

    >>> from gilonce import once_property
    >>> class Page:
    ...     @once_property
    ...     def words(self):
    ...         return ["lazy", "but", "only", "once"]
    >>> page = Page()
    >>> with cell_of(page, "words").override(["fake"]):
    ...     page.words
    ['fake']
    >>> page.words
    ['lazy', 'but', 'only', 'once']
    """
    if not isinstance(name, str):
        raise TypeError(
            f"cell_of(owner, name) takes the name of an attribute as a str, not {name!r}: "
            "write it in quotes, as in cell_of(page, 'words')"
        )
    proxies = sys.modules.get(f"{__package__}.global_cell")
    if proxies is not None and proxies.is_lazy(owner):
        # The caller means an attribute of the object behind the proxy.
        owner = owner.__wrapped__
    if type(owner) is str:
        raise TypeError(f"cell_of() takes the owner, not its name: write cell_of(sys.modules[{owner!r}], {name!r})")
    if type(owner) is dict and type(owner.get("__name__")) is str:
        module = owner["__name__"]
        raise TypeError(f"cell_of() takes the module, not its dict: write cell_of(sys.modules[{module!r}], {name!r})")
    if issubclass(type(owner), ModuleType):
        shown = f"{owner.__name__}.{name}"
        found = vars(owner).get(name, _NOTHING)
        cell = None if proxies is None else proxies.cell_of_name(owner, name)
    else:
        is_instance = not is_class(owner)
        cls = type(owner) if is_instance else owner
        shown = f"{cls.__qualname__}{'()' if is_instance else ''}.{name}"
        found = _find(cls, name)
        if found is _NOTHING and not is_instance:
            # A class is an instance of its metaclass.
            found = _find(type(owner), name)
            is_instance = found is not _NOTHING
        if found is _NOTHING:
            found = getattr(owner, "__dict__", {}).get(name, _NOTHING)
        cell = _cell_in_class(found, owner, is_instance, shown)
    if cell is None:
        cell = _cell_of_object(found, proxies)
    if cell is None:
        raise _error(shown, found, _hint(owner, name, found, proxies))
    return cell


def _advice(*arguments: Any, **named: Any) -> str:
    """Return what is wrong with the arguments of `cell_of`, and what to write instead."""
    if len(arguments) == 1 and not named:
        (it,) = arguments
        code = code_of_cell(it)
        if code is not None:
            return f"cell_of() takes an owner and a name. For this object, write {code}"
        if type(it) is str:
            return f"cell_of() takes the owner before the name: write cell_of(owner, {it!r})"
    return (
        "cell_of() takes two arguments by position, the owner of an attribute and the attribute's name: "
        f"write cell_of(obj, 'attribute'), or for a lazy_global {_OF_GLOBAL}"
    )


_OF_GLOBAL = "cell_of(sys.modules['its.module'], 'ITS_NAME')"


def code_of_cell(it: object) -> str | None:
    """Return the code that finds the cell of `it`, for messages. None: `it` has no cell."""
    from .once_per_args import BoundOncePerArgs

    proxies = sys.modules.get(f"{__package__}.global_cell")
    if proxies is not None and proxies.is_lazy(it):
        return _OF_GLOBAL
    kind = type(it)
    if issubclass(kind, Once):
        return f"{name_of(it)}.cell"
    if issubclass(kind, BoundOnce):
        return f"obj.{name_of(it).rpartition('.')[2]}.cell"
    if issubclass(kind, BoundOncePerArgs):
        return f"obj.{name_of(it).rpartition('.')[2]}.cell(...) with the arguments"
    return f"{name_of(it)}.cell(...) with the arguments" if _is_once_per_args(it) else None


def cell_of_registered(it: Any) -> Any:
    """Return the cell of a registered object, which is a cell itself or a lazy proxy."""
    proxies = sys.modules.get(f"{__package__}.global_cell")
    return proxies.cell_of_proxy(it) if proxies is not None and proxies.is_lazy(it) else it


class _Nothing:
    """The type of `_NOTHING`, which stands for an attribute that does not exist."""


_NOTHING = _Nothing()


def _find(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return _NOTHING


# The functions below check `type(found)`, and do not use `isinstance`: a once function claims to be a plain function,
# and asking a lazy proxy for its class would touch it.


def _cell_in_class(found: Any, owner: Any, is_instance: bool, shown: str) -> Any:
    """Return the cell of a descriptor that was found in a class; None if it is something else.

    `owner` is an instance of that class, or the class itself or one that derives from it.
    """
    kind = type(found)
    cls = type(owner) if is_instance else owner
    if issubclass(kind, once_property):
        cell = found._cell_for(cls)
        if cell is None and is_instance:
            cell = found._cell_of(owner)
    else:
        once = _once_under(found)
        if once is None:
            return None
        if kind is classmethod:
            cell = once._definition.cell_of(cls)
        elif kind is staticmethod:
            return getattr(once, "cell", None)
        else:
            bound = once.__get__(owner if is_instance else None, cls)
            cell = getattr(bound, "cell", None)
    if cell is None:
        raise TypeError(f"{shown} has one value per instance: use cell_of(instance, {shown.rpartition('.')[2]!r})")
    return cell


def _once_under(found: Any) -> Any:
    """Return the once function that `found` is or wraps, as a decorator above it does, or None."""
    # The number of steps is limited, because `__wrapped__` may lead in a circle.
    for _ in range(100):
        kind = type(found)
        if issubclass(kind, Once):
            return found
        if kind is classmethod or kind is staticmethod:
            found = found.__func__
        elif kind is property:
            found = found.fget
        elif kind is FunctionType:
            found = found.__dict__.get("__wrapped__")
        elif kind is FunctionUnder:
            found = found.__wrapped__
        else:
            break
    return None


def _cell_of_object(found: Any, proxies: Any) -> Any:
    """Return the cell of a lazy proxy, a once function or a bound once method. For any other object, return None."""
    if proxies is not None and proxies.is_lazy(found):
        return proxies.cell_of_proxy(found)
    return getattr(found if type(found) is BoundOnce else _once_under(found), "cell", None)


def _is_once_per_args(found: Any) -> bool:
    from .once_per_args import OncePerArgs

    # The Python implementation may return a plain function; see `once_per_args._function_for`.
    once = vars(found).get("_gilonce") if type(found) is FunctionType else found
    return issubclass(type(once), OncePerArgs)


def _hint(owner: Any, name: str, found: object, proxies: Any) -> str:
    """Return where the cell is that the caller probably means, for the message that there is none here."""
    code = code_of_cell(owner)
    if code is not None and name == "cell":
        return f". The cell of this object is {code}"
    place = None if proxies is None else proxies.place_of(name, found)
    if place is None or not issubclass(type(owner), ModuleType):
        return ""
    module, name = place
    return (
        f". If this was imported from {module!r} after the first use there, "
        f"write cell_of(sys.modules[{module!r}], {name!r})"
    )


def _error(shown: str, found: object, hint: str) -> TypeError:
    kind = type(found)
    if _is_once_per_args(found):
        return TypeError(f"{shown} has a cell for each set of arguments: use {shown}.cell(...) with the arguments")
    if kind is _Nothing:
        return TypeError(f"there is no {shown}, so it has no cell{hint}")
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return TypeError(
        f"{shown} has no cell, because it is of type {name!r}. "
        f"There is a cell behind a once_property, a lazy_global, and what @once decorates{hint}"
    )
