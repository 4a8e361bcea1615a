"""Every interleaving of two threads over every operation, and of three over some: see `interleavings.py` for how.

Each scenario says what each thread does. What came of it must obey the laws in every interleaving; and the set of all
that came of it must be what a plain model of the cell gives, whose steps are atomic: no more, so the cell behaves as
if each of its steps happened at one moment, and no less, so the exploration has missed nothing.

Three threads do what fills and empties a cell, each in all ways to combine these. Elsewhere they touch, for a place
differs from the cell in how it is filled; and what only reads comes between two threads as it does between three.

`python tests/test_interleavings.py` prints a table: interleavings and outcomes of each scenario, and the time. With
`--all` it runs those too that take minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import itertools
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import support
from skipping import skip
from support import activate

if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
    skip("frontrun, which explores interleavings, has no build for this interpreter")
if sys.version_info < (3, 12):
    # It misses the second of two racing `setdefault`s there, which the test of broken cells shows.
    skip("frontrun does not follow the stack of CPython 3.11 well enough")
if importlib.util.find_spec("frontrun") is None:
    skip("frontrun, which explores interleavings, is not installed")

# isort: split
import broken_cells
import places
from broken_cells import (
    ChecksOutsideTheClaim,
    ChecksThenSets,
    DiscardsTheWinner,
    DropsTheLoser,
    KeepsTheError,
    LastWriteWins,
    Locks,
)
from interleavings import Exploration, explore
from partial_order import Order
from places import (
    ACTIONS,
    OF_ATTRIBUTE,
    OF_CELL,
    OF_GLOBAL,
    OF_OVERRIDE,
    OF_VIEW,
    TOUCH_THRICE,
    TOUCH_TWICE,
    WITH_GIL,
    scenarios_of,
)
from scenarios import PerThreadModel, Place, Run, Scenario, combine, model_outcomes

FILES = (
    os.path.dirname(importlib.util.find_spec("gilonce").origin),
    *(module.__file__ for module in (support, places, broken_cells)),
    __file__,
)


def run(scenario: Scenario, gilonce: ModuleType, **options: Any) -> Exploration:
    """Explore a scenario."""
    assert gilonce.ProcessOnceCell
    # All cells of a process are entered for a fork; here nobody forks.
    options["unread"] = [*options.get("unread", ()), sys.modules["gilonce._per_process"]._cells]
    modules = [vars(module) for name, module in sys.modules.items() if name.startswith("gilonce.")]
    ours = [*modules, vars(places), *(it for module in modules for it in module.values())]

    def work(thread: int) -> Callable[[Run], None]:
        return lambda run: run.work(thread)

    workers = [work(thread) for thread in range(len(scenario.threads))]
    # What is done once in a process is done before.
    warm = Run(scenario, gilonce)
    for worker in workers:
        worker(warm)
    return explore(
        lambda: Run(scenario, gilonce),
        workers,
        Run.check,
        roots=lambda run: [*ours, *vars(run.place).values()],
        **{"files": FILES, **scenario.options, **options},
    )


def per_thread(scenario: Scenario) -> Scenario:
    return dataclasses.replace(scenario, begin=PerThreadModel, is_shared=False)


SCENARIOS = [
    *scenarios_of("cell", combine(OF_CELL, 2)),
    *scenarios_of("cell", combine(["touch", "fail", "set", "take"], 3)),
    *scenarios_of("cell", [(("touch", "take"), ("touch", "get")), (("set", "take", "set"), ("touch",))]),
    *scenarios_of("once_function", combine(["touch", "fail", "set", "take"], 2) + TOUCH_THRICE),
    *scenarios_of("once_method", combine(OF_VIEW, 2) + TOUCH_THRICE),
    *scenarios_of("once_class_method", combine(OF_VIEW, 2) + TOUCH_THRICE),
    *scenarios_of("property_in_dict", combine(OF_ATTRIBUTE, 2) + TOUCH_THRICE),
    *scenarios_of("property_in_slot", combine(["touch", "fail"], 2), **WITH_GIL),
    *scenarios_of("property_of_class", combine(["touch", "fail"], 2) + TOUCH_THRICE),
    *scenarios_of("property_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("method_override", TOUCH_TWICE, OF_OVERRIDE),
    *scenarios_of("cell_per_process", combine(OF_VIEW, 2) + TOUCH_THRICE),
    *scenarios_of("method_with_kept_cell", combine(OF_VIEW, 2)),
    *scenarios_of("class_with_kept_cell", combine(OF_VIEW, 2)),
    *scenarios_of("method_with_guard", combine(["touch", "get", "set", "take"], 2)[1:], **WITH_GIL),
    *scenarios_of("property_with_guard", combine(OF_ATTRIBUTE, 2), **WITH_GIL),
    # They meet nowhere: one interleaving is all there are.
    *map(per_thread, scenarios_of("cell_per_thread", combine(OF_VIEW, 2))),
    *scenarios_of("reified_global", combine(["touch", "fail", "write"], 2), OF_GLOBAL, **WITH_GIL),
]

#: These take minutes.
LONG = [
    *scenarios_of("method_with_guard", combine(OF_VIEW, 2)),
    *scenarios_of("property_with_guard", combine(OF_ATTRIBUTE, 2)),
    *scenarios_of("cell", combine(["touch", "fail", "get", "set", "take"], 3)),
    *scenarios_of("once_method", combine(OF_VIEW, 3)),
    *scenarios_of(
        "property_in_slot",
        [pair for pair in combine(OF_ATTRIBUTE, 2) if {("write",), ("delete",)} & {*pair}],
        **WITH_GIL,
    ),
    *scenarios_of("property_in_slot", TOUCH_TWICE),
    *scenarios_of("property_in_slot", TOUCH_THRICE, **WITH_GIL),
    *scenarios_of("class_without_values", TOUCH_TWICE),
    *scenarios_of("property_override", TOUCH_THRICE, OF_OVERRIDE),
    *scenarios_of("reified_global", TOUCH_TWICE, OF_GLOBAL),
    *scenarios_of("reified_global", TOUCH_THRICE, OF_GLOBAL, **WITH_GIL),
]


@pytest.fixture
def python() -> Iterator[ModuleType]:
    """The package in Python: of the native core, there is no bytecode to go through."""
    with activate("python") as package:
        yield package


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_interleaving_obeys_the_laws_and_gives_what_the_model_gives(
    python: ModuleType, scenario: Scenario
) -> None:
    """Laws 1, 3 and 4, and that no thread waits, in every interleaving; and what the model says comes of them."""
    exploration = run(scenario, python)
    print(f"{scenario.name}: {exploration.interleavings} interleavings")
    assert set(exploration.outcomes) == model_outcomes(scenario)


@pytest.mark.parametrize(
    ("broken", "actions", "fault"),
    [
        (ChecksThenSets, ("touch", "touch"), "law [14]"),
        (LastWriteWins, ("touch", "touch"), "law 1"),
        (ChecksOutsideTheClaim, ("touch", "touch"), "law 1"),
        (Locks, ("touch", "touch"), "waited"),
        (DropsTheLoser, ("touch", "touch"), "law 4"),
        (DiscardsTheWinner, ("touch", "touch"), "law 4"),
        (KeepsTheError, ("touch", "fail"), "law 3"),
    ],
)
def test_a_broken_cell_is_found_out(
    python: ModuleType, broken: type[Any], actions: tuple[str, ...], fault: str
) -> None:
    """An exploration that cannot fail shows nothing."""

    def build(_: Any, initializer: Any, discard: Any) -> Place:
        it = broken(discard)
        return Place(lambda: it.get_or_init(initializer), it.get)

    scenario = Scenario(broken.__name__, build, tuple((action,) for action in actions), ACTIONS)
    with pytest.raises(AssertionError, match=fault):
        run(scenario, python)


def _traces(threads: list[list[tuple[int, str]]], schedules: Iterator[tuple[int, ...]]) -> Counter[Any]:
    """Return how often each trace comes up: which of every two dependent steps is first."""
    traces: Counter[Any] = Counter()
    for schedule in schedules:
        steps: list[tuple[int, int]] = []
        for thread in schedule:
            steps.append((thread, sum(other == thread for other, _ in steps)))
        described = [(thread, number, *threads[thread][number]) for thread, number in steps]
        traces[
            frozenset(
                (one[:2], other[:2])
                for one, other in itertools.combinations(described, 2)
                if one[0] != other[0] and one[2] == other[2] and "write" in (one[3], other[3])
            )
        ] += 1
    return traces


def _chosen_schedules(threads: list[list[tuple[int, str]]]) -> Iterator[tuple[int, ...]]:
    order = Order(len(threads))
    is_more = True
    while is_more:
        execution, schedule = order.begin_execution(), []
        while execution.runnable_threads():
            thread = order.schedule(execution)
            order.report_access(execution, thread, *threads[thread][schedule.count(thread)])
            schedule.append(thread)
            if schedule.count(thread) == len(threads[thread]):
                execution.finish_thread(thread)
        if not order.is_redundant:
            yield tuple(schedule)
        is_more = order.next_execution()


@pytest.mark.parametrize("seed", range(10))
def test_every_trace_of_random_threads_is_run_once(seed: int) -> None:
    """No two dependent steps of different threads miss coming in either order; no order of them is run again."""
    chance = random.Random(seed)
    for _ in range(20):
        threads = [
            [(chance.randrange(2), chance.choice(["read", "write"])) for _ in range(chance.randint(1, 3))]
            for _ in range(chance.randint(2, 3))
        ]
        turns = [thread for thread, steps in enumerate(threads) for _ in steps]
        found = _traces(threads, _chosen_schedules(threads))
        assert found.keys() == _traces(threads, iter(set(itertools.permutations(turns)))).keys()
        assert set(found.values()) == {1}


@pytest.mark.parametrize("place", ["cell", "once_method"])
def test_the_order_is_decided_as_frontrun_decides_it(python: ModuleType, place: str) -> None:
    """What stands in for frontrun's engine misses no outcome that that finds, and runs no more."""
    (scenario,) = scenarios_of(place, TOUCH_TWICE)
    own = run(scenario, python)
    theirs = run(scenario, python, own_order=False)
    assert set(own.outcomes) == set(theirs.outcomes)
    assert own.interleavings <= theirs.interleavings


