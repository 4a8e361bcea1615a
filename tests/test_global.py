"""lazy_global: the proxy, reification, interfaces, and the errors."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import functools
import gc
import itertools
import math
import operator
import pickle
import sys
import textwrap
import typing
import weakref
from fractions import Fraction
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import pytest
from support import run_python, run_threads

serial = itertools.count()


@pytest.fixture
def imported(gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Any]:
    """A function that makes and imports a module from its source."""
    names = []

    def make(source: str) -> ModuleType:
        names.append(f"lazy_in_a_module_{next(serial)}")
        (tmp_path / f"{names[-1]}.py").write_text("from gilonce import lazy_global\n" + textwrap.dedent(source))
        return __import__(names[-1])

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for name in names:
        del sys.modules[name]


class Everything:
    """An object that supports every protocol there is, and says which was used."""

    attribute = "attribute"

    def __init__(self) -> None:
        self.log: list[str] = []

    def __enter__(self) -> str:
        return "entered"

    def __exit__(self, *error: object) -> None:
        self.log.append("exited")

    async def __aenter__(self) -> str:
        return "entered later"

    async def __aexit__(self, *error: object) -> None:
        self.log.append("exited later")

    def __call__(self, /, *args: object, **kwargs: object) -> tuple[object, ...]:
        return args, kwargs

    def __iter__(self) -> typing.Iterator[int]:
        return iter([1, 2])

    def __next__(self) -> str:
        return "next"

    def __length_hint__(self) -> int:
        return 5

    def __aiter__(self) -> Everything:
        return self

    async def __anext__(self) -> str:
        if "asked" in self.log:
            raise StopAsyncIteration
        self.log.append("asked")
        return "next later"

    def __await__(self) -> typing.Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        return "awaited"

    def __fspath__(self) -> str:
        return "a/path"

    def __get__(self, instance: object, owner: object) -> tuple[object, object]:
        return instance, owner

    def __set__(self, instance: object, value: object) -> None:
        self.log.append(f"set {value}")

    def __delete__(self, instance: object) -> None:
        self.log.append("deleted")

    def __set_name__(self, owner: object, name: str) -> None:
        self.log.append(f"named {name}")


def lazily(gilonce: ModuleType, value: Any, **options: Any) -> Any:
    """A fresh, untouched proxy for `value`."""
    return gilonce.lazy_global(lambda: value, **options)


# What an untouched proxy can do


def subclass(base: Any) -> type:
    class Sub(base):  # type: ignore[misc]
        pass

    return Sub


OPERATIONS = """
len(x); list(x); hash(x); str(x); bool(x); sorted(x); list(iter(x)); list(reversed(x)); dir(x); vars(x); bytes(x)
abs(x); int(x); float(x); complex(x); round(x); round(x, 1); operator.index(x); -x; +x; ~x; operator.length_hint(x)
math.floor(x); math.ceil(x); math.trunc(x)
x + x; x - 1; 1 - x; x * 2; [0] * x; x @ x; x % 2; 2 % x; x // 2; 9 // x; x / 2; 9 / x; x << 1; 1 << x; x >> 1; 9 >> x
divmod(x, 3); divmod(30, x); x ** 2; 2 ** x; pow(x, 2, 5); x & 1; 1 & x; x | {1: 2}; {1: 2} | x; x ^ 1; 1 ^ x
x < 5; x <= 5; x > 5; x >= 5; 5 >= x; x == 7; x != 7; x == x; [x] == [x]; {x: 1}[value]
x[0]; x["a"]; x[0:1]; 1 in x; "a" in x; [*range(9)][x]; range(x); x(); next(x); x.upper(); x.nothing
operator.setitem(x, 0, 5); operator.delitem(x, 0)
f"{x:>5}"; f"{x!s}"; "%s" % (x,); "{}".format(x)
isinstance(x, int); isinstance(x, str); isinstance(1, x); issubclass(bool, x); subclass(x).__mro__[1:]
x.__name__; x.__qualname__; x.__module__; x.__doc__; x.__class__; x.__annotations__; x.__dict__
copy.copy(x); copy.deepcopy(x); pickle.loads(pickle.dumps(x)); operator.itemgetter(0)(x)
"""
if sys.version_info >= (3, 12):
    OPERATIONS += "memoryview(x).tolist()"


@pytest.mark.parametrize(
    "value", [7, 7.5, "text", b"bytes", [1, 2], {"a": 1}, None, int, len, Fraction, Fraction(7, 2)], ids=repr
)
def test_an_untouched_proxy_does_what_the_real_object_does(gilonce: ModuleType, value: Any) -> None:
    """The same result, or an error of the same type, for every operation and kind of object."""

    def outcome(operation: str, x: Any) -> Any:
        names = {**globals(), "math": math, "value": value, "x": x}
        try:
            return eval(operation, names)
        except Exception as error:
            return type(error)

    for cls in type(lazily(gilonce, value)).__mro__:
        # Whose annotations somebody asked for, as `isinstance` with a protocol does, has some, and so has a proxy.
        if vars(cls).get("__annotations__") == {}:
            del cls.__annotations__
    for operation in OPERATIONS.replace("\n", ";").split(";"):
        if operation.strip():
            expected = outcome(operation.strip(), copy.copy(value))
            assert expected is not NameError, operation
            assert outcome(operation.strip(), lazily(gilonce, copy.copy(value))) == expected, operation


def test_with_and_async_protocols_work_on_an_untouched_proxy(gilonce: ModuleType) -> None:
    """`with`, `async with`, `await`, `async for`, `next`, a call: each is a first touch."""
    with lazily(gilonce, Everything()) as entered:
        assert entered == "entered"

    async def main() -> None:
        async with lazily(gilonce, Everything()) as entered:
            assert entered == "entered later"
        assert await lazily(gilonce, Everything()) == "awaited"
        assert [x async for x in lazily(gilonce, Everything())] == ["next later"]
        assert await anext(lazily(gilonce, Everything())) == "next later"

    asyncio.run(main())
    assert next(lazily(gilonce, Everything())) == "next"
    assert lazily(gilonce, Everything())(1, self=2) == ((1,), {"self": 2})
    assert operator.length_hint(lazily(gilonce, Everything())) == 5


def test_what_the_real_object_lacks_raises_the_real_objects_error(gilonce: ModuleType) -> None:
    """The message speaks of the real type, not of a proxy."""

    async def enter(x: Any) -> None:
        async with x:
            pass

    async def wait(x: Any) -> None:
        await x

    def leave(x: Any) -> None:
        with x:
            pass

    operations = [
        lambda x: x(),
        iter,
        next,
        len,
        lambda x: x[0],
        lambda x: x + "a",
        lambda x: x < "a",
        lambda x: x.nothing,
        lambda x: hash([x]),
        lambda x: open(x, b"no mode"),  # noqa: SIM115
        leave,
        lambda x: enter(x).send(None),
        lambda x: wait(x).send(None),
        aiter,
    ]
    for operate in operations:
        with pytest.raises((TypeError, AttributeError)) as real:
            operate(7)
        with pytest.raises((TypeError, AttributeError)) as ours:
            operate(lazily(gilonce, 7))
        assert (type(ours.value), str(ours.value)) == (type(real.value), str(real.value))


def test_a_path_can_be_opened(gilonce: ModuleType, tmp_path: Path) -> None:
    """`open(P)` works for a `Path` and for a `str`."""
    path = tmp_path / "file"
    path.write_text("text")
    for value in (path, str(path), str(path).encode()):
        for interface in (None, type(value)):
            with open(lazily(gilonce, value, interface=interface)) as file:
                assert file.read() == "text"


def test_attributes_are_read_set_and_deleted_on_the_real_object(gilonce: ModuleType) -> None:
    """Everything but `_self_` names goes through."""
    real = Everything()
    proxy = lazily(gilonce, real)
    proxy.new = 1
    assert real.new == 1  # type: ignore[attr-defined]
    del proxy.new
    assert not hasattr(real, "new")
    proxy._self_mine = 2
    assert not hasattr(real, "_self_mine")
    assert proxy._self_mine == 2
    assert proxy.__wrapped__ is real
    assert proxy._self_cell.get() is real


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "lshift", "rshift", "and_", "or_", "xor"]
)
def test_an_in_place_operator_on_a_number_leaves_the_proxy_that_others_hold(gilonce: ModuleType, name: str) -> None:
    """`X += 1` gives a new int, of the real type."""
    proxy = lazily(gilonce, 7)
    result = getattr(operator, f"i{name.rstrip('_')}")(proxy, lazily(gilonce, 2))
    assert result == getattr(operator, name)(7, 2)
    assert type(result) in (int, float)
    assert proxy == 7


def test_an_in_place_operator_on_a_list_extends_the_list(gilonce: ModuleType) -> None:
    """As on the list itself, for everybody who holds it."""
    real = [1]
    proxy = other = lazily(gilonce, real)
    proxy += [2]
    assert proxy is real
    assert other == [1, 2]
    operator.imul(other, 2)
    assert real == [1, 2, 1, 2]
    with pytest.raises(TypeError, match=r"unsupported operand type.*@=: 'list' and 'int'"):
        other @= 1


def test_a_list_is_extended_in_place_by_a_lazy_iterable(gilonce: ModuleType) -> None:
    """Python asks the right operand first; a lazy tuple leaves the work to the list."""
    real = other = [1]
    real += lazily(gilonce, (2, 3))
    assert real is other
    assert real == [1, 2, 3]
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + lazily(gilonce, "a")


def test_operators_between_proxies_see_the_real_objects(gilonce: ModuleType) -> None:
    """A lazy set takes in a lazy set, in place."""
    real = {1}
    proxy = lazily(gilonce, real)
    proxy |= lazily(gilonce, {2})
    assert proxy is real
    assert real == {1, 2}


def test_a_lazy_function_in_a_class_is_a_method(gilonce: ModuleType) -> None:
    """Descriptors bind through the proxy; what is none stays what it is."""
    function = lazily(gilonce, lambda self: ("bound", self))
    number = lazily(gilonce, 7)

    class Owner:
        method = function
        attribute = number

    owner = Owner()
    assert owner.method() == ("bound", owner)
    assert owner.attribute == Owner.attribute == 7
    owner.attribute = 8
    assert owner.attribute == 8


def test_an_interface_with_a_data_descriptor_sets_and_deletes(gilonce: ModuleType) -> None:
    """`__set__`, `__delete__` and `__set_name__` come with an interface that has them."""
    real = Everything()
    descriptor = lazily(gilonce, real, interface=Everything)

    class Owner:
        attribute = descriptor

    owner = Owner()
    owner.attribute = 1
    del owner.attribute
    assert owner.attribute == (owner, Owner)
    assert real.log == ["named attribute", "set 1", "deleted"]


def test_a_copy_and_a_pickle_are_the_real_objects(gilonce: ModuleType) -> None:
    """`copy`, `deepcopy` and pickle see through the proxy; reading the pickle needs no gilonce."""
    real = [["nested"]]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps([lazily(gilonce, real), real], protocol)
        assert b"gilonce" not in pickled
        through, direct = pickle.loads(pickled)
        assert through == real
        assert through is direct
    assert copy.copy(lazily(gilonce, real)) == real
    assert copy.copy(lazily(gilonce, real))[0] is real[0]
    assert copy.deepcopy(lazily(gilonce, real))[0] is not real[0]
    assert type(copy.copy(lazily(gilonce, real))) is list


def test_repr_of_an_untouched_proxy_names_the_factory_and_runs_nothing(gilonce: ModuleType) -> None:
    """Afterwards it is the real object's, even when the cell was emptied again."""

    def load_config() -> list[int]:
        return [1]

    proxy = gilonce.lazy_global(load_config)
    assert "load_config() not yet called" in repr(proxy)
    assert not proxy._self_cell.is_set()
    assert len(proxy) == 1
    assert repr(proxy) == "[1]"
    proxy._self_cell.take()
    assert repr(proxy) == "[1]"


