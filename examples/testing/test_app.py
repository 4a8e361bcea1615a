"""How its tests replace, isolate and reset them: run `pytest examples/testing`."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import app

from gilonce import cell_of
from gilonce.testing import isolated, reset


class FakeClient:
    async def get(self, path: str) -> str:
        return f"fake {path}"


@pytest.fixture(autouse=True)
def start_empty() -> Iterator[None]:
    """Let every test start with nothing computed, as `gilonce_isolate = function` in the ini file does."""
    with isolated():
        yield


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """A database with one item, which everybody gets while the test runs."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE item (name, price)")
    connection.execute("INSERT INTO item VALUES ('tea', 2.5)")
    with app.get_connection.cell.override(connection):
        yield connection
    connection.close()


def test_a_function_is_replaced_by_a_fixture(database: sqlite3.Connection) -> None:
    assert app.get_connection() is database
    assert app.Shop().prices == {"tea": 2.5}


@app.get_client.cell.override(FakeClient())
def test_a_client_is_replaced_by_a_decorator() -> None:
    assert asyncio.run(app.Shop().describe("tea")) == "fake /items/tea"


@cell_of(app, "SETTINGS").override({"database": ":memory:", "api": "http://localhost"})
def test_a_lazy_global_is_replaced_for_everyone_who_has_it() -> None:
    assert app.SETTINGS["api"] == "http://localhost"
    assert asyncio.run(app.Shop().describe("tea")) == "http://localhost/items/tea"


def test_an_attribute_is_replaced_in_one_object() -> None:
    shop = app.Shop()
    with cell_of(shop, "prices").override({"tea": 0.0}):
        assert shop.prices == {"tea": 0.0}


def test_a_session_per_thread_starts_empty() -> None:
    asyncio.run(app.Shop().describe("tea"))
    assert app.get_session() == ["tea"]


def test_reset_closes_what_was_made() -> None:
    connection = app.get_connection()
    reset()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")
    assert app.get_connection() is not connection


@app.get_client.cell.override(FakeClient())
class TestWithUnittest(unittest.IsolatedAsyncioTestCase):
    async def test_a_client_is_replaced_in_every_test(self) -> None:
        assert await app.Shop().describe("tea") == "fake /items/tea"
