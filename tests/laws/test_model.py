"""Every sequence of actions shows the same on both implementations as on a plain model of them.

What no model says simply, of instances and classes that change in the middle, one implementation shows for the other.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support import activate, run_threads
from support.model.faults import FAULTS, broken
from support.model.plain import ModelRun
from support.model.runs import CHANGES, COPYING, ERRORS, VALUES, ChangingRun, PackageRun, Plan, Step
from support.model.usages import USAGES, Usage
from support.searching import packages, searching, take_time

#: The actions on a cell, and the values that each takes.
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
# Values with which most can go wrong are drawn more often.
ENDS = strategies.sampled_from([*VALUES, *ERRORS, "None", "None", "shared", "shared", "new"])


def plans_around(plans: Any, more: tuple[str, ...] = ()) -> Any:
    """Return plans of initializers that act on their own subject; `plans` are those of initializers inside them."""
    to_initialize = strategies.sampled_from(["touch", "get_or_init"])
    others = strategies.sampled_from(["set", "take", "get", "is_set", "assign", "delete", *more])
    step = strategies.one_of(
        strategies.tuples(others, SAMPLED_VALUES, strategies.just(())),
        strategies.tuples(to_initialize, strategies.just("None"), strategies.tuples(plans)),
    ).map(lambda drawn: Step(*drawn))
    return strategies.tuples(strategies.lists(step, max_size=2).map(tuple), ENDS).map(lambda drawn: Plan(*drawn))


# Initializers are nested three deep at most.
PLAN = plans_around(plans_around(ENDS.map(lambda ends: Plan((), ends))))
#: More than one is for a subject whose base class also has an initializer.
PLANS = strategies.lists(PLAN, max_size=2).map(tuple)
#: The same, of initializers that change their instance or its class.
CHANGING_PLANS = strategies.lists(
    plans_around(plans_around(ENDS.map(lambda ends: Plan((), ends)), (*CHANGES,)), (*CHANGES, *CHANGES)), max_size=2
).map(tuple)
#: What happens inside an override or an isolation.
STEPS_INSIDE = strategies.lists(
    strategies.builds(Step, strategies.sampled_from(["touch", "touch", "take", "get", "set"]), SAMPLED_VALUES),
    max_size=3,
).map(tuple)
#: The number of sequences for each usage.
EXAMPLES = 16
WHICH = strategies.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """Runs of one usage, which all perform the same actions.

    Parameters:
        usage: the usage of the subjects with which they begin.
        packages: the implementations to compare with the model, by name.
    """

    def __init__(self, usage: Usage, packages: dict[str, Any]) -> None:
        super().__init__()
        self.usage = usage
        self.packages = packages
        self.runs: list[Any] = []

    @initialize(discards=strategies.sampled_from(["none", "keeps", "raises", "takes", "awaited"]))
    def begin(self, discards: str) -> None:
        self.runs.append(ModelRun(self.usage, discards))
        for name, package in self.packages.items():
            self.runs.append(PackageRun(name, package, self.usage, discards))

    def happens(self, which: int, step: Step) -> None:
        """Perform `step` in every run, and compare what is seen with the model."""
        model, *others = self.runs
        expected, shown = model.step(which, step), model.seen()
        for run in others:
            assert run.step(which, step) == expected
            assert run.seen() == shown

    @rule(which=WHICH, plans=PLANS)
    def touch(self, which: int, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("touch", plans=plans))

    @precondition(lambda self: self.usage.cell)
    @rule(which=WHICH, data=strategies.data(), action=strategies.sampled_from(list(ON_CELL)), plans=PLANS)
    def ask_the_cell(self, which: int, data: Any, action: str, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step(action, data.draw(strategies.sampled_from(ON_CELL[action])), plans))

    @precondition(lambda self: self.usage.can_be_overridden)
    @rule(which=WHICH, value=SAMPLED_VALUES, steps=STEPS_INSIDE, plans=PLANS)
    def override(self, which: int, value: str, steps: tuple[Step, ...], plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("override", value, (Plan(steps), *plans)))

    @precondition(lambda self: self.usage.is_isolated)
    @rule(which=WHICH, steps=STEPS_INSIDE, plans=PLANS)
    def isolate(self, which: int, steps: tuple[Step, ...], plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("isolated", plans=(Plan(steps), *plans)))

    @precondition(lambda self: self.usage.copies)
    @rule(which=WHICH, how=strategies.sampled_from(list(COPYING)), plans=PLANS)
    def copy(self, which: int, how: str, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("copy", how, plans))

    # (The copy is a subject of the usage "cell", so it must be a plain cell that is not the subject itself.)
    @precondition(lambda self: self.usage.cell not in ("", "it") and self.usage.keeper == "GILOnceCell")
    @rule(which=WHICH, how=strategies.sampled_from(list(COPYING)))
    def copy_the_cell(self, which: int, how: str) -> None:
        self.happens(which, Step("copy of the cell", how))

    @precondition(lambda self: self.usage.assigned)
    @rule(which=WHICH, value=strategies.sampled_from(VALUES))
    def assign(self, which: int, value: str) -> None:
        self.happens(which, Step("assign", value))

    @precondition(lambda self: self.usage.assigned)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        self.happens(which, Step("delete"))

    @precondition(lambda self: self.usage.copies == "value")
    @rule(which=WHICH, plans=PLANS)
    def show(self, which: int, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("repr", plans=plans))

    def teardown(self) -> None:
        for run in self.runs:
            run.close()


@pytest.mark.slow
@pytest.mark.parametrize("usage", USAGES)
def test_every_sequence_shows_the_same_as_on_the_model(usage: str) -> None:
    """Values, exceptions, texts, runs of initializers, discards, copies and `vars()` of owners are as in the model."""
    take_time()
    machine = functools.partial(Machine, USAGES[usage], packages())
    run_state_machine_as_test(machine, settings=searching(EXAMPLES, stateful_step_count=15))


class ChangingMachine(Machine):
    """Worlds of the implementations, in all of which the same happens: the first is held against the others."""

    @initialize(discards=strategies.sampled_from(["none", "keeps", "raises", "takes"]))
    def begin(self, discards: str) -> None:
        for name, package in self.packages.items():
            self.runs.append(ChangingRun(name, package, self.usage, discards))

    @rule(which=WHICH, plans=CHANGING_PLANS)
    def touch(self, which: int, plans: tuple[Plan, ...]) -> None:
        self.happens(which, Step("touch", plans=plans))

    @rule(which=WHICH, change=strategies.sampled_from(CHANGES))
    def change(self, which: int, change: str) -> None:
        self.happens(which, Step(change))


#: Those whose values are kept in an instance.
CHANGING = [
    *("once method", "once async method", "once method through super()", "property", "property through super()"),
    *("once method in a slot", "once async method in a slot"),
    *("property in a slot", "async property", "async property in a slot"),
    *[
        pytest.param(f"{cell}, {place}", marks=pytest.mark.slow)
        for cell in ("lock", "own cell")
        for place in ("once method", "once method in a slot", "property", "property in a slot")
    ],
]


@pytest.mark.parametrize("usage", CHANGING)
def test_every_sequence_of_changes_shows_the_same_on_both_implementations(usage: str) -> None:
    """A name is decided before the initializer runs, and the dict or slot is looked up after it: everywhere."""
    take_time()
    machine = functools.partial(ChangingMachine, USAGES[usage], packages())
    run_state_machine_as_test(machine, settings=searching(EXAMPLES, stateful_step_count=15))


class ForeignKey:
    """A key of an instance's dict that is not a string, but has the hash of one.

    Parameters:
        name: the string.
        acts: what it does when it is compared: one thing at each comparison.
    """

    def __init__(self, name: str, acts: list[Callable[[], object]]) -> None:
        self.hash = hash(name)
        self.acts = iter(acts)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        for act in self.acts:
            act()
            break
        return False


def read_beside_a_foreign_key(package: Any, surface: str, acts: list[str]) -> list[object]:
    """Return all values that were read."""
    seen: list[object] = []

    class Owner:
        attribute = package.once_property(lambda _self: object())
        method = package.once(lambda _self: object())
        locked = package.once(cell=package.OnceLock)(lambda _self: object())

    owner = Owner()

    def read() -> None:
        found = getattr(owner, surface)
        seen.append(found if surface == "attribute" else found())

    def read_in_a_thread() -> None:
        assert run_threads(read) == [None]

    def replace() -> None:
        Owner.attribute.func = lambda _self: object()

    def grow() -> None:
        vars(owner).update(dict.fromkeys(map(str, range(len(vars(owner)) * 5))))

    doing: dict[str, Callable[[], object]] = {
        "nothing": bool,
        "read": read,
        "read in a thread": read_in_a_thread,
        "replace": replace,
        "grow": grow,
        "collect": functools.partial(gc.collect, 0),
    }
    key = "attribute" if surface == "attribute" else vars(Owner)[surface]._definition.key
    vars(owner)[ForeignKey(key, [doing[act] for act in acts])] = 1
    for _ in range(3):
        try:
            read()
        except package.DeadlockError:
            assert surface == "locked"
    return seen


ACTS = ["nothing", "read", "replace", "grow", "collect"]


@pytest.mark.parametrize("surface", ["attribute", "method", "locked"])
def test_whatever_a_foreign_key_does_all_readers_have_one_value(surface: str) -> None:
    """While it is compared with a name, that is in the middle of a lookup, anything may happen."""
    take_time()
    # (A thread that reads would wait for the initializer of an `OnceLock`, and that for the thread.)
    acts_of_surface = ACTS if surface == "locked" else [*ACTS, "read in a thread"]

    @searching(4 * EXAMPLES)
    @given(strategies.lists(strategies.sampled_from(acts_of_surface), max_size=12))
    def search(acts: list[str]) -> None:
        for package in packages().values():
            with activate(package.__implementation__):
                seen = read_beside_a_foreign_key(package, surface, acts)
            assert {id(value) for value in seen} == {id(seen[0])}
            assert type(seen[0]) is object

    search()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """The machine can fail: it finds each of these faults within two thousand sequences."""
    take_time()
    usage, _ = FAULTS[fault]
    machine = functools.partial(Machine, USAGES[usage], {"broken": broken(packages()["python"], fault)})
    quickly = searching(200, at_least=2000, stateful_step_count=10, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=quickly)
    assert caught.traceback[-1].name == "happens"
