"""`once_property`: an attribute that is computed once, on first access.

A read that finds no value asks a cell, and the cell asks the function. Which cell that is
depends on what was decorated, and is decided once, when decorating: see `once_property`.
"""

from __future__ import annotations

from types import GenericAlias, MemberDescriptorType, MethodType

from ._bound import BoundCell, Definition, class_values, prepare
from ._callables import is_coroutine_function, kind_of_method, name_of
from ._cell import EMPTY, GILOnceCell, check_discard
from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, ClassVar

    from ._cell import Discard


@in_c
def keep_get(cls: type[once_property]) -> None:
    """Do nothing; in C, let a subclass that inherits `__get__` read as fast as `once_property` does."""


@in_c
class once_property:  # noqa: N801 - a decorator, named as `property` and `cached_property` are
    """A lazy attribute: computed on first access, then an attribute like any other.

    Threads that make the first access at the same time may each run the function; the
    first to finish publishes its value, and every access, in every thread, gives that object.

    One value is kept

    * per instance for a function. It is stored in the instance's `__dict__` under the
      attribute's own name, so that later reads cost nothing extra. `del obj.x` forgets
      it, `obj.x = value` sets it;
    * per class for a `classmethod`, a subclass having its own: a lazy class attribute,
      read from the class or an instance;
    * per process for a `staticmethod`.

    On an `async def`, `await obj.x` gives the value, as often as one likes.

    An override may use `super().x`: the base's value is kept too, apart from the override's,
    and `del obj.x` forgets the override's alone.

    Parameters:
        function: called with the instance (the class, nothing) to compute the value.
        slot: the name of a declared slot in which to store instead, for a class with
            `__slots__`. Read and assign through the property, not the slot.
        discard: called with a value that lost the race; see `GILOnceCell`.
        cell: makes the cells that say who computes a value, where they are to be others than
            `GILOnceCell`: `OnceLock`, or your own (see `Cell`), if it is `final`.

    Returns:
        The descriptor or, without `function`, a decorator.

    Raises:
        TypeError: at decoration, if `function` is not callable, for a `cell` that makes none
            or one that is not final, or together with `discard`; at class creation, for two
            names; at access, for no name, no writable `__dict__`, no such slot, or a slot
            that another property uses.
        BaseException: at access, whatever `function` raised; the next access tries again.

    The idea is `functools.cached_property`'s; the cell is pyo3's `GILOnceCell`.

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

    attrname: str | None
    func: Callable[..., Any]

    def __new__(
        cls,
        function: Any = None,
        /,
        *,
        slot: str | None = None,
        discard: Discard = None,
        cell: Callable[[], Any] | None = None,
    ) -> Any:
        if cell is not None:
            from ._chosen import check_final, choose

            check_final(choose(cell, discard, cls.__name__), cls.__name__)
        elif discard is not None:
            check_discard(discard, cls.__name__)
        if slot is not None and not issubclass(type(slot), str):
            raise TypeError(f"{cls.__name__}(slot=...) takes the name of a slot, not {slot!r}")
        if function is None:
            return lambda function: cls(function, slot=slot, discard=discard, cell=cell)
        return super().__new__(_kind_of(cls, function, slot))

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__init__ is not once_property.__init__:
            cls.__new__ = _new_for_own_init  # type: ignore[method-assign]
        keep_get(cls)

    def __init__(
        self,
        function: Any,
        /,
        *,
        slot: str | None = None,
        discard: Discard = None,
        cell: Callable[[], Any] | None = None,
    ) -> None:
        self.func = function if kind_of_method(function) is None else function.__func__
        self.attrname = None
        self.__doc__ = getattr(self.func, "__doc__", None)
        self.__module__ = getattr(self.func, "__module__", "")
        # As an attribute of its own, because @abstractmethod above us sets it.
        self.__isabstractmethod__: bool = getattr(self.func, "__isabstractmethod__", False)
        self._slot = slot
        self._is_async = is_coroutine_function(self.func)
        self._makes = cell
        self._definition = _define(self.func, discard, cell)
        if type(self) is not once_property and type(self) not in _KINDS:
            # A subclass with an `__init__` of its own says only now what it decorates.
            kind = _kind_of(type(self), function, slot)
            if kind is not type(self):
                self.__class__ = kind
        if isinstance(self, _PerProcess):
            self._cell = self._definition.make_cell()

    # A copy is another definition, with values of its own.

    def __reduce_ex__(self, protocol: Any) -> Any:
        own = {"_cell", "_definition", "_makes"}
        attributes = {name: value for name, value in self.__dict__.items() if name not in own}
        made_of = type(self), self.func, self._slot, None if self._makes else self._definition.discard, self._makes
        # In C, a name that is not in the `__dict__` has to be assigned.
        return _make_anew, made_of, (attributes, {"attrname": self.attrname})

    def __deepcopy__(self, memo: object, /) -> Any:
        from copy import copy

        return copy(self)

    def __set_name__(self, owner: type, name: str) -> None:
        if self.attrname is None:
            self.attrname = name
            self._definition.what = f"{name!r} property"
        elif name != self.attrname:
            raise TypeError(
                f"Cannot assign the same {self._type_name()} to two different names ({self.attrname!r} and {name!r})."
            )

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self._ask(self._cell_of(instance), MethodType(self.func, instance))

    def _ask(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> Any:
        return Awaiting(cell, initializer) if self._is_async else cell.get_or_init(initializer)

    def _cell_of(self, instance: Any) -> BoundCell:
        """Return the cell of `instance`."""
        name = self._name()
        found = None
        # No generator: one that is dropped unfinished runs code, and Ctrl-C in that is lost.
        for cls in type(instance).__mro__:
            if name in cls.__dict__:
                found = cls.__dict__[name]
                break
        # If something else is found, it is an override that has reached us through super().
        # The attribute's own name is where its value will go, so ours stays apart.
        key = name if found is self else self._definition.key
        return self._definition.cell_in_dict(instance, key)

    def _name(self) -> str:
        if self.attrname is None:
            raise TypeError(
                f"Cannot use {self._type_name()} instance without calling __set_name__ on it. "
                f"Define {name_of(self.func)}() in the class body, or call __set_name__(cls, name) after assigning it"
            )
        return self.attrname

    def _type_name(self) -> str:
        # The kinds below are no names that a user knows.
        return next(cls for cls in type(self).__mro__ if cls not in _KINDS).__name__


@in_c
class _Assignable(once_property):
    """A property whose value is not under its own name, so that it sees to assignment too."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        if self._slot is not None:
            prepare(owner)

    def _cell_of(self, instance: Any) -> BoundCell:
        self._name()
        if self._slot is None:
            return self._definition.cell_in_dict(instance, self._definition.key)
        return self._definition.cell_in_slot(instance, self._member_for(instance))

    def __set__(self, instance: object, value: Any) -> None:
        cell = self._cell_of(instance)
        if type(value) is Awaiting and value.is_of(cell):
            # Who read the attribute, replaced it and now puts it back, as monkeypatch
            # does, means the value that it stood for.
            value = value.seen
        if value is EMPTY:
            cell.take()
        else:
            cell.assign(value)

    def __delete__(self, instance: object) -> None:
        if self._cell_of(instance).take(EMPTY) is EMPTY:
            raise AttributeError(self._name(), name=self._name(), obj=instance)

    def _member_for(self, instance: object) -> Any:
        """Return the descriptor of the slot; raise TypeError if it is not there, or not ours alone."""
        cls = type(instance)
        # Kept in the class it was found for: kept here, it would keep a subclass alive.
        values = class_values(cls, self._definition.what)
        member = values.get(self._definition.key)
        if member is None:
            member = self._find_member(cls)
            if member is None:
                raise TypeError(
                    f"No slot {self._slot!r} on {cls.__name__!r} instance to cache {self._definition.what}. "
                    f"Add {self._slot!r} to the __slots__ of {cls.__name__!r}"
                )
            self._check_alone(cls, member)
            values[self._definition.key] = member
        return member

    def _find_member(self, cls: type) -> Any:
        """Return the descriptor of the slot for instances of `cls`, or None.

        It is that of the class which has this property, or of a base of it, for a subclass
        may declare another of the name; if there is none, as for a mixin, a subclass's.
        """
        slot = self._slot or ""
        private = slot.startswith("__") and not slot.endswith("__")
        outside = None
        is_inside = False
        for base in cls.__mro__:
            entries = base.__dict__
            is_inside = is_inside or entries.get(self._name()) is self
            member = entries.get(f"_{base.__name__.lstrip('_')}{slot}" if private else slot)
            if isinstance(member, MemberDescriptorType):
                if is_inside:
                    return member
                outside = outside or member
        return outside

    def _check_alone(self, cls: type, member: Any) -> None:
        """Raise TypeError if another property of `cls` uses the slot.

        The one exception is one that overrides this property, or that this one overrides,
        as long as the override does not ask for the other's value.
        """
        is_found = False
        for base in cls.__mro__:
            # A copy, for another thread may set an attribute of the class meanwhile.
            for name, other in base.__dict__.copy().items():
                # By `type()`: to ask a lazy proxy that stands there for its class would touch it.
                if other is self or not issubclass(type(other), _Assignable) or other._find_member(cls) is not member:
                    continue
                if name != self.attrname or not is_found:
                    raise TypeError(
                        f"{name_of(self.func)}() and {name_of(other.func)}() both name the slot {self._slot!r} "
                        f"of {member.__objclass__.__name__!r}: each needs a slot of its own"
                    )
            is_found = is_found or base.__dict__.get(self._name()) is self


