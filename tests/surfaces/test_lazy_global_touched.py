"""lazy_global: a touched proxy can do what its object can do, and no more."""

from __future__ import annotations

import asyncio
import collections
import collections.abc
import copy
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import io
import math
import operator
import os
import sys
import types
import typing
import weakref
import zipfile
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wrapt
from support import has_proxies_in_python, run_python
from support.lazy import Everything, Point, lazily, touched


@pytest.fixture
def native(gilonce: ModuleType) -> ModuleType:
    """The package, where proxies are in C. In Python a class statement cannot take away what wrapt's class has."""
    if has_proxies_in_python(gilonce):
        pytest.skip("for proxies in C")
    return gilonce


def test_a_touched_proxy_is_no_more_able_than_its_object(gilonce: ModuleType) -> None:
    """Code that asks what an object can do gets the object's answer."""
    proxy = touched(gilonce, object())
    abstract = [getattr(collections.abc, name) for name in collections.abc.__all__ if name != "ByteString"]
    able = {it for it in abstract if isinstance(proxy, it)}
    # A class statement cannot take away what wrapt's class has.
    assert able - ({collections.abc.Sized} if has_proxies_in_python(gilonce) else set()) == {collections.abc.Hashable}
    assert not callable(proxy)
    assert not inspect.isawaitable(proxy)
    assert not inspect.isroutine(proxy)
    for name in "__getitem__", "__enter__", "__call__", "__index__", "__len__":
        assert not hasattr(proxy, name)


@pytest.mark.parametrize("how", ["touched", "interface", "factory"])
def test_a_lazy_path_is_a_path(native: ModuleType, tmp_path: Path, how: str) -> None:
    """`os` takes what has an `__index__` for a file descriptor, and a proxy for a path has none."""
    if how == "touched":
        path = touched(native, tmp_path)
    elif how == "interface":
        path = native.lazy_global(lambda: tmp_path, interface=type(tmp_path))
    else:
        path = native.lazy_global(functools.partial(type(tmp_path), tmp_path))
    (tmp_path / "file").touch()
    assert os.path.exists(path)
    assert os.listdir(path) == ["file"]
    assert os.stat(path).st_mtime


def test_a_touched_proxy_can_be_given_to_code_that_tells_kinds_apart(gilonce: ModuleType) -> None:
    """Text is no callable, a file is no path, and a sequence matches a pattern for sequences."""
    with zipfile.ZipFile(touched(gilonce, io.BytesIO()), "w") as archive:
        archive.writestr("name", "text")

    def match(it: Any) -> Any:
        match it:
            case [a, b]:
                return "sequence", a, b
            case {"a": a}:
                return "mapping", a
        return None

    assert match(touched(gilonce, (1, 2))) == ("sequence", 1, 2)
    assert match(touched(gilonce, {"a": 1})) == ("mapping", 1)
    if sys.implementation.name == "cpython":  # PyPy asks `collections.abc`, for which a proxy of text is a sequence
        assert match(touched(gilonce, "ab")) is None
    assert touched(gilonce, "7") == "7"
    assert int(touched(gilonce, "7")) == 7
    assert touched(gilonce, [1, 2, 3])[-4:] == [1, 2, 3]
    with pytest.raises(IndexError):
        touched(gilonce, [1, 2, 3])[-4]
    assert touched(gilonce, list)[int] == list[int]
    if not has_proxies_in_python(gilonce):  # in Python, `inspect` finds the `__call__` of the proxy's class
        for cls in Fraction, HasAttribute, type("Derived", (HasAttribute,), {}):
            assert inspect.signature(touched(gilonce, cls)) == inspect.signature(cls)
            assert inspect.getfullargspec(touched(gilonce, cls)) == inspect.getfullargspec(cls)


@typing.runtime_checkable
class WithAttribute(typing.Protocol):
    attribute: int


class HasAttribute:
    def __init__(self, attribute: int, *, other: int = 1) -> None:
        self.attribute = attribute


