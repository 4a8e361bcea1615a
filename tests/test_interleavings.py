"""Every interleaving of two and of three threads, over every operation: see `interleavings.py` for how.

Each scenario says what each thread does. What came of it must obey the laws in every interleaving; and the set of all
that came of it must be what a plain model of the cell gives, whose steps are atomic: no more, so the cell behaves as
if each of its steps happened at one moment, and no less, so the exploration has missed nothing.

`python tests/test_interleavings.py` prints a table: interleavings and outcomes of each scenario, and the time. With
`--all` it runs those too that take minutes.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import itertools
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import support
from support import activate, drive

if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
    pytest.skip("frontrun, which explores interleavings, has no build for this interpreter", allow_module_level=True)
if sys.version_info < (3, 12):
    # It misses the second of two racing `setdefault`s there, which the test of broken cells shows.
    pytest.skip("frontrun does not follow the stack of CPython 3.11 well enough", allow_module_level=True)
pytest.importorskip("frontrun", reason="frontrun, which explores interleavings, is not installed")

from interleavings import Exploration, explore
from partial_order import Order
from scenarios import Model, Place, Run, Scenario, Value, combine, model_outcomes

# The places. To add one, write a function as those of support.SURFACES.

PLACES: dict[str, Callable[[Any, Any, Any], Place]] = {}


def place(build: Callable[[Any, Any, Any], Place]) -> Callable[[Any, Any, Any], Place]:
    PLACES[build.__name__] = build
    return build


@place
def cell(gilonce: Any, initializer: Any, discard: Any) -> Place:
    it = gilonce.GILOnceCell(discard=discard)
    return Place(lambda: it.get_or_init(initializer), it.get, lambda: it)


@place
def once_function(gilonce: Any, initializer: Any, discard: Any) -> Place:
    it = gilonce.once(initializer, discard=discard)
    return Place(it, lambda: it.cell.get(), lambda: it.cell)


@place
def once_method(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer()

    it = Owner()
    return Place(lambda: it.method(), lambda: it.method.cell.get(), lambda: it.method.cell)


@place
def once_class_method(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    return Place(lambda: Owner.method(), lambda: Owner.method.cell.get(), lambda: Owner.method.cell)


@place
def class_without_values(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    # Where the decorator does not stand, the threads make the dict in which the values are kept.
    class Owner(Base):
        pass

    return Place(lambda: Owner.method(), lambda: Owner.method.cell.get(), lambda: Owner.method.cell)


@place
def property_in_dict(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    it = Owner()
    return _attribute_of(it, lambda: vars(it).get("attribute"))


@place
def property_in_slot(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        def attribute(self) -> Any:
            return initializer()

    # The slot is looked for once in a class.
    Owner().attribute = None
    it = Owner()
    return _attribute_of(it, lambda: getattr(it, "_attribute", None))


def _attribute_of(it: Any, look: Any) -> Place:
    def write(value: Any) -> None:
        it.attribute = value

    def delete() -> None:
        del it.attribute

    return Place(lambda: it.attribute, look, None, write, delete)


@place
def property_of_class(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    return Place(lambda: Owner.attribute, lambda: vars(Owner)["attribute"]._definition.cell_of(Owner).get())


@place
def property_override(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer(super().attribute)

    it = Derived()
    return _attribute_of(it, lambda: vars(it).get("attribute"))


@place
def method_override(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer(super().method())

    it = Derived()
    return Place(lambda: it.method(), lambda: it.method.cell.get(), lambda: it.method.cell)


@place
def reified_global(gilonce: Any, initializer: Any, discard: Any) -> Place:
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": initializer, "discard": discard}
    code = """
IT = lazy_global(make, discard=discard)
def touch():
    it = IT
    return getattr(it, "__wrapped__", it)
def write(value):
    global IT
    IT = value
