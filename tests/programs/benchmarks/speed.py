"""Time gilonce beside its peers: `python tests/programs/benchmarks/speed.py [--output FILE] [ROW ...]`.

Each row compares gilonce's way of doing something with another way. Both, and the empty code that both contain (an
empty loop, the creation of the object that is read, a bare start), are timed in turns in one process, so that other
work of the machine slows down all of them. Everything is repeated in several processes ("layouts"), because speed
depends on addresses in memory.

A line shows the time of each side in ns (the median, less the median of the empty code), the ratio of these medians,
the ratio of the minima, and the limit. It says "over" if both ratios are over the limit, because noise makes a time
longer, never shorter. Each implementation has its own limits: GILONCE_PURE_PYTHON=1 in the environment selects Python.
The limits of the native core are for builds with a GIL, except that of the last row. They hold if the packages that a
row needs are compiled too.

No time is a failure here: `check.py` checks the file, which `python -m pyperf` reads too. ROW is a part of the name of
a row. All rows take about two minutes.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import timeit
import venv
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import sleep
from typing import Any, cast

import pyperf
import wrapt
from check import SIDES, comparisons

import gilonce

try:
    import lazy_object_proxy
except ImportError:
    lazy_object_proxy = None

#: The number of operations in the body of a loop, so that the loop itself costs little.
UNROLLED = 20
#: The least time of a sample, in seconds: short, so that the turns are short.
SAMPLE = 1e-3
#: The least number of samples of each side in a layout.
FEWEST = 3
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
IMPLEMENTATION = f"{gilonce.__implementation__}, GIL {'enabled' if HAS_GIL else 'disabled'}"
IS_NEW = sys.version_info >= (3, 12)


@dataclass
class Timed:
    """One side of a row, ready to be timed."""

    time: Callable[[int], float]  # seconds for so many loops
    operations: int  # in a loop
    loops: int = 1

    def calibrate(self) -> None:
        """Find the number of loops for a sample. Meanwhile, the interpreter adapts to the code."""
        while self.time(self.loops) < SAMPLE:
            self.loops *= 2

    def sample(self) -> float:
        """Return the seconds per operation."""
        return self.time(self.loops) / (self.loops * self.operations)


def statement(code: str) -> Timed:
    """Time a statement in which the NAMES are local."""
    setup = "; ".join(f"{name} = names[{name!r}]" for name in NAMES)
    timer = timeit.Timer("\n".join([code] * UNROLLED), setup, pyperf.perf_counter, {"names": NAMES})
    return Timed(timer.timeit, UNROLLED)


KEPT = object()


def function() -> object:
    return KEPT


def method(_self: object) -> object:
    return KEPT


class Owner:
    def __init__(self) -> None:
        self.kept = KEPT

    def plain(self) -> object:
        return self.kept

    once = gilonce.once(method)
    lru_cached = wrapt.lru_cache(method) if "wrapt.caching" in sys.modules else None


class Once:
    attribute = gilonce.once_property(method)


class Cached:
    attribute = functools.cached_property(method)


def keyed(x: object, y: object = 1) -> object:
    return KEPT


def of_one(x: object) -> object:
    return KEPT


def first(x: object) -> object:
    return x


class OfOne:
    def __init__(self, x: object) -> None:
        pass


async def asynchronous(x: object) -> object:
    return KEPT


async def around_cache(x: object) -> object:
    """Return what is cached. It is called here, because a coroutine cannot be awaited twice."""
    return cache_of_one(x)


cache_of_one = functools.cache(of_one)


class PerArgs:
    def m(self, x: object) -> object:
        return KEPT

    once = gilonce.once_per_args(m)
    once_by_key = gilonce.once_per_args(m, key=first)
    cached = functools.cache(m)
    of_class = gilonce.once_per_args(cast("Any", classmethod)(m))
    class_cached = cast("Any", classmethod)(cached)
    static = gilonce.once_per_args(staticmethod(of_one))
    static_cached = staticmethod(functools.cache(of_one))
    lru_cached = wrapt.lru_cache(m) if "wrapt.caching" in sys.modules else None


def first_calls(cache: Any) -> Timed:
    """Time the first call of each of many keys."""

    def time(loops: int) -> float:
        keys = [str(number) for number in range(loops * 1000)]
        get = cache(of_one)
        begin = pyperf.perf_counter()
        for key in keys:
            get(key)
        return float(pyperf.perf_counter() - begin)

    return Timed(time, 1000)


class Slotted:
    __slots__ = ("_lazy", "_plain")

    def __init__(self) -> None:
        self._plain = KEPT

    @property
    def plain(self) -> object:
        return self._plain

    lazy = gilonce.once_property(method, slot="_lazy")


class Listed(list[object]):
    """The object behind the proxies."""

    def __init__(self) -> None:
        super().__init__([KEPT])
        self.kept = KEPT


class Surfaces:
    """Every surface, with cells of one kind."""

    def __init__(self, **options: Any) -> None:
        class Owner:
            __slots__ = ("__dict__", "_slotted")
            method_ = gilonce.once(method, **options)
            of_class = gilonce.once(classmethod(method), **options)  # type: ignore[call-overload]
            attribute = gilonce.once_property(method, **options)
            slotted = gilonce.once_property(method, slot="_slotted", **options)
            class_attribute = gilonce.once_property(classmethod(method), **options)  # type: ignore[call-overload]
            static_attribute = gilonce.once_property(staticmethod(function), **options)

        self.function = gilonce.once(function, **options)
        self.owner_class: Any = Owner
        self.owner: Any = Owner()
        self.proxy: Any = gilonce.lazy_global(Listed, **options)


NAMES: dict[str, Any] = {
    "function": function,
    "once": gilonce.once(function),
    "cache": functools.cache(function),
    "args_1": gilonce.once_per_args(of_one),
    "cache_1": functools.cache(of_one),
    "args_2": gilonce.once_per_args(keyed),
    "cache_2": functools.cache(keyed),
    "per_args": PerArgs(),
    "args_static": PerArgs.static,
    "cache_static": PerArgs.static_cached,
    "args_key": gilonce.once_per_args(of_one, key=first),
    "args_class": gilonce.once_per_args(OfOne),
    "cache_class": functools.cache(OfOne),
    "args_len": gilonce.once_per_args(len),
    "cache_len": functools.cache(len),
    "args_str": gilonce.once_per_args(str),
    "cache_str": functools.cache(str),
    "args_async": gilonce.once_per_args(asynchronous),
    "cache_async": around_cache,
    "cell": gilonce.GILOnceCell(),
    "for_plain": Owner(),
    "for_once": Owner(),
    "for_wrapt": Owner(),
    "Once": Once,
    "Cached": Cached,
    "lazy": Once(),
    "cached": Cached(),
    "slotted": Slotted(),
    "proxy": gilonce.lazy_global(Listed),
    "of_wrapt": wrapt.LazyObjectProxy(Listed),
    "of_lop": lazy_object_proxy and lazy_object_proxy.Proxy(Listed),
}
NAMES["cell"].set(KEPT)


class Entered:
    """Can be entered, awaited and iterated. Awaiting it never waits, and there is nothing in it."""

    def __init__(self) -> None:
        self.kept = KEPT

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def __await__(self) -> Iterator[None]:
        return iter(())

    def __aiter__(self) -> Entered:
        return self

    def __anext__(self) -> Any:
        raise StopAsyncIteration


#: What the proxies of the rows for operations stand for: for each there is one of ours, `..._p`, and one of
#: lazy-object-proxy's, `..._l`, both touched.
OBJECTS: dict[str, Any] = {"call": function, "items": [1, 2], "number": 3, "entered": Entered()}
for _name in OBJECTS:
    NAMES.setdefault(_name, OBJECTS[_name])
    factory: Callable[[], Any] = functools.partial(OBJECTS.get, _name)
    NAMES[f"{_name}_p"] = gilonce.lazy_global(factory, reify=False)
    NAMES[f"{_name}_l"] = lazy_object_proxy and lazy_object_proxy.Proxy(factory)
    bool(NAMES[f"{_name}_p"])
    bool(NAMES[f"{_name}_l"])

#: Operations of a proxy, written for ours, with the limits beside lazy-object-proxy's. `in` may run user code, so our
#: proxy owns its object meanwhile, and lazy-object-proxy's does not. On 3.13, the interpreter itself needs half of the
#: time in which lazy-object-proxy assigns to an attribute.
OPERATIONS = {
    "call_p()": 1.0,
    "[*items_p]": 1.0,
    "number_p + 1": 1.0,
    "1 + number_p": 1.0,
    "-number_p": 1.0,
    "number_p < 1": 1.0,
    "number_p == 3": 1.0,
    "not number_p": 1.0,
    "len(items_p)": 1.0,
    "1 in items_p": 1.15,
    "items_p[0]": 1.0,
    "hash(number_p)": 1.0,
    "entered_p.kept = 1": 0.6,
    "entered_p.kept = 1; del entered_p.kept": 0.6,
    "with entered_p: pass": 1.2,
}

#: The same for operations that only a coroutine can do. A proxy takes at most this much longer than its object.
ASYNC_OPERATIONS = ("await entered_p", "async for _ in entered_p: pass")
PROXY_MAY_ADD = 50e-9


def in_coroutine(side: tuple[str, float]) -> Timed:
    """Time a statement in a coroutine, and add some seconds to each operation."""
    code, more = side
    lines = "\n        ".join([code] * UNROLLED)
    source = f"async def run(loops, {', '.join(NAMES)}):\n    for _ in loops:\n        {lines}"
    module: dict[str, Any] = {}
    exec(source, module)

    def time(loops: int) -> float:
        coroutine = module["run"](range(loops), **NAMES)
        begin = pyperf.perf_counter()
        with suppress(StopIteration):
            coroutine.send(None)
        return float(pyperf.perf_counter() - begin) + more * loops * UNROLLED

    return Timed(time, UNROLLED)


#: A read through each surface.
READS = {
    "function": "{}.function()",
    "method": "{}.owner.method_()",
    "class method": "{}.owner_class.of_class()",
    "property": "{}.owner.attribute",
    "property in a slot": "{}.owner.slotted",
    "class property": "{}.owner_class.class_attribute",
    "static property": "{}.owner_class.static_attribute",
    "lazy_global": "{}.proxy.kept",
}
NAMES["locked"] = Surfaces(cell=gilonce.OnceLock)
NAMES["racing"] = Surfaces()


def reading(making: str | None) -> Timed:
    """Read a global, made in one of two ways, in its module's function.

    Each way has its own module, where the global has the same name and neighbours. The position of a name in a module's
    dict, and so the time to find it, changes with every process.
    """
    module = {"lazy_global": gilonce.lazy_global, "make": list}
    exec(f"THING = {making}\ndef touch(): len(THING)", module)
    timer = timeit.Timer("; ".join(["THING" if making else "pass"] * UNROLLED), "pass", pyperf.perf_counter, module)
    if making:
        timer.timeit(100)  # while the global may be lazy, because the interpreter may adapt to that
        eval("touch()", module)
        assert type(module["THING"]) is list
    return Timed(timer.timeit, UNROLLED)


def annotated() -> dict[str, int]:
    """A factory whose return annotation names the proxy's interface."""
    return {}


