"""ProcessOnceCell: inherited values are never finalized in a forked child, and are finalized as usual in the parent."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from types import ModuleType
from typing import Any

import pytest
from support import run_python
from support.forks import fork, needs_fork

#: Connections in cells of every kind of place. Each says in which process it was finalized.
PLACES = """
import contextvars, gc, multiprocessing, os, sys, threading, warnings, weakref
import concurrent.futures, concurrent.futures.process
import gilonce
warnings.simplefilter("ignore")  # of threads, that a fork leaves behind
gc.disable()  # so that it is known when garbage is collected
Cell = gilonce.{cell}
reading, writing = os.pipe()
parent = os.getpid()

def say(name, getpid=os.getpid, write=os.write, parent=parent, writing=writing):
    write(writing, f"{{'parent' if getpid() == parent else 'CHILD'}}: {{name}}\\n".encode())

class Connection:
    def __init__(self, name):
        self.name = name
    def __del__(self, say=say):
        say(self.name)

class Client:  # no __del__, but finalized
    pass

class Owner:
    def __init__(self, name):
        self.name = name
    @gilonce.once(cell=Cell)
    def connection(self):
        return Connection(self.name)
    @gilonce.once(cell=Cell)
    @classmethod
    def of_class(cls):
        return Connection("of a class")

def full(name):
    cell = Cell()
    cell.set(Connection(name))
    return cell

@gilonce.once(cell=Cell)
def function():
    return Connection("of a function")

function()
Owner.of_class()
GLOBAL = gilonce.lazy_global(lambda: Connection("of a lazy global"), cell=Cell, reify=False)
GLOBAL.name
taken, dropped, replaced = full("taken"), full("dropped"), full("replaced")
owner = Owner("of an instance")
owner.connection()

def cycle(name):
    cell, owner = Cell(), Owner(name)
    owner.cell, owner.connection().owner = cell, owner
    cell.set([owner, cell])
    return owner

in_cycle = cycle("in a cycle")
cycle("in garbage")

def with_finalizer(name):  # in a function, for a plain cell at the top level may be immortal without a GIL
    cell = Cell()
    cell.set(Client())
    weakref.finalize(cell.get(), say, name)
    cell.get().part = Client()
    weakref.finalize(cell.get().part, say, f"{{name}} of a part")
    return cell

finalized = with_finalizer("by weakref.finalize")

local, variable = threading.local(), contextvars.ContextVar("variable")
is_there, leave = threading.Event(), threading.Event()

def thread():
    local.owner, local.cell = Owner("of an instance in a thread"), full("in a thread")
    local.owner.connection()
    variable.set(full("in a context"))
    is_there.set()
    leave.wait(50)

other = threading.Thread(target=thread)
other.start()
is_there.wait()

def drop():
    global owner, dropped, in_cycle, finalized
    taken.take()
    replaced.take()
    replaced.set("another")
    del owner, dropped, in_cycle, finalized
    function.cell.take()
    Owner.of_class.cell.take()
    GLOBAL._self_cell.take()
    for _ in range(3):
        gc.collect()
    assert local.__dict__ == {{}}

def work_in_child():
    function()
    mine = function.cell.take()
    mine.name = "the child's own"
    del mine
    drop()
"""

#: How a child works and comes to its end.
ENDS = {
    "os._exit": "child = os.fork()\nif not child:\n    work_in_child()\n    os._exit(0)",
    "sys.exit": "child = os.fork()\nif not child:\n    work_in_child()\n    sys.exit(0)",
    "sys.exit without any work": "child = os.fork()\nif not child:\n    sys.exit(0)",
    "sys.exit of a grandchild": "child = os.fork()\nif not child:\n    grandchild = os.fork()\n"
    "    if grandchild:\n        os.waitpid(grandchild, 0)\n    work_in_child()\n    sys.exit(0)",
    "multiprocessing": "child = None\nprocess = multiprocessing.get_context('fork').Process(target=work_in_child)\n"
    "process.start()\nprocess.join()\nassert process.exitcode == 0",
    "ProcessPoolExecutor": "child = None\nwith concurrent.futures.ProcessPoolExecutor(\n"
    "    1, mp_context=multiprocessing.get_context('fork')) as pool:\n    pool.submit(work_in_child).result()",
}

#: What the parent does after that.
REST = """
if child:
    assert os.waitpid(child, 0)[1] == 0
say("its turn")
leave.set()
other.join()
drop()
sys.stdout.write(os.read(reading, 65536).decode())
sys.stdout.flush()
os._exit(0)
"""

NAMES = {
    *("taken", "dropped", "replaced", "of a function", "of a class", "of a lazy global", "of an instance"),
    *("in a cycle", "in garbage", "by weakref.finalize", "by weakref.finalize of a part"),
    *("of an instance in a thread", "in a thread"),
}
if sys.version_info < (3, 14):
    # From then on a Thread keeps its context, and here outlives what is looked at.
    NAMES.add("in a context")


def finalizations(gilonce: ModuleType, cell: str, end: str) -> tuple[list[str], list[str]]:
    """Return what was finalized before the parent's turn, and during it."""
    said = run_python(gilonce, "-c", PLACES.format(cell=cell) + ENDS[end] + REST)
    before, _, after = said.partition("parent: its turn\n")
    return before.splitlines(), after.splitlines()


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("end", ENDS)
def test_what_a_child_inherits_is_finalized_in_the_parent_alone(gilonce: ModuleType, end: str) -> None:
    """Dropped, taken, replaced, collected, or at the end of the interpreter: the parent's connection stays open.

    What the child made itself is finalized there as ever, and so is in the parent all that it has.
    """
    before, after = finalizations(gilonce, "ProcessOnceCell", end)
    own = 0 if "without" in end else 2 if "grandchild" in end else 1
    assert before == ["CHILD: the child's own"] * own
    assert sorted(after) == sorted(f"parent: {name}" for name in NAMES)


