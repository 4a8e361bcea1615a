"""Threads that ask for "the" database connection at once each open one, and the extra ones stay open.

With `functools.cache` every thread gets a connection of its own and takes it for the only one, so no thread closes any.
The cache itself remembers just the last. With `@once(discard=...)` all threads get the same connection. A connection
that lost the race goes to `discard`, which closes it here, before any caller has seen it.

Look at the column "still open": the program remembers every connection that was opened, and tries each of them.
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
    # The first connection is opened when all threads have come for one, so that none of them finds it.
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
    """Let all threads get a connection at once, and return the row of the table about it."""
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
