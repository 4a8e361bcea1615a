"""Scenarios of interleavings: what threads do to one place, what they must see, and a model of both.

Nothing here is run bytecode by bytecode: what a thread records is no step of it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

#: What ends a run from outside, and is no outcome of it.
ABORTS: list[type[BaseException]] = []


class Value:
    """What initializers make, and what is set. The label says in which thread, and by which of its actions."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __repr__(self) -> str:
        return self.label


class InitializerError(Exception):
    """What an initializer raises that is to fail."""


@dataclass
class Place:
    """What the threads of a scenario share: a cell, or an attribute, method or global with one behind it."""

    #: What a user would do to get the value.
    touch: Callable[[], Any]
    #: Returns the value if there is one, else None, and does nothing.
    look: Callable[[], Any]
    #: The cell; a view of it, where it has another owner.
    cell: Callable[[], Any] | None = None
    #: What else a user can do: to assign, to delete.
    write: Callable[[Any], None] | None = None
    delete: Callable[[], None] | None = None
    #: The initializer.
    make: Callable[[], Any] | None = None
    #: Gets the value of the first or second of two cells that need each other.
    across: Callable[[str], Any] | None = None


@dataclass(frozen=True)
class Scenario:
    """What each thread does to one place."""

    name: str
    #: Given the package, an initializer and a discard, makes the place.
    build: Callable[[Any, Callable[..., Any], Any], Place]
    #: The names of the actions of each thread.
    threads: tuple[tuple[str, ...], ...]
    #: What each action is, of the place and a value of this action's own. It is run bytecode by bytecode.
    actions: Mapping[str, Callable[[Place, Value], Any]]
    #: The model's actions, where they differ from the cell's.
    model: Mapping[str, Callable[[Model, str], Iterator[None]]] = field(default_factory=dict)
    #: As for `explore`.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: What makes the model, where that is another than `Model`.
    begin: Callable[[], Model] | None = None
    #: Whether the threads share one value.
    is_shared: bool = True


class Run:
    """One run of a scenario: the place that the threads share, and what they saw of it."""

    def __init__(self, scenario: Scenario, gilonce: ModuleType) -> None:
        self.made: list[str] = []
        self.discarded: list[str] = []
        self.outcomes: list[list[str]] = [[] for _ in scenario.threads]
        self._actions = scenario.actions
        self._threads = scenario.threads
        self._is_shared = scenario.is_shared
        self._now: dict[int, tuple[str, str]] = {}
        self.place = scenario.build(gilonce, self._initialize, self._discard)
        self.place.make = self._initialize

    def _initialize(self, made_of: Value | str = "") -> Value:
        """Make a value of its own for each action; or, for that, one of the attribute that it overrides."""
        label, action = self._now[threading.get_ident()]
        if action == "fail":
            raise InitializerError
        label = f"base {label}" if made_of == "base" else f"{label}({made_of})" if made_of else label
        self.made.append(label)
        return Value(label)

    def _discard(self, value: Value) -> None:
        self.discarded.append(repr(value))

    def _act(self, action: str, label: str) -> str:
        self._now[threading.get_ident()] = label, action
        try:
            return repr(self._actions[action](self.place, Value(label)))
        except tuple(ABORTS):
            raise
        except Exception as error:
            return type(error).__name__

    def work(self, thread: int) -> None:
        """Do what that thread is to do."""
        for number, action in enumerate(self._threads[thread]):
            self.outcomes[thread].append(self._act(action, f"{thread}.{number}"))

    def check(self) -> Outcome:
        """Return what came of the run; raise AssertionError if that is against the laws."""
        outcome = Outcome(tuple(map(tuple, self.outcomes)), self._act("look", "end"), tuple(sorted(self.discarded)))
        if self._is_shared:
            self._check_one_value(outcome)
        self._check_failures(outcome)
        self._check_discards()
        return outcome

    def _flat(self) -> Iterator[tuple[str, str, str]]:
        for thread, actions in enumerate(self._threads):
            for number, action in enumerate(actions):
                yield f"{thread}.{number}", action, self.outcomes[thread][number]

    def _check_one_value(self, outcome: Outcome) -> None:
        """Law 1: between two `take()`s there is one value, which all who get one get."""
        emptying = [got for _, action, got in self._flat() if action in ("take", "delete", "write")]
        if not emptying:
            got = {got for _, action, got in self._flat() if action in GIVING and not got.endswith(("None", "Error"))}
            assert len(got) <= 1, f"law 1: {got} were given"
            assert got <= {outcome.left}, f"law 1: {got} was given, and {outcome.left} is kept"
        taken = Counter(got for _, action, got in self._flat() if action == "take" and got != "None")
        assert all(times == 1 for times in taken.values()), f"law 1: {taken} were taken"
        assert outcome.left not in taken, f"law 1: {outcome.left} was taken, and is kept"

    def _check_failures(self, outcome: Outcome) -> None:
        """Law 3: an error is for the caller whose initializer raised it, and the next tries again."""
        for label, action, got in self._flat():
            assert (got != "InitializerError") or action == "fail", f"law 3: {action} in {label} raised {got}"
            assert got in EXPECTED_ERRORS or not got.endswith("Error"), f"{action} in {label} raised {got}"
        after = self._act("touch", "after")
        assert after == outcome.left or (outcome.left == "None" and after.startswith("after")), (
            f"law 3: left with {after}"
        )

    def _check_discards(self) -> None:
        """Law 4: what an initializer made was given to its caller, or discarded, once."""
        given = {label: got for label, _, got in self._flat()}
        times = Counter(self.discarded)
        for label in self.made:
            maker = label.partition("(")[0]
            # (One made for an override by its base is given to nobody. The model knows of those.)
            if maker in given:
                assert times[label] == (given[maker] != label), f"law 4: {label} was discarded {times[label]} times"
        assert times.keys() <= {*self.made, IMPORTED}, f"law 4: {times} were discarded, {self.made} made"


