"""`python -m gilonce`: what is installed here and on what it runs, and a small race beside functools."""

from __future__ import annotations

import functools
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from operator import attrgetter

from . import __implementation__, __version__, lazy_global, once, once_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[], object]

THREADS = 8
#: How many seconds a thread inside the initializer waits for the others, which a lock may keep out.
PATIENCE = 1.0


def facts() -> dict[str, str]:
    """Return what a bug report should say."""
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return {
        "gilonce": __version__,
        "implementation": __implementation__,
        "wrapt": version("wrapt"),
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "GIL": "enabled" if gil_enabled else "disabled",
    }


def through_attribute(descriptor: Callable[..., object], make: Read) -> Read:
    """Return a function that reads an attribute made by `descriptor` from one instance."""

    class Owner:
        thing = descriptor(lambda _self: make())

    return functools.partial(attrgetter("thing"), Owner())


def through_proxy(make: Read) -> Read:
    """Return a function that touches a lazy global and returns what is behind it."""
    return functools.partial(attrgetter("__wrapped__"), lazy_global(make))


TOOLS: dict[str, Callable[[Read], Read]] = {
    "functools.cache": functools.cache,
    "functools.cached_property": functools.partial(through_attribute, functools.cached_property),
    "gilonce.once": once,
    "gilonce.once_property": functools.partial(through_attribute, once_property),
    "gilonce.lazy_global": through_proxy,
}


def distinct_objects(tool: Callable[[Read], Read]) -> int:
    """Return how many objects threads are handed that all find no value."""
    everyone_is_in = threading.Barrier(THREADS)

    def make() -> object:
        with suppress(threading.BrokenBarrierError):
            everyone_is_in.wait(PATIENCE)
        return object()

    read = tool(make)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(read) for _ in range(THREADS)]
    return len({future.result() for future in futures})


def main() -> None:
    """Print the facts, then the race."""
    for name, fact in facts().items():
        print(f"{name:<16}{fact}")
    print(f"\n{THREADS} threads race for a value: how many objects are they handed?\n")
    for name, tool in TOOLS.items():
        print(f"{name:<28}{distinct_objects(tool)}")


if __name__ == "__main__":
    main()
