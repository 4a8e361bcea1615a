"""A migration must run exactly once, however many threads ask for the database at the same moment.

A plain `@once` never waits, so threads that arrive together each run the migration. Here that does harm, because every
run adds the opening bonus to the accounts. With `cell=OnceLock` one thread runs it and the others wait. If it raises,
its caller gets the exception and one waiter retries.

Waiting can deadlock, for example when two values need each other. `OnceLock` detects that before it blocks: one of the
threads gets a `DeadlockError`, and the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gilonce import DeadlockError, OnceLock, once

THREADS = 8
#: How many seconds a migration waits for others that run at the same time.
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
    """Let all threads do something at once; return what each of them got, or the error that it raised."""
    start = threading.Barrier(THREADS)

    def run(_: int) -> object:
        start.wait()
        try:
            return action()
        except ConnectionError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def race() -> None:
    for name in ("once", "once(cell=OnceLock)"):
        bank = Bank()
        migrated = once(bank.migrate) if name == "once" else once(bank.migrate, cell=OnceLock)
        together(migrated)
        print(f"{name:<21}the migration ran {times(bank.runs)}, Ada has {bank.accounts['Ada']}")


def failure() -> None:
    bank = Bank()
    bank.fails_first = True
    got = together(once(bank.migrate, cell=OnceLock))
    errors = [str(error) for error in got if isinstance(error, ConnectionError)]
    accounts = f"Ada has {bank.accounts['Ada']}"
    print(f"{'one that fails':<21}the migration ran {times(bank.runs)}, {accounts}, errors: {errors}")


def deadlock() -> None:
    both_inside = threading.Barrier(2)
    errors: list[DeadlockError] = []

    def either(get: Callable[[], object]) -> object:
        both_inside.wait()
        try:
            return get()
        except DeadlockError as error:
            # This thread would have waited forever. It goes on without the value, so the other one gets its own.
            errors.append(error)
            return "nothing"

    @once(cell=OnceLock)
    def users() -> str:
        return f"users with {either(lambda: roles())}"

    @once(cell=OnceLock)
    def roles() -> str:
        return f"roles with {either(lambda: users())}"

    with ThreadPoolExecutor(2) as pool:
        values = [future.result() for future in [pool.submit(users), pool.submit(roles)]]
    print(f"{'two in a cycle':<21}{len(values)} values, {len(errors)} of the 2 threads got a DeadlockError")


def main() -> None:
    race()
    failure()
    deadlock()


if __name__ == "__main__":
    main()
