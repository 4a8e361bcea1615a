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
    from typing import Any


def is_like_cached_property(prop: Any) -> bool:
    """Return whether a `once_property` keeps its value where a `functools.cached_property` does."""
    # A data descriptor keeps its value elsewhere.
    return prop._method_type is None and not hasattr(type(prop), "__set__")


def class_for_tools(prop: Any) -> type:
    """Return the `__class__` of a `once_property`."""
    cls = type(prop)
    if issubclass(cls, property):
        return cls  # it is known everywhere
    if not is_like_cached_property(prop):
        return AttributeOfFunctools
    functools = sys.modules.get("functools")
    found: Any = getattr(functools, "cached_property", None)
    if isinstance(found, type) and (found.__module__ == "functools" or not issubclass(cls, found)):
        return found
    # If no module has imported functools, none can ask whether this is a `cached_property`. Else a program has replaced
    # `functools.cached_property`, say by `once_property`. Then isinstance() needs no answer from us, but pydantic still
    # wants a class of functools.
    return cls if functools is None else AttributeOfFunctools


#: The modules that read every attribute of a class, to find out what there is. pytest does so in `_pytest.compat`.
_READ_ALL = frozenset({"inspect", "pydoc", "unittest.loader", "unittest.mock", "_pytest.compat"})


def is_read_by_tool() -> bool:
    """Return whether the running `__get__()` was called by code that reads every attribute, whatever it is.

    Such code gets the property of a class that has no value yet, as it gets a `functools.cached_property`.
    """
    caller = sys._getframe(1).f_back
    return caller is not None and caller.f_globals.get("__name__") in _READ_ALL


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
