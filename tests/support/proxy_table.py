"""What a proxy does beside what its object does, for many kinds of objects and every special method.

`differences()` compares outcomes: the type and text of a result, or the type and text of an error. `REASONS` says why
those that differ do. `readme_table()` makes the table in the README from it:
`python tests/support/proxy_table.py` prints that.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import copy
import dataclasses
import fractions
import inspect
import io
import json
import math
import operator
import os
import pickle
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

try:
    import numpy
except ModuleNotFoundError:
    numpy = None


def make_function() -> Callable[..., Any]:
    def function(*args: object, **kwargs: object) -> object:
        """Return what it is given."""
        return args, kwargs

    return function


def make_class() -> type:
    class Class:
        """A class, and what makes `Class[int]` work."""

        __class_getitem__ = classmethod(types.GenericAlias)

        def __init__(self, *args: object, a: int = 1) -> None:
            """`inspect.signature` finds this."""

        def __repr__(self) -> str:
            return "an instance"

    return Class


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 1


@dataclasses.dataclass
class Point:
    x: int = 1
    y: int = 2


class Manager:
    def __enter__(self) -> str:
        return "entered"

    def __exit__(self, *error: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "a manager"


class CallableManager(Manager):
    def __call__(self) -> str:
        return "called"


class AsyncManager:
    async def __aenter__(self) -> str:
        return "entered"

    async def __aexit__(self, *error: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "a manager"


class Descriptor:
    def __get__(self, instance: object, owner: object) -> str:
        return "got"

    def __set__(self, instance: object, value: object) -> None:
        vars(instance)["set"] = value

    def __delete__(self, instance: object) -> None:
        vars(instance)["deleted"] = True

    def __repr__(self) -> str:
        return "a descriptor"


def generate() -> Iterator[int]:
    yield from (1, 2)


async def coroutine() -> str:
    return "awaited"


_coroutines: list[Any] = []


def make_coroutine() -> Any:
    _coroutines.append(coroutine())
    return _coroutines[-1]


@contextlib.contextmanager
def closing_coroutines() -> Iterator[None]:
    """Close the coroutines that are made inside: PyPy may warn, long after the test, that one was never awaited."""
    try:
        yield
    finally:
        while _coroutines:
            _coroutines.pop().close()


async def async_generate() -> Any:
    yield 1


#: A function for every kind that makes an object of it.
KINDS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "bool": lambda: True,
    "int": lambda: 7,
    "float": lambda: 7.5,
    "str": lambda: "text",
    "str of digits": lambda: "7",
    "bytes": lambda: b"bytes",
    "bytearray": lambda: bytearray(b"bytes"),
    "list": lambda: [2, 1],
    "tuple": lambda: (2, 1),
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "range": lambda: range(3),
    "fraction": lambda: fractions.Fraction(7, 2),
    "function": make_function,
    "builtin function": lambda: len,
    "class": make_class,
    "exception class": lambda: KeyError,
    "instance": lambda: object(),
    "instance with slots": Slotted,
    "dataclass": Point,
    "path": lambda: Path("a/b"),
    "file": io.StringIO,
    "generator": generate,
    "iterator": lambda: iter([1, 2]),
    "coroutine": make_coroutine,
    "async generator": async_generate,
    "context manager": Manager,
    "async context manager": AsyncManager,
    "descriptor": Descriptor,
    "module": lambda: ModuleType("module", "A module."),
    "exception": lambda: ValueError("text"),
    "mock": mock.MagicMock,
    "memoryview": lambda: memoryview(b"bytes"),
}
if numpy is not None:
    KINDS["array"] = lambda: numpy.array([1, 2])


def drive(awaitable: Any) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        awaitable.send(None)
    except StopIteration as stop:
        return stop.value
    awaitable.close()
    return "waits"


async def wait(x: Any) -> Any:
    return await x


async def wait_for_next(x: Any) -> Any:
    return await anext(x)


async def enter_async(x: Any) -> Any:
    async with x as entered:
        return entered


async def iterate_async(x: Any) -> Any:
    return [item async for item in x]


def enter(x: Any) -> Any:
    with x as entered:
        return entered


def in_a_class(x: Any) -> Any:
    owner = type("Owner", (), {"attribute": x})()
    read = owner.attribute
    owner.attribute = 1
    return read.__class__, sorted(vars(owner))


def delete_in_a_class(x: Any) -> Any:
    owner = type("Owner", (), {"attribute": x})()
    vars(owner)["attribute"] = 1
    del owner.attribute
    return sorted(vars(owner))


def replace_copy(x: Any) -> Any:
    return copy.replace(x) if sys.version_info >= (3, 13) else None


def derive(x: Any) -> Any:
    class Derived(x):  # type: ignore[misc]
        pass

    return Derived.__mro__[1:]


def raise_(x: Any) -> Any:
    raise x


def raise_from(x: Any) -> Any:
    raise ValueError from x


def catch(x: Any) -> Any:
    try:
        raise KeyError
    except x:
        return "caught"


def group(x: Any) -> Any:
    return ExceptionGroup("text", [x]) if sys.version_info >= (3, 11) else None  # noqa: F821


def change_class(x: Any) -> Any:
    x.__class__ = CallableManager
    return x()


def match(x: Any) -> Any:
    match x:
        case Point(a, b):
            return a, b
        case {"a": a}:
            return a
        case [a, b]:
            return a, b
        case int(a) | str(a):
            return a
    return "no match"


def match_items(x: Any) -> Any:
    match x:
        case {"a": a}:
            return a
        case [a, b]:
            return a, b
    return "no match"


def unpack(x: Any) -> Any:
    return [*x]


def in_place(x: Any, name: str, other: Any) -> Any:
    return getattr(operator, name)(x, other)


def extends(x: Any) -> bool:
    items = same = [0]
    items += x
    return items is same


def is_itself(x: Any) -> bool:
    return getattr(x, "__wrapped__", x) is x


def has_the_type_of_its_class(x: Any) -> bool:
    return type(x) is x.__class__


OPERATIONS: tuple[str, ...] = tuple(
    """
