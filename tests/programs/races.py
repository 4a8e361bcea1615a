"""Race threads over every surface.

    python tests/programs/races.py [--races N] [--threads N] [--surface NAME ...] [--seed N]

Each race makes a new surface and lets all threads touch it at once. For each surface, the races show:

* There is no second object: all threads get the same one. "second" counts the objects that were handed out besides the
  first, and must be 0.
* Every loser is discarded exactly once, and the winner never. "lost" counts the objects that were discarded too seldom
  or too often, and must be 0.
* No thread waits for another. In every race, one thread, chosen at random, stays in its initializer until all other
  threads have returned from their call. If any of them waited for it, no thread would go on. After a minute the program
  prints the stacks of the threads that hang, and exits with status 1.

The chosen thread may find the value already there, and then its initializer does not run. Therefore, in three races of
four, no initializer returns before the chosen thread is inside its own. That also makes the initializers end together,
and it hangs, as above, if a running initializer keeps another from starting. In the other races the initializers return
at once. "held" is the number of races in which the chosen thread ran its initializer, "inits" the number of
initializers that ran.

In the rows "..., take_all" one of the threads empties the table of `once_per_args` again and again, while the others
call. Then "second" counts the losers that were handed out, and "lost" the objects that were not taken, discarded, or
there at the end, exactly once.

GILONCE_PURE_PYTHON=1 in the environment selects the Python implementation.
The exit status is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import platform
import random
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `support`

from support.surfaces import SURFACES

import gilonce

#: How many seconds a race may take.
WATCHDOG = 60.0


class Value:
    """A value that an initializer makes."""

    __slots__ = ("__weakref__",)


class Race:
    """One race: a new surface, and what its initializer and its discard saw."""

    def __init__(self, surface: str, held: int, threads: int, *, together: bool) -> None:
        self.made: list[Value] = []
        self.discarded: list[Any] = []
        self.returned: list[int] = []
        self.outcomes: list[Any] = [None] * threads
        self.inside = threading.Event()
        self._others_returned = threading.Event()
        self._held = held
        self._together = together
        self._index = threading.local()
        self._access = SURFACES[surface](gilonce, self._initialize, self.discarded.append)

    def _initialize(self) -> Value:
        if self._index.value == self._held:
            self.inside.set()
            self._others_returned.wait()
        elif self._together:
            self.inside.wait()
        value = Value()
        self.made.append(value)
        return value

    def run(self, index: int) -> None:
        """Take part as the thread number `index`."""
        self._index.value = index
        try:
            self.outcomes[index] = self._act(index)
        except BaseException as error:
            self.outcomes[index] = error
        # `append` is one operation of the interpreter, so the last of the others sees them all.
        self.returned.append(index)
        if len(self.returned) >= len(self.outcomes) - 1 and self._held not in self.returned:
            self._others_returned.set()

    def _act(self, index: int) -> Any:
        return self._access.touch()

    def second(self) -> int:
        """Return how many objects were handed out besides the first."""
        return len({id(outcome) for outcome in self.outcomes}) - 1

    def lost(self) -> int:
        """Return how many objects were not discarded as often as they should have been."""
        expected = Counter(id(value) for value in self.made)
        expected.subtract([id(self.outcomes[0])])
        expected.subtract(id(value) for value in self.discarded)
        return sum(map(bool, expected.values()))


class TakingRace(Race):
    """A race in which one thread does not touch the value, but takes all values."""

    def __init__(self, surface: str, held: int, threads: int, *, together: bool) -> None:
        super().__init__(surface, held, threads, together=together)
        assert self._access.take_all is not None
        self._take_all = self._access.take_all
        self._taker = (held + 1) % threads
        self._taken: list[Any] = []

    def _act(self, index: int) -> Any:
        if index != self._taker:
            return self._access.touch()
        while len(self.returned) < len(self.outcomes) - 2:  # all others but the one that is held
            self._taken.extend(self._take_all())
        return None

    def second(self) -> int:
        """Return how many objects were handed out that were discarded, or that no initializer made."""
        valid = {id(value) for value in self.made} - {id(value) for value in self.discarded}
        return sum(id(got) not in valid for index, got in enumerate(self.outcomes) if index != self._taker)

    def lost(self) -> int:
        """Return how many objects were not taken, discarded or there as often as they should have been."""
        expected = Counter(id(value) for value in self.made)
        expected.subtract(id(value) for value in [*self._taken, *self.discarded, *self._take_all()])
        return sum(map(bool, expected.values()))


#: What is raced: the class of the races, and the surface, by the name of the row.
ROWS: dict[str, tuple[type[Race], str]] = {name: (Race, name) for name in SURFACES}
ROWS.update({f"{name}, take_all": (TakingRace, name) for name in ("args_function", "args_key_with_eq", "args_method")})


@dataclass
class Result:
    """A line of the table."""

    surface: str
    races: int = 0
    inits: int = 0
    held: int = 0
    second: int = 0
    lost: int = 0
    errors: int = 0
    seconds: str = ""

    def add(self, race: Race) -> None:
        """Count what was seen in a race that is over."""
        self.races += 1
        self.inits += len(race.made)
        self.held += race.inside.is_set()
        self.second += race.second()
        self.lost += race.lost()
        for error in race.outcomes:
            if isinstance(error, BaseException):
                self.errors += 1
                if self.errors == 1:
                    traceback.print_exception(error)

    @property
    def is_wrong(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.second or self.lost or self.errors)


class Racers:
    """Threads that live for many races, and meet at a barrier before and after each."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._start = threading.Barrier(threads + 1)
        self._finish = threading.Barrier(threads + 1)
        self._race: Race | None = None
        self._workers = [threading.Thread(target=self._work, args=(index,), daemon=True) for index in range(threads)]
        for worker in self._workers:
            worker.start()

    def _work(self, index: int) -> None:
        try:
            while True:
                self._start.wait()
                if self._race is None:
                    return
                self._race.run(index)
                self._finish.wait()
        except threading.BrokenBarrierError:
            pass  # The watchdog fired. Show only the threads that hang.

    def run(self, race: Race) -> None:
        """Run a race; end the process if a thread hangs."""
        self._race = race
        self._start.wait()
        try:
            self._finish.wait(WATCHDOG)
        except threading.BrokenBarrierError:
            hanging = sorted(set(range(self._threads)) - set(race.returned))
            for index in set(race.returned):
                self._workers[index].join(WATCHDOG)
            print(f"\nA THREAD WAITS FOR ANOTHER: {hanging} did not return; their stacks are on stderr", flush=True)
            faulthandler.dump_traceback()
            os._exit(1)

    def end(self) -> None:
        """End the threads."""
        self._race = None
        self._start.wait()
        for worker in self._workers:
            worker.join()


