"""The table in this folder's README says what the tests try, and what must come of it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_table_is_that_of_the_tests() -> None:
    spec = importlib.util.spec_from_file_location("matrix_of_tools", HERE / "matrix.py")
    assert spec is not None
    assert spec.loader is not None
    matrix = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(matrix)
    head, *lines = (HERE / "README.md").read_text(encoding="utf-8").split("|---|---|---|---|---|\n")
    assert head.startswith(matrix.HEAD.partition("\n")[0])
    # Each line has the tool and its version first.
    shown = [line.strip("| ").split(" | ") for line in lines[0].splitlines()]
    instead = "PYTHONPATH=tests python tests/ecosystem/matrix.py > tests/ecosystem/README.md"
    assert [[tool, *cells] for tool, _version, *cells in shown] == matrix.rows(), f"run {instead}"


def test_what_the_readme_says_works_is_in_the_table() -> None:
    text = (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"gilonce \[works with\]\(tests/ecosystem/README.md\) (.*)\.\n", text)
    assert found is not None
    named = {name.lower() for name in re.split(r", | and ", found[1])}
    lines = (HERE / "README.md").read_text(encoding="utf-8").splitlines()
    tried = {line.split(" | ")[0].strip("| ").lower() for line in lines if line.startswith("| ")}
    assert len(named) > 5
    assert named <= tried
