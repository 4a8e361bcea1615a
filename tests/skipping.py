"""How the explorations say that they cannot be run here: to pytest, and to who runs them as a script."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import pytest

HOW = "On CPython 3.12 to 3.14 with a GIL: pip install 'gilonce[interleavings]', or '.[interleavings]' in a checkout"


def skip(reason: str) -> NoReturn:
    script = getattr(sys.modules["__main__"], "__file__", None) or ""
    if os.path.basename(script).startswith("test_interleavings"):
        raise SystemExit(f"NOT RUN: {reason}. {HOW}")
    pytest.skip(reason, allow_module_level=True)
