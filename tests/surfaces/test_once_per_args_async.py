"""`once_per_args` on coroutine functions."""

from __future__ import annotations

import asyncio
import inspect
from types import ModuleType

import pytest
from support import drive
from support.keys import settle


def test_every_call_of_an_async_function_gives_the_value(gilonce: ModuleType) -> None:
    """Each is a coroutine of its own."""
    runs: list[str] = []

    @gilonce.once_per_args
    async def get(region: str, *, profile: str = "default") -> object:
        runs.append(region)
        await asyncio.sleep(0)
        return object()

    async def main() -> list[object]:
        return list(await asyncio.gather(get("eu"), get(region="eu"), get("eu", profile="default"), get("us")))

    first, second, third, other = asyncio.run(main())
    assert first is second is third is not other
    assert inspect.iscoroutinefunction(get)
    assert drive(get("eu")) is first is get.cell("eu").get()
    assert len(get.take_all()) == 2
    with pytest.raises(TypeError, match="'region' is a 'list' object"):
        get([])
    coroutine = get("eu")
    assert coroutine.__name__.endswith("get")
    coroutine.close()
    settle()
    assert get.take_all() == []


def test_an_async_method_has_values_per_instance(gilonce: ModuleType) -> None:
    """Under `OnceLock` too, where tasks wait."""

    class Owner:
        @gilonce.once_per_args(cell=gilonce.OnceLock)
        async def method(self, x: int) -> object:
            await asyncio.sleep(0)
            return object()

    async def main() -> None:
        owner = Owner()
        one, two, other = await asyncio.gather(owner.method(1), owner.method(1), owner.method(2))
        assert one is two is not other
        assert await owner.method(x=1) is one

    asyncio.run(main())
