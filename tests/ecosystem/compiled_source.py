"""What test_compiled.py compiles with Cython and with mypyc."""

from typing import Any

import decorators

once: Any = decorators.once
once_property: Any = decorators.once_property
once_per_args: Any = decorators.once_per_args


@once
def function() -> Any:
    """The docstring."""
    return object()


@once
async def later() -> Any:
    return object()


@once_per_args
def per_args(one: int, two: int = 2) -> Any:
    return [one, two]


@once_per_args
async def per_args_later(one: int) -> Any:
    return [one]


class Owner:
    @once
    def method(self) -> Any:
        return [self]

    @once_property
    def attribute(self) -> Any:
        return [self]

    @classmethod
    @once
    def of_class(cls) -> Any:
        return [cls]

    @staticmethod
    @once
    def of_all() -> Any:
        return object()

    @once
    async def method_later(self) -> Any:
        return [self]


def make_local() -> Any:
    secret = object()

    @once
    def local() -> Any:
        return [secret]

    return local


def make_local_later() -> Any:
    secret = object()

    @once
    async def local() -> Any:
        return [secret]

    return local


def make_generator() -> Any:
    def generate() -> Any:
        yield 1

    return once(generate)


def make_required() -> Any:
    def takes(one: int, two: int) -> Any:
        return [one, two]

    return once(takes)
