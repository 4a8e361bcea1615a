"""Keys that do whatever they like while they are compared, against a plain dict.

A program is a list of acts on one function: calls, `.cell()`, `take()`, `take_all()`. Each act has a script of
further acts. Every comparison of a hostile key, and every initializer, performs the next act of the
script first. So an act can come in the middle of any search and of any initializer, in this thread or in another.

How often and in which order keys are compared is up to the implementation, so the model is not run beside it.
The world reports each event to it as it happens: a value is there from the end of its initializer on, unless one was
there before.
All acts are nested, so at the end of each the model knows exactly what it must have returned.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, strategies
from support import run_threads
from support.searching import searching, take_time

#: Numbers that differ by this have the same hash.
MODULUS = sys.hash_info.modulus
CPYTHON = sys.implementation.name == "cpython"
NOTHING = object()


class PlannedError(Exception):
    pass


class Value:
    """A value that an initializer makes."""


class Act(NamedTuple):
    """What is done, with which sort of key, and whether in another thread."""

    action: str
    kind: str = "hostile"
    name: int = 0
    elsewhere: bool = False


class HostileKey:
    """A key that is equal to its number, and lets the world act before it says so."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number

    def __hash__(self) -> int:
        return hash(self.number)

    def __eq__(self, other: object) -> bool:
        lies = self.world.act()
        return (self.number == (other.number if isinstance(other, HostileKey) else other)) != lies


class HostileHash(HostileKey):
    """One that lets the world act when it is hashed, too."""

    def __hash__(self) -> int:
        self.world.act()
        return super().__hash__()

    __eq__ = HostileKey.__eq__


#: A number as a key of each type. (A float that is not exactly the number would be another key.)
KINDS: dict[str, Callable[[World, int], Any]] = {
    "hostile": HostileKey,
    "hostile, the same each time": lambda world, number: world.kept.setdefault(number, HostileKey(world, number)),
    "hostile, even its hash": HostileHash,
    "int": lambda _, number: number,
    "fraction": lambda _, number: Fraction(number),
    "float": lambda _, number: float(number) if number < 100 else number,
    "bool": lambda _, number: bool(number) if number in (0, 1) else number,
}


def number_of(key: Any) -> int:
    return key.number if isinstance(key, HostileKey) else int(key)


def function_of_one(gilonce: Any, make: Callable[[Any], Any], **options: Any) -> Any:
    return gilonce.once_per_args(lambda key: make(key), **options)


def function_of_two(gilonce: Any, make: Callable[[Any], Any], **options: Any) -> Any:
    return gilonce.once_per_args(lambda key, other=0: make(key), **options)


def function_with_key(gilonce: Any, make: Callable[[Any], Any], **options: Any) -> Any:
    return gilonce.once_per_args(lambda key: make(key), key=lambda key: key, **options)


def function_of_any(gilonce: Any, make: Callable[[Any], Any], **options: Any) -> Any:
    return gilonce.once_per_args(lambda *keys: make(keys[0]), **options)


def method(gilonce: Any, make: Callable[[Any], Any], **options: Any) -> Any:
    class Owner:
        @gilonce.once_per_args(**options)
        def method(self, key: Any) -> Any:
            return make(key)

    return Owner().method


def locked(gilonce: Any, make: Callable[[Any], Any], discard: Any) -> Any:
    return gilonce.once_per_args(lambda key: make(key), cell=gilonce.OnceLock)


def with_cells_of_ones_own(gilonce: Any, make: Callable[[Any], Any], discard: Any) -> Any:
    own = type("Own", (gilonce.GILOnceCell,), {})
    return gilonce.once_per_args(lambda key: make(key), cell=functools.partial(own, discard=discard))


SHAPES = [function_of_one, function_of_two, function_with_key, function_of_any, method, locked, with_cells_of_ones_own]


