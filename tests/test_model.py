"""The model: every sequence of actions shows the same on both implementations as on a plain model of them."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from faults import FAULTS, broken
from hypothesis import Phase, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from kinds import KINDS, Kind
from plain_model import ModelWorld
from searching import packages, searching, take_time
from worlds import COPYING, ERRORS, VALUES, Plan, RealWorld, Step

#: What may befall a cell, and with which values.
ON_CELL: dict[str, list[str]] = {
    "get": VALUES,
    "take": VALUES,
    "set": VALUES,
    "is_set": ["None"],
    "get_or_init": ["None"],
    "aget_or_init": ["None"],
    "import_attr": ["Decimal", "there_is_none"],
    "misuse": ["None"],
    "repr of the cell": ["None"],
}


SAMPLED_VALUES = strategies.sampled_from(VALUES)
# Those with which most can go wrong come up more often.
ENDS = strategies.sampled_from([*VALUES, *ERRORS, "None", "None", "shared", "shared", "new"])


def plans_around(plans: Any) -> Any:
    """Return plans of initializers that do something to their own subject, `plans` being those of the ones in it."""
    to_initialize = strategies.sampled_from(["touch", "get_or_init"])
    others = strategies.sampled_from(["set", "take", "get", "is_set", "assign", "delete"])
    step = strategies.one_of(
        strategies.tuples(others, SAMPLED_VALUES, strategies.just(())),
        strategies.tuples(to_initialize, strategies.just("None"), strategies.tuples(plans)),
    ).map(lambda drawn: Step(*drawn))
    return strategies.tuples(strategies.lists(step, max_size=2).map(tuple), ENDS).map(lambda drawn: Plan(*drawn))


# An initializer within an initializer within an initializer is as deep as it goes.
PLAN = plans_around(plans_around(ENDS.map(lambda ends: Plan((), ends))))
#: More than one is for what has an initializer in its base class, too.
PLANS = strategies.lists(PLAN, max_size=2).map(tuple)
#: How many sequences of each kind.
EXAMPLES = 16
WHICH = strategies.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """Worlds of one kind, in all of which the same happens.

    Parameters:
        kind: of the subjects with which they begin.
        packages: by name, what is held against the model.
    """

    def __init__(self, kind: Kind, packages: dict[str, Any]) -> None:
        super().__init__()
        self.kind = kind
        self.packages = packages
        self.worlds: list[Any] = []

    @initialize(discards=strategies.sampled_from(["none", "keeps", "raises", "takes", "awaited"]))
    def begin(self, discards: str) -> None:
        self.worlds.append(ModelWorld(self.kind, discards))
        for name, package in self.packages.items():
            self.worlds.append(RealWorld(name, package, self.kind, discards))

    def happens(self, which: int, step: Step) -> None:
        """Let `step` happen in every world, and hold what is seen against the model."""
        model, *others = self.worlds
        expected, shown = model.step(which, step), model.seen()
        for world in others:
            assert world.step(which, step) == expected
            assert world.seen() == shown

    @rule(which=WHICH, plans=PLANS)
    def touch(self, which: int, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("touch", plans=plans))

    @precondition(lambda self: self.kind.cell)
    @rule(which=WHICH, data=strategies.data(), action=strategies.sampled_from(list(ON_CELL)), plans=PLANS)
    def ask_the_cell(self, which: int, data: Any, action: str, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step(action, data.draw(strategies.sampled_from(ON_CELL[action])), plans))

    @precondition(lambda self: self.kind.copies)
    @rule(which=WHICH, how=strategies.sampled_from(list(COPYING)), plans=PLANS)
    def copy(self, which: int, how: str, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("copy", how, plans))

    # (A copy of another cell than this one is a subject of its own kind only where that is the subject.)
    @precondition(lambda self: self.kind.cell not in ("", "it") and self.kind.keeper == "GILOnceCell")
    @rule(which=WHICH, how=strategies.sampled_from(list(COPYING)))
    def copy_the_cell(self, which: int, how: str) -> None:
        self.happens(which, Step("copy of the cell", how))

    @precondition(lambda self: self.kind.assigned)
    @rule(which=WHICH, value=strategies.sampled_from(VALUES))
    def assign(self, which: int, value: str) -> None:
        self.happens(which, Step("assign", value))

    @precondition(lambda self: self.kind.assigned)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        self.happens(which, Step("delete"))

    @precondition(lambda self: self.kind.copies == "value")
    @rule(which=WHICH, plans=PLANS)
    def show(self, which: int, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("repr", plans=plans))

    def teardown(self) -> None:
        for world in self.worlds:
            world.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_sequence_shows_the_same_as_on_the_model(kind: str) -> None:
    """Values, exceptions, texts, runs of initializers, discards, copies and `vars()` of owners are the model's."""
    take_time()
    machine = functools.partial(Machine, KINDS[kind], packages())
    run_state_machine_as_test(machine, settings=searching(EXAMPLES, stateful_step_count=15))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """The machine is no test that cannot fail: it finds each of these before it has tried two thousand sequences."""
    take_time()
    kind, _ = FAULTS[fault]
    machine = functools.partial(Machine, KINDS[kind], {"broken": broken(packages()["python"], fault)})
    quickly = searching(200, at_least=2000, stateful_step_count=10, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=quickly)
    assert caught.traceback[-1].name == "happens"
