"""@once: per what, the disguise, and the errors."""

from __future__ import annotations

import asyncio
import copy
import ctypes
import dataclasses
import doctest
import functools
import gc
import inspect
import itertools
import multiprocessing
import pickle
import pydoc
import sys
import textwrap
import threading
import typing
import weakref
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple
from unittest import mock

import pytest
from support import drive, run_python

MODULE = '''
"""Once functions of a module, to be pickled by name."""
import os
from gilonce import once

@once
def process_id() -> int:
    """Return the process.

    >>> process_id() > 0
    True
    """
    return os.getpid()

class Service:
    @once
    def token(self):
        return object()

    @once
    @classmethod
    def name(cls):
        return cls.__name__

    @once
    @staticmethod
    def version():
        return (1, 0)
'''


#: A second import of one module would be a second definition of its functions.
serial = itertools.count()


@pytest.fixture
def module(gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Any]:
    """An importable module that uses @once."""
    name = f"once_in_a_module_{next(serial)}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(name)
    del sys.modules[name]


# Per what


def test_a_method_has_one_value_per_instance(gilonce: ModuleType) -> None:
    """Two instances, two values; each its own, however it is called."""

    class Service:
        @gilonce.once
        def token(self) -> object:
            return object()

    one, two = Service(), Service()
    assert one.token() is one.token() is Service.token(one)
    assert one.token() is not two.token()


@pytest.mark.parametrize("above", [True, False])
def test_a_class_method_has_one_value_per_class(gilonce: ModuleType, above: bool) -> None:
    """A subclass has its own value, in either order of the decorators."""

    def name(cls: type) -> list[type]:
        return [cls]

    decorated = gilonce.once(classmethod(name)) if above else classmethod(gilonce.once(name))
    base = type("Base", (), {"name": decorated})
    derived = type("Derived", (base,), {})
    assert base.name() is base().name()
    assert base.name() == [base]
    assert derived.name() is derived().name()
    assert derived.name() == [derived]
    assert base.name() == [base]


@pytest.mark.parametrize("above", [True, False])
def test_a_static_method_has_one_value(gilonce: ModuleType, above: bool) -> None:
    """Class, subclass and instance share it, in either order of the decorators."""
    decorated = gilonce.once(staticmethod(object)) if above else staticmethod(gilonce.once(object))
    base = type("Base", (), {"make": decorated})
    derived = type("Derived", (base,), {})
    assert base.make() is base().make() is derived.make() is derived().make()
    assert base.make.cell.get() is base.make()


@pytest.mark.parametrize("factory", [threading.Lock, dict, functools.partial(list, "ab"), itertools.count().__next__])
def test_any_callable_is_a_factory_and_does_not_become_a_method(gilonce: ModuleType, factory: Any) -> None:
    """What is no function has one value, also where it stands in a class."""
    get = gilonce.once(factory)
    owner = type("Owner", (), {"get": get})
    assert get() is get() is owner.get() is owner().get()
    assert get.cell.get() is get()
    assert inspect.unwrap(get) is factory


def test_a_bound_method_is_a_factory(gilonce: ModuleType) -> None:
    """`once(obj.method)` has one value, in a class too; whatever `obj` is written in."""

    class Maker:
        def make(self) -> list[object]:
            return [self]

    for method in ([1, 2].copy, Maker().make):
        get = gilonce.once(method)
        assert get() is get()
        owner = type("Owner", (), {"get": get})
        assert owner().get is owner.get is get


def test_an_override_that_calls_super_has_a_value_of_its_own(gilonce: ModuleType) -> None:
    """The base's value is not frozen into the derived name, and is computed once."""
    calls: list[str] = []

    class Base:
        @gilonce.once
        def m(self) -> list[str]:
            calls.append("base")
            return ["base"]

        @gilonce.once
        @classmethod
        def c(cls) -> list[str]:
            return [cls.__name__]

    class Derived(Base):
        @gilonce.once
        def m(self) -> list[str]:
            calls.append("derived")
            return [*super().m(), "derived"]

        @gilonce.once
        @classmethod
        def c(cls) -> list[str]:
            return [*super().c(), "derived"]

    derived = Derived()
    assert derived.m() == derived.m() == ["base", "derived"]
    assert super(Derived, derived).m() == ["base"]
    assert calls == ["derived", "base"]
    assert Derived.c() == ["Derived", "derived"]
    assert Base.c() == ["Base"]


def test_definitions_that_share_a_qualified_name_share_no_value(gilonce: ModuleType) -> None:
    """A key is per definition: local classes of one function all have one qualname."""

    def make(base: type) -> type:
        class Local(base):  # type: ignore[misc, valid-type]
            @gilonce.once
            def m(self) -> int:
                return 1 + (super().m() if hasattr(super(), "m") else 0)

            @gilonce.once
            @classmethod
            def c(cls) -> int:
                return 1 + (super().c() if hasattr(super(), "c") else 0)

        return Local

    third = make(make(make(object)))
    assert third().m() == 3
    assert third.c() == 3