def test_an_exploration_that_is_cut_short_fails(python: ModuleType) -> None:
    """Only what was seen to its end shows anything."""
    (scenario,) = scenarios_of("cell", TOUCH_THRICE)
    with pytest.raises(AssertionError, match="not done after 5 interleavings"):
        run(scenario, python, limit=5)


def main(*rooms: tuple[list[Scenario], list[Scenario], Callable[..., Exploration]]) -> int:
    """Print the table, of everything or of some rooms (scenarios, long ones, what explores); return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="also what takes minutes")
    parser.add_argument("--only", default="", help="what the name of a scenario begins with")
    options = parser.parse_args()
    columns = "{:<50}{:>14}{:>10}{:>10}"
    print(columns.format("scenario", "interleavings", "outcomes", "seconds"))
    total, wrong = 0, 0
    with activate("python") as gilonce:
        import test_interleavings_waiting as waiting

        rooms = rooms or ((SCENARIOS, LONG, run), (waiting.SCENARIOS, waiting.LONG, waiting.explore_waiting))
        chosen = [
            (scenario, explore_it)
            for short, long, explore_it in rooms
            for scenario in [*short, *(long if options.all else [])]
        ]
        for scenario, explore_it in chosen:
            if not scenario.name.startswith(options.only):
                continue
            try:
                found = explore_it(scenario, gilonce, limit=1_000_000)
                outcomes = set(found.outcomes)
                is_wrong = outcomes != model_outcomes(scenario)
            except AssertionError as error:
                print(f"{scenario.name}: {error}")
                wrong += 1
                continue
            wrong += is_wrong
            total += found.interleavings
            mark = "  WRONG" if is_wrong else ""
            row = columns.format(scenario.name, found.interleavings, len(outcomes), f"{found.seconds:.1f}")
            print(row + mark, flush=True)
    print(f"{total} interleavings in all, {wrong} scenarios wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
