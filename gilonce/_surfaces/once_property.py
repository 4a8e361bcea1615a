"""`once_property`: an attribute that is computed on first access and then kept.

Reading an attribute without a value asks a cell for it, and the cell calls the function. What was decorated decides
where that cell keeps the value. Five classes implement the five cases:

=========================  =================================================================
`_DictProperty`            a function: the value is in the instance's `__dict__`
`_SlotOrAsyncProperty`     a function with `slot=`, or an `async def`
`_AskingProperty`          a function whose `cell=` makes cells that are not final
`_ClassProperty`           a `classmethod`: one value per class
`_StaticProperty`          a `staticmethod`: one value for the process
=========================  =================================================================

`once_property` is the class that users call and subclass. It derives from `_DictProperty`. For the other four cases
`_class_for` derives one more class, from `once_property` (or the user's subclass) and one of the five:

>>> class Circle:
...     @once_property
...     def area(self): ...
...     @once_property
...     @classmethod
...     def unit(cls): ...
>>> [cls.__name__ for cls in type(vars(Circle)["area"]).__mro__]
['once_property', '_DictProperty', 'object']
>>> [cls.__name__ for cls in type(vars(Circle)["unit"]).__mro__]
['once_property', 'once_property', '_ClassProperty', '_DictProperty', 'object']

A property gets that class in `__init__`, and not earlier: the `__init__` of a user's subclass may have any parameters,
and only its call of `super().__init__(function)` says what is decorated.

C replaces the first two classes, so that reads are fast. Their instances have fields in C, and a class cannot have two
bases with such fields: `class Both(once_property, property)` would be an error. `_PropertyType` bases a class like that
on the Python classes instead; see `_python_class`.

The idea is that of `functools.cached_property`. The cell is pyo3's `GILOnceCell`.
"""

from __future__ import annotations

from abc import ABCMeta
from types import GenericAlias, MethodType

from .._cells.callables import is_coroutine_function, method_type_of, name_of
from .._cells.public import public
from .._cells.racing import EMPTY, AlreadySetError, GILOnceCell, make_cell
from .._cells.registry import register_later
from .._native import replace_with_native
from .._storage.bound import BoundCell, Definition, is_class, prepare
from .pickling import slot_for_pickler
from .recognised import PublishingFunction, class_for_tools, is_like_cached_property, is_read_by_tool
from .slots import add_users, check_options, entry_of, member_for, prepare_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from inspect import Signature
    from typing import Any, ClassVar

    from .._cells.racing import Discard


#: Changes the class of an object whose `__class__` is a property.
_set_class = object.__dict__["__class__"].__set__


def _replaced_by_c(cls: Any) -> Any:
    """Return the class in C that replaces `cls`, or `cls` itself where there is none."""
    replacement = replace_with_native(cls)
    replacement._in_python = {"source": cls}
    return replacement


@replace_with_native
def keep_get(cls: type[_DictProperty]) -> None:
    """Do nothing. In C, make an inherited `__get__` of `cls` as fast as the base's."""


def _init_of(name: str) -> Callable[[Any], Any]:
    """Let errors about the arguments of an `__init__` name the class that users know."""

    def rename(init: Any) -> Any:
        init.__qualname__ = f"{name}.__init__"
        return init

    return rename


# The methods of the five classes do not use `super()`, because the class in C and the Python class share them.


