"""The example in a browser: what its program prints, and that the page finds what it asks for.

`tests/programs/in_browser.py` opens the page in a browser.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from support import run_python

FOLDER = Path(__file__).parent.parent / "examples" / "browser"
PROGRAM = FOLDER / "race_in_tasks.py"


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_tasks_share_one_object_with_once_and_not_with_a_variable(gilonce: ModuleType) -> None:
    """Ten tasks run the initializer of `once` and get one object. Each gets another one from a variable."""
    subject, blank, titles, *rows = run_python(gilonce, str(PROGRAM)).splitlines()
    assert subject.startswith("10 tasks, ")
    assert blank == ""
    assert titles.split("  ")[-1] == "errors"
    assert [re.split(r"  +", row) for row in rows] == [
        ["a variable", "10", "10", "0"],
        ["functools.cache", "1", "1", "9"],
        ["asyncio.Lock", "1", "1", "0"],
        ["gilonce.once", "1", "10", "0"],
        ["gilonce.once(cell=OnceLock)", "1", "1", "0"],
    ]


def test_the_page_names_files_that_are_there() -> None:
    """A name that the page or its script asks for is a file in the folder, or made by `in_browser.py`."""
    named = set(re.findall(r'(?:src|href)="([\w./]+)"', read("index.html")))
    named |= set(re.findall(r'new URL\("([\w./]+)", import\.meta\.url\)', read("race.js")))
    assert named == {"race.js", "race_in_tasks.py", "pyodide/", "wheels/"}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == {"index.html", "race.js", "race_in_tasks.py"}


def test_the_script_finds_its_elements_in_the_page() -> None:
    """An id that the script asks for is in the page."""
    wanted = re.findall(r'getElementById\("(\w+)"\)', read("race.js"))
    assert wanted
    assert set(wanted) <= set(re.findall(r'\bid="(\w+)"', read("index.html")))


def test_the_table_of_the_page_has_a_column_for_each_number() -> None:
    """The script writes the rows of the program into a table whose titles stand in the page."""
    columns = re.findall(r'<th scope="col">(.*?)</th>', read("index.html"))
    row = re.search(r"class Row\(NamedTuple\):.*?\n\n\n", read("race_in_tasks.py"), re.DOTALL)
    assert row
    assert len(columns) == len(re.findall(r"^    \w+: \w+$", row[0], re.MULTILINE)) == 4


def test_the_script_calls_functions_of_the_program() -> None:
    """What the script calls is in the program."""
    called = re.findall(r"program\.(\w+)\(", read("race.js"))
    assert called
    assert set(called) <= set(re.findall(r"^(?:async )?def (\w+)", read("race_in_tasks.py"), re.MULTILINE))