def test_a_proxy_satisfies_a_protocol_if_its_object_does(gilonce: ModuleType) -> None:
    """From Python 3.12 on, `isinstance` does not read the attribute, but looks for it in the object's `__dict__`."""
    if sys.version_info >= (3, 12) and type(vars(wrapt.BaseObjectProxy)["__dict__"]) is property:
        pytest.skip("wrapt in Python hides the `__dict__` from `isinstance`")
    for value in HasAttribute(1), types.SimpleNamespace(attribute=1), object(), Slotted(), ModuleType("module"), 7:
        for options in {}, {"interface": type(value)}:
            assert isinstance(lazily(gilonce, value, **options), WithAttribute) is isinstance(value, WithAttribute)
    if not has_proxies_in_python(gilonce):
        for cls in HasAttribute, type("Derived", (Slotted,), {}):
            assert isinstance(lazily(gilonce, cls), WithAttribute) is isinstance(cls, WithAttribute)


class Slotted:
    __slots__ = ("attribute",)


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
def test_a_weak_reference_to_a_proxy_has_a_repr(gilonce: ModuleType, cell: str | None) -> None:
    """The interpreter looks for a `__name__` in the class, and does not expect an error. Some ask the proxy."""
    asks_proxy = sys.version_info < (3, 11) or sys.implementation.name == "pypy"
    options = {} if cell is None else {"cell": getattr(gilonce, cell)}
    for value in Everything(), len, HasAttribute, 7:
        for interface in None, type(value):
            proxy = lazily(gilonce, value, interface=interface, reify=False, **options)
            for _ in range(2):
                is_set = proxy._self_cell.is_set()
                assert repr(weakref.ref(proxy)).startswith("<weakref")
                assert proxy._self_cell.is_set() is is_set or asks_proxy
                assert getattr(proxy, "__name__", None) == getattr(value, "__name__", None)


class Plain:
    """Something that cannot be entered."""


class Manager(Plain):
    def __init__(self) -> None:
        self.log: list[str] = []

    def __enter__(self) -> None:
        self.log.append("entered")

    def __exit__(self, *error: object) -> None:
        self.log.append("exited")

    async def __aenter__(self) -> None:
        self.log.append("entered")

    async def __aexit__(self, *error: object) -> None:
        self.log.append("exited")


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("how", ["interface", "annotation", "class assigned"])
def test_nothing_is_entered_that_could_not_be_left(
    gilonce: ModuleType, how: str, is_async: bool, cell: str | None
) -> None:
    """`with` looks up both methods first. So what the object has beyond its interface comes too late."""

    def make() -> Any:
        return it

    make.__annotations__ = {"return": Plain if how == "annotation" else Any}
    it: Any = Plain() if how == "class assigned" else Manager()
    proxy = gilonce.lazy_global(
        make,
        interface=Plain if how == "interface" or (cell and how != "annotation") else None,
        cell=cell and getattr(gilonce, cell),
        reify=False,
    )
    if how == "class assigned":
        proxy.__wrapped__
        proxy.__class__ = Manager
        proxy.log = []

    async def enter_async() -> None:
        async with proxy:
            it.log.append("inside")

    def enter() -> None:
        if is_async:
            asyncio.run(enter_async())
        else:
            with proxy:
                it.log.append("inside")

    with pytest.raises(TypeError, match=f"lacks __{'a' * is_async}exit__, which its 'Manager' object has: write `"):
        enter()
    assert it.log == []
    if how != "class assigned" and cell is None:
        enter()
        assert it.log == ["entered", "inside", "exited"]


def test_a_sequence_in_c_is_indexed_as_the_object_is(native: ModuleType) -> None:
    """Code in C that has added the length to a negative index does not get it added again."""
    items = touched(native, collections.UserList([1, 2, 3]))
    reverse = operator.methodcaller("__getitem__", -4)
    for it in items, items.data:
        with pytest.raises(IndexError):
            reverse(it)
    testers = [name for name in ("_testcapi", "_testlimitedcapi") if importlib.util.find_spec(name)]
    found = [getattr(importlib.import_module(name), "sequence_getitem", None) for name in testers]
    get_item = next(filter(None, found), None)
    if get_item is None:
        pytest.skip("this interpreter has no module with which to call C's function")
    proxy = touched(native, [1, 2, 3])
    assert get_item(proxy, -1) == 3
    with pytest.raises(IndexError):
        get_item(proxy, -5)