# Without the postponed evaluation of annotations that this file uses: most programs do not use it.
annotated.__annotations__["return"] = dict
FACTORIES: dict[str, Callable[[], object]] = {"lambda": lambda: None, "annotated": annotated, "class": dict}


def making(kind: str, maker: Any) -> Timed:
    """Make a lazy object at the top of a module, where gilonce looks for its name. Nothing touches the object."""
    code = compile("; ".join(["X = maker(factory)" if maker else "X = factory"] * UNROLLED), "module.py", "exec")
    module = {"__name__": "module", "maker": maker, "factory": FACTORIES[kind]}
    return Timed(timeit.Timer(lambda: exec(code, module), timer=pyperf.perf_counter).timeit, UNROLLED)


# Leaves out variables that would lead an import elsewhere, or keep it from its .pyc files.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@functools.cache
def bare_python() -> Path:
    """Make a virtual environment with only the two packages, as a user has them.

    An editable install or a coverage hook would import, at every start, part of what wrapt imports.
    """
    folder = tempfile.mkdtemp()
    venv.create(folder, symlinks=True)
    python = Path(folder, "bin", "python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", where], text=True, env=ENVIRONMENT).strip())
    for name in ("gilonce", "wrapt"):
        package = Path(importlib.import_module(name).__path__[0])
        for source in (package, *package.parent.glob(f"{name}-*.dist-info")):
            shutil.copytree(source, site / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return python


def start(code: str) -> Timed:
    """Start an interpreter, with or without an import."""

    def time(loops: int) -> float:
        command: list[Path | str] = [bare_python(), "-c", code]
        begin = pyperf.perf_counter()
        for _ in range(loops):
            subprocess.run(command, check=True, env=ENVIRONMENT)
        return float(pyperf.perf_counter() - begin)

    time(1)  # writes the .pyc files
    return Timed(time, 1)


def in_two_threads(code: str) -> Timed:
    """Time a statement in two threads at once, until both have done it."""
    it = statement(code)

    def time(loops: int) -> float:
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=lambda: (barrier.wait(), it.time(loops))) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait()
        begin = pyperf.perf_counter()
        for thread in threads:
            thread.join()
        return float(pyperf.perf_counter() - begin)

    return Timed(time, it.operations)


