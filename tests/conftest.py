"""What every test is given: the implementation under test, and threads that switch often."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from support import IMPLEMENTATIONS, activate


@pytest.fixture(params=IMPLEMENTATIONS)
def gilonce(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The package, as the implementation that the test is to run on."""
    with activate(request.param) as package:
        yield package


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Let threads switch every microsecond, so that races are run and not hoped for."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