@dataclass(frozen=True, order=True)
class Outcome:
    """What came of a run: what each thread's actions gave, what is left, and what was discarded."""

    threads: tuple[tuple[str, ...], ...]
    left: str
    discarded: tuple[str, ...]


#: The actions that give the value, or None, or an error.
GIVING = {"touch", "get", "fail", "aget_or_init", "copy", "deepcopy", "import_attr"}
EXPECTED_ERRORS = {"InitializerError", "AlreadySetError", "AttributeError", "DeadlockError"}


class Model:
    """A place of which every step is atomic: what a cell must look like from outside.

    An action is a generator, which yields before each step and leaves in `got` what it gave. What it yields is
    None, or tells by a call whether the step can be taken.
    """

    def __init__(self) -> None:
        self.value: str | None = None
        self.base: str | None = None
        #: What a lazy global's name stands for, once that is not the proxy.
        self.name: str | None = None
        self.discarded: list[str] = []
        self.got: str = ""

    def publish(self, value: str) -> str:
        if self.value is None:
            self.value = value
        elif self.value != value:
            self.discarded.append(value)
        return self.value

    def touch(self, label: str) -> Iterator[None]:
        yield
        if self.value is None:
            yield
            self.publish(label)
        assert self.value is not None
        self.got = self.value

    aget_or_init = touch

    def touch_override(self, label: str) -> Iterator[None]:
        """Touch what is made of its base's value."""
        yield
        if self.value is not None:
            self.got = self.value
            return
        yield
        base = self.base
        if base is None:
            yield
            if self.base is None:
                self.base = f"base {label}"
            else:
                self.discarded.append(f"base {label}")
            base = self.base
        yield
        self.got = self.publish(f"{label}({base})")

    def touch_global(self, label: str) -> Iterator[None]:
        """Touch what a module's name stands for; put that in its place if it is the proxy still."""
        yield
        if self.name is not None:
            self.got = self.name
            return
        yield from self.touch(label)
        value = self.got
        yield
        self.name = self.name or value
        self.got = value

    def fail_global(self, _: str) -> Iterator[None]:
        yield
        if self.name is not None:
            self.got = self.name
            return
        yield from self.fail("")
        value = self.got
        if self.value is not None:
            yield
            self.name = self.name or value
        self.got = value

    def write_global(self, label: str) -> Iterator[None]:
        yield
        self.name = label
        self.got = "None"

    def import_attr(self, _: str) -> Iterator[None]:
        yield
        if self.value is None:
            yield
            self.publish(IMPORTED)
        assert self.value is not None
        self.got = self.value

    def fail(self, _: str) -> Iterator[None]:
        yield
        self.got = "InitializerError" if self.value is None else self.value

    def get(self, _: str) -> Iterator[None]:
        yield
        self.got = str(self.value)

    copy = deepcopy = get

    def is_set(self, _: str) -> Iterator[None]:
        yield
        self.got = str(self.value is not None)

    def show(self, _: str) -> Iterator[None]:
        yield
        self.got = "'empty'" if self.value is None else repr(self.value)

    def set(self, label: str) -> Iterator[None]:
        yield
        self.got = "None" if self.value is None else "AlreadySetError"
        self.value = self.value or label

    def write(self, label: str) -> Iterator[None]:
        yield
        self.value = label
        self.got = "None"

    def take(self, _: str) -> Iterator[None]:
        yield
        self.got = str(self.value)
        self.value = None

    def delete(self, _: str) -> Iterator[None]:
        yield
        self.got = "AttributeError" if self.value is None else "None"
        self.value = None


