"""lazy_global: what an untouched proxy can be, by its interface or the factory's annotation."""

from __future__ import annotations

import collections
import collections.abc
import functools
import gc
import importlib
import importlib.util
import math
import typing
import weakref
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Annotated, Any  # noqa: F401 - annotations below name it

import pytest
from support import run_python
from support.lazy import Point, lazily, touched


def test_without_an_interface_a_proxy_may_be_anything(gilonce: ModuleType) -> None:
    """Nothing is known, so every kind of use is let through to the object; the first use makes it known."""
    proxy = gilonce.lazy_global(lambda: 1)
    assert callable(proxy)
    assert issubclass(type(proxy), collections.abc.Iterable)
    assert proxy == 1
    assert not callable(proxy)
    assert not issubclass(type(proxy), collections.abc.Iterable)


@pytest.mark.parametrize("how", ["interface", "class as factory", "annotation"])
def test_an_interface_narrows_what_an_untouched_proxy_can_be(gilonce: ModuleType, how: str) -> None:
    """Given, or implied by a class as factory or by the factory's return annotation."""

    def make() -> Any: ...

    make.__annotations__ = {"return": list} if how == "annotation" else {}
    proxy = (
        gilonce.lazy_global(list)
        if how == "class as factory"
        else gilonce.lazy_global(make, interface=list if how == "interface" else None)
    )
    assert not callable(proxy)
    assert hasattr(type(proxy), "__iter__")
    assert not hasattr(type(proxy), "__await__")
    assert not hasattr(type(proxy), "__fspath__")
    assert not proxy._self_cell.is_set()


def test_what_a_class_inherits_or_forbids_counts(gilonce: ModuleType) -> None:
    """Special methods of bases are there; one set to None is not."""

    class Base:
        def __call__(self) -> None: ...
        def __iter__(self) -> typing.Iterator[int]:
            return iter([])

    class Derived(Base):
        __iter__ = None  # type: ignore[assignment]

    class Sequence:
        def __getitem__(self, index: int) -> int:
            return [1, 2][index]

    assert callable(gilonce.lazy_global(Derived))
    assert getattr(type(gilonce.lazy_global(Derived)), "__iter__", None) is None
    assert hasattr(type(gilonce.lazy_global(len, interface=FunctionType)), "__get__")
    assert list(gilonce.lazy_global(Sequence)) == [1, 2]


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
def test_an_interface_has_one_class_of_proxies(gilonce: ModuleType, cell: str | None) -> None:
    """To make a proxy makes no class. The class has the name of its interface, for the interpreter's messages."""
    first = type("First", (), {"__call__": len})
    second = type("Second", (), {"__call__": len})
    options = {} if cell is None else {"cell": getattr(gilonce, cell)}
    its_class = type(gilonce.lazy_global(first, **options))
    assert its_class is type(gilonce.lazy_global(first, **options))
    assert its_class is not type(gilonce.lazy_global(second, **options))
    assert its_class.__name__ == "First"
    assert type(gilonce.lazy_global(lambda: 1, **options)) is type(gilonce.lazy_global(lambda: 2, **options))


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
@pytest.mark.parametrize("how", ["class as factory", "interface", "annotation", "touched"])
def test_a_proxy_has_the_methods_that_its_class_has_got_before(gilonce: ModuleType, how: str, cell: str | None) -> None:
    """Also if there has been a proxy before. That one goes on as it was."""

    class Late:
        __iter__: Any = None

    def make() -> Any:
        return Late()

    def make_proxy() -> Any:
        make.__annotations__["return"] = Late if how == "annotation" else Any
        proxy = gilonce.lazy_global(
            Late if how == "class as factory" else make,
            interface=Late if how == "interface" or (how == "touched" and cell) else None,
            cell=cell and getattr(gilonce, cell),
            reify=False,
        )
        if how == "touched":
            proxy.__wrapped__
        return proxy

    first = make_proxy()
    assert type(make_proxy()) is type(first)
    assert not callable(first)
    Late.__call__ = lambda self: 6  # type: ignore[attr-defined]
    second = make_proxy()
    assert second() == 6
    Late.__iter__ = lambda self: iter("ab")
    third = make_proxy()
    assert issubclass(type(third), collections.abc.Iterable)
    assert not issubclass(type(second), collections.abc.Iterable)
    assert list(third) == ["a", "b"]
    del Late.__call__  # type: ignore[attr-defined]
    assert not callable(make_proxy())


