"""A migration must run exactly once, however many threads ask for the database at the same moment.

A plain `@once` never waits, so threads that come together each run the migration, and here that does harm: every run
adds the opening bonus to the accounts. With `cell=OnceLock` one thread runs it and the others wait for that one. If it
fails, its own caller is told, and one of those who wait tries again.

Waiting can deadlock, as when two values need each other. `OnceLock` finds that before it begins to wait, and raises
`DeadlockError` in one of the threads instead; the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gilonce import DeadlockError, OnceLock, once

THREADS = 8
#: How many seconds a migration looks out for others that run at the same time.
PATIENCE = 0.5


class Bank:
    """A database with accounts, and a migration."""

    def __init__(self) -> None:
        self.accounts = {"Ada": 100, "Grace": 200}
        self.runs = 0
        self.fails_first = False
        self._others = threading.Barrier(THREADS)

    def migrate(self) -> dict[str, int]:
        """Add the bonus."""
        self.runs += 1
        if self.fails_first and self.runs == 1:
            raise ConnectionError("the database went away")
        with suppress(threading.BrokenBarrierError):
            self._others.wait(PATIENCE)
        for name in self.accounts:
            self.accounts[name] += 10
        return self.accounts


def together(action: Callable[[], object]) -> list[object]:
    """Let the threads do something at once; return what each got, be it an error."""
    start = threading.Barrier(THREADS)

    def run(_: int) -> object:
        start.wait()
        try:
            return action()
        except ConnectionError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def race() -> None:
    for name in ("once", "once(cell=OnceLock)"):
        bank = Bank()
        migrated = once(bank.migrate) if name == "once" else once(bank.migrate, cell=OnceLock)
        together(migrated)
        print(f"{name:<21}the migration ran {bank.runs} times, Ada has {bank.accounts['Ada']}")


def failure() -> None:
    bank = Bank()
    bank.fails_first = True
    got = together(once(bank.migrate, cell=OnceLock))
    told = [str(error) for error in got if isinstance(error, ConnectionError)]
    print(f"{'one that fails':<21}the migration ran {bank.runs} times, Ada has {bank.accounts['Ada']}, told: {told}")


def deadlock() -> None:
    both_inside = threading.Barrier(2)
    told: list[DeadlockError] = []

    def either(get: Callable[[], object]) -> object:
        both_inside.wait()
        try:
            return get()
        except DeadlockError as error:
            # It would have waited for ever. It does without, and so the other one gets its value.
            told.append(error)
            return "nothing"

    @once(cell=OnceLock)
    def users() -> str:
        return f"users with {either(lambda: roles())}"

    @once(cell=OnceLock)
    def roles() -> str:
        return f"roles with {either(lambda: users())}"

    with ThreadPoolExecutor(2) as pool:
        values = [future.result() for future in [pool.submit(users), pool.submit(roles)]]
    print(f"{'two in a cycle':<21}{len(values)} values, {len(told)} of the 2 threads told of the deadlock")


def main() -> None:
    race()
    failure()
    deadlock()


if __name__ == "__main__":
    main()
