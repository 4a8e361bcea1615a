"""@once: the result looks like what it wraps, for users, decorators and tools."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pydoc
import sys
import typing
import weakref
from abc import ABC, abstractmethod
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pytest
import wrapt


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


class CallableObject:
    """A callable whose attributes are in its `__dict__`."""

    def __init__(self) -> None:
        self.label = "made"

    def __call__(self) -> str:
        return "value"


def marked(kind: str) -> Any:
    """Return a callable of a kind with a mark, as a decorator below `@once` leaves it."""

    def function() -> str:
        return "value"

    def behind() -> str:
        return "value"

    made: Any = {
        "function": function,
        "wrapper": functools.wraps(behind)(lambda: behind()),
        "partial": functools.partial(function),
        "object": CallableObject(),
        "staticmethod": staticmethod(function),
        "classmethod": classmethod(function),
        "function in a staticmethod": function,
        "wrapt": wrapt.FunctionWrapper(function, lambda wrapped, _instance, args, kwargs: wrapped(*args, **kwargs)),
    }[kind]
    made.mark = ["a mark"]
    return staticmethod(made) if kind == "function in a staticmethod" else made


MARKED = ["function", "wrapper", "partial", "object", "staticmethod", "function in a staticmethod", "wrapt"]


@pytest.mark.parametrize("options", [{}, {"discard": print}], ids=["plain", "with options"])
@pytest.mark.parametrize("kind", MARKED)
def test_the_functions_own_attributes_reach_a_decorator_above(gilonce: ModuleType, kind: str, options: Any) -> None:
    """`vars()` has what a decorator below has set, and `functools.wraps` above copies it, as with `functools.cache`."""
    original = marked(kind)
    once = gilonce.once(**options)(original)
    above = functools.wraps(once)(lambda: once())
    assert once.mark is vars(once)["mark"] is above.mark  # type: ignore[attr-defined]
    if kind != "function in a staticmethod":  # which `functools.cache` does not look into
        cached = functools.cache(original)
        lost = vars(functools.wraps(cached)(lambda: None)).keys() - vars(above).keys()
        # On PyPy, where `cache` is written in Python, its own attributes are in the dict, too.
        its_own = (
            {"cache_parameters"}
            if sys.implementation.name == "cpython"
            else {name for name in lost if name[:6] == "cache_"}
        )
        assert {name for name in lost if not name.startswith("__")} <= its_own
    if kind == "object":
        assert above.label == "made"  # type: ignore[attr-defined]
    assert once() == above() == "value"
    # One that is set afterwards is this function's alone, on either side.
    once.later = 1
    assert not hasattr(original, "later")


@pytest.mark.parametrize("kind", MARKED)
def test_unwrapping_passes_nothing_by(gilonce: ModuleType, kind: str) -> None:
    """What the function itself has wrapped is not taken for what `once` wraps."""
    original = marked(kind)
    function = original.__func__ if isinstance(original, staticmethod) else original
    once = gilonce.once(original)
    assert once.__wrapped__ is function
    assert "__wrapped__" not in vars(once)
    assert inspect.unwrap(once) is inspect.unwrap(function)
    assert functools.wraps(once)(lambda: None).__wrapped__ is once  # type: ignore[attr-defined]


def test_attributes_of_a_class_method_reach_a_decorator_above(gilonce: ModuleType) -> None:
    """Whether they were set on the function or on the class method."""

    def name(cls: type) -> str:
        return cls.__name__

    name.of_function = 1  # type: ignore[attr-defined]
    method: Any = classmethod(name)
    method.of_method = 2

    class Owner:
        it = gilonce.once(method)

    for once in vars(Owner)["it"], Owner.it:
        assert (once.of_function, once.of_method) == (1, 2)
        assert {"of_function", "of_method"} <= vars(once).keys()
    assert Owner.it() == "Owner"


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_class_or_static_method_below_has_one_func(gilonce: ModuleType, kind: type) -> None:
    """doctest remembers by its `id` what it has seen, so a new object each time could look like another method's."""
    once = gilonce.once(kind(lambda *_: None))
    assert once.__func__ is once.__func__


def test_a_function_without_attributes_is_given_no_dict(gilonce: ModuleType) -> None:
    """`vars()` is empty, for a class too, whose namespace is not what is set on a function."""
    assert vars(gilonce.once(lambda: None)) == {}
    assert vars(gilonce.once(len)) == {}
    assert vars(gilonce.once(CallableObject)) == {}
    assert gilonce.once(CallableObject).__call__ is not None


def test_attributes_are_copied_once_and_the_original_keeps_its_own(gilonce: ModuleType) -> None:
    """As with `functools.cache`: neither `__dict__` is the other's."""

    def function() -> None: ...

    function.mark = "before"  # type: ignore[attr-defined]
    once = gilonce.once(function)
    once.mark = "changed"
    assert function.mark == "before"  # type: ignore[attr-defined]
    del once.mark
    assert once.mark == "before"  # found in the function, as any attribute that is only there
    function.later = "later"  # type: ignore[attr-defined]
    assert once.later == "later"
    assert "later" not in vars(once)


def test_an_attribute_named_as_one_of_ours_changes_nothing(gilonce: ModuleType) -> None:
    """What a function carries is found in `vars()`, and what `once` has stays what it is."""

    def function() -> str:
        return "value"

    names = (
        "cell",
        "_cell",
        "_function",
        "_definition",
        "_is_async",
        "_needs_owner",
        "_is_outside_classes",
        "__wrapped__",
    )
    vars(function).update(dict.fromkeys(names, "theirs"))
    once = gilonce.once(function)
    assert once() == once.cell.get() == "value"
    assert once.__wrapped__ is function
    assert inspect.iscoroutinefunction(once) is False


def test_a_dict_that_is_not_one_is_not_copied(gilonce: ModuleType) -> None:
    """A callable may say anything about its `__dict__`."""

    class Lying:
        __dict__ = property(lambda self: 3)  # type: ignore[assignment]

        def __call__(self) -> str:
            return "value"

    once = gilonce.once(Lying())
    assert vars(once) == {}
    assert once() == "value"


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
