"""Fixtures of several tests of the native core."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from support import activate


@pytest.fixture
def native() -> Iterator[ModuleType]:
    """The package with the native core."""
    with activate("native") as package:
        yield package


@pytest.fixture
def python() -> Iterator[ModuleType]:
    """The package in Python."""
    with activate("python") as package:
        yield package
