"""`cell.override(value)` and interrupts while it is entered or left."""

from __future__ import annotations

import gc
import importlib
from types import ModuleType
from typing import Any

import pytest
from support import survives_interrupts
from support.bytecodes import AtBytecode, files_of, positions
from support.overridable import CELLS, assert_consistent

pytestmark = pytest.mark.usefixtures("no_override_is_left")


def test_an_override_may_come_and_go_while_another_is_entered(cell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was there and is gone again has changed nothing, except the stack: the other begins again."""
    override = importlib.import_module("gilonce._cells.override")
    in_one_step = override.in_one_step
    steps: list[object] = []

    def disturbed(step: Any, *arguments: Any) -> Any:
        steps.append(step)
        if len(steps) == 1:
            with cell.override("comes and goes"):
                pass
        return in_one_step(step, *arguments)

    first = cell.override("first")
    monkeypatch.setattr(override, "in_one_step", disturbed)
    first.__enter__()
    assert cell.get() == "first"
    with cell.override("second"):
        first.__exit__(None, None, None)
        assert cell.get() == "second"
    assert (cell.is_set(), len(steps) > 5) == (False, True)


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_between_the_stack_and_the_place_is_made_good(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving takes up where it was interrupted: the layer is gone, and the value must still be put back."""
    override = importlib.import_module("gilonce._cells.override")
    cell = gilonce.GILOnceCell()
    cell.set("value")
    in_one_step = override.in_one_step
    steps: list[object] = []

    def interrupted(step: Any, *arguments: Any) -> Any:
        steps.append(step)
        if len(steps) > 1:
            return in_one_step(step, *arguments)
        *_, stack, _, after = arguments
        stack.layers = after
        raise KeyboardInterrupt

    context = cell.override("fake")
    context.__enter__()
    monkeypatch.setattr(override, "in_one_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        context.__exit__(None, None, None)
    assert (cell.get(), len(steps) > 1) == ("value", True)


@pytest.mark.parametrize("fails", [0, 1])
@pytest.mark.parametrize("was_written", [False, True])
def test_leaving_takes_up_where_it_was_interrupted(gilonce: ModuleType, was_written: bool, fails: int) -> None:
    """The value may have been put back already, and a step that was interrupted may hinder the next one once."""
    tries: list[None] = []

    class Cell(gilonce.GILOnceCell):  # type: ignore[name-defined, misc]
        def _replace(self, *change: Any) -> Any:
            tries.append(None)
            return len(tries) > fails and super()._replace(*change)

    cell = Cell()
    cell.set("value" if was_written else "fake")
    layer = importlib.import_module("gilonce._cells.override").Layer(cell, "fake")
    layer._restores = "fake", "value"
    layer.leave()
    assert cell.get() == "value"
    assert len(tries) == (0 if was_written else fails + 1)


def test_nothing_is_replaced_where_something_else_is_found(gilonce: ModuleType) -> None:
    """Neither the value nor the stack, whichever of them another thread has changed."""
    override = importlib.import_module("gilonce._cells.override")
    empty = importlib.import_module("gilonce._cells.racing").EMPTY

    class Slotted:
        __slots__ = ("_kept",)
        kept = gilonce.once_property(lambda self: "value", slot="_kept")

    full, empty_one = gilonce.GILOnceCell(), gilonce.GILOnceCell()
    full.set("value")
    slotted = Slotted()
    assert slotted.kept == "value"
    stack = override.Stack()
    before = stack.layers
    for cell in full, empty_one, gilonce.cell_of(slotted, "kept"):
        for new in "fake", empty:
            assert not cell._replace("other", new, stack, before, ())
            assert not cell._replace(cell._load(), new, stack, (None,), ())
    assert not override.replace_layers(stack, (None,), ())
    layers = [override.Layer(full, name) for name in ("lower", "upper")]
    for layer in layers:
        layer._stack = stack
    found = tuple((layer, "value") for layer in layers)
    assert not layers[0]._remove(stack, found, 0)
    assert (stack.layers, full.get(), empty_one.is_set(), slotted.kept) == (before, "value", False, "value")


def test_an_interrupt_while_entering_enters_nothing(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = importlib.import_module("gilonce._cells.override").Layer
    cell = gilonce.GILOnceCell()
    enter = layer.enter

    def interrupted(self: Any) -> None:
        enter(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(layer, "enter", interrupted)
    # An override that is dropped is left in any case.
    context = cell.override("fake")
    with pytest.raises(KeyboardInterrupt):
        context.__enter__()
    assert not cell.is_set()


@pytest.mark.parametrize(
    "name",
    [
        *["own", "method", "in_slot", "of_class", "lazy global"],
        pytest.param("lazy global that stays a proxy", marks=pytest.mark.slow),
        pytest.param("per_loop", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("value", ["empty", "full", pytest.param("replaced inside", marks=pytest.mark.slow)])
def test_an_interrupt_leaves_no_override_behind(gilonce: ModuleType, name: str, value: str) -> None:
    """At every bytecode of entering and leaving: the interrupt gets out, and the cell is as before.

    In Python, an interrupt at the last bytecode of `__enter__` or the very beginning of `__exit__` leaves the override
    in force until its object is dropped.
    """
    if not survives_interrupts(gilonce):
        pytest.skip("CPython 3.10 does not survive an exception between any two bytecodes")
    cell = CELLS[name](gilonce, None)
    if value != "empty":
        cell.set("value")

    context = cell.override("fake")

    def use() -> None:
        with context:
            assert cell.get() == "fake"
            if value == "replaced inside":
                cell.take()
                cell.set("made inside")

    use()
    files = (files_of(gilonce),)
    for position in positions():
        # A new one: an interrupt in an `except` block makes CPython keep the frames, and what they hold.
        context = cell.override("fake")
        at_bytecode = AtBytecode(position, raise_interrupt, files)
        try:
            at_bytecode.run(use)
        except KeyboardInterrupt:
            pass
        else:
            assert not at_bytecode.has_acted, position
        if not at_bytecode.has_acted:
            break
        expected = "empty" if value == "empty" else "value"
        if cell.get("empty") != expected and gilonce.__implementation__ == "python":
            del context
            gc.collect()
        assert cell.get("empty") == expected, position
        assert_consistent(cell)
    assert position > 10