def test_two_definitions_of_one_module_level_name_share_no_value(gilonce: ModuleType) -> None:
    """A class redefined under its own name, deriving from its former self."""
    source = textwrap.dedent(
        """
        class C(base):
            @once
            def m(self):
                return ["redefined", *super().m()] if hasattr(super(), "m") else ["first"]
        """
    )
    namespace: dict[str, Any] = {"__name__": "redefining", "once": gilonce.once, "base": object}
    exec(source, namespace)
    namespace["base"] = namespace["C"]
    exec(source, namespace)
    assert namespace["C"]().m() == ["redefined", "first"]


def test_a_method_behind_a_decorator_that_hides_its_parameters_is_still_a_method(gilonce: ModuleType) -> None:
    """`*args` in the way of `self` changes nothing, with `functools.wraps` or without."""

    def noisy(function: Any) -> Any:
        return lambda *args: function(*args)

    def polite(function: Any) -> Any:
        return functools.wraps(function)(lambda *args: function(*args))

    class Owner:
        @gilonce.once
        @noisy
        def hidden(self) -> list[object]:
            return [self]

        @gilonce.once
        @polite
        def shown(self) -> list[object]:
            return [self]

        @classmethod
        @gilonce.once
        @polite
        def of_class(cls) -> list[object]:
            return [cls]

    owner = Owner()
    assert owner.hidden() is owner.hidden() is Owner.hidden(owner)
    assert owner.shown() is owner.shown() is Owner.shown(owner)
    assert owner.hidden() == [owner]
    assert Owner().hidden() != [owner]
    assert Owner.of_class() is owner.of_class()
    assert owner.hidden.cell.get() == [owner]


def test_naming_a_function_in_a_class_leaves_the_function_alone(gilonce: ModuleType) -> None:
    """It keeps its value, its cell and its callers, wherever else it is put."""

    @gilonce.once
    def shared() -> object:
        return object()

    value = shared()

    class Owner:
        factory = shared

    assert shared() is Owner.factory() is shared.cell.get() is value
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        Owner().factory()


@pytest.mark.parametrize("above", [True, False])
def test_a_class_method_that_hides_its_parameters_has_one_value_per_class(gilonce: ModuleType, above: bool) -> None:
    """In either order, although from 3.13 on classmethod no longer binds what it wraps."""

    def name(*args: type) -> list[type]:
        return [*args]

    base = type("Base", (), {"m": gilonce.once(classmethod(name)) if above else classmethod(gilonce.once(name))})
    derived = type("Derived", (base,), {})
    assert base.m() is base().m()
    assert (base.m(), derived.m()) == ([base], [derived])


def test_a_class_that_is_made_anew_takes_no_values_from_the_first(gilonce: ModuleType) -> None:
    """`dataclass(slots=True)` copies the namespace of a class that may have computed already."""

    class Base:
        __slots__ = ()

        def __init_subclass__(cls) -> None:
            cls.table()

        @gilonce.once
        @classmethod
        def table(cls) -> list[type]:
            return [cls]

    @dataclasses.dataclass(slots=True)
    class Derived(Base):
        x: int = 0

    assert Derived.table() == [Derived]
    assert Derived.table() is Derived.table()


def test_a_class_of_which_the_metaclass_is_written_in_c_has_values(gilonce: ModuleType) -> None:
    """ctypes insists on its own way of setting attributes."""

    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_int),)

        @gilonce.once
        @classmethod
        def origin(cls) -> object:
            return cls()

    assert Point.origin() is Point.origin()


def test_a_class_that_takes_no_attributes_is_refused_before_anything_runs(gilonce: ModuleType) -> None:
    """`int` cannot keep a value; the error names it and the function."""

    @gilonce.once
    def of(cls: type) -> None:
        pytest.fail("must not run")

    for _ in range(2):
        with pytest.raises(TypeError, match=r"'int' takes no attributes, so it cannot keep the value of .*of\(\)"):
            of(int)
        assert sys.modules["gilonce._bound"]._new_values == {}


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy's ctypes is written in Python")
def test_a_metaclass_that_refuses_attributes_is_named(gilonce: ModuleType) -> None:
    """Written in C and guarded in Python, it has the last word; nothing stays behind."""

    class Guarded(type(ctypes.Structure)):  # type: ignore[misc]
        def __setattr__(cls, name: str, value: object) -> None:
            raise ValueError("frozen")

    class Point(ctypes.Structure, metaclass=Guarded):
        @gilonce.once
        @classmethod
        def origin(cls) -> object:
            return pytest.fail("must not run")

    for _ in range(2):
        with pytest.raises(TypeError, match=r"'Point' takes no attributes, so it cannot keep .*origin\(\)"):
            Point.origin()
        assert sys.modules["gilonce._bound"]._new_values == {}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_view_is_a_cell_of_its_own(gilonce: ModuleType, protocol: int) -> None:
    """Like a copy: full or empty as the view was, and tied to no instance or class."""

    class Service:
        @gilonce.once
        def m(self) -> list[int]:
            return [1]

        @gilonce.once
        @classmethod
        def c(cls) -> list[int]:
            return [1]

    service = Service()
    for view in service.m.cell, Service.c.cell:
        assert not pickle.loads(pickle.dumps(view, protocol)).is_set()
        view.get_or_init(lambda: [1])
        copied = pickle.loads(pickle.dumps(view, protocol))
        assert type(copied) is type(copy.copy(view)) is gilonce.GILOnceCell
        assert (copied.take(), view.get()) == ([1], [1])
        view.get().append(view)
        assert pickle.loads(pickle.dumps(view, protocol)).get()[0] == 1