@_replaced_by_c
class _DictProperty:
    """A property whose value is in the instance's `__dict__`, under the attribute's own name."""

    #: The five classes. Code asks the class of a property for them, not the module: `importlib.reload` puts five
    #: new classes into the module, and a class cannot derive from some of the old and some of the new ones.
    _property_classes: ClassVar[tuple[type[_DictProperty], ...]] = ()

    #: Used by `_python_class`. In the `__dict__` of the five classes and of `once_property`, not of a user's subclass.
    _in_python: ClassVar[dict[str, Any]]

    # These defaults are seen until `__init__` has been called; see `_check_initialized`.
    attrname: str | None = None
    _function: Any = None
    _slot: str | None = None
    _is_async = False
    _method_type: type | None = None
    _cell: Any = None
    _definition: Definition | Any = None

    #: `property` has an attribute of this name that cannot be assigned. In a class that derives from both, this one
    #: comes first in the MRO and can be.
    __isabstractmethod__ = False

    def __new__(cls, *args: Any, **options: Any) -> Any:  # noqa: ARG004 - `__init__` uses them
        dict_property = cls._property_classes[0]
        if not issubclass(cls, dict_property):
            dict_property = _python_class(dict_property)
        return super(dict_property, cls).__new__(cls)

    @_init_of("once_property")
    def __init__(
        self,
        function: Any = None,
        /,
        *,
        slot: str | None = None,
        discard: Discard = None,
        cell: Callable[[], Any] | None = None,
    ) -> None:
        is_final = check_options(type(self).__name__, slot, discard, cell)
        cls = _class_for(type(self), function, slot, is_final)
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
        if cls is not type(self):
            _set_class(self, cls)

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

    def __set_name__(self, owner: type, name: str) -> None:
        self._check_initialized()
        if self.attrname is None:
            self.attrname = name
            self._definition.what = f"{name!r} property"
        elif name != self.attrname:
            raise TypeError(
                f"Cannot assign the same {type(self).__name__} to two different names ({self.attrname!r} and {name!r})."
            )

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self._read(self._cell_of(instance), MethodType(self._function, instance))

    def _read(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> Any:
        """Return the value of `cell`; of an `async def`, an awaitable for the value."""
        return AwaitableValue(cell, initializer) if self._is_async else cell.get_or_init(initializer)

    def _cell_for(self, owner: object) -> Any:
        """Return the cell of this attribute of `owner`, an instance or a class, or None if it has none there."""
        return None if is_class(owner) else self._cell_of(owner)

    def _cell_of(self, instance: Any) -> BoundCell:
        """Return the cell of `instance`."""
        name = self._name()
        # Another entry under our name is an override that called `super()`. It keeps its own value under the name, so
        # ours needs a different key.
        key = name if entry_of(type(instance), name) is self else self._definition.key
        return self._definition.cell_in_dict(instance, key)

    def _delete(self, instance: object) -> None:
        """Forget the value of `instance`. If it has none, raise AttributeError."""
        if self._cell_of(instance).take(EMPTY) is EMPTY:
            name = self._name()
            message = f"{type(instance).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=instance)

    def _name(self) -> str:
        """Return the attribute's name; raise TypeError if there is none."""
        self._check_initialized()
        if self.attrname is None:
            raise TypeError(
                f"Cannot use {type(self).__name__} instance without calling __set_name__ on it. "
                f"Define {name_of(self._function)}() in the class body, "
                "or call __set_name__(cls, name) after assigning it"
            )
        return self.attrname

    def _check_initialized(self) -> None:
        if self._definition is None:
            name = type(self).__name__
            raise TypeError(f"{name} has no function to call: {name}.__init__() must call super().__init__(function)")


@_replaced_by_c
class _SlotOrAsyncProperty(_DictProperty):
    """A property whose value is not under its own name: a data descriptor, so that assignments reach the value."""

    # The native core copies this entry. Without it, `__get__` of the class in C would be the interpreter's wrapper,
    # which does not accept `descriptor.__get__(None)`.
    __get__ = _DictProperty.__get__

    def __set_name__(self, owner: type, name: str) -> None:
        _DictProperty.__set_name__(self, owner, name)
        if self._slot is not None:
            prepare_class(self, owner)

    def _cell_of(self, instance: Any) -> BoundCell:
        self._name()
        if self._slot is None:
            return self._definition.cell_in_dict(instance, self._definition.key)
        return self._definition.cell_in_slot(instance, self._member_for)

    def __set__(self, instance: object, value: Any) -> None:
        cell = self._cell_of(instance)
        if type(value) is AwaitableValue and value.belongs_to(cell):
            # monkeypatch reads an attribute, replaces it, and later assigns what it has read, to restore the value.
            value = value.when_read
        if value is EMPTY:
            cell.take()
        else:
            cell.assign(value)

    def __delete__(self, instance: object) -> None:
        self._delete(instance)

    def _member_for(self, instance: object) -> Any:
        """Return the descriptor of the slot. The native core calls this, too."""
        return member_for(self, instance)

    # `slots.py` calls these two.

    def _home_in(self, cls: type) -> type | None:
        name = self._name()
        for base in cls.__mro__:
            if base.__dict__.get(name) is self:
                return base
        return None

    def _is_attribute_of(self, home: type, name: str) -> bool:
        return home.__dict__.get(name) is self


class _AskingProperty(_DictProperty):
    """A property that asks its cell at each read, because the value is not the same for everyone."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self._read(self._cell_of(instance), MethodType(self.func, instance))

    def __set__(self, instance: object, value: Any) -> None:
        cell = self._cell_of(instance)
        if type(value) is AwaitableValue and value.belongs_to(cell):
            # As in `_SlotOrAsyncProperty`.
            value = value.when_read
        cell.take()
        while value is not EMPTY:
            try:
                cell.set(value)
                break
            except AlreadySetError:
                # A task, a signal handler or a thread has published a value since.
                cell.take()

    def __delete__(self, instance: object) -> None:
        self._delete(instance)

    def _cell_of(self, instance: Any) -> Any:
        self._name()
        definition: Any = self._definition
        return definition.cell_stored_in(instance)


class _ClassProperty(_DictProperty):
    """A property of a class. Each subclass has its own value."""

    def __set_name__(self, owner: type, name: str) -> None:
        _DictProperty.__set_name__(self, owner, name)
        prepare(owner)

    def _cell_for(self, owner: Any) -> Any:
        return self._definition.cell_of(owner if is_class(owner) else type(owner))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # ABCMeta reads inherited attributes to find out whether they are abstract. That must not compute a value.
        if self.__isabstractmethod__:
            return self
        cls = type(instance) if owner is None else owner
        if not self._is_async:
            value = self._definition.find(cls)
            if value is not EMPTY:
                return value
            if instance is None and is_read_by_tool():
                return self
        return self._read(self._definition.cell_of(cls), MethodType(self._function, cls))


class _StaticProperty(_DictProperty):
    """A property with one value for the process."""

    def _cell_for(self, _: object) -> Any:
        return self._cell

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if self.__isabstractmethod__:
            return self
        if not self._is_async:
            value = self._cell.get(EMPTY)
            if value is not EMPTY:
                return value
            if instance is None and is_read_by_tool():
                return self
        return self._read(self._cell, self._function)


_classes = _DictProperty, _SlotOrAsyncProperty, _AskingProperty, _ClassProperty, _StaticProperty
_DictProperty._property_classes = _DictProperty._in_python["source"]._property_classes = _classes


def _is_based_on_c(cls: type) -> bool:
    """Return whether instances of `cls` have the fields of a property in C."""
    classes: tuple[Any, ...] = getattr(cls, "_property_classes", ())
    return classes != () and classes[0]._in_python["source"] is not classes[0] and issubclass(cls, classes[0])


def _has_fields(cls: type) -> bool:
    """Return whether instances of `cls` have fields, besides a `__dict__` and weak references."""
    optional = sum(tuple.__itemsize__ for offset in (cls.__dictoffset__, cls.__weakrefoffset__) if offset > 0)
    return cls.__basicsize__ - optional > object.__basicsize__


def _python_class(cls: Any) -> Any:
    """Return a class in Python that can be a base instead of `cls`, whose instances may have fields in C.

    For `_DictProperty` and `_SlotOrAsyncProperty`, that is a copy of the class that C replaced. For the other classes
    of this module it is a copy with another base. For a user's class it is that class itself: its methods may use
    `super()`, which would not work in a copy.
    """
    in_python = cls.__dict__.get("_in_python")
    if in_python is None:
        return cls
    if "class" not in in_python:
        source = in_python["source"]
        left_out = ("__dict__", "__weakref__", "_in_python")
        namespace = {name: entry for name, entry in source.__dict__.items() if name not in left_out}
        copied = type(source)(source.__name__, (_python_class(cls.__base__),), namespace)
        # By `setdefault`, so that threads that get here at the same time agree on one class.
        in_python.setdefault("class", copied)
    return in_python["class"]


def _derives_from(cls: type, base: type) -> bool:
    """Return whether `cls` derives from `base` or from the Python class that can be used instead."""
    in_python = base.__dict__.get("_in_python", {}).get("class", base)
    return type.__subclasscheck__(base, cls) or type.__subclasscheck__(in_python, cls)


add_users("once_property", lambda cls: _derives_from(cls, _SlotOrAsyncProperty))


class _PropertyType(ABCMeta):
    """The metaclass of `once_property`.

    It decides what `class X(once_property)` and `once_property(...)` do, and `isinstance(x, once_property)`. It
    derives from ABCMeta so that a class can derive from `once_property` and from an abstract class.
    """

    #: Maps each of the five classes to the class that `_class_for` has derived from this one and from it.
    _derived: dict[type, type]

    def __new__(
        metaclass: Any,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,
    ) -> Any:
        """Make a subclass of `once_property`, in Python where another base has fields."""
        based_on_c = [base for base in bases if _is_based_on_c(base)]
        if based_on_c and any(_has_fields(base) for base in bases if base not in based_on_c):
            bases = tuple(_python_class(base) for base in bases)
            for base in based_on_c:
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
        if cls.__init__ is cls._property_classes[0].__init__:
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

    def __subclasscheck__(cls, subclass: type) -> bool:
        return _derives_from(subclass, cls)

    def __instancecheck__(cls, instance: Any) -> bool:
        return type.__instancecheck__(cls, instance) or _derives_from(type(instance), cls)


@public
class once_property(_DictProperty, metaclass=_PropertyType):  # noqa: N801 - a decorator, named as `property` is
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


for _cls in (_AskingProperty, _ClassProperty, _StaticProperty, once_property):
    _cls._in_python = {"source": _cls}


def _class_for(cls: Any, function: object, slot: str | None, is_final: bool) -> Any:
    """Return the class of a property: `cls`, or a class derived from it; raise TypeError if there is none."""
    dict_property, slot_or_async_property, asking_property, class_property, static_property = cls._property_classes
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
    if _derives_from(cls, needed):
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


def _remake(
    cls: Any, method_type: Any, function: Any, slot: str | None, discard: Discard, cell: Callable[[], Any] | None
) -> once_property:
    """Return a copy of a property; see `__reduce_ex__`."""
    dict_property = cls._property_classes[0]
    copied: once_property = dict_property.__new__(cls)
    # The `__init__` of the subclass is not called, because its parameters are unknown. What it has set is copied.
    decorated = function if method_type is None else method_type(function)
    dict_property.__init__(copied, decorated, slot=slot, discard=discard, cell=cell)
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


class AwaitableValue:
    """What reading an `async def` property returns: it can be awaited any number of times, or run as one task.

    It has the methods of a coroutine, so `asyncio.run` and `create_task` accept it. But nothing runs until it is
    awaited or sent to. So reading the attribute without awaiting it causes no "was never awaited" warning.
    """

    __slots__ = ("_cell", "_coroutine", "_initializer", "when_read")

    def __init__(self, cell: GILOnceCell, initializer: Callable[[], Any]) -> None:
        #: The value when the attribute was read, or `EMPTY`. (`LoopOnceCell.get` raises outside an event loop.)
        self.when_read = cell.get(EMPTY) if cell.is_set() else EMPTY
        self._cell = cell
        self._initializer = initializer
        self._coroutine: Any = None

    def belongs_to(self, cell: Any) -> bool:
        """Return whether this was read from the attribute whose cell is `cell`."""
        return self._cell is cell or (isinstance(self._cell, BoundCell) and self._cell.is_same_place(cell))

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._cell.aget_or_init(self._initializer).__await__()

    def _started(self) -> Any:
        if self._coroutine is None:
            self._coroutine = self._cell.aget_or_init(self._initializer)
        return self._coroutine

    def send(self, value: Any) -> Any:
        return self._started().send(value)

    def throw(self, *error: Any) -> Any:
        return self._started().throw(*error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()