"""
    exec(compile(code, f"{__file__} (a module)", "exec"), namespace)
    proxy = namespace["IT"]

    def look() -> Any:
        return None if namespace["IT"] is proxy else namespace["IT"]

    return Place(namespace["touch"], look, None, namespace["write"])


ACTIONS: dict[str, Callable[[Any, Value], Any]] = {
    "touch": lambda place, _: place.touch(),
    "fail": lambda place, _: place.touch(),
    "get": lambda place, _: place.cell().get(),
    "is_set": lambda place, _: place.cell().is_set(),
    "set": lambda place, value: place.cell().set(value),
    "take": lambda place, _: place.cell().take(),
    "aget_or_init": lambda place, _: drive(place.cell().aget_or_init(_in_coroutine(place.make))),
    "import_attr": lambda place, _: place.cell().import_attr("string", "digits"),
    "copy": lambda place, _: copy.copy(place.cell()).get(),
    "deepcopy": lambda place, _: copy.deepcopy(place.cell()).get(),
    "show": lambda place, _: repr(place.cell()).removeprefix("<GILOnceCell: ").removesuffix(">"),
    "write": lambda place, value: place.write(value),
    "delete": lambda place, _: place.delete(),
    "look": lambda place, _: place.look(),
    "cross_first": lambda place, _: place.across("first"),
    "cross_second": lambda place, _: place.across("second"),
}


def _in_coroutine(make: Any) -> Any:
    async def initializer() -> Any:
        return make()

    return initializer


FILES = (os.path.dirname(importlib.util.find_spec("gilonce").origin), support.__file__, __file__)


def run(scenario: Scenario, gilonce: ModuleType, **options: Any) -> Exploration:
    """Explore a scenario."""
    ours = [it for name, module in sys.modules.items() if name.startswith("gilonce.") for it in vars(module).values()]

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
        roots=lambda run: [*(it for it in ours if type(it) is dict), *vars(run.place).values()],
        **{"files": FILES, **scenario.options, **options},
    )


def _scenarios(
    place: str, threads: list[tuple[tuple[str, ...], ...]], model: Any = None, **options: Any
) -> list[Scenario]:
    build = PLACES[place]
    return [
        Scenario(f"{place}: {' | '.join(map(', '.join, chosen))}", build, chosen, ACTIONS, model or {}, options)
        for chosen in threads
    ]


OF_CELL = ["touch", "aget_or_init", "fail", "get", "is_set", "set", "take", "import_attr", "copy", "deepcopy", "show"]
OF_VIEW = ["touch", "fail", "get", "set", "take"]
OF_ATTRIBUTE = ["touch", "fail", "write", "delete"]
TOUCH_TWICE: Any = [(("touch",),) * 2]
TOUCH_THRICE: Any = [(("touch",),) * 3]
OF_OVERRIDE = {"touch": Model.touch_override}
OF_GLOBAL = {"touch": Model.touch_global, "fail": Model.fail_global, "write": Model.write_global}
#: The slot has no `setdefault`, a module no compare-and-swap. To write there while another thread publishes is safe
#: only where a check and the write after it are one step; see `SlotCell` and `_reify`.
WITH_GIL = {"every_bytecode": False}

SCENARIOS = [
    *_scenarios("cell", combine(OF_CELL, 2)),
    *_scenarios("cell", combine(["touch", "fail", "set", "take"], 3)),
    *_scenarios("cell", [(("touch", "take"), ("touch", "get")), (("set", "take", "set"), ("touch",))]),
    *_scenarios("once_function", combine(["touch", "fail", "set", "take"], 2) + TOUCH_THRICE),
    *_scenarios("once_method", combine(OF_VIEW, 2) + TOUCH_THRICE),
    *_scenarios("once_class_method", combine(OF_VIEW, 2) + TOUCH_THRICE),
    *_scenarios("property_in_dict", combine(OF_ATTRIBUTE, 2) + TOUCH_THRICE),
    *_scenarios("property_in_slot", combine(["touch", "fail"], 2), **WITH_GIL),
    *_scenarios("property_of_class", combine(["touch", "fail"], 2) + TOUCH_THRICE),
    *_scenarios("property_override", TOUCH_TWICE, OF_OVERRIDE),
    *_scenarios("method_override", TOUCH_TWICE, OF_OVERRIDE),
    *_scenarios("reified_global", combine(["touch", "fail", "write"], 2), OF_GLOBAL, **WITH_GIL),
]

#: These take minutes.
LONG = [
    *_scenarios("cell", combine(["touch", "fail", "get", "set", "take"], 3)),
    *_scenarios("once_method", combine(OF_VIEW, 3)),
    *_scenarios(
        "property_in_slot",
        [pair for pair in combine(OF_ATTRIBUTE, 2) if {("write",), ("delete",)} & {*pair}],
        **WITH_GIL,
    ),
    *_scenarios("property_in_slot", TOUCH_TWICE),
    *_scenarios("property_in_slot", TOUCH_THRICE, **WITH_GIL),
    *_scenarios("class_without_values", TOUCH_TWICE),
    *_scenarios("property_override", TOUCH_THRICE, OF_OVERRIDE),
    *_scenarios("reified_global", TOUCH_TWICE, OF_GLOBAL),
    *_scenarios("reified_global", TOUCH_THRICE, OF_GLOBAL, **WITH_GIL),
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


# Cells that are wrong, each in one way. They are found out by the same exploration.


class Broken:
    """What the broken cells have in common: a dict in a slot, as a cell has."""

    __slots__ = ("_claims", "_discard", "_lock", "_values")

    def __init__(self, discard: Any) -> None:
        self._values: dict[str, Any] = {}
        self._claims: dict[str, Any] = {}
        self._discard = discard
        self._lock = threading.Lock()

    def get(self) -> Any:
        return self._values.get("value")


class ChecksThenSets(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if "value" not in self._values:
            self._values["value"] = initializer()
        return self._values["value"]


class LastWriteWins(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        value = self._values.get("value")
        if value is None:
            value = self._values["value"] = initializer()
        return value


class ChecksOutsideTheClaim(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        value = self.get()
        if value is not None:
            return value
        value = initializer()
        if self.get() is None:
            claimed = self._claims.setdefault("value", value)
            self._values["value"] = claimed
            self._claims.pop("value", None)
        published = self.get()
        if published is not value:
            self._discard(value)
        return published


class Locks(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        with self._lock:
            if self.get() is None:
                self._values["value"] = initializer()
        return self.get()


class DropsTheLoser(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        return self.get() or self._values.setdefault("value", initializer())


class DiscardsTheWinner(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if self.get() is not None:
            return self.get()
        value = initializer()
        if self._values.setdefault("value", value) is value:
            return value
        self._discard(self.get())
        return self.get()


class KeepsTheError(Broken):
    def get_or_init(self, initializer: Any) -> Any:
        if self.get() is None:
            try:
                value = initializer()
            except Exception as error:
                value = error
            if self._values.setdefault("value", value) is not value:
                self._discard(value)
        if isinstance(self.get(), Exception):
            raise self.get()
        return self.get()


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
    (scenario,) = _scenarios(place, TOUCH_TWICE)
    own = run(scenario, python)
    theirs = run(scenario, python, own_order=False)
    assert set(own.outcomes) == set(theirs.outcomes)
    assert own.interleavings <= theirs.interleavings


def test_an_exploration_that_is_cut_short_fails(python: ModuleType) -> None:
    """Only what was seen to its end shows anything."""
    (scenario,) = _scenarios("cell", TOUCH_THRICE)
    with pytest.raises(AssertionError, match="not done after 5 interleavings"):
        run(scenario, python, limit=5)


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="also what takes minutes")
    parser.add_argument("--only", default="", help="what the name of a scenario begins with")
    options = parser.parse_args()
    columns = "{:<50}{:>14}{:>10}{:>10}"
    print(columns.format("scenario", "interleavings", "outcomes", "seconds"))
    total, wrong = 0, 0
    with activate("python") as gilonce:
        import test_interleavings_waiting as waiting

        chosen = [(scenario, run) for scenario in [*SCENARIOS, *(LONG if options.all else [])]]
        more = [*waiting.SCENARIOS, *(waiting.LONG if options.all else [])]
        for scenario, explore_it in [*chosen, *((scenario, waiting.explore_waiting) for scenario in more)]:
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