class _PerClass(once_property):
    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        prepare(owner)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # ABCMeta looks at inherited names by reading them, to see whether they are abstract.
        if self.__isabstractmethod__:
            return self
        cls = type(instance) if owner is None else owner
        if not self._is_async:
            value = self._definition.find(cls)
            if value is not EMPTY:
                return value
        return self._ask(self._definition.cell_of(cls), MethodType(self.func, cls))


class _PerProcess(once_property):
    _cell: Any

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if self.__isabstractmethod__:
            return self
        return self._ask(self._cell, self.func)


_KINDS = (_Assignable, _PerClass, _PerProcess)


def _make_anew(
    cls: type[once_property], function: Any, slot: str | None, discard: Discard, cell: Callable[[], Any] | None = None
) -> once_property:
    made: once_property = object.__new__(cls)
    # Not the `__init__` of a subclass, which may take anything: what it has set is copied.
    once_property.__init__(made, function, slot=slot, discard=discard, cell=cell)
    return made


def _new_for_own_init(cls: type[once_property], /, *args: Any, **options: Any) -> Any:
    """Be the `__new__` of a subclass that has an `__init__` of its own, and so parameters of its own.

    As with `functools.cached_property`, only that `__init__` knows what they mean. With
    nothing but the options of `once_property`, the result is a decorator, as it is there.
    """
    if not args and options and options.keys() <= {"slot", "discard", "cell"}:
        once_property.__new__(cls, **options)  # looks whether they are right
        return lambda function: cls(function, **options)
    return object.__new__(cls)


