"""Time gilonce beside its peers: `python tests/benchmarks/speed.py [--rounds N] [--json FILE] [ROW ...]`.

Each row of the table is a ratio: gilonce's way of doing a thing and a peer's, timed in turns in one process, so that
whatever else the machine does falls on both. A time is the median of the rounds, net of a loop that does the rest
(nothing, or making the object whose attribute is read for the first time). It never fails on time: `check.py`, given
the JSON, says which ratios are above their limits.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import statistics
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lazy_object_proxy
import wrapt

import gilonce

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
UNROLLED = 20
SAMPLE = 2e-3  #: How many seconds a sample takes, about: short, so that the turns are, too.


@dataclass
class Row:
    """One line of the table: two statements and what is taken off both."""

    name: str
    limit: float
    ours: str
    theirs: str
    nothing: str = "pass"


KEPT = object()


class PlainMethod:
    def __init__(self) -> None:
        self.kept = KEPT

    def method(self) -> object:
        return self.kept


class Once:
    @gilonce.once
    def method(self) -> object:
        return KEPT


class WraptCache:
    @wrapt.lru_cache
    def method(self) -> object:
        return KEPT


class OnceProperty:
    @gilonce.once_property
    def attribute(self) -> object:
        return KEPT


class CachedProperty:
    @functools.cached_property
    def attribute(self) -> object:
        return KEPT


class Slotted:
    __slots__ = ("_attribute", "_plain")

    def __init__(self) -> None:
        self._plain = KEPT

    @gilonce.once_property(slot="_attribute")
    def attribute(self) -> object:
        return KEPT

    @property
    def plain(self) -> object:
        return self._plain


class Real:
    """What stands behind the proxies."""

    def __init__(self) -> None:
        self.attribute = KEPT

    def __getitem__(self, _index: int) -> object:
        return KEPT


def function() -> object:
    return KEPT


def same_function() -> object:
    return KEPT


def factory() -> Real:
    return Real()


NAMES: dict[str, Any] = {
    "once": gilonce.once(function),
    "cache": functools.cache(function),
    "cell": gilonce.GILOnceCell(),
    "function": function,
    "once_object": Once(),
    "plain_object": PlainMethod(),
    "wrapt_object": WraptCache(),
    "Once": Once,
    "OnceProperty": OnceProperty,
    "CachedProperty": CachedProperty,
    "once_property_object": OnceProperty(),
    "cached_property_object": CachedProperty(),
    "slotted": Slotted(),
    "lazy": gilonce.lazy_global(factory),
    "wrapt_lazy": wrapt.LazyObjectProxy(factory),
    "lop_lazy": lazy_object_proxy.Proxy(factory),
    "lazy_list": gilonce.lazy_global(lambda: [KEPT]),
    "wrapt_lazy_list": wrapt.LazyObjectProxy(lambda: [KEPT]),
    "make_lazy": gilonce.lazy_global,
    "make_wrapt_lazy": wrapt.LazyObjectProxy,
    "factory": factory,
}
NAMES["cell"].set(KEPT)
for thing in ("lazy", "wrapt_lazy", "lop_lazy"):
    assert NAMES[thing].attribute is KEPT
for thing in ("lazy_list", "wrapt_lazy_list"):
    assert NAMES[thing][0] is KEPT
NEW = sys.version_info >= (3, 12)

ROWS = [
    Row("f() for @once / functools.cache", 0.60, "once()", "cache()"),
    Row("cell.get() / a functools.cache call", 0.75, "cell.get()", "cache()"),
    Row("cell.get_or_init(f) / a functools.cache call", 0.90, "cell.get_or_init(function)", "cache()"),
    Row("obj.m() for @once / a plain method", 2.0 if NEW else 1.5, "once_object.method()", "plain_object.method()"),
    Row("obj.m() for @once / wrapt.lru_cache", 0.10, "once_object.method()", "wrapt_object.method()"),
    Row(
        "first read, once_property / cached_property",
        0.6 if NEW else 0.5,
        "OnceProperty().attribute",
        "CachedProperty().attribute",
        "{cls}()",
    ),
    Row(
        "warm read, once_property / cached_property",
        1.03,
        "once_property_object.attribute",
        "cached_property_object.attribute",
    ),
    Row("warm read, slot= / property returning the slot", 0.8, "slotted.attribute", "slotted.plain"),
    Row("attribute of lazy_global / wrapt.LazyObjectProxy", 0.06, "lazy.attribute", "wrapt_lazy.attribute"),
    Row("attribute of lazy_global / lazy_object_proxy", 0.06, "lazy.attribute", "lop_lazy.attribute"),
    Row("item of lazy_global / wrapt.LazyObjectProxy", 1.1, "lazy_list[0]", "wrapt_lazy_list[0]"),
    Row("making lazy_global / wrapt.LazyObjectProxy", 0.03, "x = make_lazy(factory)", "x = make_wrapt_lazy(factory)"),
]


def timer(statement: str) -> Callable[[], float]:
    """Return a function that takes one sample: seconds for one execution of `statement`."""
    setup = "; ".join(f"{name} = _names[{name!r}]" for name in NAMES)
    it = timeit.Timer("; ".join([statement] * UNROLLED), setup, globals={"_names": NAMES})
    loops = 1
    while it.timeit(loops) < SAMPLE:
        loops *= 2
    return lambda: it.timeit(loops) / (loops * UNROLLED)


def measure(row: Row, rounds: int) -> dict[str, Any]:
    """Return the medians of both sides and their ratio."""
    nothings = [row.nothing, row.nothing]
    if "{cls}" in row.nothing:
        nothings = [row.nothing.format(cls=side.split("(")[0]) for side in (row.ours, row.theirs)]
    takers = [timer(statement) for statement in (row.ours, row.theirs, *nothings)]
    samples: list[list[float]] = [[], [], [], []]
    for _ in range(rounds):
        for taken, take in zip(samples, takers, strict=True):
            taken.append(take())
    ours, theirs, our_nothing, their_nothing = map(statistics.median, samples)
    return result(row.name, row.limit, ours - our_nothing, theirs - their_nothing)


def result(name: str, limit: float, ours: float, theirs: float) -> dict[str, Any]:
    return {"name": name, "ours_ns": ours * 1e9, "theirs_ns": theirs * 1e9, "ratio": ours / theirs, "limit": limit}


def measure_import(rounds: int) -> dict[str, Any]:
    """Compare what two imports add to a bare start."""
    statements = ["import gilonce", "import wrapt", "pass"]
    samples: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for taken, statement in zip(samples, statements, strict=True):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", statement], check=True)
            taken.append(time.perf_counter() - start)
    ours, theirs, nothing = map(statistics.median, samples)
    return result("import gilonce / import wrapt, beyond a bare start", 0.05, ours - nothing, theirs - nothing)


def measure_threads(rounds: int) -> dict[str, Any]:
    """Compare the rates at which two threads call one once function and one plain function."""
    once = NAMES["once"]

    def time_of(called: Callable[[], object]) -> float:
        start = threading.Barrier(3)

        def work() -> None:
            start.wait()
            for _ in range(40_000):
                called()
                called()
                called()
                called()
                called()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        begin = time.perf_counter()
        for thread in threads:
            thread.join()
        return (time.perf_counter() - begin) / 200_000

    time_of(once), time_of(same_function)
    pairs = [(time_of(once), time_of(same_function)) for _ in range(rounds)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return result("two threads: time of a call, @once / plain function", 1.0, ours, theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--json")
    parser.add_argument("rows", nargs="*", help="parts of names; by default all rows")
    options = parser.parse_args()
    results = []

    def show(it: dict[str, Any]) -> None:
        results.append(it)
        print(
            f"{it['name']:<52}{it['ours_ns']:>12.1f}{it['theirs_ns']:>14.1f}{it['ratio']:>9.3f}{it['limit']:>7.2f}",
            flush=True,
        )

    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{gilonce.__implementation__}, {interpreter}, GIL {'on' if GIL else 'off'}")
    print(f"{'':<52}{'gilonce, ns':>12}{'the other, ns':>14}{'ratio':>9}{'limit':>7}")
    wanted = [row for row in ROWS if not options.rows or any(part in row.name for part in options.rows)]
    for row in wanted:
        show(measure(row, options.rounds))
    if not options.rows or "import" in options.rows:
        show(measure_import(options.rounds))
    if not GIL and (not options.rows or "threads" in options.rows):
        show(measure_threads(options.rounds // 3))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(
                {
                    "implementation": gilonce.__implementation__,
                    "python": platform.python_version(),
                    "gil": GIL,
                    "rows": results,
                },
                file,
                indent=1,
            )


if __name__ == "__main__":
    main()
