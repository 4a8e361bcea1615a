"""Ten tasks want a value that does not exist yet. How many objects do they get, in a browser or anywhere else?

There is one thread in a browser, and tasks still race: at each `await` another task runs. A variable that is checked
before an `await` and filled after it is filled by every task that came early, and each task uses an object of its own.
`functools.cache` keeps the coroutine, which only one task can await.

Look at the column "distinct objects", as in `race.py`. The page `index.html` shows this table, and
`python examples/browser/race_in_tasks.py` prints it.
"""

from __future__ import annotations

import asyncio
import functools
import platform
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gilonce import OnceLock, once

TASKS = 10


class Connection:
    """Something that must exist once."""


class Server:
    """Accepts connections, slowly, and counts them."""

    def __init__(self) -> None:
        self.opened = 0

    async def connect(self) -> Connection:
        self.opened += 1
        await asyncio.sleep(0.01)
        return Connection()


Read = Callable[[], Awaitable[Connection]]


def a_variable(server: Server) -> Read:
    connection: Connection | None = None

    async def read() -> Connection:
        nonlocal connection
        if connection is None:
            connection = await server.connect()
        return connection

    return read


def functools_cache(server: Server) -> Read:
    @functools.cache
    def read() -> Awaitable[Connection]:
        return server.connect()

    return read


def an_asyncio_lock(server: Server) -> Read:
    connection: Connection | None = None
    lock = asyncio.Lock()

    async def read() -> Connection:
        nonlocal connection
        async with lock:
            if connection is None:
                connection = await server.connect()
        return connection

    return read


def gilonce_once(server: Server) -> Read:
    @once
    async def read() -> Connection:
        return await server.connect()

    return read


def gilonce_once_lock(server: Server) -> Read:
    @once(cell=OnceLock)
    async def read() -> Connection:
        return await server.connect()

    return read


TOOLS: dict[str, Callable[[Server], Read]] = {
    "a variable": a_variable,
    "functools.cache": functools_cache,
    "asyncio.Lock": an_asyncio_lock,
    "gilonce.once": gilonce_once,
    "gilonce.once(cell=OnceLock)": gilonce_once_lock,
}


class Row(NamedTuple):
    """A line of the table."""

    tool: str
    distinct_objects: int
    initializer_ran: int
    errors: int


async def race(tool: str) -> Row:
    """Let all tasks read at once."""
    server = Server()
    read = TOOLS[tool](server)

    async def task() -> Connection:
        return await read()

    results = await asyncio.gather(*[task() for _ in range(TASKS)], return_exceptions=True)
    connections = {result for result in results if isinstance(result, Connection)}
    errors = sum(isinstance(result, Exception) for result in results)
    return Row(tool, len(connections), server.opened, errors)


async def race_all() -> list[Row]:
    """Race with each tool, and return the table."""
    return [await race(tool) for tool in TOOLS]


def interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}"


def main() -> None:
    print(f"{TASKS} tasks, {interpreter()}\n")
    print(f"{'':<28}{'distinct objects':>18}{'initializer ran':>18}{'errors':>8}")
    for row in asyncio.run(race_all()):
        print(f"{row.tool:<28}{row.distinct_objects:>18}{row.initializer_ran:>18}{row.errors:>8}")


if __name__ == "__main__":
    main()