def test_the_cell_can_be_set_before_the_first_touch(gilonce: ModuleType) -> None:
    """Start-up code can put the object there; then the factory never runs."""
    proxy = gilonce.lazy_global(lambda: pytest.fail("must not run"))
    proxy._self_cell.set([1])
    assert repr(proxy) == "[1]"
    assert proxy == [1]


def test_a_factory_that_raises_attribute_error_is_not_taken_for_a_missing_attribute(gilonce: ModuleType) -> None:
    """It arrives as a RuntimeError from it, `hasattr` included, and the next touch tries again."""
    errors: list[Any] = [AttributeError("no such option")]

    def load() -> str:
        if errors:
            raise errors.pop()
        return "loaded"

    proxy = gilonce.lazy_global(load)
    with pytest.raises(RuntimeError, match=r"load\(\) of a lazy_global raised AttributeError: no such option") as hit:
        hasattr(proxy, "anything")
    assert isinstance(hit.value.__cause__, AttributeError)
    assert proxy == "loaded"


# Reification


def test_the_first_touch_replaces_the_name_in_its_module(imported: Any) -> None:
    """The module's own code and `module.X` then have the real object; an earlier import the proxy."""
    module = imported(
        """
        X: list = lazy_global(lambda: [1])
        ALIAS = X
        def use(): return X[0]
        """
    )
    held = module.X
    assert type(held) is not list
    assert module.use() == 1
    assert type(module.X) is list
    assert module.ALIAS is module.X is held.__wrapped__
    assert type(held) is not list
    assert held == [1]