def test_the_interpreters_messages_name_the_class_of_the_object(native: ModuleType) -> None:
    """Also where the proxy lacks the slot and the interpreter sees nothing but the proxy."""
    proxy = touched(native, io.StringIO())
    for operate in len, math.sqrt, operator.index, lambda it: it[0], lambda it: it(), lambda it: it["a"]:
        with pytest.raises(TypeError) as real:
            operate(io.StringIO())
        with pytest.raises(TypeError) as ours:
            operate(proxy)
        assert str(ours.value) == str(real.value)


def test_an_int_is_made_of_what_has_none_with_the_objects_error(native: ModuleType) -> None:
    """Without a warning that `__trunc__` is deprecated, which wrapt's class has."""
    proxy = touched(native, Everything())
    for operate in int, math.trunc:
        with pytest.raises(TypeError, match=r"Everything"):
            operate(proxy)


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
def test_a_special_name_is_the_objects(gilonce: ModuleType, cell: str | None) -> None:
    """`P.__call__` is what the object has there, and missing if the object lacks it."""
    options = {} if cell is None else {"cell": getattr(gilonce, cell)}
    real = Everything()
    proxy = lazily(gilonce, real, **options)
    assert proxy.__call__.__self__ is real
    assert proxy.__iter__.__func__ is Everything.__iter__
    assert not hasattr(proxy, "__len__")
    assert lazily(gilonce, 7, **options).__index__() == 7
    assert lazily(gilonce, len, **options).__self__ is len.__self__


@pytest.mark.parametrize("how", ["touched", "interface", "not final"])
def test_a_lazy_dataclass_instance_is_one_for_dataclasses(gilonce: ModuleType, how: str) -> None:
    """`dataclasses` looks for the fields in `type(P)`."""
    point = Point(1, Point(2))
    if how == "touched":
        proxy = touched(gilonce, point)
    else:
        options = {"cell": gilonce.ThreadOnceCell} if how == "not final" else {}
        proxy = gilonce.lazy_global(lambda: point, interface=Point, **options)
    assert dataclasses.is_dataclass(proxy)
    assert dataclasses.fields(proxy) == dataclasses.fields(point)
    assert dataclasses.asdict(proxy) == dataclasses.asdict(point)
    assert dataclasses.astuple(proxy) == dataclasses.astuple(point)
    assert dataclasses.replace(proxy, x=3) == Point(3, Point(2))
    assert proxy == point
    if sys.version_info >= (3, 13):
        assert copy.replace(proxy, x=3) == Point(3, Point(2))
    match proxy:
        case Point(x, inner):
            assert (x, inner) == (1, Point(2))


def test_a_proxy_that_has_forgotten_stands_for_the_next_object(gilonce: ModuleType) -> None:
    """Whatever operation touches it: one of ours, or one of wrapt's that sees what wrapt keeps."""
    proxies = importlib.import_module("gilonce._surfaces.proxy")
    for interface in None, list:
        for touch in (lambda it: it.__wrapped__, round_, len, lambda it: it + []):  # noqa: RUF005
            values = [[1], [2]]
            proxy = gilonce.lazy_global(lambda values=values: values.pop(0), interface=interface, reify=False)
            assert proxy == [1]
            proxy._self_cell.take()
            proxies.forget(proxy)
            assert "not yet called" in repr(proxy)
            touch(proxy)
            assert proxy.__wrapped__ is proxy._self_cell.get()
            assert proxy == [2]
            assert type(proxy) is type(touched(gilonce, []))
            proxies.forget(proxy)
            assert proxy == [2]  # from the cell, which is still full


