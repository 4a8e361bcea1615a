"""Naive tools, as people write them first. They show that each scenario can fail."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from .tools import AsyncDiscard, AsyncInitializer, AsyncTouch, Initializer, Keyed, Tool, Touch, add


class _Locked:
    def __init__(self, initializer: Initializer) -> None:
        self._initializer = initializer
        self._lock = threading.Lock()
        self._values: list[Any] = []

    def __call__(self) -> Any:
        with self._lock:
            if not self._values:
                self._values.append(self._initializer())
            return self._values[0]


def _locked_async(initializer: AsyncInitializer) -> AsyncTouch:
    import asyncio

    lock = asyncio.Lock()
    values: list[Any] = []

    async def touch() -> Any:
        async with lock:
            if not values:
                values.append(await initializer())
            return values[0]

    return touch


def _locked_each(initializer: Initializer) -> Callable[[], Touch]:
    # One lock for all instances, as functools.cached_property had it up to Python 3.11.
    lock = threading.Lock()

    def new() -> Touch:
        values: list[Any] = []

        def touch() -> Any:
            with lock:
                if not values:
                    values.append(initializer())
                return values[0]

        return touch

    return new


def _locked_keyed(function: Keyed) -> Keyed:
    lock = threading.Lock()
    values: dict[Any, Any] = {}

    def call(key: Any) -> Any:
        with lock:
            if key not in values:
                values[key] = function(key)
            return values[key]

    return call


def _cached(initializer: Initializer) -> Touch:
    values: list[Any] = []

    def touch() -> Any:
        if values:
            return values[-1]
        value = initializer()
        values.append(value)
        return value

    return touch


def _future_async(initializer: AsyncInitializer) -> AsyncTouch:
    """All callers await the first caller's task, so cancelling one of them cancels all."""
    import asyncio

    tasks: list[Any] = []

    async def touch() -> Any:
        if not tasks:
            tasks.append(asyncio.ensure_future(initializer()))
        return await tasks[0]

    return touch


def _discards_at_any_price(initializer: AsyncInitializer, discard: AsyncDiscard) -> AsyncTouch:
    """Discards the loser whatever happens to the caller, which therefore cannot be cancelled."""
    values: list[Any] = []

    async def touch() -> Any:
        if not values:
            value = await initializer()
            if not values:
                values.append(value)
            else:
                with contextlib.suppress(BaseException):
                    await discard(value)
        return values[0]

    return touch


def _in_a_thread(initializer: Initializer) -> Touch:
    """A thread computes. All callers wait for it, and so does the interpreter at its end."""
    values: list[Any] = []
    thread = threading.Thread(target=lambda: values.append(initializer()))
    begun: list[None] = []

    def touch() -> Any:
        if not begun:
            begun.append(None)
            thread.start()
        thread.join()
        return values[0]

    return touch


def _half_done(initializer: Initializer) -> Touch:
    """Sets a flag before it computes, so an interruption in between makes it useless."""
    begun: list[bool] = []
    values: list[Any] = []

    def touch() -> Any:
        if not begun:
            begun.append(True)
            values.append(initializer())
        return values[0]

    return touch


def _ends_the_process(initializer: Initializer) -> Touch:
    return lambda: os._exit(0)


NAIVE = [
    add(Tool("naive_lock", _Locked, _locked_each, _locked_async, make_keyed=_locked_keyed)),
    add(Tool("naive_cache", _cached, make_async=_future_async, make_discarding=_discards_at_any_price)),
    add(Tool("naive_thread", _in_a_thread)),
    add(Tool("naive_flag", _half_done)),
    add(Tool("naive_exit", _ends_the_process)),
]
