"""A suite as a new user writes it who has read the README and nothing else.

The program comes first: settings, a connection, a client and a session per thread. The tests replace each of them and
reset it. The last test runs them all once more, on both implementations.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from support import run_python

from gilonce import AlreadySetError, ThreadOnceCell, cell_of, lazy_global, once, once_per_args, once_property
from gilonce.testing import isolated, reset

this_module = sys.modules[__name__]


def load_settings() -> dict[str, str]:
    return {"database": ":memory:", "api": "https://api.example.com"}


SETTINGS = lazy_global(load_settings)


@once(discard=sqlite3.Connection.close)
def get_connection() -> sqlite3.Connection:
    return sqlite3.connect(SETTINGS["database"], check_same_thread=False)


class Client:
    def __init__(self, url: str) -> None:
        self.url = url
        self.is_closed = False

    async def get(self, path: str) -> str:
        return f"{self.url}{path}"

    async def aclose(self) -> None:
        self.is_closed = True


class FakeClient:
    async def get(self, path: str) -> str:
        return f"fake {path}"


@once(discard=Client.aclose)
async def get_client() -> Client:
    return Client(SETTINGS["api"])


@once_per_args
def get_region(name: str) -> list[str]:
    return [name]


@once(cell=ThreadOnceCell)
def get_session() -> list[str]:
    return []


class Shop:
    @once_property
    def prices(self) -> dict[str, float]:
        return dict(get_connection().execute("SELECT 'tea', 2.5"))

    async def describe(self, name: str) -> str:
        client = await get_client()
        get_session().append(name)
        return await client.get(f"/{name}")


@pytest.fixture(autouse=True)
def start_empty() -> Iterator[None]:
    with isolated():
        yield
    assert not get_connection.cell.is_set()


# Settings.


def test_settings_are_replaced_before_and_after_their_first_use() -> None:
    with cell_of(this_module, "SETTINGS").override({"api": "http://localhost"}):
        assert SETTINGS["api"] == "http://localhost"
    assert SETTINGS["api"] == "https://api.example.com"
    with cell_of(this_module, "SETTINGS").override({"api": "http://localhost"}):
        assert SETTINGS["api"] == "http://localhost"
    assert SETTINGS["api"] == "https://api.example.com"


def test_settings_are_reset() -> None:
    before = SETTINGS["api"], dict(SETTINGS)
    SETTINGS["api"] = "changed"
    cell_of(this_module, "SETTINGS").take()
    assert (SETTINGS["api"], dict(SETTINGS)) == before


def test_settings_found_by_the_name_of_their_module() -> None:
    with pytest.raises(TypeError, match=r"write cell_of\(sys.modules\['.*'\], 'SETTINGS'\)"):
        cell_of(__name__, "SETTINGS")


# The connection.


def test_a_connection_is_replaced() -> None:
    fake = sqlite3.connect(":memory:")
    with get_connection.cell.override(fake) as given:
        assert get_connection() is given is fake
    fake.close()
    assert get_connection() is not fake


def test_a_connection_is_set_though_it_was_used() -> None:
    fake = sqlite3.connect(":memory:")
    get_connection()
    with pytest.raises(AlreadySetError, match=r"empty the cell with take\(\)"):
        get_connection.cell.set(fake)
    get_connection.cell.take().close()
    get_connection.cell.set(fake)
    assert get_connection() is fake
    get_connection.cell.take().close()


def test_a_connection_is_closed_by_reset() -> None:
    connection = get_connection()
    reset()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert get_connection() is not connection


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    fake = sqlite3.connect(":memory:")
    with get_connection.cell.override(fake):
        yield fake
    fake.close()


def test_a_connection_is_replaced_by_a_fixture(connection: sqlite3.Connection) -> None:
    assert get_connection() is connection
    assert Shop().prices == {"tea": 2.5}


def test_isolated_without_parentheses() -> None:
    def test() -> None: ...

    with pytest.raises(TypeError, match=r"write @isolated\(\)"):
        isolated(test)  # type: ignore[call-arg]


# The client.


@get_client.cell.override(FakeClient())
def test_a_client_is_replaced_by_a_decorator() -> None:
    assert asyncio.run(Shop().describe("tea")) == "fake /tea"


@get_client.cell.override(FakeClient())
async def describe_with_a_fake() -> str:
    return await Shop().describe("tea")


def test_a_client_is_replaced_in_a_coroutine_function() -> None:
    assert asyncio.run(describe_with_a_fake()) == "fake /tea"


def test_a_client_is_closed_afterwards() -> None:
    async def main() -> Client:
        async with isolated():
            return await get_client()

    assert asyncio.run(main()).is_closed


def test_a_client_that_nobody_can_close_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    with isolated():
        asyncio.run(Shop().describe("tea"))
    assert "write 'async with isolated()'" in str(reports[0].exc_value)


@get_client.cell.override(FakeClient())
class TestWithUnittest(unittest.IsolatedAsyncioTestCase):
    async def test_it(self) -> None:
        assert await Shop().describe("tea") == "fake /tea"


# A client per region, a session per thread, an attribute.


def test_one_region_is_replaced() -> None:
    with get_region.cell("eu").override(["fake"]):
        assert (get_region("eu"), get_region("us")) == (["fake"], ["us"])
    assert get_region("eu") == ["eu"]


def test_the_cell_of_no_region() -> None:
    with pytest.raises(TypeError, match=r"get_region has a cell for each set of arguments: use .*get_region\.cell"):
        cell_of(this_module, "get_region")


def test_regions_are_reset() -> None:
    before = get_region("eu")
    reset()
    assert get_region("eu") is not before
    get_region.take_all()
    assert not get_region.cell("eu").is_set()


def test_the_session_of_one_thread_is_replaced() -> None:
    got: list[Any] = []
    with get_session.cell.override(["fake"]):
        thread = threading.Thread(target=lambda: got.append(get_session()))
        thread.start()
        thread.join()
        assert get_session() == ["fake"]
    assert (get_session(), got) == ([], [[]])


def test_sessions_are_reset() -> None:
    get_session().append("tea")
    reset()
    assert get_session() == []


def test_an_attribute_is_replaced() -> None:
    shop = Shop()
    with cell_of(shop, "prices").override({"tea": 0.0}):
        assert shop.prices == {"tea": 0.0}
    assert shop.prices == {"tea": 2.5}
    del shop.prices
    assert shop.prices == {"tea": 2.5}


@pytest.mark.slow
def test_all_of_it_on_both_implementations(gilonce: ModuleType) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-k", "not both_implementations"]
    printed = run_python(gilonce, "-m", "pytest", *options, __file__)
    assert " passed" in printed
