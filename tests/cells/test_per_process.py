"""ProcessOnceCell within one process: its laws, its copies, and how the package knows its cells.

Tests of forks are in `test_per_process_forks.py` and `test_per_process_finalizers.py`.
"""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref
from types import ModuleType
from typing import Any

import pytest
import test_laws
from support import run_python
from support.cells import others_slow
from support.forks import needs_fork
from support.surfaces import SURFACES, With


@needs_fork
def test_the_package_registers_one_hook_however_many_cells_there_are(gilonce: ModuleType) -> None:
    """`os.register_at_fork` has no way back, so a hook per cell would be a leak."""
    source = """
import os
calls = []
register = os.register_at_fork
os.register_at_fork = lambda **hooks: calls.append(hooks) or register(**hooks)
import gilonce
print(len(calls))  # none that is not needed
from gilonce import OnceLock, ProcessOnceCell, ThreadOnceCell, lazy_global, once
@once(cell=ProcessOnceCell)
def function():
    return 1
class Owner:
    @once(cell=ProcessOnceCell)
    def method(self):
        return 1
owners = [Owner() for _ in range(100)]
print(sum(owner.method() for owner in owners), function(), lazy_global(list, cell=ProcessOnceCell))
cells = [make() for make in (OnceLock, ProcessOnceCell, ThreadOnceCell) for _ in range(100)]
modules = [{getattr(hook, "__module__", None) or "" for hook in hooks.values()} for hooks in calls]
print(sum(any(module.startswith("gilonce") for module in each) for each in modules))
"""
    assert run_python(gilonce, "-c", source) == "0\n100 1 []\n1\n"


def registered(gilonce: Any) -> dict[int, weakref.ref[Any]]:
    assert gilonce.ProcessOnceCell
    cells: dict[int, weakref.ref[Any]] = sys.modules["gilonce._cells.per_process"]._cells  # type: ignore[attr-defined]
    return cells


def test_cells_that_are_dropped_leave_nothing_behind(gilonce: ModuleType) -> None:
    """The package knows its cells weakly, and forgets each with the cell, also one in a cycle."""
    gc.collect()
    before = set(registered(gilonce))
    cells = [gilonce.ProcessOnceCell() for _ in range(100)]
    for cell in cells[:50]:
        cell.set(cell)
    cells.append(copy.copy(cells[-1]))
    cells.append(copy.deepcopy(cells[-1]))
    cells.append(pickle.loads(pickle.dumps(cells[-1])))
    assert len(set(registered(gilonce)) - before) == 103
    del cell, cells
    gc.collect()
    gc.collect()  # PyPy calls back at the next occasion
    assert set(registered(gilonce)) <= before


def test_instances_and_their_cells_go_together(gilonce: ModuleType) -> None:
    """Neither the decorator nor the registry keeps an instance alive, even one whose value refers to it."""

    class Owner:
        @gilonce.once(cell=gilonce.ProcessOnceCell)
        def itself(self) -> Owner:
            return self

    before = set(registered(gilonce))
    owners = [Owner() for _ in range(20)]
    assert all(owner.itself() is owner for owner in owners)
    references = [weakref.ref(owner) for owner in owners]
    del owners
    gc.collect()
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []
    assert set(registered(gilonce)) <= before


def test_copies_have_the_value_and_pickles_have_not(gilonce: ModuleType) -> None:
    """A copy stays in the process, so it has the value; a pickle is made to leave it."""
    cell = gilonce.ProcessOnceCell(discard=print)
    value = ["connection"]
    cell.set(value)
    shallow, deep = copy.copy(cell), copy.deepcopy(cell)
    assert type(shallow) is type(deep) is gilonce.ProcessOnceCell
    assert shallow.get() is value
    assert deep.get() == value
    assert deep.get() is not value
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        unpickled = pickle.loads(pickle.dumps(cell, protocol))
        assert type(unpickled) is gilonce.ProcessOnceCell
        assert not unpickled.is_set()
        unpickled.set(1)
    assert cell.take() is value
    assert shallow.is_set()
    assert not copy.copy(cell).is_set()
    # What cannot be pickled need not be.
    cell.set(threading.Lock())
    assert not pickle.loads(pickle.dumps(cell)).is_set()


def test_a_copy_of_a_cell_that_refers_to_itself_refers_to_the_copy(gilonce: ModuleType) -> None:
    """`deepcopy` remembers the new cell before it copies the value."""
    cell = gilonce.ProcessOnceCell()
    cell.set([cell])
    copied = copy.deepcopy(cell)
    assert copied.get()[0] is copied


def test_a_fork_while_a_copy_is_made_leaves_it_empty_in_the_child(gilonce: ModuleType) -> None:
    """To set its attributes may be to run somebody's code, which forks. Before that, it is a cell of this process."""

    class Forks(gilonce.ProcessOnceCell):
        @property
        def attribute(self) -> None: ...

        @attribute.setter
        def attribute(self, _: object) -> None:
            assert self.get() == "the parent's"
            sys.modules["gilonce._cells.fork"]._after_fork_in_child()

    cell = Forks()
    cell.set("the parent's")
    vars(cell)["attribute"] = "value"
    copied = copy.copy(cell)
    assert not copied.is_set()


def test_copies_of_an_instance_have_cells_of_their_own(gilonce: ModuleType) -> None:
    """What is one per process and instance is not carried to another instance, let alone to another process."""
    for duplicate in (copy.copy, copy.deepcopy, lambda owner: pickle.loads(pickle.dumps(owner))):
        PickledOwner.connect = gilonce.once(cell=gilonce.ProcessOnceCell)(connect)
        owner = PickledOwner()
        connection = owner.connect()
        copied = duplicate(owner)
        assert not copied.connect.cell.is_set()
        assert copied.connect() is not connection
        assert owner.connect() is connection


def connect(self: PickledOwner) -> object:
    return object()


class PickledOwner:
    """At the top of its module, so that pickle finds it."""

    connect: Any


@pytest.mark.parametrize(
    "law",
    [
        name
        for name, test in vars(test_laws).items()
        if name.startswith("test_") and set(inspect.signature(test).parameters) == {"gilonce", "surface"}
    ],
)
@pytest.mark.parametrize("surface", others_slow([name for name in SURFACES if "slot" not in name]))
def test_the_laws_hold(gilonce: ModuleType, law: str, surface: str) -> None:
    """Within one process it obeys the laws of a `GILOnceCell`. (It is not for slots.)"""
    getattr(test_laws, law)(With(gilonce, gilonce.ProcessOnceCell), SURFACES[surface])


def test_an_override_does_not_hold_in_a_child_and_leaving_it_there_changes_nothing(gilonce: ModuleType) -> None:
    """The hook of the child is called by hand. What the override had replaced is kept, too, and not used."""
    cell = gilonce.ProcessOnceCell()
    cell.set("inherited")
    inherited = sys.modules["gilonce._cells.per_process"]._inherited
    with cell.override("fake"):
        sys.modules["gilonce._cells.fork"]._after_fork_in_child()
        assert not cell.is_set()
        cell.set("the child's")
    assert cell.get() == "the child's"
    assert {"inherited", "fake"} <= {value for value in inherited if type(value) is str}
