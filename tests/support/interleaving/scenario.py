"""Scenarios of interleavings: what threads do to one shared value, what they must see, and a model of the value.

This module does not run bytecode by bytecode. So recording what a thread does adds no steps to the exploration.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from support.surfaces import Access

#: Exceptions that end a run from outside. They are not outcomes.
ABORTS: list[type[BaseException]] = []


class Value:
    """A value that an initializer makes, or that a thread sets. Its label names the thread and the action."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __repr__(self) -> str:
        return self.label


class InitializerError(Exception):
    """Raised by an initializer that must fail."""


@dataclass(frozen=True)
class Scenario:
    """What each thread does to one value that they share."""

    name: str
    #: Builds the surface, as the functions in `support/surfaces.py` do.
    build: Callable[[Any, Callable[..., Any], Any], Access]
    #: The names of the actions of each thread.
    threads: tuple[tuple[str, ...], ...]
    #: What each action does, given the access and a value of its own. It runs bytecode by bytecode.
    actions: Mapping[str, Callable[[Access, Value], Any]]
    #: The model's actions, where they differ from the cell's.
    model: Mapping[str, Callable[[Model, str], Iterator[None]]] = field(default_factory=dict)
    #: As for `explore`.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Makes the model; None is for `Model`.
    begin: Callable[[], Model] | None = None
    #: Whether the threads share one value.
    is_shared: bool = True
    #: Whether the surface was given a `discard`.
    has_discard: bool = True


@contextlib.contextmanager
def few_modules() -> Iterator[None]:
    """Let the search for a lazy global's names see three modules.

    They do as well as a thousand, each of which would have its bytecodes.
    """
    reification = importlib.import_module("gilonce._surfaces.reification")
    three = {name: sys.modules[name] for name in ("sys", "types", "threading")}
    seen = SimpleNamespace(modules=three, maxsize=sys.maxsize, getrefcount=getattr(sys, "getrefcount", None))
    with mock.patch.object(reification, "sys", seen):
        yield


class Run:
    """One run of a scenario: the access that the threads share, and what they saw."""

    def __init__(self, scenario: Scenario, gilonce: ModuleType) -> None:
        self.made: list[str] = []
        self.discarded: list[str] = []
        self.outcomes: list[list[str]] = [[] for _ in scenario.threads]
        self._actions = scenario.actions
        self._threads = scenario.threads
        self._is_shared = scenario.is_shared
        self._has_discard = scenario.has_discard
        self._now: dict[int, tuple[str, str]] = {}
        self.access = scenario.build(gilonce, self._initialize, self._discard)
        self.access.initializer = self._initialize

    def _initialize(self, made_of: Value | str = "") -> Value:
        """Make a value for the current action, or the value of the attribute that it overrides."""
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
            return repr(self._actions[action](self.access, Value(label)))
        except tuple(ABORTS):
            raise
        except Exception as error:
            return type(error).__name__

    def work(self, thread: int) -> None:
        """Do what that thread is to do."""
        for number, action in enumerate(self._threads[thread]):
            self.outcomes[thread].append(self._act(action, f"{thread}.{number}"))

    def check(self) -> Outcome:
        """Return the outcome of the run; raise AssertionError if it breaks a law."""
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
        emptying = [got for _, action, got in self._flat() if action in EMPTYING]
        if not emptying:
            got = {got for _, action, got in self._flat() if action in GIVING and not got.endswith(("None", "Error"))}
            assert len(got) <= 1, f"law 1: {got} were given"
            assert got <= {outcome.left}, f"law 1: {got} was given, and {outcome.left} is kept"
        taken = Counter(got for _, action, got in self._flat() if action in ("take", "take_all") and got != "None")
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
        if any("isolated" in actions for actions in self._threads):
            # What was made in an isolation was given to its caller, and is discarded afterwards. The model checks when.
            assert all(number == 1 for number in times.values()), f"law 4: {times} were discarded"
            return
        for label in self.made:
            maker = label.partition("(")[0]
            # (A value made by the base of an override is handed to no caller. The model checks those.)
            is_dropped = not self._has_discard and given.get(maker, "").startswith("fake")
            if maker in given and not is_dropped:
                assert times[label] == (given[maker] != label), f"law 4: {label} was discarded {times[label]} times"
        assert times.keys() <= {*self.made, IMPORTED}, f"law 4: {times} were discarded, {self.made} made"


