"""ProcessOnceCell: empty again in a forked child, on every surface and after every way to fork."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, drive, run_python, run_threads
from support.forks import fork, in_child, needs_fork


class Kept:
    """Something that is made in one process, and says in which."""

    def __init__(self) -> None:
        self.process = os.getpid()


def is_mine(thing: Kept) -> bool:
    return thing.process == os.getpid()


# Every way to a value that is one per process: given the package, each returns what a user does to get it.


def way_cell(gilonce: Any) -> Callable[[], Any]:
    cell = gilonce.ProcessOnceCell()
    return lambda: cell.get_or_init(Kept)


def way_async_cell(gilonce: Any) -> Callable[[], Any]:
    async def connect() -> Kept:
        return Kept()

    cell = gilonce.ProcessOnceCell()
    return lambda: drive(cell.aget_or_init(connect))


def way_subclass(gilonce: Any) -> Callable[[], Any]:
    class Named(gilonce.ProcessOnceCell):  # type: ignore[misc]
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    cell = Named()
    return lambda: cell.get_or_init(Kept)


def way_function(gilonce: Any) -> Callable[[], Any]:
    once: Callable[[], Any] = gilonce.once(cell=gilonce.ProcessOnceCell)(Kept)
    return once


def way_async_function(gilonce: Any) -> Callable[[], Any]:
    @gilonce.once(cell=gilonce.ProcessOnceCell)
    async def connect() -> Kept:
        return Kept()

    return lambda: drive(connect())


def way_method(gilonce: Any) -> Callable[[], Any]:
    class Owner:
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def connect(self) -> Kept:
            return Kept()

    owner = Owner()
    return lambda: owner.connect()


def way_super(gilonce: Any) -> Callable[[], Any]:
    class Base:
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def connect(self) -> Kept:
            return Kept()

    class Derived(Base):
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def connect(self) -> Kept:
            return super().connect()

    owner = Derived()
    return lambda: owner.connect()


def way_class_method(gilonce: Any) -> Callable[[], Any]:
    class Owner:
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        @classmethod
        def connect(cls) -> Kept:
            return Kept()

    return lambda: Owner.connect()


def way_static_method(gilonce: Any) -> Callable[[], Any]:
    class Owner:
        @staticmethod
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def connect() -> Kept:
            return Kept()

    return lambda: Owner.connect()


def way_bound_cell(gilonce: Any) -> Callable[[], Any]:
    class Owner:
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def connect(self) -> Kept:
            return Kept()

    owner = Owner()
    cell = owner.connect.cell
    return lambda: cell.get() or owner.connect()


def way_lazy_global(gilonce: Any) -> Callable[[], Any]:
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "cell": gilonce.ProcessOnceCell, "make": Kept}
    exec("IT = lazy_global(make, cell=cell)", namespace)
    return lambda: namespace["IT"].__wrapped__


def way_copied_cell(gilonce: Any) -> Callable[[], Any]:
    cell = gilonce.ProcessOnceCell()
    cell.set(Kept())
    copied = copy.copy(cell)
    del cell
    return lambda: copied.get_or_init(Kept)


def way_deeply_copied_cell(gilonce: Any) -> Callable[[], Any]:
    cell = gilonce.ProcessOnceCell()
    cell.set(Kept())
    copied = copy.deepcopy(cell)
    return lambda: copied.get_or_init(Kept)


WAYS = {name.removeprefix("way_"): way for name, way in list(globals().items()) if name.startswith("way_")}


@pytest.fixture(params=WAYS)
def touch(gilonce: ModuleType, request: pytest.FixtureRequest) -> Callable[[], Any]:
    return WAYS[request.param](gilonce)


@needs_fork
def test_a_child_makes_its_own_and_the_parent_keeps_what_it_has(touch: Callable[[], Any]) -> None:
    """One value per process, on every surface."""
    before = touch()
    assert in_child(lambda: (is_mine(touch()), touch() is touch(), touch() is before)) == "(True, True, False)"
    assert touch() is before
    assert is_mine(before)


@needs_fork
def test_a_grandchild_makes_its_own_too(touch: Callable[[], Any]) -> None:
    """What a child has made is as foreign to its own child, whether the child used the cell or not."""
    assert is_mine(touch())

    def child() -> tuple[str, bool]:
        unused = in_child(lambda: is_mine(touch()))
        mine = touch()
        used = in_child(lambda: (is_mine(touch()), touch() is mine))
        return f"{unused} {used}", touch() is mine

    assert in_child(child) == "('True (True, False)', True)"


@needs_fork
def test_every_method_finds_an_empty_cell_in_a_child(gilonce: ModuleType) -> None:
    """`get`, `is_set`, `take` and `repr` see nothing of the parent's value; `set` writes."""
    cell = gilonce.ProcessOnceCell()
    cell.set(None)

    def child() -> tuple[Any, ...]:
        found = cell.get("nothing"), cell.is_set(), cell.take("nothing"), repr(cell)
        cell.set("the child's")
        return (*found, cell.get())

    assert in_child(child) == repr(("nothing", False, "nothing", "<ProcessOnceCell: empty>", "the child's"))
    assert cell.get("nothing") is None


@needs_fork
def test_a_child_forked_from_a_thread_makes_its_own(touch: Callable[[], Any]) -> None:
    """It matters not which thread forks: the child has that one only."""
    before = touch()
    assert run_threads(lambda: in_child(lambda: is_mine(touch()))) == ["True"]
    assert touch() is before


