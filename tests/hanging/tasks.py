"""Tasks of event loops: what is cancelled, what needs each other, and loops in two threads."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from .scenario import Value, WrongError, expect_one, go_on, scenario, together
from .tools import Tool


@types.coroutine
def _watched(awaitable: Awaitable[Any], at_suspension: Callable[[], object]) -> Generator[Any, Any, Any]:
    """Await, and call `at_suspension` whenever that is suspended."""
    inner: Any = awaitable.__await__()
    resume = functools.partial(inner.send, None)
    while True:
        try:
            suspended = resume()
        except StopIteration as stop:
            return stop.value
        at_suspension()
        try:
            resume = functools.partial(inner.send, (yield suspended))
        except BaseException as error:
            resume = functools.partial(inner.throw, error)


async def _cancel_one(tool: Tool, tasks: int, cancelled: int, suspension: int) -> bool:
    """Cancel that task at its suspension of that number; return whether it came so far."""
    suspensions = 0

    async def initializer() -> Value:
        for _ in range(3):
            await asyncio.sleep(0)
        return Value()

    def cancel() -> None:
        nonlocal suspensions
        suspensions += 1
        if suspensions == suspension:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    async def work(index: int) -> Any:
        return await _watched(touch(), cancel if index == cancelled else int)

    touch = tool.make_async(initializer)
    got = await asyncio.gather(*map(work, range(tasks)), return_exceptions=True)
    got.append(await touch())
    is_cancelled = suspensions >= suspension
    if is_cancelled and not isinstance(got.pop(cancelled), asyncio.CancelledError):
        raise WrongError(f"task {cancelled}, cancelled at suspension {suspension}, went on")
    expect_one(got)
    return is_cancelled


@scenario(form="make_async")
def cancellation(tool: Tool) -> None:
    """The cancellation of one of three tasks, at every `await`.

    Wrong, too: a task that was not cancelled ends with an exception, or the one that was does not.
    """
    for cancelled in range(3):
        for suspension in itertools.count(1):
            go_on()
            if not asyncio.run(_cancel_one(tool, 3, cancelled, suspension)):
                break


@scenario(form="make_async")
def tasks_in_a_cycle(tool: Tool) -> None:
    """Two asynchronous values that need each other, each first awaited by a task of its own."""

    async def run() -> None:
        inside = [asyncio.Event(), asyncio.Event()]
        seen: list[list[Any]] = [[], []]
        touches: list[Callable[[], Awaitable[Any]]] = []

        def needing(index: int) -> Callable[[], Awaitable[Value]]:
            async def initializer() -> Value:
                if not inside[index].is_set():
                    inside[index].set()
                    await inside[not index].wait()
                    seen[not index].append(await touches[not index]())
                return Value()

            return initializer

        async def work(index: int) -> None:
            seen[index].append(await touches[index]())

        touches += [tool.make_async(needing(0)), tool.make_async(needing(1))]
        await asyncio.gather(work(0), work(1))
        for index in range(2):
            await work(index)
            expect_one(seen[index], 3)

    asyncio.run(run())


@scenario(form="make_async", is_unseen=True)
def starts_a_task(tool: Tool) -> None:
    """An asynchronous initializer that awaits a task which needs the same value."""

    async def run() -> None:
        seen: list[Any] = []
        begun: list[None] = []

        async def work() -> None:
            seen.append(await touch())

        async def initializer() -> Value:
            if not begun:
                begun.append(None)
                await asyncio.create_task(work())
            return Value()

        touch = tool.make_async(initializer)
        await work()
        await work()
        expect_one(seen, 3)

    asyncio.run(run())


@scenario(form="make_async", is_unseen=True)
def two_event_loops(tool: Tool) -> None:
    """Two event loops in two threads that need one asynchronous value, one waiting for the other."""
    entered, done = threading.Event(), threading.Event()

    async def initializer() -> Value:
        if not entered.is_set():
            entered.set()
            await asyncio.get_running_loop().run_in_executor(None, done.wait)
        return Value()

    async def work() -> Any:
        return await touch()

    def when_entered() -> Any:
        entered.wait()
        try:
            return asyncio.run(work())
        finally:
            done.set()

    touch = tool.make_async(initializer)
    expect_one([*together(lambda: asyncio.run(work()), when_entered), asyncio.run(work())], 3)