def test_an_interface_is_not_kept_alive(gilonce: ModuleType) -> None:
    """Nor is another that comes to lie where it lay taken for it."""
    source = """
import gc, sys, weakref
from gilonce import lazy_global
for turn in range(50):
    class Interface: pass
    if turn % 2: Interface.__call__ = lambda self: 1
    assert callable(lazy_global(Interface)) == bool(turn % 2)
    gone, key = weakref.ref(Interface), id(Interface)
    known = sys.modules["gilonce._surfaces.proxy"]._by_interface
    assert key in known
    del Interface
    gc.collect()
    assert gone() is None
    assert key not in known
"""
    run_python(gilonce, "-c", source)


@pytest.mark.parametrize("interface", [type("Interface", (), {}), dict], ids=["class", "dict"])
def test_an_interface_is_not_taken_for_one_that_lay_where_it_lies(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, interface: type
) -> None:
    """Of what is gone its entry may tell yet: the collector clears references before it tells anyone."""

    class Gone:
        pass

    as_callable = type(gilonce.lazy_global(len, interface=FunctionType))
    reference = weakref.ref(Gone())
    gc.collect()
    assert reference() is None
    proxies = importlib.import_module("gilonce._surfaces.proxy")
    entry = reference, as_callable, True, proxies.changeable_names_of(interface)
    monkeypatch.setitem(proxies._by_interface, id(interface), entry)
    assert not callable(gilonce.lazy_global(interface))


NOTHING = [
    *(typing.Any, object, None, 7, int | None, typing.TextIO, typing.NoReturn),
    *(typing.Optional[int], typing.Union[int, str]),  # noqa: UP007, UP045 - not the same objects
    *(typing.SupportsInt, typing.Annotated, "no.such", "int | None", "Optional[int]", "list[int] | dict[str, int]", ""),
    *("7", "list]", "typing.Any", "os.nothing", "len.__self__", "local", "object", "list[int", "int()", "[int]"),
    *("'", "'list\"", "''list''", "'list | None'", "Annotated", "Annotated[list | None, 1]", "Annotated[, list]"),
    *(collections.abc.Iterable, collections.abc.Callable[[int], str], "collections.abc.Mapping[str, int]"),
    *(typing.Iterator[int], typing.Annotated[list[int] | None, 1]),
]


def test_annotations_may_be_replaced_while_one_is_looked_for(gilonce: ModuleType) -> None:
    """By a key of theirs that is not a string, and is compared with "return"."""

    def make() -> Any:
        return [1]

    class Key:
        def __hash__(self) -> int:
            return hash("return")

        def __eq__(self, other: object) -> bool:
            make.__annotations__ = {}
            return False

    make.__annotations__ = {Key(): int, **{str(number): int for number in range(100)}}
    assert len(gilonce.lazy_global(make)) == 1
    assert make.__annotations__ == {}


@pytest.mark.parametrize("annotation", NOTHING, ids=repr)
def test_an_annotation_that_says_nothing_counts_as_none(gilonce: ModuleType, annotation: Any) -> None:
    """What names no single class, and what every object is, narrow nothing, even if known as somebody's interface."""

    def make() -> Any: ...

    make.__annotations__ = {"return": annotation}
    if issubclass(type(annotation), type):
        gilonce.lazy_global(make, interface=annotation)
    assert callable(gilonce.lazy_global(make))


