"""Every interleaving of threads that wait for each other at an `OnceLock`; `gates.py` says how.

The outcomes of a scenario must be those of its model (`waiting_model.py`), and in no interleaving may all threads be
stuck.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from test_interleavings import FILES, python, run

# isort: split
from support.interleaving.actions import ACTIONS, ISOLATED_ONCE, OVERRIDE_ONCE, TOUCH_TWICE, scenarios_of
from support.interleaving.explorer import Exploration
from support.interleaving.scenario import Scenario, combine, model_outcomes
from support.interleaving.waiting_model import WaitingModel
from support.surfaces import Access

__all__ = ["python"]

pytestmark = pytest.mark.slow


class TwoLocks(Access):
    """Access to the first of two cells, each of which can be filled with what is made of the other's value."""

    def __init__(self, gilonce: Any, initializer: Any, _: Any) -> None:
        self.locks = {"first": gilonce.OnceLock(), "second": gilonce.OnceLock()}
        first = self.locks["first"]
        super().__init__(lambda: first.get_or_init(initializer), lambda: first)

    def across(self, name: str) -> Any:
        first, second = self.locks.values()
        outer, inner = (first, second) if name == "first" else (second, first)
        initializer: Any = self.initializer
        return outer.get_or_init(lambda: initializer(inner.get_or_init(lambda: initializer("base"))))


CROSSING: dict[str, Any] = {
    **ACTIONS,
    "cross_first": lambda access, _: access.across("first"),
    "cross_second": lambda access, _: access.across("second"),
}


def explore_waiting(scenario: Scenario, gilonce: Any, **options: Any) -> Exploration:
    assert gilonce.OnceLock
    waits: Any = sys.modules["gilonce._cells.wait_graph"]

    def number(wait: Any) -> tuple[str, int]:
        return wait.thread_name, wait.number

    # Sorted by `id`, the waits of a cycle would not have the same order in every run.
    with mock.patch.object(waits, "id", number, create=True):
        # Running initializers are registered in `_running` for a forked child. No thread reads that here.
        return run(
            scenario,
            gilonce,
            gates_in=sys.modules["gilonce._cells.exclusive"],
            unread=[waits._running],
            files=(*FILES, __file__),
            **options,
        )


def with_lock(surface: str, threads: Any, **options: Any) -> list[Scenario]:
    return scenarios_of(surface, threads, cell="OnceLock", begin=WaitingModel, **options)


def touching(**options: Any) -> list[Scenario]:
    return with_lock("cell", TOUCH_TWICE, **options)


def crossing(**options: Any) -> list[Scenario]:
    """Return the scenario in which each of two threads asks for a value that needs the other's."""
    threads = ("cross_first",), ("cross_second",)
    name = "two_locks: cross_first | cross_second"
    return [Scenario(name, TwoLocks, threads, CROSSING, options=options, begin=WaitingModel)]


#: Threads switch where CPython with a GIL switches. Switching at every bytecode takes about twice as many
#: interleavings.
WITH_GIL = {"every_bytecode": False}

SCENARIOS = [
    *touching(),
    *with_lock("cell", [(("touch",), ("fail",))]),
    *with_lock("cell", [(("touch",), (action,)) for action in ("set", "get", "take")], **WITH_GIL),
    *with_lock("cell", OVERRIDE_ONCE, **WITH_GIL),
    *with_lock("once_function", ISOLATED_ONCE, **WITH_GIL),
    *with_lock("once_method", [(("touch",), ("fail",))], **WITH_GIL),
    *with_lock("property_in_dict", TOUCH_TWICE, **WITH_GIL),
    *crossing(**WITH_GIL),
]

#: Scenarios that take minutes. (Three threads at one cell took more than seven minutes, and are left out.)
LONG = [
    *with_lock("cell", combine(["touch", "fail", "set"], 2)[1:]),
    *with_lock("cell", combine(["fail", "set", "get", "take"], 2), **WITH_GIL),
    *with_lock("once_method", combine(["touch", "fail"], 2), **WITH_GIL),
    # Without a GIL, both threads may detect the cycle.
    *crossing(),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_interleaving_gives_what_the_model_gives_and_nobody_is_stuck(
    python: ModuleType, scenario: Scenario
) -> None:
    """One initializer runs, one waiter retries a failure, one thread of a cycle gets the error, and all end."""
    exploration = explore_waiting(scenario, python)
    print(f"{scenario.name}: {exploration.interleavings} interleavings")
    assert set(exploration.outcomes) == model_outcomes(scenario)


# Broken locks, each with one mistake.


def does_not_look_again(self: Any, initializer: Callable[[], Any]) -> Any:
    """In place of `OnceLock._fill`."""
    while True:
        mine = self._begin(initializer)
        try:
            running = mine.enter()
            if running is mine:
                return self._publish(initializer())[0]
        finally:
            mine.end()
        self._wait(running, 0.0)
        value = self.get()
        if value is not None:
            return value


def wakes_nobody(self: Any) -> None:
    """In place of `Attempt.end`."""
    if self.register.get(self.key) is self:
        self.register.pop(self.key, None)
    python_waits()._running.pop(self, None)
    self.is_over = True


def looks_for_cycles_before_it_enters(self: Any) -> bool:
    """In place of `Wait.enter`."""
    waits = python_waits()._waits
    if self._find_cycle(waits.copy()):
        raise python_waits().DeadlockError("a cycle")
    waits[self] = self.attempt
    self.attempt.waiting[self] = None
    return not self.attempt.is_over


def all_raise(self: Any) -> bool:
    """In place of `Wait.enter`."""
    waits = python_waits()._waits
    waits[self] = self.attempt
    self.attempt.waiting[self] = None
    if not self.attempt.is_over and self._find_cycle(waits.copy()):
        raise python_waits().DeadlockError("a cycle")
    return not self.attempt.is_over


def python_waits() -> Any:
    return sys.modules["gilonce._cells.wait_graph"]


@pytest.mark.parametrize(
    ("where", "name", "broken", "scenarios", "fault"),
    [
        ("_cells.exclusive.OnceLock", "_fill", does_not_look_again, touching, "law 4"),
        ("_cells.wait_graph.Attempt", "end", wakes_nobody, touching, "nobody can go on"),
        (
            "_cells.wait_graph.Wait",
            "enter",
            looks_for_cycles_before_it_enters,
            crossing,
            "nobody can go on",
        ),
        (
            "_cells.wait_graph.Wait",
            "enter",
            all_raise,
            crossing,
            "not what the model gives",
        ),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_a_broken_lock_is_found_out(
    python: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    name: str,
    broken: Any,
    scenarios: Callable[..., list[Scenario]],
    fault: str,
) -> None:
    """An exploration that cannot fail would show nothing."""
    assert python.OnceLock
    monkeypatch.setattr(f"gilonce.{where}.{name}", broken)
    # With a GIL, only the last thread that registers its wait sees the cycle.
    options = {} if broken is all_raise else WITH_GIL
    (scenario,) = scenarios(**options)
    with pytest.raises(AssertionError, match=fault):
        explore_waiting(scenario, python)