@dataclass(frozen=True, order=True)
class Outcome:
    """The outcome of a run: what each thread's actions returned, what is left, and what was discarded."""

    threads: tuple[tuple[str, ...], ...]
    left: str
    discarded: tuple[str, ...]


#: The actions that give the value, or None, or an error.
GIVING = {"touch", "get", "fail", "aget_or_init", "copy", "deepcopy", "import_attr"}
#: The actions after which there may be another value.
EMPTYING = {"take", "take_all", "delete", "write", "override", "leave_override", "isolated"}
EXPECTED_ERRORS = {"InitializerError", "AlreadySetError", "AttributeError", "DeadlockError"}


class Model:
    """A value whose steps are all atomic: how a cell must look from outside.

    An action is a generator that yields before each step and stores its result in `got`. It yields None, or a function
    that returns whether the next step can be taken.
    """

    def __init__(self) -> None:
        self.value: str | None = None
        self.base: str | None = None
        #: What a lazy global's name is bound to, once it is not the proxy.
        self.name: str | None = None
        #: What gilonce has bound it to; None is the proxy.
        self.bound: str | None = "nothing"
        self.discarded: list[str] = []
        #: The overrides, each with what it found.
        self.layers: list[list[str | None]] = []
        self.got: str = ""

    def left(self) -> str:
        """Return what is left at the end."""
        return str(self.name or self.value)

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
        """Touch a value that is made of its base's value."""
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
        """Touch what a module's name is bound to; rebind the name to the value if it is still the proxy."""
        yield
        if self.name is not None:
            self.got = self.name
            return
        yield from self.touch(label)
        value = self.got
        yield
        is_replaced = self.name is None
        self.name = self.name or value
        yield
        if is_replaced:
            self.bound = value
        yield
        if self.value != value:
            yield from self._follow()
        self.got = value

    def _follow(self) -> Iterator[None]:
        """Bind the name to what the cell holds, unless it has been bound to something else."""
        while True:
            yield
            value = self.value
            if self.name == self.bound:
                self.name = self.bound = value
            yield
            if self.value == value:
                return

    def override_global(self, label: str) -> Iterator[None]:
        """Put a value over the one that is there and then change the name, look, and restore both."""
        yield
        self._enter_layer(f"fake {label}")
        yield from self._follow()
        yield
        seen = str(self.value)
        yield
        self._leave_layer(f"fake {label}")
        yield from self._follow()
        self.got = seen

    def isolated_global(self, _: str) -> Iterator[None]:
        """Hide the value and then the name, look at the name, and restore both."""
        yield
        found, self.value = self.value, None
        yield from self._follow()
        yield
        seen = str(self.name)
        yield
        if self.value is not None:
            self.discarded.append(self.value)
        self.value = found
        yield from self._follow()
        self.got = seen

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

    def override(self, label: str) -> Iterator[None]:
        """Put a value over the one that is there, look, and leave."""
        yield
        self._enter_layer(f"fake {label}")
        yield
        seen = str(self.value)
        yield
        self._leave_layer(f"fake {label}")
        self.got = seen

    def leave_override(self, _: str) -> Iterator[None]:
        yield
        self._leave_layer("fake before")
        self.got = "None"

    def _enter_layer(self, fake: str) -> None:
        self.layers.append([fake, self.value])
        self._replace(fake)

    def _leave_layer(self, fake: str) -> None:
        index = [layer[0] for layer in self.layers].index(fake)
        _, found = self.layers.pop(index)
        if index < len(self.layers):
            replaced, self.layers[index][1] = self.layers[index][1], found
        else:
            replaced = self.value
            self._replace(found)
        if replaced not in (None, fake, found):
            self.discarded.append(str(replaced))

    def _replace(self, value: str | None) -> None:
        self.value = value

    def isolated(self, _: str) -> Iterator[None]:
        """Hide the value, look, and restore it. Discard what was made meanwhile."""
        yield
        found, self.value = self.value, None
        yield
        seen = str(self.value)
        yield
        if self.value is not None:
            self.discarded.append(self.value)
        self.value = found
        self.got = seen

    def write(self, label: str) -> Iterator[None]:
        yield
        self.value = label
        self.got = "None"

    def take(self, _: str) -> Iterator[None]:
        yield
        self.got = str(self.value)
        self.value = None

    take_all = take

    def delete(self, _: str) -> Iterator[None]:
        yield
        self.got = "AttributeError" if self.value is None else "None"
        self.value = None