class World:
    """One function, and what a plain dict says that its calls must return.

    Parameters:
        shape: makes the function.
        hashed: the hash of most keys, which decides where a table in C has them.
        lying: whether keys may say the wrong thing. No dict says what follows from that, but no value may be lost.
    """

    def __init__(self, gilonce: Any, shape: Callable[..., Any], hashed: int, *, lying: bool) -> None:
        self.hashed = hashed
        self.lying = lying
        self.script: Iterator[Act] = iter(())
        self.values: dict[int, Any] = {}
        self.held: dict[int, tuple[int, Any]] = {}
        self.running: Counter[int] = Counter()
        self.kept: dict[int, HostileKey] = {}
        self.keys: list[weakref.ref[HostileKey]] = []
        self.raised: BaseException | None = None
        self.deadlock_error = gilonce.DeadlockError
        self.already_set_error = gilonce.AlreadySetError
        self.waits = shape is locked
        self.has_told = False
        self.made: list[Any] = []
        self.ended: list[Any] = []
        self.get = shape(gilonce, self.make, discard=self.ended.append)

    # What the program does.

    def run(self, program: list[tuple[Act, list[Act]]], filled: int) -> None:
        for name in range(filled):
            self.call(Act("call", name=name))
        for act, script in program:
            self.script = iter(script)
            self.perform(act)
            self.script = iter(())
            self.raised = None
            self.check()
        self.held.clear()
        self.check()
        self.take_all()
        self.check()
        assert self.get.take_all() == []
        if not self.waits:  # an `OnceLock` has no discard
            assert Counter(map(id, self.ended)) == Counter(map(id, self.made))

    def perform(self, act: Act) -> None:
        if act.elsewhere and not self.waits:
            assert run_threads(functools.partial(self.perform, act._replace(elsewhere=False))) == [None]
            return
        try:
            getattr(self, act.action)(act)
        except PlannedError as error:
            if error is not self.raised:
                raise
        except self.deadlock_error:
            assert self.waits
            assert self.running.total()
            self.has_told = True

    def act(self) -> bool:
        """Perform the next act of the script; return whether the one who asks is to lie."""
        for act in self.script:
            if act.action == "fail":
                self.raised = PlannedError()
                raise self.raised
            if act.action == "lie":
                return self.lying
            self.perform(act)
            break
        return False

    def make(self, key: Any) -> Any:
        """Initialize."""
        number = number_of(key)
        assert self.lying or number not in self.values
        self.running[number] += 1
        try:
            self.act()
        finally:
            self.running[number] -= 1
        value = Value()
        self.made.append(value)
        self.values.setdefault(number, value)
        return value

    def key(self, act: Act) -> Any:
        number = self.number(act.name)
        key = KINDS[act.kind](self, number)
        if act.kind in ("hostile", "hostile, even its hash"):
            self.keys.append(weakref.ref(key))
        return key

    def number(self, name: int) -> int:
        # The last ones have hashes of their own, so that they move the others to other places.
        return self.hashed + name * (MODULUS if name < 10 else 1)

    def expect(self, got: Any, number: int) -> None:
        """Check the value that an act got: NOTHING if there was none."""
        if self.lying:
            assert got is NOTHING or isinstance(got, Value)
        else:
            assert got is self.values.get(number, NOTHING)

    # The acts. (To fail and to lie is nothing where no one asks.)

    def fail(self, act: Act) -> None:
        pass

    lie = fail

    def call(self, act: Act) -> None:
        number = self.number(act.name)
        self.expect(self.get(self.key(act)), number)

    def replace(self, act: Act) -> None:
        self.take_all()
        self.call(act)

    def grow(self, act: Act) -> None:
        for name in range(4, 4 + act.name * 4):
            self.call(act._replace(name=name))

    def cell(self, act: Act) -> Any:
        number = self.number(act.name)
        cell = self.get.cell(self.key(act))
        for held_number, held in self.held.values():
            assert self.lying or (held is cell) == (held_number == number)
        self.expect(cell.get(NOTHING), number)
        return cell

    def hold(self, act: Act) -> None:
        cell = self.cell(act)
        self.held[act.name % 3] = (self.number(act.name), cell)

    def drop(self, act: Act) -> None:
        self.held.pop(act.name % 3, None)

    def fill_held(self, act: Act) -> None:
        for number, cell in [self.held[slot] for slot in [act.name % 3] if slot in self.held]:
            self.expect(cell.get_or_init(functools.partial(self.make, number)), number)

    def take_held(self, act: Act) -> None:
        for number, cell in [self.held[slot] for slot in [act.name % 3] if slot in self.held]:
            self.taken(cell.take(NOTHING), number)

    def take(self, act: Act) -> None:
        self.taken(self.cell(act).take(NOTHING), self.number(act.name))

    def taken(self, got: Any, number: int) -> None:
        self.expect(got, number)
        self.values.pop(number, None)
        if got is not NOTHING:
            self.ended.append(got)

    def set(self, act: Act) -> None:
        cell, value, number = self.cell(act), Value(), self.number(act.name)
        try:
            cell.set(value)
        except self.already_set_error:
            assert self.lying or number in self.values
        else:
            assert self.lying or number not in self.values
            self.made.append(value)
            self.values[number] = value

    def take_all(self, _: Act | None = None) -> None:
        taken = self.get.take_all()
        assert self.lying or taken == list(self.values.values())
        self.values.clear()
        self.ended.extend(taken)

    # What is there.

    def check(self) -> None:
        """Compare the table with the model."""
        if self.lying:
            return
        once = getattr(self.get, "_gilonce", self.get)
        bound = getattr(once, "__self__", None)
        table = once._table if bound is None else once.__func__._definition.table_of(bound)
        if hasattr(table, "front") or not hasattr(table, "pins"):  # what another cell holds is its own affair
            keys = [key[0] if isinstance(key, tuple) else key for key, _ in table.items()]
            keys = [key[0] if isinstance(key, tuple) else key for key in keys]
            assert [number_of(key) for key in keys] == list(self.values)
            assert [value for _, value in table.items()] == list(self.values.values())
            del keys
        if CPYTHON:
            if self.has_told:
                gc.collect()  # a DeadlockError has frames in a cycle
                self.has_told = False
            # Nothing but an entry has a key, and each key has one.
            left = Counter([key.number for reference in self.keys if (key := reference()) is not None])
            assert all(count == 1 for count in left.values())
            assert left.keys() <= self.values.keys() | {number for number, _ in self.held.values()}


