"""`python -m gilonce`."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import runpy
import sys
from types import ModuleType

import pytest
from support import run_python


def table(output: str) -> dict[str, str]:
    """Return the lines that have a name and, after a gap, what belongs to it."""
    rows = [line.split("  ", maxsplit=1) for line in output.splitlines() if "  " in line]
    return {name: value.strip() for name, value in rows}


def expected(gilonce: ModuleType) -> dict[str, str]:
    """Return what the command says on this interpreter."""
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return {
        "gilonce": gilonce.__version__,
        "implementation": gilonce.__implementation__,
        "wrapt": importlib.metadata.version("wrapt"),
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "GIL": "enabled" if gil_enabled else "disabled",
        "functools.cache": "8",
        "functools.cached_property": "8" if sys.version_info >= (3, 12) else "1",
        "gilonce.once": "1",
        "gilonce.once_property": "1",
        "gilonce.lazy_global": "1",
    }


def test_it_says_what_is_installed_and_races(gilonce: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """What a bug report needs, and one object for each surface where `functools.cache` hands out eight."""
    runpy.run_module("gilonce", run_name="__main__")
    assert table(capsys.readouterr().out) == expected(gilonce)


def test_importing_it_prints_nothing(gilonce: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Only `-m` runs the module: tools that import every module of a package get no output."""
    importlib.import_module(f"{gilonce.__name__}.__main__")
    assert capsys.readouterr().out == ""


def test_it_runs_as_a_command(gilonce: ModuleType) -> None:
    """`python -m gilonce` works in a fresh process, and warns of nothing in development mode."""
    assert table(run_python(gilonce, "-m", "gilonce")) == expected(gilonce)