def test_a_deep_copy_of_a_view_is_not_mistaken_for_another(gilonce: ModuleType) -> None:
    """`deepcopy` remembers originals by their `id`, and a view's is gone at once."""

    class Service:
        @gilonce.once
        def m(self) -> str:
            return "of the service"

    class Odd:
        def __reduce__(self) -> Any:
            cell = gilonce.GILOnceCell()
            cell.set("odd")
            return (lambda copied: copied), (cell,)

    service = Service()
    service.m()
    for _ in range(50):
        of_service, odd = copy.deepcopy([service.m.cell, Odd()])
        assert (of_service.get(), odd.get()) == ("of the service", "odd")


def test_decorating_asks_no_argument_of_a_partial_for_its_repr(gilonce: ModuleType) -> None:
    """It may be long, or run a query."""

    class Shy:
        def __repr__(self) -> str:
            pytest.fail("was asked")

    get = gilonce.once(functools.partial(list, Shy.__subclasses__()), discard=None)
    assert get() == []
    assert gilonce.once(functools.partial(id, Shy())).cell.is_set() is False


def test_what_is_kept_in_a_class_does_not_show(gilonce: ModuleType) -> None:
    """Neither `help` nor a runtime protocol takes the values for attributes of the program."""

    @typing.runtime_checkable
    class Named(typing.Protocol):
        @gilonce.once
        @classmethod
        def name(cls) -> str:
            return cls.__name__

    class Thing(Named):
        pass

    class Other:
        name = "other"

    assert Thing.name() == "Thing"
    assert Named.name() == "Named"
    assert isinstance(Other(), Named)
    assert "gilonce" not in pydoc.render_doc(Thing).replace(gilonce.once.__module__, "")


def test_the_values_of_a_class_stay_behind_when_the_class_is_pickled_by_value(gilonce: ModuleType) -> None:
    """As cloudpickle does with classes of `__main__`: it copies the namespace, and pickles that."""

    class Service:
        @gilonce.once
        @classmethod
        def m(cls) -> list[type]:
            return [cls]

    assert Service.m() == [Service]
    hidden = vars(Service)["_abc_gilonce"]
    again = type("Service", (), {"m": vars(Service)["m"], "_abc_gilonce": pickle.loads(pickle.dumps(hidden))})
    assert again.m() == [again]


def test_a_method_of_a_metaclass_has_one_value_per_class(gilonce: ModuleType) -> None:
    """A class is an instance of its metaclass, and cannot lend its `__dict__`."""

    class Meta(type):
        @gilonce.once
        def registry(cls) -> dict[str, object]:
            return {}

        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError(f"{cls.__name__} is frozen")

    class Base(metaclass=Meta):
        pass

    class Derived(Base):
        pass

    assert Base.registry() is Base.registry()
    assert Derived.registry() is not Base.registry()


def test_every_call_of_a_coroutine_function_returns_a_coroutine_with_the_one_value(gilonce: ModuleType) -> None:
    """It serves `create_task`, and a task that failed does not spoil the next."""
    failing = [True]

    @gilonce.once
    async def connect() -> object:
        await asyncio.sleep(0)
        if failing:
            failing.clear()
            raise ConnectionError
        return object()

    async def main() -> None:
        with pytest.raises(ConnectionError):
            await connect()
        tasks = [asyncio.create_task(connect()) for _ in range(3)]
        one, two, three = await asyncio.gather(*tasks)
        assert one is two is three is await connect() is connect.cell.get()

    assert inspect.iscoroutinefunction(connect)
    asyncio.run(main())


def test_coroutine_functions_in_a_class_are_bound_as_others_are(gilonce: ModuleType) -> None:
    """`async def` methods: per instance, per class."""

    class Client:
        @gilonce.once
        async def session(self) -> object:
            return object()

        @gilonce.once
        @classmethod
        async def pool(cls) -> list[type]:
            return [cls]

    class Special(Client):
        pass

    async def main() -> None:
        client = Client()
        assert await client.session() is await client.session() is client.session.cell.get()
        assert await client.session() is not await Client().session()
        assert await Client.pool() == [Client]
        assert await Special.pool() == [Special]

    asyncio.run(main())
    assert inspect.iscoroutinefunction(Client().session)


