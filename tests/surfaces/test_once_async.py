"""@once on coroutine functions."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import sys
from types import ModuleType

import pytest
from support import drive


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
