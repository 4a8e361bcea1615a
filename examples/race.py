"""Eight threads ask for a value that is not there yet: how many objects they are handed.

A connection, a settings object, a lock: such a value is meant to exist once, and a cache in front of the function
that makes it looks like enough. It is not. Threads that arrive while the value is being made each make one, and
most caches give each of them its own.

Look at the column "distinct objects". Above 1, threads hold different objects and do not know it. The other column
says how often the initializer ran. A tool with 1 in both lets one thread work and has the others wait for it, with a
lock; `functools.cached_property` did so before Python 3.12, and deadlock.py shows the price. gilonce lets all of them
work, keeps what the first one finishes, and gives that to everyone.
"""

from __future__ import annotations

import functools
import platform
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gilonce import lazy_global, once, once_property

THREADS = 8
PATIENCE = 1.0  # seconds


class Thing:
    """What must exist once."""

    def itself(self) -> Thing:
        """Return the object that is behind a proxy, whoever made the proxy."""
        return self


class Maker:
    """Makes things, and is slow enough for a race: the first to come in waits for the others.

    With a tool that lets in one thread at a time they never come, so its patience is limited.
    """

    def __init__(self) -> None:
        self.made: list[Thing] = []
        self._everyone_is_in = threading.Barrier(THREADS)

    def __call__(self) -> Thing:
        with suppress(threading.BrokenBarrierError):
            self._everyone_is_in.wait(PATIENCE)
        thing = Thing()
        self.made.append(thing)
        return thing


Read = Callable[[], Thing]


def functools_cache(make: Maker) -> Read:
    @functools.cache
    def thing() -> Thing:
        return make()

    return thing


def functools_cached_property(make: Maker) -> Read:
    class Owner:
        @functools.cached_property
        def thing(self) -> Thing:
            return make()

    owner = Owner()
    return lambda: owner.thing


def lazy_object_proxy(make: Maker) -> Read:
    from lazy_object_proxy import Proxy  # not needed for the rest

    thing = Proxy(make)

    def read() -> Thing:
        found: Thing = thing.itself()
        return found

    return read


def gilonce_once(make: Maker) -> Read:
    @once
    def thing() -> Thing:
        return make()

    return thing


def gilonce_once_property(make: Maker) -> Read:
    class Owner:
        @once_property
        def thing(self) -> Thing:
            return make()

    owner = Owner()
    return lambda: owner.thing


def gilonce_lazy_global(make: Maker) -> Read:
    thing = lazy_global(make)

    def read() -> Thing:
        return thing.itself()

    return read


TOOLS: dict[str, Callable[[Maker], Read]] = {
    "functools.cache": functools_cache,
    "functools.cached_property": functools_cached_property,
    "lazy_object_proxy.Proxy": lazy_object_proxy,
    "gilonce.once": gilonce_once,
    "gilonce.once_property": gilonce_once_property,
    "gilonce.lazy_global": gilonce_lazy_global,
}


def race(read: Read) -> list[Thing]:
    """Return what each of the threads reads, all of them released at once."""
    start = threading.Barrier(THREADS)

    def run(_: int) -> Thing:
        start.wait()
        return read()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def result(tool: Callable[[Maker], Read]) -> str:
    """Race with `tool` and return its row of the table."""
    maker = Maker()
    try:
        read = tool(maker)
    except ModuleNotFoundError:
        return f"{'(not installed)':>18}"
    distinct = {id(thing) for thing in race(read)}
    return f"{len(distinct):>18}{len(maker.made):>18}"


def main() -> None:
    gil = "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "without the GIL"
    print(f"{THREADS} threads, {platform.python_implementation()} {platform.python_version()} {gil}\n")
    print(f"{'':<27}{'distinct objects':>18}{'initializer ran':>18}")
    for name, tool in TOOLS.items():
        print(f"{name:<27}{result(tool)}")


if __name__ == "__main__":
    main()
