"""What every test is given: the implementation under test, and threads that switch often."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from support import IMPLEMENTATIONS, activate
from support.hang_watch import HangWatch

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Name a test that hangs. Not on PyPy, where any thread runs what a collection in the main one has set off."""
    if sys.implementation.name != "pypy":
        config.pluginmanager.register(HangWatch(config))


def run_an_example() -> None:
    from hypothesis import given, settings, strategies

    settings(database=None, max_examples=1, deadline=None)(given(strategies.none())(lambda _: None))()


def pytest_collection_finish() -> None:
    """Let hypothesis ask the collector who refers to its and trio's random numbers, before these are frozen."""
    if "hypothesis" in sys.modules or "trio" in sys.modules:
        run_an_example()


@pytest.fixture(autouse=True, scope="module")
def spare_the_collector() -> None:
    """Freeze what pytest has made so far, because its reports are many and hundreds of tests run the collector."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def pytest_sessionfinish() -> None:
    """Show the collector everything again, for the summary may import hypothesis, which asks about trio's numbers."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()


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