def test_a_mock_is_a_factory_like_any_other(gilonce: ModuleType) -> None:
    """What answers to every attribute is not taken for a coroutine function."""
    assert gilonce.once(mock.MagicMock(return_value=3))() == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is new in 3.12")
def test_a_function_marked_as_a_coroutine_function_is_one(gilonce: ModuleType) -> None:
    """The mark of `inspect.markcoroutinefunction` counts."""

    async def connect() -> object:
        return object()

    get = gilonce.once(inspect.markcoroutinefunction(lambda: connect()))  # type: ignore[attr-defined]
    assert drive(get()) is drive(get())


def test_a_coroutine_that_was_never_awaited_says_which(gilonce: ModuleType) -> None:
    """Python's warning names the user's function."""

    @gilonce.once
    async def connect() -> object:
        return object()

    with pytest.warns(RuntimeWarning, match=r"coroutine '.*connect' was never awaited"):
        connect()
        gc.collect()


@pytest.mark.parametrize("kind", ["partial", "instance"])
def test_a_coroutine_function_in_disguise_is_still_one(gilonce: ModuleType, kind: str) -> None:
    """A partial of one, or an object whose `__call__` is one, is not stored as a spent coroutine."""

    async def double(x: int) -> int:
        return 2 * x

    class Doubler:
        async def __call__(self) -> int:
            return 42

    get = gilonce.once(functools.partial(double, 21) if kind == "partial" else Doubler())

    async def main() -> tuple[int, int]:
        return await get(), await get()

    assert asyncio.run(main()) == (42, 42)


# The cell behind


def test_the_cell_of_a_function_is_set_at_start_up_and_taken_in_tests(gilonce: ModuleType) -> None:
    """`f.cell` is the cell that calls ask."""

    @gilonce.once
    def settings() -> str:
        return "loaded"

    settings.cell.set("configured")
    assert settings() == "configured"
    assert settings.cell.take() == "configured"
    assert settings() == "loaded"


def test_the_cell_of_a_function_discards_as_the_function_does(gilonce: ModuleType) -> None:
    """Who fills it through `f.cell` and loses has the loser discarded as well."""
    discarded: list[object] = []
    connect = gilonce.once(discard=discarded.append)(lambda: "connected")
    assert connect.cell.get_or_init(lambda: connect() and "too late") == "connected"
    assert discarded == ["too late"]


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="where it has no GIL, 3.13 makes every class immortal once there has been a thread",
)
def test_a_class_whose_value_nobody_asks_for_is_not_kept_alive(gilonce: ModuleType) -> None:
    """What a class is prepared with when it is made refers to it from nowhere else."""

    class Owner:
        @gilonce.once
        @classmethod
        def of_class(cls) -> None: ...

    reference = weakref.ref(Owner)
    del Owner
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("kind", ["instance", "class"])
def test_the_cell_of_a_bound_method_is_a_view_of_its_owner(gilonce: ModuleType, kind: str) -> None:
    """Every operation of a cell works on the one behind a bound method, and on it alone."""

    class Service:
        @gilonce.once
        def of_instance(self) -> object:
            return object()

        @gilonce.once
        @classmethod
        def of_class(cls) -> object:
            return object()

    class Other(Service):
        pass

    method, elsewhere = (
        (Service().of_instance, Service().of_instance) if kind == "instance" else (Service.of_class, Other.of_class)
    )
    assert repr(method.cell) == "<GILOnceCell: empty>"
    assert not method.cell.is_set()
    assert method.cell.take("nothing") == "nothing"
    method.cell.set(None)
    assert method() is None
    assert method.cell.get("default") is None
    for value in (None, "other"):
        with pytest.raises(gilonce.AlreadySetError) as caught:
            method.cell.set(value)
        assert caught.value.value is value
    assert not elsewhere.cell.is_set()
    for make in (copy.copy, copy.deepcopy):
        standalone = make(method.cell)
        assert type(standalone) is gilonce.GILOnceCell
    assert method.cell.take("nothing") is None
    assert not method.cell.is_set()
    assert standalone.is_set()
    assert method() is method() is method.cell.get() is method.cell.get_or_init(list)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="from 3.13 on classmethod does not bind what it wraps")
def test_the_cell_of_a_class_method_below_is_a_view_of_the_class(gilonce: ModuleType) -> None:
    """`Cls.m.cell` works with @once below @classmethod where classmethod binds by `__get__`."""

    class Service:
        @classmethod
        @gilonce.once
        def m(cls) -> object:
            return object()

    assert Service.m() is Service.m.cell.get()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_cell_of_a_bound_method_is_pickled_as_a_cell_of_its_own(gilonce: ModuleType, protocol: int) -> None:
    """A pickle of a view, as a copy of it, has the value or none, and nothing to do with the owner."""

    class Service:
        @gilonce.once
        def m(self) -> list[str]:
            return ["computed"]

    method = Service().m
    assert not pickle.loads(pickle.dumps(method.cell, protocol)).is_set()
    method()
    pickled = pickle.loads(pickle.dumps(method.cell, protocol))
    assert type(pickled) is gilonce.GILOnceCell
    assert pickled.take() == ["computed"]
    assert method.cell.is_set()


