"""The static types: `typing_api.py` is what users write, and both checkers must agree with it."""

from __future__ import annotations

import importlib.util
import os
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


def test_pyright_agrees_with_every_assertion() -> None:
    """pyright, strict: the same."""
    check("pyright", "pyright", "tests/typing_api.py")


def test_the_stub_agrees_with_the_code(tmp_path: Path) -> None:
    """What the checkers are told is there is there, with those parameters."""
    allowed = tmp_path / "allowed"
    # Private modules have no stub. mypy reads a class's parameters from `__init__` if there
    # is one, and only `__new__` can say that once_property(slot=...) returns a decorator.
    allowed.write_text("gilonce\\._.*\ngilonce.once_property.__init__\n")
    check("mypy", "mypy.stubtest", "gilonce", "--allowlist", str(allowed), "--ignore-unused-allowlist")


def test_every_public_type_is_known() -> None:
    """`basedpyright --verifytypes` reports 100 %, for the package as it is installed."""
    check("basedpyright", "basedpyright", "--verifytypes", "gilonce", "--ignoreexternal")