CLASS_MADE_LATER: Any = None


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
@pytest.mark.parametrize("annotation", ["object", "name"])
def test_a_lazy_annotation_is_not_touched(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, annotation: str, cell: str | None
) -> None:
    """Nor is an object that answers every name: it is not a generic alias."""
    touched: list[str] = []

    class Answering:
        def __getattribute__(self, name: str) -> Any:
            touched.append(name)
            return list

    def make() -> Any: ...

    options = {} if cell is None else {"cell": getattr(gilonce, cell)}
    lazy = gilonce.lazy_global(lambda: touched.append("the factory"), reify=False, **options)
    for it in lazy, Answering():
        monkeypatch.setitem(globals(), "CLASS_MADE_LATER", it)
        make.__annotations__ = {"return": it if annotation == "object" else "CLASS_MADE_LATER"}
        assert callable(gilonce.lazy_global(make))
    assert touched == []


class Holder:
    class Held:
        """A class that dotted names lead to."""


def decorated(function: Any) -> Any:
    """A decorator from another module, with its globals."""
    names: dict[str, Any] = {"functools": functools}
    exec("def wrap(f):\n @functools.wraps(f)\n def wrapper(): return f()\n return wrapper", names)
    wrapper = names["wrap"](function)
    # From Python 3.14 on, `wraps` does not copy annotations that were assigned.
    wrapper.__annotations__ = function.__annotations__
    return wrapper


@pytest.mark.parametrize(
    ("annotation", "interface"),
    [
        *[(list[int], list), (typing.Dict[str, int], dict), (typing.Annotated[list, 1], list), ("list", list)],  # noqa: UP006
        *[(" dict[str, list[int]] ", dict), ("Path", Path), ("Holder.Held", Holder.Held)],
        *[("weakref.WeakSet", weakref.WeakSet), ("weakref.WeakSet[int]", weakref.WeakSet), (typing.List, list)],  # noqa: UP006
        *[("'list'", list), (' "dict[str, int]" ', dict), ("Annotated[list, [1, 2]]", list)],
        *[("typing.Annotated[dict[str, int], 1]", dict), (typing.Annotated[dict[str, int], 1], dict)],
    ],
    ids=repr,
)
def test_an_annotation_may_be_a_name_or_have_arguments(gilonce: ModuleType, annotation: Any, interface: type) -> None:
    """A string is looked up in the factory's globals and the builtins, and not evaluated."""

    class Maker:
        def make(self) -> Any: ...

    def make() -> Any: ...

    make.__annotations__ = Maker.make.__annotations__ = {"return": annotation}
    its_class = type(gilonce.lazy_global(make, interface=interface))
    for factory in make, functools.partial(make), Maker().make, decorated(make), functools.partial(interface):
        proxy = gilonce.lazy_global(factory)
        assert type(proxy) is its_class
        assert not proxy._self_cell.is_set()


