"""How the tests that search with hypothesis search: the same examples every time, or many others."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

#: By how much a run is longer than the default one. A longer one begins at random. Its tests take
#: more than the minute after which a test counts as hanging:
#: `GILONCE_SEARCH=20 python -m pytest -o faulthandler_timeout=0 tests/test_model.py tests/test_bad_input.py`
FACTOR = int(os.environ.get("GILONCE_SEARCH", "1"))


def searching(examples: int, **others: Any) -> settings:
    """Return hypothesis's settings for a search of that many examples."""
    return settings(
        **{
            "max_examples": examples * FACTOR,
            "derandomize": FACTOR == 1,
            "database": None,
            "deadline": None,
            "suppress_health_check": list(HealthCheck),
            # To explain a failure, hypothesis traces every line, which the machines are too large for.
            "phases": [Phase.explicit, Phase.generate, Phase.shrink],
            **others,
        }
    )
