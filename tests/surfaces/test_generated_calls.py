"""The calls of `once_per_args` that the Python implementation generates. Every test also runs on the native core."""

from __future__ import annotations

import asyncio
import copy
import functools
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

CALLS = {
    "static method, above": lambda owner: owner.static_above,
    "static method, below": lambda owner: owner.static_below,
    "method": lambda owner: owner.method,
    "method with key=": lambda owner: owner.with_key,
    "method with *args": lambda owner: owner.with_rest,
    "decorated method": lambda owner: owner.decorated,
    "class method": lambda owner: owner.class_method,
    "class": lambda owner: owner.value_class,
    "builtin function": lambda owner: owner.builtin,
    "async method": lambda owner: running(owner.asynchronous),
    "async static method": lambda owner: running(owner.async_static),
}


def running(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return lambda *args, **kwargs: asyncio.run(call(*args, **kwargs))


def make_owner(gilonce: ModuleType) -> type:
    once_per_args = gilonce.once_per_args

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return decorated

    class Value:
        def __init__(self, x: Any, y: int = 0) -> None:
            self.arguments = x, y

    class Owner:
        value_class = once_per_args(Value)
        builtin = once_per_args(iter)

        @once_per_args
        @staticmethod
        def static_above(x: Any, y: int = 0) -> Any:
            return [x, y]

        @staticmethod
        @once_per_args
        def static_below(x: Any, y: int = 0) -> Any:
            return [x, y]

        @once_per_args
        def method(self, x: Any, y: int = 0) -> Any:
            return [x, y]

        @once_per_args(key=lambda x, y=0: (x, y))
        def with_key(self, x: Any, y: int = 0) -> Any:
            return [x, y]

        @once_per_args
        def with_rest(*args: Any, **kwargs: Any) -> Any:
            return [args, kwargs]

        @once_per_args
        @decorate
        def decorated(self, x: Any, y: int = 0) -> Any:
            return [x, y]

        @once_per_args
        @classmethod
        def class_method(cls, x: Any, y: int = 0) -> Any:
            return [cls, x, y]

        @once_per_args
        async def asynchronous(self, x: Any, y: int = 0) -> Any:
            return [x, y]

        @once_per_args
        @staticmethod
        async def async_static(x: Any, y: int = 0) -> Any:
            return [x, y]

    return Owner


@pytest.mark.parametrize("kind", CALLS)
def test_a_warm_call_makes_no_cell(gilonce: ModuleType, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds its value by the arguments as they are given. Making a cell took 40 times as long."""
    call = CALLS[kind](make_owner(gilonce)())
    value = call("k")
    module = __import__(f"{gilonce.__name__}._surfaces.once_per_args", fromlist=["OncePerArgs"])
    if gilonce.__implementation__ == "python":
        monkeypatch.delattr(module.OncePerArgs, "_ask_key")
    assert call("k") is value


@pytest.mark.parametrize("kind", [kind for kind in CALLS if kind != "builtin function"])
def test_every_spelling_finds_the_value(gilonce: ModuleType, kind: str) -> None:
    call = CALLS[kind](make_owner(gilonce)())
    spellings = (
        [(("k",), {"y": 2}), ((), {"x": "k", "y": 2})]
        if "*args" in kind
        else [
            (("k", 2), {}),
            (("k",), {"y": 2}),
            ((), {"x": "k", "y": 2}),
        ]
    )
    values = [call(*args, **kwargs) for args, kwargs in spellings]
    assert values[0] is call(*spellings[0][0], **spellings[0][1]) is not call("k")
    assert ("*args" in kind) is (values[0] is not values[-1])


def test_a_method_finds_the_table_of_its_own_instance(gilonce: ModuleType) -> None:
    """A copy has the original's table in its `__dict__`, and instances may exchange theirs."""
    one, other = (make_owner(gilonce)() for _ in range(2))
    mine, theirs = one.method(1), other.method(1)
    copied = copy.copy(one)
    assert copied.method(1) is mine
    assert one.method.take_all() == [mine]
    assert one.method(1) is not mine
    assert copied.method(1) is mine
    assert copied.method(2) is copied.method(2) is not one.method(2)
    one.__dict__ = {}
    assert one.method(1) is one.method(1) is not mine
    assert other.method(1) is theirs


def test_a_descriptor_binds_when_it_is_asked_directly(gilonce: ModuleType) -> None:
    owner = (cls := make_owner(gilonce))()
    descriptors = vars(cls)
    assert descriptors["method"].__get__(owner) == owner.method
    assert descriptors["method"].__get__(None, cls) is cls.method
    assert descriptors["class_method"].__get__(owner) == descriptors["class_method"].__get__(None, cls)
    assert descriptors["class_method"].__get__(owner)("k") is cls.class_method("k")
    assert descriptors["value_class"].__get__(owner) is cls.value_class

    @gilonce.once_per_args
    def function(x: Any) -> Any:
        return [x]

    assert function.__get__(owner)() == [owner]


def test_a_class_method_finds_the_table_of_its_own_class(gilonce: ModuleType) -> None:
    base = make_owner(gilonce)
    value = base.class_method(1)
    derived = type("Derived", (base,), {})
    assert derived.class_method(1)[0] is derived
    assert derived.class_method(1) is derived().class_method(1)
    assert base.class_method(1) is value


def test_key_gets_no_owner_below_another_decorator(gilonce: ModuleType) -> None:
    class Owner:
        @classmethod
        @gilonce.once_per_args(key=lambda x: x[0])
        def of_class(cls, x: list[int]) -> Any:
            return [cls, *x]

        @staticmethod
        @gilonce.once_per_args(key=lambda x: x[0])
        def static(x: list[int]) -> Any:
            return x

    assert Owner.of_class([1]) is Owner().of_class([1]) == [Owner, 1]
    assert Owner.static([1]) is Owner().static([1]) == [1]


def test_a_coroutine_that_is_awaited_after_take_all_makes_a_new_value(gilonce: ModuleType) -> None:
    function = make_owner(gilonce).async_static

    async def main() -> None:
        value = await function("k")
        before = function("k")
        assert before.__qualname__.endswith("async_static")
        assert function.take_all() == [value]
        again = await before
        assert again is not value
        assert again is await function("k")

    asyncio.run(main())


def test_names_in_generated_code_are_not_those_of_parameters(gilonce: ModuleType) -> None:
    @gilonce.once_per_args
    def function(_front: Any, _key: Any, *_args: Any, _ask: Any = 0, **_kwargs: Any) -> Any:
        return [_front, _key, _args, _ask, _kwargs]

    class Owner:
        @gilonce.once_per_args
        def method(_bound, _owner: Any, /, _found: Any = None) -> Any:  # noqa: N805
            return [_bound, _owner, _found]

        @gilonce.once_per_args(key=lambda **keywords: tuple(keywords))
        def with_key(self, **keywords: Any) -> Any:
            return keywords

    assert function(1, 2) is function(1, _key=2) == [1, 2, (), 0, {}]
    owner = Owner()
    assert owner.method(1, _found=2) is owner.method(1, 2)
    assert owner.method(1, 2) == [owner, 1, 2]
    assert owner.with_key(_key=1) is owner.with_key(_key=1)
    with pytest.raises(TypeError, match="multiple values for argument 'self'"):
        owner.with_key(self=1)


def test_a_builtin_may_be_replaced_by_itself(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the first call does, it does not need the builtin that calls it."""
    monkeypatch.setattr("builtins.len", gilonce.once_per_args(len))
    found = [len("abc"[:end]) for end in (0, 0, 1, 2)]
    monkeypatch.undo()
    assert found == [0, 0, 1, 2]