def test_an_annotation_that_cannot_be_evaluated_counts_as_none(gilonce: ModuleType) -> None:
    """Annotations evaluated late may name what is not there."""

    class Factory:
        def __call__(self) -> int:
            return 1

        @property
        def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
            raise NameError("later")

    assert callable(gilonce.lazy_global(Factory()))


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
def test_the_type_of_a_proxy_makes_instances_of_the_interface(gilonce: ModuleType, cell: str | None) -> None:
    """Generic code, such as Django's queries, makes another collection with `type(it)(items)`."""
    options = {} if cell is None else {"cell": getattr(gilonce, cell)}
    for proxy in lazily(gilonce, [1], interface=list, **options), touched(gilonce, [1]):
        made = type(proxy)(number + 1 for number in (1, 2))
        assert type(made) is list
        assert made == [2, 3]
    with pytest.raises(TypeError, match=r"write P.__wrapped__ instead of P"):
        type(gilonce.lazy_global(lambda: 1, **options))(1)
    point = type(gilonce.lazy_global(Point, **options))(1, inner=2)
    assert type(point) is Point
    assert point == Point(1, 2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        type(gilonce.lazy_global(Point, **options))()


@pytest.mark.parametrize("cell", [None, "ThreadOnceCell"])
def test_an_untouched_proxy_answers_from_its_explicit_interface(gilonce: ModuleType, cell: str | None) -> None:
    """Test loaders and documentation tools ask whether it is a class, and what it has, without a first touch."""
    options = {} if cell is None else {"cell": getattr(gilonce, cell)}

    class Config:
        """The configuration."""

        def __len__(self) -> int:
            return 3

    def load() -> Any:
        calls.append(1)
        return Config()

    calls: list[int] = []
    proxy = gilonce.lazy_global(load, interface=Config, **options)
    assert proxy.__class__ is Config
    assert not isinstance(proxy, type)
    assert isinstance(proxy, Config)
    assert proxy.__doc__ == "The configuration."
    assert proxy.__module__ == Config.__module__
    assert proxy.__dict__ == vars(Config)
    assert not hasattr(proxy, "__wrapped_name__")
    assert not hasattr(proxy, "__test__")
    with pytest.raises(AttributeError, match="'Config' object has no attribute '__iter__'"):
        proxy.__iter__
    assert calls == []
    assert proxy.__len__() == 3
    assert calls == [1]
    assert proxy.__dict__ == {}


def test_an_interface_whose_instances_have_names_of_their_own_says_nothing_of_them(gilonce: ModuleType) -> None:
    """A module has a `__file__`, and whatever has a `__getattr__` may have any name."""
    assert gilonce.lazy_global(lambda: math, interface=ModuleType).__name__ == "math"
    assert gilonce.lazy_global(lambda: math, interface=ModuleType).__doc__ == math.__doc__
    assert gilonce.lazy_global(lambda: Point, interface=type).__match_args__ == ("x", "inner")

    class Anything:
        def __getattr__(self, name: str) -> str:
            return name

    assert gilonce.lazy_global(Anything, interface=Anything).__iter__ == "__iter__"
    assert gilonce.lazy_global(lambda: len, interface=type(len)).__doc__ == len.__doc__
    with pytest.raises(AttributeError):
        gilonce.lazy_global(lambda: 7, interface=int).__dict__


def test_what_an_implied_interface_says_is_no_answer(gilonce: ModuleType) -> None:
    """A factory's annotation may name a base class, so `__class__` touches."""

    class Base: ...

    class Derived(Base): ...

    def load() -> Any:
        return Derived()

    load.__annotations__["return"] = Base
    assert gilonce.lazy_global(load).__class__ is Derived


def test_a_proxy_whose_cell_is_not_final_keeps_its_interface(gilonce: ModuleType) -> None:
    """Its object may be another in the next thread."""
    proxy = gilonce.lazy_global(lambda: [1], cell=gilonce.ThreadOnceCell)
    its_class = type(proxy)
    assert (len(proxy), callable(proxy), type(proxy)) == (1, True, its_class)
    proxy = gilonce.lazy_global(lambda: [1], interface=list, cell=gilonce.ThreadOnceCell)
    its_class = type(proxy)
    assert (len(proxy), callable(proxy), type(proxy)) == (1, False, its_class)


@pytest.mark.parametrize("interface", [str, None])
def test_the_type_of_a_proxy_can_be_derived_from(gilonce: ModuleType, interface: type | None) -> None:
    """Its methods may call those of the base."""

    class Derived(type(gilonce.lazy_global(lambda: "text", interface=interface, reify=False))):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)

        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    class Further(Derived):
        pass

    for cls in Derived, Further:
        proxy = cls(lambda: "text", gilonce.GILOnceCell(), None)
        assert proxy.__wrapped__ == "text"
        assert proxy.upper() == "TEXT"