def run_races(surface: str, races: int, threads: int, seed: int) -> Result:
    """Run the races of one row."""
    chance = random.Random(f"{seed} {surface}")
    result = Result(surface)
    kind, name = ROWS[surface]
    racers = Racers(threads)
    begin = time.perf_counter()
    for _ in range(races):
        race = kind(name, chance.randrange(threads), threads, together=chance.random() < 0.75)
        racers.run(race)
        result.add(race)
    result.seconds = f"{time.perf_counter() - begin:.1f}"
    racers.end()
    return result


def main() -> int:
    """Run the races that were asked for; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--races", type=int, default=10_000, help="per surface (default: 10000)")
    parser.add_argument("--threads", type=int, default=8, help="in each race (default: 8)")
    parser.add_argument("--surface", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the choice of the held thread")
    options = parser.parse_args()
    if options.threads < 2:
        parser.error("a race takes two threads")

    gil = "enabled" if getattr(sys, "_is_gil_enabled", lambda: True)() else "disabled"
    print(f"{platform.python_implementation()} {platform.python_version()}, GIL {gil}, {gilonce.__implementation__}")
    print(f"{options.races} races of {options.threads} threads, seed {options.seed}\n")
    sys.setswitchinterval(1e-6)

    columns = "{:<27}" + "{:>9}" * 7
    print(columns.format(*Result.__annotations__), flush=True)
    is_wrong = False
    for surface in options.surface:
        result = run_races(surface, options.races, options.threads, options.seed)
        print(columns.format(*astuple(result)), " WRONG" if result.is_wrong else "", flush=True)
        is_wrong = is_wrong or result.is_wrong
    print("\nsomething is WRONG" if is_wrong else "\nno second object, none lost, and no thread waited for another")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
