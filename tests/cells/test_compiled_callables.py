"""Functions that Cython and mypyc compile, with a stand-in. `ecosystem/test_compiled.py` compiles real ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

import pytest
from support import drive


class Compiled:
    """What Cython makes of a function: not a Python function, but it has a `__code__` and all that belongs to it."""

    def __init__(self, function: Any) -> None:
        for name in "__name__", "__qualname__", "__module__", "__defaults__", "__kwdefaults__", "__annotations__":
            setattr(self, name, getattr(function, name))
        self._function = function

    @property
    def __code__(self) -> CodeType:
        return self._function.__code__  # type: ignore[no-any-return]

    # Not a Python function, whose parameters would be seen.
    __call__: Any = property(lambda self: self._function)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._function.__get__(instance, owner)


class Opaque(Compiled):
    """What mypyc makes of an `async def`: the code has no parameters, and no flag but that of a coroutine function."""

    @property
    def __code__(self) -> CodeType:
        code = (lambda: None).__code__
        return code.replace(co_flags=self._function.__code__.co_flags & inspect.CO_COROUTINE)


class Unknown:
    """What mypyc makes of a method or a local function: nothing can be seen of it."""

    def __init__(self, function: Any) -> None:
        self._function = function

    __call__: Any = property(lambda self: self._function)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._function.__get__(instance, owner)


@pytest.mark.parametrize("surface", ["once", "once_per_args", "once_property"])
@pytest.mark.parametrize("kind", [Compiled, Opaque])
def test_a_compiled_coroutine_function_is_one(gilonce: ModuleType, surface: str, kind: Callable[[Any], Any]) -> None:
    async def compute(*_: object) -> object:
        return object()

    owner = type("Owner", (), {"value": getattr(gilonce, surface)(kind(compute))})()
    if surface == "once_property":
        owner.__class__.value.__set_name__(owner.__class__, "value")

    async def read() -> object:
        return await (owner.value if surface == "once_property" else owner.value())

    assert drive(read()) is drive(read())


def test_a_compiled_generator_function_is_refused(gilonce: ModuleType) -> None:
    def generate() -> Any:
        yield 1

    async def generate_later() -> Any:
        yield 1

    for function in generate, generate_later:
        for surface in gilonce.once, gilonce.once_per_args:
            with pytest.raises(TypeError, match=rf"cannot wrap the generator function .*{function.__name__}\(\)"):
                surface(Compiled(function))


def test_the_required_parameters_of_a_compiled_function_are_known(gilonce: ModuleType) -> None:
    with pytest.raises(TypeError, match="which requires 'one', 'two'"):
        gilonce.once(Compiled(lambda one, two, three=3: None))
    with pytest.raises(TypeError, match="which requires 'one'"):
        gilonce.once(Compiled(lambda *, one, two=2: None))
    method = gilonce.once(Compiled(lambda self, two=2: [self, two]))
    with pytest.raises(TypeError, match="call it on one"):
        method()
    made = gilonce.once_per_args(Compiled(lambda one, two=2: [one, two]))
    assert made(1) is made(one=1, two=2) is not made(2)


@pytest.mark.parametrize("kind", [Compiled, Opaque, Unknown])
def test_a_compiled_method_gets_its_owner(gilonce: ModuleType, kind: Callable[[Any], Any]) -> None:
    def compute(owner: object) -> list[object]:
        return [owner]

    class Owner:
        method = gilonce.once(kind(compute))
        below = classmethod(gilonce.once(kind(compute)))
        above = gilonce.once(classmethod(kind(compute)))
        attribute = gilonce.once_property(kind(compute))

    owner = Owner()
    assert owner.method() is owner.method() is Owner.method(owner)
    assert owner.method() == owner.attribute == [owner]
    assert owner.attribute is owner.attribute
    assert Owner.below() is owner.below()
    assert Owner.above() is owner.above()
    assert Owner.below() == Owner.above() == [Owner]


def test_a_compiled_function_of_a_module_takes_nothing(gilonce: ModuleType) -> None:
    for kind in Compiled, Opaque, Unknown:
        made = gilonce.once(kind(lambda: object()))
        assert made() is made()
    with pytest.raises(TypeError, match="takes no arguments"):
        gilonce.once(Compiled(lambda: object()))(1)


def test_an_object_that_passes_attributes_on_is_not_a_function(gilonce: ModuleType) -> None:
    """What its own `__call__` returns counts, not what it wraps."""

    class Decorated:
        def __init__(self, function: Any) -> None:
            self.function = function

        def __call__(self) -> object:
            return object()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.function, name)

    async def compute() -> object:
        return object()

    made = gilonce.once(Decorated(compute))
    assert made() is made()
    assert type(made()) is object
