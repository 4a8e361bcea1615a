"""`examples/cluster.py`: a cell of one's own, whose value is shared by all processes that share a database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import WATCHDOG, environment, race, run_python

CLUSTER = Path(__file__).parent.parent / "examples" / "cluster.py"


@pytest.fixture
def cluster(gilonce: ModuleType) -> Any:
    """The example as a module that uses the implementation under test."""
    namespace: dict[str, Any] = {"__name__": "cluster", "__file__": str(CLUSTER)}
    exec(compile(CLUSTER.read_text(encoding="utf-8"), str(CLUSTER), "exec"), namespace)
    return SimpleNamespace(**namespace)


@pytest.fixture
def database(cluster: Any, tmp_path: Path) -> str:
    path = str(tmp_path / "shared.db")
    with cluster.connect(path) as connection:
        connection.execute(cluster.CREATE_TABLE)
    return path


@pytest.fixture
def make(cluster: Any, database: str) -> Callable[..., Any]:
    """Return a function that makes a cell, as another process that shares the database would."""
    return lambda **options: cluster.ClusterCell(database, "key", **options)


@pytest.mark.slow
def test_eight_processes_get_one_value_and_discard_the_others(gilonce: ModuleType) -> None:
    """All are inside the initializer at once. A process that starts later computes nothing."""
    _, cached, first, later, verdict = run_python(gilonce, str(CLUSTER)).splitlines()
    assert cached.split() == ["functools.cache", "8", "8", "0"]
    assert first.split() == ["once(cell=ClusterCell)", "1", "8", "7"]
    assert later.split()[-3:] == ["1", "0", "0"]
    assert verdict == "It has the same value."


def test_it_is_a_cell(gilonce: ModuleType, make: Any) -> None:
    """With the methods of the protocol, in two processes, which read the value once."""
    cell, other = make(), make()
    assert isinstance(cell, gilonce.Cell)
    assert (cell.get("empty"), cell.is_set(), cell.take("empty")) == ("empty", False, "empty")
    cell.set([1])
    assert (other.get(), other.is_set(), cell.get()) == ([1], True, [1])
    assert cell.get() is cell.get_or_init(list)
    with pytest.raises(gilonce.AlreadySetError) as caught:
        other.set([2])
    assert caught.value.value == [2]
    assert make().take() == [1]
    assert make().get("empty") == "empty"
    assert cell.take("empty") == "empty"
    assert not cell.is_set()


def test_none_is_a_value(make: Any) -> None:
    make().set(None)
    assert make().is_set()
    assert make().get_or_init(list) is None


def test_a_value_that_loses_is_discarded_and_the_published_one_is_read(make: Any) -> None:
    """Another process publishes while this one computes."""
    discarded: list[object] = []
    cell = make(discard=discarded.append)

    def compute() -> str:
        make().set("the other's")
        return "mine"

    assert cell.get_or_init(compute) == "the other's"
    assert discarded == ["mine"]


def test_an_error_of_discard_does_not_reach_the_caller(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))

    def discard(value: object) -> None:
        raise ValueError(value)

    def compute() -> str:
        make().set("the other's")
        return "mine"

    assert make(discard=discard).get_or_init(compute) == "the other's"
    assert [(type(error), *error.args) for error in reported] == [(ValueError, "mine")]


@pytest.mark.parametrize("value", [["a token"], None])
def test_a_value_that_is_equal_to_the_published_one_is_not_discarded(make: Any, value: object) -> None:
    """Discarding it would, for example, revoke the token that all processes use."""
    discarded: list[object] = []

    def compute() -> object:
        make().set(value)
        return value

    assert make(discard=discarded.append).get_or_init(compute) == value
    assert discarded == []


def test_a_value_that_is_taken_meanwhile_is_computed_again(cluster: Any, make: Any) -> None:
    """Another process takes it between the publication and the read."""
    cell = make()
    publish = cell._publish
    taken: list[object] = []

    def publish_and_take(value: Any) -> None:
        publish(value)
        if not taken:
            taken.append(make().take())

    cell._publish = publish_and_take
    assert cell.get_or_init(lambda: "value") == "value"
    assert taken == ["value"]
    assert make().get() == "value"


def test_a_failure_leaves_it_empty(gilonce: ModuleType, make: Any) -> None:
    """The next caller tries again, in this process or another one."""

    def fail() -> None:
        raise ValueError("no value")

    get = gilonce.once(fail, cell=make)
    with pytest.raises(ValueError, match="no value"):
        get()
    assert make().get_or_init(lambda: "value") == "value"
    assert get() == "value"


def test_threads_of_one_process_get_one_object(gilonce: ModuleType, make: Any) -> None:
    made: list[object] = []

    def compute() -> object:
        made.append([])
        return made[-1]

    got = race(gilonce.once(compute, cell=make))
    assert all(value is got[0] for value in got)


def test_tasks_publish_too(gilonce: ModuleType, make: Any) -> None:
    """The database is asked in a thread, so the event loop goes on."""
    discarded: list[object] = []

    @gilonce.once(cell=lambda: make(discard=discarded.append))
    async def get() -> list[str]:
        await asyncio.sleep(0)
        return ["value"]

    async def main() -> list[Any]:
        return await asyncio.gather(get(), get(), get())

    got = asyncio.run(main())
    assert got[0] is got[1] is got[2]
    assert make().get() == got[0] == ["value"]


def test_a_process_that_dies_in_its_initializer_has_published_nothing(
    gilonce: ModuleType, database: str, make: Any
) -> None:
    """With a lock, the others would have to find out that its owner is gone."""
    source = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cluster import ClusterCell
ClusterCell(sys.argv[2], "key").get_or_init(lambda: os._exit(3))
"""
    command = [sys.executable, "-c", source, str(CLUSTER.parent), database]
    done = subprocess.run(command, env=environment(gilonce.__implementation__), timeout=WATCHDOG, check=False)
    assert done.returncode == 3
    assert make().get_or_init(os.getpid) == os.getpid()
