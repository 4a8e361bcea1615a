"""once_property on coroutine functions."""

from __future__ import annotations

import asyncio
import gc
import warnings
from types import ModuleType

import pytest
from support import drive


def test_an_async_property_is_awaited_as_often_as_one_likes(gilonce: ModuleType) -> None:
    """Computed once per instance; the attribute itself may be kept and awaited again."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            await asyncio.sleep(0)
            return object()

        @gilonce.once_property
        @classmethod
        async def pool(cls) -> list[type]:
            return [cls]

    async def main() -> None:
        client = Client()
        kept = client.session
        one = await kept
        assert one is await kept is await client.session is await asyncio.create_task(client.session)
        assert one is not await Client().session
        assert await Client.pool is await client.pool

    asyncio.run(main())
    client = Client()
    assert asyncio.run(client.session) is asyncio.run(client.session)


def test_looking_at_an_async_property_leaves_no_coroutine_behind(gilonce: ModuleType) -> None:
    """`hasattr` begins nothing, so nothing complains of never having been awaited."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            return object()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hasattr(Client(), "session")
        Client().session.close()
        gc.collect()


def test_an_async_property_may_be_thrown_into_and_closed_as_a_coroutine(gilonce: ModuleType) -> None:
    """Run as a task, it can be cancelled, and leaves nothing set."""

    class Client:
        @gilonce.once_property
        async def session(self) -> object:
            await asyncio.Event().wait()
            return object()

    async def main() -> None:
        client = Client()
        task = asyncio.create_task(client.session)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        begun = client.session
        begun.send(None)
        begun.close()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            begun.send(None)
        client.session = "assigned"
        assert await client.session == "assigned"

    asyncio.run(main())


def test_what_is_thrown_into_an_async_property_before_it_has_begun_ends_it(gilonce: ModuleType) -> None:
    """As with any coroutine; nothing has run."""

    class Client:
        @gilonce.once_property
        async def session(self) -> None:
            pytest.fail("must not run")

    client = Client()
    session = client.session
    with pytest.raises(ValueError, match="thrown"):
        session.throw(ValueError("thrown"))
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        session.send(None)
    assert vars(client) == {}


def test_an_async_property_is_assigned_and_deleted_like_any(gilonce: ModuleType) -> None:
    """`obj.x = v` is what awaiting gives; `del obj.x` forgets it."""

    class Client:
        @gilonce.once_property
        async def session(self) -> str:
            return "computed"

    client = Client()
    client.session = "assigned"
    assert drive(client.session) == "assigned"
    del client.session
    assert drive(client.session) == "computed"
    del client.session
    with pytest.raises(AttributeError, match="session"):
        del client.session


def test_monkeypatch_puts_an_async_property_back(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before and is assigned again means the value, or that there was none."""

    class Client:
        __slots__ = ("__dict__", "_slotted")

        @gilonce.once_property
        async def session(self) -> object:
            return object()

        @gilonce.once_property(slot="_slotted")
        async def slotted(self) -> object:
            return object()

    client = Client()
    for name in ("session", "slotted"):
        with monkeypatch.context() as patch:
            patch.setattr(client, name, "patched")
            assert drive(getattr(client, name)) == "patched"
        value = drive(getattr(client, name))
        assert value != "patched"
        with monkeypatch.context() as patch:
            patch.setattr(client, name, "patched")
        assert drive(getattr(client, name)) is value

    async def shared() -> object:
        return object()

    # Any other awaitable is a value like any.
    for foreign in (Client().session, Client().slotted, gilonce.once_property(staticmethod(shared)).__get__(None)):
        client.session = client.slotted = foreign
        assert drive(client.session) is drive(client.slotted) is foreign
