"""Measure gilonce beside what it is compared with: `python tests/measure.py [--samples N] [--starts N] [--check]`.

Four comparisons, of which every sample of one side is followed by one of the other:

* a warm read of a `once_property` and of a `functools.cached_property`;
* in a module's function, a read of a global that was a `lazy_global` until it was touched, and of a plain one;
* making, at the top of a module, a `lazy_global` and a `wrapt.LazyObjectProxy`;
* what `import gilonce` and what `import wrapt` add to the bare start of an interpreter. For this, both are put
  into a virtual environment of their own, as a user has them: an editable install or a coverage hook would import,
  at every start, part of what wrapt imports.

A line gives the time of each side (the median, less that of an empty loop or a bare start), the ratio of these
medians, the ratio of the minima, and the limit. It says "over" if both ratios are over the limit: noise makes a
time longer, never shorter, so the better ratio is the one to go by. With --check, the exit status is then 1.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
import types
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wrapt

import gilonce

#: A function that takes one sample: seconds per operation.
Sample = Callable[[], float]

#: How many operations stand side by side in the body of a loop, so that the loop itself weighs little.
UNROLLED = 10
#: How often everything is made anew, because where things lie in memory has a part in how fast they are.
LAYOUTS = 6


@dataclass
class Comparison:
    """Two things that were timed side by side, and the nothing that both contain."""

    what: str
    limit: float
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    nothing: list[float] = field(default_factory=list)

    def sample(self, count: int, ours: Sample, theirs: Sample, nothing: Sample) -> None:
        """Take `count` samples of each, in turns."""
        pairs = [(self.ours, ours), (self.theirs, theirs)]
        for _ in range(count):
            for samples, take in [*pairs, (self.nothing, nothing)]:
                samples.append(take())
            pairs.reverse()

    def net(self, of: Callable[[list[float]], float]) -> tuple[float, float]:
        """Return the times of both, without the nothing."""
        nothing = of(self.nothing)
        return of(self.ours) - nothing, of(self.theirs) - nothing

    def ratio(self, of: Callable[[list[float]], float]) -> float:
        """Return by how much ours is slower."""
        ours, theirs = self.net(of)
        return ours / theirs

    @property
    def is_over(self) -> bool:
        """Whether ours is slower than the limit allows."""
        return min(self.ratio(statistics.median), self.ratio(min)) > self.limit


def timed(statement: str | Callable[[], object], setup: str, loops: int, per_loop: int, **names: Any) -> Sample:
    """Return a function that times `statement`."""
    timer = timeit.Timer(statement, setup, globals=names)
    timer.timeit(loops)  # the interpreter adapts to the code
    return lambda: timer.timeit(loops) / (loops * per_loop)


def compare_reads(samples: int) -> Comparison:
    """Read an attribute that has its value."""
    comparison = Comparison("once_property / functools.cached_property, warm read", 1.05)

    def read(descriptor: Callable[..., Any]) -> Sample:
        class Owner:
            attribute = descriptor(lambda _self: [])

        owner = Owner()
        assert owner.attribute is owner.attribute
        return timed("; ".join(["it.attribute"] * UNROLLED), "it = owner", 5_000, UNROLLED, owner=owner)

    for _ in range(LAYOUTS):
        nothing = timed("pass", "it = None", 5_000, UNROLLED)
        comparison.sample(-(-samples // LAYOUTS), read(gilonce.once_property), read(functools.cached_property), nothing)
    return comparison


#: A module with a global, made in one of two ways. Each way has its own module, where the global has the same name
#: and neighbours: where a name lies in the module's dict, and how long it takes to find, changes with every process.
MODULE = f"""
from gilonce import lazy_global

def make():
    return []

THING = {{}}

def read():
    {"; ".join(["THING"] * UNROLLED * 10)}

def nothing():
    pass
"""


def compare_globals(samples: int) -> Comparison:
    """Read a global that was lazy."""
    comparison = Comparison("reified global / plain global, read in a function", 1.05)

    def module(making: str) -> types.ModuleType:
        made = types.ModuleType("module")
        exec(MODULE.format(making), vars(made))
        made.read()  # while it may be lazy, for the interpreter may adapt to that
        len(made.THING)
        assert type(made.THING) is list
        return made

    for _ in range(LAYOUTS):
        ours, theirs = module("lazy_global(make)"), module("make()")
        comparison.sample(
            -(-samples // LAYOUTS),
            *[timed(function, "pass", 2_000, UNROLLED * 10) for function in (ours.read, theirs.read, ours.nothing)],
        )
    return comparison


def annotated() -> dict[str, int]:
    """Stand for a factory whose return type says what the proxy's interface is."""
    return {}