NAMES = strategies.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])
ACTIONS = ["call"] * 4 + [
    "take",
    "take_all",
    "replace",
    "grow",
    "cell",
    "hold",
    "drop",
    "fill_held",
    "take_held",
    "set",
    "fail",
]


def acts(*more: str) -> Any:
    return strategies.builds(
        Act,
        strategies.sampled_from([*ACTIONS, *more]),
        strategies.sampled_from([*KINDS, "hostile", "hostile"]),
        NAMES,
        strategies.sampled_from([False] * 7 + [True]),
    )


def programs(*more: str) -> Any:
    step = strategies.tuples(acts(), strategies.lists(acts(*more), max_size=6))
    return strategies.lists(step, min_size=1, max_size=12)


def search(gilonce: Any, shape: Callable[..., Any], examples: int, *, lying: bool = False) -> None:
    take_time()

    @searching(examples)
    @given(strategies.integers(0, 8), strategies.integers(0, 6), programs(*(["lie"] * 3 if lying else [])))
    def run(hashed: int, filled: int, program: list[tuple[Act, list[Act]]]) -> None:
        World(gilonce, shape, hashed, lying=lying).run(program, filled)

    run()


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_keys_do_a_table_is_a_dict(gilonce: ModuleType, shape: Callable[..., Any]) -> None:
    """Values, cells, their order, and that nothing is left behind."""
    search(gilonce, shape, 20)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_keys_do_for_long_a_table_is_a_dict(gilonce: ModuleType, shape: Callable[..., Any]) -> None:
    """The same with many more programs."""
    search(gilonce, shape, 300)


@pytest.mark.parametrize("shape", [function_of_one, function_of_two, with_cells_of_ones_own])
def test_keys_that_lie_lose_no_value(gilonce: ModuleType, shape: Callable[..., Any]) -> None:
    """What they are equal to is their own affair; but each value is there, taken or discarded, once."""
    search(gilonce, shape, 20, lying=True)
