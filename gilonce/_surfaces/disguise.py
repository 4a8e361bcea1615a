"""What a surface needs to look like its function, to say where its cell is, and to be found under other decorators."""

from __future__ import annotations

from types import FunctionType, MethodType

from .._cells.callables import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Derived:
    """An attribute that is computed from its object until another value is assigned. So it is not a data descriptor."""

    def __init__(self, derive: Callable[[Any], Any], of_class: Any = None) -> None:
        self._derive = derive
        self._of_class = of_class

    def __get__(self, instance: Any, owner: type) -> Any:
        return self._of_class if instance is None else self._derive(instance)


#: What users may look for on a function, and what to write after the code of its cell.
ON_CELL = {
    "aget_or_init": "aget_or_init(f)",
    "clear": "take()",
    "get": "get()",
    "get_or_init": "get_or_init(f)",
    "is_set": "is_set()",
    "override": "override(value)",
    "reset": "take()",
    "set": "set(value)",
    "take": "take()",
}


def get_behind(surface: Any, behind: Any, name: str, cell: str) -> Any:
    """Return the attribute of `behind`, for which `surface` stands.

    If there is none and users find it on the cell, the error says so. `cell` is the code for that.
    """
    try:
        return getattr(behind, name)
    except AttributeError:
        if name not in ON_CELL:
            raise
    shown = shown_in_code(surface)
    raise AttributeError(f"{shown} has no {name!r}: write {shown}{cell}.{ON_CELL[name]}", name=name, obj=surface)


def shown_in_code(surface: Any) -> str:
    """Return the code that finds `surface`: the name of a function, `obj.method`, or `Class.method`."""
    name = name_of(surface)
    if not hasattr(type(surface), "__self__"):
        return name
    owner = surface.__self__
    return f"{owner.__name__ if issubclass(type(owner), type) else 'obj'}.{name.rpartition('.')[2]}"


def leads_to(entry: object, surface: object) -> bool:
    """Return whether `entry` is `surface`, or a descriptor or decorated function over it.

    No `__getattr__` runs, and no lazy object of wrapt, lazy-object-proxy or gilonce computes its value.
    """
    found = [entry]
    # The number of steps is limited, because `__wrapped__` may lead in a circle.
    for entry in found:
        if entry is surface:
            return True
        if len(found) > 100 or any(hasattr(type(entry), name) for name in ("__wrapped_factory__", "__factory__")):
            continue
        if type(entry) is FunctionType:
            # This is faster than the exceptions below. The Python implementation of `once_per_args` may return a plain
            # function, which has the surface as `_gilonce`.
            attributes = entry.__dict__
            found.extend([attributes[name] for name in ("__wrapped__", "_gilonce") if name in attributes])
            continue
        for name in ("fget", "func", "__func__", "__wrapped__"):
            try:
                found.append(object.__getattribute__(entry, name))
            except Exception:  # noqa: BLE001 - a user's property may raise anything
                continue
    return False


def surface_dir(surface: Any) -> list[str]:
    """Return `dir(surface)`. `object.__dir__` would show the attributes of `__class__`."""
    return sorted({*dir(type(surface)), *dir(surface._function), *surface.__dict__})


# Each lookup makes a new bound method, which is equal to every other one of the same method and owner. These four are
# special methods of each class of bound methods.


def bound_dir(bound: Any) -> list[str]:
    """Return `dir(bound)`."""
    return sorted({*dir(type(bound)), *dir(bound.__func__)})


def bound_eq(bound: Any, other: Any) -> Any:
    """Return whether both are the same method of the same owner, which is compared by identity."""
    if type(other) is not type(bound):
        return NotImplemented
    return bound.__self__ is other.__self__ and bound.__func__ is other.__func__


def bound_hash(bound: Any) -> int:
    """Return a hash that needs no hash of the owner."""
    return hash((id(bound.__self__), bound.__func__))


def bound_reduce(bound: Any) -> tuple[Any, ...]:
    """Return how a pickle finds the method again: in its owner, by name."""
    return getattr, (bound.__self__, bound.__func__.__name__)


# For `isinstance`, `issubclass` and `class Sub(Cls)`, a decorated class is the class itself. These three are special
# methods of each surface that can decorate a class.


def instance_check(surface: Any, instance: object) -> bool:
    """Return `isinstance(instance, surface)`."""
    return isinstance(instance, surface._function)


def subclass_check(surface: Any, cls: Any) -> bool:
    """Return `issubclass(cls, surface)`, where `cls` may be decorated too."""
    is_decorated = getattr(type(cls), "__mro_entries__", None) is mro_entries
    return issubclass(cls._function if is_decorated else cls, surface._function)


def mro_entries(surface: Any, bases: object) -> tuple[Any, ...]:  # noqa: ARG001 - the interpreter passes it
    """Return the bases that replace `surface` in a class statement."""
    if isinstance(surface._function, type):
        return (surface._function,)
    raise TypeError(f"{name_of(surface._function)}() is not a class, so no class can be derived from it")


class AttributeOfFunctools:
    """The `__class__` of an attribute that is neither a function nor like a `functools.cached_property`.

    In the body of a model, pydantic leaves alone what has a class of functools, such as the result of
    `functools.cache`. Anything else without an annotation is an error there.
    """


AttributeOfFunctools.__module__ = "functools"


class FunctionUnder:
    """The `__func__` of what stands above `@classmethod` or `@staticmethod`, and so looks like one.

    Like a function it takes attributes: beartype sets one.

    beartype takes the `__func__` of a class method, wraps it, and makes a new class method of the result. A call of
    this function returns the same value as a call of the method. It looks like the function that was decorated.

    Parameters:
        once: what stands above.
    """

    __doc__ = Derived(lambda func: func.__wrapped__.__doc__, __doc__)
    __module__ = Derived(lambda func: func.__wrapped__.__module__, __name__)

    def __init__(self, once: Any) -> None:
        self.__wrapped__ = once

    @staticmethod
    def of(once: Any) -> Any:
        """Return the one function under `once`. It is kept, because doctest remembers what it has seen by the `id`."""
        definition = once._definition
        if definition.func is None:
            definition.func = FunctionUnder(once)
        return definition.func

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return FunctionType
