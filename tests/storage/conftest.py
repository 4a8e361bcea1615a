"""Fixtures of several tests of `cell=`."""

from __future__ import annotations

from types import ModuleType

import pytest
from support.cells import CELLS, FINAL, Make


@pytest.fixture(params=CELLS)
def make(request: pytest.FixtureRequest, gilonce: ModuleType) -> Make:
    """A value for `cell=`: each kind of cell in turn."""
    return CELLS[request.param](gilonce)


@pytest.fixture(params=FINAL)
def make_final(request: pytest.FixtureRequest, gilonce: ModuleType) -> Make:
    """A value for `cell=`: each kind of cell that is final."""
    return CELLS[request.param](gilonce)
