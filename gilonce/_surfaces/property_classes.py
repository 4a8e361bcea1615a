"""The classes that properties have: made over C or Python, derived for each of the five cases, or by a user.

`property_cases.py` has the five cases as plain classes in Python, and `once_property` is a plain class that derives
from `DictProperty`. Three things happen to them here.

1. *Over C.* The native core replaces the first two classes, so that reads are fast. `_over_c` makes the other classes
   again with a base in C. There are then two complete sets, and each class finds its own set as `cls._classes`:

       in Python                                  over C
       DictProperty                               DictProperty (in C)
         SlotOrAsyncProperty                        SlotOrAsyncProperty (in C)
         AskingProperty                             AskingProperty
         ClassProperty                              ClassProperty
         StaticProperty                             StaticProperty
         once_property                              once_property: the public one

   Both are needed. A property in C has fields, and the interpreter cannot make a class from two bases with fields. So
   in `class Both(once_property, property)`, `PropertyType` uses the `once_property` in Python instead. It is registered
   with the public one as with an abstract class, so `issubclass(Both, once_property)` is true.

2. *Derived.* `class_for` returns the class for what is decorated. A plain function needs only `once_property` (or the
   user's subclass). For the other four cases it derives a class from that and from one of the five:

   >>> from gilonce import once_property
   >>> class Circle:
   ...     @once_property
   ...     def area(self): ...
   ...     @once_property
   ...     @classmethod
   ...     def unit(cls): ...
   >>> [cls.__name__ for cls in type(vars(Circle)["area"]).__mro__]
   ['once_property', 'DictProperty', 'object']
   >>> [cls.__name__ for cls in type(vars(Circle)["unit"]).__mro__]
   ['once_property', 'once_property', 'ClassProperty', 'DictProperty', 'object']

   The user's class comes first, so its methods override ours.

3. *Called.* `PropertyType.__call__` makes `once_property(slot="_x")` a decorator.
"""

from __future__ import annotations

from abc import ABCMeta
from types import MethodType

from .._cells.callables import is_coroutine_function, method_type_of
from .._cells.public import public
from .._native import replace_with_native
from .property_cases import DictProperty
from .slots import add_users, check_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from inspect import Signature
    from typing import Any, TypeVar

    Public = TypeVar("Public", bound=type)


@replace_with_native
def keep_get(cls: type[DictProperty]) -> None:
    """Do nothing. In C, make an inherited `__get__` of `cls` as fast as the base's."""


def _with_base(cls: Any, base: type) -> Any:
    """Return a class that is written like `cls` and has another base."""
    namespace = {name: entry for name, entry in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    return type(cls)(cls.__name__, (base,), namespace)


def _make_classes_over_c() -> tuple[type[DictProperty], ...]:
    """Return the five classes over a base in C, or those in Python if the core is not used."""
    dict_property = replace_with_native(DictProperty)
    if dict_property is DictProperty:
        return DictProperty._classes
    slot_property, *others = (_with_base(cls, dict_property) for cls in DictProperty._classes[1:])
    dict_property._classes = (dict_property, replace_with_native(slot_property), *others)
    dict_property._is_in_c = True
    return dict_property._classes


_classes_over_c = _make_classes_over_c()


def over_c(cls: Public) -> Public:
    """Return a class like `once_property` that derives from the `DictProperty` in C, if there is one."""
    base = _classes_over_c[0]
    if base in cls.__mro__:
        return cls
    made: Any = _with_base(cls, base)
    made._in_python = public(cls)  # its name, too, is shown in `help()`
    made.register(cls)
    replaced: Public = made
    return replaced


def _has_fields(cls: type) -> bool:
    """Return whether instances of `cls` have fields, besides a `__dict__` and weak references."""
    optional = sum(tuple.__itemsize__ for offset in (cls.__dictoffset__, cls.__weakrefoffset__) if offset > 0)
    return cls.__basicsize__ - optional > object.__basicsize__


class PropertyType(ABCMeta):
    """The metaclass of `once_property`.

    It decides what `class X(once_property)` and `once_property(...)` do. It derives from ABCMeta so that a class can
    derive from `once_property` and from an abstract class.
    """

    #: Maps each of the five classes to the class that `class_for` has derived from this one and from it.
    _derived: dict[type, type]

    #: The class to use as a base where `once_property` cannot be one.
    _in_python: type

    def __new__(
        metaclass: Any,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,
    ) -> Any:
        """Make a subclass of `once_property`, in Python where another base has fields."""
        in_c = [base for base in bases if getattr(base, "_is_in_c", False)]
        if in_c and any(_has_fields(base) for base in bases if base not in in_c):
            bases = tuple(base.__dict__.get("_in_python", base) for base in bases)
            for base in in_c:
                if base in bases:
                    raise TypeError(
                        f"{name} cannot derive from {base.__name__} and from another class whose instances have "
                        "fields in C. Derive from once_property, which allows this, instead of from "
                        f"{base.__name__}"
                    )
        cls = super().__new__(metaclass, name, bases, namespace, **options)
        cls._derived = {}
        keep_get(cls)
        return cls

    def __call__(cls: Any, *args: Any, **options: Any) -> Any:
        """Return a property or, if there is no function yet, a decorator that makes one."""
        if cls.__init__ is cls._own_init:
            has_no_function = not args or (len(args) == 1 and args[0] is None)
        else:
            # A subclass with its own `__init__`. Only our options without anything else ask for a decorator.
            has_no_function = not args and bool(options)
        if has_no_function and options.keys() <= {"slot", "discard", "cell"}:
            check_options(cls.__name__, **options)
            return lambda function: cls(function, **options)
        return super().__call__(*args, **options)

    @property
    def __signature__(cls: Any) -> Signature:
        # Without this, inspect would show the parameters of `__call__`.
        from inspect import signature

        return signature(MethodType(cls.__init__, cls))


def class_for(cls: Any, function: object, slot: str | None, is_final: bool) -> Any:
    """Return the class of a property, which is `cls` or a class derived from it.

    Raises:
        TypeError: if the function is not callable, or cannot have a `slot`.
    """
    dict_property, slot_or_async_property, asking_property, class_property, static_property = cls._classes
    method_type = method_type_of(function)
    if method_type is classmethod:
        needed = class_property
    elif method_type is staticmethod:
        needed = static_property
    elif not callable(function):
        raise TypeError(f"{cls.__name__} takes a callable, not {function!r} ({type(function).__name__})")
    elif not is_final:
        needed = asking_property
    elif slot is not None or is_coroutine_function(function):
        needed = slot_or_async_property
    else:
        needed = dict_property
    if slot is not None and needed is not slot_or_async_property:
        raise TypeError(
            f"{cls.__name__}(slot={slot!r}) cannot wrap a {type(function).__name__}: "
            "a slot belongs to an instance, and this value does not"
        )
    if issubclass(cls, needed):
        return cls
    derived = cls._derived.get(needed)
    if derived is None:
        namespace = {
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "_derived_from": cls.__dict__.get("_derived_from", cls),
        }
        # `cls` comes first, so that the methods of a user's subclass override ours.
        derived = cls._derived.setdefault(needed, type(cls)(cls.__name__, (cls, needed), namespace))
    return derived


def _has_slots(cls: Any) -> bool:
    """Return whether instances of `cls` are properties that may have a `slot`."""
    return issubclass(type(cls), PropertyType) and issubclass(cls, cls._classes[1])


add_users("once_property", _has_slots)