@needs_fork
def test_a_fork_in_the_initializer_gives_each_process_what_it_returns_there(gilonce: ModuleType) -> None:
    """The cell is empty at that moment, so in both processes the initializer's return is the first write."""
    cell = gilonce.ProcessOnceCell()
    answers = []

    def initializer() -> Kept:
        # The child comes back from the fork in the midst of this.
        answers.append(in_child(lambda: (is_mine(cell.get_or_init(Kept)), cell.get_or_init(initializer) is cell.get())))
        return Kept()

    assert is_mine(cell.get_or_init(initializer))
    assert answers == ["(True, True)"]
    reading, writing = os.pipe()

    def returns_in_both() -> int:
        children.append(fork())
        return os.getpid()

    children: list[int] = []
    cell.take()
    returned = cell.get_or_init(returns_in_both)
    if not children[0]:
        os.write(writing, b"fine" if returned == cell.get() == os.getpid() else b"the parent's")
        os._exit(0)
    os.waitpid(children[0], 0)
    assert os.read(reading, 100) == b"fine"
    assert returned == cell.get() == os.getpid()
    os.close(reading)
    os.close(writing)


@needs_fork
def test_a_fork_while_another_thread_is_in_the_initializer_leaves_the_cell_usable(gilonce: ModuleType) -> None:
    """The other thread is not in the child, and no thread waits for it there."""
    cell = gilonce.ProcessOnceCell()
    entered, leave = threading.Event(), threading.Event()

    def initializer() -> str:
        entered.set()
        assert leave.wait(WATCHDOG)
        return "the thread's"

    def forks() -> str:
        assert entered.wait(WATCHDOG)
        try:
            return in_child(lambda: cell.get_or_init(lambda: "the child's"))
        finally:
            leave.set()

    assert run_threads(lambda: cell.get_or_init(initializer), forks) == ["the thread's", repr("the child's")]


@needs_fork
def test_of_many_cells_all_are_empty_in_a_child_and_none_in_the_parent(gilonce: ModuleType) -> None:
    """However many there are, full, empty, or gone by then."""
    cells = [gilonce.ProcessOnceCell() for _ in range(10_000)]
    for number, cell in enumerate(cells[:-1]):
        cell.set(number)
    del cells[::3]
    full = sum(cell.is_set() for cell in cells)
    assert in_child(lambda: sum(cell.is_set() for cell in cells)) == "0"
    assert sum(cell.is_set() for cell in cells) == full > 6000


@needs_fork
def test_a_fork_that_fails_leaves_everything_as_it_was(gilonce: ModuleType) -> None:
    """If the fork fails, the parent keeps its values, and nothing more is kept alive."""
    source = """
import gc, gilonce, os, resource, weakref
cell = gilonce.ProcessOnceCell()
cell.set("the parent's")
os.setuid(65534) if os.getuid() == 0 else None  # root may fork beyond any limit
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    os.fork()
except OSError:
    print(cell.get())
reference = weakref.ref(cell)
del cell
gc.collect()
print(reference())
"""
    assert run_python(gilonce, "-c", source) == "the parent's\nNone\n"


@needs_fork
def test_threads_that_make_cells_hinder_no_fork(gilonce: ModuleType) -> None:
    """The registry is whole whenever a fork falls; of all cells there are, none is full in the child."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("without a GIL, a dict that threads contend for may hang after a fork: CPython's own")
    if sys.implementation.name == "pypy":
        pytest.skip("what the parent had dropped and PyPy has not collected yet, it finalizes in the child")
    source = """
import faulthandler, gc, gilonce, os, signal, sys, threading, warnings
warnings.simplefilter("ignore")  # of threads, that a fork leaves behind
faulthandler.dump_traceback_later(50, exit=True)
sys.setswitchinterval(1e-5)
parent = os.getpid()
class Value:
    def __del__(self, getpid=os.getpid, write=os.write):
        if getpid() != parent:
            write(1, b"finalized in a child\\n")
shared = {}
def work(name):
    while True:
        cells = [gilonce.ProcessOnceCell() for _ in range(20)]
        for cell in cells:
            cell.set(Value())
        shared[name] = cells
for number in range(2):
    threading.Thread(target=work, args=[number], daemon=True).start()
while len(shared) < 2:
    pass
for _ in range(20):
    child = os.fork()
    if not child:
        signal.alarm(20)  # faulthandler's thread is not in the child
        assert not any(cell.is_set() for cells in shared.values() for cell in cells)
        shared.clear()
        gc.collect()
        cell = gilonce.ProcessOnceCell()
        assert cell.get_or_init(dict) == {} and cell.take() == {}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("fine")
sys.stdout.flush()
os._exit(0)
"""
    assert run_python(gilonce, "-c", source) == "fine\n"


@needs_fork
def test_a_subprocess_with_a_function_to_run_before_exec_is_a_fork_too(gilonce: ModuleType) -> None:
    """`preexec_fn` runs in a forked child, and finds the cells empty."""
    cell = gilonce.ProcessOnceCell()
    cell.set("the parent's")
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        subprocess.run(
            [sys.executable, "-c", ""], check=True, preexec_fn=lambda: os.write(writing, str(cell.get()).encode())
        )
    assert os.read(reading, 100) == b"None"
    os.close(reading)
    os.close(writing)
    assert cell.get() == "the parent's"