def test_what_an_instance_says_of_other_attributes_is_not_taken_for_a_value(gilonce: ModuleType) -> None:
    """A mock, or a proxy, has an answer to every name."""

    class Base:
        @gilonce.once
        def method(self) -> str:
            return "computed"

        @gilonce.once_property
        def x(self) -> str:
            return "computed"

    class Answering(Base):
        x = "an override"

        def __getattr__(self, name: str) -> str:
            return "an answer"

    class AnsweringAll(Base):
        x = "an override"

        def __getattribute__(self, name: str) -> Any:
            try:
                return super().__getattribute__(name)
            except AttributeError:
                return "an answer"

    owner: Any
    for owner in Answering(), AnsweringAll():
        assert owner.anything == "an answer"
        assert owner.method() == owner.method() == "computed"
        assert super(type(owner), owner).x == "computed"


def test_an_initializer_may_change_where_its_instance_keeps_attributes(gilonce: ModuleType) -> None:
    """From then on there is one value, and calls, cell and copies agree about it."""
    if gilonce.__implementation__ == "native" and not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("without a GIL, the value goes where attributes were before, and the cell does not show it")

    class Elsewhere:
        namespace: dict[str, object]
        __dict__ = property(lambda self: self.namespace)

    class Owner:
        @gilonce.once
        def method(self) -> object:
            self.__class__ = Elsewhere  # type: ignore[assignment]
            return object()

    owner: Any = Owner()
    owner.namespace = {}
    method = vars(Owner)["method"].__get__(owner)
    method()
    assert type(owner) is Elsewhere
    value = method()
    assert value is method() is method.cell.get()
    assert list(owner.__dict__.values()) == [value]


def test_an_unbound_method_says_where_its_cells_are(gilonce: ModuleType) -> None:
    """There is no cell without an instance; the error says what to write."""

    class Service:
        @gilonce.once
        def m(self) -> object:
            return object()

    with pytest.raises(AttributeError, match=r"Service\.m\(\) has one cell per instance.*obj\.m\.cell"):
        Service.m.cell
    assert not hasattr(Service.m, "cell")


# The disguise


def test_the_result_passes_for_the_function(gilonce: ModuleType) -> None:
    """Everything that looks at functions finds the one that was wrapped."""

    def original(x: int = 1, /, *, y: str = "") -> list[int]:
        """Return a list."""
        return [x]

    original.tags = ["a"]  # type: ignore[attr-defined]
    wrapped = gilonce.once(original)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__code__", "__defaults__"):
        assert getattr(wrapped, name) == getattr(original, name), name
    assert wrapped.tags is original.tags  # type: ignore[attr-defined]
    assert inspect.signature(wrapped) == inspect.signature(original)
    assert inspect.unwrap(wrapped) is wrapped.__wrapped__ is original
    assert inspect.isfunction(wrapped)
    assert isinstance(wrapped, FunctionType)
    assert not inspect.iscoroutinefunction(wrapped)
    assert typing.get_type_hints(wrapped) == typing.get_type_hints(original)
    assert inspect.getsource(wrapped) == inspect.getsource(original)
    assert "Return a list." in pydoc.render_doc(wrapped)
    assert repr(wrapped).startswith("<once test_the_result_passes_for_the_function.<locals>.original")
    assert callable(wrapped)


def test_a_bound_method_passes_for_a_bound_method(gilonce: ModuleType) -> None:
    """`obj.m` looks as the method of an undecorated class would."""

    class Plain:
        def m(self) -> int:
            """Document."""
            return 1

    class Service(Plain):
        m = gilonce.once(Plain.m)

    service = Service()
    assert inspect.ismethod(service.m)
    assert isinstance(service.m, MethodType)
    assert (service.m.__self__, service.m.__func__) == (service, Service.m)
    assert inspect.signature(service.m) == inspect.signature(Plain().m)
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        assert getattr(service.m, name) == getattr(Plain.m, name), name
    assert service.m == service.m
    assert hash(service.m) == hash(service.m)
    assert service.m != Service().m
    assert service.m != 1
    assert repr(service.m).startswith("<once ")
    bound = service.m
    assert weakref.ref(bound)() is bound


