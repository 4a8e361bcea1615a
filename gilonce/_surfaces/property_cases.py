"""The five classes of properties: for each thing that can be decorated, where its values are, and how they are read.

=======================  =================================================================
`DictProperty`           a function: the value is in the instance's `__dict__`
`SlotOrAsyncProperty`    a function with `slot=`, or an `async def`
`AskingProperty`         a function whose `cell=` makes cells that are not final
`ClassProperty`          a `classmethod`: one value per class
`StaticProperty`         a `staticmethod`: one value for the process
=======================  =================================================================

They are classes, and not one class that asks what it has, because the interpreter looks at the class. A property whose
class defines `__set__` is called at every read of the attribute. A `DictProperty` has none, so once the value is in
the instance's `__dict__`, reading it is an ordinary attribute read.

`once_property.py` says how a property gets its class. `property_classes.py` makes the same five classes over a base in
C, so their methods do not use `super()`: it would find the base of the class that is written here.
"""

from __future__ import annotations

from types import MethodType

from .._cells.callables import name_of
from .._cells.racing import EMPTY, AlreadySetError
from .._storage.bound import is_class
from .._storage.class_values import prepare
from .awaitable_value import AwaitableValue, to_assign
from .recognised import is_read_by_tool
from .slots import entry_of, member_for, prepare_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from .._cells.racing import GILOnceCell
    from .._storage.bound import BoundCell, Definition


class DictProperty:
    """A property whose value is in the instance's `__dict__`, under the attribute's own name."""

    #: The five classes, with the same base; see `property_classes.py`. Code asks the class of a property for them and
    #: not the module: there are five over C and five in Python, `importlib.reload` makes new ones, and a class cannot
    #: derive from two of these sets.
    _classes: ClassVar[tuple[type[DictProperty], ...]]

    #: Whether instances have fields in C.
    _is_in_c = False

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


class SlotOrAsyncProperty(DictProperty):
    """A property whose value is not under its own name: a data descriptor, so that assignments reach the value."""

    # The native core copies this entry. Without it, `__get__` of the class in C would be the interpreter's wrapper,
    # which does not accept `descriptor.__get__(None)`.
    __get__ = DictProperty.__get__

    def __set_name__(self, owner: type, name: str) -> None:
        DictProperty.__set_name__(self, owner, name)
        if self._slot is not None:
            prepare_class(self, owner)

    def _cell_of(self, instance: Any) -> BoundCell:
        self._name()
        if self._slot is None:
            return self._definition.cell_in_dict(instance, self._definition.key)
        return self._definition.cell_in_slot(instance, self._member_for)

    def __set__(self, instance: object, value: Any) -> None:
        cell = self._cell_of(instance)
        value = to_assign(value, cell)
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


class AskingProperty(DictProperty):
    """A property that asks its cell at each read, because the value is not the same for everyone."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return self._read(self._cell_of(instance), MethodType(self._function, instance))

    def __set__(self, instance: object, value: Any) -> None:
        cell = self._cell_of(instance)
        value = to_assign(value, cell)
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


class ClassProperty(DictProperty):
    """A property of a class. Each subclass has its own value."""

    def __set_name__(self, owner: type, name: str) -> None:
        DictProperty.__set_name__(self, owner, name)
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


class StaticProperty(DictProperty):
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


DictProperty._classes = DictProperty, SlotOrAsyncProperty, AskingProperty, ClassProperty, StaticProperty
