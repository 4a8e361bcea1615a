"""Mix every operation on shared cells and instances: `python tests/programs/stress.py [--seconds N] [--threads N]`.

Each value records what has happened to it. The run ends if something happens that must not:

* a thread gets an object that is not complete;
* a value that a thread has got disappears although no thread took it, so two were published between two takes;
* a value is taken twice, or discarded though it was published.

In the first half of the time, threads choose operations at random. In the second half, all threads ask one cell, once
function, method and property at a time, and must get one object. Then all are emptied for the next round.
"""

from __future__ import annotations

import argparse
import faulthandler
import platform
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import gilonce

PROBLEMS: list[str] = []


class Value:
    """A value that an initializer makes. It refers to itself, so that the garbage collector takes part."""

    def __init__(self, *_owner: object) -> None:
        self.me = self
        self.was_given = False
        self.takes: list[None] = []

    def __del__(self) -> None:
        if self.was_given and not self.takes:
            PROBLEMS.append("a value that had been given out was replaced without a take()")
        if len(self.takes) > 1:
            PROBLEMS.append("a value was taken twice")


def given(value: Any) -> None:
    """Record that a thread has got the value, which must be complete."""
    if value is not None:
        if value.me is not value:
            PROBLEMS.append(f"broken: {value!r}")
        value.was_given = True


def taken(value: Any) -> None:
    if value is not None:
        given(value)
        value.takes.append(None)


def discarded(value: Any) -> None:
    if value.was_given:
        PROBLEMS.append("a published value was discarded")


class Owner:
    """Values per instance and per class, which threads only take."""

    @gilonce.once(discard=discarded)
    def method(self) -> Value:
        return Value()

    @gilonce.once(discard=discarded)
    @classmethod
    def of_class(cls) -> Value:
        return Value()

    attribute = gilonce.once_property(Value)


class Slotted:
    __slots__ = ("_attribute",)
    attribute = gilonce.once_property(Value, slot="_attribute")


class Forgetful(Owner):
    """Threads delete and assign its attributes, so values may disappear."""


@gilonce.once(discard=discarded)
def function() -> Value:
    return Value()


def set_anew(cell: Any) -> None:
    value = Value()
    try:
        cell.set(value)
    except gilonce.AlreadySetError as error:
        if error.value is not value:
            PROBLEMS.append("set() gave back another value than it was given")
    else:
        given(value)


def seen(value: Any) -> None:
    """Check that a value is complete which may disappear at any time."""
    if value is not None and value.me is not value:
        PROBLEMS.append(f"broken: {value!r}")


def forget(owner: Any) -> None:
    try:
        del owner.attribute
    except AttributeError:
        return


def operations() -> list[Callable[[], None]]:
    """Return the threads' operations. An operation that is listed twice is chosen twice as often."""
    cells = [gilonce.GILOnceCell(discard=discarded) for _ in range(3)]
    owners = [Owner() for _ in range(2)]
    forgetful: list[Any] = [Forgetful(), Slotted()]
    found: list[Callable[[], None]] = []
    for cell in [*cells, function.cell, Owner.of_class.cell, *[owner.method.cell for owner in owners]]:
        found += [
            lambda cell=cell: given(cell.get()),
            lambda cell=cell: given(cell.get_or_init(Value)),
            lambda cell=cell: set_anew(cell),
            lambda cell=cell: taken(cell.take()),
        ]
    found += [lambda: given(function()), lambda: given(Owner.of_class())]
    found += [lambda owner=owner: given(owner.method()) for owner in owners]
    found += [lambda owner=owner: given(owner.attribute) for owner in owners]
    for owner in forgetful:
        found += [
            lambda owner=owner: seen(owner.attribute),
            lambda owner=owner: forget(owner),
            lambda owner=owner: setattr(owner, "attribute", Value()),
        ]
    # Kept as long as the operations, so that no value disappears with its owner.
    kept.append((cells, owners, forgetful))
    return found


kept: list[Any] = []


def mix(seconds: float, threads: int) -> int:
    """Let threads choose operations at random; return how many they did."""
    todo = operations()
    stop = time.monotonic() + seconds
    counts = [0] * threads

    def work(index: int) -> None:
        choose = random.Random(index).choice
        while time.monotonic() < stop and not PROBLEMS:
            for _ in range(200):
                choose(todo)()
            counts[index] += 200

    run([lambda index=index: work(index) for index in range(threads)], seconds)
    return sum(counts)


def agree(seconds: float, threads: int) -> int:
    """Let all threads ask for one value at a time; return the number of rounds."""
    cell = gilonce.GILOnceCell(discard=discarded)
    owner, slotted = Owner(), Slotted()
    ways: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
        (lambda: cell.get_or_init(Value), lambda: taken(cell.take())),
        (function, lambda: taken(function.cell.take())),
        (owner.method, lambda: taken(owner.method.cell.take())),
        (Owner.of_class, lambda: taken(Owner.of_class.cell.take())),
        (lambda: owner.attribute, lambda: forget(owner)),
        (lambda: slotted.attribute, lambda: forget(slotted)),
    ]
    for _, empty in ways:
        empty()
    stop = time.monotonic() + seconds
    answers: list[Any] = [None] * threads
    rounds = 0
    is_over = False

    def next_round() -> None:
        nonlocal rounds, is_over
        if rounds:
            if len({id(answer) for answer in answers}) != 1:
                PROBLEMS.append(f"one round, several objects: {answers}")
            ways[(rounds - 1) % len(ways)][1]()
        rounds += 1
        is_over = time.monotonic() > stop or bool(PROBLEMS)

    barrier = threading.Barrier(threads, next_round)

    def work(index: int) -> None:
        while True:
            barrier.wait()
            if is_over:
                return
            answers[index] = ways[(rounds - 1) % len(ways)][0]()

    run([lambda index=index: work(index) for index in range(threads)], seconds)
    return rounds


def run(actions: list[Callable[[], None]], seconds: float) -> None:
    """Run the actions, each in a thread. If they do not end, show all stacks and exit."""

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            PROBLEMS.append(repr(error))
            raise

    faulthandler.dump_traceback_later(seconds + 60, exit=True)
    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faulthandler.cancel_dump_traceback_later()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    sys.setswitchinterval(1e-6)
    print(f"{gilonce.__implementation__}, {platform.python_implementation()} {platform.python_version()}", flush=True)
    print(f"{mix(options.seconds / 2, options.threads):,} random operations", flush=True)
    print(f"{agree(options.seconds / 2, options.threads):,} rounds of one object for all", flush=True)
    for problem in sorted(set(PROBLEMS)):
        print(f"{PROBLEMS.count(problem)} times: {problem}")
    return bool(PROBLEMS)


if __name__ == "__main__":
    sys.exit(main())
