"""What makes other libraries treat a `once_property` as they treat a `functools.cached_property`.

They ask `isinstance(attribute, functools.cached_property)`, which also looks at `attribute.__class__`, and then use
`attribute.func`. For example, attrs makes a class with `__slots__` in these steps:

1. It takes the `.func` of each `cached_property` in the class body, and removes the property.
2. It adds a slot with the attribute's name.
3. It adds a `__getattr__`, which runs for an empty slot. It calls the `.func`, writes the result to the slot without
   looking whether another thread has written, and returns the result.

Two threads could get two objects in step 3. So our `.func` is a `PublishingFunction`, which publishes the value in that
slot and returns the published one. What attrs writes afterwards is then always the same object.
"""

from __future__ import annotations

import sys
from types import FunctionType, MemberDescriptorType, MethodType

from .disguise import AttributeOfFunctools, Derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any


def is_like_cached_property(prop: Any) -> bool:
    """Return whether a `once_property` keeps its value where a `functools.cached_property` does."""
    # A data descriptor keeps its value elsewhere.
    return prop._method_type is None and not hasattr(type(prop), "__set__")


def class_for_tools(prop: Any) -> type:
    """Return the `__class__` of a `once_property`."""
    cls = type(prop)
    if issubclass(cls, property) or _has_own_setter(cls):
        return cls  # it is known everywhere; and a user's class may make others of itself by `self.__class__(...)`
    if not is_like_cached_property(prop) and not _is_unwrapped_by_pydantic():
        return AttributeOfFunctools
    functools = sys.modules.get("functools")
    found: Any = getattr(functools, "cached_property", None)
    if isinstance(found, type) and (found.__module__ == "functools" or not issubclass(cls, found)):
        return found
    # If no module has imported functools, none can ask whether this is a `cached_property`. Else a program has replaced
    # `functools.cached_property`, say by `once_property`. Then isinstance() needs no answer from us, but pydantic still
    # wants a class of functools.
    return cls if functools is None else AttributeOfFunctools


def _has_own_setter(cls: type) -> bool:
    setter = getattr(cls, "__set__", None)
    return isinstance(setter, FunctionType) and setter.__module__.partition(".")[0] != __name__.partition(".")[0]


def _is_unwrapped_by_pydantic() -> bool:
    """Return whether the running `__class__` was asked for by the module in which pydantic looks for functions.

    For `@computed_field` it wants the return type of the function, and takes the `.func` of a `cached_property`.
    """
    return _module_of(_caller(3)) == "pydantic._internal._decorators"


#: The modules that read every attribute of a class, to find out what there is. pytest does so in `_pytest.compat`.
_READ_ALL = frozenset({"inspect", "pydoc", "unittest.loader", "unittest.mock", "_pytest.compat", "sphinx.util.inspect"})

#: The modules that look at everything in a module. (autodoc and autosummary are packages, which `_is_tool` knows.)
_LOOK_AT_ALL = frozenset({"doctest", "unittest.loader", "sphinx.util.inspect"})

#: The functions of pydoc that do the same. Its others serve `help(P)`, which is about the object behind a proxy.
_LOOK_AT_ALL_IN_PYDOC = frozenset({"docmodule", "docclass"})

#: The modules that such a tool may call to look at an object, or to warn of it; and those of the proxies.
_BETWEEN = frozenset(
    {
        *("abc", "functools", "inspect", "logging", "pydoc", "sphinx.util.logging", "typing"),
        *("wrapt.proxies", "wrapt.wrappers"),
        *(f"{__package__}.{name}" for name in ("proxy", "proxy_methods", "asking_proxy")),
    }
)


def is_read_by_tool() -> bool:
    """Return whether the running `__get__()` was called by code that reads every attribute, whatever it is.

    Such code gets the property of a class that has no value yet, as it gets a `functools.cached_property`.
    """
    return _is_tool(_module_of(_caller(2)), _READ_ALL)


def is_looked_at_by_tool() -> bool:
    """Return whether an untouched lazy global was asked by code that looks at everything in a module."""
    depth = 1
    while (module := _module_of(frame := _caller(depth))) in _BETWEEN:
        if module == "pydoc" and frame.f_code.co_name in _LOOK_AT_ALL_IN_PYDOC:
            return True
        depth += 1
    return _is_tool(module, _LOOK_AT_ALL)


def _caller(depth: int) -> Any:
    """Return the frame so far above the function that calls this, or None.

    Not by `f_back`: without memory for the frame that is None, and leaves the MemoryError set for whatever runs next.
    """
    try:
        return sys._getframe(depth + 1)
    except ValueError:  # pragma: no cover - in threads of `_thread`, which coverage does not see
        return None


def _is_tool(module: str, tools: frozenset[str]) -> bool:
    return module in tools or module.startswith("sphinx.ext.auto")


def _module_of(frame: FrameType | None) -> str:
    """Return the name of the module whose code runs in `frame`, or ""."""
    names = {} if frame is None else frame.f_globals
    name = names.get("__name__")
    if name == "__main__":
        # `python -m pydoc` runs the module pydoc under this name.
        name = getattr(names.get("__spec__"), "name", None)
    return name if type(name) is str else ""


class PublishingFunction:
    """The function of a property. A call computes a value, and publishes it if another library has made a slot for it.

    It looks like the function.

    Parameters:
        prop: the property.
    """

    __slots__ = ("__weakref__", "_property")

    def __init__(self, prop: Any) -> None:
        object.__setattr__(self, "_property", prop)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        prop = self._property
        function = prop._function
        if len(args) != 1 or kwargs or find_slot(args[0], prop.attrname) is None:
            return function(*args, **kwargs)
        cell = prop._definition.cell_in_slot(args[0], lambda instance: find_slot(instance, prop.attrname))
        return cell.get_or_init(MethodType(function, args[0]))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    __doc__ = Derived(lambda func: getattr(func.__wrapped__, "__doc__", None), __doc__)
    __module__ = Derived(lambda func: getattr(func.__wrapped__, "__module__", ""))

    @property
    def __wrapped__(self) -> Any:
        return self._property._function

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return FunctionType if isinstance(self.__wrapped__, FunctionType) else PublishingFunction

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> Any:
        # A copy and a pickle are the function itself. `getitem((function,), 0)` is a way to return any object.
        from operator import getitem

        return getitem, ((self.__wrapped__,), 0)


def find_slot(instance: object, name: str | None) -> Any:
    """Return the descriptor of the slot that is the attribute `name` of `instance`, or None if it is not a slot."""
    for cls in type(instance).__mro__:
        if name is not None and name in cls.__dict__:
            found = cls.__dict__[name]
            return found if type(found) is MemberDescriptorType else None
    return None
