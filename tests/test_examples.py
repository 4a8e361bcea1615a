"""The examples: each runs as a reader would run it, says what it promises, and nothing on stderr."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import run_python

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(gilonce: ModuleType, name: str) -> str:
    """Run an example on the implementation under test; return what it prints."""
    return run_python(gilonce, str(EXAMPLES / name))


def numbers(output: str, row: str) -> list[int]:
    """Return the numbers in the row of a table that begins with `row`."""
    match = re.search(rf"^{re.escape(row)}((?: +\d+)+)$", output, re.MULTILINE)
    assert match, output
    return [int(number) for number in match[1].split()]


@pytest.fixture(scope="module")
def race_tables() -> dict[str, str]:
    """Keep what race.py printed, per implementation: it is run once for all the tests of it."""
    return {}


@pytest.fixture
def race_table(gilonce: ModuleType, race_tables: dict[str, str]) -> str:
    """Return what race.py prints on the implementation under test."""
    if gilonce.__implementation__ not in race_tables:
        race_tables[gilonce.__implementation__] = run(gilonce, "race.py")
    return race_tables[gilonce.__implementation__]


@pytest.mark.parametrize("surface", ["once", "once_property", "lazy_global"])
def test_race_shows_one_object_and_no_waiting_for_each_surface(race_table: str, surface: str) -> None:
    """The main job: eight threads are inside the initializer at once, and all are handed one object."""
    assert numbers(race_table, f"gilonce.{surface}") == [1, 8]


def test_race_shows_eight_objects_for_functools_cache(race_table: str) -> None:
    """The reason for this package: a cache hands every racing thread an object of its own."""
    assert numbers(race_table, "functools.cache") == [8, 8]


def test_race_shows_what_cached_property_does_on_this_interpreter(race_table: str) -> None:
    """Threads share one `cached_property` only where it locks: on CPython up to 3.11, and on PyPy of that age."""
    expected = [8, 8] if sys.version_info >= (3, 12) else [1, 1]
    assert numbers(race_table, "functools.cached_property") == expected


def test_race_shows_lazy_object_proxy_where_it_is_installed(race_table: str) -> None:
    """A peer that is missing is said to be missing; the rest of the table stands without it."""
    if importlib.util.find_spec("lazy_object_proxy") is None:
        assert re.search(r"^lazy_object_proxy\.Proxy +\(not installed\)$", race_table, re.MULTILINE)
    else:
        distinct, *ran = numbers(race_table, "lazy_object_proxy.Proxy")
        assert distinct > 1
        assert ran == [8]


def test_deadlock_shows_that_a_lock_hangs_and_gilonce_does_not(gilonce: ModuleType) -> None:
    """Law 2: values that need each other, first touched from two threads, come into being."""
    a_lock, ours = run(gilonce, "deadlock.py").splitlines()
    assert a_lock == "a lock:  hangs: after 2 s, each thread still waits for the other"
    assert ours == "gilonce: 2 * (3 + 4) = 14, 2 + 3 * 5 = 17"


def test_settings_are_read_at_the_first_use_and_then_stand_in_their_module(gilonce: ModuleType) -> None:
    """A lazy global runs nothing when imported; touched through another module, it is reified in its own."""
    assert run(gilonce, "settings.py").splitlines() == [
        "both modules imported: <lazy_global: read_settings() not yet called>",
        "... reading settings.toml",
        "first use: http://shop.example:8080",
        "settings.SETTINGS is now of the type Settings",
        "settings_reader.SETTINGS is still of the type LazyProxy",
        "the object behind both is the same: True",
    ]


def test_database_keeps_one_connection_open_and_closes_the_losers(gilonce: ModuleType) -> None:
    """Law 4: a value that loses the race is passed to `discard`, the winner never."""
    output = run(gilonce, "database.py")
    assert numbers(output, "functools.cache") == [8, 8, 8]
    assert numbers(output, "once(discard=...)") == [8, 1, 1]


def test_async_client_keeps_one_connection_for_all_tasks(gilonce: ModuleType) -> None:
    """Tasks that race each connect; one connection is kept and used, and later tasks open none."""
    books = "  the server: 10 connections opened, 9 said goodbye, 1 in use"
    handed_out = "1 client for 10 tasks, the last answer is 'TASK 9'"
    assert run(gilonce, "async_client.py").splitlines() == [
        f"first wave:  {handed_out}",
        books,
        f"second wave: {handed_out}",
        books,
    ]


def test_slots_hold_lazy_attributes_and_classes_have_their_own(gilonce: ModuleType) -> None:
    """One value per instance in a slot, also of a frozen dataclass, and one per class."""
    refusal, *lines = run(gilonce, "slots.py").splitlines()
    assert refusal.startswith("functools.cached_property: No '__dict__' attribute on 'Cached' instance")
    assert lines == [
        "... computing the length of Vector(x=3, y=4)",
        "length: 5.0",
        "again:  5.0",
        "... computing the length of Vector(x=0, y=4)",
        "of a changed copy: 4.0",
        "the fields: {'x': 3, 'y': 4} - equal to a copy: True",
        "... computing the table of the class Vector",
        "from the class:    vectors",
        "from an instance:  vectors",
        "... computing the table of the class Arrow",
        "from the subclass: arrows",
    ]


def test_exactly_once_runs_a_migration_once_and_finds_a_deadlock(gilonce: ModuleType) -> None:
    """`cell=OnceLock`: one runs and the others wait; one that fails is followed by another; a cycle is told."""
    assert run(gilonce, "exactly_once.py").splitlines() == [
        "once                 the migration ran 8 times, Ada has 180",
        "once(cell=OnceLock)  the migration ran 1 times, Ada has 110",
        "one that fails       the migration ran 2 times, Ada has 110, told: ['the database went away']",
        "two in a cycle       2 values, 1 of the 2 threads told of the deadlock",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_fork_gives_each_process_a_session_of_its_own(gilonce: ModuleType) -> None:
    """A plain value crosses the fork, and is closed by a child; what is one per process does neither."""
    _, plain, per_process = run(gilonce, "fork.py").splitlines()
    assert plain.split(maxsplit=5) == ["once", "1", "1", "of", "3", "is cut off"]
    assert per_process.split(maxsplit=5) == [
        "once(cell=ProcessOnceCell)",
        *["4", "3", "of", "3"],
        "is served, as 'the parent'",
    ]


def test_every_example_is_run_by_a_test() -> None:
    """An example that nobody runs is one that stops working unnoticed."""
    programs = {path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert programs == {
        *("race.py", "deadlock.py", "settings.py", "database.py", "async_client.py", "slots.py"),
        *("exactly_once.py", "fork.py"),
    }
