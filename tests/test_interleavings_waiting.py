"""Every interleaving of threads that wait for each other: `OnceLock`, see `gates.py` for how.

The set of all that comes of a scenario must be what a model of it gives, see `waiting_model.py`; and in no interleaving
may there be a state in which nobody can go on. `python tests/test_interleavings.py` prints these, too; this file, run
as a script, prints only these.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from test_interleavings import FILES, main, python, run

# isort: split
from interleavings import Exploration
from places import ACTIONS, TOUCH_TWICE, in_dict, of_cell, of_method
from scenarios import Place, Scenario, combine, model_outcomes
from waiting_model import WaitingModel

__all__ = ["python"]


def lock(gilonce: Any, initializer: Any, _: Any) -> Place:
    return of_cell(gilonce.OnceLock(), initializer)


def lock_of_method(gilonce: Any, initializer: Any, _: Any) -> Place:
    class Owner:
        @gilonce.once(cell=gilonce.OnceLock)
        def method(self) -> Any:
            return initializer()

    return of_method(Owner())


def lock_of_property(gilonce: Any, initializer: Any, _: Any) -> Place:
    class Owner:
        @gilonce.once_property(cell=gilonce.OnceLock)
        def attribute(self) -> Any:
            return initializer()

    return in_dict(Owner())


def two_locks(gilonce: Any, initializer: Any, _: Any) -> Place:
    cells = {"first": gilonce.OnceLock(), "second": gilonce.OnceLock()}
    first, second = cells.values()

    def across(name: str) -> Any:
        outer, inner = (first, second) if name == "first" else (second, first)
        return outer.get_or_init(lambda: initializer(inner.get_or_init(lambda: initializer("base"))))

    return Place(lambda: first.get_or_init(initializer), first.get, lambda: first, across=across)


def explore_waiting(scenario: Scenario, gilonce: Any, **options: Any) -> Exploration:
    assert gilonce.OnceLock
    waits: Any = sys.modules["gilonce._waits"]

    def number(wait: Any) -> tuple[str, int]:
        return wait.thread_name, wait.number

    # By their `id`, the waits of a cycle would not have the same order in every run.
    with mock.patch.object(waits, "id", number, create=True):
        # Who initializes is entered in `_running` for a forked child; here nobody reads that.
        return run(
            scenario,
            gilonce,
            gates_in=sys.modules["gilonce._lock"],
            unread=[waits._running],
            files=(*FILES, __file__),
            **options,
        )


def scenarios(build: Any, threads: Any, **options: Any) -> list[Scenario]:
    return [
        Scenario(
            f"{build.__name__}: {' | '.join(map(', '.join, chosen))}",
            build,
            chosen,
            ACTIONS,
            options=options,
            begin=WaitingModel,
        )
        for chosen in threads
    ]


#: Threads switch where CPython with a GIL lets them: at every bytecode there are about twice as many interleavings.
WITH_GIL = {"every_bytecode": False}
CROSSING: Any = [(("cross_first",), ("cross_second",))]

SCENARIOS = [
    *scenarios(lock, TOUCH_TWICE),
    *scenarios(lock, combine(["touch", "fail", "set", "get", "take"], 2)[1:], **WITH_GIL),
    *scenarios(lock_of_method, combine(["touch", "fail"], 2), **WITH_GIL),
    *scenarios(lock_of_property, TOUCH_TWICE, **WITH_GIL),
    # Without a GIL, both may see the cycle.
    *scenarios(two_locks, CROSSING),
]

#: These take minutes. (Three threads at one cell were not done after seven, and are left out.)
LONG = [
    *scenarios(lock, combine(["touch", "fail", "set"], 2)[1:]),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_interleaving_gives_what_the_model_gives_and_nobody_is_stuck(
    python: ModuleType, scenario: Scenario
) -> None:
    """One initializer runs; a failure passes the work to one; of a cycle one is told; and all come to an end."""
    exploration = explore_waiting(scenario, python)
    print(f"{scenario.name}: {exploration.interleavings} interleavings")
    assert set(exploration.outcomes) == model_outcomes(scenario)


# Locks that are wrong, each in one way.


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
    return sys.modules["gilonce._waits"]


@pytest.mark.parametrize(
    ("where", "name", "broken", "build", "actions", "fault"),
    [
        ("_lock.OnceLock", "_fill", does_not_look_again, lock, ("touch", "touch"), "law 4"),
        ("_waits.Attempt", "end", wakes_nobody, lock, ("touch", "touch"), "nobody can go on"),
        (
            "_waits.Wait",
            "enter",
            looks_for_cycles_before_it_enters,
            two_locks,
            ("cross_first", "cross_second"),
            "nobody can go on",
        ),
        ("_waits.Wait", "enter", all_raise, two_locks, ("cross_first", "cross_second"), "not what the model gives"),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
def test_a_broken_lock_is_found_out(
    python: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    name: str,
    broken: Any,
    build: Any,
    actions: tuple[str, ...],
    fault: str,
) -> None:
    """An exploration that cannot fail shows nothing."""
    assert python.OnceLock
    monkeypatch.setattr(f"gilonce.{where}.{name}", broken)
    # With a GIL, only the last that enters its wait sees a cycle.
    options = {} if broken is all_raise else WITH_GIL
    (scenario,) = scenarios(build, [tuple((action,) for action in actions)], **options)
    with pytest.raises(AssertionError, match=fault):
        found = explore_waiting(scenario, python)
        assert set(found.outcomes) == model_outcomes(scenario), "not what the model gives"


if __name__ == "__main__":
    sys.exit(main((SCENARIOS, LONG, explore_waiting)))