def test_bound_methods_of_equal_instances_are_not_equal(gilonce: ModuleType) -> None:
    """As those of an undecorated class: each has a value of its own."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

        def plain(self) -> None: ...

        @gilonce.once
        def m(self) -> None: ...

    one, other = Equal(), Equal()
    assert one.plain != other.plain
    assert one.m != other.m
    assert one.m == one.m
    assert len({one.m, one.m, other.m}) == 2


def test_other_decorators_may_write_on_it(gilonce: ModuleType) -> None:
    """Attributes can be set, `functools.wraps` can copy, `abstractmethod` can mark."""

    @gilonce.once
    def function() -> int:
        return 1

    function.route = "/"
    assert function.route == "/"
    assert functools.wraps(function)(lambda: None).__name__ == "function"
    assert weakref.ref(function)() is function
    with pytest.raises(AttributeError, match="no_such_thing"):
        function.no_such_thing


@pytest.mark.parametrize("above", [True, False])
def test_an_abstract_method_stays_abstract(gilonce: ModuleType, above: bool) -> None:
    """`@abstractmethod` counts, above and below."""

    def m(self: object) -> int:
        return 1

    decorated = gilonce.once(abstractmethod(m)) if above else abstractmethod(gilonce.once(m))
    base = type("Base", (ABC,), {"m": decorated})
    with pytest.raises(TypeError, match="abstract"):
        base()
    assert type("Concrete", (base,), {"m": gilonce.once(lambda self: 1)})().m() == 1


def test_doctests_in_a_wrapped_function_are_collected(module: Any) -> None:
    """A decorated function's examples are run, with its own module's globals."""
    tests = {test.name: test for test in doctest.DocTestFinder().find(module)}
    test = tests[f"{module.__name__}.process_id"]
    assert len(test.examples) == 1
    assert doctest.DocTestRunner().run(test).failed == 0


def test_functions_and_methods_are_pickled_by_name(module: Any) -> None:
    """What comes back in this process is the same object, as with functions."""
    for thing in (module.process_id, module.Service.token, module.Service.version):
        assert pickle.loads(pickle.dumps(thing)) is thing
        assert copy.copy(thing) is copy.deepcopy(thing) is thing
    assert pickle.loads(pickle.dumps(module.Service.name)) == module.Service.name
    service = module.Service()
    other = pickle.loads(pickle.dumps(service.token))
    assert other.__func__ is service.token.__func__


def test_a_once_function_is_sent_to_a_process_pool(module: Any) -> None:
    """Each process computes its own value of a function that is sent there."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        theirs = [pool.submit(module.process_id).result() for _ in range(2)]
    assert theirs[0] == theirs[1] != module.process_id()


def test_fastapi_depends_on_it(gilonce: ModuleType) -> None:
    """`Depends(get_settings)` just works, plain and async."""
    reason = "fastapi is not installed: pip install '.[clients]' (no wheel for free-threaded 3.13)"
    fastapi = pytest.importorskip("fastapi", reason=reason)

    @gilonce.once
    def get_settings() -> dict[str, int]:
        return {"answer": 42}

    @gilonce.once
    async def get_client() -> object:
        return object()

    app = fastapi.FastAPI()

    @app.get("/")
    def route(settings: Any = fastapi.Depends(get_settings), client: Any = fastapi.Depends(get_client)) -> Any:
        assert client is get_client.cell.get()
        return settings

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))
    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"answer":42}')


# Copies and leaks


def test_copies_of_an_instance_carry_its_value_and_nothing_shared(module: Any) -> None:
    """A copy has the computed value; what either computes later is its own."""
    original = module.Service()
    computed = original.token()
    assert copy.copy(original).token() is computed
    original.token.cell.take()
    assert copy.copy(original).token() is not original.token()


def test_a_pickled_instance_takes_its_values_along(module: Any) -> None:
    """Values are plain entries of `__dict__` under a key that means the same elsewhere."""
    service = module.Service()
    service.token.cell.set("computed")
    assert vars(service) == {f"{module.__name__}.Service.token()": "computed"}
    assert pickle.loads(pickle.dumps(service)).token() == "computed"


def test_an_instance_takes_its_values_to_a_spawned_process(gilonce: ModuleType, tmp_path: Path) -> None:
    """There the main module has another name, and its functions with it."""
    source = """
import multiprocessing
from gilonce import once
class Service:
    @once
    def token(self): return "computed here"
def value_there(service): return service.token.cell.get()
if __name__ == "__main__":
    service = Service()
    service.token()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(value_there, (service,)))
"""
    program = tmp_path / "program.py"
    program.write_text(source)
    assert run_python(gilonce, str(program)) == "computed here\n"


def test_a_local_definition_has_a_key_that_no_other_process_has(gilonce: ModuleType) -> None:
    """Of two that go by one name, each may come first; so no instance brings one the value of the other."""
    source = """
from gilonce import once
def keys(it):
    it.method(), it.lazily()
    return list(vars(it))
class Outside:
    @once
    def method(self): ...
    lazily = once(lambda self: None)
def inside():
    class Inside:
        @once
        def method(self): ...
        lazily = once(lambda self: None)
    return Inside()
print(*keys(Outside()), *keys(inside()), sep=", ")
"""
    one, other = ({*run_python(gilonce, "-c", source).strip().split(", ")} for _ in range(2))
    assert len(one) == 4
    assert one & other == {"__main__.Outside.method()"}