def test_a_name_rebound_meanwhile_is_left_alone(imported: Any) -> None:
    """Only where the proxy still stands does the real object take its place."""
    module = imported("X = Y = lazy_global(lambda: [1])")
    held = module.X
    module.X = "rebound"
    assert held == [1]
    assert module.X == "rebound"
    assert type(module.Y) is list


def test_another_lazy_global_of_the_module_stays_untouched(imported: Any) -> None:
    """Only the names of the touched one are replaced."""
    module = imported("X, Y = lazy_global(lambda: [1]), lazy_global(lambda: [2])")
    assert module.X == [1]
    assert "not yet called" in repr(module.Y)
    assert module.Y == [2]


def test_a_name_rebound_while_names_are_replaced_is_left_alone(gilonce: ModuleType) -> None:
    """Each name is looked at again just before it is replaced, and may be gone."""

    class Rebinding(dict[str, Any]):
        def copy(self) -> dict[str, Any]:
            seen = dict(self)
            self["REBOUND"] = "rebound"
            del self["DELETED"]
            return seen

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Rebinding(REBOUND=proxy, DELETED=proxy, KEPT=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace
    assert proxy == [1]
    assert namespace == {"REBOUND": "rebound", "KEPT": [1]}
    assert type(namespace["KEPT"]) is list


def test_a_module_may_grow_while_names_are_replaced(gilonce: ModuleType) -> None:
    """The names are those of one moment."""

    class Growing(dict[str, Any]):
        def __setitem__(self, name: str, value: object) -> None:
            super().__setitem__(name, value)
            super().__setitem__(f"{name} again", value)

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Growing(A=proxy, B=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace
    assert proxy == [1]
    assert [type(value) for value in namespace.values()] == [list] * 4


def test_an_interrupted_reification_is_made_up_for_by_the_next_touch(gilonce: ModuleType) -> None:
    """The proxy counts as touched only after its names were replaced."""

    class Interrupting(dict[str, Any]):
        interrupted = False

        def copy(self) -> dict[str, Any]:
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return dict(self)

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Interrupting(X=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace
    with pytest.raises(KeyboardInterrupt):
        len(proxy)
    assert len(proxy) == 1
    assert type(namespace["X"]) is list


@pytest.mark.parametrize(
    "source",
    [
        "X = lazy_global(lambda: [1], reify=False)",
        "def make(): return lazy_global(lambda: [1])\nX = make()",
        "class C:\n    X = lazy_global(lambda: [1])\nX = vars(C)['X']",
        "X = (lambda: lazy_global(lambda: [1]))()",
    ],
)
def test_a_proxy_that_is_not_made_at_module_level_stays(imported: Any, source: str) -> None:
    """In a function or a class body, or with `reify=False`, names keep the proxy."""
    module = imported(source)
    assert module.X == [1]
    assert type(module.X) is not list


def test_the_real_object_stands_in_the_module_when_threads_race(imported: Any) -> None:
    """All threads, and the module afterwards, have one object."""
    module = imported("X = lazy_global(object)")
    got = run_threads(*[lambda: module.X] * 2, *[lambda: module.X.__hash__()] * 6)
    assert type(module.X) is object
    assert {getattr(it, "__wrapped__", it) for it in got[:2]} == {module.X}


# Interfaces


def test_without_an_interface_a_proxy_may_be_anything(gilonce: ModuleType) -> None:
    """Nothing is known, so every kind of use is let through to the real object."""
    proxy = gilonce.lazy_global(lambda: 1)
    assert callable(proxy)
    assert isinstance(proxy, collections.abc.Iterable)


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


def test_interfaces_with_the_same_methods_share_a_class(gilonce: ModuleType) -> None:
    """To make a proxy makes no class, and the class keeps no interface alive."""
    first = type("First", (), {"__call__": len})
    second = type("Second", (), {"__call__": len})
    assert type(gilonce.lazy_global(first)) is type(gilonce.lazy_global(first)) is type(gilonce.lazy_global(second))


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
    known = sys.modules["gilonce._proxy"]._by_interface
    assert key in known
    del Interface
    gc.collect()
    assert gone() is None
    assert key not in known
"""
    run_python(gilonce, "-c", source)


def test_an_interface_is_not_taken_for_one_that_lay_where_it_lies(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is gone its entry may tell yet: the collector clears references before it tells anyone."""

    class Interface:
        pass

    class Gone:
        pass

    as_callable = type(gilonce.lazy_global(len, interface=FunctionType))
    reference = weakref.ref(Gone())
    gc.collect()
    assert reference() is None
    monkeypatch.setitem(sys.modules["gilonce._proxy"]._by_interface, id(Interface), (reference, as_callable))
    assert not callable(gilonce.lazy_global(Interface))


@pytest.mark.parametrize("annotation", ["list", list[int], typing.Any, object, None, 7, int | None], ids=repr)
def test_an_annotation_that_says_nothing_counts_as_none(gilonce: ModuleType, annotation: Any) -> None:
    """A string, what is no class, and what every object is, narrow nothing, even if known as somebody's interface."""

    def make() -> Any: ...

    make.__annotations__ = {"return": annotation}
    if issubclass(type(annotation), type):
        gilonce.lazy_global(make, interface=annotation)
    assert callable(gilonce.lazy_global(make))


def test_an_annotation_that_cannot_be_evaluated_counts_as_none(gilonce: ModuleType) -> None:
    """Annotations evaluated late may name what is not there."""

    class Factory:
        def __call__(self) -> int:
            return 1

        @property
        def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
            raise NameError("later")

    assert callable(gilonce.lazy_global(Factory()))


# Errors, and what is imported when


@pytest.mark.parametrize("factory", [3, None, "name"])
def test_a_factory_must_be_callable(gilonce: ModuleType, factory: object) -> None:
    """At once, by name."""
    with pytest.raises(TypeError, match=r"lazy_global\(\) takes a callable factory, not "):
        gilonce.lazy_global(factory)


def test_a_mock_is_a_factory_like_any_other(gilonce: ModuleType) -> None:
    """What answers to every attribute is not taken for a coroutine function."""
    assert gilonce.lazy_global(mock.MagicMock(return_value=3)) == 3


def test_a_coroutine_function_is_refused(gilonce: ModuleType) -> None:
    """At once, however it is wrapped: a touch cannot await."""

    async def load() -> int:
        return 1

    for factory in (load, functools.partial(load)):
        with pytest.raises(TypeError, match=r"coroutine function .*load.*cannot await.*@once"):
            gilonce.lazy_global(factory)


def test_wrong_options_are_refused(gilonce: ModuleType) -> None:
    """`interface` is a class, `discard` a callable."""
    for interface in (3, "int", list[int]):
        with pytest.raises(TypeError, match=r"lazy_global\(interface=\.\.\.\) takes a class"):
            gilonce.lazy_global(list, interface=interface)
    with pytest.raises(TypeError, match=r"lazy_global\(discard=\.\.\.\) takes a callable"):
        gilonce.lazy_global(list, discard=3)


@pytest.mark.parametrize("extensions", ["", "1"])
def test_a_proxy_works_with_and_without_the_compiled_part_of_wrapt(gilonce: ModuleType, extensions: str) -> None:
    """wrapt has two implementations; both carry a lazy proxy."""
    source = f"""
import os
os.environ["WRAPT_DISABLE_EXTENSIONS"] = "{extensions}"
from gilonce import lazy_global
calls = []
X = Y = lazy_global(lambda: calls.append(1) or [1, 2])
held = [X]
print(repr(held[0]).endswith("not yet called>"), len(X), type(Y) is list, held[0][1], held[0].__class__, len(calls))
held[0]._self_cell.take()
print(held[0], len(calls))
Z = lazy_global(lambda: print.nothing, reify=False)
try: Z.nothing
except RuntimeError as error: print(type(error.__cause__).__name__)
"""
    assert run_python(gilonce, "-c", source) == "True 2 True 2 <class 'list'> 1\n[1, 2] 1\nAttributeError\n"


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="deep in such a recursion PyPy itself may crash")
def test_a_proxy_that_leads_to_itself_is_a_recursion(gilonce: ModuleType) -> None:
    """However often it is tried."""
    one = gilonce.lazy_global(lambda: one, reify=False)
    first = gilonce.lazy_global(lambda: second, reify=False)
    second = gilonce.lazy_global(lambda: first, reify=False)
    for proxy in one, first, second:
        for _ in range(3):
            with pytest.raises(RecursionError):
                proxy.attribute
            with pytest.raises(RecursionError):
                proxy.__class__


def test_the_type_of_a_proxy_can_be_derived_from(gilonce: ModuleType) -> None:
    """Its methods may call those of the base."""

    class Derived(type(gilonce.lazy_global(str, reify=False))):  # type: ignore[misc]
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