def _define(function: object, discard: Discard, cell: Callable[[], Any] | None) -> Definition:
    """Return what the cells of a property's instances or classes have in common."""
    if cell is None:
        advice = "Declare a slot for it in the __slots__ of its class, and name that: once_property(slot='_name')"
        return Definition(function, discard, advice)
    from ._chosen import definition_of

    advice = "Add '__dict__' to the __slots__ of its class, for that is where such a cell is kept"
    return definition_of(function, cell, cell(), advice)


def _kind_of(cls: type[once_property], function: object, slot: str | None) -> type[once_property]:
    """Return the class of the descriptor for `function`."""
    kind: type[once_property] = once_property
    method = kind_of_method(function)
    if method is classmethod:
        kind = _PerClass
    elif method is staticmethod:
        kind = _PerProcess
    elif not callable(function):
        raise TypeError(f"{cls.__name__} takes a callable, not {function!r} ({type(function).__name__})")
    elif slot is not None or is_coroutine_function(function):
        kind = _Assignable
    if slot is not None and kind is not _Assignable:
        raise TypeError(
            f"{cls.__name__}(slot={slot!r}) cannot wrap a {type(function).__name__}: "
            "a slot belongs to an instance, and this value does not"
        )
    if cls is once_property:
        return kind
    if issubclass(cls, kind):
        return cls
    # A user's subclass: its methods come first, then those of the kind.
    return type(cls.__name__, (cls, kind), {"__module__": cls.__module__, "__qualname__": cls.__qualname__})


class Awaiting:
    """What an `async def` property gives: awaited as often as one likes, or run as one task.

    It has the methods of a coroutine, by which `asyncio.run` and `create_task` take it for
    one, but begins nothing until it is awaited or sent to: to look at the attribute and
    turn away leaves no coroutine that was never awaited.
    """

    __slots__ = ("_cell", "_coroutine", "_initializer", "seen")

    def __init__(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> None:
        #: The value at the time, or `EMPTY`.
        self.seen = cell.get(EMPTY)
        self._cell = cell
        self._initializer = initializer
        self._coroutine: Any = None

    def is_of(self, cell: BoundCell) -> bool:
        """Return whether this is what the property gives whose cell is `cell`."""
        return isinstance(self._cell, BoundCell) and self._cell.is_same_place(cell)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._cell.aget_or_init(self._initializer).__await__()

    def _begun(self) -> Any:
        if self._coroutine is None:
            self._coroutine = self._cell.aget_or_init(self._initializer)
        return self._coroutine

    def send(self, value: Any) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()
