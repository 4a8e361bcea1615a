"""Two lazy values need each other, and a lock makes their threads wait for each other, for ever.

The value of a product needs the values of its factors, which may be sums; the value of a sum needs the values of its
terms, which may be products. Each is computed once, when first asked for, and kept. If a lock guards "look, compute,
keep", a thread inside a product that wants a sum meets a thread inside a sum that wants a product, and each holds what
the other waits for, although the two expressions share nothing. No test in a single thread shows it.
`functools.cached_property` had this lock, and this deadlock, before Python 3.12.

Look for the line about the lock: its threads still wait when the time is up. gilonce computes the same values in the
same two threads: where no thread ever waits for another, none can wait in a circle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from gilonce import once_property

TIME_LIMIT = 2.0  # seconds, for some microseconds of work


def once_with_a_lock(compute: Callable[[Any], int]) -> property:
    """Compute once per instance, in one thread at a time: the obvious way, and the trap."""
    lock = threading.RLock()
    name = compute.__name__

    def read(self: object) -> int:
        kept: dict[str, int] = vars(self)
        with lock:
            if name not in kept:
                kept[name] = compute(self)
            return kept[name]

    return property(read)


class Expression(Protocol):
    """What has a value, at once or when asked for it."""

    @property
    def value(self) -> int: ...


class Number:
    def __init__(self, value: int) -> None:
        self.value = value


class SlowNumber:
    """A number that takes until both threads are in the middle of their expressions."""

    def __init__(self, value: int, both_are_inside: threading.Barrier) -> None:
        self._value = value
        self._both_are_inside = both_are_inside

    @property
    def value(self) -> int:
        self._both_are_inside.wait()
        return self._value


class Pair:
    def __init__(self, left: Expression, right: Expression) -> None:
        self.left = left
        self.right = right


def compute_in_two_threads(lazy: Callable[[Callable[[Any], int]], Any]) -> dict[str, int]:
    """Compute two expressions with attributes made by `lazy`; return what is there when the time is up."""

    class Sum(Pair):
        @lazy
        def value(self) -> int:
            return self.left.value + self.right.value

    class Product(Pair):
        @lazy
        def value(self) -> int:
            return self.left.value * self.right.value

    barrier = threading.Barrier(2)
    expressions: dict[str, Expression] = {
        "2 * (3 + 4)": Product(SlowNumber(2, barrier), Sum(Number(3), Number(4))),
        "2 + 3 * 5": Sum(SlowNumber(2, barrier), Product(Number(3), Number(5))),
    }
    values: dict[str, int] = {}

    def compute(text: str) -> None:
        values[text] = expressions[text].value

    # As daemons, threads that hang do not keep the program from ending.
    threads = [threading.Thread(target=compute, args=[text], daemon=True) for text in expressions]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIME_LIMIT
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return values


def report(values: dict[str, int]) -> str:
    if not values:
        return f"hangs: after {TIME_LIMIT:g} s, each thread still waits for the other"
    return ", ".join(f"{text} = {value}" for text, value in sorted(values.items()))


def main() -> None:
    print("a lock: ", report(compute_in_two_threads(once_with_a_lock)))
    print("gilonce:", report(compute_in_two_threads(once_property)))


if __name__ == "__main__":
    main()
