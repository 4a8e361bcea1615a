"""The registry of surfaces: every way that gilonce offers to one value, built as a user would write it.

All tests that hold for every surface take their surfaces from here: the laws, the races, the ways to hang, the
interleavings, odd objects as `cell=`, and the tests of each cell. To add a surface, write a function like those
below and decorate it with `@surface`. It gets the package, an initializer and a `discard`, and returns an `Access`.

The explorations of interleavings run the code of this module bytecode by bytecode.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from support import drive

Initializer = Callable[[], Any]
Touch = Callable[[], Any]


@dataclass
class Access:
    """What a user can do with one lazy value. To call it is to touch the value.

    Parameters:
        touch: gets the value, and computes it if there is none.
        cell: returns the cell, or the view of a cell that lives in an owner, where the surface has it as an attribute.
        cell_of: returns the cell as `gilonce.cell_of` finds it. By default it is `cell`.
        look: returns the value if there is one, else None; it runs nothing.
        assign: sets the attribute.
        delete: deletes the attribute.
        start: returns an awaitable for the value, on an asynchronous surface.
        another: returns access to a second value of the same class, which another instance owns.
        take_all: empties the cells of all arguments, and returns the values.
        initializer: what computes the value. The explorations set it.
    """

    touch: Touch
    cell: Callable[[], Any] | None = None
    cell_of: Callable[[], Any] | None = None
    look: Callable[[], Any] | None = None
    assign: Callable[[Any], None] | None = None
    delete: Callable[[], None] | None = None
    start: Callable[[], Awaitable[Any]] | None = None
    another: Callable[[], Access] | None = None
    take_all: Callable[[], list[Any]] | None = None
    initializer: Initializer | None = None

    def __post_init__(self) -> None:
        self.cell_of = self.cell_of or self.cell
        if self.look is None and (cell_of := self.cell_of) is not None:
            self.look = lambda: cell_of().get()

    def __call__(self) -> Any:
        return self.touch()


Surface = Callable[[Any, Initializer, Any], Access]

#: Every surface by its name.
SURFACES: dict[str, Surface] = {}


def surface(build: Surface) -> Surface:
    SURFACES[build.__name__] = build
    return build


class With:
    """The package, as it is when every surface is given `cell=make`.

    `make` is called without arguments, or with `discard=` if the surface is given a `discard`.
    """

    def __init__(self, gilonce: Any, make: Callable[..., Any]) -> None:
        self._gilonce = gilonce
        self._make = make

    def _cell(self, discard: Any) -> Callable[[], Any]:
        return self._make if discard is None else functools.partial(self._make, discard=discard)

    def cell_of(self, owner: Any, name: str) -> Any:
        return self._gilonce.cell_of(owner, name)

    def GILOnceCell(self, *, discard: Any) -> Any:  # noqa: N802 - replaces the class
        return self._cell(discard)()

    def once(self, *, discard: Any, slot: str | None = None) -> Any:
        return self._gilonce.once(cell=self._cell(discard), slot=slot)

    def once_per_args(self, *, discard: Any) -> Any:
        return self._gilonce.once_per_args(cell=self._cell(discard))

    def once_property(self, *, discard: Any, slot: str | None = None) -> Any:
        return self._gilonce.once_property(cell=self._cell(discard), slot=slot)

    def lazy_global(self, factory: Initializer, *, discard: Any) -> Any:
        return self._gilonce.lazy_global(factory, cell=self._cell(discard))


# What several surfaces have in common.


def instance_of(cls: type[Any]) -> Any:
    """Return an instance. If it has a `__dict__`, the interpreter has made it already where that can matter.

    CPython 3.10 and 3.11 make the `__dict__` at the first access. If the garbage collector runs just then, two
    threads may each get a `__dict__` of their own, and what is put into one of them is lost.
    """
    made = cls()
    if sys.version_info < (3, 12):
        getattr(made, "__dict__", None)
    return made


def of_method(owner: Any) -> Access:
    return Access(lambda: owner.method(), lambda: owner.method.cell)


def of_methods(cls: type[Any]) -> Access:
    access = of_method(instance_of(cls))
    access.another = lambda: of_methods(cls)
    return access


def of_args(owner: Any) -> Access:
    return Access(lambda: owner.method("key"), lambda: owner.method.cell("key"), take_all=owner.method.take_all)


def of_attribute(gilonce: Any, cls: type[Any], slot: str | None = None) -> Access:
    """Return access to the `attribute` of a new instance, which keeps its value in `slot` or in its `__dict__`."""
    owner = instance_of(cls)

    def look() -> Any:
        return getattr(owner, slot, None) if slot else vars(owner).get("attribute")

    def assign(value: Any) -> None:
        owner.attribute = value

    def delete() -> None:
        del owner.attribute

    another = functools.partial(of_attribute, gilonce, cls, slot)
    cell_of = functools.partial(gilonce.cell_of, owner, "attribute")
    return Access(lambda: owner.attribute, cell_of=cell_of, look=look, assign=assign, delete=delete, another=another)


def of_class_attribute(gilonce: Any, cls: type[Any]) -> Access:
    return Access(lambda: cls.attribute, cell_of=functools.partial(gilonce.cell_of, cls, "attribute"))


def of_awaitable(start: Callable[[], Awaitable[Any]], cell: Callable[[], Any] | None = None) -> Access:
    return Access(lambda: drive(start()), cell, start=start)


def of_async_attribute(gilonce: Any, owner: Any) -> Access:
    access = of_awaitable(lambda: owner.attribute)
    return Access(access.touch, cell_of=functools.partial(gilonce.cell_of, owner, "attribute"), start=access.start)


def find_cell_of_proxy(gilonce: Any, it: Any) -> Callable[[], Any]:
    """Return a function that finds the cell of a proxy by an attribute of an instance, which keeps the proxy."""
    return functools.partial(gilonce.cell_of, SimpleNamespace(it=it), "it")


async def awaited(initializer: Initializer) -> Any:
    """Return what an initializer makes. If it is a coroutine function, await what it returns."""
    made = initializer()
    return await made if inspect.iscoroutine(made) else made


# The surfaces.


@surface
def cell(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    it = gilonce.GILOnceCell(discard=discard)
    another = functools.partial(cell, gilonce, initializer, discard)
    return Access(lambda: it.get_or_init(initializer), lambda: it, another=another)


@surface
def async_cell(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    it = gilonce.GILOnceCell(discard=discard)
    is_async = inspect.iscoroutinefunction(initializer)
    make = initializer if is_async else functools.partial(awaited, initializer)
    return of_awaitable(lambda: it.aget_or_init(make), lambda: it)


@surface
def once_function(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once(discard=discard)
    def function() -> Any:
        return initializer()

    return Access(function, lambda: function.cell)


@surface
def once_async_function(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once(discard=discard)
    async def function() -> Any:
        return await awaited(initializer)

    return of_awaitable(function, lambda: function.cell)


@surface
def once_method(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer()

    return of_methods(Owner)


@surface
def once_async_method(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once(discard=discard)
        async def method(self) -> Any:
            return await awaited(initializer)

    owner = instance_of(Owner)
    return of_awaitable(lambda: owner.method(), lambda: owner.method.cell)


@surface
def once_method_in_slot(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        __slots__ = ("_value",)

        @gilonce.once(slot="_value", discard=discard)
        def method(self) -> Any:
            return initializer()

    return of_methods(Owner)


@surface
def once_method_in_slot_beside_dict(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        # A cell of a user's class, given by `cell=`, is kept in the `__dict__`.
        __slots__ = ("__dict__", "_value")

        @gilonce.once(slot="_value", discard=discard)
        def method(self) -> Any:
            return initializer()

    return of_methods(Owner)


@surface
def once_async_method_in_slot(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        __slots__ = ("_value",)

        @gilonce.once(slot="_value", discard=discard)
        async def method(self) -> Any:
            return await awaited(initializer)

    owner = instance_of(Owner)
    return of_awaitable(lambda: owner.method(), lambda: owner.method.cell)


@surface
def once_above_classmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    return of_method(Owner)


@surface
def once_below_classmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @classmethod
        @gilonce.once(discard=discard)
        def method(cls) -> Any:
            return initializer()

    # From Python 3.13 on, a class method has no attribute for the cell.
    return Access(lambda: Owner.method(), cell_of=functools.partial(gilonce.cell_of, Owner, "method"))


@surface
def classmethod_of_subclass(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    # The class with the decorator gets the dict for its values when it is made; a subclass gets its own when it is
    # first touched.
    class Derived(Owner):
        pass

    return of_method(Derived)


@surface
def once_staticmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once(discard=discard)
        @staticmethod
        def method() -> Any:
            return initializer()

    return of_method(Owner)


class Key:
    """A key of a user's class. Comparing two keys runs Python code, in which threads can switch."""

    def __init__(self, name: object) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


