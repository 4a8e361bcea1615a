"""`python -m gilonce`: say what is installed here, and run a small race that compares gilonce with functools."""

from __future__ import annotations

import argparse
import functools
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import distributions, version
from operator import attrgetter

from . import __implementation__, __version__, lazy_global, once, once_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[], object]

DESCRIPTION = "Say what is installed here, and run a small race that compares gilonce with functools."
THREADS = 8
#: How many seconds a thread waits for the others. Some tools keep the others out with a lock, so the wait has a limit.
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


def native_core_elsewhere() -> str | None:
    """Return where gilonce is installed with its native core, if Python has found a copy without one first."""
    if __implementation__ == "native" or os.environ.get("GILONCE_PURE_PYTHON"):
        return None
    for distribution in distributions(name="gilonce"):
        for file in distribution.files or ():
            if file.parts[:2] == ("gilonce", "_native") and file.name.endswith(tuple(EXTENSION_SUFFIXES)):
                return str(distribution.locate_file("gilonce"))
    return None


def through_attribute(descriptor: Callable[..., object], make: Read) -> Read:
    """Return a function that reads an attribute made by `descriptor` from one instance."""

    class Owner:
        thing = descriptor(lambda _self: make())

    return functools.partial(attrgetter("thing"), Owner())


def through_proxy(make: Read) -> Read:
    """Return a function that touches a lazy global and returns the object behind it."""
    return functools.partial(attrgetter("__wrapped__"), lazy_global(make))


TOOLS: dict[str, Callable[[Read], Read]] = {
    "functools.cache": functools.cache,
    "functools.cached_property": functools.partial(through_attribute, functools.cached_property),
    "gilonce.once": once,
    "gilonce.once_property": functools.partial(through_attribute, once_property),
    "gilonce.lazy_global": through_proxy,
}


def race(tool: Callable[[Read], Read]) -> tuple[int, int]:
    """Let threads read one value at once; return how many objects they got, and how often the initializer ran."""
    everyone_is_in = threading.Barrier(THREADS)
    made = []

    def make() -> object:
        with suppress(threading.BrokenBarrierError):
            everyone_is_in.wait(PATIENCE)
        mine = object()
        made.append(mine)
        return mine

    read = tool(make)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(read) for _ in range(THREADS)]
    return len({future.result() for future in futures}), len(made)


def deadlocks(tool: Callable[[Read], Read]) -> bool:
    """Let two threads read two values that need each other; return whether the threads wait for each other forever."""
    both_are_in = threading.Barrier(2)
    is_in = threading.local()
    reads: list[Read] = []

    def make(other: int) -> object:
        if not hasattr(is_in, "already"):
            is_in.already = True
            with suppress(threading.BrokenBarrierError):
                both_are_in.wait(PATIENCE)
            reads[other]()
        return object()

    reads += [tool(functools.partial(make, 1)), tool(functools.partial(make, 0))]
    threads = [threading.Thread(target=read, daemon=True) for read in reads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return any(thread.is_alive() for thread in threads)


def verdict(objects: dict[str, int], deadlocked: set[str]) -> str:
    """Say in a line each how gilonce and the others did; end with an error if gilonce broke its promise."""
    bad = {name: f"{name} gave the threads {count} objects." for name, count in objects.items() if count > 1}
    bad |= {name: f"{name} deadlocked." for name in deadlocked}
    if any(name.startswith("gilonce.") for name in bad):
        sys.exit("\n".join([*bad.values(), "This is a bug in gilonce. Please report it with the output above."]))
    return "\n".join(["gilonce gave all threads one object, and no thread waited forever.", *bad.values()])


def main() -> None:
    """Print the facts, then the race, then a verdict."""
    parser = argparse.ArgumentParser(prog="python -m gilonce", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"gilonce {__version__} ({__implementation__})")
    parser.parse_args()

    for name, fact in facts().items():
        print(f"{name:<16}{fact}")
    if elsewhere := native_core_elsewhere():
        here = os.path.dirname(__file__)
        print(f"\nThis is {here}, which has no compiled core. The gilonce in {elsewhere} has one.")
        print("Run the command in another directory, or install this one again: python -m pip install -e .")

    print(f"\n{THREADS} threads read one value at once. Then two threads read two values that need each other.\n")
    print(f"{'':<26}{'distinct objects':>18}{'initializer ran':>18}    two that need each other", flush=True)
    objects = {}
    deadlocked = set()
    for name, tool in TOOLS.items():
        objects[name], runs = race(tool)
        if deadlocks(tool):
            deadlocked.add(name)
        outcome = "deadlock" if name in deadlocked else "ok"
        print(f"{name:<26}{objects[name]:>18}{runs:>18}    {outcome}", flush=True)
    print(f"\n{verdict(objects, deadlocked)}")


if __name__ == "__main__":
    main()
