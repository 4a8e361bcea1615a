"""`cell.override(value)` compared with a model, and under load."""

from __future__ import annotations

import os
import random
import sys
import threading
from types import ModuleType
from typing import Any

import pytest
import support
from support import WATCHDOG, run_threads
from support.overridable import CELLS, assert_consistent

pytestmark = pytest.mark.usefixtures("no_override_is_left")


@pytest.mark.parametrize("seed", range(5))
def test_every_sequence_leaves_what_a_model_leaves(gilonce: ModuleType, cell: Any, seed: int) -> None:
    """Overrides that come and go between all that can be done to a cell."""
    chance = random.Random(seed)
    value: Any = None
    layers: list[list[Any]] = []
    entered: dict[int, Any] = {}
    for step in range(1, 300):
        action = chance.choice(["enter", "enter", "leave", "leave", "take", "set", "get_or_init"])
        if action == "enter" and len(layers) < 6:
            entered[step] = cell.override(step)
            entered[step].__enter__()
            layers.append([step, value])
            value = step
        elif action == "leave" and layers:
            index = chance.randrange(len(layers))
            number, found = layers.pop(index)
            if index < len(layers):
                layers[index][1] = found
            else:
                value = found
            entered.pop(number).__exit__(None, None, None)
        elif action == "take":
            assert cell.take() == value
            value = None
        elif action == "set" and value is None:
            cell.set(value := step)
        elif action == "get_or_init":
            value = value or step
            assert cell.get_or_init(lambda step=step: step) == value
        assert cell.get() == value
        assert_consistent(cell)
    for override in entered.values():
        override.__exit__(None, None, None)
    assert cell.get() == (layers[0][1] if layers else value)


#: How often two threads enter and leave. The long run is `GILONCE_OVERRIDES=100000 pytest -o faulthandler_timeout=0`;
#: without a GIL it takes minutes. PyPy takes ten times as long.
OVERRIDES = int(os.environ.get("GILONCE_OVERRIDES", "300" if sys.implementation.name == "cpython" else "30"))


@pytest.mark.parametrize("name", ["own", "once function", "method", "in_slot", "of_class", "attribute", "key"])
def test_threads_may_call_while_overrides_come_and_go(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Four call, two enter and leave, also through one decorated function: no error, one value, nothing lost.

    A call that begins after the last override was left does not get an override's value.
    """
    discarded: list[Any] = []
    made: list[Any] = []

    class Value: ...

    def make() -> Value:
        value = Value()
        made.append(value)
        return value

    if name == "once function":
        call = gilonce.once(make, discard=discarded.append)
        cell = call.cell
    else:
        cell = CELLS[name](gilonce, discarded.append)
        call = lambda: cell.get_or_init(make)  # noqa: E731
    fakes = ["fake of a thread", "fake of a function"]
    is_over = threading.Event()
    leaving = threading.Barrier(2)
    patience = max(WATCHDOG, OVERRIDES / 100)
    monkeypatch.setattr(support, "WATCHDOG", patience)

    @cell.override(fakes[1])
    def under_override() -> None:
        assert call() in fakes

    def override() -> None:
        try:
            for number in range(OVERRIDES):
                if number % 3 == 2:
                    under_override()
                else:
                    with cell.override(fakes[0]):
                        assert call() in fakes
        finally:
            leaving.wait(patience)
            is_over.set()

    def keep_calling() -> set[int]:
        got = set()
        while not is_over.is_set():
            value = call()
            if value not in fakes:
                got.add(id(value))
        last = call()
        assert last not in fakes
        return {*got, id(last)}

    outcomes = run_threads(*[keep_calling] * 4, override, override)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert not errors, errors
    last = cell.get()
    assert set().union(*outcomes[:4]) == {id(last)}
    assert sorted(map(id, [*discarded, last])) == sorted(map(id, made))
