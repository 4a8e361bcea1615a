"""Two lazy values need each other, and with locks their threads wait for each other forever.

The value of a product needs the values of its factors, which may be sums. The value of a sum needs the values of its
terms, which may be products. Each value is computed at its first use and kept. Suppose that a lock guards "look,
compute, keep". Then a thread inside a product that needs a sum can meet a thread inside a sum that needs a product.
Each holds the lock that the other waits for, although the two expressions share nothing. No test with a single thread
shows it. `functools.cached_property` had this lock, and this deadlock, before Python 3.12.

In the output, look at the line about the lock: both threads still wait when the time is up. gilonce computes the same
values in the same two threads. No thread ever waits for another, so no circle of waiting threads can form.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from gilonce import once_property

TIME_LIMIT = 2.0  # seconds, for microseconds of work


def once_with_a_lock(compute: Callable[[Any], int]) -> property:
    """Compute once per instance, in one thread at a time. This is the obvious way, and the trap."""
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
    """Anything with a value, known at once or computed at its first use."""

    @property
    def value(self) -> int: ...


class Number:
    def __init__(self, value: int) -> None:
        self.value = value


class SlowNumber:
    """A number whose value is ready once both threads are inside their expressions."""

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
    """Compute two expressions whose values are `lazy` attributes; return those that are ready in time."""

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

    # Daemon threads that hang do not keep the program from ending.
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
    print("Two threads compute two expressions, whose values need each other's locks.")
    print(f"First with a lock. Waiting {TIME_LIMIT:g} s for it ...", flush=True)
    print("a lock: ", report(compute_in_two_threads(once_with_a_lock)))
    print("gilonce:", report(compute_in_two_threads(once_property)))


if __name__ == "__main__":
    main()
