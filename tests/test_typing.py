"""The static types: `typing_api.py` is code that users write, and the type checkers must accept it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {
    **os.environ,
    # pyright asks the first `python` on the PATH what is installed.
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    # mypy holds the stub against the running code, and a type in C does not show all that it has.
    "GILONCE_PURE_PYTHON": "1",
}


def check(module: str, *command: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install '.[types]'")
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_agrees_with_every_assertion() -> None:
    """`mypy --strict`: exact types, and an error on every line that says so."""
    check("mypy", "mypy", "--strict", "tests/typing_api.py")


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["pyright", "basedpyright"])
def test_pyright_agrees_with_every_assertion(checker: str) -> None:
    """pyright, strict: the same."""
    check(checker, checker, "tests/typing_api.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("checker", "options"),
    [
        ("ty", ("--output-format", "concise", "--extra-search-path")),
        ("pyrefly", ("--preset", "strict", "--output-format", "min-text", "--search-path")),
    ],
)
def test_other_checkers_agree_about_once_per_args(checker: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Without the ignores, `ty` and `pyrefly` report an error on each line that has one, and on no other."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed: pip install '.[types]'")
    lines = (ROOT / "tests/typing_api.py").read_text().splitlines()
    start = lines.index("# once_per_args.")
    expected = {
        number
        for number, line in enumerate(lines, 1)
        if number > start
        and ("# type: ignore" in line or f"# {checker}: ignore" in line)
        and f"# not in {checker}" not in line
    }
    assert expected
    without_ignores = [re.sub(r"  # (type|pyright|ty|pyrefly): ignore.*", "", line) for line in lines]
    (tmp_path / "typing_api.py").write_text("\n".join(without_ignores))
    done = subprocess.run(
        [sys.executable, "-m", checker, "check", *options, str(ROOT), "typing_api.py"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = {int(number) for number in re.findall(r"\btyping_api\.py:(\d+):", done.stdout)}
    assert {number for number in found if number > start} == expected, done.stdout + done.stderr


@pytest.mark.slow
def test_the_stub_agrees_with_the_code(tmp_path: Path) -> None:
    """Everything in the stub exists, with the same parameters."""
    allowed = tmp_path / "allowed"
    # Private modules have no stub. mypy reads a class's parameters from `__init__` if there is one, and only `__new__`
    # can say that once_property(slot=...) returns a decorator. The metaclass, the name of an instance, and what other
    # libraries look for are no matter of types. The stub tells mypy from the other checkers by a name.
    names = ["gilonce\\._.*", "gilonce.MYPY", "gilonce.once_property"]
    names.append("gilonce.once_property.(__(init|name|closure)__|func)")
    allowed.write_text("\n".join(names))
    check("mypy", "mypy.stubtest", "gilonce", "--allowlist", str(allowed), "--ignore-unused-allowlist")


@pytest.mark.slow
def test_every_public_type_is_known() -> None:
    """`basedpyright --verifytypes` reports 100 %, for the package as it is installed."""
    check("basedpyright", "basedpyright", "--verifytypes", "gilonce", "--ignoreexternal")
