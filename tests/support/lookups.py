"""Which names an operation looks up on an object and on its class: the bare object beside a proxy for it.

The object records every name that is asked of it as an attribute, and its metaclass every name that is asked of
its class. Special methods that the interpreter finds by itself leave no record. So the names that a proxy adds
are those that gilonce, or wrapt below it, looks up behind the user's back.
"""

from __future__ import annotations

import copy
import functools
import math
import operator
import os
import pickle
import sys
from collections import Counter
from types import ModuleType
from typing import Any

LOG: list[str] = []


class RecordingType(type):
    """A metaclass that records what is asked of its classes."""

    def __getattribute__(cls, name: str) -> Any:
        LOG.append(f"class.{name}")
        return type.__getattribute__(cls, name)


class Bare(metaclass=RecordingType):
    """Has no special methods, and None for every name without underscores."""

    def __getattribute__(self, name: str) -> Any:
        LOG.append(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class Hungry(Bare):
    """Gives None for names with two underscores, too, as dicts with attributes do."""

    def __getattr__(self, name: str) -> Any:
        return None


def answer(self: Any, *args: Any) -> Any:
    return 1


async def answer_later(self: Any, *args: Any) -> Any:
    return 1


ANSWERS = (
    "abs and add bool call ceil contains delitem divmod eq float floor floordiv format ge getitem gt hash "
    "index int invert le length_hint lshift lt matmul mod mul ne neg or pos pow radd rand rdivmod rfloordiv rlshift "
    "rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv rxor setitem sub truediv trunc xor "
    "len next enter exit set delete get set_name instancecheck subclasscheck iadd imul ior ipow "
)


class Able(Bare):
    """Has every special method."""

    locals().update({f"__{name}__": answer for name in ANSWERS.split()})
    locals().update({f"__{name}__": answer_later for name in ("aenter", "aexit", "anext")})

    def __iter__(self) -> Any:
        return iter([1])

    def __reversed__(self) -> Any:
        return iter([1])

    def __aiter__(self) -> Any:
        return self

    def __await__(self) -> Any:
        return iter(())

    def __fspath__(self) -> str:
        return "path"

    def __format__(self, spec: str) -> str:
        return "text"

    def __str__(self) -> str:
        return "text"

    def __repr__(self) -> str:
        return "text"

    def __bytes__(self) -> bytes:
        return b"bytes"

    def __complex__(self) -> complex:
        return 1j

    def __float__(self) -> float:
        return 1.0

    def __bool__(self) -> bool:
        return True

    def __instancecheck__(self, instance: object) -> bool:
        return True

    def __subclasscheck__(self, cls: object) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return ["name"]


class Other:
    """An operand that records, and that no operator knows."""

    def __getattribute__(self, name: str) -> Any:
        LOG.append(f"other.{name}")
        return object.__getattribute__(self, name)


class OtherType(type):
    """A class of this records what is asked of it."""

    def __getattribute__(cls, name: str) -> Any:
        LOG.append(f"other.{name}")
        return type.__getattribute__(cls, name)


def drive(coroutine: Any) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    return coroutine.close()


async def async_with(x: Any) -> None:
    async with x:
        pass


async def wait(x: Any) -> Any:
    return await x


def with_(x: Any) -> None:
    with x:
        pass


def class_body(x: Any) -> Any:
    return type("Owner", (), {"attribute": x})


def descriptor(x: Any) -> None:
    owner = class_body(x)()
    owner.attribute
    owner.attribute = 1
    del owner.attribute


def call_back(x: Any, name: str) -> Any:
    return getattr(x, name)


#: The modules that operations use.
MODULES = {module.__name__: module for module in (copy, functools, math, operator, os, pickle)}

#: Each is evaluated with the object, or a proxy for it, as `x`.
OPERATIONS: tuple[str, ...] = tuple(
    """
x.name; x.__name__; x.__module__; x.__doc__; x.__dict__; x.__class__; x.__call__; x.__enter__; x.__annotations__
x.__qualname__; x.__len__; x.__index__; x.__weakref__; x.__mro_entries__; x.__conform__; x.__wrapped_no_such__
hasattr(x, "other"); getattr(x, "other", None); vars(x); dir(x)
setattr(x, "name", 1); setattr(x, "__name__", 1); setattr(x, "__doc__", 1); setattr(x, "__module__", 1)
setattr(x, "__qualname__", 1); setattr(x, "__annotations__", {}); setattr(x, "__call__", 1)
delattr(x, "name"); delattr(x, "__doc__"); delattr(x, "__module__"); delattr(x, "__name__"); delattr(x, "__call__")
len(x); list(x); hash(x); str(x); repr(x); bool(x); iter(x); reversed(x); bytes(x); format(x); f"{x:>5}"; "%s" % (x,)
abs(x); int(x); float(x); complex(x); round(x); round(x, 1); operator.index(x); -x; +x; ~x; operator.length_hint(x)
math.floor(x); math.ceil(x); math.trunc(x); divmod(x, 3); divmod(30, x); pow(x, 2); pow(x, 2, 5); 2 ** x
x + 1; 1 + x; x - 1; 1 - x; x * 2; 2 * x; x @ 1; 1 @ x; x % 2; 2 % x; x // 2; 9 // x; x / 2; 9 / x
x << 1; 1 << x; x >> 1; 9 >> x; x & 1; 1 & x; x | 1; 1 | x; x ^ 1; 1 ^ x
x + other; other + x; x | other; other | x; x == other; other == x; x < other; x ** other; divmod(x, other); x @ other
operator.iadd(x, 1); operator.iadd(x, other); operator.imul(x, 2); operator.ior(x, 1); operator.ipow(x, 2)
operator.isub(x, other); operator.iadd(other, x); operator.iadd([], x)
x < 5; x <= 5; x > 5; x >= 5; 5 >= x; x == 7; x != 7; x == x
x[0]; x["a"]; 1 in x; operator.setitem(x, 0, 5); operator.delitem(x, 0); [*range(9)][x]; range(x)
x(); x(1, name=2); next(x); callable(x)
with_(x); drive(async_with(x)); drive(wait(x)); aiter(x); drive(wait(anext(x))); os.fspath(x)
isinstance(x, type(x)); isinstance(1, x); issubclass(int, x); issubclass(other_class, x); isinstance(other, x)
class_body(x); descriptor(x); functools.partial(call_back, x, "name")(); x is x; id(x)
copy.copy(x); copy.deepcopy(x); pickle.dumps(x, 2); pickle.dumps(x, 4)
""".replace("\n", ";").split(";")
)

#: These attributes are the proxy's own, so their values may differ from the object's.
OWN = {"x.__mro_entries__", "x.__conform__", "x.__wrapped_no_such__"}


def names_of(operation: str, x: Any) -> tuple[list[str], Any]:
    """Return which names an operation looks up, and what comes of it: a type."""
    names = {**globals(), **MODULES, "x": x, "other": Other(), "other_class": OtherType("Another", (), {})}
    LOG.clear()
    try:
        outcome = type(eval(operation, names))
    except Exception as error:
        outcome = type(error)
    return LOG.copy(), outcome


def differences(gilonce: ModuleType, cls: type, **options: Any) -> list[str]:
    """Return the operations on a proxy, untouched and touched, that look up more than on the object."""
    found = []
    for operation in filter(None, map(str.strip, OPERATIONS)):
        expected, outcome = names_of(operation, cls())
        untouched = gilonce.lazy_global(functools.partial(cls), reify=False, **options)
        touched = gilonce.lazy_global(functools.partial(cls), reify=False, **options)
        touched.name
        for state, proxy in {"untouched": untouched, "touched": touched}.items():
            if state == "untouched" and operation == "repr(x)":
                continue
            got, its_outcome = names_of(operation, proxy)
            more = set(Counter(got) - Counter(expected))
            if operation == "aiter(x)" and sys.implementation.name == "pypy":
                # PyPy checks the result of each `aiter()`, and the proxy's `__aiter__` calls it again.
                more.discard("__anext__")
            if more:
                found.append(f"{operation} ({state} {cls.__name__}) looks up {', '.join(sorted(more))}")
            if its_outcome is not outcome and operation not in OWN:
                found.append(f"{operation} ({state} {cls.__name__}) ends in {its_outcome}, not {outcome}")
    return found


def all_differences(gilonce: ModuleType) -> list[str]:
    """Return the differences for every class and kind of proxy."""
    cells: list[dict[str, Any]] = [{}, {"cell": gilonce.ThreadOnceCell}]
    return [
        found for cls in (Bare, Hungry, Able) for options in cells for found in differences(gilonce, cls, **options)
    ]
