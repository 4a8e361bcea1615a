"""Another thread's whole operation between any two bytecodes of one.

One thread acts, and stops before one of its bytecodes until another thread has finished its actions: in the first run
before the first bytecode, in the second run before the second, and so on. Each outcome must obey the laws, and be one
that a model with atomic steps gives. These are few of all interleavings (`test_interleavings.py` runs all), but none is
left to luck: each runs every time, on every interpreter, and also with the native core, as far as Python code surrounds
it.
"""

from __future__ import annotations

import faulthandler
import importlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

import pytest
from support import WATCHDOG, surfaces
from support.bytecodes import AtBytecode, files_of, positions
from support.interleaving import actions, broken_cells
from support.interleaving.actions import (
    ACTIONS,
    ISOLATED_ONCE,
    ISOLATED_TWICE,
    OF_ATTRIBUTE,
    OF_CELL,
    OF_GLOBAL,
    OF_OVERRIDE,
    OF_VIEW,
    TOUCH_BESIDE_ISOLATED,
    TOUCH_TWICE,
    WITH_ISOLATED,
    WITH_OVERRIDE,
    scenarios_of,
)
from support.interleaving.broken_cells import (
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
    surface_of,
)
from support.interleaving.scenario import (
    Outcome,
    PerThreadModel,
    Run,
    Scenario,
    SeenByFirstModel,
    few_modules,
    model_outcomes,
)
from support.interleaving.waiting_model import WaitingModel


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
        """Make it act; return whether it has finished without waiting for this thread."""
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
    """Act, and make the other act before the bytecode with that number; return whether there was one."""
    has_come_back = True

    def let_it_act() -> None:
        nonlocal has_come_back
        has_come_back = other.act(lambda: run.work(1))

    between = AtBytecode(position, let_it_act, files)
    between.run(lambda: run.work(0))
    # Not where it happens, because there an action would catch the error.
    assert has_come_back, f"before bytecode {position}, a thread waits for another"
    return between.has_acted


def outcomes_between(
    scenario: Scenario, gilonce: ModuleType, tried: Iterable[int], patience: float = WATCHDOG
) -> Iterator[Outcome]:
    """Yield the outcome for each of the bytecodes before which the other acts; raise AssertionError if one is wrong."""
    assert len(scenario.threads) == 2
    files = (files_of(gilonce), surfaces.__file__, actions.__file__, broken_cells.__file__)
    expected = model_outcomes(scenario)
    other = Other(patience)
    importlib.import_module("gilonce.testing")
    registered = importlib.import_module("gilonce._cells.registry")._registered
    try:
        for position in tried:
            registered.clear()  # so that an isolation has only this run's cells to go through
            if (per_loop := sys.modules.get("gilonce._cells.per_loop")) is not None:
                per_loop._loops.clear()  # those of earlier runs
            run = Run(scenario, gilonce)
            if not _act_between(run, position, other, files):
                break
            outcome = run.check()
            assert outcome in expected, f"before bytecode {position}: no order of the model's steps gives {outcome}"
            yield outcome
    finally:
        other.end()
    # The caller's own bytecodes count too. Without any, the test would prove nothing.
    assert position > 2


def ordered(actions: list[str], *first: tuple[str, ...]) -> list[tuple[tuple[str, ...], ...]]:
    """Return every choice of one action for each thread, where the thread that is stopped may also do `first`."""
    singles = [(action,) for action in actions]
    return list(itertools.product([*singles, *first], singles))


#: The surfaces that an isolation covers. Those with a model of their own are beside them.
ISOLATED = [
    "once_function",
    "once_above_classmethod",
    "classmethod_of_subclass",
    "once_staticmethod",
    "property_of_class",
    "property_of_subclass",
    "static_property",
    "args_function",
    "args_key_with_eq",
    "args_above_classmethod",
    "proxy",
]