@needs_fork
@pytest.mark.parametrize("end", ["sys.exit", "multiprocessing"])
def test_with_a_plain_cell_the_child_finalizes_it_all(gilonce: ModuleType, end: str) -> None:
    """Why there is this cell; and the test above would see what it looks for."""
    before, _ = finalizations(gilonce, "GILOnceCell", end)
    seen = {line.removeprefix("CHILD: ") for line in before}
    # The child renamed one, which it took for its own; another the proxy keeps, for a plain cell is final.
    others = {"of a function", "of a lazy global"}
    if sys.implementation.name == "pypy":
        # In a child it keeps what the parent's other threads had.
        others |= {"in a thread", "of an instance in a thread", "in a context"}
    assert seen >= NAMES - others


@needs_fork
def test_a_fork_holds_no_cell_longer_than_it_takes(gilonce: ModuleType) -> None:
    """Between the fork's two hooks all cells are kept alive; afterwards, in both processes, none is."""
    cell = gilonce.ProcessOnceCell()
    reference = weakref.ref(cell)
    child = fork()
    del cell
    gc.collect()
    if not child:
        os._exit(0 if reference() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reference() is None


def hooks(gilonce: Any) -> tuple[Any, Any]:
    assert gilonce.ProcessOnceCell
    return sys.modules["gilonce._cells.fork"], sys.modules["gilonce._cells.per_process"]


def test_a_cell_made_while_another_thread_is_forking_is_held_too(gilonce: ModuleType) -> None:
    """From the hook before a fork to the fork itself other threads go on, and may make cells."""
    fork, _ = hooks(gilonce)
    fork._before_fork()
    references = [weakref.ref(gilonce.ProcessOnceCell()) for _ in range(3)]
    gc.collect()
    assert None not in [reference() for reference in references]
    fork._after_fork_in_parent()
    gc.collect()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_what_is_kept_has_a_reference_too_many(gilonce: ModuleType) -> None:
    """With reference counting, one reference that no object holds outlives even the modules."""
    if not hasattr(sys, "getrefcount"):
        pytest.skip("objects are not counted here")
    _, per_process = hooks(gilonce)
    value = [object()]
    before = sys.getrefcount(value)
    per_process.keep_for_ever(value)
    assert sys.getrefcount(value) == before + 1


def test_where_nothing_counts_references_a_list_keeps(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPy, say, which finalizes nothing at its end."""
    if gilonce.__implementation__ == "native":
        pytest.skip("the native core counts")
    fork, per_process = hooks(gilonce)
    monkeypatch.setattr(per_process, "_increment", None)
    cell = gilonce.ProcessOnceCell()
    cell.set(Value())
    reference = weakref.ref(cell.get())
    fork._after_fork_in_child()
    gc.collect()
    assert not cell.is_set()
    assert reference() is not None
    monkeypatch.setattr(per_process, "implementation", "native")
    assert per_process._find_increment() is None


def test_what_belongs_to_what_is_kept_is_not_finalized_either(gilonce: ModuleType) -> None:
    """A pool's connections, a store's folder, of which `weakref.finalize` was told; but not what others have."""
    fork, _ = hooks(gilonce)
    pool, another = Value(), Value()
    pool.connections = {"first": [Value()]}
    pool.make = lambda: another
    connection = pool.connections["first"][0]
    # Two finalizers of one connection: each is called.
    finalizers = [weakref.finalize(it, print) for it in (pool, connection, connection, another, Value)]
    unwanted = weakref.finalize(connection, print)
    unwanted.atexit = False
    cell = gilonce.ProcessOnceCell()
    cell.set(pool)
    try:
        fork._after_fork_in_child()
        assert [finalizer.atexit for finalizer in finalizers] == [False, False, False, True, True]
    finally:
        for finalizer in [*finalizers, unwanted]:
            finalizer.detach()


def test_an_interrupt_does_not_keep_a_child_from_emptying_its_cells(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches the child as well, perhaps within the hook; then the work is done all the same."""
    fork, per_process = hooks(gilonce)
    cells = [gilonce.ProcessOnceCell() for _ in range(3)]
    for cell in cells:
        cell.set(Value())
    values = [weakref.ref(cell.get()) for cell in cells]
    finalizer = weakref.finalize(cells[0].get(), print, "finalized")
    keep = per_process.keep_for_ever
    interrupts = [None, KeyboardInterrupt()]

    def interrupted(value: object) -> None:
        interrupt = interrupts.pop(0) if interrupts else None
        if interrupt is not None:
            raise interrupt
        keep(value)

    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: unraisable.append((report.exc_type, report.object)))
    monkeypatch.setattr(per_process, "keep_for_ever", interrupted)
    fork._after_fork_in_child()
    assert not any(cell.is_set() for cell in cells)
    assert not finalizer.atexit
    assert unraisable == [(KeyboardInterrupt, per_process._empty_all)]
    gc.collect()
    assert None not in [value() for value in values]


class Value:
    connections: Any
    make: Any
