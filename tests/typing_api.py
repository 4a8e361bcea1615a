"""What a user's types are: read by mypy --strict and pyright, never called.

A line with two ignores is one that both checkers must refuse: an ignore that is not needed is itself an error. From
`# once_per_args` on, ty and pyrefly must refuse it too, and what only one of them refuses has its own ignore.
"""
# Needs mypy's --strict --warn-unreachable, and pyright's enableTypeIgnoreComments = false.
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
import copy
import functools
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from typing_extensions import Self, assert_type

import gilonce
from gilonce import (
    AlreadySetError,
    Cell,
    DeadlockError,
    GILOnceCell,
    LoopOnceCell,
    OnceLock,
    ProcessOnceCell,
    ThreadOnceCell,
    lazy_global,
    once,
    once_per_args,
    once_property,
)

if TYPE_CHECKING:
    from gilonce import _ChosenCell  # pyright: ignore[reportPrivateUsage]

X = TypeVar("X")


class Config:
    port: int = 0


class SubConfig(Config): ...


def discard_int(value: int) -> None: ...
def discard_any(value: object) -> None: ...
def load_for(owner: object) -> int:
    return len(repr(owner))


def load() -> int:
    return 1


async def aload() -> int:
    return 1


def module() -> None:
    assert_type(gilonce.__version__, str)
    assert_type(gilonce.__implementation__, Literal["native", "python"])


# --- GILOnceCell


