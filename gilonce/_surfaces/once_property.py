"""`once_property`: an attribute that is computed on first access and then kept.

Reading an attribute without a value asks a cell for it, and the cell calls the function. What was decorated decides
where that cell keeps the value and how the attribute is read. `property_cases.py` has a class for each of the five
cases, and `class_for` combines one of them with the user's class. Here is `once_property`, the class that users call
and subclass, with what all five cases have in common: how a property is made and copied, and what it looks like.

A property gets its class in `__init__`, which changes `type(self)`. A factory could choose the class before it makes
the property, but a subclass may have an `__init__` with parameters of its own, or call ours later:

>>> class Noted(once_property):
...     def __init__(self, note, function):
...         super().__init__(function)
...         self.note = note
>>> class Circle:
...     unit = Noted("in meters", classmethod(lambda cls: 1))
>>> [cls.__name__ for cls in type(vars(Circle)["unit"]).__mro__]
['Noted', 'Noted', 'once_property', 'ClassProperty', 'DictProperty', 'object']

Only the call of `super().__init__` says that a class method is decorated, and then there is the object already, with a
class of its own: `Noted`. It cannot be replaced by another object, because `Noted.__init__` may have stored `self`
anywhere. It is changed in all cases, so that there is only one way in which properties are made.

The idea is that of `functools.cached_property`. The cell is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

from types import GenericAlias

from .._cells.callables import is_coroutine_function, method_type_of
from .._cells.public import public
from .._cells.racing import make_cell
from .._cells.registry import register_later
from .._storage.bound import Definition
from .pickling import slot_for_pickler
from .property_cases import DictProperty
from .property_classes import PropertyType, class_for, over_c
from .recognised import PublishingFunction, class_for_tools, is_like_cached_property
from .slots import check_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from .._cells.racing import Discard


#: Changes the class of an object whose `__class__` is a property.
_set_class = object.__dict__["__class__"].__set__


@public
@over_c
class once_property(DictProperty, metaclass=PropertyType):  # noqa: N801 - a decorator, named as `property` is
    """Turn a function into an attribute that is computed once, on first access.

    Threads that access the attribute for the first time at the same moment may each run the function. The first to
    finish publishes its value, and every access in every thread returns that object.

    There is one value

    * per instance, for a function. The value is in the instance's `__dict__` under the attribute's own name, so later
      reads are ordinary attribute reads. `del obj.x` forgets the value, `obj.x = value` sets it;
    * per class, for a `classmethod`: a lazy class attribute, to be read from the class or an instance. A subclass has
      its own value;
    * per process, for a `staticmethod`.

    On an `async def`, `await obj.x` returns the value, as often as you like.

    Tools that know `functools.cached_property`, such as pydantic and attrs, treat a plain property the same way. attrs
    makes a slot for it, so a slotted class of attrs needs no `slot=`.

    An override can read `super().x`. The values of the base's property and of the override are kept separately, and
    `del obj.x` forgets the override's value only.

    Parameters:
        function: called with the instance (a `classmethod` with the class, a `staticmethod` with nothing) to compute
            the value.
        slot: the name of a slot, declared in `__slots__`, that stores the value instead of the `__dict__`. Read and
            assign the attribute, not the slot.
        discard: called with each value that lost the race; see `GILOnceCell`.
        cell: a callable that makes the cells that decide who computes a value. The default is `GILOnceCell`. Use
            `OnceLock`, `ThreadOnceCell`, `LoopOnceCell`, `ProcessOnceCell`, or your own (see `Cell`). If the cell is
            not `final`, it is asked at each read, and `obj.x = value` and `del obj.x` act on the caller's value.

    Returns:
        The property or, if there is no `function`, a decorator.

    Raises:
        TypeError: when decorating, if `function` is not callable, `cell` does not make a cell, it makes one that is not
            final and there is a `slot`, or both `cell` and `discard` are given. When the class is created, if the
            property has two names, or `slot` names a dataclass or attrs field with a default (before Python 3.12 as the
            cause of a RuntimeError). At access, if the property has no name, the instance has no writable `__dict__`
            and no such slot, or another property uses the slot.
        BaseException: at access, whatever `function` raised. The next access tries again.

    >>> class Circle:
    ...     def __init__(self, radius):
    ...         self.radius = radius
    ...     @once_property
    ...     def area(self):
    ...         print("computing")
    ...         return 3 * self.radius ** 2
    >>> circle = Circle(2)
    >>> circle.area, circle.area
    computing
    (12, 12)
    """

    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    def __new__(cls, *args: Any, **options: Any) -> Any:  # noqa: ARG004 - `__init__` uses them
        # Without this method, the `__new__` of a subclass could not pass on its arguments. The class after ours in the
        # MRO is `object` or, in a class that also derives from `property`, that.
        return super(cls._classes[0], cls).__new__(cls)

    def __init__(
        self,
        function: Any = None,
        /,
        *,
        slot: str | None = None,
        discard: Discard = None,
        cell: Callable[[], Any] | None = None,
    ) -> None:
        called: Any = type(self)
        is_final = check_options(called.__name__, slot, discard, cell)
        cls = class_for(called, function, slot, is_final)
        if cls is not called:
            _set_class(self, cls)
        self._method_type = method_type_of(function)
        self._function = function if self._method_type is None else function.__func__
        self.attrname = None
        if issubclass(cls, property):
            property.__init__(self, self._function)  # type: ignore[arg-type]
        self.__doc__ = getattr(self._function, "__doc__", None)
        self.__module__ = getattr(self._function, "__module__", "")
        # Copied, not looked up in the function: `@abstractmethod` above the property assigns it.
        self.__isabstractmethod__ = getattr(self._function, "__isabstractmethod__", False)
        self._slot = slot
        self._is_async = is_coroutine_function(self._function)
        self._cell_factory = cell
        self._definition = _define(self._function, discard, cell)
        if self._method_type is staticmethod:
            self._cell = make_cell(self._function, discard, cell)
            register_later(self._cell)

    #: `PropertyType.__call__` recognizes by this whether a subclass has its own `__init__`.
    _own_init = __init__

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copy the property: the copy is another definition, with values of its own."""
        self._check_initialized()
        remade = {"_cell", "_cell_factory", "_definition", "_func", "_method_type", "_slot"}
        attributes = {name: value for name, value in self.__dict__.items() if name not in remade}
        cls = type(self).__dict__.get("_derived_from", type(self))
        discard = None if self._cell_factory else self._definition.discard
        slot = slot_for_pickler(self._slot)
        arguments = cls, self._method_type, self._function, slot, discard, self._cell_factory
        # The second dict is assigned, not put into the `__dict__`: in C, `attrname` is a field.
        return _remake, arguments, (attributes, {"attrname": self.attrname})

    def __deepcopy__(self, memo: object, /) -> Any:
        from copy import copy

        return copy(self)

    @property
    def func(self) -> Any:
        """The function. Where another library has made a slot for the attribute, a call publishes the value there."""
        if self._function is None or not is_like_cached_property(self):
            return self._function
        return self.__dict__.setdefault("_func", PublishingFunction(self))

    @func.setter
    def func(self, function: Any) -> None:
        self._function = function

    @property
    def __class__(self) -> Any:
        return class_for_tools(self)

    @__class__.setter
    def __class__(self, cls: type) -> None:
        _set_class(self, cls)

    def __dir__(self) -> list[str]:
        # Without this, it would be the attributes of `__class__`.
        return sorted({*dir(type(self)), *self.__dict__})

    @property
    def __closure__(self) -> Any:
        # attrs and dataclasses make a class with `__slots__` anew. They look here for the class of `super()`.
        return getattr(self._function, "__closure__", None)

    # A property, not assigned in `__init__`, so that a subclass may define its own.

    @property
    def __name__(self) -> str:
        """The name of the function, or of the attribute if the function has no name."""
        name = self.__dict__.get("__name__") or getattr(self._function, "__name__", None)
        if issubclass(type(name), str):
            return str(name)
        if self.attrname is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute '__name__'")
        return self.attrname

    @__name__.setter  # noqa: A003
    def __name__(self, name: str) -> None:
        # For `functools.update_wrapper`.
        self.__dict__["__name__"] = name


def _remake(
    cls: Any, method_type: Any, function: Any, slot: str | None, discard: Discard, cell: Callable[[], Any] | None
) -> once_property:
    """Return a copy of a property; see `__reduce_ex__`."""
    copied: once_property = once_property.__new__(cls)
    # The `__init__` of the subclass is not called, because its parameters are unknown. What it has set is copied.
    decorated = function if method_type is None else method_type(function)
    once_property.__init__(copied, decorated, slot=slot, discard=discard, cell=cell)
    return copied


def _define(function: object, discard: Discard, cell: Callable[[], Any] | None) -> Definition:
    """Return what all cells of one property share."""
    if cell is None:
        advice = (
            "Declare a slot for it in the __slots__ of {owner_of_slots}, and name that: once_property(slot='_name')"
        )
        return Definition(function, discard, advice)
    from .._storage.cell_option import definition_of

    return definition_of(function, cell, cell(), "Add '__dict__' to the __slots__ of {owner_of_slots}")
