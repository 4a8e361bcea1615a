"""The examples: each one runs as a reader would run it, prints what it promises, and writes nothing to stderr."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import run_python

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"


def run(gilonce: ModuleType, name: str) -> str:
    """Run an example on the implementation under test, and return what it prints."""
    return run_python(gilonce, str(EXAMPLES / name))


def numbers(output: str, row: str) -> list[int]:
    """Return the numbers in the row of a table that begins with `row`."""
    match = re.search(rf"^{re.escape(row)}((?: +\d+)+)$", output, re.MULTILINE)
    assert match, output
    return [int(number) for number in match[1].split()]


def shape(output: str) -> list[str]:
    """Return the lines of race.py without what depends on the interpreter and on what is installed."""
    lines = re.sub(r"^8 threads, .+", "8 threads, INTERPRETER", output.strip()).splitlines()
    other_tools = r"^((?:functools|lazy_object_proxy)\.\w+) +(?:\d+ +\d+|\(not installed\))$"
    return [re.sub(other_tools, r"\1", line) for line in lines]


@pytest.fixture(scope="module")
def race_tables() -> dict[str, str]:
    """Keep what race.py printed, per implementation, so that it runs once for all of its tests."""
    return {}


@pytest.fixture
def race_table(gilonce: ModuleType, race_tables: dict[str, str]) -> str:
    """Return what race.py prints on the implementation under test."""
    if gilonce.__implementation__ not in race_tables:
        race_tables[gilonce.__implementation__] = run(gilonce, "race.py")
    return race_tables[gilonce.__implementation__]


@pytest.mark.parametrize("surface", ["once", "once_property", "lazy_global"])
def test_race_shows_one_object_and_no_waiting_for_each_surface(race_table: str, surface: str) -> None:
    """The main job: eight threads are inside the initializer at once, and all of them get one object."""
    assert numbers(race_table, f"gilonce.{surface}") == [1, 8]


def test_race_shows_eight_objects_for_functools_cache(race_table: str) -> None:
    """The reason for this package: a cache gives every racing thread a different object."""
    assert numbers(race_table, "functools.cache") == [8, 8]


def test_race_shows_what_cached_property_does_on_this_interpreter(race_table: str) -> None:
    """Threads share the value of a `cached_property` only where it has a lock: in Python 3.11 and older."""
    expected = [8, 8] if sys.version_info >= (3, 12) else [1, 1]
    assert numbers(race_table, "functools.cached_property") == expected


def test_race_shows_lazy_object_proxy_where_it_is_installed(race_table: str) -> None:
    """The table says that a peer is missing, and has all other rows."""
    if importlib.util.find_spec("lazy_object_proxy") is None:
        assert re.search(r"^lazy_object_proxy\.Proxy +\(not installed\)$", race_table, re.MULTILINE)
    else:
        distinct, *ran = numbers(race_table, "lazy_object_proxy.Proxy")
        assert distinct > 1
        assert ran == [8]


def test_race_prints_what_the_readme_shows(race_table: str) -> None:
    """The README shows the whole output. Only the interpreter and the numbers of other tools may differ."""
    block = re.search(r"^```text\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block
    assert shape(race_table) == shape(block[1])


def test_race_ends_with_what_the_numbers_mean(race_table: str) -> None:
    """The last two lines explain the two columns, and name the program that shows why waiting is dangerous."""
    distinct, ran = race_table.splitlines()[-2:]
    assert distinct.startswith("distinct objects: above 1, threads hold different objects")
    assert ran.startswith("initializer ran: 8 if no thread waited, 1 if the others waited. deadlock.py ")


def test_deadlock_shows_that_a_lock_hangs_and_gilonce_does_not(gilonce: ModuleType) -> None:
    """Law 2: two values that need each other, first read in two threads, are computed. With locks they never are."""
    subject, waiting, a_lock, ours = run(gilonce, "deadlock.py").splitlines()
    assert subject == "Two threads compute two expressions, whose values need each other's locks."
    assert waiting == "First with a lock. Waiting 2 s for it ..."
    assert a_lock == "a lock:  hangs: after 2 s, each thread still waits for the other"
    assert ours == "gilonce: 2 * (3 + 4) = 14, 2 + 3 * 5 = 17"


def test_settings_are_read_at_the_first_use_and_then_stand_in_both_modules(gilonce: ModuleType) -> None:
    """Importing a lazy global runs nothing. Its first use reifies it, in its own module and where it was imported."""
    assert run(gilonce, "settings.py").splitlines() == [
        "both modules imported: <lazy_global: read_settings() not yet called>",
        "shop.links has a proxy: True",
        "... reading settings.toml",
        "first use: http://shop.example:8080",
        "shop.settings has a proxy: False",
        "shop.links has a proxy: False",
        "both are the same object: True",
    ]


def test_database_keeps_one_connection_open_and_closes_the_losers(gilonce: ModuleType) -> None:
    """Law 4: a value that loses the race goes to `discard`, and the winner never does."""
    output = run(gilonce, "database.py")
    assert numbers(output, "functools.cache") == [8, 8, 8]
    assert numbers(output, "once(discard=...)") == [8, 1, 1]


def test_async_client_keeps_one_connection_for_all_tasks(gilonce: ModuleType) -> None:
    """Tasks that race each open a connection. One is kept and used, and later tasks open none."""
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
    """With `cell=OnceLock` one thread runs and the others wait, a waiter retries a failure, and a cycle is an error."""
    assert run(gilonce, "exactly_once.py").splitlines() == [
        "once                 the migration ran 8 times, Ada has 180",
        "once(cell=OnceLock)  the migration ran once, Ada has 110",
        "one that fails       the migration ran 2 times, Ada has 110, errors: ['the database went away']",
        "two in a cycle       2 values, 1 of the 2 threads got a DeadlockError",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fork_gives_each_process_a_session_of_its_own(gilonce: ModuleType) -> None:
    """A child inherits a plain value and closes it. With one value per process it does neither."""
    _, plain, per_process = run(gilonce, "fork.py").splitlines()
    assert plain.split(maxsplit=5) == ["once", "1", "1", "of", "3", "is cut off"]
    assert per_process.split(maxsplit=5) == [
        "once(cell=ProcessOnceCell)",
        *["4", "3", "of", "3"],
        "is served, as 'the parent'",
    ]


def test_every_example_is_run_by_a_test() -> None:
    """An example that no test runs can stop working unnoticed. Every file beside the programs is a program too."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        *("race.py", "deadlock.py", "settings.py", "database.py", "async_client.py", "slots.py"),
        *("exactly_once.py", "fork.py", "cluster.py"),
    }


@pytest.mark.parametrize("program", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_file_in_the_folder_is_a_program(program: Path) -> None:
    """A reader can run every file. Modules that programs import are in a folder of their own."""
    assert '\nif __name__ == "__main__":\n    main()\n' in program.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_application_with_tests_passes_them(gilonce: ModuleType) -> None:
    """They override, isolate and reset its values, as the cook book says."""
    printed = run_python(gilonce, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "testing"))
    assert "7 passed" in printed
