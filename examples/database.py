"""Threads that ask for "the" database connection at once each open one, and nobody closes the others.

With `functools.cache` nobody can, for every thread holds a connection of its own and takes it for the only one; the
cache itself remembers the last. With `@once(discard=...)` all threads are handed the same connection, and one that
lost the race is passed to `discard`, here to be closed, before anybody has used it.

Look at "still open": the program keeps every connection that was ever opened, and asks each of them.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gilonce import once

THREADS = 8

opened: list[sqlite3.Connection] = []
everyone_is_connecting = threading.Barrier(THREADS)


def connect() -> sqlite3.Connection:
    # None of the threads finds a connection: the first is there when all have come for one.
    everyone_is_connecting.wait()
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    opened.append(connection)
    return connection


@functools.cache
def cached_connection() -> sqlite3.Connection:
    return connect()


@once(discard=sqlite3.Connection.close)
def connection() -> sqlite3.Connection:
    return connect()


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:  # "Cannot operate on a closed database."
        return False
    return True


def race(get_connection: Callable[[], sqlite3.Connection]) -> str:
    """Let the threads get a connection at once and return the row of the table about it."""
    opened.clear()
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(get_connection) for _ in range(THREADS)]
    handed_out = {future.result() for future in futures}
    still_open = [connection for connection in opened if is_open(connection)]
    for left_over in still_open:
        left_over.close()
    return f"{len(opened):>8}{len(handed_out):>12}{len(still_open):>12}"


def main() -> None:
    print(f"connections: {'opened':>13}{'handed out':>12}{'still open':>12}")
    print("functools.cache   ", race(cached_connection))
    print("once(discard=...) ", race(connection))


if __name__ == "__main__":
    main()