class PerThreadModel(Model):
    """A place with a value per thread, where threads do not meet."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}

    def _alone(self, action: str, label: str) -> Iterator[None]:
        yield
        thread = label.partition(".")[0]
        self.value = self.values.pop(thread, None)
        for _ in getattr(Model, action)(self, label):
            pass
        if self.value is not None:
            self.values[thread] = self.value
        self.value = None

    def touch(self, label: str) -> Iterator[None]:
        return self._alone("touch", label)

    def fail(self, label: str) -> Iterator[None]:
        return self._alone("fail", label)

    def get(self, label: str) -> Iterator[None]:
        return self._alone("get", label)

    def set(self, label: str) -> Iterator[None]:
        return self._alone("set", label)

    def take(self, label: str) -> Iterator[None]:
        return self._alone("take", label)


#: What `import_attr` imports: an object that all share, as its `repr`.
IMPORTED = repr("0123456789")


def model_outcomes(scenario: Scenario) -> set[Outcome]:
    """Return all that may come of a scenario: that of every order of the model's steps."""
    outcomes = set()
    schedules: list[tuple[int, ...]] = [()]
    seen = set()
    while schedules:
        schedule = schedules.pop()
        model = (scenario.begin or Model)()
        results: list[list[str]] = [[] for _ in scenario.threads]

        def run(thread: int, model: Model = model, results: list[list[str]] = results) -> Iterator[None]:
            for number, action in enumerate(scenario.threads[thread]):
                perform = scenario.model.get(action) or getattr(type(model), action)
                yield from perform(model, f"{thread}.{number}")
                results[thread].append(model.got)

        threads = {thread: run(thread) for thread in range(len(scenario.threads))}
        conditions = {thread: next(generator) for thread, generator in threads.items()}
        for thread in schedule:
            conditions[thread] = next(threads[thread], "done")
            if conditions[thread] == "done":
                del threads[thread]
        state = repr((vars(model), results, {thread: _position(it) for thread, it in threads.items()}))
        if state in seen:
            continue
        seen.add(state)
        can_go_on = [thread for thread in threads if conditions[thread] is None or conditions[thread]()]
        assert can_go_on or not threads, f"the model is stuck after {schedule}"
        schedules += [(*schedule, thread) for thread in can_go_on]
        if not threads:
            left = str(model.name or model.value)
            outcomes.add(Outcome(tuple(map(tuple, results)), left, tuple(sorted(model.discarded))))
    return outcomes


def _position(generator: Any) -> list[Any]:
    """Return where a generator is, and what it knows there that is not the same in every run."""
    position = []
    while generator is not None:
        known = {
            name: value
            for name, value in generator.gi_frame.f_locals.items()
            if isinstance(value, (str, int, tuple, Exception)) or (name != "results" and type(value) is list)
        }
        position.append((generator.gi_frame.f_lasti, known))
        generator = generator.gi_yieldfrom
    return position


def combine(actions: Sequence[str], threads: int) -> list[tuple[tuple[str, ...], ...]]:
    """Return every choice of one action for each thread, up to the order of the threads."""
    from itertools import combinations_with_replacement

    return [tuple((action,) for action in chosen) for chosen in combinations_with_replacement(actions, threads)]
