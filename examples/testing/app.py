"""A small application with four singletons: settings, a database connection, an async client, a session per thread."""

from __future__ import annotations

import sqlite3
from typing import Any

from gilonce import ThreadOnceCell, lazy_global, once, once_property


class Client:
    """Stands for an asynchronous HTTP client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_closed = False

    async def get(self, path: str) -> str:
        return f"{self.url}{path}"

    async def aclose(self) -> None:
        self.is_closed = True


def load_settings() -> dict[str, str]:
    return {"database": ":memory:", "api": "https://api.example.com"}


SETTINGS = lazy_global(load_settings)


@once(discard=sqlite3.Connection.close)
def get_connection() -> sqlite3.Connection:
    return sqlite3.connect(SETTINGS["database"], check_same_thread=False)


@once
async def get_client() -> Client:
    return Client(SETTINGS["api"])


@once(cell=ThreadOnceCell)
def get_session() -> list[str]:
    return []


class Shop:
    @once_property
    def prices(self) -> dict[str, float]:
        rows = get_connection().execute("SELECT name, price FROM item")
        return dict(rows.fetchall())

    async def describe(self, name: str) -> str:
        client: Any = await get_client()
        get_session().append(name)
        return str(await client.get(f"/items/{name}"))
