"""Objects and proxies for tests of `lazy_global`."""

from __future__ import annotations

import asyncio
import dataclasses
import typing
from types import ModuleType
from typing import Any


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


def touched(gilonce: ModuleType, value: Any, **options: Any) -> Any:
    """A proxy for `value` that has been touched."""
    proxy = lazily(gilonce, value, reify=False, **options)
    proxy.__wrapped__
    return proxy


@dataclasses.dataclass
class Point:
    """A dataclass, whose instances `dataclasses` tells from others."""

    x: int
    inner: Any = None
