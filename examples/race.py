"""Eight threads ask at the same moment for a value that does not exist yet. How many objects do they get?

A connection, a settings object or a lock is meant to exist once, and a cache in front of the function that makes it
looks like enough. It is not. Every thread that arrives while the value is being made makes another one, and most caches
give each thread its own.

Look at the column "distinct objects". Above 1, threads hold different objects and do not know it. The column
"initializer ran" says how the tool does it. If the initializer ran once, one thread worked and the others waited for it
at a lock. `functools.cached_property` did that before Python 3.12, and deadlock.py shows the price. gilonce lets all
threads work, keeps the value that is finished first, and gives that one to everybody.
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
    """Something that must exist once."""

    def itself(self) -> Thing:
        """Return the object itself, also through a proxy of any library."""
        return self


class Maker:
    """Makes things, slowly enough for a race: each thread waits until all of them have come in.

    A tool that lets in one thread at a time keeps the others out, so the wait has a limit.
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
    from lazy_object_proxy import Proxy  # imported here because the other rows do not need it

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
    """Let all threads read at once, and return what each of them got."""
    start = threading.Barrier(THREADS)

    def run(_: int) -> Thing:
        start.wait()
        return read()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def result(tool: Callable[[Maker], Read]) -> str:
    """Race with a tool, and return its row of the table."""
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
    print("\ndistinct objects: above 1, threads hold different objects and do not know it.")
    print(f"initializer ran: {THREADS} if no thread waited, 1 if the others waited. deadlock.py shows the price.")


if __name__ == "__main__":
    main()