@pytest.mark.parametrize("declared", [None, list])
def test_a_proxy_follows_what_is_put_into_its_cell(gilonce: ModuleType, declared: Any) -> None:
    """It goes by the type of what is there: under an override, after it, and by its declared interface after `take`."""
    owner = ModuleType("owner")
    proxy = owner.PROXY = gilonce.lazy_global(lambda: [1], interface=declared, reify=False)  # type: ignore[attr-defined]
    cell = gilonce.cell_of(owner, "PROXY")
    assert (len(proxy), callable(proxy), type(proxy).__name__) == (1, False, "list")
    with cell.override(len):
        assert (proxy([1, 2]), callable(proxy), hasattr(type(proxy), "__next__")) == (2, True, False)
        with cell.override({"a": 1}):
            assert (proxy["a"], callable(proxy), type(proxy).__name__) == (1, False, "dict")
        assert callable(proxy)
    assert (proxy[0], callable(proxy), type(proxy).__name__) == (1, False, "list")
    assert cell.take() == [1]
    assert callable(proxy) is (declared is None)
    assert "not yet called" in repr(proxy)
    cell.set("text")
    assert (proxy.upper(), callable(proxy), type(proxy).__name__) == ("TEXT", False, "str")


@pytest.mark.parametrize("reify", [True, False])
@pytest.mark.parametrize("interface", [None, list])
@pytest.mark.parametrize(
    "touch",
    [lambda it: it.__wrapped__, len, lambda it: it[0], lambda it: round_(it), lambda it: it + []],  # noqa: RUF005
)
def test_a_touch_has_its_value_though_the_cell_is_emptied_meanwhile(
    gilonce: ModuleType, reify: bool, interface: Any, touch: collections.abc.Callable[[Any], object]
) -> None:
    """Here by `discard`; it could be another thread. The next touch makes another value."""
    values: list[Any] = []

    def make() -> list[int]:
        values.append([len(values)])
        if len(values) == 1:
            proxy._self_cell.set(values[0])
            return []
        return values[-1]

    proxy = gilonce.lazy_global(make, interface=interface, reify=reify, discard=lambda _: proxy._self_cell.take())
    touch(proxy)
    again = proxy.__wrapped__
    assert values == [[0], [1]]
    assert again is proxy.__wrapped__ is proxy._self_cell.get() is values[1]


def round_(it: Any) -> None:
    with pytest.raises(TypeError, match="list"):
        round(it)


@pytest.mark.parametrize("extensions", ["", "1"])
def test_a_proxy_can_be_made_to_forget_its_object(gilonce: ModuleType, extensions: str) -> None:
    """It then is what it was before the first touch, and stands for another object after the next."""
    source = f"""
import os
os.environ["WRAPT_DISABLE_EXTENSIONS"] = "{extensions}"
from gilonce import lazy_global
values = [[1], {{"a": 1}}, "text", 7]
def make() -> list: return values.pop(0)
for make in make, (lambda: values.pop(0)):
    proxy = lazy_global(make, reify=False)
    from gilonce._surfaces import proxy as proxies
    before = type(proxy).__name__
    for turn in range(2):
        print(repr(proxy).endswith("not yet called>"), type(proxy).__name__ == before)
        value = values[0]
        if turn: proxy + type(value)() if make.__name__ != "make" else proxy.__class__
        assert proxy.__wrapped__ == value == proxy, proxy
        assert proxy.__wrapped__ is proxy._self_cell.get()
        print(type(proxy).__name__, type(proxy.__wrapped__).__name__)
        proxy._self_cell.take()
        proxies.forget(proxy)
"""
    assert run_python(gilonce, "-c", source).split() == (
        [
            "True",
            "True",
            "list",
            "list",
            "True",
            "True",
            "dict",
            "dict",
            "True",
            "True",
            "str",
            "str",
            "True",
            "True",
            "int",
            "int",
        ]
    )


def test_a_required_special_method_is_missed_in_the_words_of_the_interpreter(gilonce: ModuleType) -> None:
    interfaces = importlib.import_module("gilonce._surfaces.interfaces")
    with pytest.raises(AttributeError, match="'object' object has no attribute '__set__'"):
        interfaces.required(object(), "__set__")