@surface
def args_function(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once_per_args(discard=discard)
    def function(name: str, *, number: int = 0) -> Any:
        return initializer()

    return Access(lambda: function("key"), lambda: function.cell("key"), take_all=function.take_all)


@surface
def args_of_any_number(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once_per_args(discard=discard)
    def function(*args: Any, **kwargs: Any) -> Any:
        return initializer()

    return Access(lambda: function("key", 1, other=2), lambda: function.cell("key", 1, other=2))


@surface
def args_key_with_eq(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once_per_args(discard=discard)
    def function(key: Key) -> Any:
        return initializer()

    return Access(lambda: function(Key("key")), lambda: function.cell(Key("key")), take_all=function.take_all)


@surface
def args_async_function(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    @gilonce.once_per_args(discard=discard)
    async def function(name: str) -> Any:
        return await awaited(initializer)

    return of_awaitable(lambda: function("key"), lambda: function.cell("key"))


@surface
def args_method(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        __hash__ = None  # type: ignore[assignment]

        @gilonce.once_per_args(discard=discard)
        def method(self, name: str) -> Any:
            return initializer()

    return of_args(instance_of(Owner))


@surface
def args_above_classmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_per_args(discard=discard)
        @classmethod
        def method(cls, name: str) -> Any:
            return initializer()

    return of_args(Owner)


@surface
def args_below_classmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @classmethod
        @gilonce.once_per_args(discard=discard)
        def method(cls, name: str) -> Any:
            return initializer()

    return Access(lambda: Owner.method("key"), cell_of=lambda: Owner.method.cell(Owner, "key"))


@surface
def args_above_staticmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_per_args(discard=discard)
        @staticmethod
        def method(name: str) -> Any:
            return initializer()

    return of_args(Owner)


@surface
def args_below_staticmethod(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @staticmethod
        @gilonce.once_per_args(discard=discard)
        def method(name: str) -> Any:
            return initializer()

    return of_args(Owner)


@surface
def property_in_dict(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    return of_attribute(gilonce, Owner)


@surface
def property_in_slot(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        def attribute(self) -> Any:
            return initializer()

    return of_attribute(gilonce, Owner, "_attribute")


@surface
def property_in_slot_beside_dict(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        # A cell of a user's class, given by `cell=`, is kept in the `__dict__`.
        __slots__ = ("__dict__", "_attribute")

        @gilonce.once_property(slot="_attribute", discard=discard)
        def attribute(self) -> Any:
            return initializer()

    return of_attribute(gilonce, Owner, "_attribute")


@surface
def property_of_class(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    return of_class_attribute(gilonce, Owner)


@surface
def property_of_subclass(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    class Derived(Owner):
        pass

    return of_class_attribute(gilonce, Derived)


@surface
def static_property(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        @staticmethod
        def attribute() -> Any:
            return initializer()

    return of_class_attribute(gilonce, Owner)


@surface
def async_property(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        async def attribute(self) -> Any:
            return await awaited(initializer)

    return of_async_attribute(gilonce, instance_of(Owner))


@surface
def async_property_in_slot(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        async def attribute(self) -> Any:
            return await awaited(initializer)

    return of_async_attribute(gilonce, instance_of(Owner))


@surface
def async_property_of_class(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        async def attribute(cls) -> Any:
            return await awaited(initializer)

    return of_async_attribute(gilonce, Owner)


@surface
def property_through_super(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    class Base:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    class Derived(Base):
        @property
        def attribute(self) -> Any:
            return super().attribute

    owner = instance_of(Derived)
    return Access(lambda: owner.attribute)


@surface
def proxy(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    it = gilonce.lazy_global(initializer, discard=discard)
    return Access(lambda: it.__wrapped__, lambda: it._self_cell, find_cell_of_proxy(gilonce, it))


@surface
def reified_global(gilonce: Any, initializer: Initializer, discard: Any) -> Access:
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": initializer, "discard": discard}
    code = """
IT = lazy_global(make, discard=discard)
def touch():
    it = IT
    return getattr(it, "__wrapped__", it)
def assign(value):
    global IT
    IT = value
"""
    exec(compile(code, f"{__file__} (a module)", "exec"), namespace)
    made = namespace["IT"]

    def look() -> Any:
        return None if namespace["IT"] is made else namespace["IT"]

    return Access(namespace["touch"], cell_of=find_cell_of_proxy(gilonce, made), look=look, assign=namespace["assign"])