#: Kinds of factories.
FACTORIES: dict[str, Callable[[], object]] = {"lambda": lambda: None, "annotated": annotated, "class": dict}
# Without the postponed evaluation that this file has asked for, as in most programs.
annotated.__annotations__["return"] = dict


def compare_making(samples: int, kind: str) -> Comparison:
    """Make a lazy object, which nothing touches."""
    comparison = Comparison(f"lazy_global / wrapt.LazyObjectProxy, making, factory: {kind}", 0.1)

    def make(maker: Any) -> Sample:
        # At the top of a module, where the maker looks for the name that it stands for.
        body = "; ".join(["X = maker(factory)" if maker else "X = factory"] * UNROLLED)
        code = compile(f"for _ in range(20): {body}", "module.py", "exec")
        namespace = {"__name__": "module", "maker": maker, "factory": FACTORIES[kind]}
        return timed(lambda: exec(code, namespace), "pass", 1, 20 * UNROLLED)

    comparison.sample(samples, make(gilonce.lazy_global), make(wrapt.LazyObjectProxy), make(None))
    return comparison


def compare_imports(starts: int) -> Comparison:
    """Start interpreters that import one package or none."""
    comparison = Comparison("import gilonce / import wrapt, beyond a bare start", 0.1)

    def start(python: Path, statement: str) -> Sample:
        def take() -> float:
            begin = time.perf_counter()
            subprocess.run([python, "-c", statement], check=True, env=environment)
            return time.perf_counter() - begin

        take()  # writes the .pyc files
        return take

    # What would lead the import elsewhere, or keep it from its .pyc files, is left out.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, symlinks=True)
        python = Path(folder, "bin", "python")
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(subprocess.check_output([python, "-c", where], text=True, env=environment).strip())
        for package in ("gilonce", "wrapt"):
            for source in package_files(package):
                shutil.copytree(source, site / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        comparison.sample(starts, start(python, "import gilonce"), start(python, "import wrapt"), start(python, "pass"))
    return comparison


def package_files(name: str) -> Iterator[Path]:
    """Yield the folders that an installed package consists of."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    yield package
    yield from package.parent.glob(f"{name}-*.dist-info")


def readable(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, factor in [("ms", 1e3), ("us", 1e6), ("ns", 1e9)]:
        if seconds * factor >= 1 or unit == "ns":
            return f"{seconds * factor:.1f} {unit}"
    raise AssertionError


def main() -> int:
    """Compare, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--samples", type=int, default=120, help="of each side of a comparison (default: 120)")
    parser.add_argument("--starts", type=int, default=40, help="of an interpreter with each import (default: 40)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if anything is over its limit")
    options = parser.parse_args()

    gil = "enabled" if getattr(sys, "_is_gil_enabled", lambda: True)() else "disabled"
    print(f"{platform.python_implementation()} {platform.python_version()}, GIL {gil}, {gilonce.__implementation__}")
    print(f"wrapt {version('wrapt')}\n")

    columns = "{:<62}{:>10}{:>10}{:>10}{:>10}{:>7}  {}"
    print(columns.format("what", "ours", "theirs", "medians", "minima", "limit", ""), flush=True)
    is_over = False
    measurements: list[Callable[[], Comparison]] = [
        lambda: compare_reads(options.samples),
        lambda: compare_globals(options.samples),
        *[functools.partial(compare_making, options.samples, kind) for kind in FACTORIES],
        lambda: compare_imports(options.starts),
    ]
    for measure in measurements:
        done = measure()
        times = map(readable, done.net(statistics.median))
        ratios = (f"{done.ratio(of):.3f}" for of in (statistics.median, min))
        print(columns.format(done.what, *times, *ratios, done.limit, "over" if done.is_over else "ok"), flush=True)
        is_over = is_over or done.is_over
    return int(is_over and options.check)


if __name__ == "__main__":
    sys.exit(main())