SCENARIOS = [
    *scenarios_of("cell", ordered(OF_CELL, ("set", "take"), ("touch", "take"))),
    *scenarios_of("cell", WITH_OVERRIDE),
    *scenarios_of("once_method", WITH_OVERRIDE),
    *scenarios_of("args_function", WITH_OVERRIDE),
    *scenarios_of("once_above_classmethod", WITH_OVERRIDE),
    # All but the last, which takes: as with an override, see `actions.OVERRIDE_AND_EMPTY`.
    *scenarios_of("once_function", WITH_ISOLATED[:-1]),
    *scenarios_of("once_above_classmethod", WITH_ISOLATED[:2]),
    *[scenario for surface in ISOLATED for scenario in scenarios_of(surface, TOUCH_BESIDE_ISOLATED)],
    *scenarios_of("property_of_subclass", ISOLATED_ONCE),
    *scenarios_of("args_function", ISOLATED_ONCE),
    *scenarios_of("reified_global", ISOLATED_ONCE + TOUCH_BESIDE_ISOLATED, OF_GLOBAL),
    *scenarios_of("proxy", [(("touch", "isolated"), ("touch",))]),
    *scenarios_of("once_function", ISOLATED_TWICE, cell="OnceLock", begin=WaitingModel),
    *scenarios_of("once_function", ISOLATED_ONCE, cell="ThreadOnceCell", begin=SeenByFirstModel, is_shared=False),
    *scenarios_of("once_function", ISOLATED_ONCE, cell="LoopOnceCell", begin=PerThreadModel, is_shared=False),
    *[
        scenario
        for surface in ("once_function", "once_above_classmethod")
        for scenario in [
            *scenarios_of(surface, TOUCH_BESIDE_ISOLATED, cell="ProcessOnceCell"),
            *scenarios_of(surface, ISOLATED_ONCE, cell="OnceLock", begin=WaitingModel),
        ]
    ],
    *scenarios_of("once_function", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("once_method", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("args_function", ordered(["touch", "fail", "take"])),
    *scenarios_of("args_function", [(("touch", "take_all"), ("take_all",)), (("take_all",), ("touch",))]),
    *scenarios_of("args_key_with_eq", ordered(["touch", "fail", "take"])),
    *scenarios_of("args_method", ordered(["touch", "fail", "take"])),
    *scenarios_of("once_above_classmethod", ordered(OF_VIEW, ("set", "take"))),
    *scenarios_of("classmethod_of_subclass", ordered(OF_VIEW)),
    *scenarios_of("property_in_dict", ordered(OF_ATTRIBUTE, ("write", "delete"))),
    # Here, and with globals, no assignments: those are exact only where a check and the write after it are one step,
    # that is between some bytecodes, with a GIL. See `actions.WITH_GIL`.
    *scenarios_of("property_in_slot", ordered(["touch", "fail"])),
    *scenarios_of("once_method_in_slot", ordered(["touch", "fail"])),
    *scenarios_of("property_of_class", ordered(["touch", "fail"])),
    *scenarios_of("property_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("method_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("cell", ordered(OF_VIEW, ("set", "take")), cell="ProcessOnceCell"),
    *scenarios_of("once_method", ordered(OF_VIEW, ("set", "take")), cell="ProcessOnceCell"),
    *scenarios_of("once_above_classmethod", ordered(OF_VIEW, ("set", "take")), cell="ProcessOnceCell"),
    *scenarios_of("once_method", ordered(OF_VIEW, ("set", "take")), cell="UserCell"),
    *scenarios_of("property_in_dict", ordered(OF_ATTRIBUTE, ("write", "delete")), cell="UserCell"),
    *scenarios_of("reified_global", ordered(["touch", "fail"]), OF_GLOBAL),
]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_another_thread_may_act_between_any_two_bytecodes(gilonce: ModuleType, scenario: Scenario) -> None:
    """Wherever another thread acts, laws 1, 3 and 4 hold, no thread waits, and the model gives the same outcome."""
    with few_modules():
        for worker in range(2):
            Run(scenario, gilonce).work(worker)  # does what happens once in a process
        outcomes = set(outcomes_between(scenario, gilonce, positions()))
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
    """A test that cannot fail would show nothing."""
    scenario = Scenario(broken.__name__, surface_of(broken), threads, ACTIONS)
    with pytest.raises(AssertionError, match=fault):
        list(outcomes_between(scenario, gilonce, itertools.count(1), 0.5 if "waits" in fault else WATCHDOG))