def test_nothing_keeps_an_instance_alive(gilonce: ModuleType) -> None:
    """Neither decorator nor class; a value that refers to its instance is a plain cycle."""

    class Service:
        @gilonce.once
        def me(self) -> Service:
            return self

    service = Service()
    assert service.me() is service
    gone = weakref.ref(service)
    del service
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("through", ["function", "value", "owner"])
def test_a_once_function_in_a_cycle_is_collected(gilonce: ModuleType, through: str) -> None:
    """Whatever it refers to may refer to it: what it wraps, its value, what it is bound to."""

    class Thing:
        @gilonce.once
        def of_instance(self) -> None:
            return None

        def plain(self) -> None:
            return None

    thing: Any = Thing()
    if through == "function":
        thing.once = gilonce.once(thing.plain)
    elif through == "value":
        thing.once = gilonce.once(list)
        thing.once.cell.set(thing)
    else:
        thing.once = thing.of_instance
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("decorator", ["once(classmethod(me))", "classmethod(once(me))"])
def test_a_base_class_keeps_no_subclass_alive(gilonce: ModuleType, decorator: str) -> None:
    """Even where the value per class refers to the class.

    In a process of its own: free-threaded 3.13 makes classes immortal once a thread was started.
    """
    source = f"""
import gc, weakref
from gilonce import once
def me(cls): return cls
class Base:
    me = {decorator}
class Derived(Base): pass
assert Derived.me() is Derived
gone = weakref.ref(Derived)
del Derived
gc.collect()
assert gone() is None
"""
    run_python(gilonce, "-c", source)


# Errors


@pytest.mark.parametrize("thing", [3, "name", property(len)])
def test_what_is_not_callable_is_refused(gilonce: ModuleType, thing: object) -> None:
    """At decoration, by name; a property is told of once_property."""
    with pytest.raises(TypeError, match=r"@once takes a callable, not .*" + type(thing).__name__):
        gilonce.once(thing)
    with pytest.raises(TypeError, match=r"@once takes a callable"):
        gilonce.once(discard=print)(thing)


def test_a_property_below_is_told_of_once_property(gilonce: ModuleType) -> None:
    """The message says what to use instead."""
    with pytest.raises(TypeError, match="use once_property"):
        gilonce.once(property(len))


def test_discard_must_be_callable(gilonce: ModuleType) -> None:
    """`once(discard=3)` is refused at once."""
    with pytest.raises(TypeError, match=r"once\(discard=\.\.\.\) takes a callable"):
        gilonce.once(discard=3)


def test_generator_functions_are_refused(gilonce: ModuleType) -> None:
    """Their one value would be an exhausted iterator."""

    def numbers() -> Any:
        yield 1

    async def letters() -> Any:
        yield "a"

    for function in (numbers, letters, functools.partial(numbers), staticmethod(numbers), classmethod(letters)):
        with pytest.raises(TypeError, match=r"generator function .*exhausts"):
            gilonce.once(function)


class TwoRequired:
    def __init__(self, a: int, b: int) -> None: ...


class OneRequired:
    def __init__(self, a: int) -> None: ...


class NewRequires:
    def __new__(cls, a: int, b: int) -> Any: ...


class CallRequires:
    def __call__(self, a: int, b: int) -> None: ...


def two(a: int, b: int) -> None: ...


def keyword(*, a: int) -> None: ...


def one_and_keyword(self: object, *, a: int) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        two,
        keyword,
        one_and_keyword,
        TwoRequired,
        OneRequired,
        NewRequires,
        CallRequires(),
        functools.partial(two),
        CallRequires().__call__,
        staticmethod(lambda a: a),
        classmethod(two),
        functools.wraps(two)(lambda *args: two(*args)),
    ],
)
def test_required_parameters_are_refused(gilonce: ModuleType, function: Any) -> None:
    """At decoration, naming them and functools.cache."""
    with pytest.raises(TypeError, match=r"@once cannot wrap .* requires '(a|b|self)'.*functools\.cache"):
        gilonce.once(function)


@pytest.mark.parametrize(
    ("function", "left"),
    [
        (functools.partial(two, 1), "'b'"),
        (functools.partial(two, b=1), "'a'"),
        (functools.partial(one_and_keyword, a=1), "'self'"),
        (functools.partial(one_and_keyword, 1), "'a'"),
        (functools.partial(two, 1, 2), None),
        (functools.partial(two, a=1, b=2), None),
        (functools.partial(one_and_keyword, 1, a=1), None),
    ],
)
def test_a_partial_requires_what_it_leaves_open(gilonce: ModuleType, function: Any, left: str | None) -> None:
    """What the partial gives is not required any more; the rest is, for it becomes no method."""
    if left is None:
        assert gilonce.once(function)() is None
    else:
        with pytest.raises(TypeError, match=f"which requires {left}:"):
            gilonce.once(function)