def cell_methods(cell: GILOnceCell[int]) -> None:
    assert_type(GILOnceCell[int](), GILOnceCell[int])
    assert_type(GILOnceCell(discard=discard_int), GILOnceCell[int])
    assert_type(GILOnceCell[int](discard=discard_any), GILOnceCell[int])
    GILOnceCell[str](discard=discard_int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    annotated: GILOnceCell[Config] = GILOnceCell()
    assert_type(annotated.get(), Config | None)
    assert_type(cell.get(), int | None)
    assert_type(cell.get(None), int | None)
    assert_type(cell.get("none"), int | str)
    assert_type(cell.get(default=0), int)
    assert_type(cell.get_or_init(load), int)
    assert_type(cell.get_or_init(lambda: 3), int)
    cell.get_or_init(str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cell.set(3)
    cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(cell.take(), int | None)
    assert_type(cell.take("none"), int | str)
    assert_type(cell.take(default=0), int)
    assert_type(cell.import_attr("sys", "maxsize"), int)
    assert_type(cell.is_set(), bool)
    assert_type(copy.copy(cell), GILOnceCell[int])
    assert_type(copy.deepcopy(cell), GILOnceCell[int])
    try:
        cell.set(4)
    except AlreadySetError as error:
        as_runtime_error: RuntimeError = error
        assert_type(error.value, object)
        raise as_runtime_error from None


async def cell_async(cell: GILOnceCell[int], awaitable: Callable[[], Awaitable[int]]) -> None:
    assert_type(await cell.aget_or_init(aload), int)
    assert_type(await cell.aget_or_init(awaitable), int)
    await cell.aget_or_init(load)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# --- @once on functions and other callables


@once
def plain() -> int:
    return 1


@once(discard=discard_int)
def plain_discard() -> int:
    return 1


@once(discard=discard_any)
def plain_discard_any() -> int:
    return 1


@once(discard=lambda connection: connection.close())
def plain_discard_lambda() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


@once(discard=sqlite3.Connection.close)
def plain_discard_method() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


@once()
def plain_empty() -> int:
    return 1


@once
def optional(port: int = 0) -> int:
    return port


@once
def nothing() -> None: ...


@once
async def coroutine() -> int:
    return 1


@once(discard=discard_int)
async def coroutine_discard() -> int:
    return 1


def functions() -> None:
    assert_type(plain(), int)
    assert_type(plain.cell, GILOnceCell[int])
    assert_type(plain.cell.take(), int | None)
    plain.cell.set(3)
    plain.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plain(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    plain(port=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(plain.__wrapped__(), int)
    assert_type(plain.__name__, str)
    assert_type(plain.__qualname__, str)
    assert_type(plain.__module__, str)
    assert_type(plain.__doc__, str | None)
    dependency: Callable[[], int] = plain
    assert_type(dependency(), int)

    assert_type(plain_discard(), int)
    assert_type(plain_discard.cell, GILOnceCell[int])
    plain_discard.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plain_discard(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(plain_discard_any(), int)
    assert_type(plain_discard_any.cell, GILOnceCell[int])
    assert_type(plain_discard_lambda(), sqlite3.Connection)
    assert_type(plain_discard_method(), sqlite3.Connection)
    assert_type(plain_empty(), int)

    assert_type(optional(), int)
    optional(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(nothing.cell, GILOnceCell[None])

    once(discard=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    once(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def async_functions() -> None:
    assert_type(await coroutine(), int)
    assert_type(coroutine.cell, GILOnceCell[int])
    coroutine.cell.set(3)
    coroutine.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await coroutine(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    made: Coroutine[Any, Any, int] = coroutine()
    assert_type(await asyncio.create_task(coroutine()), int)
    assert_type(await coroutine_discard(), int)
    assert_type(coroutine_discard.cell, GILOnceCell[int])
    await made


def factories() -> None:
    assert_type(once(threading.Lock)(), threading.Lock)
    assert_type(once(threading.Lock).cell, GILOnceCell[threading.Lock])
    assert_type(once(Config)(), Config)
    assert_type(once(Config).cell, GILOnceCell[Config])
    assert_type(once(dict[str, int])(), dict[str, int])
    assert_type(once(functools.partial(int, "3"))(), int)
    assert_type(once(functools.partial(int, "3")).cell, GILOnceCell[int])
    assert_type(once(lambda: 3)(), int)
    assert_type(once(Config, discard=discard_any)(), Config)
    assert_type(once(discard=discard_any)(Config)(), Config)
    assert_type(once(discard=discard_any)(functools.partial(int, "3")).cell, GILOnceCell[int])
    once(Config)(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# --- @once in classes


class Methods:
    @once
    def method(self) -> int:
        return 1

    @once
    async def amethod(self) -> int:
        return 1

    @once
    def me(self) -> Self:
        return self

    @once
    @classmethod
    def above(cls) -> int:
        return 1

    @classmethod
    @once
    def below(cls) -> int:
        return 1

    @once
    @classmethod
    async def aabove(cls) -> int:
        return 1

    @classmethod
    @once
    async def abelow(cls) -> int:
        return 1

    @classmethod
    @once
    def singleton(cls) -> Self:
        return cls()

    @once
    @staticmethod
    def static_above() -> int:
        return 1

    @staticmethod
    @once
    def static_below() -> int:
        return 1

    lock = once(threading.Lock)


class MethodsDiscard:
    @once(discard=discard_int)
    def method(self) -> int:
        return 1

    @once(discard=discard_int)
    async def amethod(self) -> int:
        return 1

    @once(discard=discard_any)
    def me(self) -> Self:
        return self

    @once(discard=discard_int)
    @classmethod
    def above(cls) -> int:
        return 1

    @classmethod
    @once(discard=discard_int)
    def below(cls) -> int:
        return 1

    @once(discard=discard_int)
    @classmethod
    async def aabove(cls) -> int:
        return 1

    @classmethod
    @once(discard=discard_int)
    async def abelow(cls) -> int:
        return 1

    @once(discard=discard_int)
    @staticmethod
    def static_above() -> int:
        return 1

    @staticmethod
    @once(discard=discard_int)
    def static_below() -> int:
        return 1


class MethodsChild(Methods):
    @once
    def method(self) -> int:
        return super().method() + 1

    @once
    @classmethod
    def above(cls) -> int:
        return super().above() + 1

    @classmethod
    @once
    def below(cls) -> int:
        return super().below() + 1


class MethodsDiscardChild(MethodsDiscard): ...


def methods(obj: Methods, child: MethodsChild) -> None:
    assert_type(obj.method(), int)
    assert_type(child.method(), int)
    assert_type(Methods.method(obj), int)
    assert_type(MethodsChild.method(child), int)
    assert_type(obj.method.cell, GILOnceCell[int])
    assert_type(child.method.cell, GILOnceCell[int])
    assert_type(obj.method.__wrapped__(obj), int)
    assert_type(Methods.method.__name__, str)
    assert_type(Methods.method.__qualname__, str)
    obj.method.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    obj.method(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Methods.method(obj, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Methods.method.cell  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    assert_type(obj.me(), Methods)
    assert_type(child.me(), MethodsChild)
    assert_type(child.me.cell, GILOnceCell[MethodsChild])

    assert_type(Methods.above(), int)
    assert_type(MethodsChild.above(), int)
    assert_type(obj.above(), int)
    assert_type(child.above(), int)
    assert_type(Methods.above.cell, GILOnceCell[int])
    assert_type(MethodsChild.above.cell, GILOnceCell[int])
    assert_type(obj.above.cell, GILOnceCell[int])
    Methods.above.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Methods.above(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    obj.above(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    assert_type(Methods.below(), int)
    assert_type(MethodsChild.below(), int)
    assert_type(obj.below(), int)
    assert_type(child.below(), int)
    assert_type(Methods.below.cell, GILOnceCell[int])
    assert_type(MethodsChild.below.cell, GILOnceCell[int])
    assert_type(obj.below.cell, GILOnceCell[int])
    Methods.below.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Methods.below(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    # mypy cannot solve the Self of a class method, and has Any.
    assert_type(Methods.singleton(), Methods)  # type: ignore[assert-type]
    assert_type(MethodsChild.singleton(), MethodsChild)  # type: ignore[assert-type]
    assert_type(MethodsChild.singleton(), Any)  # pyright: ignore[reportAssertTypeFailure]

    assert_type(Methods.static_above(), int)
    assert_type(obj.static_above(), int)
    assert_type(child.static_above(), int)
    assert_type(Methods.static_above.cell, GILOnceCell[int])
    assert_type(obj.static_above.cell, GILOnceCell[int])
    Methods.static_above(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(Methods.static_below(), int)
    assert_type(obj.static_below(), int)
    assert_type(child.static_below(), int)
    assert_type(Methods.static_below.cell, GILOnceCell[int])
    assert_type(obj.static_below.cell, GILOnceCell[int])
    Methods.static_below(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(Methods.lock(), threading.Lock)


async def async_methods(obj: Methods, child: MethodsChild) -> None:
    assert_type(await obj.amethod(), int)
    assert_type(await child.amethod(), int)
    assert_type(await Methods.amethod(obj), int)
    assert_type(obj.amethod.cell, GILOnceCell[int])
    assert_type(await Methods.aabove(), int)
    assert_type(await MethodsChild.aabove(), int)
    assert_type(await obj.aabove(), int)
    assert_type(Methods.aabove.cell, GILOnceCell[int])
    assert_type(obj.aabove.cell, GILOnceCell[int])
    assert_type(await Methods.abelow(), int)
    assert_type(await obj.abelow(), int)
    assert_type(Methods.abelow.cell, GILOnceCell[int])
    obj.amethod.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    made: Coroutine[Any, Any, int] = obj.amethod()
    await made


def methods_discard(obj: MethodsDiscard, child: MethodsDiscardChild) -> None:
    assert_type(obj.method(), int)
    assert_type(child.method(), int)
    assert_type(MethodsDiscard.method(obj), int)
    assert_type(obj.method.cell, GILOnceCell[int])
    obj.method.cell.set("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    obj.method(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(child.me(), MethodsDiscardChild)
    assert_type(MethodsDiscard.above(), int)
    assert_type(MethodsDiscardChild.above(), int)
    assert_type(child.above(), int)
    assert_type(MethodsDiscard.above.cell, GILOnceCell[int])
    MethodsDiscard.above(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(MethodsDiscard.below(), int)
    assert_type(MethodsDiscardChild.below(), int)
    assert_type(child.below(), int)
    assert_type(child.below.cell, GILOnceCell[int])
    assert_type(MethodsDiscard.static_above(), int)
    assert_type(child.static_above.cell, GILOnceCell[int])
    assert_type(MethodsDiscard.static_below(), int)
    assert_type(child.static_below.cell, GILOnceCell[int])


async def async_methods_discard(obj: MethodsDiscard) -> None:
    assert_type(await obj.amethod(), int)
    assert_type(obj.amethod.cell, GILOnceCell[int])
    assert_type(await MethodsDiscard.aabove(), int)
    assert_type(await obj.aabove(), int)
    assert_type(MethodsDiscard.aabove.cell, GILOnceCell[int])
    assert_type(await MethodsDiscard.abelow(), int)
    assert_type(MethodsDiscard.abelow.cell, GILOnceCell[int])


class Box(Generic[X]):
    def __init__(self, x: X) -> None:
        self.x = x

    @once
    def method(self) -> X:
        return self.x

    @once(discard=discard_any)
    def method_discard(self) -> list[X]:
        return [self.x]

    @once_property
    def attr(self) -> X:
        return self.x

    @once_property(slot="_slotted")
    def slotted(self) -> list[X]:
        return [self.x]


class IntBox(Box[int]): ...


def generic(obj: Box[str], child: IntBox) -> None:
    assert_type(obj.method(), str)
    assert_type(obj.method.cell, GILOnceCell[str])
    assert_type(child.method(), int)
    assert_type(child.method_discard(), list[int])
    assert_type(obj.attr, str)
    assert_type(child.attr, int)
    assert_type(child.slotted, list[int])
    obj.attr = "x"
    child.attr = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


class HasConfig(Protocol):
    def config(self) -> Config: ...


def takes_protocol(obj: HasConfig) -> None:
    assert_type(obj.config(), Config)


class Abstract(ABC):
    @once
    @abstractmethod
    def config(self) -> Config: ...

    @once_property
    @abstractmethod
    def attr(self) -> Config: ...


class Concrete(Abstract):
    @once
    def config(self) -> SubConfig:
        return SubConfig()

    @once_property
    def attr(self) -> SubConfig:
        return SubConfig()


def abstract(obj: Abstract, concrete: Concrete) -> None:
    Abstract()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
    assert_type(obj.config(), Config)
    assert_type(concrete.config(), SubConfig)
    assert_type(obj.attr, Config)
    assert_type(concrete.attr, SubConfig)
    takes_protocol(obj)
    takes_protocol(concrete)


class Properties:
    @property
    @once
    def read_only(self) -> int:
        return 1

    @property
    @once()
    def with_parentheses(self) -> list[str]:
        return []

    @property
    @once
    async def awaited(self) -> int:
        return 1

    @property
    @once(cell=OnceLock)
    def with_a_cell(self) -> int:
        return 1

    @property
    @once
    def settable(self) -> int:
        return 1

    @settable.setter
    def settable(self, value: int) -> None: ...


class PropertiesChild(Properties):
    @property
    @once
    def read_only(self) -> int:
        return super().read_only + 1


async def properties(obj: Properties, child: PropertiesChild) -> None:
    assert_type(obj.read_only, int)
    assert_type(child.read_only, int)
    assert_type(obj.with_parentheses, list[str])
    assert_type(await obj.awaited, int)
    assert_type(obj.with_a_cell, int)
    assert_type(obj.settable, int)
    obj.settable = 3
    obj.settable = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    obj.read_only = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# --- @once(slot=...)


class InSlots(Generic[X]):
    __slots__ = ("_amethod", "_both", "_chosen", "_method", "x")

    def __init__(self, x: X) -> None:
        self.x = x

    @once(slot="_method")
    def method(self) -> X:
        return self.x

    @once(slot="_both", discard=discard_any)
    def both(self, extra: int = 1) -> list[X]:
        return [self.x] * extra

    @once(slot="_amethod")
    async def amethod(self) -> X:
        return self.x

    @once(slot="_chosen", cell=OnceLock)
    def chosen(self) -> int:
        return 1

    called = once(load_for, slot="_called")
    called_chosen = once(load_for, slot="_called_chosen", cell=OnceLock)


async def in_slots(obj: InSlots[str]) -> None:
    assert_type(obj.method(), str)
    assert_type(obj.method.cell, GILOnceCell[str])
    assert_type(obj.method.__name__, str)
    assert_type(obj.both(), list[str])
    assert_type(await obj.amethod(), str)
    assert_type(obj.amethod.cell, GILOnceCell[str])
    assert_type(obj.chosen(), int)
    assert_type(obj.chosen.cell, _ChosenCell[int])
    assert_type(obj.called(), int)
    assert_type(obj.called.cell, GILOnceCell[int])
    assert_type(obj.called_chosen.cell, _ChosenCell[int])
    obj.method(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    once(slot=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    once(load, slot="_x")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    once(slot="_x")(load)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    once(load_for, slot="_x", cell=OnceLock, discard=discard_int)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


# --- once_property


class Attributes:
    @once_property
    def attr(self) -> int:
        return 1

    @once_property
    def me(self) -> Self:
        return self

    @once_property
    async def aattr(self) -> int:
        return 1

    @once_property
    @classmethod
    def of_class(cls) -> int:
        return 1

    @once_property
    @classmethod
    async def aof_class(cls) -> int:
        return 1

    @once_property
    @staticmethod
    def static() -> int:
        return 1


class AttributesArgs:
    __slots__ = ("_attr", "_both", "_me")

    @once_property(slot="_attr")
    def attr(self) -> int:
        return 1

    @once_property(slot="_both", discard=discard_int)
    def both(self) -> int:
        return 1

    @once_property(slot="_me")
    def me(self) -> Self:
        return self

    @once_property(discard=discard_int)
    async def aattr(self) -> int:
        return 1

    @once_property(discard=discard_any)
    @classmethod
    def of_class(cls) -> int:
        return 1

    @once_property(discard=discard_int)
    @classmethod
    async def aof_class(cls) -> int:
        return 1

    @once_property(discard=lambda value: value.bit_length())
    @staticmethod
    def static() -> int:
        return 1

    @once_property()
    def empty(self) -> int:
        return 1


class AttributesChild(Attributes):
    @once_property
    def attr(self) -> int:
        return super().attr + 1

    @once_property
    @classmethod
    def of_class(cls) -> int:
        return super().of_class + 1


class AttributesArgsChild(AttributesArgs): ...


@dataclass(frozen=True)
class Frozen:
    x: int

    @once_property
    def attr(self) -> int:
        return self.x


def attributes(obj: Attributes, child: AttributesChild, frozen: Frozen) -> None:
    assert_type(obj.attr, int)
    assert_type(child.attr, int)
    assert_type(Attributes.attr, once_property[int])
    assert_type(AttributesChild.attr, once_property[int])
    assert_type(child.me, AttributesChild)
    assert_type(frozen.attr, int)
    obj.attr = 3
    obj.attr = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    del obj.attr

    assert_type(Attributes.of_class, int)
    assert_type(AttributesChild.of_class, int)
    assert_type(obj.of_class, int)
    assert_type(child.of_class, int)
    obj.of_class = 3
    assert_type(Attributes.static, int)
    assert_type(AttributesChild.static, int)
    assert_type(obj.static, int)


async def async_attributes(obj: Attributes, child: AttributesChild) -> None:
    made: Coroutine[Any, Any, int] = obj.aattr
    assert_type(await made, int)
    assert_type(await obj.aattr, int)
    assert_type(await child.aattr, int)
    assert_type(await asyncio.create_task(obj.aattr), int)
    obj.aattr = obj.aattr
    assert_type(await Attributes.aof_class, int)
    assert_type(await AttributesChild.aof_class, int)
    assert_type(await obj.aof_class, int)


def attributes_args(obj: AttributesArgs, child: AttributesArgsChild) -> None:
    assert_type(obj.attr, int)
    assert_type(child.attr, int)
    assert_type(AttributesArgs.attr, once_property[int])
    obj.attr = 3
    obj.attr = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    del obj.attr
    assert_type(obj.both, int)
    assert_type(obj.empty, int)
    assert_type(child.me, AttributesArgsChild)
    assert_type(AttributesArgs.both, once_property[int])
    assert_type(AttributesArgs.of_class, int)
    assert_type(AttributesArgsChild.of_class, int)
    assert_type(obj.of_class, int)
    assert_type(AttributesArgs.static, int)
    assert_type(obj.static, int)
    once_property(slot=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    once_property(discard=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    once_property(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def async_attributes_args(obj: AttributesArgs) -> None:
    assert_type(await obj.aattr, int)
    assert_type(await obj.aof_class, int)
    assert_type(await AttributesArgs.aof_class, int)
    made: Coroutine[Any, Any, int] = obj.aattr
    await made


class my_property(once_property[X]):
    """A user's own."""


class Subclassed:
    @my_property
    def attr(self) -> int:
        return 1

    @my_property(slot="_args")
    def args(self) -> int:
        return 1


def subclassed(obj: Subclassed) -> None:
    assert_type(obj.attr, int)
    assert_type(obj.args, int)
    assert_type(Subclassed.attr, my_property[int])
    base: once_property[int] = Subclassed.attr
    assert_type(base.__get__(obj), int)
    obj.attr = 3
    del obj.attr


# --- lazy_global

NUMBER = lazy_global(load)
CONFIG = lazy_global(Config)


def lazy_globals() -> None:
    assert_type(NUMBER, int)
    assert_type(CONFIG, Config)
    assert_type(CONFIG.port, int)
    CONFIG.port = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    assert_type(lazy_global(dict[str, int]), dict[str, int])
    assert_type(lazy_global(functools.partial(Decimal, "3")), Decimal)
    assert_type(lazy_global(lambda: 3), int)
    assert_type(lazy_global(plain), int)
    assert_type(lazy_global(load, interface=int), int)
    assert_type(lazy_global(SubConfig, interface=Config), SubConfig)
    assert_type(lazy_global(Concrete, interface=Abstract), Concrete)
    assert_type(lazy_global(load, reify=False), int)
    assert_type(lazy_global(load, discard=discard_int), int)
    assert_type(lazy_global(load, discard=discard_any), int)
    assert_type(lazy_global(Config, interface=Config, reify=False, discard=discard_any), Config)
    lazy_global(Config, discard=discard_int)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    lazy_global(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# --- other cells


def other_cells(cell: OnceLock[int]) -> None:
    assert_type(OnceLock[int](), OnceLock[int])
    assert_type(OnceLock[int](timeout=3.5), OnceLock[int])
    OnceLock[int](timeout="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    OnceLock[int](discard=discard_int)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(cell.get_or_init(load), int)
    assert_type(cell.timeout, float | None)
    assert_type(copy.copy(cell), OnceLock[int])
    error: RuntimeError = DeadlockError("a cycle")
    assert_type(str(error), str)
    per_thread = ThreadOnceCell(discard=discard_int)
    assert_type(per_thread, ThreadOnceCell[int])
    assert_type(per_thread.get(), int | None)
    assert_type(per_thread.get(""), int | str)
    assert_type(per_thread.take(), int | None)
    assert_type(per_thread.is_set(), bool)
    per_loop = LoopOnceCell(discard=discard_int)
    assert_type(per_loop, LoopOnceCell[int])
    assert_type(per_loop.get(), int | None)
    assert_type(per_loop.take(""), int | str)
    assert_type(per_loop.get_or_init(load), int)
    assert_type(copy.copy(per_loop), LoopOnceCell[int])
    assert_type(ProcessOnceCell(discard=discard_int), ProcessOnceCell[int])
    assert_type(ProcessOnceCell[str]().get(), str | None)


async def async_other_cells(cell: ThreadOnceCell[int], per_loop: LoopOnceCell[int], lock: OnceLock[int]) -> None:
    assert_type(await cell.aget_or_init(aload), int)
    assert_type(await per_loop.aget_or_init(aload), int)
    assert_type(await lock.aget_or_init(aload), int)


class OwnCell(Generic[X]):
    """What a user brings: it derives from nothing."""

    final = True

    def get(self, default: Any = None) -> Any: ...
    def is_set(self) -> bool:
        return False

    def get_or_init(self, initializer: Callable[[], X]) -> X:
        return initializer()

    async def aget_or_init(self, initializer: Callable[[], Awaitable[X]]) -> X:
        return await initializer()

    def set(self, value: X) -> None: ...
    def take(self, default: Any = None) -> Any: ...


def protocol() -> None:
    ours = (GILOnceCell[int](), OnceLock[int](), ThreadOnceCell[int](), LoopOnceCell[int](), ProcessOnceCell[int]())
    for cell in (*ours, OwnCell[int]()):
        accepted: Cell[int] = cell
        assert_type(accepted.get_or_init(load), int)
    refused: Cell[int] = [1]  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    assert refused


@once(cell=OnceLock)
def locked() -> int:
    return 1


@once(cell=functools.partial(OnceLock[Any], timeout=30))
async def alocked() -> int:
    return 1


@once(cell=LoopOnceCell)
async def of_loop() -> int:
    return 1


class Chosen:
    @once(cell=OwnCell)
    def method(self) -> int:
        return 1

    @once(cell=ThreadOnceCell)
    @classmethod
    def of_class(cls) -> int:
        return 1

    @once_property(cell=OnceLock)
    def attribute(self) -> int:
        return 1

    @once_property(cell=OnceLock, slot="_slotted")
    def slotted(self) -> str:
        return ""

    @once_property(cell=LoopOnceCell)
    async def per_loop(self) -> int:
        return 1


async def chosen(it: Chosen) -> None:
    assert_type(await alocked(), int)
    assert_type(await of_loop(), int)
    assert_type(of_loop.cell, _ChosenCell[int])
    assert_type(locked(), int)
    assert_type(locked.cell, _ChosenCell[int])
    assert_type(alocked.cell, _ChosenCell[int])
    assert_type(it.method(), int)
    assert_type(it.method.cell, _ChosenCell[int])
    assert_type(Chosen.of_class(), int)
    assert_type(Chosen.of_class.cell, _ChosenCell[int])
    assert_type(it.attribute, int)
    assert_type(it.slotted, str)
    assert_type(await it.per_loop, int)
    assert_type(once(load, cell=ProcessOnceCell)(), int)
    assert_type(once(load, cell=ProcessOnceCell).cell, _ChosenCell[int])
    assert_type(once(load).cell, GILOnceCell[int])
    assert_type(lazy_global(load, cell=ThreadOnceCell), int)
    once(load, cell=OnceLock())  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    once(load, cell=list)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    once(load, cell=OnceLock, discard=discard_int)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    lazy_global(load, cell=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# once_per_args.


@once_per_args
def client(region: str, /, zone: int = 1, *, profile: str = "default") -> Config:
    return Config()


@once_per_args(key=str.lower, typed=True, discard=discard_any)
async def aclient(region: str) -> Config:
    return Config()


@once_per_args(cell=OnceLock)
def locked_client(region: str) -> Config:
    return Config()


class PerArgs:
    @once_per_args
    def method(self, region: str, zone: int = 1) -> Config:
        return Config()

    @once_per_args(discard=discard_any)
    async def amethod(self, region: str) -> Config:
        return Config()

    @once_per_args
    @classmethod
    def of_class(cls, region: str) -> Config:
        return Config()

    @staticmethod
    @once_per_args
    def static(region: str) -> Config:
        return Config()


def per_args(it: PerArgs) -> None:
    assert_type(client("eu"), Config)
    assert_type(client("eu", 1, profile="x"), Config)
    assert_type(client.cell("eu", zone=2), GILOnceCell[Config])
    assert_type(client.take_all(), list[Config])
    assert_type(client.cache_clear(), None)
    assert_type(locked_client("eu"), Config)
    assert_type(locked_client.cell("eu"), Cell[Config])
    client(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client("eu", other=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.cell(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.cell()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.cell(region="eu")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    assert_type(it.method("eu"), Config)
    assert_type(it.method("eu", zone=2), Config)
    assert_type(PerArgs.method(it, "eu"), Config)
    assert_type(it.method.cell("eu"), GILOnceCell[Config])
    assert_type(it.method.take_all(), list[Config])
    it.method(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.method()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    it.method.cell(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.method.cell(it, "eu")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert_type(PerArgs.of_class("eu"), Config)
    assert_type(it.of_class("eu"), Config)
    assert_type(PerArgs.of_class.cell("eu"), GILOnceCell[Config])
    assert_type(PerArgs.of_class.take_all(), list[Config])
    PerArgs.of_class(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    PerArgs.of_class.cell(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert_type(PerArgs.static("eu"), Config)
    PerArgs.static(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def per_args_async(it: PerArgs) -> None:
    assert_type(await aclient("eu"), Config)
    assert_type(aclient.cell("eu"), GILOnceCell[Config])
    assert_type(aclient.take_all(), list[Config])
    assert_type(await it.amethod("eu"), Config)
    assert_type(it.amethod.cell("eu"), GILOnceCell[Config])
    await it.amethod(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# Functions with all kinds of first parameters. None is taken for a method or class method.


@once_per_args
def of_object(it: object) -> int:
    return 1


@once_per_args
def of_any(it: Any, zone: int = 1) -> int:
    return 1


@once_per_args
def of_hashable(it: Hashable) -> int:
    return 1


@once_per_args
def of_union(it: str | type[int]) -> int:
    return 1


@once_per_args
def of_class(model: type[Config], *, zone: int = 1) -> int:
    return 1


@once_per_args
def of_type(cls: type[X], name: str = "") -> X:
    return cls()


@once_per_args(cell=OnceLock)
def locked_of_type(cls: type[X]) -> X:
    return cls()


@once_per_args(discard=discard_any)
async def aof_type(cls: type[X]) -> X:
    return cls()


@once_per_args
def of_value(it: X, zone: int = 1) -> list[X]:
    return [it]


@once_per_args
def of_callable(make: Callable[..., X]) -> X:
    return make()


@once_per_args
def of_all(*args: Any, **kwargs: Any) -> int:
    return 1


@once_per_args
def of_objects(*args: object) -> int:
    return 1


@once_per_args
def of_keyword(*, zone: int) -> int:
    return 1


@once_per_args
def of_nothing() -> int:
    return 1


def per_args_functions() -> None:
    assert_type(of_object(3), int)
    assert_type(of_object(it=3), int)
    assert_type(of_object(Config), int)
    assert_type(of_object.cell(3), GILOnceCell[int])
    assert_type(of_object.take_all(), list[int])
    of_object.cache_clear()
    of_object()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    of_object(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    of_object.cell(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    assert_type(of_any(3), int)
    assert_type(of_any(it=3, zone=2), int)
    assert_type(of_any.cell(3), GILOnceCell[int])
    of_any(3, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(of_hashable("x"), int)
    assert_type(of_hashable.cell(it="x"), GILOnceCell[int])
    of_hashable([])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(of_union("x"), int)
    assert_type(of_union(int), int)
    of_union(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert_type(of_class(Config), int)
    assert_type(of_class(model=SubConfig, zone=2), int)
    assert_type(of_class.cell(Config), GILOnceCell[int])
    assert_type(of_class.take_all(), list[int])
    of_class(int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    of_class.cell(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    # Pyrefly has Unknown where a function is generic, so these are assigned and not asserted.
    config: Config = of_type(Config)
    config = of_type(cls=SubConfig, name="x")
    cell: GILOnceCell[Config] = of_type.cell(Config)
    config = locked_of_type(Config)
    chosen_cell: Cell[Config] = locked_of_type.cell(Config)
    of_type(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    of_type(Config, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    of_type.cell(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    locked_of_type(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    numbers: list[int] = of_value(3)
    numbers = of_value(it=3, zone=2)
    of_value(3, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    number: int = of_callable(load)
    of_callable(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(config, cell, chosen_cell, numbers, number)

    assert_type(of_all(), int)
    assert_type(of_all(3, x=3), int)
    assert_type(of_all.cell(3, x=3), GILOnceCell[int])
    assert_type(of_objects(Config, 3), int)
    of_objects(x=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(of_keyword(zone=1), int)
    of_keyword(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(of_nothing(), int)
    assert_type(of_nothing.cell(), GILOnceCell[int])
    of_nothing(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def per_args_async_functions() -> None:
    config: Config = await aof_type(Config)
    cell: GILOnceCell[Config] = aof_type.cell(Config)
    await aof_type(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(config, cell)


class Kinds:
    @once_per_args
    def method(self, zone: int) -> int:
        return 1

    @once_per_args
    def of_object(self, it: object, /) -> int:
        return 1

    @once_per_args
    def of_type(self, cls: type[X]) -> X:
        return cls()

    @once_per_args(cell=OnceLock)
    async def aof_type(self, cls: type[X]) -> X:
        return cls()

    @once_per_args
    def of_all(self, *args: Any, zone: int = 1, **kwargs: Any) -> int:
        return 1

    @once_per_args
    def anything(self, zone: int) -> Any: ...

    @once_per_args
    def me(self, zone: int) -> Self:
        return self

    @once_per_args
    def of_any_self(self: Any, zone: int) -> int:
        return 1

    @once_per_args
    @staticmethod
    def static(zone: int) -> int:
        return 1

    @staticmethod
    @once_per_args
    def static_below(zone: int) -> int:
        return 1

    @staticmethod
    @once_per_args
    async def astatic(zone: int) -> int:
        return 1

    @staticmethod
    @once_per_args
    def static_of_class(model: type[Config], zone: int = 1) -> int:
        return 1

    @once_per_args
    @staticmethod
    def static_of_keyword(*, zone: int) -> int:
        return 1

    @once_per_args
    @staticmethod
    def static_of_nothing() -> int:
        return 1

    @once_per_args
    @staticmethod
    def static_of_object(it: object) -> int:
        return 1

    @staticmethod
    @once_per_args
    def static_of_type(model: type[X], zone: int) -> X:
        return model()

    @staticmethod
    @once_per_args
    def static_of_all(*args: Any, **kwargs: Any) -> int:
        return 1

    @staticmethod
    @once_per_args
    def static_of_kinds(it: Kinds) -> int:
        return 1

    @once_per_args
    @classmethod
    def above(cls, zone: int) -> int:
        return 1

    @classmethod
    @once_per_args
    def below(cls, zone: int) -> int:
        return 1

    @once_per_args
    @classmethod
    async def aabove(cls, zone: int) -> int:
        return 1

    @classmethod
    @once_per_args
    async def abelow(cls, zone: int) -> int:
        return 1

    @once_per_args
    @classmethod
    def above_of_type(cls, model: type[X]) -> X:
        return model()

    @once_per_args
    @classmethod
    def made(cls, zone: int) -> Self:
        return cls()


class KindsChild(Kinds):
    # Pyright and pyrefly compare the methods before binding, and so the types of `self`. For them every override of a
    # method or class method is an error.
    @once_per_args
    def method(self, zone: int) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  # pyrefly: ignore[bad-override]
        return super().method(zone) + 1

    @once_per_args
    @classmethod
    def above(cls, zone: int) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  # pyrefly: ignore[bad-override]
        return super().above(zone) + 1

    # For mypy, the override of a generic method or of one that returns Any is an error too.
    @once_per_args
    def anything(self, zone: int) -> Any: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]  # not in ty


def per_args_methods(it: Kinds, child: KindsChild) -> None:
    assert_type(it.method(1), int)
    assert_type(it.method(zone=1), int)
    assert_type(child.method(1), int)
    assert_type(Kinds.method(it, 1), int)
    assert_type(Kinds.method.cell(it, 1), GILOnceCell[int])
    it.method("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.method(it, 1)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    child.method("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Kinds.method(1)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    Kinds.method(it, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(it.of_object(3), int)
    assert_type(it.of_object.cell(3), GILOnceCell[int])
    it.of_object()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    it.of_object(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    config: Config = it.of_type(Config)
    config = Kinds.of_type(it, Config)
    cell: GILOnceCell[Config] = it.of_type.cell(Config)
    it.of_type(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.of_type.cell(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(it.of_all(), int)
    assert_type(it.of_all(1, zone=2, x=3), int)
    it.of_all(zone="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.anything(1)
    it.anything("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    # Mypy has Any for what returns Self.
    me: Kinds = it.me(1)
    me = Kinds.made(1)
    it.me("x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    # The type of `self` says nothing here, so more arguments are accepted than at run time.
    it.of_any_self(1)
    it.of_any_self.cell(1)
    assert_type(Kinds.of_any_self(it, 1), int)
    print(config, cell, me)


def per_args_static_methods(it: Kinds) -> None:
    assert_type(Kinds.static(1), int)
    assert_type(it.static(1), int)
    assert_type(it.static(zone=1), int)
    assert_type(it.static.cell(1), GILOnceCell[int])
    assert_type(Kinds.static.take_all(), list[int])
    assert_type(Kinds.static_below(1), int)
    assert_type(it.static_below(1), int)
    assert_type(Kinds.static_below.cell(zone=1), GILOnceCell[int])
    Kinds.static("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.static("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.static()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    it.static.cell("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.static_below("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(Kinds.static_of_class(Config), int)
    assert_type(it.static_of_class(model=Config, zone=1), int)
    it.static_of_class(int)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(it.static_of_keyword(zone=1), int)
    it.static_of_keyword(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(it.static_of_nothing(), int)
    it.static_of_nothing(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    # These could be methods whose `self` is any object. So a call with one argument less is accepted too.
    assert_type(Kinds.static_of_object(3), int)
    assert_type(it.static_of_object(it=3), int)
    it.static_of_object.cell(3)
    Kinds.static_of_object(1, 2)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    it.static_of_object(1, 2)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    config: Config = Kinds.static_of_type(Config, 1)
    config = it.static_of_type(Config, zone=1)
    Kinds.static_of_type(Config, "x")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    Kinds.static_of_type(3, 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    Kinds.static_of_all()
    it.static_of_all(1, x=3)
    # By its types, this could be a method. The call is right, and only ty knows it.
    assert_type(Kinds.static_of_kinds(it), int)
    it.static_of_kinds(it)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # not in ty
    print(config)


def per_args_class_methods(it: Kinds, child: KindsChild) -> None:
    assert_type(Kinds.above(1), int)
    assert_type(it.above(zone=1), int)
    assert_type(KindsChild.above(1), int)
    assert_type(child.above(1), int)
    assert_type(Kinds.above.cell(1), GILOnceCell[int])
    assert_type(it.above.take_all(), list[int])
    assert_type(Kinds.below(1), int)
    assert_type(it.below(1), int)
    assert_type(KindsChild.below(1), int)
    assert_type(Kinds.below.take_all(), list[int])
    # Ty binds by itself what is below @classmethod, and does not know the result's `cell`.
    assert_type(Kinds.below.cell(1), GILOnceCell[int])  # ty: ignore[no-matching-overload]
    Kinds.above("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Kinds.above()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Kinds.above(Kinds, 1)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    Kinds.above.cell("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.above("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Kinds.below("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    it.below("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    config: Config = Kinds.above_of_type(Config)
    config = it.above_of_type(Config)
    Kinds.above_of_type(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(config)


async def per_args_async_methods(it: Kinds) -> None:
    config: Config = await it.aof_type(Config)
    cell: Cell[Config] = it.aof_type.cell(Config)
    assert_type(await Kinds.aabove(1), int)
    assert_type(await it.aabove(1), int)
    assert_type(Kinds.aabove.cell(1), GILOnceCell[int])
    assert_type(await Kinds.abelow(1), int)
    assert_type(await it.astatic(1), int)
    assert_type(Kinds.astatic.cell(1), GILOnceCell[int])
    await it.aabove("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await it.astatic("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(config, cell)


# Methods under @once whose `self` may be any object.


class AnySelf:
    @once
    def of_object(self: object) -> int:
        return 1

    @once(discard=discard_int)
    def of_object_discard(self: object) -> int:
        return 1

    @once(cell=OnceLock)
    def of_object_locked(self: object) -> int:
        return 1

    @once
    def me(self: X) -> X:
        return self

    @once(discard=discard_any)
    def me_discard(self: X) -> X:
        return self

    @once(cell=OnceLock)
    def me_locked(self: X) -> X:
        return self

    @once_property
    def attr(self: X) -> X:
        return self

    @once_property(discard=discard_any)
    def attr_discard(self: X) -> X:
        return self


def any_self(it: AnySelf) -> None:
    assert_type(it.of_object(), int)
    assert_type(it.of_object.cell, GILOnceCell[int])
    assert_type(AnySelf.of_object(it), int)
    assert_type(it.of_object_discard(), int)
    assert_type(AnySelf.of_object_discard(it), int)
    assert_type(it.of_object_locked(), int)
    assert_type(it.of_object_locked.cell, _ChosenCell[int])
    assert_type(AnySelf.of_object_locked(it), int)
    it.of_object(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    me: AnySelf = it.me()
    me = AnySelf.me(it)
    me = it.me_discard()
    me = AnySelf.me_discard(it)
    me = it.me_locked()
    me = AnySelf.me_locked(it)
    me = it.attr
    me = it.attr_discard
    print(me)