def waiting(threads: int) -> Timed:
    """Time until all threads have the value of an `OnceLock` whose initializer takes 0.1 s."""

    def time(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            cell = gilonce.OnceLock[None]()
            barrier = threading.Barrier(threads + 1)
            ask = functools.partial(cell.get_or_init, functools.partial(sleep, 0.1))
            asking = [threading.Thread(target=lambda ask=ask, b=barrier: (b.wait(), ask())) for _ in range(threads)]
            for thread in asking:
                thread.start()
            barrier.wait()
            begin = pyperf.perf_counter()
            for thread in asking:
                thread.join()
            spent += pyperf.perf_counter() - begin
        return spent

    return Timed(time, 1)


#: The compiled parts of packages that also run without them.
COMPILED = {"wrapt": "wrapt._wrappers", "lazy_object_proxy": "lazy_object_proxy.cext"}
WRAPT = ("wrapt",)
CACHING = ("wrapt", "wrapt.caching")  # which is newer


@dataclass
class Row:
    """What is compared, the limit for each implementation, and the packages that the row needs."""

    name: str
    ours: Any
    theirs: Any
    native: float | None
    python: float | None = None
    nothing: Any = "pass"
    needs: tuple[str, ...] = ()
    time: Callable[[Any], Timed] = statement  # makes a side from its description above

    @property
    def missing(self) -> str:
        """The needed packages that are not installed."""
        return " and ".join(package for package in self.needs if package not in sys.modules)

    @property
    def slow(self) -> str:
        """The needed packages that are not compiled."""
        return " and ".join(package for package in self.needs if COMPILED.get(package, package) not in sys.modules)

    @property
    def limit(self) -> float | None:
        """The limit of the ratio on this implementation."""
        if gilonce.__implementation__ == "python":
            return self.python
        return self.native if (HAS_GIL or self.time is in_two_threads) and not self.slow else None

    def measure(self, seconds: float) -> Iterator[Any]:
        """Time it, and yield a `pyperf.Benchmark` for each side."""
        sides = {side: self.time(getattr(self, side)) for side in SIDES}
        values: dict[str, list[float]] = {side: [] for side in SIDES}
        for timed in sides.values():
            timed.calibrate()
        order = list(SIDES)
        end = pyperf.perf_counter() + seconds
        while len(values["ours"]) < FEWEST or pyperf.perf_counter() < end:
            for side in order:
                values[side].append(sides[side].sample())
            order.reverse()
        about_row = {"gilonce": IMPLEMENTATION, "limit": self.limit, "not_compiled": self.slow}
        for side, timed in sides.items():
            about = {"name": f"{self.name}: {side}", "loops": timed.loops, "inner_loops": timed.operations, **about_row}
            metadata = {name: value for name, value in about.items() if value}
            yield pyperf.Benchmark([pyperf.Run(values[side], metadata=metadata)])


ROWS = [
    Row("f() of @once / of functools.cache", "once()", "cache()", 0.6),
    # In Python, a function outside of a class is a generated function, and a method is an object that is called.
    *(
        Row(
            f"f{call} of @once_per_args / of functools.cache",
            f"args_{number}{call}",
            f"cache_{number}{call}",
            limit,
            slow,
        )
        for call, number, limit, slow in (
            ('("k")', 1, 0.5, 1.5),
            ("(function)", 1, 0.5, None),
            ('("a", 1)', 2, 0.9, None),
            ('("a", y=1)', 2, 0.5, None),
            ('(x="a", y=1)', 2, 0.5, None),
            ('("a")', 2, 1.0, None),
        )
    ),
    # The other objects whose `__call__` is generated in Python. With `key=` or an unknown signature it takes `*args`,
    # and this alone was 3.4. A `__get__` in Python that made a `MethodType` was 4.2.
    *(
        Row(f"{what} of @once_per_args / of functools.cache", f"{ours}('k')", f"{theirs}('k')", None, limit)
        for what, ours, theirs, limit in (
            ("static(k)", "args_static", "cache_static", 2.7),
            ("len(k)", "args_len", "cache_len", 2.7),
            ("class(k)", "args_class", "cache_class", 5.0),
            ("str(k)", "args_str", "cache_str", 6.0),
            ("f(k) with key=", "args_key", "cache_1", 5.0),
            ("Cls.m(k)", "per_args.of_class", "per_args.class_cached", 5.5),
            ("obj.m(k) with key=", "per_args.once_by_key", "per_args.cached", 8.5),
        )
    ),
    Row(
        "await f(k) of @once_per_args / of `async def` around functools.cache",
        *(('await args_async("k")', 0.0), ('await cache_async("k")', 0.0), None, 3.0, ("pass", 0.0)),
        time=in_coroutine,
    ),
    Row("obj.m(k) of @once_per_args / of functools.cache", 'per_args.once("k")', 'per_args.cached("k")', 0.8, 7.0),
    Row(
        *("obj.m(k) of @once_per_args / of wrapt.lru_cache", 'per_args.once("k")', 'per_args.lru_cached("k")', 0.05),
        needs=CACHING,
    ),
    Row(
        *("first call of a key, @once_per_args / functools.cache", gilonce.once_per_args, functools.cache, 1.5),
        nothing=lambda function: lambda key: None,
        time=first_calls,
    ),
    Row("cell.get() / functools.cache", "cell.get()", "cache()", 0.75),
    Row("cell.get_or_init(f) / functools.cache", "cell.get_or_init(function)", "cache()", 0.9),
    Row("obj.m() of @once / plain", "for_once.once()", "for_plain.plain()", 2.0 if IS_NEW else 1.5),
    Row("obj.m() of @once / of wrapt.lru_cache", "for_once.once()", "for_wrapt.lru_cached()", 0.1, needs=CACHING),
    Row(
        "once_property / cached_property, first read",
        *("Once().attribute", "Cached().attribute"),
        0.7 if IS_NEW else 0.5,
        nothing="Once()",
    ),
    Row("once_property / cached_property, warm read", "lazy.attribute", "cached.attribute", 1.03, 1.05),
    Row("once_property(slot=) / property that reads the slot", "slotted.lazy", "slotted.plain", 0.8),
    Row("lazy_global / wrapt.LazyObjectProxy, attribute", "proxy.kept", "of_wrapt.kept", 0.06, needs=WRAPT),
    Row("lazy_global / lazy_object_proxy, attribute", "proxy.kept", "of_lop.kept", 0.06, needs=tuple(COMPILED)),
    Row("lazy_global / wrapt.LazyObjectProxy, item", "proxy[0]", "of_wrapt[0]", 1.1, needs=WRAPT),
    *(
        Row(f"lazy_global / lazy_object_proxy, {code}", code, code.replace("_p", "_l"), limit, needs=tuple(COMPILED))
        for code, limit in OPERATIONS.items()
    ),
    *(
        Row(
            *(f"lazy_global / lazy_object_proxy, {code}", (code, 0.0), (code.replace("_p", "_l"), 0.0), 1.2),
            *(None, ("pass", 0.0), tuple(COMPILED), in_coroutine),
        )
        for code in ASYNC_OPERATIONS
    ),
    *(
        Row(
            *(f"lazy_global / its object + 50 ns, {code}", (code, 0.0), (code.replace("_p", ""), PROXY_MAY_ADD), 1.0),
            *(None, ("pass", 0.0), (), in_coroutine),
        )
        for code in ASYNC_OPERATIONS
    ),
    Row("touched lazy_global / plain global", "lazy_global(make)", "make()", 1.05, 1.05, None, time=reading),
    *(
        Row(f"{what} with cell=OnceLock / without", read.format("locked"), read.format("racing"), 1.1, 1.1)
        for what, read in READS.items()
    ),
    *(
        Row(
            f"making a lazy_global / wrapt.LazyObjectProxy, {kind}",
            *(gilonce.lazy_global, wrapt.LazyObjectProxy, 0.03, 0.1, None, WRAPT),
            functools.partial(making, kind),
        )
        for kind in FACTORIES
    ),
    Row("64 threads at a cold OnceLock / one", 64, 1, 1.1, 1.1, 0, time=waiting),
    Row("import gilonce / import wrapt", "import gilonce", "import wrapt", 0.05, 0.1, time=start),
]
if not HAS_GIL:
    ROWS.append(
        Row(
            *(
                "f(k) of @once_per_args / of functools.cache, in two threads at once",
                'args_1("k")',
                'cache_1("k")',
                0.67,
            ),
            time=in_two_threads,
        )
    )
    # 3.13 makes functions immortal, so that threads do not contend for their counts. Other types cannot have that.
    what, theirs = ("plain", "function()") if sys.version_info >= (3, 14) else ("of functools.cache", "cache()")
    ROWS.append(Row(f"f() of @once / {what}, in two threads at once", "once()", theirs, 1.0, time=in_two_threads))


def layout(rows: list[Row], seconds: float) -> Any:
    """Time the rows in a process of its own, and return the `pyperf.BenchmarkSuite`."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, "--worker", "--seconds", str(seconds), "--", *(row.name for row in rows)],
            env={**os.environ, "TMPDIR": folder},  # what the process leaves there is removed with the folder
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return pyperf.BenchmarkSuite.loads(done.stdout)


def show(rows: list[Row], suite: Any) -> None:
    """Print the table."""
    width = max(len(row.name) for row in rows)
    columns = f"{{:<{width}}}{{:>12}}{{:>14}}{{:>9}}{{:>8}}{{:>7}}  {{}}"
    print(columns.format("what", "ours, ns", "theirs, ns", "medians", "minima", "limit", "").rstrip())
    measured = {it.row: it for it in comparisons(suite)}
    for row in rows:
        if row.missing:
            print(f"{row.name:<{width}}  {row.missing} not installed")
            continue
        it = measured[row.name]
        times = (f"{it.net(side, statistics.median) * 1e9:,.1f}" for side in ("ours", "theirs"))
        ratios = (f"{it.ratio(of):.3f}" for of in (statistics.median, min))
        verdict = "over" if it.is_over else "ok" if it.limit else ""
        remarks = ", ".join(filter(None, [verdict, row.slow and f"{row.slow} not compiled"]))
        print(columns.format(row.name, *times, *ratios, it.limit or "-", remarks).rstrip())


def main() -> None:
    """Time the selected rows, print the table, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", metavar="FILE", help="write all samples there, as JSON")
    parser.add_argument("--layouts", type=int, default=10, help="how many processes (default: 10)")
    parser.add_argument("--seconds", type=float, default=0.5, help="for a row in each of them (default: 0.5)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="part of the name of a row (default: all rows)")
    options = parser.parse_args()

    rows = [row for row in ROWS if not options.rows or any(part in row.name for part in options.rows)]
    possible = [row for row in rows if not row.missing]
    if not possible:
        parser.error("no row has this name, or a package that it needs is not installed")
    if options.worker:
        pyperf.BenchmarkSuite([it for row in possible for it in row.measure(options.seconds)]).dump(sys.stdout)
        return

    print(f"{platform.python_implementation()} {platform.python_version()}, {IMPLEMENTATION}")
    print(f"wrapt {version('wrapt')}\n", flush=True)
    suite = layout(possible, options.seconds)
    for _ in range(options.layouts - 1):
        suite.add_runs(layout(possible, options.seconds))
    if options.output:
        suite.dump(options.output, replace=True)
    show(rows, suite)


if __name__ == "__main__":
    main()