def test_an_argument_beyond_the_instance_is_refused_by_name(gilonce: ModuleType) -> None:
    """At the call: one value per argument is what functools.cache is for."""

    @gilonce.once
    def function(x: int = 0) -> int:
        return x

    class Service:
        @gilonce.once
        def method(self, x: int = 0) -> int:
            return x

        @gilonce.once
        @classmethod
        def of_class(cls, x: int = 0) -> int:
            return x

    service = Service()
    for call in (lambda: function(1), lambda: function(x=1)):
        with pytest.raises(TypeError, match=r"function\(\) takes no arguments,.*functools\.cache"):
            call()
    for call in (lambda: service.method(1), lambda: service.method(x=1), lambda: Service.method(service, 1)):
        with pytest.raises(TypeError, match=r"Service\.method\(\) takes no arguments beyond the instance.*cache"):
            call()
    with pytest.raises(TypeError, match=r"Service\.of_class\(\) takes no arguments beyond"):
        Service.of_class(1)
    with pytest.raises(TypeError, match=r"Service\.method\(\) is a method .*call it on one"):
        Service.method()


def test_an_instance_without_a_dict_is_told_what_to_add(gilonce: ModuleType) -> None:
    """A slotted class: the error names class and method, and both ways out."""

    class Slotted:
        __slots__ = ()

        @gilonce.once
        def m(self) -> int:
            return 1

    message = r"No '__dict__' attribute on 'Slotted' instance to cache the value of .*Slotted\.m\(\).*__slots__.*slot="
    for call in (lambda: Slotted().m(), lambda: Slotted().m.cell, lambda: Slotted.m(5)):
        with pytest.raises(TypeError, match=message.replace("Slotted' inst", "(Slotted|int)' inst")):
            call()


def test_what_was_never_initialized_says_so(gilonce: ModuleType) -> None:
    """`__new__` alone makes no once function, and no endless search for its attributes."""
    once_type = type(gilonce.once(list))
    # In C, there is no such thing as one that was not initialized.
    with pytest.raises((AttributeError, TypeError), match=r"call once\(function\)|missing required argument"):
        once_type.__new__(once_type).anything


def test_what_has_no_name_cannot_be_pickled_and_says_so(gilonce: ModuleType) -> None:
    """A partial has no qualified name to be pickled by."""
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"__qualname__|partial|list"):
        pickle.dumps(gilonce.once(functools.partial(list)))


def test_a_cell_cannot_be_replaced(gilonce: ModuleType) -> None:
    """Another thread may be about to publish in it."""
    function = gilonce.once(list)
    with pytest.raises(AttributeError):
        function.cell = gilonce.GILOnceCell()


class Pair(NamedTuple):
    first: Any
    second: Any


def test_an_instance_that_is_a_tuple_is_one_argument(gilonce: ModuleType) -> None:
    """A tuple is not to be taken for arguments."""

    class WithDict(tuple[Any, ...]):
        @gilonce.once
        def method(self) -> object:
            return object()

        @gilonce.once
        async def coroutine(self) -> object:
            return object()

    class Watched(WithDict):
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name)

    for cls in WithDict, Watched:
        one, other = cls((1, 2)), cls((1, 2))
        assert one.method() is one.method() is not other.method()
        assert drive(one.coroutine()) is drive(one.coroutine()) is not drive(other.coroutine())
    without = gilonce.once(lambda self: object())
    for pair in Pair(1, 2), (Watched(),), ():
        with pytest.raises(TypeError, match=r"No '__dict__' attribute on '(Pair|tuple)' instance"):
            without(pair)


@pytest.mark.parametrize("order", ["first second", "second first"])
def test_which_definition_has_which_key_does_not_depend_on_the_order_of_calls(gilonce: ModuleType, order: str) -> None:
    """So an instance that another process pickled has its values for the right methods."""
    namespace = {"once": gilonce.once, "__name__": f"module_{order}_{gilonce.__implementation__}"}
    source = """
class Owner:
    @once
    def method(*args):
        return "first"
    first = method
    @once
    def method(*args):
        return "second"
    second = method
"""
    exec(source, namespace)
    owner = namespace["Owner"]()
    for name in order.split():
        assert getattr(owner, name)() == name
    assert vars(owner)[f"{namespace['__name__']}.Owner.method()"] == "first"
    assert set(vars(owner).values()) == {"first", "second"}


def test_what_a_function_makes_of_a_function_ends(gilonce: ModuleType) -> None:
    """Of a function of the module, too."""
    source = """
import gc, gilonce, weakref
def connect():
    return []
class Service:
    def __init__(self):
        self.connect = gilonce.once(connect)
        self.connect.owner = self
        self.connect()
references = []
class Value:
    pass
def make():
    return Value()
def get():
    class Local:
        get = staticmethod(gilonce.once(make))
        cell = gilonce.GILOnceCell()
    Local.cell.set(Value())
    return [weakref.ref(Local.get()), weakref.ref(Local.cell.get())]
for _ in range(10):
    references.append(weakref.ref(Service()))
    references.extend(get())
gc.collect()
print(sum(reference() is not None for reference in references))
"""
    assert run_python(gilonce, "-c", source) == "0\n"
