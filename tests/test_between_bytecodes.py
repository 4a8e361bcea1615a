"""Another thread's whole operation between any two bytecodes of one.

One thread acts, and stops before one of its bytecodes until another thread has done all that it is to do: before the
first, in a second run before the second, and so on. What came of it must obey the laws, and be among what a plain model
of the place gives, whose steps are atomic. Those are few of all interleavings, which `test_interleavings.py` runs; but
no race by luck: each is run every time, on every interpreter, and beside the native core too, for what of it is Python.
"""

from __future__ import annotations

import faulthandler
import itertools
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

import broken_cells
import places
import pytest
from broken_cells import (
    ChecksAgainThenSets,
    ChecksThenSets,
    DiscardsTheWinner,
    DropsTheLoser,
    KeepsTheError,
    LastWriteWins,
    Locks,
    LooksThenReads,
    LooksThenRemoves,
    SetsInTwoSteps,
)
from bytecodes import AtBytecode, files_of
from places import ACTIONS, OF_ATTRIBUTE, OF_CELL, OF_GLOBAL, OF_OVERRIDE, OF_VIEW, TOUCH_TWICE, scenarios_of
from scenarios import Outcome, Place, Run, Scenario, model_outcomes
from searching import FACTOR
from support import WATCHDOG

#: Where a run is to be shorter, the other comes in before every so many bytecodes.
STRIDE = max(1, round(1 / FACTOR))


class Other:
    """A thread that acts while the one that tells it to waits."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._told: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (action := self._told.get()) is not None:
            action()
            self._done.put(None)

    def act(self, action: Callable[[], object]) -> bool:
        """Let it act; return whether it has done so without waiting for this thread."""
        self._told.put(action)
        try:
            self._done.get(timeout=self._patience)
        except Empty:
            faulthandler.dump_traceback()
            return False
        return True

    def end(self) -> None:
        self._told.put(None)
        self._thread.join(WATCHDOG)


def _act_between(run: Run, position: int, other: Other, files: tuple[str, ...]) -> bool:
    """Act, and let the other act before the bytecode of that number; return whether there was one."""
    has_come_back = True

    def let_it_act() -> None:
        nonlocal has_come_back
        has_come_back = other.act(lambda: run.work(1))

    between = AtBytecode(position, let_it_act, files)
    between.run(lambda: run.work(0))
    # Not where it happens, for there an action would catch it.
    assert has_come_back, f"before bytecode {position}, a thread waits for another"
    return between.has_acted


def outcomes_between(
    scenario: Scenario, gilonce: ModuleType, patience: float = WATCHDOG, stride: int = 1
) -> Iterator[Outcome]:
    """Give what comes of the other's acting before each bytecode; raise AssertionError if that is wrong."""
    assert len(scenario.threads) == 2
    files = (files_of(gilonce), places.__file__, broken_cells.__file__)
    expected = model_outcomes(scenario)
    other = Other(patience)
    try:
        for position in itertools.count(1, stride):
            run = Run(scenario, gilonce)
            if not _act_between(run, position, other, files):
                break
            outcome = run.check()
            assert outcome in expected, f"before bytecode {position}: no order of the model's steps gives {outcome}"
            yield outcome
    finally:
        other.end()
    # The caller's own are some; who traces none has proved nothing.
    assert position > 2


def ordered(actions: list[str], *first: tuple[str, ...]) -> list[tuple[tuple[str, ...], ...]]:
    """Return every choice of one action for each thread, and, for the thread that is stopped, of `first`."""
    singles = [(action,) for action in actions]
    return list(itertools.product([*singles, *first], singles))


SCENARIOS = [
    *scenarios_of("cell", ordered(OF_CELL, ("set", "take"), ("touch", "take"))),
    *scenarios_of("once_function", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("once_method", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("once_class_method", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("class_without_values", ordered(OF_VIEW)),
    *scenarios_of("property_in_dict", ordered(OF_ATTRIBUTE, ("write", "delete"))),
    # Here, and with globals, no assignments: those are exact only where a check and the write after it are one step,
    # that is between some bytecodes, with a GIL. See `places.WITH_GIL`.
    *scenarios_of("property_in_slot", ordered(["touch", "fail"])),
    *scenarios_of("property_of_class", ordered(["touch", "fail"])),
    *scenarios_of("property_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("method_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("cell_per_process", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("method_with_kept_cell", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("class_with_kept_cell", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("method_with_guard", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("property_with_guard", ordered(OF_ATTRIBUTE, ("write", "delete"))),
    *scenarios_of("reified_global", ordered(["touch", "fail"]), OF_GLOBAL),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_another_thread_may_act_between_any_two_bytecodes(gilonce: ModuleType, scenario: Scenario) -> None:
    """Laws 1, 3 and 4, and that no thread waits, wherever another comes in; and what comes of it is what may come."""
    for worker in range(2):
        Run(scenario, gilonce).work(worker)  # does what is done once in a process
    outcomes = set(outcomes_between(scenario, gilonce, stride=STRIDE))
    print(f"{scenario.name}: {len(outcomes)} outcomes of {len(model_outcomes(scenario))}")


TOUCH, TAKE = ("touch",), ("take",)


@pytest.mark.parametrize(
    ("broken", "threads", "fault"),
    [
        (ChecksThenSets, (TOUCH, TOUCH), "law [14]"),
        (LastWriteWins, (TOUCH, TOUCH), "law 1"),
        (ChecksAgainThenSets, (TOUCH, TOUCH), "law 1"),
        (Locks, (TOUCH, TOUCH), "a thread waits for another"),
        (DropsTheLoser, (TOUCH, TOUCH), "law 4"),
        (DiscardsTheWinner, (TOUCH, TOUCH), "law 4"),
        (KeepsTheError, (("fail",), TOUCH), "law 3"),
        (LooksThenReads, (("touch", "get"), TAKE), "get in 0.1 raised KeyError"),
        (LooksThenRemoves, (("touch", "take"), TAKE), "law 1"),
        (SetsInTwoSteps, (("set",), ("set",)), "no order of the model's steps"),
    ],
)
def test_a_broken_cell_is_found_out(gilonce: ModuleType, broken: type[Any], threads: Any, fault: str) -> None:
    """What cannot fail shows nothing."""

    def build(_: Any, initializer: Any, discard: Any) -> Place:
        it = broken(discard)
        return Place(lambda: it.get_or_init(initializer), it.get, lambda: it)

    scenario = Scenario(broken.__name__, build, threads, ACTIONS)
    with pytest.raises(AssertionError, match=fault):
        list(outcomes_between(scenario, gilonce, 0.5 if "waits" in fault else WATCHDOG))