repr(x); str(x); format(x); f"{x:>9}"; bytes(x); hash(x) == hash(x); bool(x); dir(x); x.__class__; x.__doc__
x.__module__; len(x); operator.length_hint(x); x[0]; x["a"]; x[0:1]; x[int]; operator.setitem(x, 0, 5)
operator.delitem(x, 0)
1 in x; "a" in x; iter(x); list(x); unpack(x); reversed(x); next(x); x(); x(1, a=2); callable(x); x.nothing; x.__name__
setattr(x, "value", 3); setattr(x, "nothing", 3); delattr(x, "value"); vars(x)
x < 5; x <= 5; x == 7; x != 7; x > 5; x >= 5; x == x; x < x
x + 1; 1 + x; x - 1; 1 - x; x * 2; 2 * x; x @ 1; 1 @ x; x / 2; 2 / x; x // 2; 2 // x; x % 2; 2 % x
divmod(x, 2); divmod(2, x)
x ** 2; 2 ** x; pow(x, 2, 5); x << 1; 1 << x; x >> 1; 1 >> x; x & 1; 1 & x; x | 1; 1 | x; x ^ 1; 1 ^ x
x + x; x * x; x | x; [1] + x; (1,) + x; "a" + x; b"a" + x; x + [1]; x + "a"; [0] * x; {1} | x; {"b": 2} | x
in_place(x, "iadd", 1); in_place(x, "iadd", [1]); in_place(x, "imul", 2); in_place(x, "ior", {5})
in_place(x, "isub", {1}); in_place(x, "imatmul", 1); in_place(x, "itruediv", 2); in_place(x, "ifloordiv", 2)
in_place(x, "imod", 2); in_place(x, "ipow", 2); in_place(x, "ilshift", 1); in_place(x, "irshift", 1)
in_place(x, "iand", {1}); in_place(x, "ixor", {1}); delete_in_a_class(x); sys.getsizeof(x); replace_copy(x)
in_place([1], "iadd", x); extends(x); is_itself(x); has_the_type_of_its_class(x); json.dumps(x)
-x; +x; ~x; abs(x); int(x); float(x); complex(x); operator.index(x); round(x); round(x, 1); math.trunc(x)
math.floor(x); math.ceil(x); math.sqrt(x); [*range(9)][x]; range(x); "%d" % x; "%s" % (x,); chr(x); int("11", x)
enter(x); drive(enter_async(x)); drive(wait(x)); aiter(x); drive(iterate_async(x)); drive(wait_for_next(x))
in_a_class(x); derive(x); isinstance(1, x); issubclass(int, x); isinstance(x, x)
raise_(x); raise_from(x); catch(x); group(x); match(x); match_items(x); change_class(x)
os.fspath(x); os.path.exists(x); Path(x); memoryview(x); bytearray(x); b"".join([x]); "".join([x])
io.BytesIO(x); re.sub("a", x, "bab"); re.match(x, "text"); "text".startswith(x)
dict(x); set(x); sum(x); min(x); sorted(x)
copy.copy(x); copy.deepcopy(x); pickle.loads(pickle.dumps(x)); dataclasses.asdict(x)
dataclasses.fields(x); dataclasses.replace(x)
inspect.isawaitable(x); inspect.isroutine(x); inspect.iscoroutine(x); inspect.isgenerator(x); inspect.isfunction(x)
inspect.isclass(x); inspect.ismodule(x); inspect.isbuiltin(x); inspect.isasyncgen(x); inspect.ismethoddescriptor(x)
inspect.isdatadescriptor(x); asyncio.iscoroutine(x); asyncio.isfuture(x); inspect.signature(x); inspect.getdoc(x)
""".replace("\n", ";").split(";")
)

SPECIAL = (
    "call len getitem setitem delitem contains iter next reversed enter exit aenter aexit await aiter anext index "
    "int float complex round trunc floor ceil bytes fspath get set delete set_name hash add radd iadd or and neg abs "
    "bool buffer length_hint missing instancecheck subclasscheck match_args dataclass_fields format eq lt"
)

ABSTRACT = [
    *(getattr(collections.abc, name) for name in collections.abc.__all__ if name != "ByteString"),
    *(contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager, os.PathLike),
    *(typing.SupportsInt, typing.SupportsFloat, typing.SupportsIndex, typing.SupportsAbs),
    *(typing.SupportsRound, typing.SupportsComplex, typing.SupportsBytes),
]

#: Every operation, by what the table calls it.
ACTIONS: dict[str, str] = {text.strip(): text.strip() for text in OPERATIONS if text.strip()}
ACTIONS.update({f"hasattr(x, '__{name}__')": f"hasattr(x, '__{name}__')" for name in SPECIAL.split()})
ACTIONS.update({f"isinstance(x, {cls.__name__})": f"isinstance(x, ABSTRACT[{i}])" for i, cls in enumerate(ABSTRACT)})

#: The modules that operations use.
MODULES = {
    module.__name__: module
    for module in (asyncio, copy, dataclasses, inspect, io, json, math, operator, os, pickle, re, sys)
}

_compiled = {text: compile(text, "<an operation>", "eval") for text in ACTIONS.values()}


def plain(text: str) -> str:
    """Return a text without addresses."""
    return re.sub(r"0x[0-9a-fA-F]+|id='\d+'|mock/\d+", "...", text)


def outcome(x: Any, text: str) -> tuple[str, str]:
    """Return what an operation on `x` comes to: a type and a text."""
    try:
        result = eval(_compiled[text], {**globals(), **MODULES, "x": x})
    except BaseException as error:
        return type(error).__name__, plain(str(error))
    return type(result).__name__, plain(repr(result))


class Difference(NamedTuple):
    """An operation whose outcome is another with a proxy."""

    kind: str
    state: str
    operation: str
    expected: tuple[str, str]
    found: tuple[str, str]


def states(gilonce: ModuleType, make: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """Yield a proxy in each state, and how the state is called."""
    yield "untouched", gilonce.lazy_global(lambda: make(), reify=False)
    interface = type(make())
    if interface is not type(None):
        yield "with interface=", gilonce.lazy_global(lambda: make(), interface=interface, reify=False)
    touched = gilonce.lazy_global(lambda: make(), reify=False)
    touched.__wrapped__
    yield "touched", touched


def differences(gilonce: ModuleType) -> list[Difference]:
    """Return every difference."""
    found = []
    with warnings.catch_warnings(), closing_coroutines():
        warnings.simplefilter("ignore")  # some of what is done with the objects is deprecated
        for kind, make in KINDS.items():
            for name, text in ACTIONS.items():
                expected = outcome(make(), text)
                for state, proxy in states(gilonce, make):
                    got = outcome(proxy, text)
                    if got != expected:
                        found.append(Difference(kind, state, name, expected, got))
    return found


class Reason(NamedTuple):
    """Why outcomes differ.

    Parameters:
        why: a sentence for users.
        operations: a regular expression for the operations.
        states: in which states of a proxy.
        where: the implementations.
        kinds: a regular expression for the kinds of objects.
        wording: whether only the text of an error differs.
        code: what the README says about it: the code, with a proxy `P`.
        instead: what to write instead.
    """

    why: str
    operations: str
    states: tuple[str, ...] = ("untouched", "with interface=", "touched")
    where: tuple[str, ...] = ("native", "python")
    kinds: str = ".*"
    wording: bool = False
    code: str = ""
    instead: str = ""

    def explains(self, difference: Difference, implementation: str) -> bool:
        """Return whether this is the reason for a difference."""
        return (
            implementation in self.where
            and difference.state in self.states
            and re.fullmatch(self.operations, difference.operation) is not None
            and re.fullmatch(self.kinds, difference.kind) is not None
            and (not self.wording or difference.found[0] == difference.expected[0] != "bool")
        )


_CLASS = "Python code cannot remove methods of the proxy's class."
_TEXT = "str|str of digits"

REASONS = [
    Reason(
        "If nothing states the type, `P` looks like a callable and integer, not a sequence, mapping or (before 3.12) "
        "buffer.",
        r"callable\(x\)|os.path.exists\(x\)|memoryview\(x\)|re.sub.*|math.sqrt\(x\)|\[\*range.*|drive\(iterate_async.*"
        r"|dataclasses.(asdict|replace)\(x\)|io.BytesIO\(x\)|bytearray\(x\)",
        ("untouched",),
        code="`callable(P)`, `match P:`, `os.path.exists(P)` before its first use",
        instead="`lazy_global(f, interface=C)`",
    ),
    Reason(
        "The `repr` of an untouched proxy names the factory, and runs nothing.",
        r"repr\(x\)|match\(x\)|inspect.signature\(x\)",
        ("untouched", "with interface="),
    ),
    Reason(
        "These insist on the type itself.",
        r'"".join.*|"text".startswith.*|re.match.*|re.sub.*|bytearray\(x\)|io.BytesIO\(x\)|b"".join.*|"%d" % x'
        r"|json.dumps.*|raise_\(x\)|raise_from\(x\)|catch\(x\)|group\(x\)",
        code='`"".join([P])`, `re.match(P, text)`, `json.dumps(P)`, `raise P`, `raise E from P`, `except P:`',
        instead="`P.__wrapped__`",
    ),
    Reason(
        "`P` makes a new list.",
        r"extends\(x\)",
        kinds="list",
        code="`items += P` with a list `P`",
        instead="`items.extend(P)`",
    ),
    Reason(
        "The proxy is another object and type.",
        r"has_the_type_of_its_class\(x\)|is_itself\(x\)",
        code="`P is other`, `type(P) is dict`",
        instead="`P.__wrapped__ is other`, `isinstance(P, dict)`",
    ),
    Reason(
        "`P` keeps the special methods of its first use.",
        r"change_class\(x\)",
        code="`P()` after its class changes or gets `__call__`",
        instead="`P.__wrapped__()`",
    ),
    Reason(
        "Without an interface, an untouched proxy in a class does not catch deletions.",
        r"delete_in_a_class\(x\)",
        ("untouched",),
        kinds="descriptor",
    ),
    Reason(
        "With `interface=`, an untouched proxy answers `__dict__` from the class.",
        r"vars\(x\)",
        ("with interface=",),
    ),
    Reason(
        _CLASS,
        r"isinstance\(x, (Sized|Container|Collection|Supports(Int|Float|Index|Abs))\)|os.path.exists\(x\)|chr\(x\)"
        r"|memoryview\(x\)|bytearray\(x\)|io.BytesIO\(x\)|b\"\".join.*|re.match.*|inspect.signature\(x\)",
        where=("python",),
        code="`os.path.exists(P)`, `isinstance(P, Sized)`, `inspect.signature(P)`, without a compiler",
        instead="`P.__wrapped__`",
    ),
    # What follows is not in the README.
    Reason(
        "Without an interface, an untouched proxy is not a sequence or mapping.", r"match_items\(x\)", ("untouched",)
    ),
    Reason(
        "Text can be given to `int` and `float`, so that a proxy for it counts as a number in C.",
        r'"%d" % x|math.sqrt\(x\)',
        kinds="str|str of digits|bytes|bytearray|memoryview",
    ),
    Reason(
        "`round`, `complex` and `bytes` look for a method, which must be there to raise the object's error.",
        r"isinstance\(x, Supports(Round|Complex|Bytes)\)",
    ),
    Reason("`open` takes a lazy `str` only as a path.", r"isinstance\(x, PathLike\)", kinds=f"{_TEXT}|bytes"),
    Reason("What has items and a length can be reversed.", r"isinstance\(x, Reversible\)", kinds="mock|array"),
    Reason(
        "The interpreter words the error for a class that has the slot.",
        r"operator.delitem\(x, 0\)|int\(x\)|x.__(name|module)__|math.sqrt\(x\)|next\(x\)|math.trunc\(x\)",
        wording=True,
    ),
    Reason(_CLASS + " The error is the object's, or worded otherwise.", ".*", where=("python",), wording=True),
]
if sys.implementation.name == "cpython":  # PyPy has no such function
    REASONS.insert(0, Reason("`sys.getsizeof` reads the size of the proxy.", r"sys.getsizeof\(x\)"))
if numpy is not None:
    REASONS.append(
        Reason(
            "In Python, a class matches a pattern for sequences only if it is registered as a `Sequence`.",
            r"isinstance\(x, Sequence\)",
            where=("python",),
            kinds="array",
        )
    )
if sys.implementation.name == "pypy":
    REASONS += [
        Reason("For PyPy's `match`, every proxy in Python is a sequence and a mapping.", r"match(_items)?\(x\)"),
        Reason("PyPy's mock wants an `__aiter__` without arguments.", r"drive\(iterate_async\(x\)\)", kinds="mock"),
        Reason(
            "PyPy's built-in functions have attributes, and `len` is the same one for every operation.",
            r"delattr.*",
            kinds="builtin function",
        ),
    ]


def readme_table() -> str:
    """Return the README's table of what is different with a proxy."""
    rows = [f"| {reason.code} | {reason.why} | {reason.instead} |" for reason in REASONS if reason.code]
    return "\n".join(["| with a proxy `P` | what is different | write instead |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    print(readme_table(), end="")
