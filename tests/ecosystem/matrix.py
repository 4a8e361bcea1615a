"""Print the table of what was tried with each tool, and what came of it with functools and with gilonce.

    PYTHONPATH=tests python tests/ecosystem/matrix.py > tests/ecosystem/README.md

The tools must be installed, because the table has their versions. test_matrix.py compares the rest with the tests.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from support.comparison import Tool

HERE = Path(__file__).parent
HEAD = """# gilonce with other people's software

What the tests in this folder try, beside functools in the same place: `functools.cache` for `@once` and `@once_per_args`, `functools.cached_property` for `once_property`. Where something does not work, the table says why. With gilonce in Python, storing `@once_per_args` by value is a `PicklingError`. Made by `matrix.py`.

| tool | version | what was tried | functools | gilonce |
|---|---|---|---|---|
"""  # noqa: E501 - lines of Markdown


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def tools() -> list[Tool]:
    """Return the tools that the test modules in this folder try, in the order of their names."""
    entries: list[Any] = []
    for path in sorted(HERE.glob("test_*.py")):
        for entry in vars(load(path)).values():
            entries.extend(entry if type(entry) is list else [entry])
    # By identity, because a module may have several names for one tool.
    found = {id(entry): entry for entry in entries if isinstance(entry, Tool) and (entry.cases or entry.other_rows)}
    return sorted(found.values(), key=lambda tool: tool.package.lower())


def rows() -> list[list[str]]:
    """Return the cells of the table, without the versions."""
    return [
        [tool.package, *row] for tool in tools() for row in [*(case.row() for case in tool.cases), *tool.other_rows]
    ]


if __name__ == "__main__":
    print(HEAD, end="")
    versions = {tool.package: tool.version for tool in tools()}
    for package, *cells in rows():
        print("| " + " | ".join([package, versions[package], *cells]) + " |")
