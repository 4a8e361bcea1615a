"""Settings of the tests that search with hypothesis: the same examples every time, or more, at random."""

from __future__ import annotations

import faulthandler
import functools
import importlib
import sys
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from support import FACTOR, IMPLEMENTATIONS, activate, hang_watch


def searching(examples: int, at_least: int = 1, **others: Any) -> settings:
    """Return hypothesis's settings for a search of that many examples.

    A search that is longer than usual begins at random:
    `GILONCE_SEARCH=3 python -m pytest -m "" tests/laws/test_model.py tests/laws/test_bad_input.py`
    """
    return settings(
        **{
            "max_examples": max(at_least, round(examples * FACTOR)),
            "derandomize": FACTOR <= 1,
            "database": None,
            "deadline": None,
            "suppress_health_check": list(HealthCheck),
            # To explain a failure, hypothesis traces every line, which the machines are too large for.
            "phases": [Phase.explicit, Phase.generate, Phase.shrink],
            **others,
        }
    )


@functools.cache
def packages() -> dict[str, Any]:
    """Return the implementations that there are here, to be used side by side."""
    loaded = {}
    for implementation in IMPLEMENTATIONS:
        with activate(implementation) as package:
            # Imports what they need, while it is the one that is found.
            importlib.import_module("gilonce.testing")
            assert package.Cell, package.DeadlockError
            for cell in (None, package.OnceLock, package.ThreadOnceCell, package.ProcessOnceCell):
                package.lazy_global(object, cell=cell)
                owner = type("Owner", (), {"method": package.once(cell=cell)(lambda self: None)})
                owner().method()  # type: ignore[attr-defined]
            loaded[implementation] = package
    return loaded


def take_time() -> None:
    """Let this test take longer than others before it counts as hanging: a failure is made small first."""
    hang_watch.allow(600 * max(1, FACTOR))
    faulthandler.dump_traceback_later(750 * max(1, FACTOR), exit=True, file=sys.__stderr__)
