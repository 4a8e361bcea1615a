"""One value for all processes, on all machines, that share a database.

It is the first law in SQL. Every process may compute the value. `INSERT ... ON CONFLICT DO NOTHING` publishes it: the
first row stays. Then every process reads what was published, and a process whose value lost discards it. No process
waits for another, and if one dies on the way, it has published nothing.

`ClusterCell` is a cell of one's own, with the methods of `gilonce.Cell`. It keeps values as JSON. Here, eight processes
race for one value, in a temporary SQLite file. With a URL, they share a table in PostgreSQL (`pip install psycopg`):

    python examples/cluster.py postgresql://user@host/database
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import multiprocessing
import os
import secrets
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from gilonce import AlreadySetError, GILOnceCell, once

PROCESSES = 8

#: Run it once, when the program is installed: PostgreSQL may raise an error if several processes create one table.
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS shared_values (key TEXT PRIMARY KEY, value TEXT NOT NULL)"


@contextlib.contextmanager
def connect(database: str) -> Iterator[Any]:
    """Yield a connection to a SQLite file or, for a URL, to PostgreSQL. Each statement is a transaction of its own."""
    if "://" in database:
        connection = importlib.import_module("psycopg").connect(database, autocommit=True)
    else:
        connection = sqlite3.connect(database, timeout=60, isolation_level=None)
    with contextlib.closing(connection):
        yield connection


class ClusterCell:
    """A cell with one value for all processes that share a database.

    A value is read from the database once per process, and then kept here. So `take` empties the cell for every process
    that has not read it yet, and for this one.

    Parameters:
        database: a SQLite file, or the URL of a PostgreSQL database.
        key: the name of the value in the table.
        discard: called with a value that lost to another one of another process or thread.
    """

    final = True

    def __init__(self, database: str, key: str, *, discard: Callable[[Any], object] | None = None) -> None:
        self._database = database
        self._key = key
        self._discard = discard
        #: The value, once this process has read it.
        self._local = GILOnceCell[Any]()

    def get(self, default: Any = None) -> Any:
        found = self._read()
        return default if found is None else self._local.get_or_init(lambda: json.loads(found))

    def is_set(self) -> bool:
        return self._local.is_set() or self._read() is not None

    def get_or_init(self, initializer: Callable[[], Any], /) -> Any:
        def read_or_publish() -> Any:
            while (found := self._read()) is None:
                self._publish(initializer())
            return json.loads(found)

        return self._local.get_or_init(read_or_publish)

    async def aget_or_init(self, initializer: Callable[[], Awaitable[Any]], /) -> Any:
        async def read_or_publish() -> Any:
            while (found := await asyncio.to_thread(self._read)) is None:
                await asyncio.to_thread(self._publish, await initializer())
            return json.loads(found)

        return await self._local.aget_or_init(read_or_publish)

    def set(self, value: Any, /) -> None:
        if not self._insert(value):
            raise AlreadySetError(f"the key {self._key!r} has a value already", value)

    def take(self, default: Any = None) -> Any:
        taken = self.get(default)
        _, deleted = self._run("DELETE FROM shared_values WHERE key = ?", self._key)
        self._local.take()
        return taken if deleted else default

    def _read(self) -> str | None:
        rows, _ = self._run("SELECT value FROM shared_values WHERE key = ?", self._key)
        return rows[0][0] if rows else None

    def _publish(self, value: Any) -> None:
        if self._insert(value) or self._is_published(value):
            return
        # This cell is full when the value comes to it, so it discards it; an error goes to `sys.unraisablehook`.
        full = GILOnceCell[Any](discard=self._discard)

        def lose() -> Any:
            full.set(None)
            return value

        full.get_or_init(lose)

    def _is_published(self, value: Any) -> bool:
        """Return whether the published value is equal to this one, which must not be discarded then."""
        found = self._read()
        return found is not None and json.loads(found) == json.loads(json.dumps(value))

    def _insert(self, value: Any) -> bool:
        """Publish a value, and return whether it is the first. This is one atomic step of the database."""
        insert = "INSERT INTO shared_values VALUES (?, ?) ON CONFLICT DO NOTHING"
        _, inserted = self._run(insert, self._key, json.dumps(value))
        return inserted > 0

    def _run(self, statement: str, *parameters: str) -> tuple[list[Any], int]:
        """Run a statement. Return the rows that it finds, and the number of rows that it changes."""
        with connect(self._database) as connection:
            placeholder = "?" if isinstance(connection, sqlite3.Connection) else "%s"
            cursor = connection.execute(statement.replace("?", placeholder), parameters)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount


def work(database: str, key: str, all_inside: Any, report: Any) -> None:
    """Get the value in one process. The initializers wait for each other, so all of them compute."""
    computed: list[Any] = []
    discarded: list[Any] = []

    def compute() -> Any:
        if all_inside is not None:
            all_inside.wait(60)
        computed.append({"token": secrets.token_hex(4), "made by": os.getpid()})
        return computed[-1]

    if key:
        get_token = once(compute, cell=lambda: ClusterCell(database, key, discard=discarded.append))
    else:
        get_token = functools.cache(compute)
    token = get_token()
    assert get_token() is token
    report.put((token["token"], len(computed), len(discarded)))


def start(database: str, key: str, count: int, is_race: bool) -> tuple[set[str], int, int]:
    """Run processes that share a key. Return the values that they got, and how many were computed and discarded."""
    spawn = multiprocessing.get_context("spawn")
    all_inside = spawn.Barrier(count) if is_race else None
    report = spawn.SimpleQueue()
    processes = [spawn.Process(target=work, args=(database, key, all_inside, report)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a process has failed, with exit code {process.exitcode}")
    reports = [report.get() for _ in processes]
    return {token for token, _, _ in reports}, sum(it[1] for it in reports), sum(it[2] for it in reports)


def show(name: str, result: tuple[set[str], int, int]) -> set[str]:
    tokens, computed, discarded = result
    print(f"{name:32} {len(tokens):>15} {computed:>10} {discarded:>11}")
    return tokens


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "shared.db")
        with connect(database) as connection:
            connection.execute(CREATE_TABLE)
        key = f"token {secrets.token_hex(8)}"
        print(f"{PROCESSES} processes that start together{'':2} distinct values   computed   discarded")
        show("functools.cache", start(database, "", PROCESSES, is_race=True))
        first = show("once(cell=ClusterCell)", start(database, key, PROCESSES, is_race=True))
        later = show("a process that starts later", start(database, key, 1, is_race=False))
        print("It has the same value." if later == first else "It has another value!")
        ClusterCell(database, key).take()


if __name__ == "__main__":
    main()