class OverriddenModel(Model):
    """A value that is overridden before the threads begin."""

    def __init__(self) -> None:
        super().__init__()
        self._enter_layer("fake before")


class PerThreadModel(Model):
    """A value per thread, so that threads do not meet, except that an isolation hides the values of all.

    The values are in a container, of which an isolation makes another. A thread looks for the container first. If that
    is gone when the thread publishes, the value goes to the one that is there then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.containers: list[dict[str, str]] = [{}]
        self.current = 0
        self.gone: list[int] = []

    def _publish_in(self, container: int, label: str) -> str:
        values = self.containers[self.current if container in self.gone else container]
        return values.setdefault(label.partition(".")[0], label)

    def touch(self, label: str) -> Iterator[None]:
        yield
        container = self.current
        yield
        got = self.containers[container].get(label.partition(".")[0])
        if got is None:
            yield
            got = self._publish_in(container, label)
            if got != label:
                self.discarded.append(label)
        self.got = got

    def fail(self, label: str) -> Iterator[None]:
        yield from self.get(label)
        self.got = "InitializerError" if self.got == "None" else self.got

    def get(self, label: str) -> Iterator[None]:
        yield
        container = self.current
        yield
        self.got = str(self.containers[container].get(label.partition(".")[0]))

    def set(self, label: str) -> Iterator[None]:
        yield
        container = self.current
        yield
        self.got = "None" if self._publish_in(container, label) == label else "AlreadySetError"

    def take(self, label: str) -> Iterator[None]:
        yield
        container = self.current
        yield
        self.got = str(self.containers[container].pop(label.partition(".")[0], None))

    def override(self, label: str) -> Iterator[None]:
        """Put a value over that of the thread, look, and restore it."""
        thread = label.partition(".")[0]
        yield
        container = self.current
        yield
        found = self.containers[container].get(thread)
        self.containers[container][thread] = f"fake {label}"
        yield
        got = str(self.containers[container].get(thread))
        yield
        if found is None:
            self.containers[container].pop(thread, None)
        else:
            self.containers[container][thread] = found
        self.got = got

    def isolated(self, label: str) -> Iterator[None]:
        return self._look_inside(label, {})

    def _look_inside(self, label: str, values: dict[str, str]) -> Iterator[None]:
        """Put another container in place of the one that is there, look, and restore it."""
        yield
        found, inside = self.current, len(self.containers)
        self.containers.append(values)
        self.current = inside
        yield from self.get(label)
        got = self.got
        yield
        self.current = found
        self.gone.append(inside)
        yield
        for thread in [thread for thread, value in values.items() if not value.startswith("fake")]:
            self.discarded.append(values.pop(thread))
        self.got = got


class PerLoopModel(PerThreadModel):
    """The same, where an override is for all threads."""

    def override(self, label: str) -> Iterator[None]:
        return self._look_inside(label, dict.fromkeys("012", f"fake {label}"))


class SeenByFirstModel(PerThreadModel):
    """The same, where the first thread looks at the end. Otherwise a thread looks that has no value."""

    def left(self) -> str:
        return str(self.containers[self.current].get("0"))


#: What `import_attr` imports: an object that all share, as its `repr`.
IMPORTED = repr("0123456789")


def model_outcomes(scenario: Scenario) -> set[Outcome]:
    """Return every possible outcome of a scenario, one for each order of the model's steps."""
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
            outcomes.add(Outcome(tuple(map(tuple, results)), model.left(), tuple(sorted(model.discarded))))
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
